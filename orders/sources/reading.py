"""Reading what sources send: pure functions that neither guess nor lose anything.

Numbers with a decimal point are read as ``Decimal``; no price is ever a float.
"""

import datetime
import json
import re
from decimal import Decimal, InvalidOperation

from .reasons import reason

ZERO_DECIMAL = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905 - a table
)
THREE_DECIMAL = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
COMPACT_OFFSET = re.compile(r"([+-]\d\d)(\d\d)$")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class NotOfThisSource(Exception):
    """The payload is JSON, but no order, page or message of this source."""


class Unmappable(Exception):
    """An order that a person has to look at; carries the reason."""

    def __init__(self, code, /, **params):
        super().__init__(code)
        self.reason = reason(code, **params)


def read_json(body):
    """The value of a JSON body (bytes or text), with exact decimals. Raises ``ValueError`` when it is not JSON."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("It is nested too deeply.") from error


def _no_constant(name):
    raise ValueError(f"{name} is no number.")


def text(value):
    """Any plain value as trimmed text that a database can keep; '' for nothing, lists and objects."""
    if value is None or isinstance(value, (dict, list)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return UNSTORABLE.sub("", str(value)).strip()


def first(*values):
    """The first that is not empty, as text."""
    return next(filter(None, map(text, values)), "")


def part(value, *path):
    """What stands at a path of names and indexes; None when anything on the way is missing."""
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def items(value):
    """The objects of a list; also of a GraphQL connection with ``nodes`` or ``edges``. Empty when it is none."""
    if isinstance(value, dict):
        edges = value.get("edges")
        value = [part(edge, "node") for edge in edges] if isinstance(edges, list) else value.get("nodes")
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def time(value):
    """A datetime in UTC from ISO 8601 with Z, +00:00, +0000 or a shop's offset; None when it is none."""
    value = text(value)
    try:
        moment = datetime.datetime.fromisoformat(COMPACT_OFFSET.sub(r"\1:\2", value.upper()))
        return (
            moment.replace(tzinfo=datetime.UTC) if moment.tzinfo is None else moment.astimezone(datetime.UTC)
        )
    except (ValueError, OverflowError):
        return None


def iso(moment):
    """A datetime as RFC 3339 text in UTC."""
    return moment.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def money(value):
    """A ``Decimal`` from decimal text or a JSON number; None when it is none."""
    if isinstance(value, (bool, float)):
        return None
    try:
        amount = Decimal(text(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def minor_units(value, currency, digits=None):
    """Money given in its smallest unit; without ``digits`` as the currency has it."""
    amount = money(value)
    if amount is None:
        return None
    return amount.scaleb(-(digits if isinstance(digits, int) else fraction_digits(currency)))


def fraction_digits(currency):
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def whole(value):
    """An integer from 2, "2" or 2.0; None when it is none or not whole."""
    amount = money(value)
    return int(amount) if amount is not None and amount == amount.to_integral_value() else None


def localized(value, locales=()):
    """A title from a map of locales: the first of the chain that is there, then its language, then any."""
    if not isinstance(value, dict):
        return text(value)
    for locale in locales:
        for name in (locale, locale.replace("_", "-"), locale.replace("-", "_"), re.split("[-_]", locale)[0]):
            if found := text(value.get(name)):
                return found
    return first(*value.values())


def attributes(*pairs):
    """Flat text from (name, value) pairs: objects as JSON text, repeated names keep all values, nothing stays out."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        name, value = text(name), as_text(value)
        if name and value and value not in found.setdefault(name, []):
            found[name].append(value)
    return {name: ", ".join(values) for name, values in found.items() if values}


def as_text(value):
    """Text of any JSON value."""
    if isinstance(value, (dict, list)):
        if not value:
            return ""
        if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
            return ", ".join(filter(None, map(text, value)))
        return UNSTORABLE.sub("", json.dumps(value, ensure_ascii=False, default=text, sort_keys=True))
    return text(value)
