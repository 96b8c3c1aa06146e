"""A routing run as plain data for the decision log: everything that is needed to show it and to run it again."""


def decision_data(demand, candidates, exclusions, outcome, parts, fixed, place_source):
    """All numbers of a run.

    Returns:
        ``{"demand", "facilities": {key: name}, "fixed", "exclusions", "rankings", "parts", "remainder"}``; the lists
        of a ranking stand in the order of its ``facilities``, best first.
    """
    return {
        "demand": {
            "service": demand.service,
            "country": demand.country,
            "position": demand.position,
            "place_source": place_source,
            "lines": _lines(demand.lines),
        },
        "fixed": fixed,
        "facilities": {candidate.key: candidate.site.name for candidate in candidates},
        "exclusions": [
            {
                "fence": exclusion.fence,
                "expected": exclusion.expected,
                "actual": exclusion.actual,
                "facilities": exclusion.facilities,
            }
            for exclusion in exclusions
        ],
        "rankings": [_ranking(ranking) for ranking in outcome.rankings],
        "parts": [{"facility": part.facility, "lines": _lines(part.lines)} for part in parts],
        "remainder": _lines(outcome.remainder),
    }


def _lines(lines):
    return [[line.article, line.quantity] for line in lines]


def _ranking(ranking):
    return {
        "lines": _lines(ranking.lines),
        "facilities": [candidate.key for candidate in ranking.candidates],
        "columns": [
            {
                "rating": column.key,
                "weight": column.weight,
                "raw": column.raw,
                "points": column.points,
                "gap": column.gap,
            }
            for column in ranking.columns
        ],
        "totals": ranking.totals,
        "tied": ranking.tied,
        "winner": ranking.winner.key if ranking.winner else None,
    }
