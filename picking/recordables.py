"""What is recorded of the units of a line beside lot, expiry and serial number: the recordable attributes of its listing.

A line keeps its own, in the wire format: ``{id, key, keyLocalized, recordingRule, value}`` and perhaps ``group``. What must
be recorded is asked for before the last unit is picked. The caller holds the lock under which lines change.
"""

import dataclasses
from collections import Counter

from django.utils.translation import get_language

from fulfillment.core import attributes
from fulfillment.core.ids import uuid7
from fulfillment.core.models import Listing


@dataclasses.dataclass(frozen=True)
class Recordable:
    """An attribute of a line as the screen shows it."""

    id: str
    name: str
    value: str
    is_mandatory: bool


def of_listings(listing_ids):
    """``{listing id: what is recorded of its units}``, without listings that ask for nothing."""
    asking = Listing.objects.filter(pk__in=listing_ids, extra__has_key="recordableAttributes")
    return dict(asking.values_list("pk", "extra__recordableAttributes"))


def of_line(listed):
    """The attributes of a new line, by those of its listing. What has a value there begins with it."""
    return [
        {
            "id": str(uuid7()),
            "key": attributes.key_of(one["keyLocalized"]),
            "keyLocalized": one["keyLocalized"],
            "recordingRule": one["recordingRule"],
            "value": _text(one.get("value")),
            "preset": _text(one.get("value")),
        }
        for one in (listed if isinstance(listed, list) else [])
        if _is_usable(one)
    ]


def _is_usable(listed):
    """Whether an attribute of a listing has a name and a rule: some are from a time when anything was taken."""
    words = listed.get("keyLocalized") if isinstance(listed, dict) else None
    return (
        isinstance(words, dict)
        and any(words.values())
        and all(isinstance(word, str) for word in words.values())
        and listed.get("recordingRule") in attributes.RULES
    )


def _text(value):
    return value[: attributes.LONGEST_VALUE] if isinstance(value, str) and value else None


def shown(line):
    """The attributes of a line, named in the reader's language."""
    language = get_language() or "en"
    return [
        Recordable(
            one["id"],
            attributes.name_of(one, language),
            one["value"] or "",
            one["recordingRule"] == attributes.MANDATORY,
        )
        for one in line.recordables
    ]


def missing(line):
    """The names of what must be recorded of a line and is not."""
    language = get_language() or "en"
    return [attributes.name_of(one, language) for one in attributes.missing(line.recordables)]


def keep(lines, attribute_id, value):
    """Record a value on the lines that are picked together: on each under the name that one attribute has.

    Returns whether there is one with this id.
    """
    wanted = next((one for line in lines for one in line.recordables if one["id"] == str(attribute_id)), None)
    for line in lines if wanted else []:
        for one in line.recordables:
            if one["key"] == wanted["key"]:
                one["value"] = value[: attributes.LONGEST_VALUE] or None
        line.save(update_fields=["recordables"])
    return wanted is not None


def together(lines):
    """The attributes of parts that become one line, with the values of all; None where two have different ones."""
    found = {}
    for line in lines:
        seen = Counter()
        for one in line.recordables:
            seen[one["key"]] += 1  # a listing may ask twice under one name
            known = found.setdefault((one["key"], seen[one["key"]]), one)
            ours, theirs = _recorded(known), _recorded(one)
            if ours and theirs and ours != theirs:
                return None
            known["value"] = ours or theirs or known["value"]
    return list(found.values())


def _recorded(one):
    """The value that somebody recorded; what the listing proposes is none."""
    return one["value"] if one["value"] != one["preset"] else None


def passed_on(line):
    """What was recorded of a line, for the line that packs its units."""
    return [{name: value for name, value in one.items() if name != "preset"} for one in line.recordables]


def begin_anew(line):
    """Forget what was recorded."""
    for one in line.recordables:
        one["value"] = one["preset"]
