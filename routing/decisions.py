"""What a decision keeps, and every number worked out again from it.

Kept are the inputs: revision, network, seed, the order's demand and the figures of every facility, as columns of
numbers. The rules are pure, so the same inputs give the same points, fences and split at any later time.
"""

import dataclasses
import itertools
import json
import zlib

from django.utils import formats
from django.utils.translation import gettext, ngettext

from fulfillment.core.models import Facility
from routing import rules
from routing.models import DecisionLog
from routing.queries import tree_of
from routing.situations import restore_network

# With thousands of facilities a page shows the best ones and counts the others; the log keeps all.
SHOWN = 25
MISSES = 3  # facilities of which it is said what they would have needed
# Where no clock ends the search for the best split: about as many as it looks at in its time.
MOST_SETS = 10_000


@dataclasses.dataclass(frozen=True)
class Made:
    """A decision with what it was made of."""

    demand: rules.Demand
    candidates: list[rules.Candidate]
    policy: rules.Policy
    path: tuple[str, ...]
    seed: int
    is_fixed: bool
    place_source: str
    decision: rules.Decision


def decision_data(made, parts):
    """The small part of a ``DecisionLog``, in words that can be read: what was asked and what came out."""
    split = made.decision.split
    return {
        "demand": _plain_demand(made.demand),
        "place_source": made.place_source,
        "fixed": made.is_fixed,
        "path": list(made.path),
        "parts": [{"facility": part.facility, "lines": _lines(part.lines)} for part in parts],
        "remainder": _lines(split.remainder),
        "looked_at": split.looked_at,
        "is_proven": split.is_proven,
    }


def _plain_demand(demand):
    plain = {
        "service": demand.service,
        "country": demand.country,
        "position": demand.position,
        "lines": _lines(demand.lines),
        "is_sameday": demand.is_sameday,
        "preselected": sorted(demand.preselected),
        "carriers": sorted(demand.carriers),
        "blacklist": sorted(demand.blacklist),
        "attributes": dict(demand.attributes),
    }
    return {name: value for name, value in plain.items() if value not in (None, False, [], {})}


def _lines(lines):
    return [[line.article, line.quantity] for line in lines]


def pack_figures(made, sites):
    """The figures of the facilities as compressed columns, one value per facility of the network.

    Columns: ``only`` (positions, when the order could not go everywhere), ``available`` per line, ``workload``,
    ``free``, ``today``, and for rules that ask for them ``batches`` and ``listings``. A column of equal values is
    one value; what nobody has is left out.
    """
    articles = [line.article for line in made.demand.lines]
    candidates = made.candidates
    columns = {
        "available": [_column([one.available.get(article, 0) for one in candidates]) for article in articles],
        "workload": _column([one.workload for one in candidates]),
    }
    if len(candidates) != len(sites):
        position = {site.key: number for number, site in enumerate(sites)}
        columns["only"] = [position[one.key] for one in candidates]
    if any(one.free_capacity is not None for one in candidates):
        columns["free"] = _column([one.free_capacity for one in candidates])
    if any(one.makes_today for one in candidates):
        columns["today"] = _column([int(one.makes_today) for one in candidates])
    if any(one.batches for one in candidates):
        columns["batches"] = [
            [[dataclasses.astuple(batch) for batch in one.batches.get(article, ())] for one in candidates]
            for article in articles
        ]
    if any(one.listings for one in candidates):
        columns["listings"] = [[one.listings.get(article) for one in candidates] for article in articles]
    return zlib.compress(json.dumps(columns, separators=(",", ":")).encode(), level=6)


def _column(values):
    return values[0] if len(set(values)) == 1 else values


