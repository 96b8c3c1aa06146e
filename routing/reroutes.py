"""Parts that leave their facility: by hand, short, given up, late, from a facility that is offline, without stock."""

import datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import StockIncreased, emit
from fulfillment.core.models import Facility, Listing
from fulfillment.core.status import transit
from orders.models import Order
from routing import rules
from routing.demands import settings_of
from routing.events import PlanReopened, PlanReplaced
from routing.models import Reservation, RoutingConfiguration, RoutingPlan
from routing.parts import give_back, wait_for_facility
from routing.queries import load_configuration
from routing.services import retry

Missing = RoutingConfiguration.Missing
Reason = RoutingPlan.Reason


class NotToBeMoved(Refused):
    text = _("%(plan)s cannot be moved: it has no facility, or its picking has ended.")


def reroute_settings(order, now, configuration=None):
    """What the configuration (else that in use) says of parts of an order that leave their facility.

    See ``rules.REROUTE``.
    """
    configuration = configuration or load_configuration()
    if configuration is None:
        return rules.REROUTE
    return rules.REROUTE | settings_of(order, now, configuration).plain.get("reroute", {})


def remedy_for_missing(plan, *, is_untouched, now):
    """What is done about units that picking did not find: ``NONE``, ``SPLIT`` or ``REROUTE``.

    A part that is collected stays where the customer comes, so its units do not come.
    """
    order = plan.order
    if order.status not in Order.LIVE or order.kind != Order.Kind.SHIPPING:
        return Missing.NONE
    wanted = reroute_settings(order, now)["missing"]
    if wanted == Missing.REROUTE_UNTOUCHED:
        return Missing.REROUTE if is_untouched else Missing.SPLIT
    return wanted


def consume(plan_id, picked, *, reason=Reason.SHORT_PICK, by, now):
    """Give back the reservations of a part whose picking has ended; the picked units leave the stock beside this.

    Units that were not picked look for another facility, when the configuration says so.

    Args:
        picked: ``{plan line id: units}``; what is missing there was not picked.
    Returns:
        Whether the missing units are looked for elsewhere; else they will not come.
    """
    plan = RoutingPlan.objects.select_related("order__channel").lock(pk=plan_id)
    give_back(plan)
    plan.lines.update(done=F("quantity"))
    missing = {
        line.order_line_id: units
        for line in plan.lines.all()
        if (units := line.quantity - picked.get(line.pk, 0)) > 0
    }
    if not missing or remedy_for_missing(plan, is_untouched=not picked, now=now) == Missing.NONE:
        return False
    _look_elsewhere(plan, missing, reason, by=by, now=now)
    return True


def _look_elsewhere(before, units, reason, *, by, now):
    """Units of a part look for another facility; not for that of the part again, unless the configuration allows it."""
    blacklist = list(before.blacklist)
    if reroute_settings(before.order, now)["blacklist"]:
        blacklist = list(dict.fromkeys([*blacklist, str(before.facility_id)]))
    plan = wait_for_facility(before, units, reason, blacklist=blacklist, by=by, now=now)
    emit(PlanReopened(order_id=before.order_id), by=by, now=now)
    return plan


def route_reopened(event):
    """Place what looks for another facility. Called again, it finds no part that waits, and does nothing."""
    retry(event.order_id, by=None, now=timezone.now())


def place_anew(plan_id, reason, *, words="", by, now):
    """Take a part from its facility and look for another one; what picking had begun with it is the caller's.

    Returns:
        The part that waits, with all units.
    """
    plan = RoutingPlan.objects.select_related("order__channel").lock(pk=plan_id)
    facility_id = plan.facility_id
    give_back(plan)
    transit(plan.replace, reason, by=by, now=now, reason=words or reason)
    emit(StockIncreased(facility_id=facility_id), by=by, now=now)
    units = dict(plan.lines.values_list("order_line_id", "quantity"))
    return _look_elsewhere(plan, units, reason, by=by, now=now)


@transaction.atomic
def reroute(plan_id, *, reason=Reason.MANUAL_REROUTE, words="", may_be_begun=False, by, now):
    """Take a part from its facility and look for another one; returns the part that waits.

    Refuses a part that has no facility, one whose picking has ended, and, unless it ``may_be_begun``, one that
    somebody has begun with.
    """
    order_id = RoutingPlan.objects.values_list("order_id", flat=True).get(pk=plan_id)
    Order.objects.lock(pk=order_id)
    plan = RoutingPlan.objects.lock(pk=plan_id)
    if plan.status not in RoutingPlan.PLACED or plan.lines.filter(done__gt=0).exists():
        raise NotToBeMoved(plan=plan)
    event = PlanReplaced(plan_id=plan.pk, reason=str(reason), may_be_begun=may_be_begun)
    emit(event, by=by, now=now)
    return place_anew(plan.pk, reason, words=words, by=by, now=now)


def reroute_all(plan_ids, reason, *, now):
    """Move what nobody has begun with, each in a transaction of its own; returns how many were."""
    moved = 0
    for plan_id in plan_ids:
        try:
            reroute(plan_id, reason=reason, by=None, now=now)
        except Refused:
            continue  # somebody began with it meanwhile: it stays where it is
        moved += 1
    return moved


def _movable():
    """Parts that are shipped and whose picking has not ended."""
    return (
        RoutingPlan.objects.filter(status__in=RoutingPlan.PLACED, order__kind=Order.Kind.SHIPPING)
        .exclude(lines__done__gt=0)
        .select_related("order__channel")
        .order_by("pk")
        .distinct()
    )


def reroute_from_offline(event):
    """Move what nobody has begun with from a facility that is offline. Called again, it finds nothing."""
    facility = Facility.objects.get(pk=event.facility_id)
    if facility.status != Facility.Status.OFFLINE:
        return
    now, configuration = timezone.now(), load_configuration()
    plans = [
        plan.pk
        for plan in _movable().filter(facility=facility)
        if reroute_settings(plan.order, now, configuration)["offline"]
    ]
    reroute_all(plans, Reason.FACILITY_OFFLINE, now=now)


def late_plans(*, now, begun=False):
    """Ids of parts that are due soon and that nobody begins with, or (``begun``) that somebody began and left.

    Of the latter the caller looks at the job: how long nothing happened, and whether something is picked.
    """
    minutes, late, configuration = "idle_minutes" if begun else "after_minutes", [], load_configuration()
    if configuration is None or not any(
        settings.plain.get("reroute", {}).get(minutes) for settings in rules.every(configuration.tree)
    ):
        return []
    for plan in _movable().filter(status=RoutingPlan.Status.ROUTED, order__target_time__isnull=False):
        settings = reroute_settings(plan.order, now, configuration)
        due = plan.order.target_time < now + datetime.timedelta(hours=settings["within_hours"])
        waits = settings["after_minutes"] is not None and settings[minutes] is not None
        if waits and due and plan.routed_at < now - datetime.timedelta(minutes=settings[minutes]):
            late.append(plan.pk)
    return late


def reroute_late(*, now):
    """Move parts that are due soon and that nobody begins with; returns how many."""
    return reroute_all(late_plans(now=now), Reason.TIME_TRIGGERED, now=now)


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
            over -= units * reroute_all([plan_id], Reason.STOCK_ZEROED, now=now)
