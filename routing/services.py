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
from fulfillment.core.models import Listing
from fulfillment.core.services.stock import lock_listings
from fulfillment.core.status import log_created, transit
from orders.models import Order, OrderLine
from routing.events import PlanCancelled, PlanNotRoutable, PlanReplaced, PlanRouted
from routing.models import Reservation, RoutingPlan, RoutingPlanLine, RoutingRevision
from routing.queries import waiting_orders
from routing.runs import run

BATCH = 50  # orders in one transaction


class NothingToRoute(Refused):
    text = _("Order %(order)s has no part that waits for a facility.")


def route_placed_orders(events):
    """Route new orders. Called again for the same orders, it does nothing."""
    run([event.order_id for event in events], again=False, by=None, now=timezone.now())


def route_modified_order(event):
    """Place an order anew that was changed. Called again, it finds no part that waits, and does nothing."""
    if event.is_demand_changed:
        retry(event.order_id, by=None, now=timezone.now())


def retry_waiting(event):
    """Try the parts without a facility again, those with the earliest promise and then the oldest first.

    When stock arrived at a facility, only those that want some of it.
    """
    now = timezone.now()
    facility_id = event.facility_id if isinstance(event, StockIncreased) else None
    for batch in rows.batches(waiting_orders(now.date(), facility_id=facility_id), BATCH):
        run(batch, again=True, by=None, now=now)


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


def consume(plan_id, picked, *, by, now):
    """Give back the reservations of a part whose picking has ended; the picked units leave the stock beside this.

    Args:
        picked: ``{plan line id: units}``; what is missing there was not picked.
    """
    plan = RoutingPlan.objects.lock(pk=plan_id)
    _give_back(plan)
    plan.lines.update(done=F("quantity"))
    return plan


def reserve_again(plan_id, listing_of, *, now):
    """Reserve the units of a part whose picking was taken back, as many as are there now. After its stock is back.

    Args:
        listing_of: ``{plan line id: listing id}``.
    """
    plan = RoutingPlan.objects.lock(pk=plan_id)
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
        gave_back = _give_back(plan)
        transit(plan.replace, reason, by=by, now=now, reason=reason)
        emit(PlanReplaced(plan_id=plan.pk), by=by, now=now)
        if gave_back:
            emit(StockIncreased(facility_id=plan.facility_id), by=by, now=now)
    plan = RoutingPlan.objects.create(
        status=RoutingPlan.Status.RETRYABLE,
        order_id=event.order_id,
        predecessor=parts[0],
        run=max(plan.run for plan in parts),
        reason=reason,
        created_at=now,
    )
    lines = OrderLine.objects.filter(order_id=event.order_id)
    RoutingPlanLine.objects.bulk_create(
        RoutingPlanLine(plan=plan, order_line=line, quantity=line.quantity) for line in lines
    )
    log_created(plan, by=by, now=now, reason=reason)


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
    revision = RoutingRevision.objects.order_by("-number").first()
    if revision is None:
        return 0
    oldest = now - datetime.timedelta(hours=revision.data["stop_after_hours"])
    tired = RoutingPlan.objects.filter(status=RoutingPlan.Status.RETRYABLE, created_at__lt=oldest)
    given_up = 0
    for plan_id, order_id in tired.order_by("pk").values_list("pk", "order_id"):
        with transaction.atomic():
            Order.objects.lock(pk=order_id)
            plan = RoutingPlan.objects.lock(pk=plan_id)
            if plan.status == RoutingPlan.Status.RETRYABLE:
                transit(plan.give_up, by=None, now=now, reason=plan.reason)
                emit(PlanNotRoutable(plan_id=plan.pk), by=None, now=now)
                given_up += 1
    return given_up


def _cancel(plan, *, by, now, reason):
    gave_back = _give_back(plan)
    transit(plan.cancel, by=by, now=now, reason=reason)
    if gave_back:  # others may have waited for these units
        emit(StockIncreased(facility_id=plan.facility_id), by=by, now=now)


def _give_back(plan):
    """Delete the reservations of a plan and lower the counters of their listings, under the listings' locks.

    Returns whether there were any.
    """
    reservations = Reservation.objects.filter(plan_line__plan=plan)
    units = Counter()
    for listing_id, quantity in reservations.values_list("listing_id", "quantity"):
        units[listing_id] += quantity
    if not units:
        return False
    lock_listings(units)
    rows.add(Listing, "reserved", {pk: -quantity for pk, quantity in units.items()})
    reservations.delete()
    return True
