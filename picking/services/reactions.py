"""What becomes of pick jobs whose order or part is changed, moved or no longer wanted."""

import datetime

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import routing.reroutes as reroutes
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.status import transit
from routing.models import RoutingPlan

from .. import restow
from ..events import PickJobCancelled
from ..models import PickJob, RestowItem
from .ending import AlreadyPicked, leave
from .locks import lock_for_status, lock_with_runs
from .shelves import put_goods_aside


class PickingBegun(Refused):
    text = _("%(job)s has begun, so it can no longer be changed or moved.")


def on_plan_cancelled(event, *, by, now):
    """Cancel the job of a part; refuses when something of it is picked."""
    _cancel(PickJob.objects.filter(plan_id=event.plan_id), by=by, now=now)


def on_plan_replaced(event, *, by, now):
    """End the job of a part that is placed anew. Refuses one that somebody has begun with, unless that may be."""
    for job in lock_with_runs(PickJob.objects.filter(plan_id=event.plan_id)):
        is_over = job.status == PickJob.Status.CLOSED
        if is_over or (job.status in PickJob.BEGUN and not event.may_be_begun):
            raise PickingBegun(job=job)
        if job.status in PickJob.UNFINISHED:
            lines = list(job.lines.prefetch_related("allocations"))
            sub_status = SUB_STATUS_OF.get(event.reason, PickJob.SubStatus.NONE)
            leave(job, lines, sub_status, by=by, now=now)


SUB_STATUS_OF = {
    RoutingPlan.Reason.MANUAL_REROUTE: PickJob.SubStatus.MANUAL_REROUTE,
    RoutingPlan.Reason.TIME_TRIGGERED: PickJob.SubStatus.TIME_TRIGGERED,
    RoutingPlan.Reason.STOCK_ZEROED: PickJob.SubStatus.STOCK_ZEROED,
    RoutingPlan.Reason.FACILITY_OFFLINE: PickJob.SubStatus.FACILITY_OFFLINE,
    RoutingPlan.Reason.ORDER_MODIFIED: PickJob.SubStatus.ORDER_MODIFIED,
}


def reroute_idle(*, now):
    """Move parts that are due soon, that somebody began, of which nothing is picked, and left; returns how many."""
    moved = 0
    for job in PickJob.objects.filter(
        plan_id__in=reroutes.late_plans(now=now, begun=True),
        status__in=[PickJob.Status.IN_PROGRESS, PickJob.Status.PAUSED],
    ).order_by("pk"):
        moved += _reroute_if_idle(job.pk, now)
    return moved


@transaction.atomic
def _reroute_if_idle(job_id, now):
    job = lock_for_status(job_id)
    minutes = reroutes.reroute_settings(job.order, now)["idle_minutes"]
    is_idle = (
        job.status in {PickJob.Status.IN_PROGRESS, PickJob.Status.PAUSED}
        and minutes is not None
        and job.modified_at < now - datetime.timedelta(minutes=minutes)
        and not job.lines.filter(picked__gt=0).exists()
    )
    if is_idle:
        reason = RoutingPlan.Reason.TIME_TRIGGERED
        reroutes.reroute(job.plan_id, reason=reason, may_be_begun=True, by=None, now=now)
    return is_idle


def on_order_modified(event, *, by, now):
    """Give the jobs of a changed order their new time. Refuses other lines or another address once one has begun."""
    jobs = PickJob.objects.filter(order_id=event.order_id).lock_all()
    if event.is_demand_changed:
        for job in jobs:
            if job.status in PickJob.BEGUN:
                raise PickingBegun(job=job)
    elif event.is_time_changed:
        for job in jobs:
            if job.status in PickJob.UNFINISHED and job.order.target_time is not None:
                job.target_time = job.order.target_time
                job.version += 1
                job.save(update_fields=["target_time", "version", "modified_at"])


def on_order_cancelled(event, *, by, now):
    """Cancel the jobs of an order. Refuses when something of it is picked; by force that is to be put back."""
    jobs = PickJob.objects.filter(order_id=event.order_id)
    if event.is_forced:
        for job in lock_with_runs(jobs):
            lines = list(job.lines.prefetch_related("allocations"))
            if job.status == PickJob.Status.CLOSED:  # its units are out of the stock already
                coming = {line: line.picked for line in lines}
                restow.come_back(job, coming, RestowItem.Reason.CANCELLED, by=by, now=now)
            elif job.status in PickJob.UNFINISHED:
                put_goods_aside(job, lines, RestowItem.Reason.CANCELLED, by=by, now=now)
        jobs = jobs.exclude(status=PickJob.Status.CLOSED)
    _cancel(jobs, is_forced=event.is_forced, by=by, now=now)


def _cancel(jobs, *, is_forced=False, by, now):
    for job in lock_with_runs(jobs):
        is_picked = job.status == PickJob.Status.CLOSED or job.lines.filter(picked__gt=0).exists()
        if is_picked and not is_forced:
            raise AlreadyPicked(job=job)
        if job.status in PickJob.UNFINISHED:
            transit(job.cancel, by=by, now=now, reason=str(gettext("The order was cancelled.")))
            emit(PickJobCancelled(pick_job_id=job.pk), by=by, now=now)