def _spread(column, count):
    return column if isinstance(column, list) else [column] * count


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a decision was made of, whatever configuration it followed."""

    demand: rules.Demand
    candidates: list[rules.Candidate]
    seed: int
    is_fixed: bool
    place_source: str


def inputs_of(log, sites=None):
    """The inputs that a log keeps.

    Args:
        sites: the facilities of its network, when they are at hand.
    """
    columns = json.loads(zlib.decompress(bytes(log.figures)))
    sites = restore_network(log.snapshot) if sites is None else sites
    if "only" in columns:
        sites = [sites[position] for position in columns["only"]]
    demand = restore_demand(log.data["demand"])
    candidates = _restore_candidates(sites, columns, [line.article for line in demand.lines])
    return Inputs(demand, candidates, log.seed, log.data["fixed"], log.data["place_source"])


def decide_again(inputs, tree, may_go_on=lambda looked_at: looked_at < MOST_SETS):
    """What a strategy tree makes of the inputs of a decision."""
    settings, path = rules.choose(tree, inputs.demand.attributes)
    policy = FIXED if inputs.is_fixed else settings.policy_for(inputs.demand.is_sameday)
    decision = rules.decide(inputs.demand, inputs.candidates, policy, inputs.seed, may_go_on)
    return Made(
        inputs.demand,
        inputs.candidates,
        policy,
        path,
        inputs.seed,
        inputs.is_fixed,
        inputs.place_source,
        decision,
    )


def restore(log, sites=None):
    """The decision of a log, made again from what it keeps."""
    most = log.data["looked_at"]
    is_proven = log.data["is_proven"] or not most
    tree, _needs = tree_of(log.revision)
    # A search that ran out of time ends after as many sets again.
    return decide_again(inputs_of(log, sites), tree, lambda looked_at: is_proven or looked_at < most)


def restore_demand(plain):
    """The demand that a decision kept."""
    return rules.Demand(
        service=plain["service"],
        country=plain.get("country", ""),
        position=tuple(plain["position"]) if plain.get("position") else None,
        lines=tuple(rules.Line(article, quantity) for article, quantity in plain.get("lines", ())),
        is_sameday=plain.get("is_sameday", False),
        preselected=frozenset(plain.get("preselected", ())),
        carriers=frozenset(plain.get("carriers", ())),
        blacklist=frozenset(plain.get("blacklist", ())),
        attributes=plain.get("attributes", {}),
    )


def _restore_candidates(sites, columns, articles):
    count = len(sites)
    shelves = [_spread(column, count) for column in columns["available"]]
    workload = _spread(columns["workload"], count)
    free = _spread(columns.get("free"), count)
    today = _spread(columns.get("today", 0), count)
    return [
        rules.Candidate(
            site=site,
            available={
                article: shelf[n] for article, shelf in zip(articles, shelves, strict=True) if shelf[n]
            },
            workload=workload[n],
            free_capacity=free[n],
            makes_today=bool(today[n]),
            batches={
                article: tuple(rules.Batch(*batch) for batch in column[n])
                for article, column in zip(articles, columns.get("batches", []), strict=False)
                if column[n]
            },
            listings={
                article: column[n]
                for article, column in zip(articles, columns.get("listings", []), strict=False)
                if column[n]
            },
        )
        for n, site in enumerate(sites)
    ]


# Where the shop chose the facility there are no fences, no ratings and no split.
FIXED = rules.Policy(frozenset(), {}, may_split=False)


# In words and rows


@dataclasses.dataclass(frozen=True)
class Cell:
    """What one rating said of one facility."""

    raw: float | None
    points: float


@dataclasses.dataclass(frozen=True)
class Row:
    """One facility in a ranking; ``units`` is what it has of what is asked."""

    name: str
    cells: list[Cell]
    total: float
    units: int
    is_winner: bool
    is_tied: bool


@dataclasses.dataclass(frozen=True)
class Miss:
    """What a facility lacks of the winner: points in all, and the rating that takes most of them from it."""

    name: str
    points: float
    rating: str
    gap: float


@dataclasses.dataclass(frozen=True)
class Round:
    """A ranking: of the whole order, or of what one step had to place."""

    number: int
    columns: list  # [{"label", "unit", "weight", "gap"}]
    rows: list[Row]
    hidden: int
    units: int
    misses: list[Miss]


@dataclasses.dataclass(frozen=True)
class Run:
    """One decision log as the page shows it."""

    log: object
    exclusions: list  # [{"label", "expected", "actual", "facilities": [name], "hidden": count}]
    rounds: list[Round]
    parts: list  # [(facility, [(SKU, units)])]
    remainder: list  # [(SKU, units)]
    is_fixed: bool
    is_exact: bool
    is_unplaced: bool
    path: tuple[str, ...]
    split: rules.Split
    runner_up: list[str]
    loss: str


def explain(order):
    """The runs of an order in words and rows, the newest first."""
    logs = order.decisions.select_related("revision", "snapshot").order_by("-run")
    skus = {str(line.article_id): line.sku for line in order.lines.all()}
    return [_explain(log, skus) for log in logs]


def explain_draft(order, tree):
    """The newest run of an order as it was, and as a strategy tree would have it: ``[Run, Run]``, or ``[]``."""
    log = order.decisions.select_related("revision", "snapshot").order_by("-run").first()
    if log is None:
        return []
    skus = {str(line.article_id): line.sku for line in order.lines.all()}
    made = decide_again(inputs_of(log), tree)
    parts = [{"facility": part.facility, "lines": _lines(part.lines)} for part in made.decision.split.parts]
    return [_explain(log, skus), _rows_of(log, made, parts, skus)]


def _explain(log, skus):
    # What was written is the truth: an order that waits for the whole has no parts, whatever could have been.
    return _rows_of(log, restore(log), log.data["parts"], skus)


def _rows_of(log, made, parts, skus):
    names = {one.key: one.site.name for one in made.candidates}
    split = made.decision.split

    def units(lines):
        return [(skus.get(line.article, line.article), line.quantity) for line in lines]

    return Run(
        log=log,
        exclusions=[
            {
                "label": fence_label(entry.fence),
                "expected": _words(entry.expected),
                "actual": _words(entry.actual),
                "facilities": [names[key] for key in entry.facilities[:SHOWN]],
                "hidden": max(len(entry.facilities) - SHOWN, 0),
            }
            for entry in made.decision.exclusions
        ],
        rounds=[
            _round(number, ranking, _winners(made, number - 1))
            for number, ranking in enumerate(split.rankings, start=1)
        ],
        parts=[
            (
                names.get(part["facility"], part["facility"]),
                units(itertools.starmap(rules.Line, part["lines"])),
            )
            for part in parts
        ],
        remainder=units(split.remainder),
        is_fixed=made.is_fixed,
        is_exact=made.policy.is_exact and not made.is_fixed,
        is_unplaced=made.place_source == "UNKNOWN",
        path=made.path,
        split=split,
        runner_up=[names[key] for key in split.runner_up.facilities] if split.runner_up else [],
        loss=_loss(split.runner_up) if split.runner_up else "",
    )


def _loss(runner_up):
    """Why the second-best choice lost, in words."""
    number = runner_up.difference
    return {
        rules.Loss.UNITS: lambda: ngettext("%(number)s unit less", "%(number)s units less", int(number)),
        rules.Loss.PARCELS: lambda: ngettext(
            "%(number)s parcel more", "%(number)s parcels more", int(number)
        ),
        rules.Loss.POINTS: lambda: gettext("%(number)s points less per unit"),
        rules.Loss.DRAW: lambda: gettext("just as good; the draw decided"),
    }[runner_up.loss]() % {"number": formats.localize(round(number, 3))}


def _winners(made, number):
    """Who takes something of what a ranking is about: one facility per step, or all of the exact split."""
    split = made.decision.split
    parts = split.parts if len(split.rankings) == 1 else split.parts[number : number + 1]
    return {part.facility for part in parts}


def _words(values):
    """What a fence compared, services by their names."""
    names = dict(Facility.Service.choices)
    return ", ".join(str(names.get(value, value)) for value in values.split(", "))


def _round(number, ranking, winners):
    rows = [
        Row(
            name=candidate.site.name,
            cells=[Cell(column.raw[i], column.points[i]) for column in ranking.columns],
            total=ranking.totals[i],
            units=candidate.supply(ranking.lines),
            is_winner=candidate.key in winners,
            is_tied=candidate.key in ranking.tied,
        )
        for i, candidate in enumerate(ranking.candidates)
        if i < SHOWN or candidate.key in winners
    ]
    return Round(
        number=number,
        columns=[_column_head(column) for column in ranking.columns],
        rows=rows,
        hidden=len(ranking.candidates) - len(rows),
        units=sum(line.quantity for line in ranking.lines),
        misses=_misses(ranking, winners),
    )


def _misses(ranking, winners):
    """What would have to change for the next best facilities, as far as points decided against them."""
    if len(winners) != 1:
        return []
    keys = [candidate.key for candidate in ranking.candidates]
    best = keys.index(next(iter(winners)))
    found = []
    for i, candidate in enumerate(ranking.candidates):
        missing = ranking.totals[best] - ranking.totals[i]
        gaps = [(column.points[best] - column.points[i], column) for column in ranking.columns]
        if candidate.key not in winners and missing > 0 and candidate.supply(ranking.lines):
            gap, column = max(gaps, key=lambda pair: pair[0])
            found.append(Miss(candidate.site.name, missing, _column_head(column)["label"], gap))
    return found[:MISSES]


def fence_label(use):
    """A fence in words; one that the code no longer has keeps its key."""
    return _label(rules.find(rules.FENCES, use), use)


def _label(rule, use):
    if rule is None:
        return use
    own = use.partition(".")[2]
    return f"{rule.label}: {own}" if own else rule.label


def _column_head(column):
    rating = rules.find(rules.RATINGS, column.key)
    return {
        "label": _label(rating, column.key),
        "unit": rating.unit if rating else "",
        "weight": column.weight,
        "gap": column.gap,
    }


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a run said of one facility."""

    facility: str  # its key
    name: str
    failed: list  # [(fence, expected, actual)]
    ratings: list  # [(rating, weight, raw, points)]; empty for what a fence kept out
    available: list  # [(article key, units wanted, units there)]
    total: float | None
    rank: int | None


