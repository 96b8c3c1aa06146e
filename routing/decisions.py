"""A routing run as plain data for the decision log: everything that is needed to show it and to run it again."""

import base64
import dataclasses
import math
import struct

from fulfillment.core.models import Facility
from routing.rules import FENCES, RATINGS

# With thousands of facilities a page shows the best ones and counts the others; the log keeps all.
SHOWN = 25
KEY_LENGTH = 36


def decision_data(demand, candidates, exclusions, outcome, parts, fixed, place_source):
    """All numbers of a run.

    Returns:
        ``{"demand", "keys", "fixed", "exclusions", "rankings", "parts", "remainder"}``. ``keys`` are the ids of the
        facilities, one after the other; everything else names a facility by its position there, and the parts by
        key. The columns of a ranking are packed and stand in the order of its ``facilities``, best first.
    """
    number = {candidate.site.key: position for position, candidate in enumerate(candidates)}
    return {
        "demand": {
            "service": demand.service,
            "country": demand.country,
            "position": demand.position,
            "place_source": place_source,
            "lines": _lines(demand.lines),
        },
        "fixed": fixed,
        "keys": "".join(number),
        "exclusions": [
            {
                "fence": exclusion.fence,
                "expected": exclusion.expected,
                "actual": exclusion.actual,
                "count": len(exclusion.facilities),
                "facilities": pack([number[key] for key in exclusion.facilities]),
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
        "count": len(ranking.candidates),
        "facilities": pack([number[candidate.site.key] for candidate in ranking.candidates]),
        "columns": [
            {
                "rating": column.key,
                "weight": column.weight,
                "raw": pack(column.raw),
                "points": pack(column.points),
                "gap": column.gap,
            }
            for column in ranking.columns
        ],
        "totals": pack(ranking.totals),
        "tied": [number[key] for key in ranking.tied],
        "winner": number[ranking.winner.key] if ranking.winner else None,
    }


def pack(values):
    """Numbers for JSON: the number itself when all are the same, else text, exact and a fraction of the digits' size.

    The text is ``q`` (whole numbers) or ``d`` (floats, with NaN for None) and the base64 of eight little-endian
    bytes per number, as ``struct`` writes them.
    """
    if len(set(values)) == 1:
        return values[0]
    letter = "q" if all(type(value) is int for value in values) else "d"
    numbers = [math.nan if value is None else value for value in values]
    return letter + base64.b64encode(struct.pack(f"<{len(numbers)}{letter}", *numbers)).decode()


def unpack(packed, count):
    """The ``count`` numbers that ``pack`` was given."""
    if not isinstance(packed, str):
        return [packed] * count
    values = struct.unpack(f"<{count}{packed[0]}", base64.b64decode(packed[1:]))
    return [None if math.isnan(value) else value for value in values]


def facility_keys(data):
    """The ids of all facilities that a run looked at, as text."""
    return [data["keys"][start : start + KEY_LENGTH] for start in range(0, len(data["keys"]), KEY_LENGTH)]


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


def explain(order):
    """The runs of an order in words and rows, the newest first.

    Facilities have the names of today; what the code or the network no longer has stays as its key.
    """
    names = {str(pk): name for pk, name in Facility.objects.values_list("pk", "name")}
    return [_explain(log, names) for log in order.decisions.select_related("revision").order_by("-run")]


def _explain(log, names):
    data = log.data
    sites = [names.get(key, key) for key in facility_keys(data)]
    skus = {str(line.article_id): line.sku for line in log.order.lines.all()}

    def units(lines):
        return [(skus.get(article, article), quantity) for article, quantity in lines]

    rounds = []
    for number, ranking in enumerate(data["rankings"], start=1):
        positions, columns, totals = _unpacked(ranking)
        rows = [
            Row(
                name=sites[position],
                cells=[Cell(raw[i], points[i]) for raw, points in columns],
                total=totals[i],
                is_winner=position == ranking["winner"],
                is_tied=position in ranking["tied"],
            )
            for i, position in enumerate(positions)
            if i < SHOWN or position == ranking["winner"]
        ]
        taken = data["parts"][number - 1]["lines"] if number <= len(data["parts"]) else []
        rounds.append(
            Round(
                number=number,
                columns=[_column(column) for column in ranking["columns"]],
                rows=rows,
                hidden=len(positions) - len(rows),
                units=sum(quantity for _article, quantity in ranking["lines"]),
                taken=units(taken),
            )
        )
    exclusions = [
        {
            "label": FENCES[entry["fence"]].label if entry["fence"] in FENCES else entry["fence"],
            "expected": _words(entry["expected"]),
            "actual": _words(entry["actual"]),
            "facilities": [
                sites[position] for position in unpack(entry["facilities"], entry["count"])[:SHOWN]
            ],
            "hidden": max(entry["count"] - SHOWN, 0),
        }
        for entry in data["exclusions"]
    ]
    return Run(
        log=log,
        exclusions=exclusions,
        rounds=rounds,
        remainder=units(data["remainder"]),
        fixed=data["fixed"],
        is_unplaced=data["demand"]["place_source"] == "UNKNOWN",
    )


def _unpacked(ranking):
    """Of a logged ranking, best first: the facilities' positions, per rating its raw figures and points, the totals."""
    count = ranking["count"]
    columns = [
        (unpack(column["raw"], count), unpack(column["points"], count)) for column in ranking["columns"]
    ]
    return unpack(ranking["facilities"], count), columns, unpack(ranking["totals"], count)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a run said of one facility."""

    facility: str  # its key
    failed: list  # [(fence, expected, actual)]
    ratings: list  # [(rating, weight, raw, points)]; empty for what a fence kept out
    total: float | None
    rank: int | None


def verdicts(data):
    """A ``Verdict`` for every facility that a run looked at, from its first ranking: the best first, then those kept out."""
    keys = facility_keys(data)
    failed: dict[int, list] = {}
    for entry in data["exclusions"]:
        for position in unpack(entry["facilities"], entry["count"]):
            failed.setdefault(position, []).append((entry["fence"], entry["expected"], entry["actual"]))
    found = []
    for ranking in data["rankings"][:1]:
        positions, columns, totals = _unpacked(ranking)
        named = [(column["rating"], column["weight"]) for column in ranking["columns"]]
        for index, position in enumerate(positions):
            ratings = [
                (key, weight, raw[index], points[index])
                for (key, weight), (raw, points) in zip(named, columns, strict=True)
            ]
            found.append(Verdict(keys[position], [], ratings, totals[index], index + 1))
    found += [Verdict(keys[position], reasons, [], None, None) for position, reasons in failed.items()]
    return found


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
