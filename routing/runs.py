"""A routing run: what some orders still need is placed, in one transaction for all of them.

A run decides without locks and then locks only the listings it chose, in key order. If one of them no longer
has the units, everything is undone and the run starts again: nothing is ever reserved twice.
"""

import dataclasses
import itertools
import secrets
import time
import uuid
from collections import Counter, defaultdict

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils.translation import gettext_lazy as _

from fulfillment.core import rows
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit_all
from fulfillment.core.models import Article, Facility, Listing
from fulfillment.core.services.stock import lock_listings, recount
from fulfillment.core.status import log_created, transit
from orders.models import Order, OrderLine
from routing import rules
from routing.decisions import Inputs, Made, decide, decision_data, pack_figures
from routing.demands import demands_of
from routing.events import PlanFellBack, PlanRouted, PlanSplit, PlanWaiting
from routing.models import DecisionLog, Reservation, RoutingPlan, RoutingPlanLine
from routing.queries import load_configuration
from routing.situations import keep_network, load_situation

# How often a run is begun again because another one took the units it had chosen. From then on it locks
# every listing of its articles before it looks, so that it cannot lose a further time.
OPTIMISTIC_RUNS = 3
SEARCH_SECONDS = 0.045  # for the best split of one order; a decision then takes 50 ms at most

Status = RoutingPlan.Status
Reason = RoutingPlan.Reason
# A held order is routed and reserved, but its parts do not go on to picking yet.
STATUS_OF_PART = {
    Order.Status.OPEN: Status.ROUTED,
    Order.Status.LOCKED: Status.LOCKED,
    Order.Status.PROMISED: Status.PROMISED,
}
READ_OF_ORDERS = (
    "status",
    "channel__key",
    "channel__is_sandbox",
    "kind",
    "service_level",
    "collect_facility",
    "country",
    "latitude",
    "longitude",
    "consumer",
    "delivery_preferences",
    "tags",
    "custom_attributes",
)
GONE = "gone"  # the key of a facility that is not there any more
SOLD_AHEAD = [Listing.OutOfStock.BACKORDER, Listing.OutOfStock.PREORDER]


class NoConfiguration(Refused):
    text = _("No routing configuration is published. Publish one in the administration.")


class _TakenMeanwhile(Exception):
    """Another run reserved the units first."""


def run(order_ids, *, again, assigned=None, is_partly=False, by, now):
    """Place what the orders need, the first one first.

    Args:
        again: the parts that wait are tried again; else orders without plans are placed for the first time.
        assigned: key of the facility that a person chose: no fences, no ratings.
        is_partly: what is there is taken, whatever the configuration says of orders that are not there whole.
    Returns:
        ``{order id: [its plans that were placed or wait]}``.
    """
    seeds = {order_id: secrets.randbits(53) for order_id in order_ids}
    for attempt in range(OPTIMISTIC_RUNS + 1):
        try:
            with transaction.atomic():
                one = Run(seeds, by, now, careful=attempt == OPTIMISTIC_RUNS)
                one.assigned, one.is_partly = assigned, is_partly
                return one.go(again)
        except _TakenMeanwhile:
            continue
    raise AssertionError("A run that holds every listing cannot lose one.")


@dataclasses.dataclass(eq=False, slots=True)
class Wanted:
    """What routing reads of an order line: a run has hundreds of them."""

    pk: uuid.UUID
    article_id: uuid.UUID | None
    sku: str
    wire: dict | None = None  # read where a price may be asked for


@dataclasses.dataclass
class Task:
    """One order of a run: what it needs, how that was decided, and what is written of it.

    ``wanted`` are units per ``OrderLine``, or per ``Wanted`` of a saved one.
    """

    order: Order
    wanted: dict
    waiting: RoutingPlan | None = None
    last: DecisionLog | None = None
    unknown: list = dataclasses.field(default_factory=list)
    demand: rules.Demand | None = None
    inputs: Inputs | None = None
    made: Made | None = None
    parts: tuple[rules.Part, ...] = ()
    reason: str = ""
    sold_ahead: bool = False
    number: int = 1
    seconds: float = 0.0
    figures: bytes = b""
    is_repetition: bool = False
    plans: list[RoutingPlan] = dataclasses.field(default_factory=list)
    drafts: list = dataclasses.field(default_factory=list)  # [(facility key or None, {order line: units})]


