"""The end of a code, as the screen shows it behind “…”, typed by a person instead of the whole code."""

import re

from . import queries

TAIL = re.compile(r"[0-9A-Z-]{4,12}", re.IGNORECASE)


def full_code(typed, line, totes):
    """The code that ends as it was typed, of what is expected now; what was typed when it is of nothing or of several things.

    Args:
        line: the one to pick; its article and its places are expected, and the ``totes`` that go along.
    """
    known = line.article.codes.filter(units=1).values_list("code", flat=True)
    of_order = [] if line.replaces_id else line.order_line.scannable_codes
    things = [
        [*known, *of_order, *line.listing.scannable_codes],
        *([place.name, *place.codes] for place in queries.places_of(line)),
        *([unit.code] for unit in totes),
    ]
    found = [code for thing in things if (code := _ending(thing, typed.upper()))]
    return found[0] if len(found) == 1 else typed


def _ending(known, tail):
    return next((code for code in known if code.upper().endswith(tail)), "")
