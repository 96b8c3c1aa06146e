"""Routed parts become pick jobs: short id, lines in walk order, and the stock each is taken from."""

from collections import defaultdict

from django.db.models import F, OuterRef, Prefetch, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from fulfillment.core import rows
from fulfillment.core.events import emit_all
from fulfillment.core.models import FacilityCarrier, Stock
from fulfillment.core.status import log_created
from orders.models import Order
from routing.models import RoutingPlan

from . import floor, recordables
from .events import PickJobCreated
from .models import Allocation, PickJob, PickLine, PickRun, ShortIdCounter

HIGHEST_SHORT_NUMBER = 99
RUNS = "#"  # stands where a job has the initials of its customer


def on_plans_routed(events, *, by, now):
    """Create the pick jobs of routed parts; the same few queries for any number of them."""
    carriers = FacilityCarrier.objects.select_related("carrier")
    plans = list(
        RoutingPlan.objects.filter(pk__in=[event.plan_id for event in events])
        .select_related("order", "facility")
        .prefetch_related(
            "lines__order_line",
            "lines__reservations",
            "facility__closing_days",
            Prefetch("facility__carriers", carriers),
        )
        .order_by("pk")
    )
    short_ids = _next_short_ids(plans)
    jobs = [
        PickJob(
            facility=plan.facility,
            order=plan.order,
            plan=plan,
            kind=plan.order.kind,
            short_id=short_ids[plan],
            order_date=plan.order.order_date,
            custom_attributes=plan.order.custom_attributes,
            tags=plan.order.tags,
            target_time=plan.order.target_time
            or plan.facility.target_time(now, is_collected=plan.order.kind == Order.Kind.COLLECT),
            created_at=now,
        )
        for plan in plans
    ]
    lines = [
        PickLine(
            job=job,
            plan_line=line,
            order_line=line.order_line,
            article_id=line.order_line.article_id,
            listing_id=line.reservations.all()[0].listing_id,
            title=line.order_line.title,
            quantity=line.quantity,
        )
        for job in jobs
        for line in job.plan.lines.all()
    ]
    asked = recordables.of_listings({line.listing_id for line in lines})
    for line in lines if asked else []:
        line.recordables = recordables.of_line(asked.get(line.listing_id, []))
    allocations = allocate(lines, free_stock({line.listing_id for line in lines}, now.date()))
    _arrange(jobs, lines, allocations)
    rows.insert(PickJob, jobs)
    rows.insert(PickLine, lines)
    rows.insert(Allocation, allocations)
    log_created(*jobs, by=by, now=now)
    emit_all([PickJobCreated(pick_job_id=job.pk) for job in jobs], by=by, now=now)


def _initials(name):
    letters = [part[0].upper()[0] for part in name.split() if part[0].isalpha()]
    return "".join([*letters[:1], *letters[-1:]] if len(letters) > 1 else letters) or "X"


def _next_short_ids(plans):
    """Initials and a running number: 1 to 99 per facility and initials, then again from 1; none in use is given."""
    wanted = {plan: (plan.facility_id, _initials(plan.order.recipient_name)) for plan in plans}
    facilities = {facility for facility, _letters in wanted.values()}
    counters = _lock_counters(set(wanted.values()))
    in_use = defaultdict(set)
    open_jobs = PickJob.objects.filter(facility__in=facilities).open()
    for facility_id, short_id in open_jobs.values_list("facility_id", "short_id"):
        in_use[facility_id].add(short_id)
    found, before = {}, {counter.pk: counter.number for counter in counters.values()}
    for plan, (facility_id, letters) in wanted.items():
        counter = counters[facility_id, letters]
        for step in range(HIGHEST_SHORT_NUMBER):
            number = (counter.number + step) % HIGHEST_SHORT_NUMBER + 1
            if f"{letters}{number}" not in in_use[facility_id]:
                break
        counter.number = number
        found[plan] = f"{letters}{number}"
        in_use[facility_id].add(found[plan])
    rows.add(ShortIdCounter, "number", {one.pk: one.number - before[one.pk] for one in counters.values()})
    return found


def next_run_id(facility):
    """The short id of a new run, as those of jobs: 1 to 99, then again from 1; none in use is given."""
    (counter,) = _lock_counters({(facility.pk, RUNS)}).values()
    in_use = set(PickRun.objects.at(facility).active().values_list("short_id", flat=True))
    for step in range(HIGHEST_SHORT_NUMBER):
        number = (counter.number + step) % HIGHEST_SHORT_NUMBER + 1
        if f"{RUNS}{number}" not in in_use:
            break
    ShortIdCounter.objects.filter(pk=counter.pk).update(number=number)
    return f"{RUNS}{number}"


def _lock_counters(pairs):
    """The counters of (facility id, initials), made where they are missing, locked in key order."""
    of_these = {"facility__in": {pair[0] for pair in pairs}, "initials__in": {pair[1] for pair in pairs}}
    known = set(ShortIdCounter.objects.filter(**of_these).values_list("facility_id", "initials"))
    missing = sorted(pairs - known)
    if missing:
        ShortIdCounter.objects.bulk_create(
            [ShortIdCounter(facility_id=facility, initials=letters) for facility, letters in missing],
            ignore_conflicts=True,
        )
    # One number for one job: whoever else counts there waits.
    locked = ShortIdCounter.objects.filter(**of_these).select_for_update().order_by("pk")
    return {pair: counter for counter in locked if (pair := (counter.facility_id, counter.initials)) in pairs}


def free_stock(listing_ids, today):
    """Usable stock rows per listing, first to expire first, then in walk order; ``free`` is what no open job takes."""
    taken = (
        Allocation.objects.filter(stock=OuterRef("pk"), line__job__status__in=PickJob.UNFINISHED)
        .order_by()
        .values("stock")
        .annotate(units=Sum("quantity"))
        .values("units")
    )
    found = (
        Stock.objects.usable(today)
        .filter(listing_id__in=listing_ids, value__gt=0)
        .select_related("location__zone")
        .annotate(free=F("value") - Coalesce(Subquery(taken), Value(0)))
        .order_by(
            F("expires_on").asc(nulls_last=True), F("location__running_sequence").asc(nulls_last=True), "pk"
        )
    )
    by_listing = {}
    for row in found:
        by_listing.setdefault(row.listing_id, []).append(row)
    return by_listing


def allocate(lines, free_stock):
    """Spread each line over stock rows. A line may get less than it needs: the picker then sees no location for the
    rest and looks around."""
    allocations = []
    for line in lines:
        open_units = line.quantity
        for row in free_stock.get(line.listing_id, []):
            units = min(open_units, row.free)
            if units > 0:
                allocations.append(Allocation(line=line, stock=row, quantity=units))
                row.free -= units
                open_units -= units
    return allocations


def _arrange(jobs, lines, allocations):
    """Bring the lines of each job into the order of the walk."""
    places = dict.fromkeys(lines)
    for allocation in allocations:
        here, known = allocation.stock.location, places[allocation.line]
        if here and (known is None or here.running_sequence < known.running_sequence):
            places[allocation.line] = here
    placed = {place.facility_id for place in places.values() if place and place.aisle}
    depths = floor.depths(placed) if placed else {}
    of_job = defaultdict(list)
    for line in lines:
        of_job[line.job].append(line)
    for job in jobs:
        floor.arrange(of_job[job], places, depth=depths.get(job.facility_id))
