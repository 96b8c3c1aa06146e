"""The steps of routing: an order's units find facilities, are reserved there, and are given back or used up.

A run decides without locks and then locks only the listings it chose, in key order. If one of them no longer
has the units, everything is undone and the run starts again: nothing is ever reserved twice.
"""

import datetime
import functools
import operator
import secrets
import time
import uuid
from collections import Counter

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import StockIncreased, emit, emit_all
from fulfillment.core.models import Article, Facility, Listing, User
from fulfillment.core.services.stock import lock_listings
from fulfillment.core.status import log_created, transit
from orders.models import Order, OrderLine
from routing import rules
from routing.decisions import decision_data
from routing.events import (
    PlanCancelled,
    PlanNotRoutable,
    PlanReplaced,
    PlanRouted,
    PlanSplit,
    PlanWaiting,
    RevisionPublished,
)
from routing.models import (
    DecisionLog,
    FenceSetting,
    RatingSetting,
    Reservation,
    RoutingConfiguration,
    RoutingPlan,
    RoutingPlanLine,
    RoutingRevision,
)
from routing.places import locate
from routing.queries import load_available, load_configuration, load_workload, waiting_orders

# How often a run is begun again because another one took the units it had chosen. From then on it locks
# every listing of its articles before it looks, so that it cannot lose a further time.
OPTIMISTIC_RUNS = 3

ROUTED = RoutingPlan.Status.ROUTED
# A held order is routed and reserved, but its parts do not go on to picking yet.
STATUS_OF_PART = {
    Order.Status.OPEN: ROUTED,
    Order.Status.LOCKED: RoutingPlan.Status.LOCKED,
    Order.Status.PROMISED: RoutingPlan.Status.PROMISED,
}


class NoConfiguration(Refused):
    text = _("No routing configuration is published. Publish one in the administration.")


class NothingToRoute(Refused):
    text = _("Order %(order)s has no part that waits for a facility.")


class _TakenMeanwhile(Exception):
    """Another run reserved the units first."""


def route_placed_order(event):
    """Route a new order. Called again for the same order, it does nothing."""
    route_order(event.order_id, by=None, now=timezone.now())


def route_modified_order(event):
    """Place an order anew that was changed. Called again, it finds no part that waits, and does nothing."""
    if event.is_demand_changed:
        retry(event.order_id, by=None, now=timezone.now())


def retry_waiting(event):
    """Try the parts without a facility again, the oldest first, each order in a transaction of its own.

    When stock arrived at a facility, only those that want some of it.
    """
    now = timezone.now()
    facility_id = event.facility_id if isinstance(event, StockIncreased) else None
    for order_id in waiting_orders(now.date(), facility_id=facility_id):
        retry(order_id, by=None, now=now)


def route_order(order_id, *, by, now):
    """Find facilities for a new order and reserve its units; returns its plans, or those it had already."""
    return _run(order_id, again=False, by=by, now=now)


def retry(order_id, *, by, now):
    """Try the parts of an order that have no facility again; returns its plans."""
    return _run(order_id, again=True, by=by, now=now)


def route_again(order_id, *, by, now):
    """A person asks for another try. Refuses an order without a part that waits."""
    waiting = RoutingPlan.objects.filter(
        order_id=order_id, status__in=[RoutingPlan.Status.RETRYABLE, RoutingPlan.Status.NOT_ROUTABLE]
    )
    if not waiting.exists():
        raise NothingToRoute(order=Order.objects.get(pk=order_id))
    return retry(order_id, by=by, now=now)


def _run(order_id, *, again, by, now):
    seed = secrets.randbits(53)
    for attempt in range(OPTIMISTIC_RUNS + 1):
        try:
            with transaction.atomic():
                return _Run(order_id, seed, by, now, careful=attempt == OPTIMISTIC_RUNS).go(again)
        except _TakenMeanwhile:
            continue
    raise AssertionError("A run that holds every listing cannot lose one.")


