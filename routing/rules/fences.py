"""Fences exclude every facility that misses a criterion.

To add one, write one class below: it then appears in the configuration, in the decision log and on the pages.
"""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from routing.rules.facts import Candidate, Demand
from routing.rules.registry import Rule

FENCES: dict[str, "Fence"] = {}


class Fence(Rule):
    """A criterion that a facility meets or not.

    ``active`` is its state in a new configuration. A fence that reads stock or workload sets
    ``needs_figures``: those are loaded only for the facilities that all other fences let through.
    """

    active: ClassVar[bool] = False
    needs_figures: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._enter(FENCES)

    def passes(self, demand: Demand, candidate: Candidate) -> bool:
        raise NotImplementedError

    def expected(self, demand: Demand) -> str:
        """What the order asks for, for the decision log."""
        raise NotImplementedError

    def actual(self, candidate: Candidate) -> str:
        """What the facility has, for the decision log."""
        raise NotImplementedError


class ServiceType(Fence):
    key = "SERVICE_TYPE"
    label = _("Service type")
    description = _("The facility offers the service that the order needs, for example ship-from-store.")
    active = True

    def passes(self, demand, candidate):
        return demand.service in candidate.site.services

    def expected(self, demand):
        return demand.service

    def actual(self, candidate):
        return ", ".join(sorted(candidate.site.services))


class Country(Fence):
    key = "COUNTRY"
    label = _("Country")
    description = _("The facility is in the country of the postal address.")
    active = True

    def passes(self, demand, candidate):
        return candidate.site.country == demand.country

    def expected(self, demand):
        return demand.country

    def actual(self, candidate):
        return candidate.site.country
