"""The candidates of an order by columns: there may be thousands, and most rules ask all of them for one figure."""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, reduce
from itertools import repeat
from typing import Any

from routing.rules.facts import Batch, Candidate, Line, Site
from routing.rules.geo import Position, direction, distances_km


class Sites(tuple[Site, ...]):
    """Facilities in their order. What seldom changes about them is worked out once for many orders."""

    @cached_property
    def keys(self) -> list[str]:
        return [site.key for site in self]

    @cached_property
    def place_of(self) -> dict[str, int]:
        return {key: place for place, key in enumerate(self.keys)}

    @cached_property
    def countries(self) -> list[str]:
        return [site.country for site in self]

    @cached_property
    def services(self) -> list[frozenset[str]]:
        return [site.services for site in self]

    @cached_property
    def location_types(self) -> list[str]:
        return [site.location_type for site in self]

    @cached_property
    def kinds_of_services(self) -> set[frozenset[str]]:
        return set(self.services)

    @cached_property
    def distances(self) -> Callable[[Position | None], list[float | None]]:
        """The distances from a position; places name a town or a postal code, so many orders have the same."""
        directions = [None if site.position is None else direction(site.position) for site in self]
        return lru_cache(maxsize=500)(lambda origin: distances_km(origin, directions))

    @cached_property
    def daily_capacities(self) -> list[int | None]:
        return [site.daily_capacity for site in self]


@dataclass(frozen=True, eq=False)
class Candidates(Sequence[Candidate]):
    """A sequence of ``Candidate``, each built when it is looked at by itself. Never changed: see ``after``.

    The figures stand in the order of ``sites``: units per article, and the others as ``Candidate`` has them. Where
    ``places`` names some of the sites, these are the candidates, in its order.
    """

    sites: Sites
    shelves: Mapping[str, Sequence[int]]
    workloads: Sequence[int]
    free_capacities: Sequence[int | None] | None = None
    makes_today: Sequence[bool] | None = None
    batches: Sequence[Mapping[str, tuple[Batch, ...]]] | None = None
    listings: Sequence[Mapping[str, Mapping[str, Any]]] | None = None
    places: Sequence[int] | None = None
    _built: dict[int, Candidate] = field(default_factory=dict, init=False, repr=False)
    _supply: dict[tuple[Line, ...], list[int]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> "Candidates":
        if isinstance(candidates, cls):
            return candidates
        each = list(candidates)
        articles = dict.fromkeys(article for one in each for article in one.available)
        made = cls(
            Sites([one.site for one in each]),
            {article: [one.available.get(article, 0) for one in each] for article in articles},
            [one.workload for one in each],
            [one.free_capacity for one in each],
            [one.makes_today for one in each],
            [one.batches for one in each],
            [one.listings for one in each],
        )
        made._built.update(enumerate(each))
        return made

    def __len__(self) -> int:
        return len(self.sites if self.places is None else self.places)

    def __getitem__(self, index):
        place = index if self.places is None else self.places[index]
        if place not in self._built:
            self._built[place] = self._candidate(place)
        return self._built[place]

    def __iter__(self):
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other):
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def _candidate(self, place):
        return Candidate(
            self.sites[place],
            {article: shelf[place] for article, shelf in self.shelves.items() if shelf[place]},
            self.workloads[place],
            None if self.free_capacities is None else self.free_capacities[place],
            self.makes_today is not None and self.makes_today[place],
            {} if self.batches is None else self.batches[place],
            {} if self.listings is None else self.listings[place],
        )

    def column(self, values: Sequence | None) -> Sequence:
        """Of values in the order of all sites those of the candidates; nothing of a figure that nobody has."""
        if values is None or self.places is None:
            return values or ()
        return [values[place] for place in self.places]

    @property
    def keys(self) -> Sequence[str]:
        return self.column(self.sites.keys)

    def units(self, article: str) -> Sequence[int]:
        """What each has of an article."""
        shelf = self.shelves.get(article)
        return [0] * len(self) if shelf is None else self.column(shelf)

    def supplies(self, lines: Sequence[Line]) -> list[list[int]]:
        """Per line the units that each has, at most those wanted."""
        return [_at_most(line.quantity, self.units(line.article)) for line in lines]

    def supply(self, lines: tuple[Line, ...]) -> list[int]:
        """How many of the wanted units each has."""
        if lines not in self._supply:
            self._supply[lines] = self._sum(self.supplies(lines))
        return self._supply[lines]

    def stock(self, lines: Iterable[Line]) -> Sequence[int]:
        """How many units of the wanted articles each has."""
        return self._sum([self.units(line.article) for line in lines])

    def _sum(self, columns):
        return reduce(added, columns) if columns else [0] * len(self)

    def at(self, indexes: Sequence[int]) -> "Candidates":
        """Some of them, in this order."""
        places = indexes if self.places is None else [self.places[index] for index in indexes]
        return self._share(replace(self, places=places))

    def only(self, keys: Iterable[str]) -> "Candidates":
        """Those with these keys, in their own order."""
        wanted = set(keys)
        return self.at([index for index, key in enumerate(self.keys) if key in wanted])

    def _share(self, other):
        other._built.update(self._built)
        return other

    def asked_for(self, lines: Iterable[Line]) -> "Candidates":
        """The same facilities, with the stock of these articles alone."""
        wanted = [line.article for line in lines if line.article in self.shelves]
        return replace(self, shelves={article: self.shelves[article] for article in wanted})

    def after(self, facility: str, lines: Iterable[Line]) -> "Candidates":
        """What they can do once a facility promised these units."""
        place, units, shelves = self.sites.place_of[facility], 0, dict(self.shelves)
        for line in lines:
            shelves[line.article] = _raised(shelves[line.article], place, -line.quantity)
            units += line.quantity
        free = self.free_capacities
        if free is not None and free[place] is not None:
            free = _raised(free, place, -units)
        workloads = _raised(self.workloads, place, units)
        return replace(self, shelves=shelves, workloads=workloads, free_capacities=free)


def _at_most(wanted, column):
    if column and min(column) >= wanted:
        return [wanted] * len(column)
    return [wanted if units > wanted else units for units in column]


def added(one: Sequence, other: Sequence) -> list:
    """The sum of two columns."""
    return list(map(operator.add, one, other))


def _raised(column, place, units):
    changed = list(column)
    changed[place] += units
    return changed


def spread(found: Mapping[str, Any], sites: Sites, missing: Any = 0) -> list:
    """A column of what was found per key of a facility."""
    return list(map(found.get, sites.keys, repeat(missing)))
