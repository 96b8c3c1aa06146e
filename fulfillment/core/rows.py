"""Many rows at once: PostgreSQL takes new ones as a stream (COPY), which costs a third of an INSERT of the same rows,
and changes as one table of numbers. Elsewhere the ORM does the same.
"""

import datetime
import functools
import itertools
import json
import operator
import uuid
from collections.abc import Callable
from typing import Any

from django.db import connection, models
from django.db.models import Case, F, Value, When

EMPTY = {dict: "{}", list: "[]", type(None): None}
FEW = 10  # below this the statement of its own is not worth it
CASES = 200  # changes in one statement of the ORM, which compiles every one of them


def insert(model, rows):
    """Write new rows of a model as ``bulk_create`` does, save that ids given by the database are not read back."""
    rows = list(rows)
    if connection.vendor != "postgresql" or len(rows) < FEW:
        model.objects.bulk_create(rows)
        return
    statement, values = _prepare(model)
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write_row([value(row) for value in values])


def add(model, field, units, *, changed_at=None):
    """Add to a number of many rows, in one statement on PostgreSQL; the caller holds their locks.

    Args:
        units: ``{primary key: what to add}``, negative to take away.
        changed_at: raises the version too and notes this time.
    Returns:
        How many rows there were.
    """
    units = dict(sorted(units.items()))
    if connection.vendor != "postgresql" or len(units) < FEW:
        also = {} if changed_at is None else {"version": F("version") + 1, "modified_at": changed_at}
        return sum(
            model.objects.filter(pk__in=[pk for pk, _number in batch]).update(
                **{field: Case(*(When(pk=pk, then=F(field) + Value(number)) for pk, number in batch))}, **also
            )
            for batch in batches(units.items(), CASES)
        )
    quote = connection.ops.quote_name
    table, key, column = quote(model._meta.db_table), model._meta.pk, quote(field)
    changes = [f"{column} = {table}.{column} + added.units"]
    if changed_at is not None:
        changes += [f"version = {table}.version + 1", "modified_at = %s"]
    statement = " ".join(
        [
            f"UPDATE {table} SET {', '.join(changes)}",  # noqa: S608 - names of the model
            f"FROM unnest(%s::{key.db_type(connection)}[], %s::integer[]) AS added (key, units)",
            f"WHERE {table}.{quote(key.column)} = added.key",
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*([changed_at] if changed_at else []), list(units), list(units.values())])
        return cursor.rowcount


def batches(items, size=None):
    """Lists of items, by default of as many as a statement may well name."""
    size, rest = size or (500 if connection.features.max_query_params else 5000), iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch


@functools.lru_cache
def _prepare(model):
    """The statement, and per column a function that reads its value of a row."""
    fields = [field for field in model._meta.local_concrete_fields if not isinstance(field, models.AutoField)]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    statement = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"
    return statement, [_reader(field) for field in fields]


def _reader(field) -> Callable[[Any], Any]:
    """A function of a row: what its column gets, in a type whose text the driver knows best."""
    if isinstance(field, models.JSONField):
        encode, read = (
            (field.encoder or json.JSONEncoder)(ensure_ascii=False).encode,
            operator.attrgetter(field.attname),
        )
        return lambda row: (
            EMPTY[type(value)] if not (value := read(row)) and type(value) in EMPTY else encode(value)
        )
    if getattr(field, "auto_now", False):
        return lambda row: _plain(field.pre_save(row, True))
    if isinstance(
        field.target_field if field.is_relation else field, models.UUIDField | models.DateTimeField
    ):
        read = operator.attrgetter(field.attname)
        return lambda row: _plain(read(row))
    return operator.attrgetter(field.attname)


def _plain(value):
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value
