"""What would have to change for a facility to get an order: every way is found by deciding again with that one change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from routing.rules.decision import (
    Ranking,
    Split,
    active_fences,
    active_ratings,
    exclude,
    split,
)
from routing.rules.facts import Candidate, Demand, Line, Policy
from routing.rules.ratings import MAX_WEIGHT
from routing.rules.scaling import DIGITS, column

STEP = 0.5  # of weights, as the studio has it
MOST_SETS = 1_000  # that one try looks at
HALVINGS = 30


@dataclass(frozen=True, slots=True)
class Miss:
    """A fence that the facility misses."""

    fence: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Weight:
    """The rating would have to count so much, with everything else as it is."""

    rating: str
    now: float
    needed: float
    takes: int  # units that it would then get


@dataclass(frozen=True, slots=True)
class Figure:
    """The facility would have to have this figure; ``is_most``: or less, else or more."""

    rating: str
    now: float
    needed: float
    is_most: bool
    takes: int  # units that it would then get


@dataclass(frozen=True, slots=True)
class Stock:
    """The facility would have to have so many units more."""

    more: tuple[Line, ...]
    takes: int  # units that it would then get


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a facility stands, and what would make it win.

    ``fences`` have to be met before anything else, and ``would_win`` says whether that is enough (without any: whether
    it has won) for it to get ``takes`` units. ``has`` of ``wanted`` units are there. Each of the three that follow is
    enough by itself for some of the order: more in stock (the fewest for some of it, then the fewest for all of it),
    another weight, another figure. ``behind`` are the points that it lacks where points decide; ``is_drawn``: it lacks
    none, the draw was against it.
    """

    facility: str
    fences: tuple[Miss, ...]
    would_win: bool
    has: int
    wanted: int
    takes: int = 0
    behind: float = 0
    is_drawn: bool = False
    stock: tuple[Stock, ...] = ()
    weights: tuple[Weight, ...] = ()
    figures: tuple[Figure, ...] = ()


def outlook(
    demand: Demand,
    candidates: Iterable[Candidate],
    policy: Policy,
    seed: int,
    facility: str,
    *,
    needs_whole: bool = False,
) -> Outlook:
    """What would have to change for a facility to get some of the order.

    Args:
        needs_whole: an order of which units are left is not begun, and so is nobody's.
    Raises:
        KeyError: it is not among the candidates.
    """
    candidates = tuple(candidates)
    one = {candidate.key: candidate for candidate in candidates}[facility]
    missed = [fence for fence in active_fences(policy) if not fence.passes(demand, one)]
    fences = tuple([Miss(fence.use, fence.expected(demand), fence.actual(demand, one)) for fence in missed])
    survivors, _exclusions = exclude(demand, candidates, active_fences(policy))
    others = tuple([candidate for candidate in survivors if candidate.key != facility])

    def decided(candidate=one, policy=policy):
        return split(demand, (*others, candidate), policy, seed, lambda looked_at: looked_at < MOST_SETS)

    def units_of(made):
        """The units that it gets: none of an order that is not begun."""
        if needs_whole and made.remainder:
            return 0
        return sum(line.quantity for part in made.parts if part.facility == facility for line in part.lines)

    def takes(candidate=one, policy=policy):
        """The units that it gets for sure: what only the draw gives to it is not promised."""
        made = decided(candidate, policy)
        return 0 if _is_drawn(made, facility) else units_of(made)

    now = decided()
    has, taken = one.supply(demand.lines), units_of(now)
    found = Outlook(facility, fences, taken > 0, has, demand.quantity, taken)
    if taken:
        return found
    found = replace(
        found,
        stock=_stock(demand, one, takes),
        weights=_weights(now, facility, policy, takes) if has else (),
    )
    if needs_whole and now.remainder:  # nobody got it, so neither points nor a draw decided
        return found
    return replace(
        found,
        behind=_behind(now, facility, has),
        is_drawn=_is_drawn(now, facility),
        figures=_figures(demand, now, facility, policy, needs_whole=needs_whole),
    )


def _is_drawn(made: Split, facility: str) -> bool:
    return any(facility in ranking.tied for ranking in made.rankings)


def _behind(made: Split, facility: str, has: int) -> float:
    """The points that it lacks of the one that was chosen; 0 where units or parcels decide."""
    if len(made.parts) != 1 or has < sum(line.quantity for line in made.parts[0].lines):
        return 0
    totals = _totals(made.rankings[0])
    return round(max(totals[made.parts[0].facility] - totals[facility], 0), DIGITS)


def _totals(ranking: Ranking) -> dict[str, float]:
    return {candidate.key: total for candidate, total in zip(ranking.candidates, ranking.totals, strict=True)}


