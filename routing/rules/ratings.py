"""Ratings give points to the facilities that passed the fences.

To add one, write one class below: it then appears in the configuration, in the decision log and on the pages.
"""

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from routing.rules.facts import Candidate, Demand
from routing.rules.geo import distance_km
from routing.rules.registry import Rule

RATINGS: dict[str, "Rating"] = {}
MAX_WEIGHT = 10


class Rating(Rule):
    """A figure that says how well a facility fits.

    ``weight`` is its weight in a new configuration, and so the most points it can give; 0 switches it off.
    """

    weight: ClassVar[float] = 0
    more_is_better: ClassVar[bool] = True
    unit: ClassVar[Any] = ""

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._enter(RATINGS)

    def raw(self, demand: Demand, candidate: Candidate) -> float | None:
        """The figure of one facility; None when it cannot be known."""
        raise NotImplementedError


class Geodistance(Rating):
    key = "GEODISTANCE"
    label = _("Distance")
    description = _("Great-circle distance from the facility to the address; nearer is better.")
    weight = 2
    more_is_better = False
    unit = _("km")

    def raw(self, demand, candidate):
        if demand.position is None or candidate.site.position is None:
            return None
        return distance_km(candidate.site.position, demand.position)


class StockAvailability(Rating):
    key = "STOCK_AVAILABILITY"
    label = _("Stock")
    description = _("Units of the order that the facility can pick; more is better.")
    weight = 10
    unit = _("units")

    def raw(self, demand, candidate):
        return candidate.supply(demand.lines)


class Workload(Rating):
    key = "WORKLOAD"
    label = _("Workload")
    description = _("Units routed to the facility that are not picked yet; fewer is better.")
    weight = 2
    more_is_better = False
    unit = _("open units")

    def raw(self, demand, candidate):
        return candidate.workload
