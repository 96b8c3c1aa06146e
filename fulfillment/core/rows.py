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

from django.db import IntegrityError, connection, models, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

EMPTY = {dict: "{}", list: "[]", type(None): None}
FEW = 10  # below this the statement of its own is not worth it
MANY = 100  # nor, below this, a second statement
CASES = 200  # changes in one statement of the ORM, which compiles every one of them


def insert(model, rows, *, with_ids=False):
    """Write new rows of a model as ``bulk_create`` does.

    Ids that the database gives are set on the rows only ``with_ids``; they are drawn beforehand then.
    """
    rows = list(rows)
    if connection.vendor != "postgresql" or (with_ids and len(rows) < MANY) or not rows:
        model.objects.bulk_create(rows)
        return
    if len(rows) < FEW and not with_ids:
        _insert_few(model, rows)
    else:
        _copy(model, rows, with_ids)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def insert_values(model, names, values, *, with_ids=False):
    """``insert`` for rows that nobody needs as instances: tuples of some columns, the others get their defaults.

    Args:
        names: of the columns, ``plan_id`` for a foreign key.
    Returns:
        The ids that the database gave, in the order of the rows; ``[]`` without ``with_ids``.
    """
    values = list(values)
    if connection.vendor != "postgresql" or len(values) < (MANY if with_ids else FEW):
        made = [model(**dict(zip(names, row, strict=True))) for row in values]
        insert(model, made, with_ids=with_ids)
        return [row.pk for row in made] if with_ids else []
    ids = _draw_ids(model, len(values)) if with_ids else []
    columns = dict(zip(names, zip(*values, strict=True), strict=True))
    if with_ids:
        columns[model._meta.pk.attname] = ids
    statement, fields = _prepare_values(model, tuple(columns))
    written = [_written(field, columns.get(field.attname), len(values)) for field in fields]
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in zip(*written, strict=True):
            copy.write_row(row)
    return ids


@functools.lru_cache
def _prepare_values(model, names):
    """The statement of a stream of these columns and those that have a default, and their fields."""
    unknown = set(names) - {field.attname for field in model._meta.local_concrete_fields}
    if unknown:
        raise LookupError(f"{model._meta.label} has no column {', '.join(sorted(unknown))}.")
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if field.attname in names or not isinstance(field, models.AutoField)
    ]
    return _stream(model, fields), fields


def _written(field, values, count):
    """A column in the types that the driver writes fastest; without values it gets its default."""
    write = _writer(field)
    if values is None:
        if getattr(field, "auto_now", False):
            values = itertools.repeat(timezone.now(), count)
        elif field.has_default() and callable(field.default) and field.default not in EMPTY:
            values = [field.get_default() for _row in range(count)]  # ids and times, each its own
        else:
            values = itertools.repeat(field.get_default(), count)
    return map(write, values) if write else values


def _copy(model, rows, with_ids):
    if with_ids:
        for row, key in zip(rows, _draw_ids(model, len(rows)), strict=True):
            row.pk = key
    statement, values = _prepare(model, with_ids)
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write_row([value(row) for value in values])


def _insert_few(model, rows):
    """One INSERT whose text is built once: for a few rows the ORM's building of it costs more than the rows."""
    statement, row_of_marks, values = _prepare_few(model)
    with connection.cursor() as cursor:
        cursor.execute(
            statement + ", ".join([row_of_marks] * len(rows)),
            [value(row) for row in rows for value in values],
        )


@functools.lru_cache
def _prepare_few(model):
    fields, values = _columns(model, False)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ", f"({marks})", values  # noqa: S608 - names of the model


def insert_once(row):
    """Write one new row unless a unique constraint has it already; returns whether it was written.

    On PostgreSQL a single statement without a transaction around it, for requests that do nothing else.
    """
    if connection.vendor != "postgresql":
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            if "UNIQUE" not in str(error):
                raise
            return False
        return True
    statement, row_of_marks, values = _prepare_few(row._meta.model)
    with connection.cursor() as cursor:
        cursor.execute(f"{statement}{row_of_marks} ON CONFLICT DO NOTHING", [value(row) for value in values])
        return cursor.rowcount == 1


def insert_missing(model, rows):
    """Write new rows, leaving out those that a unique constraint has already; ids are not set."""
    rows = list(rows)
    if connection.vendor != "postgresql" or len(rows) < FEW:
        model.objects.bulk_create(rows, ignore_conflicts=True)
        return
    quote, (fields, values) = connection.ops.quote_name, _columns(model, False)
    columns = ", ".join(quote(field.column) for field in fields)
    arrays = ", ".join(f"%s::{field.db_type(connection)}[]" for field in fields)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {quote(model._meta.db_table)} ({columns}) "  # noqa: S608 - names of the model
            f"SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING",
            [[value(row) for row in rows] for value in values],
        )


