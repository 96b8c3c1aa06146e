"""From an order and its candidates to a decision with every number that led to it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property, lru_cache, reduce
from itertools import compress
from random import Random

from routing.rules.assignment import EPSILON, Choice, Found, search
from routing.rules.candidates import Candidates, added
from routing.rules.facts import Candidate, Demand, Least, Line, Policy
from routing.rules.fences import FENCES, Fence
from routing.rules.ratings import RATINGS, Rating
from routing.rules.registry import find
from routing.rules.scaling import DIGITS, Column, column


@dataclass(frozen=True, slots=True)
class Exclusion:
    """The facilities that missed one fence in the same way."""

    fence: str
    expected: str
    actual: str
    facilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The candidates for some lines, best first; every column and ``totals`` stand in the same order.

    ``tied`` names the facilities the seed drew from, and is empty when the points alone decided.
    """

    lines: tuple[Line, ...]
    candidates: tuple[Candidate, ...]
    columns: tuple[Column, ...]
    totals: tuple[float, ...]
    tied: tuple[str, ...]
    winner: Candidate | None


@dataclass(frozen=True, slots=True)
class Part:
    """The units that one facility takes."""

    facility: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Placement:
    """What is done about a decision: the parts that are made, and what waits. ``fallback`` took what routing could not."""

    parts: tuple[Part, ...]
    left: tuple[Line, ...]
    fallback: tuple[str, ...] = ()


