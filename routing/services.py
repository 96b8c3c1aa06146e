"""The steps of routing: an order's units find facilities, are reserved there, and are given back or used up."""

import datetime
from collections import Counter

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core import rows
from fulfillment.core.errors import Refused
from fulfillment.core.events import StockIncreased, emit
from fulfillment.core.models import Facility, Listing
from fulfillment.core.services.stock import lock_listings
from fulfillment.core.status import log_change, transit
from orders.models import Order, OrderLine
from routing import rules
from routing.demands import settings_of
from routing.events import (
    PlanCancelled,
    PlanNotRoutable,
    PlanReplaced,
    PlanRouted,
    RetryAsked,
)
from routing.models import Reservation, RoutingPlan
from routing.parts import give_back, wait_for_facility
from routing.queries import load_configuration, waiting_orders, wanted_units
from routing.runs import run
from routing.situations import load_figures

BATCH = 200  # orders in one transaction
# A large order may be passed over for several small ones so long; then it is its turn.
PATIENCE = datetime.timedelta(days=3)
PAUSE = datetime.timedelta(minutes=10)  # between two tries for which there is no other reason than the time


class NothingToRoute(Refused):
    text = _("Order %(order)s has no part that waits for a facility.")


class CannotTake(Refused):
    text = _("%(facility)s cannot take it. %(reason)s")


class LookedForElsewhere(Refused):
    text = _("What was missing is looked for at another facility already.")


def route_placed_orders(events):
    """Route new orders. Called again for the same orders, it does nothing."""
    run([event.order_id for event in events], again=False, by=None, now=timezone.now())


def route_modified_order(event):
    """Place an order anew that was changed. Called again, it finds no part that waits, and does nothing."""
    if event.is_demand_changed:
        retry(event.order_id, by=None, now=timezone.now())


def retry_waiting(event):
    """Try the parts without a facility again, those with the earliest promise and then the oldest first.

    When stock arrived at a facility, only those that want some of it. Where there is not enough for all, so that most
    orders are served whole; but what waits for ``PATIENCE`` comes before that.
    """
    now = timezone.now()
    facility_id = event.facility_id if isinstance(event, StockIncreased) else None
    _retry_in_turn(waiting_orders(now.date(), facility_id=facility_id), now)


def retry_by_clock(*, now):
    """Try again what only the time may help: a new day has free slots, and rules may ask for the hour.

    Returns how many orders were tried.
    """
    configuration = load_configuration()
    if configuration is None or not configuration.watches_clock:
        return 0
    order_ids = waiting_orders(now.date(), tried_before=now - PAUSE)
    _retry_in_turn(order_ids, now)
    return len(order_ids)


def _retry_in_turn(order_ids, now):
    for batch in rows.batches(_in_turn(order_ids, now), BATCH):
        run(batch, again=True, by=None, now=now)


def _in_turn(order_ids, now):
    """The waiting orders in the order in which they are tried."""
    wants, patient = wanted_units(order_ids, now - PATIENCE)
    articles = set().union(*wants.values()) if wants else set()
    supply = Counter()
    for article, shelf in load_figures(articles, now.date())[0].items():
        supply[article] = sum(shelf.values())
    first = [order_id for order_id in order_ids if order_id in patient]
    others = [order_id for order_id in order_ids if order_id not in patient]
    for order_id in first:
        supply.subtract(wants.get(order_id, {}))
    left = {article: max(units, 0) for article, units in supply.items()}
    places = rules.serving_order([wants.get(order_id, {}) for order_id in others], left)
    return first + [others[place] for place in places]


def route_order(order_id, *, by, now):
    """Find facilities for a new order and reserve its units; returns its plans, or those it had already."""
    return run([order_id], again=False, by=by, now=now)[order_id]


def retry(order_id, *, by, now):
    """Try the parts of an order that have no facility again; returns its plans."""
    return run([order_id], again=True, by=by, now=now)[order_id]