def verdicts(made):
    """A ``Verdict`` for every facility that a run looked at, from its first ranking: the best first, then those kept out."""
    by_key = {one.key: one for one in made.candidates}
    failed: dict[str, list] = {}
    for entry in made.decision.exclusions:
        for key in entry.facilities:
            failed.setdefault(key, []).append((entry.fence, entry.expected, entry.actual))

    def verdict(key, reasons, ratings, total, rank):
        one = by_key[key]
        available = [
            (line.article, line.quantity, one.available.get(line.article, 0)) for line in made.demand.lines
        ]
        return Verdict(key, one.site.name, reasons, ratings, available, total, rank)

    found = []
    for ranking in made.decision.split.rankings[:1]:
        for index, candidate in enumerate(ranking.candidates):
            ratings = [
                (column.key, column.weight, column.raw[index], column.points[index])
                for column in ranking.columns
            ]
            found.append(verdict(candidate.key, [], ratings, ranking.totals[index], index + 1))
    return found + [verdict(key, reasons, [], None, None) for key, reasons in failed.items()]


def differences(log):
    """What is different when a logged decision is made again: ``[]`` when it is the same to the unit."""
    made = restore(log)
    split = made.decision.split
    kept = log.data["parts"]
    again = [{"facility": part.facility, "lines": _lines(part.lines)} for part in split.parts]
    found = []
    if kept and again != kept:
        found.append(("parts", kept, again))
    if _lines(split.remainder) != log.data["remainder"]:
        found.append(("remainder", log.data["remainder"], _lines(split.remainder)))
    return found


def load_log(pk):
    """A log with everything that ``restore`` reads."""
    return DecisionLog.objects.select_related("revision", "snapshot", "order").get(pk=pk)
