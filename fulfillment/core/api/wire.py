"""What the wire format of facilities, listings and stock shares."""

import datetime

from .schema import Integer, List, Map, Object, Text, moment

short, text = Text(255), Text()
words = Map(text)
named_words = Map(Text(200), least=1)
version = Integer(0, 2**31 - 1)
versioned = {"created": moment, "lastModified": moment}
tag = Object({"id": short, "value": short})
row_errors = List(
    Object({"summary": short, "description": text}, {"requestVersion": Integer(), "version": Integer()})
)


def time(value):
    """RFC 3339 in UTC."""
    return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def without_empty(body):
    """A body without what is not known."""
    return {name: value for name, value in body.items() if value not in (None, "")}


def entity(row):
    """What every entity says of itself."""
    return {
        "id": str(row.pk),
        "version": row.version,
        "created": time(row.created_at),
        "lastModified": time(row.modified_at),
    }