class Loss(StrEnum):
    """Why the runner-up lost: fewer units, more parcels, fewer points per unit, or the draw."""

    UNITS = "UNITS"
    PARCELS = "PARCELS"
    POINTS = "POINTS"
    DRAW = "DRAW"


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The second-best choice and by how much it lost."""

    facilities: tuple[str, ...]
    loss: Loss
    difference: float


@dataclass(frozen=True, slots=True)
class Story:
    """What led to a split, for those who ask. Exact: one ranking, of the whole order. Step by step: one per part."""

    rankings: tuple[Ranking, ...] = ()
    runner_up: RunnerUp | None = None


@dataclass(frozen=True)
class Split:
    """Who takes what, and what nobody takes.

    ``looked_at`` counts the sets of facilities that were compared, 0 when they were taken step by step. The story is
    told when it is asked for: most splits are made for orders that nobody ever asks about.
    """

    parts: tuple[Part, ...]
    remainder: tuple[Line, ...]
    looked_at: int = 0
    is_proven: bool = False
    tell: Callable[[], Story] = field(default=Story, compare=False, repr=False)

    @cached_property
    def _story(self) -> Story:
        return self.tell()

    @property
    def rankings(self) -> tuple[Ranking, ...]:
        return self._story.rankings

    @property
    def runner_up(self) -> RunnerUp | None:
        return self._story.runner_up


@dataclass(frozen=True)
class Decision:
    survivors: Candidates
    split: Split
    seed: int
    tell_exclusions: Callable[[], tuple[Exclusion, ...]] = field(compare=False, repr=False)

    @cached_property
    def exclusions(self) -> tuple[Exclusion, ...]:
        return self.tell_exclusions()


def _always(looked_at: int) -> bool:
    return True


def decide(
    demand: Demand,
    candidates: Iterable[Candidate],
    policy: Policy,
    seed: int,
    may_go_on: Callable[[int], bool] = _always,
) -> Decision:
    """Fences, ratings, split in one go, for candidates whose figures are all loaded.

    ``may_go_on`` ends the search for the best split, see ``assignment.search``: the caller has the clock.
    """
    candidates, fences = Candidates.of(candidates), active_fences(policy)
    survivors, missed = _sift(demand, candidates, fences)
    made = split(demand, survivors, policy, seed, may_go_on)
    return Decision(survivors, made, seed, lambda: _exclusions(demand, candidates, missed))


@lru_cache(maxsize=200)  # the same few policies for every order
def active_fences(policy: Policy) -> tuple[Fence, ...]:
    """In the order of their classes, whatever the order of the configuration."""
    uses = [use for use in sorted(policy.fences) if find(FENCES, use)]
    uses.sort(key=lambda use: list(FENCES).index(use.partition(".")[0]))
    return tuple([find(FENCES, use).bound(use, policy.rules.get(use)) for use in uses])


@lru_cache(maxsize=200)
def active_ratings(policy: Policy) -> tuple[Rating, ...]:
    """Those with a weight, in the order of their classes."""
    uses = [use for use in sorted(policy.weights) if policy.weights[use] > 0 and find(RATINGS, use)]
    uses.sort(key=lambda use: list(RATINGS).index(use.partition(".")[0]))
    return tuple([find(RATINGS, use).bound(use, policy.rules.get(use)) for use in uses])


def exclude(
    demand: Demand, candidates: Iterable[Candidate], fences: Iterable[Fence]
) -> tuple[Candidates, tuple[Exclusion, ...]]:
    """Part the candidates by the fences; a facility is listed under every fence that it misses."""
    candidates = Candidates.of(candidates)
    survivors, missed = _sift(demand, candidates, fences)
    return survivors, _exclusions(demand, candidates, missed)


def _sift(demand, candidates, fences):
    """Who passes every fence; and per fence who does not, by index."""
    missed = [(fence, fence.missed(demand, candidates)) for fence in fences]
    out = set().union(*(indexes for _fence, indexes in missed))
    if not out:
        return candidates, missed
    return candidates.at([index for index in range(len(candidates)) if index not in out]), missed


def _exclusions(demand, candidates, missed):
    groups: dict[tuple[str, str, str], list[str]] = {}
    for fence, indexes in missed:
        expected = fence.expected(demand) if indexes else ""
        for one in map(candidates.__getitem__, indexes):
            groups.setdefault((fence.use, expected, fence.actual(demand, one)), []).append(one.key)
    return tuple([Exclusion(*group, tuple(sorted(keys))) for group, keys in groups.items()])


@dataclass(frozen=True)
class Rated:
    """Candidates with their points, in their order. ``sums`` are the totals before they are rounded."""

    candidates: Candidates
    columns: tuple[Column, ...]
    sums: Sequence[float]

    def total(self, index: int) -> float:
        return round(self.sums[index], DIGITS)

    @cached_property
    def totals(self) -> list[float]:
        return [round(total, DIGITS) for total in self.sums]

    def ranking(
        self, lines: tuple[Line, ...], tied: Iterable[int] = (), winner: int | None = None
    ) -> Ranking:
        """The best first; equal totals stand in the order of their keys."""
        keys = self.candidates.keys
        order = sorted(range(len(keys)), key=keys.__getitem__)
        order.sort(key=self.totals.__getitem__, reverse=True)

        def ordered(values):
            return tuple(map(values.__getitem__, order))

        return Ranking(
            lines=lines,
            candidates=ordered(self.candidates),
            columns=tuple(
                [replace(one, raw=ordered(one.raw), points=ordered(one.points)) for one in self.columns]
            ),
            totals=ordered(self.totals),
            tied=tuple(sorted([keys[index] for index in tied])),
            winner=None if winner is None else self.candidates[winner],
        )


def rate(demand: Demand, candidates: Candidates, policy: Policy) -> Rated:
    """The points of the candidates by every rating that counts."""
    columns = [
        column(
            rating.use,
            policy.weights[rating.use],
            rating.figures(demand, candidates),
            more_is_better=rating.more_is_better,
            absolute=policy.scales.get(rating.use),
            measured=lambda raw, rating=rating: rating.measured(demand, raw),
        )
        for rating in active_ratings(policy)
    ]
    points = [column.points for column in columns]
    sums = reduce(added, points) if points else [0.0] * len(candidates)
    return Rated(candidates, tuple(columns), sums)


def rank(
    demand: Demand,
    candidates: Iterable[Candidate],
    policy: Policy,
    seed: int,
    round_number: int = 1,
) -> Ranking:
    """Rate the candidates and draw among the best.

    Only a facility that has at least one of the units can win: a part without units would be no part.
    """
    rated = rate(demand, Candidates.of(candidates), policy)
    totals, keys = rated.totals, rated.candidates.keys
    able = [index for index, units in enumerate(rated.candidates.supply(demand.lines)) if units]
    if not able:
        return rated.ranking(demand.lines)
    best = max([totals[index] for index in able])
    tied = sorted([index for index in able if totals[index] == best], key=keys.__getitem__)
    if len(tied) == 1:
        return rated.ranking(demand.lines, (), tied[0])
    winner = Random(f"{seed}/{round_number}").choice(tied)
    return rated.ranking(demand.lines, tied, winner)


def split(
    demand: Demand,
    candidates: Sequence[Candidate],
    policy: Policy,
    seed: int,
    may_go_on: Callable[[int], bool] = _always,
) -> Split:
    """Who takes what: the best of all ways (exact), or step by step."""
    if not policy.is_exact or not demand.lines:
        return split_by_steps(demand, candidates, policy, seed)
    return split_exactly(demand, candidates, policy, seed, may_go_on)


def split_exactly(
    demand: Demand,
    candidates: Sequence[Candidate],
    policy: Policy,
    seed: int,
    may_go_on: Callable[[int], bool] = _always,
) -> Split:
    """The choice of facilities that leaves the fewest units, makes the fewest parts and has the most points.

    The points are those of the ranking of the whole order. Ties are drawn by the seed.
    """
    rated = rate(demand, Candidates.of(candidates), policy)
    if not rated.candidates:
        return Split((), demand.lines, is_proven=True)

    def compare():
        return _compare(demand, rated, policy, seed, may_go_on)

    alone = _alone(demand, rated, policy, seed)
    if alone is not None:
        part, remainder = take(rated.candidates[alone], demand.lines)
        able = len(rated.candidates) - rated.candidates.supply(demand.lines).count(0)
        return Split((part,), remainder, able, True, lambda: _tell(demand, rated, *compare()))
    preference, found = compare()
    members = () if found.best is None else found.best.members
    parts, remainder = _fill([rated.candidates[preference[i]] for i in members], demand.lines)
    return Split(
        parts, remainder, found.looked_at, found.is_proven, lambda: _tell(demand, rated, preference, found)
    )


def _alone(demand, rated, policy, seed):
    """Who gets the order where one facility has as much of it as several have together; None where none has.

    It is whom ``_compare`` would choose too, among thousands that all have everything at a fraction of the work.
    """
    supply = rated.candidates.supply(demand.lines)
    most = max(supply)
    if not most or (most < demand.quantity and _most_parts(policy) > 1 and most < _reach(demand, rated)):
        return None
    high = max(compress(rated.sums, map(most.__eq__, supply)))
    near = high - 10 * EPSILON  # farther than rounding can lift
    first = [index for index, total in enumerate(rated.sums) if total >= near and supply[index] == most]
    best = max(map(rated.total, first))
    tied = [index for index in first if most * (best - rated.total(index)) <= EPSILON * most]
    if len(tied) == 1:
        return tied[0]
    return next(index for index in _preference(rated, seed) if index in tied)


def _reach(demand, rated):
    """How many of the units all facilities have together."""
    columns = rated.candidates.supplies(demand.lines)
    return sum(min(line.quantity, sum(column)) for line, column in zip(demand.lines, columns, strict=True))


def _preference(rated, seed):
    """Among equals the draw decides, whatever order the facilities came in."""
    keys = rated.candidates.keys
    preference = sorted(range(len(keys)), key=keys.__getitem__)
    Random(f"{seed}/exact").shuffle(preference)
    return preference


def _compare(demand, rated, policy, seed, may_go_on):
    """The choices of facilities compared: what is found, by the places in an order of preference."""
    preference = _preference(rated, seed)
    by_steps = split_by_steps(demand, rated.candidates, policy, seed).parts if policy.may_split else ()
    found = search(
        demand.lines,
        rated.candidates.at(preference),
        [rated.totals[index] for index in preference],
        most_parts=_most_parts(policy),
        least=_least(demand, policy),
        start=[part.facility for part in by_steps],
        may_go_on=may_go_on,
    )
    return preference, found


def _tell(demand, rated, preference, found):
    if found.best is None:
        return Story((rated.ranking(demand.lines),))
    tied = [preference[i] for i in found.tied]
    ranking = rated.ranking(demand.lines, tied, preference[found.best.members[0]])
    return Story((ranking,), _runner_up(found, rated.candidates.at(preference)))


def _least(demand, policy):
    prices = tuple([demand.prices.get(line.article, 0.0) for line in demand.lines])
    return Least(policy.least_units, policy.least_value, prices)


def _most_parts(policy):
    return 1 + (policy.max_split_count if policy.may_split else 0)


def _fill(candidates, lines):
    parts = []
    for candidate in candidates:
        part, lines = take(candidate, lines)
        parts.append(part)
    return tuple(parts), lines


def _runner_up(found: Found, candidates):
    best, other = found.best, found.runner_up
    if best is None or other is None:
        return None
    loss, difference = _loss(best, other)
    keys = candidates.keys
    return RunnerUp(tuple([keys[i] for i in other.members]), loss, difference)


def _loss(best: Choice, other: Choice) -> tuple[Loss, float]:
    if other.covered < best.covered:
        return Loss.UNITS, best.covered - other.covered
    if len(other.members) > len(best.members):
        return Loss.PARCELS, len(other.members) - len(best.members)
    difference = round((best.score - other.score) / best.covered, DIGITS)
    return (Loss.POINTS, difference) if difference > 0 else (Loss.DRAW, 0)


def split_by_steps(demand: Demand, candidates: Sequence[Candidate], policy: Policy, seed: int) -> Split:
    """Give the best facility what it has, then route the remainder again without it.

    Only units that are in stock elsewhere move, so later rounds look only at facilities that have some of
    them. ``max_split_count`` counts splits: 1 allows two parts.
    """
    rankings: list[Ranking] = []
    parts: list[Part] = []
    remainder = demand.lines
    candidates = Candidates.of(candidates)
    while remainder and len(parts) < _most_parts(policy):
        ranking = rank(replace(demand, lines=remainder), candidates, policy, seed, len(rankings) + 1)
        if ranking.candidates:
            rankings.append(ranking)
        if ranking.winner is None:
            break
        part, remainder = take(ranking.winner, remainder)
        parts.append(part)
        if remainder:
            least = _least(replace(demand, lines=remainder), policy)
            keys, supplies = candidates.keys, candidates.supplies(remainder)
            candidates = candidates.at(
                [
                    index
                    for index, taken in enumerate(zip(*supplies, strict=True))
                    if keys[index] != ranking.winner.key and least.is_met(taken)
                ]
            )
    return Split(tuple(parts), remainder, tell=lambda: Story(tuple(rankings)))


def place(
    decision: Decision,
    demand: Demand,
    candidates: Iterable[Candidate],
    *,
    waits_for_whole: bool,
    fallback: Sequence[str] = (),
    may_split: bool = True,
) -> Placement:
    """The parts that are made of a decision.

    Args:
        waits_for_whole: an order of which units are left is not begun.
        fallback: numbers of the facilities that take what would wait, the preferred one first. No fence is asked, but
            one that gave the order up before is passed over. They take all that would wait, or nothing.
        may_split: several of them may share it.
    """
    split = decision.split
    if not split.remainder:
        return Placement(split.parts, ())
    made = () if waits_for_whole else split.parts
    left = demand.lines if waits_for_whole else split.remainder
    by_number = {one.site.attributes.get("tenantFacilityId"): one for one in candidates} if fallback else {}
    taken = {part.facility for part in made}
    able = [
        by_number[number]
        for number in fallback
        if number in by_number and by_number[number].key not in demand.blacklist | taken
    ]
    wanted = sum(line.quantity for line in left)
    whole = next((one for one in able if one.supply(left) == wanted), None)
    if whole is not None or may_split:
        helped, rest = _fill([whole] if whole else able, left)
        helped = tuple([part for part in helped if part.lines])
        if not rest:
            return Placement(made + helped, (), tuple([part.facility for part in helped]))
    return Placement(made, left)


def take(candidate: Candidate, lines: Iterable[Line]) -> tuple[Part, tuple[Line, ...]]:
    """What the facility can take of these lines, and what is left."""
    taken, left = [], []
    for line in lines:
        units = min(candidate.available.get(line.article, 0), line.quantity)
        if units:
            taken.append(Line(line.article, units))
        if units < line.quantity:
            left.append(Line(line.article, line.quantity - units))
    return Part(candidate.key, tuple(taken)), tuple(left)