class Run:
    """One attempt. Lives as long as its transaction."""

    assigned: str | None = None
    is_partly = False

    def __init__(self, seeds, by, now, *, careful):
        self.seeds, self.by, self.now, self.careful = seeds, by, now, careful
        self.waiting_now = set()

    def go(self, again):
        tasks = self.read(again)
        if tasks:
            self.find_articles([task for task in tasks if again])
            self.decide(tasks)
            held = self.write_plans(tasks)
            self.write_decisions(tasks)
            if len(tasks) >= rows.FEW:
                rows.check_references()
            # Last: other runs wait for these listings.
            self.reserve(held)
            self.tell(tasks)
        placed = {task.order.pk: task.plans for task in tasks}
        others = RoutingPlan.objects.filter(order_id__in=self.seeds.keys() - placed.keys())
        for plan in others if len(placed) < len(self.seeds) else ():
            placed.setdefault(plan.order_id, []).append(plan)
        return {order_id: placed.get(order_id, []) for order_id in self.seeds}

    # Reading

    def read(self, again):
        """The orders that have something to place, locked in key order."""
        chosen = Order.objects.filter(pk__any=list(self.seeds)).select_related("channel")
        locked = chosen.only(*READ_OF_ORDERS).lock_all()
        self.configuration = load_configuration()
        if self.configuration is None:
            raise NoConfiguration
        live = {
            order.pk: order for order in locked if order.status in Order.LIVE and not order.channel.is_sandbox
        }
        # Asked under the lock: whoever held it before has perhaps routed them.
        is_routed = Exists(RoutingPlan.objects.filter(order=OuterRef("order")))
        lines_of, routed = {pk: {} for pk in live}, set()
        wire = ["wire"] if self.configuration.asks_for_prices else []
        lines = (
            OrderLine.objects.filter(order_id__any=list(live))
            .annotate(is_routed=is_routed)
            .order_by("order_id", "position")
            .values_list("order_id", "quantity", "is_routed", "pk", "article_id", "sku", *wire)
        )
        for order_id, quantity, is_routed, *line in lines if live else ():
            lines_of[order_id][Wanted(*line)] = quantity
            if is_routed:
                routed.add(order_id)
        if again:
            tasks = self.read_waiting(live, lines_of)
        else:
            tasks = {pk: Task(live[pk], wanted) for pk, wanted in lines_of.items() if pk not in routed}
        return [
            tasks[pk] for pk in self.seeds if pk in tasks
        ]  # in the order of the call: the first comes first

    def read_waiting(self, live, lines_of):
        plans = RoutingPlan.objects.filter(
            order_id__in=live, status__in=[*RoutingPlan.TRIED_AGAIN, Status.NOT_ROUTABLE]
        )
        first = {}
        # The one that was tried longest ago, so that several parts of an order come in turn.
        longest_ago = F("retried_at").asc(nulls_first=True)
        for plan in plans.prefetch_related("lines").order_by(longest_ago, "pk"):
            first.setdefault(plan.order_id, plan)
        logs = DecisionLog.objects.filter(order_id__in=first).defer("data", "figures").order_by("run")
        last = {log.order_id: log for log in logs}
        tasks = {}
        for pk, plan in first.items():
            by_id = {line.pk: line for line in lines_of[pk]}
            tasks[pk] = Task(
                live[pk],
                {by_id[line.order_line_id]: line.quantity for line in plan.lines.all()},
                waiting=plan,
                last=last.get(pk),
            )
        return tasks

    def find_articles(self, tasks):
        """Give lines their article that came without, as soon as there is one of that SKU."""
        nameless = [line for task in tasks for line in task.wanted if line.article_id is None]
        if nameless:
            skus = {line.sku for line in nameless}
            known = dict(Article.objects.filter(sku__in=skus).values_list("sku", "pk"))
            for line in nameless:
                if line.sku in known:
                    line.article_id = known[line.sku]
                    OrderLine.objects.filter(pk=line.pk).update(article=line.article_id)

    # Deciding

    def decide(self, tasks):
        for task in tasks:
            task.unknown = [line for line in task.wanted if line.article_id is None]
        demands = demands_of(tasks, self.preselected(tasks), self.configuration, self.now)
        articles = {line.article for demand, _source in demands for line in demand.lines}
        if self.careful:
            # In key order, as always; whoever came first is through, and what is read then stays. A listing that says
            # more than its rows have would lose every time.
            offered = Listing.objects.filter(article_id__in=articles)
            recount(lock_listings(offered.values_list("pk", flat=True)))
        self.situation = load_situation(
            self.configuration.network, articles, self.now, policy_needs=self.configuration.needs
        )
        for task, (demand, place_source) in zip(tasks, demands, strict=True):
            began = time.perf_counter()
            self.decide_one(task, demand, place_source)
            task.seconds = time.perf_counter() - began
        self.look_for_sold_ahead([task for task in tasks if task.reason])

    @staticmethod
    def preselected(tasks):
        """``{order id: {facility key}}`` of the orders that name facilities.

        One whose facilities were all deleted since keeps a key that nobody has: it never goes somewhere else.
        """
        named = [task.order.pk for task in tasks if task.order.names_facilities]
        found = defaultdict(set)
        if named:
            through = Order.preselected_facilities.through.objects.filter(order_id__in=named)
            for order_id, facility_id in through.values_list("order_id", "facility_id"):
                found[order_id].add(str(facility_id))
        return {order_id: found.get(order_id, {GONE}) for order_id in named}

    def decide_one(self, task, demand, place_source):
        fixed = {self.assigned} if self.assigned else chosen_by_shop(task.order, demand)
        candidates = self.situation.candidates(demand.lines, fixed)
        task.inputs = Inputs(
            demand,
            candidates,
            self.seeds[task.order.pk],
            bool(fixed),
            place_source,
            waited=int((self.now - task.waiting.created_at).total_seconds() // 60) if task.waiting else 0,
            is_partly=self.is_partly,
            unknown_units=sum(task.wanted[line] for line in task.unknown),
        )
        end = time.perf_counter() + SEARCH_SECONDS
        task.made = decide(
            task.inputs,
            self.configuration.tree,
            lambda looked_at: time.perf_counter() < end,
        )
        # Kept before the units are taken: the figures are those that the decision saw.
        task.figures = pack_figures(task.made, self.configuration.network.sites)
        task.parts = task.made.placement.parts
        is_whole = not task.made.placement.left and not task.unknown
        task.reason = "" if is_whole else self.why(task, candidates, bool(fixed))
        for part in task.parts:
            self.situation.take(part)

    @staticmethod
    def why(task, candidates, is_fixed):
        """Why a part of the order has no facility, as a code that the pages put into words."""
        decision = task.made.decision
        if task.unknown:
            return Reason.UNKNOWN_ARTICLE
        if not candidates:
            return Reason.FACILITY_CLOSED if is_fixed else Reason.NO_FACILITY
        if not decision.survivors:
            return Reason.FENCED_OUT
        if not decision.split.parts:
            return Reason.NO_STOCK
        return Reason.NOT_ENOUGH_STOCK

    def look_for_sold_ahead(self, tasks):
        """Mark the orders whose missing articles may be sold before they are there: those wait for them."""
        missing = {
            task.order.pk: found for task in tasks if not task.unknown and (found := _missing(task.made))
        }
        if not missing:
            return
        ahead = {
            str(pk)
            for pk in Listing.objects.filter(
                article_id__in=set().union(*itertools.chain.from_iterable(missing.values())),
                out_of_stock__in=SOLD_AHEAD,
                status=Listing.Status.ACTIVE,
                facility__status=Facility.Status.ONLINE,
            ).values_list("article_id", flat=True)
        }
        for task in tasks:
            task.sold_ahead = any(articles <= ahead for articles in missing.get(task.order.pk, ()))

    # Writing

    def write_plans(self, tasks):
        """A plan per part and, when units are left, one that waits; the one that waited goes first."""
        new, lines = [], []
        for task in tasks:
            # A try that ends like the one before takes its place: what waits for long would fill the log otherwise.
            task.is_repetition = task.last is not None and not task.parts and task.last.outcome == task.reason
            task.number = 1 if task.last is None else task.last.run + (not task.is_repetition)
            task.drafts = self.drafts(task)
            task.plans = [self.plan(task, index) for index in range(len(task.drafts))]
            new += [plan for plan in task.plans if plan is not task.waiting]
            lines += [
                (plan, line, quantity)
                for plan, (_facility, shares) in zip(task.plans, task.drafts, strict=True)
                for line, quantity in shares.items()
            ]
        rows.insert(RoutingPlan, new)
        self.waiting_now = {plan.pk for plan in new if plan.status in RoutingPlan.TRIED_AGAIN}
        for task in tasks:
            if task.waiting is not None:
                self.update_waiting(task)
        line_ids = rows.insert_values(
            RoutingPlanLine,
            ("plan_id", "order_line_id", "quantity"),
            [(plan.pk, line.pk, quantity) for plan, line, quantity in lines],
            with_ids=True,
        )
        for reason in {plan.reason for plan in new}:
            log_created(
                *[plan for plan in new if plan.reason == reason], by=self.by, now=self.now, reason=reason
            )
        return [
            (line_id, plan.facility_id, line.article_id, quantity)
            for line_id, (plan, line, quantity) in zip(line_ids, lines, strict=True)
            if plan.facility_id
        ]

    @staticmethod
    def drafts(task):
        """Which order lines go where: ``[(facility key, {order line: units})]``, last what is left, with None."""
        if len(task.parts) == 1 and not task.reason:
            return [(task.parts[0].facility, dict(task.wanted))]  # all of it
        left, drafts = dict(task.wanted), []
        lines_of = defaultdict(list)
        for line in left:
            lines_of[str(line.article_id)].append(line)
        for part in task.parts:
            shares = {}
            for item in part.lines:
                rest = item.quantity
                for line in lines_of[item.article]:
                    if units := min(rest, left[line]):
                        shares[line] = units
                        left[line] -= units
                        rest -= units
            drafts.append((part.facility, shares))
        if rest := {line: quantity for line, quantity in left.items() if quantity}:
            drafts.append((None, rest))
        return drafts

    def plan(self, task, index):
        if index == 0 and task.waiting is not None:
            return task.waiting
        facility, _shares = task.drafts[index]
        placed = facility is not None
        waits = Status.WAITING if task.sold_ahead else Status.RETRYABLE
        return RoutingPlan(
            status=STATUS_OF_PART[task.order.status] if placed else waits,
            order=task.order,
            facility_id=uuid.UUID(facility) if placed else None,
            parent=task.waiting,
            run=task.number,
            split_count=max(len(task.drafts) - 1, 0),
            blacklist=task.waiting.blacklist if task.waiting else [],
            reason="" if placed else task.reason,
            routed_at=self.now if placed else None,
            retried_at=None if placed else self.now,
            created_at=self.now,
        )

    def update_waiting(self, task):
        """The part that waited takes the first draft: a facility, or another wait, or the end of trying."""
        plan, facility = task.waiting, task.drafts[0][0]
        plan.lines.all().delete()
        plan.run, plan.split_count = task.number, len(task.drafts) - 1
        plan.save(update_fields=["run", "split_count", "modified_at"])
        if facility is not None:
            transit(plan.settle, Facility(pk=uuid.UUID(facility)), self.now, by=self.by, now=self.now)
            if task.order.status != Order.Status.OPEN:
                transit(plan.hold, by=self.by, now=self.now)
            return
        wait, status = (plan.wait, Status.WAITING) if task.sold_ahead else (plan.postpone, Status.RETRYABLE)
        if plan.reason != task.reason or plan.status != status:
            transit(wait, task.reason, self.now, by=self.by, now=self.now, reason=task.reason)
            self.waiting_now.add(plan.pk)
        else:
            plan.retried_at = self.now
            plan.save(update_fields=["retried_at", "modified_at"])

    def write_decisions(self, tasks):
        keep_network(self.configuration.network)
        new = []
        for task in tasks:
            fields = {
                "order_id": task.order.pk,
                "run": task.number,
                "revision_id": self.configuration.revision.pk,
                "snapshot_id": self.configuration.network.digest,
                "outcome": task.reason or Status.ROUTED,
                "seed": self.seeds[task.order.pk],
                "data": decision_data(task.inputs, task.made),
                "figures": task.figures,
                "duration_ms": round(task.seconds * 1000, 2),
                "at": self.now,
            }
            if task.is_repetition:
                DecisionLog(pk=task.last.pk, **fields).save()
            else:
                new.append(fields)
        if new:
            rows.insert_values(DecisionLog, tuple(new[0]), [fields.values() for fields in new])

    # Reserving

    def reserve(self, held):
        """Lock the chosen listings, look again, and raise their counters; all or nothing.

        Args:
            held: ``[(plan line id, facility id, article id, units)]``.
        """
        if not held:
            return
        wanted = Counter()
        for _line_id, facility_id, article_id, quantity in held:
            wanted[facility_id, article_id] += quantity
        listing_of, units = {}, {}
        for pk, *pair in rows.lock_pairs(Listing, ("facility", "article"), wanted):
            listing_of[*pair] = pk
            units[pk] = wanted[*pair]
        active = Listing.objects.filter(pk__any=list(units), status=Listing.Status.ACTIVE).order_by()
        enough = rows.add(active.with_available(self.now.date()), "reserved", units, least="available")
        if enough != len(wanted):
            raise _TakenMeanwhile
        rows.insert_values(
            Reservation,
            ("plan_line_id", "listing_id", "quantity", "created_at"),
            [
                (line_id, listing_of[facility_id, article_id], quantity, self.now)
                for line_id, facility_id, article_id, quantity in held
            ],
        )

    # Telling

    def tell(self, tasks):
        plans = [plan for task in tasks for plan in task.plans]
        split = [PlanSplit(plan_id=task.plans[0].pk) for task in tasks if len(task.plans) > 1]
        routed = [PlanRouted(plan_id=plan.pk) for plan in plans if plan.status == Status.ROUTED]
        waiting = [PlanWaiting(plan_id=plan.pk) for plan in plans if plan.pk in self.waiting_now]
        fallback = [
            PlanFellBack(plan_id=plan.pk)
            for task in tasks
            for plan in task.plans
            if str(plan.facility_id) in task.made.placement.fallback
        ]
        for events in (split, fallback, routed, waiting):
            emit_all(events, by=self.by, now=self.now)


def chosen_by_shop(order, demand):
    """The one facility that the shop fixed, as a set of its key; None when routing chooses."""
    if order.kind == Order.Kind.COLLECT:
        return {str(order.collect_facility_id)}
    return demand.preselected if len(demand.preselected) == 1 else None


def _missing(made):
    """The articles without which the order waits: a set per way in which it could be served, none without a way.

    Mostly what nobody has. Where a fence asks one facility for all of it, what each that fails by stock alone lacks.
    """
    split = made.decision.split
    if made.decision.survivors:
        return [{line.article for line in split.remainder}] if split.remainder else []
    others = [fence for fence in rules.active_fences(made.policy) if not fence.is_about_stock]
    able, _exclusions = rules.exclude(made.demand, made.candidates, others)
    return [{line.article for line in rules.take(one, made.demand.lines)[1]} for one in able]
