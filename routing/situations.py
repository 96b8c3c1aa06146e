"""What the facilities can do at a moment: read from the database for some orders at once, and kept with a decision."""

import dataclasses
import datetime
import functools
import hashlib
import json
import operator
import uuid
import zlib
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Aggregate, CharField, Count, F, Max, Prefetch, Sum, TextField, Value
from django.db.models.functions import Cast

from fulfillment.core.models import Carrier, Facility, FacilityCarrier, Listing, SafetyStock, Stock
from fulfillment.core.target_time import WEEKDAYS, cutoff_on
from routing.models import NetworkSnapshot, RoutingPlan, RoutingPlanLine
from routing.rules import Batch, Candidates, CarrierLink, Site, Sites, spread


@dataclasses.dataclass(frozen=True)
class Network:
    """The facilities that get new orders, and the key under which they are kept."""

    sites: Sites
    digest: str
    data: bytes


class _Known:
    """The network, kept until something of it changes. Read by many threads, replaced whole."""

    stamp: tuple | None = None
    network = Network(Sites(), "", b"")
    is_kept = False


_known = _Known()


def load_network(stamp):
    """The network as of ``stamp``, see ``network_stamp``; read again when it is another one."""
    global _known
    known = _known
    if known.stamp != stamp:
        known = _Known()
        known.stamp, known.network = stamp, _read_network()
        _known = known
    return known.network


def keep_network(network):
    """Have its row, which decisions point to. Written again until one of the transactions with it is committed."""
    known = _known
    if known.is_kept and known.network is network:
        return
    row = NetworkSnapshot(digest=network.digest, data=network.data)
    NetworkSnapshot.objects.bulk_create([row], ignore_conflicts=True)
    if known.network is network:
        transaction.on_commit(lambda: setattr(known, "is_kept", True))


def forget_network():
    """Read the network anew."""
    global _known
    _known = _Known()


# Two changes may commit in another order than they began, so the newest time alone may miss one.
STAMPS = {
    f"{model._meta.model_name}_{name}": (model, aggregate)
    for model in (Facility, FacilityCarrier, Carrier)
    for name, aggregate in (("count", Count("pk")), ("versions", Sum("version")), ("at", Max("modified_at")))
}


def network_stamp():
    """Annotations whose values change with the network: name -> aggregate over a model of it."""
    return {name: _of_all(model, aggregate) for name, (model, aggregate) in STAMPS.items()}


def _of_all(model, aggregate):
    return model.objects.order_by().values(all=Value(1)).annotate(x=aggregate).values("x")


def _read_network():
    carriers = FacilityCarrier.objects.filter(
        status=Carrier.Status.ACTIVE, carrier__status=Carrier.Status.ACTIVE
    ).select_related("carrier")
    rows = Facility.objects.online().order_by("pk").prefetch_related(Prefetch("carriers", carriers))
    sites = Sites([_site(row) for row in rows])
    data = json.dumps([_plain(site) for site in sites], separators=(",", ":"), sort_keys=True).encode()
    return Network(sites, hashlib.sha256(data).hexdigest(), zlib.compress(data))


def _site(row):
    daily = [sum(span.get("capacity") or 0 for span in row.picking_times.get(day, [])) for day in WEEKDAYS]
    return Site(
        key=str(row.pk),
        name=row.name,
        country=row.country,
        services=frozenset(row.services),
        position=None if row.latitude is None else (row.latitude, row.longitude),
        location_type=row.location_type,
        carriers=tuple(
            CarrierLink(
                key=link.carrier.key,
                is_sameday=link.carrier.delivery_type == Carrier.DeliveryType.SAMEDAY,
                cost=None if link.parcel_cost is None else float(link.parcel_cost),
                days=link.transit_days,
                countries=frozenset(link.delivery_countries),
            )
            for link in row.carriers.all()
        ),
        daily_capacity=max(daily) or None if row.capacity_enabled else None,
        attributes={
            "name": row.name,
            "tenantFacilityId": row.tenant_facility_id,
            "locationType": row.location_type,
            "country": row.country,
            "postalCode": row.postal_code,
            "city": row.city,
            "services": list(row.services),
            "tags": tags(row.tags),
            "customAttributes": row.custom_attributes,
        },
    )


def tags(rows):
    """``[{"id", "value"}]`` as ``{id: [value, ...]}``."""
    found: dict[str, list] = {}
    for tag in rows:
        if isinstance(tag, Mapping) and "id" in tag:
            found.setdefault(str(tag["id"]), []).append(tag.get("value"))
    return found


def _plain(site):
    plain = dataclasses.asdict(site)
    return plain | {
        "services": sorted(site.services),
        "carriers": [
            dataclasses.asdict(link) | {"countries": sorted(link.countries)} for link in site.carriers
        ],
    }


