"""Fences exclude every facility that misses a criterion.

To add one, write one class below: it then appears in the configuration, in the decision log and on the pages.
"""

from typing import ClassVar

from django.utils.translation import gettext_lazy as _

from routing.rules.candidates import Candidates
from routing.rules.facts import Candidate, Demand
from routing.rules.registry import Rule

FENCES: dict[str, "Fence"] = {}


class Fence(Rule):
    """A criterion that a facility meets or not.

    ``active`` is its state in a new configuration. A reactive fence is missed for now only: what the order waits
    for (stock, a free slot) may come, and then it is tried again. ``is_about_stock``: goods that arrive are enough.
    """

    active: ClassVar[bool] = False
    is_reactive: ClassVar[bool] = False
    is_about_stock: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls._enter(FENCES)

    def passes(self, demand: Demand, candidate: Candidate) -> bool:
        raise NotImplementedError

    def missed(self, demand: Demand, candidates: Candidates) -> list[int]:
        """Who does not pass, by index. A fence may answer from a column, exactly as ``passes`` would."""
        return [index for index, one in enumerate(candidates) if not self.passes(demand, one)]

    def expected(self, demand: Demand) -> str:
        """What the order asks for, for the decision log."""
        raise NotImplementedError

    def actual(self, demand: Demand, candidate: Candidate) -> str:
        """What the facility has, for the decision log."""
        raise NotImplementedError


class Blacklist(Fence):
    key = "BLACKLIST"
    label = _("Not again")
    description = _("The facility did not give this order up before (short pick, abort, too late).")
    active = True

    def passes(self, demand, candidate):
        return candidate.site.key not in demand.blacklist

    def missed(self, demand, candidates):
        if not demand.blacklist:
            return []
        return [index for index, key in enumerate(candidates.keys) if key in demand.blacklist]

    def expected(self, demand):
        return "new"

    def actual(self, demand, candidate):
        return "excluded"


class ServiceType(Fence):
    key = "SERVICE_TYPE"
    label = _("Service type")
    description = _("The facility offers the service that the order needs, for example ship-from-store.")
    active = True

    def passes(self, demand, candidate):
        return demand.service in candidate.site.services

    def missed(self, demand, candidates):
        missing = {kind for kind in candidates.sites.kinds_of_services if demand.service not in kind}
        if not missing:
            return []
        services = candidates.column(candidates.sites.services)
        return [index for index, offered in enumerate(services) if offered in missing]

    def expected(self, demand):
        return demand.service

    def actual(self, demand, candidate):
        return ", ".join(sorted(candidate.site.services))


class Country(Fence):
    key = "COUNTRY"
    label = _("Country")
    description = _("The facility is in the country of the postal address.")
    active = True

    def passes(self, demand, candidate):
        return candidate.site.country == demand.country

    def missed(self, demand, candidates):
        countries, asked = candidates.column(candidates.sites.countries), demand.country
        if countries.count(asked) == len(countries):
            return []
        return [index for index, country in enumerate(countries) if country != asked]

    def expected(self, demand):
        return demand.country

    def actual(self, demand, candidate):
        return candidate.site.country


class CompleteStock(Fence):
    key = "COMPLETE_STOCK"
    label = _("Complete stock")
    description = _("The facility has every unit of the order. Not together with splitting.")
    is_reactive = is_about_stock = True

    def passes(self, demand, candidate):
        return candidate.supply(demand.lines) == demand.quantity

    def missed(self, demand, candidates):
        supply, asked = candidates.supply(demand.lines), demand.quantity
        return [index for index, units in enumerate(supply) if units != asked]

    def expected(self, demand):
        return str(demand.quantity)

    def actual(self, demand, candidate):
        return str(candidate.supply(demand.lines))


class MinimumPicking(Fence):
    key = "MINIMUM_PICKING"
    label = _("At least one unit")
    description = _("The facility has at least one unit of the order.")
    is_reactive = is_about_stock = True

    def passes(self, demand, candidate):
        return candidate.supply(demand.lines) > 0

    def missed(self, demand, candidates):
        return [index for index, units in enumerate(candidates.supply(demand.lines)) if units <= 0]

    def expected(self, demand):
        return "1"

    def actual(self, demand, candidate):
        return "0"


class Preselected(Fence):
    key = "PRESELECTED"
    label = _("Preselected")
    description = _("The facility is among those that the shop preselected, when it named some.")
    active = True

    def passes(self, demand, candidate):
        return not demand.preselected or candidate.site.key in demand.preselected

    def missed(self, demand, candidates):
        if not demand.preselected:
            return []
        return [index for index, key in enumerate(candidates.keys) if key not in demand.preselected]

    def expected(self, demand):
        return str(len(demand.preselected))

    def actual(self, demand, candidate):
        return "0"


class CarrierFence(Fence):
    key = "CARRIER"
    label = _("Carrier")
    description = _("A carrier that the order prefers is active at the facility, when it prefers one.")

    def passes(self, demand, candidate):
        return not demand.carriers or any(link.key in demand.carriers for link in candidate.site.carriers)

    def missed(self, demand, candidates):
        return super().missed(demand, candidates) if demand.carriers else []

    def expected(self, demand):
        return ", ".join(sorted(demand.carriers))

    def actual(self, demand, candidate):
        return ", ".join(sorted(link.key for link in candidate.site.carriers))


class Sameday(Fence):
    key = "SAMEDAY"
    label = _("Same day")
    description = _("A same-day order is ready before the last cut-off of a same-day carrier today.")
    needs = frozenset({"today"})

    def passes(self, demand, candidate):
        return not demand.is_sameday or candidate.makes_today

    def missed(self, demand, candidates):
        return super().missed(demand, candidates) if demand.is_sameday else []

    def expected(self, demand):
        return "SAMEDAY"

    def actual(self, demand, candidate):
        return ", ".join(sorted(link.key for link in candidate.site.carriers if link.is_sameday))


class CapacityFence(Fence):
    key = "CAPACITY"
    label = _("Capacity")
    description = _("The facility has a free slot within its planning days, when its capacity is limited.")
    is_reactive = True
    needs = frozenset({"capacity"})

    def passes(self, demand, candidate):
        return candidate.free_capacity is None or candidate.free_capacity > 0

    def missed(self, demand, candidates):
        return super().missed(demand, candidates) if candidates.free_capacities else []

    def expected(self, demand):
        return "1"

    def actual(self, demand, candidate):
        return str(candidate.free_capacity)


class CustomFence(Fence):
    key = "CUSTOM"
    label = _("Own rule")
    description = _("What the rule asks of order, facility, article and carrier holds.")
    is_own = True

    def passes(self, demand, candidate):
        return self.rule.holds(demand, candidate)

    def expected(self, demand):
        return str(self.rule)

    def actual(self, demand, candidate):
        return self.rule.seen(demand, candidate)
