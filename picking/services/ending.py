"""A pick job ends: closed, given up or cancelled; or it begins again after that."""

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
from fulfillment.core.models import StockMovement, User
from fulfillment.core.services import stock
from fulfillment.core.status import log_change, transit
from routing.models import RoutingPlan

from .. import recordables, substitutes
from ..events import (
    PickJobAborted,
    PickJobCancelled,
    PickJobClosed,
    PickJobRerouted,
    PickJobReset,
    PickJobRestarted,
)
from ..models import PickJob, RestowItem, ShortReason
from .lines import count_line, report_rest
from .locks import check_picker, lock_for_status
from .shelves import correct_places, put_goods_aside, take_picked
from .work import finish_picking

ABORTED = "ABORTED"  # why units do not come, for the shop


class LinesPending(Refused):
    text = _("%(units)s units are neither picked nor reported missing.")


class AlreadyPicked(Refused):
    text = _("%(job)s is picked already or being picked; the order can no longer be cancelled.")


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
        report_rest(lines, facility_id=job.facility_id, by=by, now=now)
    pending = sum(line.open_units for line in lines)
    if pending:
        raise LinesPending(units=pending)
    _log_missing(job, lines, by=by, now=now)
    if _is_placed_anew(job, lines, now):
        return _place_anew(job, lines, by=by, now=now)
    stock.lock_listings({line.listing_id for line in lines})
    take_picked(job, lines, by=by, now=now)
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
            correct_places(line, is_emptied=job.facility.zero_stock_on_short_pick, by=by, now=now)
    if not any(line.picked for line in lines):
        transit(job.close_empty, by=by, now=now)
        emit(PickJobAborted(pick_job_id=job.pk), by=by, now=now)
        return job
    is_short = any(line.short for line in lines)
    if job.status != PickJob.Status.PICKED:
        finish_picking(job, by, now)
    transit(
        job.close, PickJob.SubStatus.SHORT_PICKED if is_short else PickJob.SubStatus.NONE, now, by=by, now=now
    )
    emit(PickJobClosed(pick_job_id=job.pk), by=by, now=now)
    return job


def _log_missing(job, lines, *, by, now):
    """Say in the history what was not there. Not before the job ends: until then a picker may find it after all."""
    for line in lines:
        if line.short:
            words = f"{line.short} × {line.title}: {ShortReason(line.short_reason).label}"
            log_change(job, "report_missing", by=by, now=now, reason=words)


def _is_placed_anew(job, lines, now):
    if not any(line.short for line in lines):
        return False
    is_untouched = not any(line.picked for line in lines)
    return reroutes.remedy_for_missing(job.plan, is_untouched=is_untouched, now=now) == "REROUTE"


def _place_anew(job, lines, *, by, now):
    """End a job whose part looks for a facility again, this one too with what it has now."""
    reason = RoutingPlan.Reason.SHORT_PICK
    leave(job, lines, PickJob.SubStatus.SHORT_PICK_REROUTE, by=by, now=now)
    for line in lines:
        if line.short:
            correct_places(line, is_emptied=True, by=by, now=now)
    reroutes.place_anew(job.plan_id, reason, by=by, now=now)
    return job


def leave(job, lines, sub_status, *, by, now):
    """End a job because its part goes elsewhere: what is in the basket goes back on the shelf."""
    put_goods_aside(job, lines, RestowItem.Reason.REROUTED, by=by, now=now)
    transit(job.reroute, sub_status, by=by, now=now)
    emit(PickJobRerouted(pick_job_id=job.pk), by=by, now=now)


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
        count_line(line, line.picked, "")
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
        count_line(line, 0, "")
        if line.recordables:
            recordables.begin_anew(line)
            line.save(update_fields=["recordables"])
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
    transit(job.abort, by=by, now=now, reason=reason)  # refuses before anything is taken
    put_goods_aside(job, lines, RestowItem.Reason.ABORTED, by=by, now=now)
    looked_for = reroutes.consume(job.plan_id, {}, reason=RoutingPlan.Reason.PICK_JOB_ABORTED, by=by, now=now)
    for line in lines:
        count_line(line, 0, "")
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
