"""The steps of picking: a routed part becomes a pick job, is picked, and closed; then its stock is gone.

Lines change only under their job's lock (see ``picking.scans``); steps that change the status lock the order first.
"""

import contextlib
import dataclasses
import datetime
import uuid
from collections import Counter

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import orders.services as orders
import routing.reroutes as reroutes
import routing.services as routing
from fulfillment.core.errors import Refused
from fulfillment.core.events import StockIncreased, emit
from fulfillment.core.models import Stock, StockMovement, User
from fulfillment.core.services import stock
from fulfillment.core.status import check_version, log_change, transit
from orders.models import Order
from routing.models import RoutingPlan

from . import restow, substitutes
from .events import (
    PickJobAborted,
    PickJobCancelled,
    PickJobClosed,
    PickJobPaused,
    PickJobPicked,
    PickJobRerouted,
    PickJobReset,
    PickJobRestarted,
    PickJobStarted,
    PickLinePicked,
)
from .models import Allocation, PickJob, PickLine, PickRun, RestowItem, ShortReason

# What ``PickLine.count`` changes.
COUNTED = ["picked", "short", "status", "short_reason", "place", "is_scanned", "left", "left_at"]
ABORTED = "ABORTED"  # why units do not come, for the shop


class NotStarted(Refused):
    text = _("%(job)s is %(status)s. Start it before you pick.")


class PickedBySomeoneElse(Refused):
    text = _("%(picker)s is picking %(job)s. Take it over if you want to go on with it.")


class JobHeld(Refused):
    text = _("%(job)s is held. A supervisor has to release it first.")


class InARun(Refused):
    text = _("%(job)s is picked in run %(run)s. Work on the run, or take the job out of it first.")


class LinesPending(Refused):
    text = _("%(units)s units are neither picked nor reported missing.")


class NotOnThisJob(Refused):
    text = _("%(line)s is not a line of %(job)s.")


class TooManyPicked(Refused):
    text = _("Only %(quantity)s of %(title)s are ordered.")


class PickingBegun(Refused):
    text = _("%(job)s has begun, so it can no longer be changed or moved.")


class AlreadyPicked(Refused):
    text = _("%(job)s is picked already or being picked; the order can no longer be cancelled.")


# The work on a job


@dataclasses.dataclass(frozen=True)
class Count:
    """What a client says about a line: units picked in all (None: as before), and why the others are missing."""

    line_id: uuid.UUID
    picked: int | None = None
    missing: str = ""  # a ShortReason; empty while the rest may still be picked


def lock_for_status(job_id, version=None):
    """Lock the order, then the job: the order is the mutex of everything that belongs to it."""
    order_id = PickJob.objects.values_list("order_id", flat=True).get(pk=job_id)
    Order.objects.lock(pk=order_id)
    PickRun.objects.active().of_jobs([job_id]).lock_all()
    job = PickJob.objects.lock(pk=job_id)
    check_version(job, version)
    return job


def _lock_with_runs(jobs):
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
        set_count(line, count, by=by, now=now)
    if any(line.open_units for line in lines.values()):
        return _touch(job, "book", by=by, now=now)
    return _finish_picking(job, by, now)


def set_count(line, count, *, by, now):
    """Set the figures of a line, whose job is locked, to what a client says. Refuses more than is ordered."""
    picked = line.picked if count.picked is None else count.picked
    if picked > line.quantity:
        raise TooManyPicked(quantity=line.quantity, title=line.title)
    with telling_of_line(line, by=by, now=now):
        _count(line, picked, count.missing)


@contextlib.contextmanager
def telling_of_line(line, *, by, now):
    """Announce the line when what happens inside picks its last open unit."""
    before = line.status, line.picked
    yield
    if line.status == PickLine.Status.CLOSED and line.picked and (line.status, line.picked) != before:
        emit(PickLinePicked(pick_job_id=line.job_id, pick_line_id=line.pk), by=by, now=now)


def _count(line, picked, missing):
    line.count(picked, line.quantity - picked if missing else 0, missing)
    line.save(update_fields=COUNTED)


def raise_version(job, *changed):
    """Save what clients see of a locked job and changed without a transition."""
    job.version += 1
    job.save(update_fields=["version", "modified_at", *changed])


def _touch(job, action, *changed, by, now):
    """The same with a log row, for what no screen notes."""
    raise_version(job, *changed)
    log_change(job, action, by=by, now=now)
    return job