def _stock(demand: Demand, one: Candidate, takes: Callable[[Candidate], int]) -> tuple[Stock, ...]:
    """The fewest further units that are enough for some of the order, then for all of it; none when all of them are not."""
    found: dict[tuple[Line, ...], Stock] = {}
    for needed in (1, demand.quantity):
        more = _units(demand.lines, one, takes, needed)
        if more:
            stock = dict(one.available)
            for line in more:
                stock[line.article] = stock.get(line.article, 0) + line.quantity
            found[more] = Stock(more, takes(replace(one, available=stock)))
    return tuple(found.values())


def _units(
    lines: Sequence[Line], one: Candidate, takes: Callable[[Candidate], int], needed: int
) -> tuple[Line, ...]:
    """The fewest further units with which it takes ``needed`` ones, article by article."""
    more = {
        line.article: line.quantity - have
        for line in lines
        if (have := one.available.get(line.article, 0)) < line.quantity
    }

    def with_more(units: Mapping[str, int]) -> Candidate:
        stock = dict(one.available)
        for article, count in units.items():
            stock[article] = stock.get(article, 0) + count
        return replace(one, available=stock)

    if not more or takes(with_more(more)) < needed:
        return ()
    for article, most in list(more.items()):
        enough, too_few = most, -1
        while enough - too_few > 1:
            middle = (enough + too_few) // 2
            if takes(with_more({**more, article: middle})) >= needed:
                enough = middle
            else:
                too_few = middle
        more[article] = enough
    return tuple([Line(article, count) for article, count in more.items() if count])


def _weights(made: Split, facility: str, policy: Policy, takes: Callable[..., int]) -> tuple[Weight, ...]:
    """Per rating the nearest weight that is enough, in the direction in which the facility gains."""
    ranking = made.rankings[0]
    keys = [candidate.key for candidate in ranking.candidates]
    own = keys.index(facility)
    best = [keys.index(part.facility) for part in made.parts]
    found = []
    for entry in ranking.columns:
        gain = entry.points[own] - min([entry.points[index] for index in best], default=0)
        if gain == 0:
            continue
        step = STEP if gain > 0 else -STEP
        # From the next whole step on, as the buttons of the studio go.
        weight = (entry.weight // STEP) * STEP + step
        if gain < 0 and entry.weight % STEP:
            weight += STEP
        while 0 <= weight <= MAX_WEIGHT:
            taken = takes(policy=replace(policy, weights={**policy.weights, entry.key: weight}))
            if taken:
                found.append(Weight(entry.key, entry.weight, weight, taken))
                break
            weight += step
    return tuple(found)


def _figures(
    demand: Demand, made: Split, facility: str, policy: Policy, *, needs_whole: bool
) -> tuple[Figure, ...]:
    """Per rating the figure nearest to its own with which it would have the most points. Only where points decide."""
    if len(made.parts) != 1:
        return ()
    ranking = made.rankings[0]
    keys = [candidate.key for candidate in ranking.candidates]
    own, covered = keys.index(facility), sum(line.quantity for line in made.parts[0].lines)
    supplies = [candidate.supply(demand.lines) for candidate in ranking.candidates]
    enough_units = covered if policy.is_exact else 1
    rivals = [index for index, units in enumerate(supplies) if units >= enough_units and index != own]
    # Step by step it could win a part here, but nobody promises that others have the rest.
    if supplies[own] < (covered if needs_whole else enough_units):
        return ()
    ratings = {rating.use: rating for rating in active_ratings(policy)}
    found = []
    for entry in ranking.columns:
        rating, now = ratings[entry.key], entry.raw[own]
        known = [value for index, value in enumerate(entry.raw) if index != own and value is not None]
        if not rating.may_change or now is None or not known:
            continue

        def leads(value, entry=entry, rating=rating):
            raw = [value if index == own else one for index, one in enumerate(entry.raw)]
            again = column(
                entry.key,
                entry.weight,
                raw,
                more_is_better=rating.more_is_better,
                absolute=policy.scales.get(entry.key),
                measured=lambda one: rating.measured(demand, one),
            )
            totals = [
                round(total - before + after, DIGITS)
                for total, before, after in zip(ranking.totals, entry.points, again.points, strict=True)
            ]
            return totals[own] > max([totals[index] for index in rivals], default=-1)

        best = 2 * max(known) + 1 if rating.more_is_better else 0
        if not leads(best):
            continue
        enough, too_little = best, now
        for _ in range(HALVINGS):
            middle = (enough + too_little) / 2
            enough, too_little = (middle, too_little) if leads(middle) else (enough, middle)
        found.append(Figure(entry.key, now, enough, not rating.more_is_better, supplies[own]))
    return tuple(found)
