"""What people record of goods while they work, such as a serial number: asked for by the listing, kept with a line."""

import uuid

from django.utils.translation import gettext_lazy as _

from .errors import Refused

MANDATORY = "MANDATORY"
RULES = ["OPTIONAL", MANDATORY]
LONGEST_VALUE = 500


class UnknownAttribute(Refused):
    text = _("%(title)s has no attribute %(attribute)s to be recorded.")


class AttributesMissing(Refused):
    text = _("Record what is asked for first: %(missing)s.")


def copies(attributes):
    """The same attributes for another line, each with an id of its own and that of the one it comes from."""
    return [
        {
            **attribute,
            "id": str(uuid.uuid4()),
            **({"originId": attribute["id"]} if attribute.get("id") else {}),
        }
        for attribute in attributes
    ]


def key_of(words):
    """The name for programs: the English one, else the first by its locale; a database keeps no order of them."""
    return min(((code[:2] != "en", code, word) for code, word in words.items() if word), default=("",))[-1]


def name_of(attribute, language):
    """What an attribute is called, in this language where the listing has it."""
    words = attribute.get("keyLocalized") or {}
    known = [words.get(language), *(text for code, text in words.items() if code.startswith(language[:2]))]
    return next(filter(None, [*known, attribute.get("key"), *words.values()]), "")


def missing(attributes):
    """Those that must have a value and have none."""
    return [one for one in attributes if one.get("recordingRule") == MANDATORY and not one.get("value")]


def record(job, field, changes):
    """Keep changes of attributes on the lines of a job that have them; the caller holds the lock of the job.

    Args:
        field: the field of a line that holds its attributes.
        changes: ``{attribute id: {"value", "group", "keyLocalized", "recordingRule"}}``, as far as given; a value of None
            takes back what was recorded.
    Refuses ids that none of the lines has.
    """
    left = dict(changes)
    for line in job.lines.all():
        attributes = getattr(line, field)
        known = {attribute["id"] for attribute in attributes}
        if left.keys() & known:
            setattr(line, field, [_changed(one, left.pop(one["id"], {})) for one in attributes])
            line.save(update_fields=[field])
    if left:
        raise UnknownAttribute(title=job, attribute=next(iter(left)))


def _changed(attribute, change):
    key = key_of(change.get("keyLocalized", {}))
    return attribute | change | ({"key": key} if key else {})
