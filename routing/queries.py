"""What a routing run reads. Every function is one query, however many facilities and lines there are."""

import dataclasses
import datetime
import functools
import uuid

from django.db.models import CharField, Count, Exists, F, IntegerField, Max, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Cast

from fulfillment.core.models import Facility, Listing, SafetyStock, Stock
from routing.models import RoutingPlan, RoutingPlanLine, RoutingRevision
from routing.rules import Policy, Site


@dataclasses.dataclass(frozen=True)
class Configuration:
    """A published revision as the rules take it, with the facilities that get new orders."""

    revision: RoutingRevision
    policy: Policy
    waits_for_whole: bool
    stop_after: datetime.timedelta
    sites: tuple[Site, ...]
    has_plans: bool


class _Sites:
    """The facilities as the rules see them, kept until one of them changes. Read by many threads, replaced whole."""

    known: tuple = (None, ())

    def get(self, stamp):
        if self.known[0] != stamp:
            self.known = (stamp, _load_sites())
        return self.known[1]


_sites = _Sites()


def _load_sites():
    rows = Facility.objects.online().order_by("pk")
    return tuple(
        Site(
            key=str(pk),
            name=name,
            country=country,
            services=frozenset(services),
            position=None if latitude is None else (latitude, longitude),
        )
        for pk, name, country, services, latitude, longitude in rows.values_list(
            "pk", "name", "country", "services", "latitude", "longitude"
        )
    )


def _of_all_facilities(aggregate):
    return Subquery(Facility.objects.order_by().values(all=Value(1)).annotate(x=aggregate).values("x"))


def load_configuration(order_id):
    """The newest revision, the facilities, and whether the order has plans already; None when none is published.

    One query; a second one when a facility changed since this process looked last.
    """
    revision = (
        RoutingRevision.objects.order_by("-number")
        .annotate(
            facility_count=_of_all_facilities(Count("pk")),
            # Two changes may commit in another order than they began, so the newest time alone may miss one.
            facility_versions=_of_all_facilities(Sum("version")),
            facilities_changed_at=_of_all_facilities(Max("modified_at")),
            has_plans=Exists(RoutingPlan.objects.filter(order_id=order_id)),
        )
        .first()
    )
    if revision is None:
        return None
    data = revision.data
    return Configuration(
        revision=revision,
        policy=Policy(
            fences=frozenset(data["fences"]),
            weights={rating["key"]: float(rating["weight"]) for rating in data["ratings"]},
            may_split=data["split"]["is_active"],
            max_split_count=data["split"]["max_count"],
        ),
        waits_for_whole=data["partly_reservable"] == "WAIT",
        stop_after=datetime.timedelta(hours=data["stop_after_hours"]),
        sites=_sites.get(
            (revision.facility_count, revision.facility_versions, revision.facilities_changed_at)
        ),
        has_plans=revision.has_plans,
    )


_NO_NUMBER = Value(None, output_field=IntegerField())


def _text(field):
    return Cast(field, CharField())


@functools.lru_cache(maxsize=100_000)
def _key(text):
    """An id as its database writes it (SQLite leaves out the dashes), in the form that the rules use."""
    return str(uuid.UUID(text))


def load_available(article_ids, today):
    """What every facility can promise of some articles: ``{facility key: {article key: units}}``.

    The same figure as ``ListingQuerySet.with_available``, as one flat query for networks with thousands of
    facilities: ids are read as text, because building ids from thousands of rows costs more than the query, and
    safety stock comes as further rows (without ``reserved``) instead of by a subquery per listing.
    """
    stock = (
        Stock.objects.usable(today)
        .filter(listing__article_id__in=article_ids, listing__status=Listing.Status.ACTIVE)
        .order_by()
        .values_list(
            _text("listing__facility_id"), _text("listing__article_id"), "listing__reserved", "value"
        )
    )
    safety = (
        SafetyStock.objects.filter(article_id__in=article_ids)
        .order_by()
        .values_list(_text("facility_id"), _text("article_id"), _NO_NUMBER, "value")
    )
    available: dict[str, dict[str, int]] = {}
    kept = {}
    for facility, article, reserved, units in stock.union(safety, all=True):
        if reserved is None:
            kept[facility and _key(facility), _key(article)] = units
            continue
        shelf = available.setdefault(_key(facility), {})
        article = _key(article)
        shelf[article] = shelf.get(article, -reserved) + units
    for facility, shelf in available.items():
        for article, units in shelf.items():
            safe = kept.get((facility, article), kept.get((None, article), 0))
            shelf[article] = max(units - safe, 0)
    return available


def waiting_orders(today, *, facility_id=None):
    """Ids of the orders with a part that is tried again by itself, the oldest part first.

    With a facility: only those that want an article of which it has a unit to promise, or one that was unknown.
    """
    plans = RoutingPlan.objects.filter(status=RoutingPlan.Status.RETRYABLE)
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
    return list(dict.fromkeys(plans.order_by("created_at", "pk").values_list("order_id", flat=True)))


def load_workload():
    """Units routed to each facility that are not picked yet: ``{facility key: units}``."""
    rows = (
        RoutingPlanLine.objects.filter(
            plan__status__in=[RoutingPlan.Status.ROUTED, RoutingPlan.Status.LOCKED], done__lt=F("quantity")
        )
        .order_by()
        .values_list("plan__facility_id")
        .annotate(units=Sum(F("quantity") - F("done")))
    )
    return {str(facility_id): units for facility_id, units in rows}
