"""The way through the shelves: in which order the places of a pick are visited. Knows no database.

Running sequences first: a place with a lower one is visited earlier, whatever it costs. Among places of one running
sequence (0 when nobody gave one) those with coordinates follow a planned path, and those without come last, by name.

The floor is a warehouse of parallel aisles: who changes the aisle walks to its front (before bay 1) or to its back
(behind the last bay). The path is the shortest of three known ones (by aisle and bay; a serpentine; always the nearest
next), improved by turning parts of it round and by moving places, until neither makes it shorter (2-opt, Or-opt).
So it is never longer than walking aisle by aisle. It begins at the entrance and ends at the last place.
"""

import dataclasses
import itertools
from collections.abc import Hashable, Sequence

AISLE_WIDTH = 3.0  # from one aisle to the next, in bays
LEVEL_COST = 0.1  # reaching up; small, so that the levels of one bay stay together
MOST_IMPROVED = 120  # places; a longer path stays as it is built, because to improve it takes seconds
SHORTER = 1e-9


@dataclasses.dataclass(frozen=True)
class Stop:
    """A place to visit. ``key`` is the caller's; ``aisle`` and ``bay`` are None when nobody knows where it is."""

    key: Hashable
    sequence: int = 0
    aisle: int | None = None
    bay: int | None = None
    level: int | None = None
    name: str = ""

    @property
    def is_placed(self):
        return self.aisle is not None and self.bay is not None

    @property
    def naive(self):
        """Aisle by aisle, bay by bay; what has no place comes last, by name."""
        return (self.sequence, not self.is_placed, self.aisle or 0, self.bay or 0, self.level or 0, self.name)


ENTRANCE = Stop("entrance", aisle=1, bay=0)


def distance(one, other, depth):
    """Bays to walk between two placed stops; ``depth`` is where the aisles end at the back."""
    height = abs((one.level or 0) - (other.level or 0)) * LEVEL_COST
    if one.aisle == other.aisle:
        return abs(one.bay - other.bay) + height
    by_front, by_back = one.bay + other.bay, 2 * depth - one.bay - other.bay
    return abs(one.aisle - other.aisle) * AISLE_WIDTH + min(by_front, by_back) + height


def length(path, *, start=ENTRANCE, depth=None):
    """Bays to walk along a path from ``start``; stops without coordinates cost nothing, because nobody knows."""
    placed = [stop for stop in path if stop.is_placed]
    depth = depth_of(path) if depth is None else depth
    return sum(distance(one, other, depth) for one, other in itertools.pairwise([start, *placed]))


def depth_of(stops):
    """Where the aisles end at the back, as far as these stops tell."""
    return max((stop.bay for stop in stops if stop.is_placed), default=0) + 1


def plan(stops: Sequence[Stop], *, start: Stop = ENTRANCE, depth: int | None = None) -> list[Stop]:
    """The stops in the order of the walk.

    Args:
        start: where the walk begins: the entrance, or where the picker is when it is planned anew.
        depth: where the aisles end at the back; by default just behind the farthest stop.
    """
    depth = depth_of([*stops, start]) if depth is None else depth
    path: list[Stop] = []
    here = start
    for _sequence, group in itertools.groupby(
        sorted(stops, key=lambda stop: stop.naive), lambda stop: stop.sequence
    ):
        members = list(group)
        placed = _shortest([stop for stop in members if stop.is_placed], here, depth)
        path += placed + [stop for stop in members if not stop.is_placed]
        here = placed[-1] if placed else here
    return path


def _shortest(stops, start, depth):
    """A short path over placed stops, which come aisle by aisle."""

    def cost(path):
        return length(path, start=start, depth=depth)

    if len(stops) < 2:
        return stops
    known = [stops, *_serpentines(stops), _nearest_next(stops, start, depth)]
    best = min(known, key=cost)
    if len(stops) <= MOST_IMPROVED:
        best = _improve([start, *best], depth)[1:]
    return best


def _serpentines(stops):
    """Up one aisle and down the next, begun at its front or its back, from either side."""
    aisles = [list(group) for _aisle, group in itertools.groupby(stops, lambda stop: stop.aisle)]
    for ordered, first in itertools.product((aisles, aisles[::-1]), (0, 1)):
        yield [
            stop
            for number, aisle in enumerate(ordered, start=first)
            for stop in (aisle[::-1] if number % 2 else aisle)
        ]


def _nearest_next(stops, start, depth):
    left, path, here = list(stops), [], start
    while left:
        here = min(left, key=lambda stop: distance(here, stop, depth))
        left.remove(here)
        path.append(here)
    return path


def _improve(path, depth):
    """Turn parts round and move short parts, as long as that makes the path shorter. Its first stop stays first."""
    apart = {
        (one, other): distance(path[one], path[other], depth)
        for one in range(len(path))
        for other in range(len(path))
    }
    order = list(range(len(path)))
    while _turn(order, apart) or _move(order, apart):
        pass
    return [path[index] for index in order]


def _turn(order, apart):
    """Turn the first part round that makes the path shorter; False when there is none."""
    last = len(order) - 1
    for begin in range(1, last):
        before, first = order[begin - 1], order[begin]
        for end in range(begin + 1, last + 1):
            now, then = apart[before, first], apart[before, order[end]]
            if end < last:
                now += apart[order[end], order[end + 1]]
                then += apart[first, order[end + 1]]
            if then < now - SHORTER:
                order[begin : end + 1] = order[begin : end + 1][::-1]
                return True
    return False


def _move(order, apart):
    """Move the first one, two or three stops to where they make the path shorter; False when there are none."""
    for size in (1, 2, 3):
        for begin in range(1, len(order) - size + 1):
            part = order[begin : begin + size]
            rest = order[:begin] + order[begin + size :]
            gain = _saved(order, begin, size, apart)
            for place in range(1, len(rest) + 1):
                if place != begin and _added(rest, place, part, apart) < gain - SHORTER:
                    order[:] = rest[:place] + part + rest[place:]
                    return True
    return False


def _saved(order, begin, size, apart):
    before, first, last = order[begin - 1], order[begin], order[begin + size - 1]
    if begin + size == len(order):
        return apart[before, first]
    after = order[begin + size]
    return apart[before, first] + apart[last, after] - apart[before, after]


def _added(rest, place, part, apart):
    before, first, last = rest[place - 1], part[0], part[-1]
    if place == len(rest):
        return apart[before, first]
    after = rest[place]
    return apart[before, first] + apart[last, after] - apart[before, after]
