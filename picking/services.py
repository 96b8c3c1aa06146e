"""The steps of picking: a routed part becomes a pick job, is picked, and closed; then its stock is gone.

Lines change only under their job's lock (see ``picking.scans``); steps that change the status lock the order first.
"""

from collections import Counter

from django.db import transaction
from django.db.models import F, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

import orders.services as orders
import routing.services as routing
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import Carrier, Stock, User
from fulfillment.core.services import stock
from fulfillment.core.status import log_created, transit
from orders.models import Order
from routing.models import RoutingPlan

from .events import PickJobAborted, PickJobClosed, PickJobCreated
from .models import Allocation, PickJob, PickLine, ShortIdCounter, ShortReason
from .target_time import ready_time, target_time

HIGHEST_SHORT_NUMBER = 99


class NotStarted(Refused):
    text = _("%(job)s is %(status)s. Start it before you pick.")


class PickedBySomeoneElse(Refused):
    text = _("%(picker)s is picking %(job)s. Take it over if you want to go on with it.")


class LinesPending(Refused):
    text = _("%(units)s units are neither picked nor reported missing.")


class AlreadyPicked(Refused):
    text = _("%(job)s is picked already or being picked; the order can no longer be cancelled.")


# A part was routed


def on_plan_routed(event, *, by, now):
    """Create the pick job of a routed part: short id, lines in walk order, and the stock each is taken from."""
    plan = RoutingPlan.objects.select_related("order", "facility").get(pk=event.plan_id)
    order = plan.order
    job = PickJob(
        facility=plan.facility,
        order=order,
        plan=plan,
        kind=order.kind,
        short_id=_next_short_id(plan.facility, order.recipient_name),
        order_date=order.order_date,
        target_time=order.target_time or _target_time(plan.facility, order, now),
        created_at=now,
    )
    plan_lines = list(plan.lines.select_related("order_line").prefetch_related("reservations"))
    listing_of = {line: line.reservations.all()[0].listing_id for line in plan_lines}
    lines = [
        PickLine(
            job=job,
            plan_line=line,
            order_line=line.order_line,
            article_id=line.order_line.article_id,
            listing_id=listing_of[line],
            title=line.order_line.title,
            quantity=line.quantity,
        )
        for line in plan_lines
    ]
    allocations = _allocate(lines, _free_stock(listing_of.values(), now.date()))
    PickJob.objects.bulk_create([job])
    PickLine.objects.bulk_create(lines)
    Allocation.objects.bulk_create(allocations)
    log_created(job, by=by, now=now)
    emit(PickJobCreated(pick_job_id=job.pk), by=by, now=now)


def _target_time(facility, order, now):
    """When the job should be ready: what is collected after the facility's buffer, else the first cut-off in reach."""
    closing_days = list(facility.closing_days.all())
    calendar = {
        "tz": facility.tz,
        "picking_times": facility.picking_times,
        "closed_on": lambda day: any(closing.covers(day) for closing in closing_days),
        "buffer": facility.fulfillment_buffer,
    }
    if order.kind == Order.Kind.COLLECT:
        return ready_time(now, **calendar)
    carriers = facility.carriers.filter(status=Carrier.Status.ACTIVE, carrier__status=Carrier.Status.ACTIVE)
    return target_time(now, cutoffs=list(carriers.values_list("cutoffs", flat=True)), **calendar)


def _next_short_id(facility, name):
    """Initials and a running number: 1 to 99 per facility and initials, then again from 1; none in use is given."""
    letters = [part[0].upper()[0] for part in name.split() if part[0].isalpha()]
    initials = "".join([*letters[:1], *letters[-1:]] if len(letters) > 1 else letters) or "X"
    counter, _created = ShortIdCounter.objects.select_for_update().get_or_create(  # one number for one job
        facility=facility, initials=initials
    )
    in_use = set(
        PickJob.objects.at(facility)
        .open()
        .filter(short_id__startswith=initials)
        .values_list("short_id", flat=True)
    )
    for step in range(HIGHEST_SHORT_NUMBER):
        number = (counter.number + step) % HIGHEST_SHORT_NUMBER + 1
        if f"{initials}{number}" not in in_use:
            break
    counter.number = number
    counter.save(update_fields=["number"])
    return f"{initials}{number}"


def _free_stock(listing_ids, today):
    """Usable stock rows per listing, first to expire first, then in walk order; ``free`` is what no open job takes."""
    taken = (
        Allocation.objects.filter(stock=OuterRef("pk"), line__job__status__in=PickJob.UNFINISHED)
        .order_by()
        .values("stock")
        .annotate(units=Sum("quantity"))
        .values("units")
    )
    rows = (
        Stock.objects.usable(today)
        .filter(listing_id__in=listing_ids, value__gt=0)
        .annotate(free=F("value") - Coalesce(Subquery(taken), Value(0)), walk=F("location__running_sequence"))
        .order_by(F("expires_on").asc(nulls_last=True), F("walk").asc(nulls_last=True), "pk")
    )
    by_listing = {}
    for row in rows:
        by_listing.setdefault(row.listing_id, []).append(row)
    return by_listing


