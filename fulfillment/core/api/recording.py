"""Recordable attributes of lines in the wire format."""

from ..attributes import LONGEST_VALUE, RULES
from .schema import List, Object, Text
from .wire import named_words, short, text, words


class AttributeUpdate(Object):
    """Of a value, null and an empty text are no absence: they take back what was recorded."""

    def __call__(self, value, path, errors):
        clean = super().__call__(value, path, errors)
        is_taken_back = type(value) is dict and value.get("value", "absent") in (None, "")
        return {**clean, "value": None} if is_taken_back else clean


_rule = Text(choices=RULES)
recordable_attribute = Object(
    {"id": short, "keyLocalized": words, "recordingRule": _rule},
    {"group": short, "key": text, "originId": short, "value": Text(LONGEST_VALUE)},
    name="RecordableAttribute",
)
attribute_update = AttributeUpdate(
    {"recordableAttributeId": short},
    {"group": short, "keyLocalized": named_words, "recordingRule": _rule, "value": Text(LONGEST_VALUE)},
    closed=True,
    name="RecordableAttributeForUpdate",
)
attribute_updates = {"recordableAttributeUpdates": List(attribute_update, most=500)}


def read_updates(data):
    """``{attribute id: what changes of it}`` of a body."""
    found: dict[str, dict] = {}
    for entry in data["recordableAttributeUpdates"]:
        changes = {name: value for name, value in entry.items() if name != "recordableAttributeId"}
        found.setdefault(entry["recordableAttributeId"], {}).update(changes)
    return found


def represent_attributes(attributes):
    """``{"recordableAttributes": [...]}`` of a line, nothing when it has none."""
    shown = [
        {"keyLocalized": {}, "recordingRule": "OPTIONAL"}
        | {
            name: value
            for name, value in one.items()
            if name in recordable_attribute.parts and value not in (None, "")
        }
        for one in attributes
    ]
    return {"recordableAttributes": shown} if shown else {}
