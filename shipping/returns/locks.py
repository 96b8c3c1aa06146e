"""Locks of the steps on returns, and what each step ends with."""

from collections import Counter

from django.db.models import F

from fulfillment.core.events import emit
from fulfillment.core.status import check_version, transit
from orders.models import Order
from shipping.events import ReturnCancelled, ReturnJobUpdated
from shipping.models import ItemReturn, ReturnJob, ReturnJobLine

from .refusals import ReturnEnded, ReturnsClosed


def lock_job(job_id):
    """Lock order and return job, in this order."""
    order = Order.objects.lock(pk=ReturnJob.objects.values_list("order_id", flat=True).get(pk=job_id))
    job = ReturnJob.objects.lock(pk=job_id)
    job.order = order
    return job


def lock(item_return_id):
    """Lock order, return job and return, in this order."""
    job = lock_job(ItemReturn.objects.values_list("job_id", flat=True).get(pk=item_return_id))
    item_return = ItemReturn.objects.lock(pk=item_return_id)
    item_return.job, item_return.order = job, job.order
    return item_return


def lock_open(item_return_id, version):
    """``lock`` for a step on the goods: they are at the facility and not judged for good."""
    item_return = lock(item_return_id)
    check_version(item_return.job, version)
    if item_return.status not in ItemReturn.HERE:
        raise ReturnEnded(order=item_return.order, status=item_return.get_status_display())
    return item_return


def changed(job, *, by, now):
    """What programs see of a return is part of its job."""
    job.version += 1
    job.save(update_fields=["version", "modified_at"])
    emit(ReturnJobUpdated(return_job_id=job.pk), by=by, now=now)


def begin(job, *, by, now):
    """Something of a job is announced or comes back. Refuses a job that takes no returns."""
    if job.status in ReturnJob.CLOSED:
        raise ReturnsClosed(order=job.order, status=job.get_status_display())
    if job.status == ReturnJob.Status.OPEN:
        transit(job.start, by=by, now=now)


def give_up(item_return, *, by, now):
    """Nothing of a return will come any more."""
    is_here = item_return.status != ItemReturn.Status.ANNOUNCED
    transit(item_return.cancel if is_here else item_return.make_obsolete, by=by, now=now)
    emit(ReturnCancelled(item_return_id=item_return.pk), by=by, now=now)


def let_go(items):
    """Units are not with us: they may come back another time."""
    for line_id, units in Counter(item.line_id for item in items).items():
        ReturnJobLine.objects.filter(pk=line_id).update(returned=F("returned") - units)


def words(items):
    """Units by their titles, for the history: ``2 × Mug, 1 × Plate``."""
    units = Counter(item.line.title for item in items)
    return ", ".join(f"{count} × {title}" for title, count in units.items())