def restore_network(snapshot):
    """The facilities of a kept network, in their order."""
    return Sites(
        Site(
            **data
            | {
                "services": frozenset(data["services"]),
                "position": data["position"] and tuple(data["position"]),
                "carriers": tuple(
                    CarrierLink(**link | {"countries": frozenset(link["countries"])})
                    for link in data["carriers"]
                ),
            }
        )
        for data in json.loads(zlib.decompress(bytes(snapshot.data)))
    )


class Situation:
    """What the facilities can do, order after order: see ``take``."""

    def __init__(self, everybody):
        self.everybody = everybody

    def candidates(self, lines, chosen=None):
        """The facilities with what they can do right now for some lines; ``chosen`` names the only ones."""
        asked = self.everybody.asked_for(lines)
        return asked if chosen is None else asked.only(chosen)

    def take(self, part):
        """The units of a part are promised from now on."""
        self.everybody = self.everybody.after(part.facility, part.lines)


def load_situation(network, article_ids, now, *, policy_needs):
    """The figures of all facilities for some articles; further queries only for what ``policy_needs`` names.

    Args:
        policy_needs: a set of ``"batches"``, ``"capacity"``, ``"today"``, ``"listings"``.
    """
    today, sites = now.date(), network.sites
    available, workload = load_figures(article_ids, today)
    free, ready = _look_at_the_clock(workload, now) if policy_needs & {"capacity", "today"} else ({}, ())
    batches = load_batches(article_ids, today) if "batches" in policy_needs else None
    listings = load_listings(article_ids) if "listings" in policy_needs else None
    return Situation(
        Candidates(
            sites,
            {str(article): spread(available.get(str(article), {}), sites) for article in article_ids},
            spread(workload, sites),
            spread(free, sites, None) if free else None,
            [key in ready for key in sites.keys] if ready else None,
            None if batches is None else spread(batches, sites, {}),
            None if listings is None else spread(listings, sites, {}),
        )
    )


_NO_TEXT = Value(None, output_field=TextField())