class _Run:
    """One attempt to place what an order still needs. Lives as long as its transaction."""

    def __init__(self, order_id, seed, by, now, *, careful):
        self.order_id, self.seed, self.by, self.now, self.careful = order_id, seed, by, now, careful
        self.today = now.date()
        self.began = time.perf_counter()

    def go(self, again):
        # The order row is locked together with the reading of its lines, which never change.
        lines = list(
            OrderLine.objects.filter(order_id=self.order_id)
            .select_related("order__channel")
            .select_for_update(of=("order",))
            .order_by("position")
        )
        self.order = lines[0].order
        if self.order.channel.is_sandbox:
            return []
        self.configuration = load_configuration(self.order_id)
        if self.configuration is None:
            raise NoConfiguration
        if self.order.status not in Order.LIVE or self.configuration.has_plans != again:
            return list(RoutingPlan.objects.filter(order_id=self.order_id))
        self.waiting = self.last = None
        self.wanted = {line: line.quantity for line in lines}
        if again:
            self.waiting = (
                RoutingPlan.objects.filter(
                    order_id=self.order_id,
                    status__in=[RoutingPlan.Status.RETRYABLE, RoutingPlan.Status.NOT_ROUTABLE],
                )
                .order_by("pk")
                .first()
            )
            if self.waiting is None:
                return list(RoutingPlan.objects.filter(order_id=self.order_id))
            self.last = (
                DecisionLog.objects.filter(order_id=self.order_id).defer("data").order_by("run").last()
            )
            by_id = {line.pk: line for line in lines}
            self.wanted = {by_id[line.order_line_id]: line.quantity for line in self.waiting.lines.all()}
        return self.place()

    def place(self):
        unknown = self.find_articles()
        demand = self.demand()
        candidates, fixed = self.candidates(demand)
        policy = self.configuration.policy
        if fixed:
            # The shop chose: no fences, no ratings, no split; the stock is reserved all the same.
            policy = rules.Policy(frozenset(), {}, may_split=False)
        survivors, exclusions = rules.exclude(demand, candidates, rules.active_fences(policy))
        outcome = rules.split(demand, survivors, policy, self.seed)
        whole = not outcome.remainder and not unknown
        parts = outcome.parts if whole or not self.configuration.waits_for_whole else ()
        self.reserve(parts)
        reason = self.reason(unknown, candidates, survivors, outcome, fixed)
        plans = self.write_plans(parts, "" if whole else reason)
        self.write_decision(demand, candidates, exclusions, outcome, parts, fixed, "" if whole else reason)
        if len(plans) > 1:
            emit(PlanSplit(plan_id=plans[0].pk), by=self.by, now=self.now)
        routed = [PlanRouted(plan_id=plan.pk) for plan in plans if plan.status == ROUTED]
        emit_all(routed, by=self.by, now=self.now)
        for plan in plans:
            if plan.pk in self.fresh and plan.status == RoutingPlan.Status.RETRYABLE:
                emit(PlanWaiting(plan_id=plan.pk), by=self.by, now=self.now)
        return plans

    def find_articles(self):
        """Give lines their article that came without; returns the lines that nobody knows."""
        nameless = [line for line in self.wanted if line.article_id is None]
        if nameless and self.waiting is not None:
            known = dict(
                Article.objects.filter(sku__in={line.sku for line in nameless}).values_list("sku", "pk")
            )
            for line in nameless:
                if line.sku in known:
                    line.article_id = known[line.sku]
                    line.save(update_fields=["article"])
        return [line for line in self.wanted if line.article_id is None]

    def demand(self):
        units = Counter()
        for line, quantity in self.wanted.items():
            if line.article_id is not None:
                units[str(line.article_id)] += quantity
        order = self.order
        collected = order.kind == Order.Kind.COLLECT
        service = Facility.Service.PICKUP if collected else Facility.Service.SHIP_FROM_STORE
        self.place_source, position = "ORDER", None
        if order.latitude is not None and order.longitude is not None:
            position = (order.latitude, order.longitude)
        elif not collected:
            address = order.shipping_address
            located = locate(address.country, address.postal_code, address.city)
            self.place_source = located.precision if located else "UNKNOWN"
            position = located.position if located else None
        return rules.Demand(
            service=str(service),
            country=order.country,
            position=position,
            lines=tuple(rules.Line(article, quantity) for article, quantity in units.items()),
        )

    def candidates(self, demand):
        """The facilities to choose from with their figures, and whether the shop chose for us."""
        articles = [line.article for line in demand.lines]
        if self.careful:
            lock_listings(Listing.objects.filter(article_id__in=articles).values_list("pk", flat=True))
        available = load_available(articles, self.today)
        workload = load_workload()
        chosen = self.chosen_by_shop()
        return [
            rules.Candidate(site, available.get(site.key, {}), workload.get(site.key, 0))
            for site in self.configuration.sites
            if chosen is None or site.key in chosen
        ], chosen is not None and len(chosen) == 1

    def chosen_by_shop(self):
        if self.order.kind == Order.Kind.COLLECT:
            return {str(self.order.collect_facility_id)}
        shipping = self.order.delivery_preferences.get("shipping") or {}
        if not shipping.get("preselectedFacilities"):
            return None
        return {str(pk) for pk in self.order.preselected_facilities.values_list("pk", flat=True)}

    def reason(self, unknown, candidates, survivors, outcome, fixed):
        """Why a part of the order has no facility, as a code that the pages put into words."""
        if unknown:
            return RoutingPlan.Reason.UNKNOWN_ARTICLE
        if not candidates:
            return RoutingPlan.Reason.FACILITY_CLOSED if fixed else RoutingPlan.Reason.NO_FACILITY
        if not survivors:
            return RoutingPlan.Reason.FENCED_OUT
        if not outcome.parts:
            return RoutingPlan.Reason.NO_STOCK
        return RoutingPlan.Reason.NOT_ENOUGH_STOCK

    def reserve(self, parts):
        """Lock the chosen listings, look again, and raise their counters; all or nothing."""
        wanted = {(part.facility, line.article): line.quantity for part in parts for line in part.lines}
        if not wanted:
            return
        chosen = [
            Q(facility_id=part.facility, article_id__in=[line.article for line in part.lines])
            for part in parts
        ]
        locked = lock_listings(
            Listing.objects.filter(functools.reduce(operator.or_, chosen)).values_list("pk", flat=True)
        )
        self.listings = {
            (str(listing.facility_id), str(listing.article_id)): pk for pk, listing in locked.items()
        }
        units = {pk: wanted[shelf] for shelf, pk in self.listings.items()}
        per_listing = Case(*(When(pk=pk, then=Value(quantity)) for pk, quantity in units.items()))
        changed = (
            Listing.objects.filter(pk__in=units)
            .with_available(self.today)
            .filter(available__gte=per_listing)
            .update(reserved=F("reserved") + per_listing)
        )
        if changed != len(wanted):
            raise _TakenMeanwhile

    def write_plans(self, parts, reason):
        """Write a plan per part and, when units are left, one that waits; the one that waited goes first."""
        # A try that ends like the one before takes its place: what waits for long would fill the log otherwise.
        is_repetition = self.last is not None and not parts and self.last.outcome == reason
        self.run = 1 if self.last is None else self.last.run + (not is_repetition)
        self.decision = DecisionLog(pk=self.last.pk if is_repetition else None)
        left = Counter(self.wanted)
        drafts = []  # (facility key or None, {order line: units})
        for part in parts:
            shares = {}
            for item in part.lines:
                rest = item.quantity
                for line in left:
                    if str(line.article_id) == item.article and rest and left[line]:
                        shares[line] = min(rest, left[line])
                        left[line] -= shares[line]
                        rest -= shares[line]
            drafts.append((part.facility, shares))
        if rest := {line: quantity for line, quantity in left.items() if quantity}:
            drafts.append((None, rest))

        plans = [
            self.plan(index, facility, reason, len(drafts))
            for index, (facility, _shares) in enumerate(drafts)
        ]
        new = [plan for plan in plans if plan is not self.waiting]
        RoutingPlan.objects.bulk_create(new)
        self.fresh = {plan.pk for plan in new}
        if self.waiting is not None:
            self.update_waiting(plans, drafts, reason)
        plan_lines = [
            RoutingPlanLine(plan=plan, order_line=line, quantity=quantity)
            for plan, (_facility, shares) in zip(plans, drafts, strict=True)
            for line, quantity in shares.items()
        ]
        RoutingPlanLine.objects.bulk_create(plan_lines)
        Reservation.objects.bulk_create(
            Reservation(
                plan_line=line,
                listing_id=self.listings[str(line.plan.facility_id), str(line.order_line.article_id)],
                quantity=line.quantity,
                created_at=self.now,
            )
            for line in plan_lines
            if line.plan.facility_id
        )
        if new:
            log_created(*new, by=self.by, now=self.now, reason=reason if len(parts) == 0 else "")
        return plans

    def plan(self, index, facility, reason, count):
        if index == 0 and self.waiting is not None:
            return self.waiting
        placed = facility is not None
        return RoutingPlan(
            status=STATUS_OF_PART[self.order.status] if placed else RoutingPlan.Status.RETRYABLE,
            order=self.order,
            facility_id=uuid.UUID(facility) if placed else None,
            parent=self.waiting,
            run=self.run,
            split_count=max(count - 1, 0),
            reason="" if placed else reason,
            routed_at=self.now if placed else None,
            retried_at=None if placed else self.now,
            created_at=self.now,
        )

    def update_waiting(self, plans, drafts, reason):
        """The part that waited takes the first draft: a facility, or another wait, or the end of trying."""
        plan, facility = self.waiting, drafts[0][0]
        plan.lines.all().delete()
        plan.run, plan.split_count = self.run, len(drafts) - 1
        plan.save(update_fields=["run", "split_count", "modified_at"])
        if facility is not None:
            transit(plan.settle, Facility(pk=uuid.UUID(facility)), self.now, by=self.by, now=self.now)
            if self.order.status != Order.Status.OPEN:
                transit(plan.hold, by=self.by, now=self.now)
        elif plan.reason != reason or plan.status != RoutingPlan.Status.RETRYABLE:
            transit(plan.postpone, reason, self.now, by=self.by, now=self.now, reason=reason)
            self.fresh.add(plan.pk)
        else:
            plan.retried_at = self.now
            plan.save(update_fields=["retried_at", "modified_at"])

    def write_decision(self, demand, candidates, exclusions, outcome, parts, fixed, reason):
        log = self.decision
        log.order, log.run, log.outcome = self.order, self.run, reason or ROUTED
        log.revision, log.seed, log.at = self.configuration.revision, self.seed, self.now
        log.data = decision_data(demand, candidates, exclusions, outcome, parts, fixed, self.place_source)
        log.duration_ms = round((time.perf_counter() - self.began) * 1000, 2)
        log.save(force_insert=log.pk is None)


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
    Listing.objects.filter(pk__in=units).update(
        reserved=F("reserved") - Case(*(When(pk=pk, then=Value(quantity)) for pk, quantity in units.items()))
    )
    reservations.delete()
    return True


