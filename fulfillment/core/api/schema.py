"""A lean validator for bodies in the wire format: a schema is built once from these parts and then called.

Every part is called as ``part(value, path, errors)``; it returns the cleaned value and notes what is wrong as
(path, message). An empty string and null count as absent.
"""

import datetime
import re

from rest_framework.exceptions import ValidationError

from ..countries import COUNTRIES

MOST_ERRORS = 50
RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
WEB_PAGE = re.compile(r"https?://[^\s/]+(/\S*)?", re.IGNORECASE)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def anything(value, path, errors):
    return value


class Text:
    def __init__(self, longest=10_000, choices=None):
        self.longest = longest
        self.choices = frozenset(choices) if choices else None
        self.message = f"must be one of {', '.join(choices)}" if choices else ""

    def __call__(self, value, path, errors):
        if type(value) is not str:
            errors.append((path, "must be a string"))
        elif self.choices is not None and value not in self.choices:
            errors.append((path, self.message))
        elif len(value) > self.longest:
            errors.append((path, f"must not be longer than {self.longest} characters"))
        return value


class Number:
    def __init__(self, least=None, most=None):
        self.least, self.most = least, most

    types: tuple[type, ...] = (int, float)
    noun = "a number"

    def __call__(self, value, path, errors):
        if type(value) not in self.types:
            errors.append((path, f"must be {self.noun}"))
        elif self.least is not None and value < self.least:
            errors.append((path, f"must be at least {self.least}"))
        elif self.most is not None and value > self.most:
            errors.append((path, f"must be at most {self.most}"))
        return value


class Integer(Number):
    types = (int,)
    noun = "an integer"


def boolean(value, path, errors):
    if type(value) is not bool:
        errors.append((path, "must be true or false"))
    return value


def moment(value, path, errors):
    """RFC 3339 text; it stays text."""
    try:
        if type(value) is not str or not RFC3339.fullmatch(value):
            raise ValueError
        datetime.datetime.fromisoformat(value.upper()).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        errors.append((path, "must be a time like 2026-03-02T09:00:00Z"))
    return value


def read_moment(text):
    """The time that a checked ``moment`` is, in UTC: databases refuse offsets that RFC 3339 allows."""
    return datetime.datetime.fromisoformat(text.upper()).astimezone(datetime.UTC)


def email(value, path, errors):
    if type(value) is not str or len(value) > 254 or not EMAIL.fullmatch(value):
        errors.append((path, "must be an e-mail address"))
    return value


def web_page(value, path, errors):
    """An address that a browser may open: people follow it."""
    if type(value) is not str or len(value) > 500 or not WEB_PAGE.fullmatch(value):
        errors.append(
            (path, "must be an address like https://carrier.example/track, of up to 500 characters")
        )
    return value


def country(value, path, errors):
    if type(value) is not str or value not in COUNTRIES:
        errors.append((path, "must be a country code of ISO 3166-1 like NL or DE"))
    return value


def free(value, path, errors):
    """Any object; its content is the client's own."""
    if type(value) is not dict:
        errors.append((path, "must be an object"))
    return value


class Map:
    def __init__(self, item, least=0):
        self.item, self.least = item, least

    def __call__(self, value, path, errors):
        if type(value) is not dict:
            errors.append((path, "must be an object"))
            return value
        given = {name: inner for name, inner in value.items() if inner is not None}
        if len(given) < self.least:
            errors.append((path, "must not be empty"))
        return {name: self.item(inner, f"{path}.{name}", errors) for name, inner in given.items()}


class List:
    def __init__(self, item=anything, most=500, least=0):
        self.item, self.most, self.least = item, most, least

    def __call__(self, value, path, errors):
        if type(value) is not list:
            errors.append((path, "must be a list"))
        elif len(value) > self.most:
            errors.append((path, f"must not have more than {self.most} entries, it has {len(value)}"))
        elif len(value) < self.least:
            noun = "entry" if self.least == 1 else "entries"
            errors.append((path, f"must have at least {self.least} {noun}"))
        else:
            return [self.item(inner, f"{path}[{index}]", errors) for index, inner in enumerate(value)]
        return value


class Object:
    """``required`` and ``optional`` map names to parts. A closed object refuses every other property.

    ``one_of``: names of which at least one must be given. ``rule(clean, path, errors)`` looks at the whole.
    ``name`` makes it a schema of its own in the OpenAPI document.
    """

    def __init__(self, required=None, optional=None, *, closed=False, one_of=(), rule=None, name=""):
        self.name = name
        self.required = list(required or {})
        self.parts = {**(required or {}), **(optional or {})}
        self.closed, self.one_of, self.rule = closed, one_of, rule

    def __call__(self, value, path, errors):
        if type(value) is not dict:
            errors.append((path or "body", "must be an object"))
            return value
        clean, before = {}, len(errors)
        prefix = f"{path}." if path else ""
        for name, inner in value.items():
            part = self.parts.get(name)
            if part is not None:
                if inner is not None and inner != "":
                    clean[name] = part(inner, prefix + name, errors)
            elif self.closed:
                errors.append((prefix + name, "is not a known property"))
            else:
                clean[name] = inner
        for name in self.required:
            if name not in clean:
                errors.append((prefix + name, "is required"))
        if self.one_of and not any(name in clean for name in self.one_of):
            errors.append((path or "body", f"needs one of {', '.join(self.one_of)}"))
        if self.rule is not None and len(errors) == before:
            self.rule(clean, prefix, errors)
        return clean


class Choice:
    """One of several objects, told apart by the text in their property ``key``: ``{"ModifyPickJob": Object(...)}``."""

    def __init__(self, key, options):
        self.key, self.options = key, options

    def __call__(self, value, path, errors):
        if type(value) is not dict:
            errors.append((path or "body", "must be an object"))
            return value
        chosen = value.get(self.key)
        part = self.options.get(chosen) if type(chosen) is str else None
        if part is None:
            errors.append(
                (f"{path}.{self.key}" if path else self.key, f"must be one of {', '.join(self.options)}")
            )
            return value
        return part(value, path, errors)


def validate_each(schema, name, value):
    """The rows of a bulk body, each by itself, so that a bad one keeps nobody else out.

    Args:
        schema: an ``Object`` whose part ``name`` is a ``List``.
    Returns:
        ``[(row, [])]``, or ``[(None, [(path, message)])]`` for a bad row, in the order of the rows.
    Raises:
        ValidationError: the body is no such object, or has too many rows.
    """
    rows = schema.parts[name]
    body = Object({name: List(most=rows.most, least=rows.least)}, closed=schema.closed)
    results = []
    for index, row in enumerate(validate(body, value)[name]):
        errors: list[tuple[str, str]] = []
        clean = rows.item(row, f"{name}[{index}]", errors)
        results.append((None, errors[:MOST_ERRORS]) if errors else (clean, []))
    return results


def validate(schema, value):
    """The cleaned value, or ``ValidationError`` with every problem by its path, ``MOST_ERRORS`` at most."""
    errors: list[tuple[str, str]] = []
    clean = schema(value, "", errors)
    if errors:
        found: dict[str, list[str]] = {}
        for path, message in errors[:MOST_ERRORS]:
            found.setdefault(path, []).append(message)
        raise ValidationError(found)
    return clean
