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

from django.core.exceptions import FieldDoesNotExist
from django.core.exceptions import ValidationError as BadValue
from django.db.models import JSONField, Q
from django.db.models.fields.json import KeyTransform
from rest_framework.exceptions import ValidationError

from ..elements import AnyElement
from .paging import NO_ENTRY, as_uuid
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
    "after": "gt",
    "before": "lt",
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
        "startAfterId": Text(64),
        "options": Object(optional={"withTotal": boolean}, closed=True),
    },
    closed=True,
    name="SearchPayload",
)


# What the document shows of it: every entity has an id.
SEARCH = {
    "query": {"id": {"in": ["01997e6a-5a3c-7c1d-9b5e-2f6d1c0a7b11"]}},
    "size": 20,
    "options": {"withTotal": True},
}
page_info = Object(
    {"hasNextPage": boolean, "hasPreviousPage": boolean},
    {"startCursor": Text(), "endCursor": Text()},
    name="PageInfo",
)


@dataclass(frozen=True)
class Field:
    """A property that may be searched: the path of the ORM and what its values are.

    ``values`` maps words of the wire format to what is stored, where the two differ.
    """

    path: str
    kind: str = "text"  # text | id | number | time | boolean
    is_sortable: bool = False
    values: dict | None = None


@dataclass(frozen=True)
class Items:
    """A list that is stored as JSON in one column: its elements are objects with these properties, or plain texts.

    ``within`` names the property of the column that is the list; ``is_a`` keeps to elements with such values;
    ``values`` maps words of the wire format to what is stored, where the two differ.
    """

    path: str
    names: tuple[str, ...] = ()
    within: str = ""
    is_a: tuple[tuple[str, tuple[str, ...]], ...] = ()
    values: dict | None = None


@dataclass(frozen=True)
class Attributes:
    """An object of the client's own that is stored as JSON: its properties are compared by their names."""

    path: str


TAGS = Items("tags", ("id", "value"))
CUSTOM_ATTRIBUTES = Attributes("custom_attributes")


def search(body, queryset, fields):
    """One page of a search.

    Args:
        body: the request's body.
        fields: ``{name in the wire format: Field, Items, Attributes, or for an object the fields inside}``.
    Returns:
        (rows, pageInfo, total or None)
    Raises:
        ValidationError: naming the field or operator that is unknown, or the value that does not fit.
    """
    body = validate(payload, body)
    found = queryset.filter(_condition(body.get("query") or {}, fields, "query", queryset.model))
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
    elif last := body.get("startAfterId"):
        page = page.filter(_beyond(ordered, _values_of(last, queryset, ordered)))
    rows = list(page[: size + 1])
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    is_later = bool(cursor or body.get("startAfterId"))
    info: dict[str, Any] = {
        "hasNextPage": is_later if backwards else more,
        "hasPreviousPage": more if backwards else is_later,
    }
    if rows:
        info["startCursor"], info["endCursor"] = (_cursor(rows[0], sort), _cursor(rows[-1], sort))
    total = found.count() if (body.get("options") or {}).get("withTotal") else None
    return rows, info, total


def _values_of(last, queryset, ordered):
    pk = as_uuid(last)
    row = pk and queryset.filter(pk=pk).values_list(*(path for path, _descending in ordered)).first()
    if not row:
        raise ValidationError({"startAfterId": [NO_ENTRY]})
    return row


def _condition(query, fields, path, model, depth=0):
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
                _condition(item, fields, f"{own}[{index}]", model, depth + 1)
                for index, item in enumerate(value)
            ]
            if inner:
                parts.append(reduce(operator.and_ if name == "and" else operator.or_, inner))
        elif name not in fields:
            raise ValidationError({own: [f"cannot be searched; there are {', '.join(fields)}"]})
        else:
            parts.append(_ask(fields[name], value, own, model, depth))
    return reduce(operator.and_, parts, Q())


def _ask(part, value, path, model, depth):
    if not isinstance(value, dict):
        raise ValidationError({path: ['must be an object like {"eq": ...}']})
    if isinstance(part, Items):
        return _elements(part, value, path)
    if isinstance(part, Attributes):
        return _attributes(part, value, path)
    many = _relation_of_many(part, model)
    if many and value.keys() == {"exists"}:
        is_wanted = _value(value["exists"], EXISTS, f"{path}.exists")
        condition = Q(**{f"{many}__isnull": False})
    elif isinstance(part, Field):
        return _of_some_row(_comparisons(value, part, path), many, model)
    else:
        is_wanted = True
        inner = value.get("contains", value)
        # What is said of one row of many is said of the same one.
        condition = _condition(inner, part, path, None if many else model, depth + 1)
    condition = _of_some_row(condition, many, model)
    return condition if is_wanted else ~condition


EXISTS = Field("", "boolean")


def _relation_of_many(part, model):
    """The path to many rows that all of a part's fields begin with, "" when there is none.

    Args:
        model: None inside of such a part.
    """
    found = {_path_to_many(leaf.path, model) for leaf in _leaves(part)} if model else {""}
    return found.pop() if len(found) == 1 else ""


def _path_to_many(path, model):
    """``package__items`` of ``package__items__line``: a package has many of them."""
    steps = []
    for name in path.split("__"):
        try:
            field = model._meta.pk if name == "pk" else model._meta.get_field(name)
        except FieldDoesNotExist:
            break  # an annotation, or inside of JSON
        steps.append(name)
        if field.one_to_many or field.many_to_many:
            return "__".join(steps)
        if not field.is_relation:
            break
        model = field.related_model
    return ""


