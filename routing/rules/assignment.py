"""Which facilities share an order: exact, by branch and bound.

Best is, in this order: fewest units left over, fewest parts, most points. The points of a facility are those of the
ranking of the whole order, weighed by the units it takes.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from routing.rules.candidates import Candidates
from routing.rules.facts import Candidate, Least, Line

EPSILON = 1e-9
ANYTHING = Least()


@dataclass(frozen=True, slots=True)
class Choice:
    """Facilities in the order in which they are filled: the one with most points takes all that it has."""

    members: tuple[int, ...]
    covered: int
    score: float

    def is_better(self, other: "Choice | None") -> bool:
        if other is None or self.covered != other.covered:
            return other is None or self.covered > other.covered
        if len(self.members) != len(other.members):
            return len(self.members) < len(other.members)
        return self.score > other.score + EPSILON * max(self.covered, 1)


@dataclass(frozen=True, slots=True)
class Found:
    """The best choice; what the search knows of it.

    ``looked_at`` counts the sets of facilities that were tried; ``is_proven`` says that none is better; ``tied`` are
    the single facilities that are exactly as good.
    """

    best: Choice | None
    runner_up: Choice | None
    looked_at: int
    is_proven: bool
    tied: tuple[int, ...] = ()


@dataclass
class _Search:
    """One search. ``supplies`` are the units per line that each facility has, at most those wanted."""

    wanted: list[int]
    supplies: list[tuple[int, ...]]
    points: list[float]
    largest: int
    least: Least
    may_go_on: Callable[[int], bool]
    looked_at: int = 0
    is_stopped: bool = False
    best: Choice | None = None
    second: Choice | None = None
    tied: list[int] = field(default_factory=list)
    covers: list[int] = field(init=False)  # units that each facility covers alone

    def __post_init__(self):
        self.covers = list(map(sum, self.supplies))

    def offer(self, choice):
        self.looked_at += 1
        if choice.is_better(self.best):
            self.best, self.second = choice, self.best
        elif choice.is_better(self.second) and set(choice.members) != set(self.best.members):
            self.second = choice

    def singles(self, order):
        """Every facility on its own. Written for thousands of them: only the best two become choices."""
        if not order:
            return
        self.looked_at += len(order)
        covers, points = self.covers, self.points
        most = max(covers)
        first = [index for index in order if covers[index] == most]
        high = max([points[index] for index in first])
        self.tied = [index for index in first if most * (high - points[index]) <= EPSILON * most]
        best = self.tied[0]
        self.best = Choice((best,), most, most * points[best])
        second = self.next_best([index for index in order if index != best], covers)
        if second is not None:
            self.second = Choice((second,), covers[second], covers[second] * points[second])

    def next_best(self, order, covers):
        """The facility that covers most, among equals the one with most points, among those the first."""
        most = max([covers[index] for index in order], default=0)
        equal = [index for index in order if covers[index] == most]
        return max(equal, key=self.points.__getitem__, default=None)

    def fill(self, members: Iterable[int]) -> Choice:
        """What the facilities cover together; those without a unit left to take are left out."""
        rest, covered, score, taking = list(self.wanted), 0, 0.0, []
        for index in sorted(members, key=lambda one: -self.points[one]):
            taken = [min(left, units) for left, units in zip(rest, self.supplies[index], strict=True)]
            if units := sum(taken):
                rest = [left - one for left, one in zip(rest, taken, strict=True)]
                covered, score = covered + units, score + units * self.points[index]
                taking.append(index)
        return Choice(tuple(taking), covered, score)

    def sets(self, order, size):
        """Every set of ``size`` that may still be the best, depth first."""
        tops = _tops(order, self.supplies, size)
        self._extend(order, tops, size, 0, (), list(self.wanted), 0, 0.0)

    def _extend(self, order, tops, missing, start, members, rest, covered, score):
        if missing == 0:
            self.offer(Choice(members, covered, score))
            return
        for position in range(start, len(order) - missing + 1):
            # What the facilities from here on could add at most, and with how many points.
            reach = covered + sum(map(min, rest, tops[missing][position]))
            bound = Choice(
                members + (-1,) * missing, reach, score + (reach - covered) * self.points[order[position]]
            )
            if self.best is not None and not bound.is_better(self.best):
                return  # further positions reach less still
            if not self.may_go_on(self.looked_at):
                self.is_stopped = True
                return
            index = order[position]
            taken = list(map(min, rest, self.supplies[index]))
            units = sum(taken)
            if not self.least.is_met(taken):
                continue
            self._extend(
                order,
                tops,
                missing - 1,
                position + 1,
                (*members, index),
                [left - one for left, one in zip(rest, taken, strict=True)],
                covered + units,
                score + units * self.points[index],
            )
            if self.is_stopped:
                return


def search(
    lines: Sequence[Line],
    candidates: Sequence[Candidate],
    points: Sequence[float],
    *,
    most_parts: int,
    least: Least = ANYTHING,
    start: Sequence[str] = (),
    may_go_on: Callable[[int], bool] = lambda looked_at: True,
) -> Found:
    """The best choice of at most ``most_parts`` facilities.

    Args:
        candidates, points: in the order of preference among equals; the points of each on the whole order.
        least: what a part of a split has at least.
        start: keys of a good choice to begin with.
        may_go_on: asked with the number of sets tried; False ends the search with the best found so far.
    """
    wanted = [line.quantity for line in lines]
    candidates = Candidates.of(candidates)
    supplies = list(zip(*candidates.supplies(lines), strict=True)) if lines else [()] * len(candidates)
    one = _Search(wanted, supplies, list(points), most_parts, least, may_go_on)
    able = [index for index, units in enumerate(one.covers) if units]
    one.singles(able)
    all_covered = sum(
        min(units, sum(column)) for units, column in zip(wanted, zip(*one.supplies, strict=True), strict=True)
    )
    if able and most_parts > 1 and one.best is not None and one.best.covered < all_covered:
        position = {key: index for index, key in enumerate(candidates.keys)}
        begin = one.fill([position[key] for key in start])
        if 0 < len(begin.members) <= most_parts and least.is_anything:
            one.offer(begin)
        order = sorted(able, key=lambda index: -points[index])  # stable: the preference among equals stays
        order = _undominated(order, one.supplies, most_parts)
        for size in range(2, min(most_parts, len(order)) + 1):
            if one.is_stopped or (one.best.covered == all_covered and len(one.best.members) < size):
                break
            one.sets(order, size)
    others = _without(one, able, most_parts)
    if others is not None and others.is_better(one.second):
        one.second = others
    is_single = one.best is not None and len(one.best.members) == 1
    return Found(
        best=one.best,
        runner_up=one.second,
        looked_at=one.looked_at,
        is_proven=not one.is_stopped and (least.is_anything or is_single),
        tied=tuple(one.tied) if is_single and len(one.tied) > 1 else (),
    )


def _without(one, able, most_parts):
    """What would be chosen, step by step, if the first facility of the best choice were not there."""
    if one.best is None:
        return None
    left = [index for index in able if index != one.best.members[0]]
    rest, covers, members = list(one.wanted), one.covers, []
    while True:
        index = one.next_best(left, covers)
        if index is None or covers[index] == 0:
            break
        members.append(index)
        left.remove(index)
        rest = [wanted - min(wanted, own) for wanted, own in zip(rest, one.supplies[index], strict=True)]
        if len(members) == most_parts or not any(rest):
            break
        covers = {index: sum(map(min, rest, one.supplies[index])) for index in left}
    return one.fill(members) if members else None


def _undominated(order, supplies, most_parts):
    """Leave out a facility when as many others as there may be parts have no fewer points and no fewer of any unit.

    One of them is outside of any choice with it, and can take its place without loss.
    """
    kept: list[int] = []
    for index in order:
        own, better = supplies[index], 0
        for other in kept:
            if all(map(operator.ge, supplies[other], own)):
                better += 1
                if better == most_parts:
                    break
        else:
            kept.append(index)
    return kept


def _tops(order, supplies, size):
    """``tops[m][position]``: per line, the most that any ``m`` facilities from ``position`` on have together."""
    lines = range(len(supplies[order[0]]))
    tops = [[[0 for _line in lines] for _position in range(len(order) + 1)] for _count in range(size + 1)]
    for line in lines:
        best: list[int] = []  # the largest so far, from the end
        for position in range(len(order) - 1, -1, -1):
            best = sorted([*best, supplies[order[position]][line]], reverse=True)[:size]
            total = 0
            for count in range(1, size + 1):
                total += best[count - 1] if count <= len(best) else 0
                tops[count][position][line] = total
    return tops
