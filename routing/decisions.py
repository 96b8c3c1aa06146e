"""A routing run as plain data for the decision log: everything that is needed to show it and to run it again."""

import dataclasses

from fulfillment.core.models import Facility
from routing.rules import FENCES, RATINGS

# With thousands of facilities a page shows the best ones and counts the others; the log keeps all.
SHOWN = 25
RAW_DIGITS = 6  # of the figures in the log; points keep all digits they are compared by


def decision_data(demand, candidates, exclusions, outcome, parts, fixed, place_source):
    """All numbers of a run.

    Returns:
        ``{"demand", "keys", "facilities", "fixed", "exclusions", "rankings", "parts", "remainder"}``. ``facilities``
        are names, ``keys`` their ids; everything else names a facility by its position there, and the parts by key.
        The lists of a ranking stand in the order of its ``facilities``, best first.
    """
    number = {candidate.key: position for position, candidate in enumerate(candidates)}
    return {
        "demand": {
            "service": demand.service,
            "country": demand.country,
            "position": demand.position,
            "place_source": place_source,
            "lines": _lines(demand.lines),
        },
        "fixed": fixed,
        "keys": list(number),
        "facilities": [candidate.site.name for candidate in candidates],
        "exclusions": [
            {
                "fence": exclusion.fence,
                "expected": exclusion.expected,
                "actual": exclusion.actual,
                "facilities": [number[key] for key in exclusion.facilities],
            }
            for exclusion in exclusions
        ],
        "rankings": [_ranking(ranking, number) for ranking in outcome.rankings],
        "parts": [{"facility": part.facility, "lines": _lines(part.lines)} for part in parts],
        "remainder": _lines(outcome.remainder),
    }


def _lines(lines):
    return [[line.article, line.quantity] for line in lines]


def _ranking(ranking, number):
    return {
        "lines": _lines(ranking.lines),
        "facilities": [number[candidate.key] for candidate in ranking.candidates],
        "columns": [
            {
                "rating": column.key,
                "weight": column.weight,
                "raw": [raw if raw is None else round(raw, RAW_DIGITS) for raw in column.raw],
                "points": column.points,
                "gap": column.gap,
            }
            for column in ranking.columns
        ],
        "totals": ranking.totals,
        "tied": [number[key] for key in ranking.tied],
        "winner": number[ranking.winner.key] if ranking.winner else None,
    }


@dataclasses.dataclass(frozen=True)
class Cell:
    """What one rating said of one facility."""

    raw: float | None
    points: float


@dataclasses.dataclass(frozen=True)
class Row:
    """One facility in a ranking."""

    name: str
    cells: list[Cell]
    total: float
    is_winner: bool
    is_tied: bool


@dataclasses.dataclass(frozen=True)
class Round:
    """The ranking that gave one part, with what the winner took."""

    number: int
    columns: list  # [{"label", "unit", "weight", "gap"}]
    rows: list[Row]
    hidden: int
    units: int
    taken: list  # [(SKU, units)]


@dataclasses.dataclass(frozen=True)
class Run:
    """One decision log as the page shows it."""

    log: object
    exclusions: list  # [{"label", "expected", "actual", "facilities": [name], "hidden": count}]
    rounds: list[Round]
    remainder: list  # [(SKU, units)]
    fixed: bool
    is_unplaced: bool


def explain(log):
    """Put a decision log into words and rows; names of rules that the code no longer has stay as keys."""
    data = log.data
    names = data["facilities"]
    skus = {str(line.article_id): line.sku for line in log.order.lines.all()}

    def units(lines):
        return [(skus.get(article, article), quantity) for article, quantity in lines]

    rounds = []
    for number, ranking in enumerate(data["rankings"], start=1):
        rows = [
            Row(
                name=names[key],
                cells=[Cell(column["raw"][i], column["points"][i]) for column in ranking["columns"]],
                total=ranking["totals"][i],
                is_winner=key == ranking["winner"],
                is_tied=key in ranking["tied"],
            )
            for i, key in enumerate(ranking["facilities"])
            if i < SHOWN or key == ranking["winner"]
        ]
        taken = data["parts"][number - 1]["lines"] if number <= len(data["parts"]) else []
        rounds.append(
            Round(
                number=number,
                columns=[_column(column) for column in ranking["columns"]],
                rows=rows,
                hidden=len(ranking["facilities"]) - len(rows),
                units=sum(quantity for _article, quantity in ranking["lines"]),
                taken=units(taken),
            )
        )
    return Run(
        log=log,
        exclusions=[
            {
                "label": FENCES[entry["fence"]].label if entry["fence"] in FENCES else entry["fence"],
                "expected": _words(entry["expected"]),
                "actual": _words(entry["actual"]),
                "facilities": [names[key] for key in entry["facilities"][:SHOWN]],
                "hidden": max(len(entry["facilities"]) - SHOWN, 0),
            }
            for entry in data["exclusions"]
        ],
        rounds=rounds,
        remainder=units(data["remainder"]),
        fixed=data["fixed"],
        is_unplaced=data["demand"]["place_source"] == "UNKNOWN",
    )


def _words(values):
    """What a fence compared, services by their names."""
    names = dict(Facility.Service.choices)
    return ", ".join(str(names.get(value, value)) for value in values.split(", "))


def _column(column):
    rating = RATINGS.get(column["rating"])
    return {
        "label": rating.label if rating else column["rating"],
        "unit": rating.unit if rating else "",
        "weight": column["weight"],
        "gap": column["gap"],
    }