def _leaves(part):
    if isinstance(part, dict):
        for inner in part.values():
            yield from _leaves(inner)
    else:
        yield part


def _of_some_row(condition, many, model):
    """A condition on a related row, which need not be the one that another condition means; no row comes twice."""
    if not many or not condition:
        return condition
    return Q(pk__in=model._default_manager.filter(condition).order_by().values("pk"))


def _elements(items, value, path):
    if value.keys() == {"exists"}:
        is_wanted = _value(value["exists"], EXISTS, f"{path}.exists")
        some = Q(AnyElement(items.path, items.within, [*_kinds(items)]))
        return some if is_wanted else ~some
    wanted = value.get("contains", value)
    if not isinstance(wanted, dict):
        raise ValidationError({path: ["must be an object"]})
    if not items.names:
        wanted = {"": wanted}
    comparisons = [*_kinds(items)]
    for name, filters in wanted.items():
        own = f"{path}.{name}" if name else path
        if filters is None:
            continue
        if name and name not in items.names:
            raise ValidationError({own: [f"cannot be searched; there are {', '.join(items.names)}"]})
        comparisons += [
            (name, OPERATORS[operation], read, operation in NEGATED)
            for operation, read in _read(filters, Field("", values=items.values), own)
        ]
    return Q(AnyElement(items.path, items.within, comparisons))


TEXT = Field("")


def _kinds(items):
    for name, allowed in items.is_a:
        yield name, "in", list(allowed), False


def _attributes(part, value, path):
    """Each property as whatever it is stored as; one that is not there equals nothing."""
    condition = Q()
    for name, filters in value.items():
        own = f"{path}.{name}"
        if filters is None:
            continue
        if len(name) > 200 or name.isdigit():
            raise ValidationError({own: ["is not the name of an attribute"]})
        if not isinstance(filters, dict):
            raise ValidationError({own: ['must be an object like {"eq": ...}']})
        attribute = KeyTransform(name, part.path, output_field=JSONField())
        for operation, wanted in filters.items():
            if operation not in COMPARED:
                raise ValidationError(
                    {f"{own}.{operation}": [f"is no operator; there are {', '.join(COMPARED)}"]}
                )
            kind = KIND_OF.get(type(wanted))
            if kind is None:
                raise ValidationError({f"{own}.{operation}": ["must be a text, a number, true or false"]})
            _value(wanted, kind, f"{own}.{operation}")
            compare: Any = attribute.get_lookup(OPERATORS[operation])
            test = Q(**{f"{part.path}__has_key": name}) & Q(compare(attribute, wanted))
            condition &= ~test if operation in NEGATED else test
    return condition


KIND_OF = {bool: EXISTS, int: Field("", "number"), float: Field("", "number"), str: TEXT}
COMPARED = ("eq", "notEq", "gt", "gte", "lt", "lte")


def _comparisons(filters, field, path):
    condition = Q()
    for name, read in _read(filters, field, path):
        test = Q(**{f"{field.path}__{OPERATORS[name]}": read})
        condition &= ~test if name in NEGATED else test
    return condition


def _read(filters, field, path):
    """(operator, value) of a filter like ``{"eq": "x"}``, the values as they are stored."""
    if not isinstance(filters, dict):
        raise ValidationError({path: ['must be an object like {"eq": ...}']})
    for name, value in filters.items():
        own = f"{path}.{name}"
        if value is None:
            continue
        if name == "contains":  # a list: one of its values
            yield from _read(value, field, own)
            continue
        if name not in OPERATORS or (name in {"after", "before"} and field.kind != "time"):
            raise ValidationError({own: [f"is no operator; there are {', '.join(OPERATORS)}"]})
        if name in {"in", "notIn"}:
            if not isinstance(value, list) or len(value) > 500:
                raise ValidationError({own: ["must be a list of at most 500 values"]})
            yield name, [_value(item, field, f"{own}[{index}]") for index, item in enumerate(value)]
        elif name == "like" and field.kind != "text":
            raise ValidationError({own: ["is for texts only"]})
        else:
            yield name, _value(value, field, own)


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
    elif good and field.values is not None:
        good = value in field.values
        value = field.values.get(value)
    if not good:
        kinds = {"id": "an id", "number": "a number", "time": "a time like 2026-03-02T09:00:00Z"}
        raise ValidationError({path: [f"must be {kinds.get(field.kind, 'a ' + field.kind)}"]})
    return value


def _sort(wanted, fields):
    """[(ORM path, descending)], with the id last so that no two rows are equal."""
    sort = []
    for index, entry in enumerate(wanted):
        for name, direction in _named(entry):
            field = fields
            for step in name.split("."):
                field = field.get(step) if isinstance(field, dict) else None
            if not isinstance(field, Field) or not field.is_sortable or direction not in {"ASC", "DESC"}:
                names = ", ".join(_sortable(fields))
                raise ValidationError({f"sort[{index}].{name}": [f"sort by {names}, ASC or DESC"]})
            sort.append((field.path, direction == "DESC"))
    return [*sort, ("pk", sort[0][1] if sort else True)]


def _named(entry, prefix=""):
    """``{"address": {"city": "ASC"}}`` as ("address.city", "ASC")."""
    for name, value in entry.items():
        if isinstance(value, dict) and not prefix.count("."):
            yield from _named(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _sortable(fields, prefix=""):
    for name, field in fields.items():
        if isinstance(field, dict):
            yield from _sortable(field, f"{prefix}{name}.")
        elif isinstance(field, Field) and field.is_sortable:
            yield f"{prefix}{name}"


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
