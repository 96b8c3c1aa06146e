"""From an order and its candidates to a decision with every number that led to it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from routing.rules.assignment import Choice, Found, search
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
class Split:
    """Who takes what, and what nobody takes.

    Exact: one ranking, of the whole order. Step by step: one ranking per part. ``looked_at`` counts the sets of
    facilities that were compared, 0 when they were taken step by step.
    """

    rankings: tuple[Ranking, ...]
    parts: tuple[Part, ...]
    remainder: tuple[Line, ...]
    looked_at: int = 0
    is_proven: bool = False
    runner_up: RunnerUp | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    exclusions: tuple[Exclusion, ...]
    survivors: tuple[Candidate, ...]
    split: Split
    seed: int


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
    survivors, exclusions = exclude(demand, candidates, active_fences(policy))
    return Decision(exclusions, survivors, split(demand, survivors, policy, seed, may_go_on), seed)


def active_fences(policy: Policy) -> tuple[Fence, ...]:
    """In the order of their classes, whatever the order of the configuration."""
    uses = [use for use in sorted(policy.fences) if find(FENCES, use)]
    uses.sort(key=lambda use: list(FENCES).index(use.partition(".")[0]))
    return tuple([find(FENCES, use).bound(use, policy.rules.get(use)) for use in uses])


def active_ratings(policy: Policy) -> tuple[Rating, ...]:
    """Those with a weight, in the order of their classes."""
    uses = [use for use in sorted(policy.weights) if policy.weights[use] > 0 and find(RATINGS, use)]
    uses.sort(key=lambda use: list(RATINGS).index(use.partition(".")[0]))
    return tuple([find(RATINGS, use).bound(use, policy.rules.get(use)) for use in uses])


def exclude(
    demand: Demand, candidates: Iterable[Candidate], fences: Iterable[Fence]
) -> tuple[tuple[Candidate, ...], tuple[Exclusion, ...]]:
    """Part the candidates by the fences; a facility is listed under every fence that it misses."""
    candidates = list(candidates)
    missed: dict[tuple[str, str, str], list[str]] = {}
    out: set[str] = set()
    for fence in fences:
        passes, expected = fence.passes, fence.expected(demand)
        for candidate in [one for one in candidates if not passes(demand, one)]:
            out.add(candidate.key)
            group = (fence.use, expected, fence.actual(demand, candidate))
            missed.setdefault(group, []).append(candidate.key)
    survivors = tuple([candidate for candidate in candidates if candidate.site.key not in out])
    return survivors, tuple([Exclusion(*group, tuple(sorted(keys))) for group, keys in missed.items()])


def rank(
    demand: Demand,
    candidates: Sequence[Candidate],
    policy: Policy,
    seed: int,
    round_number: int = 1,
) -> Ranking:
    """Rate the candidates and draw among the best.

    Only a facility that has at least one of the units can win: a part without units would be no part.
    """
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
    totals = (
        [round(sum(row), DIGITS) for row in zip(*points, strict=True)] if points else [0.0] * len(candidates)
    )

    keys = [candidate.site.key for candidate in candidates]
    order = sorted(range(len(candidates)), key=keys.__getitem__)
    order.sort(key=totals.__getitem__, reverse=True)  # stable: equal totals stay in the order of their keys
    winner, tied = _draw(
        [(totals[i], candidates[i]) for i in order],
        demand.lines,
        Random(f"{seed}/{round_number}"),
    )

    def ordered(values):
        return tuple(map(values.__getitem__, order))

    return Ranking(
        lines=demand.lines,
        candidates=ordered(candidates),
        columns=tuple([replace(one, raw=ordered(one.raw), points=ordered(one.points)) for one in columns]),
        totals=ordered(totals),
        tied=tied,
        winner=winner,
    )


def _draw(ranked, lines, random):
    best = None
    tied: list[Candidate] = []
    for total, candidate in ranked:
        if best is not None and total < best:
            break
        if candidate.supply(lines):
            best = total
            tied.append(candidate)
    if not tied:
        return None, ()
    if len(tied) == 1:
        return tied[0], ()
    return random.choice(tied), tuple([candidate.key for candidate in tied])


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
    ranking = rank(demand, candidates, policy, seed)
    if not ranking.candidates:
        return Split((), (), demand.lines, is_proven=True)
    random = Random(f"{seed}/exact")
    # Among equals the draw decides, whatever order the facilities came in.
    keys = [candidate.site.key for candidate in ranking.candidates]
    preference = sorted(range(len(keys)), key=keys.__getitem__)
    random.shuffle(preference)
    preferred = [ranking.candidates[i] for i in preference]
    points = [ranking.totals[i] for i in preference]
    whole = ranking.winner is not None and ranking.winner.supply(demand.lines) == demand.quantity
    by_steps = () if whole or not policy.may_split else split_by_steps(demand, candidates, policy, seed).parts
    found = search(
        demand.lines,
        preferred,
        points,
        most_parts=_most_parts(policy),
        least=_least(demand, policy),
        start=[part.facility for part in by_steps],
        may_go_on=may_go_on,
    )
    if found.best is None:
        return Split(
            (replace(ranking, tied=(), winner=None),), (), demand.lines, found.looked_at, found.is_proven
        )
    parts, remainder = _fill([preferred[i] for i in found.best.members], demand.lines)
    main = preferred[found.best.members[0]]
    tied = tuple(sorted(preferred[i].key for i in found.tied))
    return Split(
        rankings=(replace(ranking, tied=tied, winner=main),),
        parts=parts,
        remainder=remainder,
        looked_at=found.looked_at,
        is_proven=found.is_proven,
        runner_up=_runner_up(found, preferred),
    )


def _least(demand, policy):
    prices = tuple([demand.prices.get(line.article, 0.0) for line in demand.lines])
    return Least(policy.least_units, policy.least_value, prices)


def _taken(candidate, lines):
    return [min(candidate.available.get(line.article, 0), line.quantity) for line in lines]


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
    return RunnerUp(tuple([candidates[i].key for i in other.members]), loss, difference)


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
            candidates = [
                one
                for one in candidates
                if one is not ranking.winner and least.is_met(_taken(one, remainder))
            ]
    return Split(tuple(rankings), tuple(parts), remainder)


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
    by_number = {one.site.attributes.get("tenantFacilityId"): one for one in candidates}
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
