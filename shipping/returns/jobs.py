"""The return job of an order: what handovers make of it, and what is decided about it as a whole."""

from django.db import transaction
from django.db.models import Max, Sum

from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_change, transit
from shipping.events import ReturnJobCreated
from shipping.models import HandoverJob, HandoverLine, ItemReturn, ReturnJob, ReturnJobLine

from .locks import changed, give_up, lock_job
from .refusals import NotInThisReturn, ReturnedAlready, ReturnsUnderWay

# What the handover announces


def on_handed_over(event, *, by, now):
    """Goods left the house: they may come back from now on. The handover holds the lock of the order."""
    handover = HandoverJob.objects.get(pk=event.handover_job_id)
    job = ReturnJob.objects.filter(order=handover.order_id).first()
    is_new = job is None
    if job is None:
        # The history has the handover; that goods may come back says nothing more.
        job = ReturnJob.objects.create(
            order_id=handover.order_id,
            facility_id=handover.facility_id,
            short_id=handover.short_id,
            created_at=now,
        )
    _count_delivered(job)
    if is_new:
        emit(ReturnJobCreated(return_job_id=job.pk), by=by, now=now)
        return
    if job.status == ReturnJob.Status.CANCELED:
        transit(job.renew, by=by, now=now)
    elif job.status == ReturnJob.Status.FINISHED:
        transit(job.restart, by=by, now=now)
    changed(job, by=by, now=now)


def on_handover_reverted(event, *, by, now):
    """A handover did not happen. Refuses when units of it came back already."""
    handover = HandoverJob.objects.get(pk=event.handover_job_id)
    job = ReturnJob.objects.filter(order=handover.order_id).first()
    if job is None:
        return  # handed over before there were returns
    if not _count_delivered(job):
        for item_return in job.item_returns.unfinished().lock_all():
            give_up(item_return, by=by, now=now)
        if job.status != ReturnJob.Status.CANCELED:
            transit(job.cancel, by=by, now=now)
    changed(job, by=by, now=now)


def _count_delivered(job):
    """Count anew what was handed over of each line; returns the sum. Refuses less than what came back."""
    handed_over = {
        (line, article): (units, title)
        for line, article, units, title in HandoverLine.objects.filter(
            job__order=job.order_id, job__status=HandoverJob.Status.HANDED_OVER, handed_over__gt=0
        )
        .order_by()
        .values_list("order_line", "pick_line__article")
        .annotate(units=Sum("handed_over"), words=Max("title"))
    }
    delivered = sum(units for units, _title in handed_over.values())
    for line in job.lines.all():
        units, _title = handed_over.pop((line.order_line_id, line.article_id), (0, ""))
        if units < line.returned:
            raise ReturnedAlready(title=line.title)
        if units != line.delivered:
            line.delivered = units
            line.save(update_fields=["delivered"])
    ReturnJobLine.objects.bulk_create(
        ReturnJobLine(job=job, order_line_id=line, article_id=article, delivered=units, title=title)
        for (line, article), (units, title) in handed_over.items()
    )
    return delivered


# What is decided


@transaction.atomic
def start_job(job_id, *, by, now, version=None):
    """Begin to take returns of an order."""
    return _move_job(job_id, "start", by=by, now=now, version=version)


@transaction.atomic
def restart_job(job_id, *, by, now, version=None):
    """Take returns of an order again."""
    return _move_job(job_id, "restart", by=by, now=now, version=version)


@transaction.atomic
def finish_job(job_id, *, by, now, version=None):
    """Take no more returns of an order; what is announced does not count any more. Refuses while goods are here."""
    job = lock_job(job_id)
    check_version(job, version)
    unfinished = job.item_returns.unfinished().lock_all()
    if any(one.status != ItemReturn.Status.ANNOUNCED for one in unfinished):
        raise ReturnsUnderWay(order=job.order)
    for item_return in unfinished:
        give_up(item_return, by=by, now=now)
    transit(job.finish, now, by=by, now=now)
    changed(job, by=by, now=now)
    return job


def _move_job(job_id, action, *, by, now, version):
    job = lock_job(job_id)
    check_version(job, version)
    transit(getattr(job, action), by=by, now=now)
    changed(job, by=by, now=now)
    return job


@transaction.atomic
def allow(job_id, line_ids, is_returnable, *, by, now, version=None):
    """Say whether lines may be returned. What came back already stays. Refuses lines of another order."""
    job = lock_job(job_id)
    check_version(job, version)
    lines = list(job.lines.filter(pk__in=line_ids))
    if len(lines) != len(set(line_ids)):
        raise NotInThisReturn(order=job.order)
    ReturnJobLine.objects.filter(pk__in=[line.pk for line in lines]).update(is_returnable=is_returnable)
    log_change(
        job,
        "allow" if is_returnable else "forbid",
        by=by,
        now=now,
        reason=", ".join(line.title for line in lines),
    )
    changed(job, by=by, now=now)
    return job
