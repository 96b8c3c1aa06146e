"""A pick job is begun, picked and put aside."""

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fulfillment.core import attributes
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import User
from fulfillment.core.status import transit

from ..events import PickJobPaused, PickJobPicked, PickJobStarted
from ..models import PickJob
from .lines import report_rest, set_count
from .locks import NotStarted, check_alone, check_picker, lock_for_status, touch


class JobHeld(Refused):
    text = _("%(job)s is held. A supervisor has to release it first.")


class NotOnThisJob(Refused):
    text = _("%(line)s is not a line of %(job)s.")


@transaction.atomic
def start(job_id, *, by, now, version=None):
    """Begin or continue a job as its picker. A job that is one's own already stays as it is."""
    job = lock_for_status(job_id, version)
    check_alone(job)
    if job.status == PickJob.Status.IN_PROGRESS:
        check_picker(job, by)
        return job
    return begin(job, by=by, now=now)


def begin(job, *, by, now):
    """Begin or continue a locked job. Refuses one that a supervisor holds."""
    if job.is_held:
        raise JobHeld(job=job)
    transit(job.start, by if isinstance(by, User) else None, now, by=by, now=now)
    emit(PickJobStarted(pick_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def take_over(job_id, *, by, now):
    """Go on with a job that a colleague began; what is picked stays picked."""
    job = lock_for_status(job_id)
    check_alone(job)
    if job.status == PickJob.Status.IN_PROGRESS:
        transit(job.pause, by=by, now=now, reason=str(gettext("Taken over")))
    return begin(job, by=by, now=now)


@transaction.atomic
def pause(job_id, *, by, now, version=None):
    """Put a job aside; anybody at the facility may, so that a colleague can go on with it."""
    job = lock_for_status(job_id, version)
    check_alone(job)
    return put_aside(job, by=by, now=now)


def put_aside(job, *, by, now, reason=""):
    """Put a locked job aside."""
    transit(job.pause, by=by, now=now, reason=reason)
    emit(PickJobPaused(pick_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def book(job_id, counts, *, by, now, version=None):
    """Set what is picked and missing of some lines; with no unit open any more the job is picked.

    Refuses a job that is not in progress or in another picker's hands, lines of other jobs, and more than is ordered.
    """
    job = lock_for_status(job_id, version)
    check_picker(job, by)
    lines = {line.pk: line for line in job.lines.all()}
    for count in counts:
        line = lines.get(count.line_id)
        if line is None:
            raise NotOnThisJob(line=count.line_id, job=job)
        set_count(line, count, facility_id=job.facility_id, by=by, now=now)
    if any(line.open_units for line in lines.values()):
        return touch(job, "book", by=by, now=now)
    return finish_picking(job, by, now)


@transaction.atomic
def record(job_id, changes, *, by, now, version=None):
    """Change what is recorded of the lines of a job: ``{attribute id: {what: value}}``.

    Refuses a job that has ended or is in another picker's hands, and attributes of other jobs.
    """
    job = lock_for_status(job_id, version)
    if job.status == PickJob.Status.IN_PROGRESS:
        check_picker(job, by)
    elif job.status not in PickJob.UNFINISHED:
        raise NotStarted(job=job, status=job.get_status_display())
    attributes.record(job, "recordables", changes)
    return touch(job, "record", by=by, now=now)


def finish_picking(job, by, now):
    transit(job.finish_picking, now, by=by, now=now)
    emit(PickJobPicked(pick_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def finish(job_id, *, by, now, version=None):
    """End the picking without closing the job: what is open is reported missing."""
    job = lock_for_status(job_id, version)
    check_picker(job, by)
    report_rest(list(job.lines.all()), facility_id=job.facility_id, by=by, now=now)
    return finish_picking(job, by, now)


@transaction.atomic
def modify(job_id, *, by, now, custom_attributes=None, target_time=None, picking_methods=None, version=None):
    """Replace the free attributes, the target time or the picking methods of a job; None leaves them as they are."""
    job = lock_for_status(job_id, version)
    job.picking_methods = job.picking_methods if picking_methods is None else picking_methods
    job.custom_attributes = job.custom_attributes if custom_attributes is None else custom_attributes
    job.target_time = target_time or job.target_time
    return touch(job, "modify", "custom_attributes", "target_time", "picking_methods", by=by, now=now)


@transaction.atomic
def assign(job_id, users, *, by, now, version=None):
    """Say whom a job is meant for, instead of who it was; nobody in particular when there are none."""
    job = lock_for_status(job_id, version)
    job.assigned_users.set(users)
    return touch(job, "assign", by=by, now=now)
