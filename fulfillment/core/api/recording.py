"""Recordable attributes of lines in the wire format."""

from ..attributes import LONGEST_VALUE
from .schema import List, Object, Text, free

_short = Text(500)
_rule = Text(choices=["OPTIONAL", "MANDATORY"])
recordable_attribute = Object(
    {"id": _short, "keyLocalized": free, "recordingRule": _rule},
    {"group": _short, "key": _short, "originId": _short, "value": Text(LONGEST_VALUE)},
    name="RecordableAttribute",
)
attribute_update = Object(
    {"recordableAttributeId": _short},
    {"group": _short, "keyLocalized": free, "recordingRule": _rule, "value": Text(LONGEST_VALUE)},
    closed=True,
    name="RecordableAttributeForUpdate",
)
attribute_updates = {"recordableAttributeUpdates": List(attribute_update, most=500)}


def read_updates(data):
    """``{attribute id: what changes of it}`` of a body."""
    return {
        entry["recordableAttributeId"]: {
            name: value for name, value in entry.items() if name != "recordableAttributeId"
        }
        for entry in data["recordableAttributeUpdates"]
    }


def represent_attributes(attributes):
    """``{"recordableAttributes": [...]}`` of a line, nothing when it has none."""
    shown = [{"keyLocalized": {}, "recordingRule": "OPTIONAL"} | one for one in attributes]
    return {"recordableAttributes": shown} if shown else {}