@transaction.atomic
def publish(*, comment="", by, now):
    """Make the draft the numbered revision that decisions follow from now on."""
    draft = complete_draft()  # locks the draft: two publications get two numbers
    last = RoutingRevision.objects.order_by("-number").first()
    revision = RoutingRevision.objects.create(
        number=last.number + 1 if last else 1,
        data=revision_data(draft),
        comment=comment,
        published_at=now,
        published_by=by if isinstance(by, User) else None,
    )
    emit(RevisionPublished(number=revision.number), by=by, now=now)
    return revision


def revision_data(draft):
    """The draft as a revision stores it."""
    return {
        "fences": [fence.key for fence in draft.fences.all() if fence.is_active],
        "ratings": [
            {"key": rating.key, "weight": str(rating.weight)}
            for rating in draft.ratings.all()
            if rating.is_active
        ],
        "split": {"is_active": draft.is_split_active, "max_count": draft.max_split_count},
        "partly_reservable": draft.partly_reservable,
        "stop_after_hours": draft.stop_after_hours,
    }


@transaction.atomic
def complete_draft():
    """The draft, with a row for every fence and rating that the code has; new ones begin switched off."""
    draft, _created = RoutingConfiguration.objects.select_for_update().get_or_create(pk=1)
    fences = set(draft.fences.values_list("key", flat=True))
    FenceSetting.objects.bulk_create(
        FenceSetting(configuration=draft, key=key, is_active=False)
        for key in rules.FENCES
        if key not in fences
    )
    ratings = set(draft.ratings.values_list("key", flat=True))
    RatingSetting.objects.bulk_create(
        RatingSetting(configuration=draft, key=key, is_active=False)
        for key in rules.RATINGS
        if key not in ratings
    )
    return draft


def differences(draft):
    """What publishing the draft would change: (number of the revision in use, [what differs])."""
    revision = RoutingRevision.objects.order_by("-number").first()
    used, wanted = _settings(revision.data), _settings(revision_data(draft))
    changes = [
        f"{name}: {used.get(name, '–')} → {wanted.get(name, '–')}"
        for name in sorted(used.keys() | wanted.keys())
        if used.get(name) != wanted.get(name)
    ]
    return revision.number, changes


def _settings(data):
    """A revision's data as flat words: ``{"GEODISTANCE": "2.00"}``."""
    return {
        **dict.fromkeys(data["fences"], str(_("active"))),
        **{rating["key"]: str(rating["weight"]) for rating in data["ratings"]},
        **{f"split.{name}": value for name, value in data["split"].items()},
        "partly_reservable": data["partly_reservable"],
        "stop_after_hours": data["stop_after_hours"],
    }