def add(rows, field, units, *, least=None, changed_at=None):
    """Add to a number of many rows, in one statement on PostgreSQL; the caller holds their locks.

    Args:
        rows: a model, or a queryset of the rows that may be changed.
        units: ``{primary key: what to add}``, negative to take away.
        least: a field or annotation that must not be smaller than what is added; nothing is added where it is.
        changed_at: raises the version too and notes this time.
    Returns:
        How many rows were changed.
    """
    units = dict(sorted(units.items()))
    rows = rows.all() if isinstance(rows, models.QuerySet) else rows._default_manager.all()
    if connection.vendor == "postgresql" and len(units) >= (FEW if least is None else MANY):
        if least is not None:
            there = dict(rows.values_list("pk", least))
            units = {pk: number for pk, number in units.items() if there.get(pk, 0) >= number}
        return _add_table(rows.model, field, units, changed_at)
    also = {} if changed_at is None else {"version": F("version") + 1, "modified_at": changed_at}
    changed = 0
    for batch in batches(units.items(), CASES):
        added = Case(*(When(pk=pk, then=Value(number)) for pk, number in batch))
        chosen = rows.filter(pk__in=[pk for pk, _number in batch])
        if least is not None:
            chosen = chosen.filter(**{f"{least}__gte": added})
        changed += chosen.update(**{field: F(field) + added}, **also)
    return changed


def _add_table(model, field, units, changed_at):
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


def lock_pairs(model, fields, pairs):
    """Lock the rows with these pairs of values in two columns of ids, in key order.

    Returns:
        ``[(primary key, first value, second value)]``.
    """
    pairs = sorted(pairs)
    first, second = (model._meta.get_field(name) for name in fields)
    key = model._meta.pk
    if connection.vendor != "postgresql":
        chosen = Q()
        for one in {pair[0] for pair in pairs}:
            others = [other for value, other in pairs if value == one]
            chosen |= Q(**{first.attname: one, f"{second.attname}__in": others})
        rows = model._default_manager.filter(chosen).select_for_update().order_by("pk")
        return list(rows.values_list("pk", first.attname, second.attname))
    quote = connection.ops.quote_name
    columns = [f"row.{quote(field.column)}" for field in (key, first, second)]
    arrays = ", ".join(f"%s::{field.target_field.db_type(connection)}[]" for field in (first, second))
    statement = " ".join(
        [
            f"SELECT {', '.join(columns)} FROM {quote(model._meta.db_table)} AS row",  # noqa: S608 - names of the model
            f"JOIN unnest({arrays}) AS wanted (one, other)",
            f"ON {columns[1]} = wanted.one AND {columns[2]} = wanted.other",
            f"ORDER BY {columns[0]} FOR UPDATE OF row",
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [[pair[0] for pair in pairs], [pair[1] for pair in pairs]])
        return cursor.fetchall()


def batches(items, size=None):
    """Lists of items, by default of as many as a statement may well name."""
    size, rest = size or (500 if connection.features.max_query_params else 5000), iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def _draw_ids(model, count):
    """Ids of the sequence of a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [model._meta.db_table, model._meta.pk.column, count],
        )
        return [key for (key,) in cursor.fetchall()]


@functools.lru_cache
def _prepare(model, with_ids):
    """The statement of a stream, and per column a function that reads its value of a row."""
    fields, values = _columns(model, with_ids)
    return _stream(model, fields), values


def _stream(model, fields):
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    return f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"


@functools.lru_cache
def _columns(model, with_ids):
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if with_ids or not isinstance(field, models.AutoField)
    ]
    return fields, [_reader(field) for field in fields]


def _reader(field) -> Callable[[Any], Any]:
    """A function of a row: what its column gets."""
    read, write = operator.attrgetter(field.attname), _writer(field)
    if getattr(field, "auto_now", False):
        return lambda row: _plain(field.pre_save(row, True))
    return (lambda row: write(read(row))) if write else read


def _writer(field) -> Callable[[Any], Any] | None:
    """A function of a value: the same in a type whose text the driver knows best; None when it is of one."""
    if isinstance(field, models.JSONField):
        encode = (field.encoder or json.JSONEncoder)(ensure_ascii=False).encode
        return lambda value: EMPTY[type(value)] if not value and type(value) in EMPTY else encode(value)
    if isinstance(
        field.target_field if field.is_relation else field, models.UUIDField | models.DateTimeField
    ):
        return _plain
    return None


def _plain(value):
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value