class Joined(Aggregate):
    """The values of a group as one text, with spaces between. Several of a query have the same order."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ' ')"
    output_field = TextField()

    def __init__(self, expression):
        super().__init__(Cast(expression, CharField()))

    def as_sqlite(self, compiler, connection):
        return self.as_sql(compiler, connection, function="GROUP_CONCAT")


def _keys(text):
    """Ids with spaces between as their database writes them, as the rules have them."""
    ids = text.split(" ")
    return ids if "-" in text else list(map(_key, ids))


@functools.lru_cache(maxsize=20_000)  # the same facilities for every order
def _key(text):
    """SQLite leaves out the dashes."""
    return str(uuid.UUID(text))


def load_figures(article_ids, today):
    """What every facility can promise of some articles, and its units that are not picked yet.

    The promise is the same figure as ``ListingQuerySet.with_available``, as one flat query for networks with
    thousands of facilities: an article is one row, because reading thousands of rows costs more than the query, and
    safety stock and workload come as further rows instead of by subqueries. Stock rows are added up only where
    ``plain_units`` does not say the sum.

    Returns:
        ``{article key: {facility key: units}}`` and ``{facility key: units}``.
    """
    article_ids = list(article_ids)
    offered = Listing.objects.filter(article_id__any=article_ids, status=Listing.Status.ACTIVE).order_by()
    plain = (
        offered.filter(plain_units__gt=F("reserved"))
        .values(article_key=Cast("article_id", TextField()))
        .annotate(
            facilities=Joined("facility_id"),
            taken_off=Value("", output_field=TextField()),
            units=Joined(F("plain_units") - F("reserved")),
        )
        .values_list("article_key", "facilities", "taken_off", "units")
    )
    stock = (
        Stock.objects.usable(today)
        .filter(
            listing__article_id__any=article_ids,
            listing__status=Listing.Status.ACTIVE,
            listing__plain_units=None,
        )
        .order_by()
        .values(article=Cast("listing__article_id", TextField()))
        .annotate(
            facilities=Joined("listing__facility_id"),
            reserved=Joined("listing__reserved"),
            units=Joined("value"),
        )
        .values_list("article", "facilities", "reserved", "units")
    )
    safety = (
        SafetyStock.objects.filter(article_id__any=article_ids)
        .order_by()
        .values_list(
            Cast("article_id", TextField()),
            Cast("facility_id", TextField()),
            _NO_TEXT,
            Cast("value", TextField()),
        )
    )
    unpicked = (
        RoutingPlanLine.objects.filter(
            plan__status__in=[RoutingPlan.Status.ROUTED, RoutingPlan.Status.LOCKED], done__lt=F("quantity")
        )
        .order_by()
        .values(article=_NO_TEXT, facility=Cast("plan__facility_id", TextField()))
        .annotate(reserved=_NO_TEXT, units=Cast(Sum(F("quantity") - F("done")), TextField()))
        .values_list("article", "facility", "reserved", "units")
    )
    available: dict[str, dict[str, int]] = {}
    kept, workload = {}, {}
    for article, facilities, reserved, units in plain.union(stock, safety, unpicked, all=True):
        if article is None:
            workload[_key(facilities)] = int(units)
        elif reserved is None:
            kept[facilities and _key(facilities), _key(article)] = int(units)
        else:
            available.setdefault(_key(article), {}).update(_shelf(facilities, reserved, units))
    for article, shelf in available.items():
        if kept or min(shelf.values()) < 0:
            everywhere = kept.get((None, article), 0)
            for facility, units in shelf.items():
                shelf[facility] = max(units - kept.get((facility, article), everywhere), 0)
    return available, workload


def _shelf(facilities, reserved, units):
    """``{facility key: units}`` out of the texts of one article."""
    keys = _keys(facilities)
    if not reserved:
        return dict(zip(keys, map(int, units.split(" ")), strict=True))
    held, values = map(int, reserved.split(" ")), map(int, units.split(" "))
    shelf = dict(zip(keys, map(operator.sub, values, held), strict=True))
    if len(shelf) == len(keys):
        return shelf
    # A facility is there once per place of its stock, each time with all that is reserved.
    shelf = {}
    for key, held, value in zip(keys, reserved.split(" "), units.split(" "), strict=True):
        shelf[key] = shelf.get(key, -int(held)) + int(value)
    return shelf


def load_batches(article_ids, today):
    """Where the usable units lie, what expires first first: ``{facility key: {article key: (Batch, ...)}}``."""
    rows = (
        Stock.objects.usable(today)
        .filter(listing__article_id__in=article_ids, listing__status=Listing.Status.ACTIVE, value__gt=0)
        .order_by(F("expires_on").asc(nulls_last=True), "location__running_sequence", "pk")
        .values_list(
            "listing__facility_id",
            "listing__article_id",
            "value",
            "expires_on",
            "location__zone__score",
        )
    )
    found: dict[str, dict[str, tuple[Batch, ...]]] = {}
    for facility, article, units, expires_on, score in rows:
        shelf = found.setdefault(str(facility), {})
        days = None if expires_on is None else (expires_on - today).days
        shelf[str(article)] = (*shelf.get(str(article), ()), Batch(units, days, score))
    return found


def load_listings(article_ids):
    """What own rules may ask of an article at a facility: ``{facility key: {article key: attributes}}``."""
    rows = Listing.objects.filter(article_id__in=article_ids).select_related("article").order_by()
    found: dict[str, dict[str, Mapping]] = {}
    for row in rows:
        found.setdefault(str(row.facility_id), {})[str(row.article_id)] = {
            "tenantArticleId": row.article.sku,
            "title": row.title or row.article.title,
            "tags": tags(row.article.tags) | tags(row.tags),
            "attributes": {
                entry["key"]: entry.get("value")
                for entry in row.attributes
                if isinstance(entry, Mapping) and "key" in entry
            },
            "customAttributes": {**row.article.custom_attributes, **row.custom_attributes},
        }
    return found


def _look_at_the_clock(workload, now):
    """``{facility key: free capacity within its planning days}``, and who is ready before the last same-day cut-off."""
    rows = Facility.objects.online().prefetch_related("closing_days", "carriers__carrier")
    free, ready = {}, set()
    for row in rows:
        key, closing_days = str(row.pk), list(row.closing_days.all())

        def closed_on(day, closing_days=closing_days):
            return any(closing.covers(day) for closing in closing_days)

        local = now.astimezone(row.tz)
        if row.capacity_enabled:
            days = [
                day
                for offset in range(row.capacity_planning_days)
                if not closed_on(day := local.date() + datetime.timedelta(days=offset))
            ]
            slots = [
                span.get("capacity") or 0
                for day in days
                for span in row.picking_times.get(WEEKDAYS[day.weekday()], [])
                if day > local.date() or span["end"] > local.strftime("%H:%M")
            ]
            free[key] = sum(slots) - workload.get(key, 0)
        cutoffs = [
            clock
            for link in row.carriers.all()
            if link.is_active
            and link.carrier.delivery_type == Carrier.DeliveryType.SAMEDAY
            and (clock := cutoff_on(link.cutoffs, local.date()))
        ]
        if cutoffs and not closed_on(local.date()):
            until = datetime.datetime.combine(local.date(), datetime.time.fromisoformat(max(cutoffs)), row.tz)
            done = row.ready_time(now)
            if done is not None and done <= until:
                ready.add(key)
    return free, ready
