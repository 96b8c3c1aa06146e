"""What a step on a pick job locks, and who may do it. Lines change only under their job's lock."""

from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.models import User
from fulfillment.core.status import check_version, log_change
from orders.models import Order

from ..models import PickJob, PickRun


class NotStarted(Refused):
    text = _("%(job)s is %(status)s. Start it before you pick.")


class PickedBySomeoneElse(Refused):
    text = _("%(picker)s is picking %(job)s. Take it over if you want to go on with it.")


class InARun(Refused):
    text = _("%(job)s is picked in run %(run)s. Work on the run, or take the job out of it first.")


def lock_for_status(job_id, version=None):
    """Lock the order, then the job: the order is the mutex of everything that belongs to it."""
    order_id = PickJob.objects.values_list("order_id", flat=True).get(pk=job_id)
    Order.objects.lock(pk=order_id)
    PickRun.objects.active().of_jobs([job_id]).lock_all()
    job = PickJob.objects.lock(pk=job_id)
    check_version(job, version)
    return job


def lock_with_runs(jobs):
    """Lock jobs, and before them the runs that they are in: a scan locks the run before its job."""
    PickRun.objects.active().of_jobs(jobs.order_by().values("pk")).lock_all()
    return jobs.lock_all()


def check_alone(job):
    """Refuse a step that would begin or end the work on a job beside its run."""
    run = PickRun.objects.active().of_jobs([job.pk]).first()
    if run is not None:
        raise InARun(job=job, run=run)


def check_picker(job, by):
    """Refuse work on a job that is not in progress, or in the hands of another picker."""
    if job.status != PickJob.Status.IN_PROGRESS:
        raise NotStarted(job=job, status=job.get_status_display())
    if isinstance(by, User) and job.editor_id != by.pk:
        raise PickedBySomeoneElse(job=job, picker=job.editor)


def raise_version(job, *changed):
    """Save what clients see of a locked job and changed without a transition."""
    job.version += 1
    job.save(update_fields=["version", "modified_at", *changed])


def touch(job, action, *changed, by, now):
    """The same with a log row, for what no screen notes."""
    raise_version(job, *changed)
    log_change(job, action, by=by, now=now)
    return job
