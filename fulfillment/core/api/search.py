"""``POST .../search``: ``{"query": {field: {operator: value}, "and": [...], "or": [...]}, "sort": [{field: "ASC"}],
"size", "after", "before", "last", "options": {"withTotal"}}`` over the fields that an entity names.

A cursor holds the sort values and the id of a row, so that pages neither repeat nor skip rows when others come.
"""

import base64
import datetime
import json
import operator
from dataclasses import dataclass
from functools import reduce
from typing import Any

from django.core.exceptions import ValidationError as BadValue
from django.db.models import Q
from rest_framework.exceptions import ValidationError

from .paging import as_uuid
from .schema import Integer, List, Object, Text, boolean, free, moment, read_moment, validate

DEFAULT_SIZE, LARGEST_SIZE = 20, 250
DEEPEST, MOST_CONDITIONS = 8, 100
OPERATORS = {
    "eq": "exact",
    "notEq": "exact",
    "in": "in",
    "notIn": "in",
    "like": "icontains",
    "gt": "gt",
    "gte": "gte",
    "lt": "lt",
    "lte": "lte",
}
NEGATED = {"notEq", "notIn"}

payload = Object(
    optional={
        "query": free,
        "sort": List(free, most=5),
        "size": Integer(1, LARGEST_SIZE),
        "after": Text(2000),
        "before": Text(2000),
        "last": Integer(1, LARGEST_SIZE),
        "options": Object(optional={"withTotal": boolean}),
    },
    name="SearchPayload",
)


page_info = Object(
    {"hasNextPage": boolean, "hasPreviousPage": boolean},
    {"startCursor": Text(), "endCursor": Text()},
    name="PageInfo",
)


@dataclass(frozen=True)
class Field:
    """A property that may be searched: the path of the ORM and what its values are."""

    path: str
    kind: str = "text"  # text | id | number | time | boolean
    is_sortable: bool = False


