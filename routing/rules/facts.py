"""What the rules know of an order and of a facility: plain values, no database, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one article. An order names every article once; equal lines are summed before."""

    article: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Demand:
    """What an order asks for. ``position`` is None when the address cannot be placed.

    ``preselected``, ``carriers`` (keys of preferred carriers) and ``blacklist`` are empty when nothing is asked.
    ``prices`` (per unit, by article) are known when a parcel must have a least value.
    ``attributes`` is what conditions and own rules may ask of the order, see ``custom.PATHS``.
    """

    service: str
    country: str
    position: tuple[float, float] | None
    lines: tuple[Line, ...]
    is_sameday: bool = False
    preselected: frozenset[str] = frozenset()
    carriers: frozenset[str] = frozenset()
    blacklist: frozenset[str] = frozenset()
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)
    prices: Mapping[str, float] = field(default_factory=dict, hash=False)

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True)
class CarrierLink:
    """An active carrier of a facility: what a parcel costs there and how many days it is on its way, if known."""

    key: str
    is_sameday: bool = False
    cost: float | None = None
    days: float | None = None
    countries: frozenset[str] = frozenset()

    def serves(self, demand: Demand) -> bool:
        """Whether it delivers what and where the order asks; without countries it goes everywhere."""
        return (
            (not self.countries or demand.country in self.countries)
            and (not demand.carriers or self.key in demand.carriers)
            and (not demand.is_sameday or self.is_sameday)
        )


@dataclass(frozen=True, slots=True)
class Site:
    """What seldom changes about a facility."""

    key: str
    name: str
    country: str
    services: frozenset[str]
    position: tuple[float, float] | None
    location_type: str = "STORE"
    carriers: tuple[CarrierLink, ...] = ()
    daily_capacity: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """Units of an article that lie together: days until they expire and the score of their zone, if known."""

    units: int
    days: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A facility together with what it can do right now.

    ``available`` holds the units per article that can be picked and are not promised to others; an article
    that is missing has none. ``batches`` says where they lie, in the order of their use. ``free_capacity`` is None
    without limit. ``listings`` is what own rules may ask of an article there.
    """

    site: Site
    available: Mapping[str, int] = field(default_factory=dict)
    workload: int = 0
    free_capacity: int | None = None
    makes_today: bool = False
    batches: Mapping[str, tuple[Batch, ...]] = field(default_factory=dict, hash=False)
    listings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        return self.site.key

    def supply(self, lines: tuple[Line, ...]) -> int:
        """How many of the wanted units the facility has."""
        get = self.available.get
        return sum([min(get(line.article, 0), line.quantity) for line in lines])

    def used(self, lines: tuple[Line, ...]) -> list[tuple[int, Batch]]:
        """(units, batch) of what would be picked for the lines, in the order of use."""
        taken = []
        for line in lines:
            rest = min(self.available.get(line.article, 0), line.quantity)
            for batch in self.batches.get(line.article, ()):
                units = min(rest, batch.units)
                if units:
                    taken.append((units, batch))
                rest -= units
        return taken


@dataclass(frozen=True, slots=True)
class Least:
    """What a part of a split order has at least: units, and their value by the price of each line."""

    units: int = 1
    value: float = 0
    prices: tuple[float, ...] = ()

    @property
    def is_anything(self) -> bool:
        """Whether every part is large enough."""
        return self.units <= 1 and self.value <= 0

    def is_met(self, taken: Sequence[int]) -> bool:
        """Whether so many units per line are enough for a part."""
        return sum(taken) >= self.units and (
            self.value <= 0
            or sum(units * price for units, price in zip(taken, self.prices, strict=True)) >= self.value
        )


@dataclass(frozen=True, slots=True)
class Absolute:
    """Fixed ends of a scale: ``best`` and better gives the full weight, ``worst`` and worse nothing."""

    best: float
    worst: float


@dataclass(frozen=True, slots=True)
class Policy:
    """The published configuration, as far as the rules need it.

    A fence or rating that is there several times has a name behind its key: ``CUSTOM.organic``. ``scales`` holds
    the ratings with fixed thresholds, ``rules`` the own rule per such name. A part of a split order has
    ``least_units`` and is worth ``least_value``.
    """

    fences: frozenset[str]
    weights: Mapping[str, float] = field(hash=False)
    may_split: bool = True
    max_split_count: int = 1
    is_exact: bool = True
    least_units: int = 1
    least_value: float = 0
    scales: Mapping[str, Absolute] = field(default_factory=dict, hash=False)
    rules: Mapping[str, Any] = field(default_factory=dict, hash=False)
