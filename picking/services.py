"""The steps of picking: a routed part becomes a pick job, is picked, and closed; then its stock is gone.

Lines change only under their job's lock (see ``picking.scans``); steps that change the status lock the order first.
"""

import dataclasses
import uuid
from collections import Counter

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import orders.services as orders
import routing.services as routing
from fulfillment.core.errors import Refused
from fulfillment.core.events import StockIncreased, emit
from fulfillment.core.models import Stock, StockMovement, User
from fulfillment.core.services import stock
from fulfillment.core.status import check_version, log_change, transit
from orders.models import Order

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
)
from .models import PickJob, ShortReason

ABORTED = "ABORTED"  # why units do not come, for the shop


class NotStarted(Refused):
    text = _("%(job)s is %(status)s. Start it before you pick.")


class PickedBySomeoneElse(Refused):
    text = _("%(picker)s is picking %(job)s. Take it over if you want to go on with it.")


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
    job = PickJob.objects.lock(pk=job_id)
    check_version(job, version)
    return job


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
    if job.status == PickJob.Status.IN_PROGRESS:
        check_picker(job, by)
        return job
    return _start(job, by, now)


def _start(job, by, now):
    transit(job.start, by if isinstance(by, User) else None, now, by=by, now=now)
    emit(PickJobStarted(pick_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def take_over(job_id, *, by, now):
    """Go on with a job that a colleague began; what is picked stays picked."""
    job = lock_for_status(job_id)
    if job.status == PickJob.Status.IN_PROGRESS:
        transit(job.pause, by=by, now=now, reason=str(gettext("Taken over")))
    return _start(job, by, now)


@transaction.atomic
def pause(job_id, *, by, now, version=None):
    """Put a job aside; anybody at the facility may, so that a colleague can go on with it."""
    job = lock_for_status(job_id, version)
    transit(job.pause, by=by, now=now)
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
        picked = line.picked if count.picked is None else count.picked
        if picked > line.quantity:
            raise TooManyPicked(quantity=line.quantity, title=line.title)
        _count(line, picked, count.missing)
    if any(line.open_units for line in lines.values()):
        return _touch(job, "book", by=by, now=now)
    return _finish_picking(job, by, now)


def _count(line, picked, missing):
    line.count(picked, line.quantity - picked if missing else 0, missing)
    line.save(update_fields=["picked", "short", "status", "short_reason"])


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
def modify(job_id, *, by, now, custom_attributes=None, target_time=None, version=None):
    """Replace the free attributes or the target time of a job; None leaves them as they are."""
    job = lock_for_status(job_id, version)
    job.custom_attributes = job.custom_attributes if custom_attributes is None else custom_attributes
    job.target_time = target_time or job.target_time
    return _touch(job, "modify", "custom_attributes", "target_time", by=by, now=now)


@transaction.atomic
def close(job_id, *, by, now, version=None, is_rest_missing=False):
    """Close a job: its units leave the stock, and packing begins, or nothing was picked and the job is aborted.

    Refuses a job that is not in progress or picked, is being picked by somebody else, or has units neither picked nor
    missing, unless ``is_rest_missing`` says that these are missing.
    """
    job = lock_for_status(job_id, version)
    if job.status != PickJob.Status.PICKED:
        check_picker(job, by)
    lines = list(job.lines.prefetch_related("allocations"))
    if is_rest_missing:
        _report_rest(lines)
    pending = sum(line.open_units for line in lines)
    if pending:
        raise LinesPending(units=pending)
    stock.lock_listings({line.listing_id for line in lines})
    _take_picked(job, lines, by=by, now=now)
    looked_for = routing.consume(
        job.plan_id, {line.plan_line_id: line.picked for line in lines}, by=by, now=now
    )
    for line in lines:
        if line.short:
            if not looked_for:
                orders.record_short(
                    line.order_line_id, job.facility_id, line.short, line.short_reason, now=now
                )
            if job.facility.zero_stock_on_short_pick:
                _empty_locations(line, by=by, now=now)
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
    routing.reserve_again(job.plan_id, {line.plan_line_id: line.listing_id for line in lines}, now=now)


@transaction.atomic
def abort(job_id, *, by, now, version=None, reason=""):
    """Give a job up: its units are free for others, and what is in the basket goes back on the shelf.

    They are looked for elsewhere when routing says so; else the shop hears that they will not come.
    """
    job = lock_for_status(job_id, version)
    basket = sum(line.picked for line in job.lines.all())
    if basket and not reason:
        reason = str(gettext("%(units)s units go back on the shelf.") % {"units": basket})
    transit(job.abort, by=by, now=now, reason=reason)
    looked_for = routing.consume(job.plan_id, {}, reason="PICK_JOB_ABORTED", by=by, now=now)
    for line in job.lines.all():
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


def _empty_locations(line, *, by, now):
    reason = str(ShortReason(line.short_reason).label)
    for allocation in line.allocations.all():
        stock.correct(allocation.stock_id, 0, reason=reason, by=by, now=now)


# The order or the part is no longer wanted


def on_plan_cancelled(event, *, by, now):
    """Cancel the job of a part; refuses when something of it is picked."""
    _cancel(PickJob.objects.filter(plan_id=event.plan_id), by=by, now=now)


def on_plan_replaced(event, *, by, now):
    """End the job of a part that is placed anew. Refuses once somebody has begun with it."""
    for job in PickJob.objects.filter(plan_id=event.plan_id).lock_all():
        if job.status in PickJob.BEGUN:
            raise PickingBegun(job=job)
        if job.status != PickJob.Status.OPEN:
            continue
        transit(job.reroute, by=by, now=now)
        emit(PickJobRerouted(pick_job_id=job.pk), by=by, now=now)


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
    """Cancel the jobs of an order; refuses when something of it is picked."""
    _cancel(PickJob.objects.filter(order_id=event.order_id), by=by, now=now)


def _cancel(jobs, *, by, now):
    for job in jobs.lock_all():
        if job.status == PickJob.Status.CLOSED or job.lines.filter(picked__gt=0).exists():
            raise AlreadyPicked(job=job)
        if job.status in PickJob.UNFINISHED:
            transit(job.cancel, by=by, now=now, reason=str(gettext("The order was cancelled.")))
            emit(PickJobCancelled(pick_job_id=job.pk), by=by, now=now)
