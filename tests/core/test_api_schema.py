import pytest
from rest_framework.exceptions import ParseError, ValidationError

from fulfillment.core.api import document
from fulfillment.core.api.parsing import read_json
from fulfillment.core.api.schema import Integer, List, Object, Text, moment, validate

BODY = Object(
    {"name": Text(5)},
    {"lines": List(Object({"units": Integer(1, 9)}, closed=True), most=2), "at": moment},
    closed=True,
)


def refusal(value):
    with pytest.raises(ValidationError) as caught:
        validate(BODY, value)
    return {path: [str(text) for text in texts] for path, texts in caught.value.detail.items()}


def test_validate_keeps_what_is_right_and_drops_what_is_empty():
    value = {"name": "Anna", "at": "", "lines": None}

    assert validate(BODY, value) == {"name": "Anna"}


@pytest.mark.parametrize(
    ("value", "errors"),
    [
        ([], {"body": ["must be an object"]}),
        ({}, {"name": ["is required"]}),
        ({"name": ""}, {"name": ["is required"]}),
        ({"name": "Johanna"}, {"name": ["must not be longer than 5 characters"]}),
        ({"name": "A", "age": 1}, {"age": ["is not a known property"]}),
        ({"name": "A", "lines": [{"units": 1}, {"units": 0}]}, {"lines[1].units": ["must be at least 1"]}),
        ({"name": "A", "lines": [{"units": True}]}, {"lines[0].units": ["must be an integer"]}),
        ({"name": "A", "lines": [{"units": 1.0}]}, {"lines[0].units": ["must be an integer"]}),
        ({"name": "A", "lines": [{}] * 3}, {"lines": ["must not have more than 2 entries, it has 3"]}),
    ],
)
def test_validate_names_the_path(value, errors):
    assert refusal(value) == errors


@pytest.mark.parametrize("text", ["2026-03-02T09:00:00Z", "2026-03-02t09:00:00.123456789+01:00"])
def test_moment_accepts_rfc_3339(text):
    assert validate(BODY, {"name": "A", "at": text})["at"] == text


@pytest.mark.parametrize(
    "text", ["2026-03-02", "2026-03-02T09:00:00", "2026-13-02T09:00:00Z", "20260302T090000Z"]
)
def test_moment_refuses_other_times(text):
    assert list(refusal({"name": "A", "at": text})) == ["at"]


def test_validate_stops_at_fifty_errors():
    value = {f"unknown{number}": 1 for number in range(200)}

    assert len(refusal(value)) == 50


def test_read_json_reads_plain_json():
    assert read_json(b'{"a": [1, 2.5, "\xc3\xa9", null, true]}') == {"a": [1, 2.5, "é", None, True]}


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{'a': 1}", b"\xef\xbb\xbf{}", b"1" * 5000])
def test_read_json_refuses_what_is_no_json(body):
    with pytest.raises(ParseError):
        read_json(body)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"a": {"b": 1, "b": 2}}', "a.b"),
        (b'{"a": [NaN]}', "a[0]"),
        (b'{"a": -Infinity}', "a"),
        (b'{"a": 1e400}', "a"),
        (b'{"a": "x\\u0000"}', "a"),
        (b'{"a": "\\udc00"}', "a"),
        (b'{"a": {"\\ud800": 1}}', "a"),
        (b'["\\u0000"]', "[0]"),
        (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "a" + "[0]" * 31),
        (b"[" * 100_000, "body"),
    ],
)
def test_read_json_names_what_no_database_keeps(body, path):
    with pytest.raises(ValidationError) as caught:
        read_json(body)

    assert list(caught.value.detail) == [path]


def test_two_different_objects_have_two_names(monkeypatch):
    monkeypatch.setattr(document, "COMPONENTS", {})
    monkeypatch.setattr(document, "NAMED", {})
    document.describe(Object({"name": Text(5)}, name="Same"))

    document.describe(Object({"name": Text(5)}, name="Same"))
    with pytest.raises(ValueError, match="Same"):
        document.describe(Object({"name": Text(6)}, name="Same"))
