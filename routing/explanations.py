"""A decision in words and rows: why an order went where it went."""

import dataclasses
import itertools
from collections import Counter

from django.utils import formats
from django.utils.translation import gettext, ngettext

from fulfillment.core.models import Facility
from routing import rules
from routing.decisions import decide, inputs_of, plain_parts, restore
from routing.models import RoutingPlan

# With thousands of facilities a page shows the best ones and counts the others; the log keeps all.
SHOWN = 25


@dataclasses.dataclass(frozen=True)
class Cell:
    """What one rating said of one facility."""

    label: str
    unit: str
    raw: float | None
    points: float
    share: float  # of the most that it can give, in percent


@dataclasses.dataclass(frozen=True)
class Row:
    """One facility in a ranking; ``units`` is what it has of what is asked."""

    key: str
    name: str
    cells: list[Cell]
    total: float
    share: float  # of all points that there are, in percent
    units: int
    is_winner: bool
    is_tied: bool


@dataclasses.dataclass(frozen=True)
class Round:
    """A ranking: of the whole order, or of what one step had to place."""

    number: int
    columns: list  # [{"label", "unit", "weight", "gap"}]
    rows: list[Row]
    hidden: int
    units: int


@dataclasses.dataclass(frozen=True)
class Run:
    """One decision log as the page shows it."""

    log: object
    summary: list[str]
    fences: list[str]  # that were asked
    exclusions: list  # [{"label", "expected", "actual", "facilities": [name], "hidden": count}]
    rounds: list[Round]
    parts: list  # [(facility, [(SKU, units)])]
    remainder: list  # [(SKU, units)]
    is_fixed: bool
    is_exact: bool
    is_unplaced: bool
    fallback: list[str]
    path: tuple[str, ...]
    split: rules.Split


def explain(order):
    """The runs of an order in words and rows, the newest first."""
    logs = order.decisions.select_related("revision", "snapshot").order_by("-run")
    lines = order.lines.all()
    return [_explain(log, lines) for log in logs]


def explain_draft(order, tree):
    """The newest run of an order as it was, and as a strategy tree would have it: ``[Run, Run]``, or ``[]``."""
    log = order.decisions.select_related("revision", "snapshot").order_by("-run").first()
    if log is None:
        return []
    lines = order.lines.all()
    made = decide(inputs_of(log), tree)
    return [_explain(log, lines), _rows_of(log, made, plain_parts(made), lines)]


def _explain(log, lines):
    # What was written is the truth: an order that waits for the whole has no parts, whatever could have been.
    return _rows_of(log, restore(log), log.data["parts"], lines)