def search(body, queryset, fields):
    """One page of a search.

    Args:
        body: the request's body.
        fields: ``{name in the wire format: Field}``, or for an object or a list of them the fields inside.
    Returns:
        (rows, pageInfo, total or None)
    Raises:
        ValidationError: naming the field or operator that is unknown, or the value that does not fit.
    """
    body = validate(payload, body)
    found = queryset.filter(_condition(body.get("query") or {}, fields, "query")).distinct()
    sort = _sort(body.get("sort") or [], fields)
    backwards = "before" in body or ("last" in body and "size" not in body)
    size = body.get("last" if backwards else "size", DEFAULT_SIZE)
    ordered = [(path, descending != backwards) for path, descending in sort]
    page = found.order_by(*(f"-{path}" if descending else path for path, descending in ordered))
    cursor = body.get("before" if backwards else "after")
    if cursor:
        try:
            page = page.filter(_beyond(ordered, _read_cursor(cursor)))
        except (BadValue, ValueError, TypeError, UnicodeError) as error:
            raise ValidationError(
                {
                    "before" if backwards else "after": [
                        "must be a cursor of an earlier page with the same sort"
                    ]
                }
            ) from error
    rows = list(page[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    info: dict[str, Any] = {
        "hasNextPage": bool(cursor) if backwards else more,
        "hasPreviousPage": more if backwards else bool(cursor),
    }
    if rows:
        info["startCursor"], info["endCursor"] = (_cursor(rows[0], sort), _cursor(rows[-1], sort))
    total = found.count() if (body.get("options") or {}).get("withTotal") else None
    return rows, info, total


def _condition(query, fields, path, depth=0):
    if depth == DEEPEST:
        raise ValidationError({path: [f"is nested deeper than {DEEPEST} levels"]})
    if not isinstance(query, dict) or len(query) > MOST_CONDITIONS:
        raise ValidationError({path: [f"must be an object with at most {MOST_CONDITIONS} conditions"]})
    parts = []
    for name, value in query.items():
        own = f"{path}.{name}"
        if value is None:
            continue
        if name in {"and", "or"}:
            if not isinstance(value, list) or len(value) > MOST_CONDITIONS:
                raise ValidationError({own: ["must be a list of conditions"]})
            inner = [
                _condition(item, fields, f"{own}[{index}]", depth + 1) for index, item in enumerate(value)
            ]
            if inner:
                parts.append(reduce(operator.and_ if name == "and" else operator.or_, inner))
        elif name not in fields:
            raise ValidationError({own: [f"cannot be searched; there are {', '.join(fields)}"]})
        elif isinstance(fields[name], dict):
            inner = value.get("contains", value) if isinstance(value, dict) else value
            parts.append(_condition(inner, fields[name], own, depth + 1))
        else:
            parts.append(_comparisons(value, fields[name], own))
    return reduce(operator.and_, parts, Q())


def _comparisons(filters, field, path):
    if not isinstance(filters, dict):
        raise ValidationError({path: ['must be an object like {"eq": ...}']})
    condition = Q()
    for name, value in filters.items():
        own = f"{path}.{name}"
        if value is None:
            continue
        if name == "contains":  # a list: one of its values
            condition &= _comparisons(value, field, own)
            continue
        if name not in OPERATORS:
            raise ValidationError({own: [f"is no operator; there are {', '.join(OPERATORS)}"]})
        if name in {"in", "notIn"}:
            if not isinstance(value, list) or len(value) > 500:
                raise ValidationError({own: ["must be a list of at most 500 values"]})
            read = [_value(item, field, f"{own}[{index}]") for index, item in enumerate(value)]
        elif name == "like" and field.kind != "text":
            raise ValidationError({own: ["is for texts only"]})
        else:
            read = _value(value, field, own)
        test = Q(**{f"{field.path}__{OPERATORS[name]}": read})
        condition &= ~test if name in NEGATED else test
    return condition


def _value(value, field, path):
    if field.kind == "number":
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63
    elif field.kind == "boolean":
        good = isinstance(value, bool)
    else:
        good = isinstance(value, str) and len(value) <= 1000
    if good and field.kind == "time":
        errors: list = []
        moment(value, path, errors)
        good = not errors
        value = read_moment(value) if good else value
    elif good and field.kind == "id":
        value = as_uuid(value)
        good = value is not None
    if not good:
        kinds = {"id": "an id", "number": "a number", "time": "a time like 2026-03-02T09:00:00Z"}
        raise ValidationError({path: [f"must be {kinds.get(field.kind, 'a ' + field.kind)}"]})
    return value


def _sort(wanted, fields):
    """[(ORM path, descending)], with the id last so that no two rows are equal."""
    sort = []
    for index, entry in enumerate(wanted):
        for name, direction in entry.items():
            field = fields.get(name)
            if not isinstance(field, Field) or not field.is_sortable or direction not in {"ASC", "DESC"}:
                names = ", ".join(
                    name for name, field in fields.items() if isinstance(field, Field) and field.is_sortable
                )
                raise ValidationError({f"sort[{index}].{name}": [f"sort by {names}, ASC or DESC"]})
            sort.append((field.path, direction == "DESC"))
    return [*sort, ("pk", sort[0][1] if sort else True)]


def _beyond(ordered, values):
    """Rows after the one with these sort values."""
    condition, equal = Q(), Q()
    for (path, descending), value in zip(ordered, values, strict=True):
        condition |= equal & Q(**{f"{path}__{'lt' if descending else 'gt'}": value})
        equal &= Q(**{path: value})
    return condition


def _cursor(row, sort):
    values = [reduce(getattr, path.split("__"), row) for path, _descending in sort]
    texts = [value.isoformat() if isinstance(value, datetime.datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(texts, default=str).encode()).decode()


def _read_cursor(text):
    values = json.loads(base64.urlsafe_b64decode(text.encode()))
    if not isinstance(values, list) or as_uuid(values[-1]) is None:
        raise ValueError
    return values
