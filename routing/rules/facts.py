"""What the rules know of an order and of a facility: plain values, no database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one article. An order names every article once; equal lines are summed before."""

    article: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Demand:
    """What an order asks for. ``position`` is None when the address cannot be placed."""

    service: str
    country: str
    position: tuple[float, float] | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """What seldom changes about a facility."""

    key: str
    name: str
    country: str
    services: frozenset[str]
    position: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A facility together with what it can do right now.

    ``available`` holds the units per article that can be picked and are not promised to others; an article
    that is missing has none.
    """

    site: Site
    available: Mapping[str, int] = field(default_factory=dict)
    workload: int = 0

    @property
    def key(self) -> str:
        return self.site.key

    def supply(self, lines: tuple[Line, ...]) -> int:
        """How many of the wanted units the facility has."""
        get = self.available.get
        return sum([min(get(line.article, 0), line.quantity) for line in lines])


@dataclass(frozen=True, slots=True)
class Policy:
    """The published configuration, as far as the rules need it."""

    fences: frozenset[str]
    weights: Mapping[str, float]
    may_split: bool = True
    max_split_count: int = 1