def _rows_of(log, made, parts, order_lines):
    skus = {str(line.article_id): line.sku for line in order_lines}
    unknown = [line.sku for line in order_lines if line.article_id is None]
    names = {one.key: one.site.name for one in made.candidates}
    split = made.decision.split
    takers = {part["facility"] for part in parts}

    def units(lines):
        return [(skus.get(line.article, line.article), line.quantity) for line in lines]

    return Run(
        log=log,
        summary=_summary(log, made, parts, names, unknown),
        fences=[]
        if made.is_fixed
        else [str(fence_label(one.use)) for one in rules.active_fences(made.policy)],
        exclusions=[
            {
                "label": fence_label(entry.fence),
                "may_open": _may_open(entry.fence),
                "expected": words_of(entry.expected),
                "actual": words_of(entry.actual),
                "facilities": [names[key] for key in entry.facilities[:SHOWN]],
                "hidden": max(len(entry.facilities) - SHOWN, 0),
            }
            for entry in made.decision.exclusions
        ],
        rounds=[
            _round(number, ranking, _winners(made, number - 1) & takers)
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
        fallback=[names[key] for key in made.placement.fallback],
        path=made.path,
        split=split,
    )


def _summary(log, made, parts, names, unknown):
    """Why it came out so, in a few sentences for somebody who never saw a rating."""
    return [*_who(log, made, parts, names, unknown), *_why(made, parts, names)]


def _who(log, made, parts, names, unknown):
    total = made.wanted
    if not parts:
        is_reason = log.outcome in RoutingPlan.Reason.values
        yield RoutingPlan.words_of(log.outcome, unknown) if is_reason else gettext("Nobody takes it.")
        if made.decision.split.parts and made.waits_for_whole:
            yield gettext("By the rules the order waits until all of it is there.")
        return
    taken = [
        (names.get(part["facility"], part["facility"]), sum(units for _a, units in part["lines"]))
        for part in parts
    ]
    if len(taken) == 1:
        yield ngettext(
            "%(name)s takes %(units)s of %(count)s unit.",
            "%(name)s takes %(units)s of %(count)s units.",
            total,
        ) % {"name": taken[0][0], "units": taken[0][1], "count": total}
    else:
        yield gettext("%(names)s share it.") % {
            "names": ", ".join(f"{name} ({units})" for name, units in taken)
        }


def _why(made, parts, names):
    split, survivors = made.decision.split, made.decision.survivors
    if made.is_fixed:
        return
    everybody = len(made.candidates)
    if len(survivors) < everybody:
        missed = Counter()
        for entry in made.decision.exclusions:
            missed[str(fence_label(entry.fence))] += len(entry.facilities)
        yield gettext("%(some)s of %(all)s facilities may serve it; the others miss a fence: %(fences)s.") % {
            "some": len(survivors),
            "all": everybody,
            "fences": ", ".join(f"{fence} ({count})" for fence, count in missed.most_common()),
        }
    if not split.parts or not split.rankings:
        return
    ranking = split.rankings[0]
    full = [one for one in ranking.candidates if one.supply(made.demand.lines) == made.demand.quantity]
    if not full:
        if len(parts) > 1 and not split.remainder:
            yield gettext("None of them has all of it; these together have, in the fewest parcels.")
        elif len(survivors) > 1:
            yield gettext("None of them has all of it.")
    elif len(full) == 1:
        yield gettext("%(name)s is the only one that has all of it.") % {"name": full[0].site.name}
    else:
        yield gettext("%(count)s of them have all of it.") % {"count": len(full)}
    if len(parts) == 1 and len(full) != 1:
        yield from _lead_of(ranking, split, parts[0]["facility"], names)
    if split.runner_up and (len(parts) > 1 or split.runner_up.loss != rules.Loss.POINTS):
        yield gettext("Second best: %(names)s – %(loss)s.") % {
            "names": " + ".join(names[key] for key in split.runner_up.facilities),
            "loss": _loss(split.runner_up),
        }


def _lead_of(ranking, split, key, names):
    """That the winner has most points, and by what it leads."""
    keys = [candidate.key for candidate in ranking.candidates]
    if key not in keys:
        return
    if ranking.tied:
        yield gettext("%(names)s have equal points; the draw decided.") % {
            "names": ", ".join(names[one] for one in ranking.tied)
        }
        return
    other = (
        split.runner_up.facilities if split.runner_up and split.runner_up.loss == rules.Loss.POINTS else ()
    )
    if len(other) != 1:
        return
    own, second = keys.index(key), keys.index(other[0])
    lead = [
        (column.points[own] - column.points[second], column)
        for column in ranking.columns
        if column.points[own] > column.points[second]
    ]
    yield gettext("Of those, %(name)s has the most points: %(points)s; %(second)s has %(fewer)s.") % {
        "name": names[key],
        "points": points_of(ranking.totals[own]),
        "second": names[other[0]],
        "fewer": points_of(ranking.totals[second]),
    }
    if lead:
        gain, column = max(lead, key=lambda pair: pair[0])
        yield gettext("It leads by %(rating)s: %(mine)s against %(theirs)s (+%(gain)s points).") % {
            "rating": rule_label(rules.RATINGS, column.key),
            "mine": figure_of(column.key, column.raw[own]),
            "theirs": figure_of(column.key, column.raw[second]),
            "gain": points_of(gain),
        }


def digits_of(value):
    """The decimal places of ``number_of``."""
    return 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2


def number_of(value):
    """As exact as somebody needs it who compares: 147, 14.3 or 1.82."""
    value = round(value, digits_of(value))
    return formats.localize(int(value) if value == int(value) else value)


def points_of(value):
    value = round(value, 2)
    return formats.localize(int(value) if value == int(value) else value)


def figure_of(use, raw):
    """A figure with its unit."""
    if raw is None:
        return gettext("unknown")
    return f"{number_of(raw)} {_unit_of(use)}".strip()


def _unit_of(use):
    rating = rules.find(rules.RATINGS, use)
    return str(rating.unit) if rating else ""


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


def words_of(values):
    """What a fence compared, services by their names."""
    names = dict(Facility.Service.choices)
    return ", ".join(str(names.get(value, value)) for value in values.split(", "))


def _round(number, ranking, winners):
    rows = [
        Row(
            key=candidate.key,
            name=candidate.site.name,
            cells=[
                Cell(
                    rule_label(rules.RATINGS, column.key),
                    _unit_of(column.key),
                    column.raw[i],
                    column.points[i],
                    _percent(column.points[i], column.weight),
                )
                for column in ranking.columns
            ],
            total=ranking.totals[i],
            share=_percent(ranking.totals[i], sum(column.weight for column in ranking.columns)),
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
    )


def _percent(part, whole):
    return round(100 * part / whole, 1) if whole else 0


def fence_label(use):
    """A fence in words; one that the code no longer has keeps its key."""
    return rule_label(rules.FENCES, use)


def rule_label(register, use):
    """A rule of a register in words, an own one with its name."""
    rule = rules.find(register, use)
    if rule is None:
        return use
    own = use.partition(".")[2]
    return f"{rule.label}: {own}" if own else rule.label


def _may_open(use):
    """Whether goods or a free slot that come may still open a fence."""
    rule = rules.find(rules.FENCES, use)
    return rule is not None and rule.is_reactive


def rule_description(register, use):
    """What a rule asks, nothing for one that the code no longer has."""
    rule = rules.find(register, use)
    return rule.description if rule else ""


def _column_head(column):
    return {
        "label": rule_label(rules.RATINGS, column.key),
        "unit": _unit_of(column.key),
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