def route_again(order_id, *, by, now):
    """A person asks for another try. Refuses an order without a part that waits."""
    waiting = RoutingPlan.objects.filter(
        order_id=order_id, status__in=[*RoutingPlan.TRIED_AGAIN, RoutingPlan.Status.NOT_ROUTABLE]
    )
    if not waiting.exists():
        raise NothingToRoute(order=Order.objects.get(pk=order_id))
    return retry(order_id, by=by, now=now)


def reserve_again(plan_id, listing_of, *, now):
    """Reserve the units of a part whose picking was taken back, as many as are there now. After its stock is back.

    Refuses when what was missing is looked for elsewhere.

    Args:
        listing_of: ``{plan line id: listing id}``.
    """
    plan = RoutingPlan.objects.lock(pk=plan_id)
    if plan.successors.exclude(status=RoutingPlan.Status.CANCELED).exists():
        raise LookedForElsewhere
    listings = lock_listings(listing_of.values())
    available = dict(
        Listing.objects.filter(pk__in=listings).with_available(now.date()).values_list("pk", "available")
    )
    reservations = []
    for line in plan.lines.order_by("pk"):
        listing = listings[listing_of[line.pk]]
        units = max(min(line.quantity, available[listing.pk]), 0)
        available[listing.pk] -= units
        listing.reserved += units
        if units:
            reservations.append(Reservation(plan_line=line, listing=listing, quantity=units, created_at=now))
    for listing in listings.values():
        listing.save(update_fields=["reserved"])
    Reservation.objects.bulk_create(reservations)
    plan.lines.update(done=0)


@transaction.atomic
def release(plan_id, *, by, now, reason=""):
    """Cancel a part of an order and give its reserved units back."""
    order_id = RoutingPlan.objects.values_list("order_id", flat=True).get(pk=plan_id)
    Order.objects.lock(pk=order_id)
    plan = RoutingPlan.objects.lock(pk=plan_id)
    _cancel(plan, by=by, now=now, reason=reason)
    emit(PlanCancelled(plan_id=plan.pk), by=by, now=now)
    return plan


def on_order_cancelled(event, *, by, now):
    """Cancel every part and give the reserved units back."""
    for plan in _lock_live_parts(event.order_id):
        _cancel(plan, by=by, now=now, reason=str(_("The order was cancelled.")))


def on_promise_expired(event, *, by, now):
    """Give back what was reserved for a promise that nobody confirmed."""
    for plan in _lock_live_parts(event.order_id):
        _cancel(plan, by=by, now=now, reason=str(_("The promise ended.")))


def on_order_modified(event, *, by, now):
    """Replace the parts of an order with other lines or another address by one part that waits for its facility.

    An order without parts is not routed yet: the run to come reads it as it is now.
    """
    if not event.is_demand_changed:
        return
    parts = _lock_live_parts(event.order_id)
    if not parts:
        return
    reason = RoutingPlan.Reason.ORDER_MODIFIED
    for plan in parts:
        gave_back = give_back(plan)
        transit(plan.replace, reason, by=by, now=now, reason=reason)
        emit(PlanReplaced(plan_id=plan.pk), by=by, now=now)
        if gave_back:
            emit(StockIncreased(facility_id=plan.facility_id), by=by, now=now)
    lines = OrderLine.objects.filter(order_id=event.order_id)
    wait_for_facility(
        parts[0],
        {line.pk: line.quantity for line in lines},
        reason,
        run=max(plan.run for plan in parts),
        by=by,
        now=now,
    )


@transaction.atomic
def assign(order_id, facility_id, *, is_partly=False, words="", by, now):
    """Give what waits of an order to a facility that a person chose; fences and ratings are not asked.

    Refuses when nothing waits, and when the facility is not online or has not every unit; with ``is_partly`` it takes
    what it has and the rest goes on waiting.
    """
    Order.objects.lock(pk=order_id)
    facility = Facility.objects.get(pk=facility_id)
    waiting = RoutingPlan.objects.filter(
        order_id=order_id, status__in=[*RoutingPlan.TRIED_AGAIN, RoutingPlan.Status.NOT_ROUTABLE]
    )
    if not waiting.exists():
        raise NothingToRoute(order=Order.objects.get(pk=order_id))
    plans = run([order_id], again=True, assigned=str(facility_id), is_partly=is_partly, by=by, now=now)[
        order_id
    ]
    if words:
        log_change(plans[0], "assign", by=by, now=now, reason=words)
    if not any(plan.facility_id == facility.pk for plan in plans):
        reason = next((plan.reason_text for plan in plans if plan.reason), "")
        raise CannotTake(facility=facility, reason=reason)
    return plans


