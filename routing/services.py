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
from fulfillment.core.status import log_created, transit
from orders.models import Order, OrderLine
from routing import rules
from routing.events import (
    PlanCancelled,
    PlanNotRoutable,
    PlanReopened,
    PlanReplaced,
    PlanRouted,
    RetryAsked,
)
from routing.models import Reservation, RoutingPlan, RoutingPlanLine, RoutingRevision
from routing.queries import waiting_orders
from routing.runs import run

BATCH = 50  # orders in one transaction


class NothingToRoute(Refused):
    text = _("Order %(order)s has no part that waits for a facility.")


class NotToBeMoved(Refused):
    text = _("%(plan)s cannot be moved: it has no facility, or its picking has ended.")


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


def consume(plan_id, picked, *, reason=RoutingPlan.Reason.SHORT_PICK, by, now):
    """Give back the reservations of a part whose picking has ended; the picked units leave the stock beside this.

    Units that were not picked look for another facility, when the configuration says so.

    Args:
        picked: ``{plan line id: units}``; what is missing there was not picked.
    Returns:
        Whether the missing units are looked for elsewhere; else they will not come.
    """
    plan = RoutingPlan.objects.select_related("order").lock(pk=plan_id)
    _give_back(plan)
    plan.lines.update(done=F("quantity"))
    missing = {
        line.order_line_id: units
        for line in plan.lines.all()
        if (units := line.quantity - picked.get(line.pk, 0)) > 0
    }
    is_wanted = (
        plan.order.status in Order.LIVE
        and plan.order.kind == Order.Kind.SHIPPING
        and reroute_settings()["missing"] == "SPLIT"
    )
    if missing and is_wanted:
        _look_elsewhere(plan, missing, reason, by=by, now=now)
    return bool(missing) and is_wanted


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
        gave_back = _give_back(plan)
        transit(plan.replace, reason, by=by, now=now, reason=reason)
        emit(PlanReplaced(plan_id=plan.pk), by=by, now=now)
        if gave_back:
            emit(StockIncreased(facility_id=plan.facility_id), by=by, now=now)
    lines = OrderLine.objects.filter(order_id=event.order_id)
    _wait_for_facility(
        parts[0],
        {line.pk: line.quantity for line in lines},
        reason,
        run=max(plan.run for plan in parts),
        by=by,
        now=now,
    )


def _wait_for_facility(before, units, reason, *, run=None, blacklist=(), by, now):
    """A new part with ``{order line id: units}`` that waits for its facility, after one that ended or shrank."""
    plan = RoutingPlan.objects.create(
        status=RoutingPlan.Status.RETRYABLE,
        order_id=before.order_id,
        predecessor=before,
        run=before.run if run is None else run,
        blacklist=list(blacklist),
        reason=reason,
        created_at=now,
    )
    RoutingPlanLine.objects.bulk_create(
        RoutingPlanLine(plan=plan, order_line_id=line_id, quantity=quantity)
        for line_id, quantity in units.items()
    )
    log_created(plan, by=by, now=now, reason=reason)
    return plan


def _look_elsewhere(before, units, reason, *, by, now):
    """Units of a part look for another facility than that of the part and those before it."""
    blacklist = dict.fromkeys([*before.blacklist, str(before.facility_id)])
    plan = _wait_for_facility(before, units, reason, blacklist=blacklist, by=by, now=now)
    emit(PlanReopened(order_id=before.order_id), by=by, now=now)
    return plan


def reroute_settings():
    """What the configuration in use says of parts that leave their facility, see ``rules.REROUTE``."""
    revision = RoutingRevision.objects.order_by("-number").only("data").first()
    return rules.REROUTE | (revision.data.get("reroute", {}) if revision else {})


def route_reopened(event):
    """Place what looks for another facility. Called again, it finds no part that waits, and does nothing."""
    retry(event.order_id, by=None, now=timezone.now())


@transaction.atomic
def reroute(plan_id, *, reason=RoutingPlan.Reason.MANUAL_REROUTE, words="", by, now):
    """Take a part from its facility and look for another one; returns the part that waits.

    Refuses a part that has no facility, and one that picking has begun with.
    """
    order_id = RoutingPlan.objects.values_list("order_id", flat=True).get(pk=plan_id)
    Order.objects.lock(pk=order_id)
    plan = RoutingPlan.objects.lock(pk=plan_id)
    if plan.status not in RoutingPlan.PLACED or plan.lines.filter(done__gt=0).exists():
        raise NotToBeMoved(plan=plan)
    facility_id = plan.facility_id
    _give_back(plan)
    transit(plan.replace, reason, by=by, now=now, reason=words or reason)
    emit(PlanReplaced(plan_id=plan.pk), by=by, now=now)
    emit(StockIncreased(facility_id=facility_id), by=by, now=now)
    units = dict(plan.lines.values_list("order_line_id", "quantity"))
    return _look_elsewhere(plan, units, reason, by=by, now=now)


def _reroute_all(plan_ids, reason, *, now):
    """Move what can be moved, each in a transaction of its own; returns how many were."""
    moved = 0
    for plan_id in plan_ids:
        try:
            reroute(plan_id, reason=reason, by=None, now=now)
        except Refused:
            continue  # somebody began with it meanwhile: it stays where it is
        moved += 1
    return moved


def reroute_from_offline(event):
    """Move what nobody has begun with from a facility that is offline. Called again, it finds nothing."""
    facility = Facility.objects.get(pk=event.facility_id)
    if facility.status == Facility.Status.OFFLINE and reroute_settings()["offline"]:
        shipped = RoutingPlan.objects.filter(
            facility=facility, status__in=RoutingPlan.PLACED, order__kind=Order.Kind.SHIPPING
        ).exclude(lines__done__gt=0)
        ids = list(shipped.order_by("pk").values_list("pk", flat=True).distinct())
        _reroute_all(ids, RoutingPlan.Reason.FACILITY_OFFLINE, now=timezone.now())


def reroute_late(*, now):
    """Move parts that are due soon and that nobody begins with; returns how many."""
    settings = reroute_settings()
    if settings["after_minutes"] is None:
        return 0
    late = RoutingPlan.objects.filter(
        status=RoutingPlan.Status.ROUTED,
        order__kind=Order.Kind.SHIPPING,
        routed_at__lt=now - datetime.timedelta(minutes=settings["after_minutes"]),
        order__target_time__lt=now + datetime.timedelta(hours=settings["within_hours"]),
    ).exclude(lines__done__gt=0)
    ids = list(late.order_by("pk").values_list("pk", flat=True).distinct())
    return _reroute_all(ids, RoutingPlan.Reason.TIME_TRIGGERED, now=now)


def reroute_uncovered(event):
    """Move parts, the newest first, until no more is reserved at a facility than is there."""
    now = timezone.now()
    listings = Listing.objects.filter(facility_id=event.facility_id, reserved__gt=0)
    for listing in listings.with_available(now.date()).filter(reserved__gt=F("usable")).order_by("pk"):
        over = listing.reserved - listing.usable
        held = Reservation.objects.filter(listing=listing).order_by("-created_at", "-pk")
        for plan_id, units in held.values_list("plan_line__plan_id", "quantity"):
            if over <= 0:
                break
            over -= units * _reroute_all([plan_id], RoutingPlan.Reason.STOCK_ZEROED, now=now)


@transaction.atomic
def assign(order_id, facility_id, *, is_partly=False, by, now):
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