def _finish_picking(job, by, now):
    transit(job.finish_picking, now, by=by, now=now)
    emit(PickJobPicked(pick_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def finish(job_id, *, by, now, version=None):
    """End the picking without closing the job: what is open is reported missing."""
    job = lock_for_status(job_id, version)
    check_picker(job, by)
    _report_rest(list(job.lines.all()))
    return _finish_picking(job, by, now)


def _report_rest(lines):
    for line in lines:
        if line.open_units:
            _count(line, line.picked, ShortReason.OTHER)


@transaction.atomic
def modify(job_id, *, by, now, custom_attributes=None, target_time=None, picking_methods=None, version=None):
    """Replace the free attributes, the target time or the picking methods of a job; None leaves them as they are."""
    job = lock_for_status(job_id, version)
    job.picking_methods = job.picking_methods if picking_methods is None else picking_methods
    job.custom_attributes = job.custom_attributes if custom_attributes is None else custom_attributes
    job.target_time = target_time or job.target_time
    return _touch(job, "modify", "custom_attributes", "target_time", "picking_methods", by=by, now=now)


@transaction.atomic
def assign(job_id, users, *, by, now, version=None):
    """Say whom a job is meant for, instead of who it was; nobody in particular when there are none."""
    job = lock_for_status(job_id, version)
    job.assigned_users.set(users)
    return _touch(job, "assign", by=by, now=now)


@transaction.atomic
def close(job_id, *, by, now, version=None, is_rest_missing=False):
    """Close a job: its units leave the stock, and packing begins, or nothing was picked and the job is aborted.

    When units are missing and routing says so, all of its part is placed anew instead, and what was picked goes back.

    Refuses a job that is not in progress or picked, is being picked by somebody else, or has units neither picked nor
    missing, unless ``is_rest_missing`` says that these are missing.
    """
    job = lock_for_status(job_id, version)
    if job.status != PickJob.Status.PICKED:
        check_picker(job, by)
    return finish_off(job, is_rest_missing=is_rest_missing, by=by, now=now)


def finish_off(job, *, is_rest_missing=False, by, now):
    """``close`` for a locked job that its run's picker may close, whoever began it."""
    lines = list(job.lines.prefetch_related("allocations"))
    if is_rest_missing:
        _report_rest(lines)
    pending = sum(line.open_units for line in lines)
    if pending:
        raise LinesPending(units=pending)
    if _is_placed_anew(job, lines, now):
        return _place_anew(job, lines, by=by, now=now)
    stock.lock_listings({line.listing_id for line in lines})
    _take_picked(job, lines, by=by, now=now)
    picked = Counter()
    for line in lines:
        if line.picked:  # a substitute counts for the line it replaces
            picked[line.plan_line_id] += line.picked
    looked_for = reroutes.consume(job.plan_id, picked, by=by, now=now)
    for line in lines:
        if line.short:
            if not looked_for:
                orders.record_short(
                    line.order_line_id, job.facility_id, line.short, line.short_reason, now=now
                )
            _correct_places(line, is_emptied=job.facility.zero_stock_on_short_pick, by=by, now=now)
    if not any(line.picked for line in lines):
        transit(job.close_empty, by=by, now=now)
        emit(PickJobAborted(pick_job_id=job.pk), by=by, now=now)
        return job
    is_short = any(line.short for line in lines)
    if job.status != PickJob.Status.PICKED:
        _finish_picking(job, by, now)
    transit(
        job.close, PickJob.SubStatus.SHORT_PICKED if is_short else PickJob.SubStatus.NONE, now, by=by, now=now
    )
    emit(PickJobClosed(pick_job_id=job.pk), by=by, now=now)
    return job


def _is_placed_anew(job, lines, now):
    if not any(line.short for line in lines):
        return False
    is_untouched = not any(line.picked for line in lines)
    return reroutes.remedy_for_missing(job.plan, is_untouched=is_untouched, now=now) == "REROUTE"


def _place_anew(job, lines, *, by, now):
    """End a job whose part looks for a facility again, this one too with what it has now."""
    reason = RoutingPlan.Reason.SHORT_PICK
    _leave(job, lines, PickJob.SubStatus.SHORT_PICK_REROUTE, by=by, now=now)
    for line in lines:
        if line.short:
            _correct_places(line, is_emptied=True, by=by, now=now)
    reroutes.place_anew(job.plan_id, reason, by=by, now=now)
    return job


def _leave(job, lines, sub_status, *, by, now):
    """End a job because its part goes elsewhere: what is in the basket goes back on the shelf."""
    _put_aside(job, lines, RestowItem.Reason.REROUTED, by=by, now=now)
    transit(job.reroute, sub_status, by=by, now=now)
    emit(PickJobRerouted(pick_job_id=job.pk), by=by, now=now)


def _put_aside(job, lines, reason, *, by, now):
    """Take what is in the basket out of the stock: nobody finds it on its shelf until it is put back there."""
    if any(line.picked for line in lines):
        stock.lock_listings({line.listing_id for line in lines})
        _take_picked(job, lines, by=by, now=now)
        restow.come_back(job, {line: line.picked for line in lines}, reason, by=by, now=now)


@transaction.atomic
def restart(job_id, *, by, now, version=None):
    """Go on with a job whose picking had ended: what was picked stays, what was missing is looked for again.

    Refuses when a later stage has begun with its goods.
    """
    job = lock_for_status(job_id, version)
    was_closed = job.status == PickJob.Status.CLOSED
    transit(job.restart, by if isinstance(by, User) else None, by=by, now=now)
    emit(PickJobRestarted(pick_job_id=job.pk), by=by, now=now)
    lines = list(job.lines.all())
    if was_closed:
        _take_back_closing(job, lines, by=by, now=now)
    for line in lines:
        _count(line, line.picked, "")
    return job


@transaction.atomic
def reset(job_id, *, by, now, version=None):
    """Begin a job from the start: nothing is picked. Refuses when a later stage has begun with its goods."""
    job = lock_for_status(job_id, version)
    was_closed = job.status == PickJob.Status.CLOSED
    transit(job.reset, by=by, now=now)
    emit(PickJobReset(pick_job_id=job.pk), by=by, now=now)
    lines = list(job.lines.all())
    if was_closed:
        _take_back_closing(job, lines, by=by, now=now)
    for line in lines:
        _count(line, 0, "")
    for line in lines:
        if line.replaces_id and line.quantity:
            line.replaces = next(one for one in lines if one.pk == line.replaces_id)
            substitutes.move_back(line, line.quantity)
    return job


def _take_back_closing(job, lines, *, by, now):
    """Put the units back where they were taken from, by entries against those of the closing, and reserve them again.

    A place that was emptied because units were missing stays empty: that nothing was there is still known.
    """
    stock.lock_listings({line.listing_id for line in lines})
    rest = Counter()
    for line in lines:
        rest[line.listing_id] += line.picked
        if line.short:
            orders.withdraw_short(line.order_line_id, job.facility_id, line.short_reason)
    taken = (
        StockMovement.objects.filter(order_id=job.order_id, stock__listing__in=rest)
        .order_by("stock")
        .values_list("stock", "stock__listing")
        .annotate(units=-Sum("delta"))
    )
    back = []
    for stock_id, listing_id, units in taken:
        if (here := min(rest[listing_id], units)) > 0:
            back.append(stock.Take(stock_id=stock_id, units=-here))
            rest[listing_id] -= here
    stock.take(
        back,
        kind=StockMovement.Kind.RETURN,
        order_id=job.order_id,
        by=by,
        now=now,
        reason=str(gettext("Picking was taken back")),
    )
    own = {line.plan_line_id: line.listing_id for line in lines if not line.replaces_id}
    routing.reserve_again(job.plan_id, own, now=now)


@transaction.atomic
def abort(job_id, *, by, now, version=None, reason=""):
    """Give a job up: its units are free for others, and what is in the basket is to be put back.

    They are looked for elsewhere when routing says so; else the shop hears that they will not come.
    """
    job = lock_for_status(job_id, version)
    lines = list(job.lines.prefetch_related("allocations"))
    _put_aside(job, lines, RestowItem.Reason.ABORTED, by=by, now=now)
    transit(job.abort, by=by, now=now, reason=reason)
    looked_for = reroutes.consume(job.plan_id, {}, reason=RoutingPlan.Reason.PICK_JOB_ABORTED, by=by, now=now)
    for line in lines:
        _count(line, 0, "")
        if not looked_for:
            orders.record_short(line.order_line_id, job.facility_id, line.quantity, ABORTED, now=now)
    emit(StockIncreased(facility_id=job.facility_id), by=by, now=now)
    emit(PickJobAborted(pick_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def cancel(job_id, *, by, now, version=None, reason=""):
    """Cancel a job and its part of the order; refuses when something of it is picked."""
    job = _lock_untouched(job_id, version)
    transit(job.cancel, by=by, now=now, reason=reason)
    emit(PickJobCancelled(pick_job_id=job.pk), by=by, now=now)
    routing.release(job.plan_id, by=by, now=now, reason=reason)
    return job


@transaction.atomic
def make_obsolete(job_id, *, by, now, version=None, reason=""):
    """End a job because something else takes its place; refuses when something of it is picked."""
    job = _lock_untouched(job_id, version)
    transit(job.make_obsolete, by=by, now=now, reason=reason)
    emit(PickJobCancelled(pick_job_id=job.pk), by=by, now=now)
    routing.release(job.plan_id, by=by, now=now, reason=reason)
    return job


def _lock_untouched(job_id, version):
    job = lock_for_status(job_id, version)
    if job.status in PickJob.UNFINISHED and job.lines.filter(picked__gt=0).exists():
        raise AlreadyPicked(job=job)
    return job


def _take_picked(job, lines, *, by, now):
    """Lower the stock by what was picked: from the planned rows first, then from other usable ones of the listing.

    A picker may have found more than is booked; the difference is then booked in first, so that the ledger says so.
    """
    of_lines = Stock.objects.filter(listing_id__in={line.listing_id for line in lines})
    rows = {row.pk: row for row in of_lines}
    usable = {}
    for row in of_lines.usable(now.date()).order_by("pk"):
        usable.setdefault(row.listing_id, []).append(row.pk)
    left = {pk: row.value for pk, row in rows.items()}
    units = Counter()
    for line in lines:
        rest = line.picked
        planned = [allocation.stock_id for allocation in line.allocations.all()]
        places = list(dict.fromkeys([*planned, *usable.get(line.listing_id, [])]))
        for pk in places:
            taken = min(rest, left[pk])
            units[pk] += taken
            left[pk] -= taken
            rest -= taken
        if rest:
            row = rows[places[0]] if places else _any_row(rows, line)
            stock.correct(
                row.pk, row.value + rest, reason=str(gettext("Picked more than was booked")), by=by, now=now
            )
            row.value += rest
            units[row.pk] += rest
    stock.take(
        [stock.Take(stock_id=pk, units=taken) for pk, taken in units.items()],
        order_id=job.order_id,
        by=by,
        now=now,
    )


def _any_row(rows, line):
    """Where units are booked that were found although no usable row is left: reserving needed one, so one exists."""
    return rows[min(pk for pk, row in rows.items() if row.listing_id == line.listing_id)]


def _correct_places(line, *, is_emptied, by, now):
    """Set the stock of a short line's places: to what the picker counted there, the others to nothing if ``is_emptied``.

    The count was made with the picked units in the basket: they have left the stock by now. Those in the baskets of
    colleagues have not.
    """
    if line.left_at_id:
        in_baskets = sum(
            min(other.quantity, other.line.picked)
            for other in Allocation.objects.filter(
                stock=line.left_at_id, line__picked__gt=0, line__job__status__in=PickJob.UNFINISHED
            )
            .exclude(line__job=line.job_id)
            .select_related("line")
        )
        reason = gettext("Counted when units were missing")
        stock.correct(line.left_at_id, line.left + in_baskets, reason=reason, by=by, now=now)
    if is_emptied:
        reason = str(ShortReason(line.short_reason).label)
        for allocation in line.allocations.all():
            if allocation.stock_id != line.left_at_id:
                stock.correct(allocation.stock_id, 0, reason=reason, by=by, now=now)


# The order or the part is no longer wanted


def on_plan_cancelled(event, *, by, now):
    """Cancel the job of a part; refuses when something of it is picked."""
    _cancel(PickJob.objects.filter(plan_id=event.plan_id), by=by, now=now)


def on_plan_replaced(event, *, by, now):
    """End the job of a part that is placed anew. Refuses one that somebody has begun with, unless that may be."""
    for job in _lock_with_runs(PickJob.objects.filter(plan_id=event.plan_id)):
        is_over = job.status == PickJob.Status.CLOSED
        if is_over or (job.status in PickJob.BEGUN and not event.may_be_begun):
            raise PickingBegun(job=job)
        if job.status in PickJob.UNFINISHED:
            lines = list(job.lines.prefetch_related("allocations"))
            sub_status = SUB_STATUS_OF.get(event.reason, PickJob.SubStatus.NONE)
            _leave(job, lines, sub_status, by=by, now=now)


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
        for job in _lock_with_runs(jobs):
            lines = list(job.lines.prefetch_related("allocations"))
            if job.status == PickJob.Status.CLOSED:  # its units are out of the stock already
                coming = {line: line.picked for line in lines}
                restow.come_back(job, coming, RestowItem.Reason.CANCELLED, by=by, now=now)
            elif job.status in PickJob.UNFINISHED:
                _put_aside(job, lines, RestowItem.Reason.CANCELLED, by=by, now=now)
        jobs = jobs.exclude(status=PickJob.Status.CLOSED)
    _cancel(jobs, is_forced=event.is_forced, by=by, now=now)


def _cancel(jobs, *, is_forced=False, by, now):
    for job in _lock_with_runs(jobs):
        is_picked = job.status == PickJob.Status.CLOSED or job.lines.filter(picked__gt=0).exists()
        if is_picked and not is_forced:
            raise AlreadyPicked(job=job)
        if job.status in PickJob.UNFINISHED:
            transit(job.cancel, by=by, now=now, reason=str(gettext("The order was cancelled.")))
            emit(PickJobCancelled(pick_job_id=job.pk), by=by, now=now)
