"""Ratings give points to the facilities that passed the fences.

To add one, write one class below: it then appears in the configuration, in the decision log and on the pages.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from routing.rules.candidates import Candidates
from routing.rules.facts import Absolute, Candidate, Demand, Line
from routing.rules.geo import distance_km
from routing.rules.registry import Rule

RATINGS: dict[str, "Rating"] = {}
MAX_WEIGHT = 10


class Rating(Rule):
    """A figure that says how well a facility fits.

    ``weight`` is its weight in a new configuration, and so the most points it can give; 0 switches it off.
    ``absolute`` are the thresholds that a new configuration proposes for scaling by fixed ends. ``may_change`` says
    whether the same facility might have another figure with the same stock.
    """

    weight: ClassVar[float] = 0
    more_is_better: ClassVar[bool] = True
    unit: ClassVar[Any] = ""
    absolute: ClassVar[Absolute] = Absolute(1, 0)
    may_change: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._enter(RATINGS)

    def raw(self, demand: Demand, candidate: Candidate) -> float | None:
        """The figure of one facility; None when it cannot be known."""
        raise NotImplementedError

    def figures(self, demand: Demand, candidates: Candidates) -> Sequence[float | None]:
        """The figure of every facility. A rating may answer from a column, exactly as ``raw`` would.

        One that compares the facilities with each other answers here alone.
        """
        return [self.raw(demand, candidate) for candidate in candidates]

    def measured(self, demand: Demand, raw: float) -> float:
        """The figure as a scale with fixed ends takes it."""
        return raw


class Geodistance(Rating):
    key = "GEODISTANCE"
    may_change = True
    label = _("Distance")
    description = _("Great-circle distance from the facility to the address; nearer is better.")
    weight = 2
    more_is_better = False
    unit = _("km")
    absolute = Absolute(0, 1000)

    def raw(self, demand, candidate):
        here = candidate.site.position
        return None if demand.position is None or here is None else distance_km(demand.position, here)

    def figures(self, demand, candidates):
        return candidates.column(candidates.sites.distances(demand.position))


class StockAvailability(Rating):
    key = "STOCK_AVAILABILITY"
    label = _("Stock")
    description = _("Units of the order that the facility can pick; more is better.")
    weight = 10
    unit = _("units")
    absolute = Absolute(100, 0)

    def raw(self, demand, candidate):
        return candidate.supply(demand.lines)

    def figures(self, demand, candidates):
        return candidates.supply(demand.lines)

    def measured(self, demand, raw):
        return 100 * raw / demand.quantity  # percent of the order


class Workload(Rating):
    key = "WORKLOAD"
    may_change = True
    label = _("Workload")
    description = _(
        "Units routed to the facility that are not picked yet, per unit of its daily capacity when that is limited; "
        "fewer is better."
    )
    weight = 2
    more_is_better = False
    unit = _("open units")
    absolute = Absolute(0, 500)

    def raw(self, demand, candidate):
        capacity = candidate.site.daily_capacity
        return candidate.workload / capacity if capacity else candidate.workload

    def figures(self, demand, candidates):
        workloads = candidates.column(candidates.workloads)
        if not any(candidates.sites.daily_capacities):
            return workloads
        capacities = candidates.column(candidates.sites.daily_capacities)
        return [
            units / capacity if capacity else units
            for units, capacity in zip(workloads, capacities, strict=True)
        ]


class PreferStore(Rating):
    key = "PREFER_STORE"
    label = _("Stores first")
    description = _("The facility is a store.")

    def raw(self, demand, candidate):
        return int(candidate.site.location_type == "STORE")

    def figures(self, demand, candidates):
        return [int(kind == "STORE") for kind in candidates.column(candidates.sites.location_types)]


class PreferWarehouse(Rating):
    key = "PREFER_WAREHOUSE"
    label = _("Warehouses first")
    description = _("The facility is a warehouse.")

    def raw(self, demand, candidate):
        return int(candidate.site.location_type == "WAREHOUSE")

    def figures(self, demand, candidates):
        return [int(kind == "WAREHOUSE") for kind in candidates.column(candidates.sites.location_types)]


class ExpiryDate(Rating):
    key = "EXPIRY_DATE"
    label = _("Expiry date")
    description = _("Mean days until the units that would be picked expire; what expires sooner goes first.")
    more_is_better = False
    unit = _("days")
    absolute = Absolute(0, 365)
    needs = frozenset({"batches"})

    def raw(self, demand, candidate):
        return _mean([(units, batch.days) for units, batch in candidate.used(demand.lines)])


class Zone(Rating):
    key = "ZONE"
    label = _("Zone")
    description = _("Mean score of the zones in which the units lie that would be picked.")
    absolute = Absolute(10, 0)
    needs = frozenset({"batches"})

    def raw(self, demand, candidate):
        return _mean([(units, batch.score) for units, batch in candidate.used(demand.lines)])


def _mean(weighed):
    """The mean of the known values, by units; None when none is known."""
    known = [(units, value) for units, value in weighed if value is not None]
    total = sum(units for units, _value in known)
    return sum(units * value for units, value in known) / total if total else None


class Capacity(Rating):
    key = "CAPACITY"
    may_change = True
    label = _("Free capacity")
    description = _(
        "Free slots within the planning days; a facility without a limit gets the mean of the others."
    )
    unit = _("free slots")
    absolute = Absolute(100, 0)
    needs = frozenset({"capacity"})

    def raw(self, demand, candidate):
        return candidate.free_capacity


class StockBalancing(Rating):
    key = "STOCK_BALANCING"
    label = _("Stock balance")
    description = _("Share of its stock of the ordered articles that the facility keeps after the order.")

    def raw(self, demand, candidate):
        before = sum(candidate.available.get(line.article, 0) for line in demand.lines)
        return 1 - candidate.supply(demand.lines) / before if before else 0

    def figures(self, demand, candidates):
        supply, stock = candidates.supply(demand.lines), candidates.stock(demand.lines)
        return [1 - units / before if before else 0 for units, before in zip(supply, stock, strict=True)]


class DeliveryCost(Rating):
    key = "DELIVERY_COST"
    may_change = True
    label = _("Delivery cost")
    description = _("What the cheapest carrier that delivers there takes for a parcel.")
    more_is_better = False
    absolute = Absolute(0, 20)

    def raw(self, demand, candidate):
        costs = [link.cost for link in candidate.site.carriers if link.serves(demand)]
        return min((cost for cost in costs if cost is not None), default=None)


class DeliveryTime(Rating):
    key = "DELIVERY_TIME"
    may_change = True
    label = _("Delivery time")
    description = _("Days that the fastest carrier that delivers there needs.")
    more_is_better = False
    unit = _("days")
    absolute = Absolute(0, 5)

    def raw(self, demand, candidate):
        days = [link.days for link in candidate.site.carriers if link.serves(demand)]
        return min((day for day in days if day is not None), default=None)


class NumberOfDeliveries(Rating):
    key = "NUMBER_OF_DELIVERIES"
    label = _("Number of deliveries")
    description = _("Parcels to the consumer when this facility sends what it has and others the rest.")
    more_is_better = False
    unit = _("parcels")
    absolute = Absolute(1, 3)

    def figures(self, demand, candidates):
        candidates = list(candidates)
        helpers: dict = {}  # many facilities leave the same lines to the others
        return [self._parcels(demand.lines, candidate, candidates, helpers) for candidate in candidates]

    def _parcels(self, lines, candidate, candidates, helpers):
        used = []
        while True:
            used.append(candidate)
            lines = _left(lines, candidate)
            if lines not in helpers:
                able = [other for other in candidates if lines and other.supply(lines)]
                helpers[lines] = sorted(able, key=lambda other: (-other.supply(lines), other.key))
            candidate = next((other for other in helpers[lines] if other not in used), None)
            if candidate is None:
                return len(used)


def _left(lines, candidate):
    rest = [(line, line.quantity - candidate.available.get(line.article, 0)) for line in lines]
    return tuple([Line(line.article, units) for line, units in rest if units > 0])


class CustomRating(Rating):
    key = "CUSTOM"
    label = _("Own rule")
    description = _("What the rule asks of order, facility, article and carrier holds.")
    is_own = True

    def raw(self, demand, candidate):
        return int(self.rule.holds(demand, candidate))