@transaction.atomic
def retry_all(*, by, now):
    """Have a worker try every part without a facility again, also those that were given up."""
    for plan in RoutingPlan.objects.filter(status=RoutingPlan.Status.NOT_ROUTABLE).lock_all():
        transit(plan.postpone, plan.reason, now, by=by, now=now)
    emit(RetryAsked(asked_at=now.isoformat()), by=by, now=now)


def _lock_live_parts(order_id):
    """The parts of an order that may still end, locked; the listings of all before, in key order, not part by part."""
    held = Reservation.objects.filter(plan_line__plan__order_id=order_id)
    lock_listings(held.values_list("listing_id", flat=True))
    plans = RoutingPlan.objects.filter(order_id=order_id).lock_all()
    return [plan for plan in plans if plan.status in RoutingPlan.CANCELLABLE]


def on_order_unlocked(event, *, by, now):
    """Hand the parts of a held order to picking."""
    for plan in RoutingPlan.objects.filter(order_id=event.order_id).lock_all():
        if plan.status in {RoutingPlan.Status.LOCKED, RoutingPlan.Status.PROMISED}:
            transit(plan.unhold, by=by, now=now)
            emit(PlanRouted(plan_id=plan.pk), by=by, now=now)


def give_up_old(*, now):
    """End the automatic attempts for parts that waited too long; staff see them and decide. Returns how many."""
    configuration = load_configuration()
    if configuration is None:
        return 0
    limits = [settings.plain["stop_after_hours"] for settings in rules.every(configuration.tree)]
    tired = RoutingPlan.objects.filter(
        status=RoutingPlan.Status.RETRYABLE, created_at__lt=now - datetime.timedelta(hours=min(limits))
    )
    given_up = 0
    for plan_id, order_id in tired.order_by("pk").values_list("pk", "order_id"):
        with transaction.atomic():
            order = Order.objects.lock(pk=order_id)
            plan = RoutingPlan.objects.lock(pk=plan_id)
            hours = settings_of(order, now, configuration).plain["stop_after_hours"]
            is_old = plan.created_at < now - datetime.timedelta(hours=hours)
            if plan.status == RoutingPlan.Status.RETRYABLE and is_old:
                transit(plan.give_up, by=None, now=now, reason=plan.reason)
                emit(PlanNotRoutable(plan_id=plan.pk), by=None, now=now)
                given_up += 1
    return given_up


def fall_back_late(*, now):
    """Try the parts again that may go to a fallback facility by now and might not before; returns how many orders."""
    configuration = load_configuration()
    if configuration is None:
        return 0
    fallbacks = [settings.plain.get("fallback", {}) for settings in rules.every(configuration.tree)]
    delays = {one["after_minutes"] for one in fallbacks if one.get("facilities")} - {0}
    wanted = {}
    for minutes in sorted(delays):
        delay = datetime.timedelta(minutes=minutes)
        due = RoutingPlan.objects.filter(
            status__in=[RoutingPlan.Status.RETRYABLE, RoutingPlan.Status.NOT_ROUTABLE],
            created_at__lte=now - delay,
            retried_at__lt=F("created_at") + delay,
        )
        wanted |= dict.fromkeys(due.order_by("created_at", "pk").values_list("order_id", flat=True))
    for batch in rows.batches(wanted, BATCH):
        run(batch, again=True, by=None, now=now)
    return len(wanted)


def _cancel(plan, *, by, now, reason):
    gave_back = give_back(plan)
    transit(plan.cancel, by=by, now=now, reason=reason)
    if gave_back:  # others may have waited for these units
        emit(StockIncreased(facility_id=plan.facility_id), by=by, now=now)
