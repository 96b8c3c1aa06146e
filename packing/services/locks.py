"""Who may change a pack job now, and how its version follows."""

from fulfillment.core.events import emit
from fulfillment.core.models import User
from fulfillment.core.status import check_version, log_change
from orders.models import Order

from ..events import PackJobUpdated
from ..models import PackJob
from .refusals import NotInProgress, PackedBySomeoneElse, PackingEnded


def lock_for_status(job_id, version=None):
    # The order is the mutex of everything that belongs to it, and comes before the job in the lock order.
    order_id = PackJob.objects.values_list("order_id", flat=True).get(pk=job_id)
    Order.objects.lock(pk=order_id)
    job = PackJob.objects.lock(pk=job_id)
    check_version(job, version)
    return job


def check_packer(job, by):
    """Refuse a job that is not being packed, or not by this person."""
    if job.status != PackJob.Status.IN_PROGRESS:
        raise NotInProgress(job=job, status=job.get_status_display())
    if isinstance(by, User) and job.editor_id != by.pk:
        raise PackedBySomeoneElse(job=job, packer=job.editor)


def lock_for_packing(job_id, by):
    job = PackJob.objects.lock(pk=job_id)
    check_packer(job, by)
    return job


def lock_to_announce(job_id, by, version=None):
    """Lock a job for a packer's change that others hear of; what a scan changes they hear of when the job is closed."""
    job = lock_for_status(job_id, version)
    check_packer(job, by)
    return job


def lock_kept(job_id, by, version):
    """Lock a job that is to be packed or was: shipments go on with its lines. One in work is its packer's."""
    job = lock_for_status(job_id, version)
    if job.status == PackJob.Status.IN_PROGRESS:
        check_packer(job, by)
    elif job.status in {PackJob.Status.CANCELED, PackJob.Status.OBSOLETE}:
        raise PackingEnded(job=job, status=job.get_status_display())
    return job


def raise_version(job, *changed):
    """Save what clients see of a locked job and changed without a transition."""
    job.version += 1
    job.save(update_fields=["version", "modified_at", *changed])


def touch(job, action, *changed, by, now):
    """The same with a log row, for what no screen notes; the order is locked, as it emits."""
    raise_version(job, *changed)
    log_change(job, action, by=by, now=now)
    emit(PackJobUpdated(pack_job_id=job.pk), by=by, now=now)
    return job
