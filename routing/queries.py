"""What routing reads beside the figures of the facilities. Every function is one query."""

import dataclasses
import functools
from collections import Counter

from django.db import connection
from django.db.models import Exists, F, OuterRef, Subquery

from fulfillment.core.models import Listing
from routing import situations
from routing.models import RoutingPlan, RoutingPlanLine, RoutingRevision
from routing.rules import FENCES, RATINGS, Node, find, predicates, read_tree


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A published revision with its strategy tree, and the facilities that get new orders."""

    revision: RoutingRevision
    tree: Node
    needs: frozenset[str]
    network: situations.Network

    @property
    def asks_of_orders(self):
        """Whether a condition or own rule looks at the order."""
        return "orders" in self.needs

    @property
    def asks_for_prices(self):
        """Whether anything looks at what the shop said of the lines."""
        return self.asks_of_orders or "prices" in self.needs

    @property
    def watches_clock(self):
        """Whether an order may find a facility later although nothing but the time has changed."""
        return not self.needs.isdisjoint({"capacity", "today", "clock"})


def load_configuration():
    """The newest revision and the network; None when none is published.

    One query; further ones when a facility or carrier changed since this process looked last.
    """
    revision = next(iter(RoutingRevision.objects.raw(*_newest(connection.vendor))), None)
    if revision is None:
        return None
    network = situations.load_network(tuple(getattr(revision, name) for name in situations.STAMPS))
    tree, needs = tree_of(revision)
    return Configuration(revision, tree, needs, network)


@functools.cache
def _newest(vendor):
    """SQL and parameters of the newest revision with the stamp of the network: asked for every order, built once."""
    stamp = {name: Subquery(rows.values("x")) for name, rows in situations.network_stamp().items()}
    return RoutingRevision.objects.order_by("-number").annotate(**stamp)[:1].query.sql_with_params()


def tree_of(revision):
    """The strategy tree of a revision, which never changes, and the figures that it asks for."""
    return _tree(revision.number, _Data(revision.data))


class _Data:
    """Data of a revision as an argument that is the same for the same number."""

    def __init__(self, data):
        self.data = data

    def __eq__(self, other):
        return self.data == other.data

    def __hash__(self):
        return 0


@functools.lru_cache(maxsize=50)
def _tree(number, data):
    tree = read_tree(data.data)
    asks_clock = any(one.entity == "ORDER" and one.path in {"weekday", "time"} for one in predicates(tree))
    return tree, frozenset(_needs(tree)) | ({"clock"} if asks_clock else set())


def _needs(node):
    """Which figures beside stock and workload some order might need."""
    policy = node.settings.policy
    uses = policy.fences | {use for use, weight in policy.weights.items() if weight > 0}
    for use in uses:
        for register in (FENCES, RATINGS):
            if rule := find(register, use):
                yield from rule.needs
    asked = set().union(*(policy.rules[use].entities for use in uses if use in policy.rules))
    if "LISTING" in asked:
        yield "listings"
    if "ORDER" in asked or node.below:
        yield "orders"
    if policy.least_value > 0:
        yield "prices"
    for _condition, below in node.below:
        yield from _needs(below)


def waiting_orders(today, *, facility_id=None, tried_before=None):
    """Ids of the orders with a part that is tried again by itself, by promise and then the oldest part first.

    With a facility: only those that want an article of which it has a unit to promise, or one that was unknown.
    With ``tried_before``: only those whose last try is so long ago.
    """
    plans = RoutingPlan.objects.filter(status__in=RoutingPlan.TRIED_AGAIN)
    if tried_before is not None:
        plans = plans.filter(retried_at__lt=tried_before)
    if facility_id is not None:
        offered = (
            Listing.objects.filter(facility_id=facility_id, status=Listing.Status.ACTIVE)
            .with_available(today)
            .filter(available__gt=0)
        )
        lines = RoutingPlanLine.objects.filter(plan=OuterRef("pk"))
        plans = plans.filter(
            Exists(lines.filter(order_line__article=None))
            | Exists(lines.filter(order_line__article_id__in=offered.values("article_id")))
        )
    promised_first = F("order__promised_until").asc(nulls_last=True)
    return list(
        dict.fromkeys(plans.order_by(promised_first, "created_at", "pk").values_list("order_id", flat=True))
    )


def wanted_units(order_ids, before):
    """What the parts that wait want, and which orders wait since ``before``.

    Returns:
        ``{order id: {article key: units}}`` and ``{order id}``.
    """
    wants: dict = {}
    patient = set()
    lines = (
        RoutingPlanLine.objects.filter(
            plan__order_id__any=order_ids,
            plan__status__in=RoutingPlan.TRIED_AGAIN,
            order_line__article__isnull=False,
        )
        .order_by()
        .values_list("plan__order_id", "plan__created_at", "order_line__article_id", "quantity")
    )
    for order_id, created_at, article_id, quantity in lines:
        wanted = wants.setdefault(order_id, Counter())
        wanted[str(article_id)] += quantity
        if created_at < before:
            patient.add(order_id)
    return wants, patient
