"""From an order and its candidates to a decision with every number that led to it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

from routing.rules.facts import Candidate, Demand, Line, Policy
from routing.rules.fences import FENCES, Fence
from routing.rules.ratings import RATINGS
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
class Split:
    """Who takes what: one ranking per part, and what nobody takes."""

    rankings: tuple[Ranking, ...]
    parts: tuple[Part, ...]
    remainder: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    exclusions: tuple[Exclusion, ...]
    survivors: tuple[Candidate, ...]
    split: Split
    seed: int


def decide(demand: Demand, candidates: Iterable[Candidate], policy: Policy, seed: int) -> Decision:
    """Fences, ratings, split in one go, for candidates whose figures are all loaded."""
    survivors, exclusions = exclude(demand, candidates, active_fences(policy))
    return Decision(exclusions, survivors, split(demand, survivors, policy, seed), seed)


def active_fences(policy: Policy) -> tuple[Fence, ...]:
    """In the order of their classes, whatever the order of the configuration."""
    return tuple([fence for key, fence in FENCES.items() if key in policy.fences])


def exclude(
    demand: Demand, candidates: Iterable[Candidate], fences: Iterable[Fence]
) -> tuple[tuple[Candidate, ...], tuple[Exclusion, ...]]:
    """Part the candidates by the fences; a facility is listed under every fence that it misses."""
    candidates = list(candidates)
    missed: dict[tuple[str, str, str], list[str]] = {}
    out: set[str] = set()
    for fence in fences:
        passes, expected = fence.passes, fence.expected(demand)
        for candidate in candidates:
            if not passes(demand, candidate):
                out.add(candidate.key)
                missed.setdefault((fence.key, expected, fence.actual(candidate)), []).append(candidate.key)
    survivors = tuple([candidate for candidate in candidates if candidate.site.key not in out])
    return survivors, tuple([Exclusion(*group, tuple(sorted(keys))) for group, keys in missed.items()])


def rank(
    demand: Demand,
    candidates: Sequence[Candidate],
    weights,
    seed: int,
    round_number: int = 1,
) -> Ranking:
    """Rate the candidates and draw among the best.

    Only a facility that has at least one of the units can win: a part without units would be no part.
    """
    columns = [
        column(
            key,
            weights[key],
            [rating.raw(demand, candidate) for candidate in candidates],
            more_is_better=rating.more_is_better,
        )
        for key, rating in RATINGS.items()
        if weights.get(key, 0) > 0
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
    return Ranking(
        lines=demand.lines,
        candidates=tuple([candidates[i] for i in order]),
        columns=tuple(
            [
                replace(
                    column,
                    raw=tuple([column.raw[i] for i in order]),
                    points=tuple([column.points[i] for i in order]),
                )
                for column in columns
            ]
        ),
        totals=tuple([totals[i] for i in order]),
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


def split(demand: Demand, candidates: Sequence[Candidate], policy: Policy, seed: int) -> Split:
    """Give the best facility what it has, then route the remainder again without it.

    Only units that are in stock elsewhere move, so later rounds look only at facilities that have some of
    them. ``max_split_count`` counts splits: 1 allows two parts.
    """
    rankings: list[Ranking] = []
    parts: list[Part] = []
    remainder = demand.lines
    allowed = 1 + (policy.max_split_count if policy.may_split else 0)
    while remainder and len(parts) < allowed:
        ranking = rank(
            replace(demand, lines=remainder),
            candidates,
            policy.weights,
            seed,
            len(rankings) + 1,
        )
        if ranking.candidates:
            rankings.append(ranking)
        if ranking.winner is None:
            break
        part, remainder = take(ranking.winner, remainder)
        parts.append(part)
        if remainder:
            candidates = [c for c in candidates if c is not ranking.winner and c.supply(remainder)]
    return Split(tuple(rankings), tuple(parts), remainder)


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