def _allocate(lines, free_stock):
    """Spread each line over stock rows; sets its place in the walk. A line may get less than it needs: the
    picker then sees no location for the rest and looks around."""
    allocations = []
    for line in lines:
        open_units, walk = line.quantity, []
        for row in free_stock.get(line.listing_id, []):
            units = min(open_units, row.free)
            if units > 0:
                allocations.append(Allocation(line=line, stock=row, quantity=units))
                walk.append(row.walk or 0)
                row.free -= units
                open_units -= units
        line.sequence = min(walk, default=0)
    return allocations


# The work on a job


def lock_for_status(job_id):
    """Lock the order, then the job: the order is the mutex of everything that belongs to it."""
    order_id = PickJob.objects.values_list("order_id", flat=True).get(pk=job_id)
    Order.objects.lock(pk=order_id)
    return PickJob.objects.lock(pk=job_id)


def check_picker(job, by):
    """Refuse work on a job that is not in progress, or in the hands of another picker."""
    if job.status != PickJob.Status.IN_PROGRESS:
        raise NotStarted(job=job, status=job.get_status_display())
    if isinstance(by, User) and job.editor_id != by.pk:
        raise PickedBySomeoneElse(job=job, picker=job.editor)


@transaction.atomic
def start(job_id, *, by, now):
    """Begin or continue a job as its picker. A job that is one's own already stays as it is."""
    job = lock_for_status(job_id)
    if job.status == PickJob.Status.IN_PROGRESS:
        check_picker(job, by)
        return job
    return transit(job.start, by if isinstance(by, User) else None, now, by=by, now=now)


@transaction.atomic
def take_over(job_id, *, by, now):
    """Go on with a job that a colleague began; what is picked stays picked."""
    job = lock_for_status(job_id)
    if job.status == PickJob.Status.IN_PROGRESS:
        transit(job.pause, by=by, now=now, reason=str(_now("Taken over")))
    return transit(job.start, by, now, by=by, now=now)


@transaction.atomic
def pause(job_id, *, by, now):
    """Put a job aside; anybody at the facility may, so that a colleague can go on with it."""
    job = lock_for_status(job_id)
    return transit(job.pause, by=by, now=now)


@transaction.atomic
def close(job_id, *, by, now):
    """Close a job: its units leave the stock, and packing begins, or nothing was picked and the job is aborted.

    Refuses a job that is not in progress, in another picker's hands, or has units neither picked nor missing.
    """
    job = lock_for_status(job_id)
    check_picker(job, by)
    lines = list(job.lines.prefetch_related("allocations"))
    pending = sum(line.open_units for line in lines)
    if pending:
        raise LinesPending(units=pending)
    stock.lock_listings({line.listing_id for line in lines})
    _take_picked(job, lines, by=by, now=now)
    routing.consume(job.plan_id, {line.plan_line_id: line.picked for line in lines}, by=by, now=now)
    for line in lines:
        if line.short:
            orders.record_short(line.order_line_id, job.facility_id, line.short, line.short_reason, now=now)
            if job.facility.zero_stock_on_short_pick:
                _empty_locations(line, by=by, now=now)
    if not any(line.picked for line in lines):
        transit(job.abort, PickJob.SubStatus.ZERO_PICKED, by=by, now=now)
        emit(PickJobAborted(pick_job_id=job.pk), by=by, now=now)
        return job
    is_short = any(line.short for line in lines)
    transit(job.finish_picking, now, by=by, now=now)
    transit(
        job.close, PickJob.SubStatus.SHORT_PICKED if is_short else PickJob.SubStatus.NONE, now, by=by, now=now
    )
    emit(PickJobClosed(pick_job_id=job.pk), by=by, now=now)
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
                row.pk, row.value + rest, reason=str(_now("Picked more than was booked")), by=by, now=now
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


def on_order_cancelled(event, *, by, now):
    """Cancel the jobs of an order; refuses when something of it is picked."""
    _cancel(PickJob.objects.filter(order_id=event.order_id), by=by, now=now)


def _cancel(jobs, *, by, now):
    for job in jobs.lock_all():
        if job.status == PickJob.Status.CLOSED or job.lines.filter(picked__gt=0).exists():
            raise AlreadyPicked(job=job)
        if job.status in PickJob.UNFINISHED:
            transit(job.cancel, by=by, now=now, reason=str(_now("The order was cancelled.")))
