"""Many rows at once: PostgreSQL takes new ones as a stream (COPY), which costs a third of an INSERT of the same rows,
and changes as one table of numbers. Elsewhere the ORM does the same.
"""

import datetime
import functools
import itertools
import json
import operator
import uuid
from collections import defaultdict
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
    if not values:
        return []
    if connection.vendor != "postgresql" or (with_ids and len(values) < MANY):
        return _insert_models(model, names, values, with_ids)
    ids = _draw_ids(model, len(values)) if with_ids else []
    columns = dict(zip(names, zip(*values, strict=True), strict=True))
    if with_ids:
        columns[model._meta.pk.attname] = ids
    table, fields = _prepare_values(model, tuple(columns))
    written = zip(
        *(_written(field, columns.get(field.attname), len(values)) for field in fields), strict=True
    )
    if len(values) < FEW:
        marks = f"({', '.join(['%s'] * len(fields))})"
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} VALUES {', '.join([marks] * len(values))}",  # noqa: S608 - names of the model
                list(itertools.chain.from_iterable(written)),
            )
    else:
        _stream(table, written)
    return ids


def _stream(table, rows):
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _insert_models(model, names, values, with_ids):
    made = _models(model, names, values)
    insert(model, made, with_ids=with_ids)
    for position, name in enumerate(names):
        if getattr(model._meta.get_field(name), "auto_now", False):
            # The ORM has put its own time there.
            keys = defaultdict(list)
            for one, row in zip(made, values, strict=True):
                keys[row[position]].append(one.pk)
            for value, all_keys in keys.items():
                for batch in batches(all_keys):
                    model.objects.filter(pk__in=batch).update(**{name: value})
    return [one.pk for one in made] if with_ids else []


def _models(model, names, values):
    return [model(**dict(zip(names, row, strict=True))) for row in values]


@functools.lru_cache
def _prepare_values(model, names):
    """The table with these columns and those that have a default, and their fields."""
    unknown = set(names) - {field.attname for field in model._meta.local_concrete_fields}
    if unknown:
        raise LookupError(f"{model._meta.label} has no column {', '.join(sorted(unknown))}.")
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if field.attname in names or not isinstance(field, models.AutoField)
    ]
    return _table(model, fields), fields


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
    table, values = _prepare(model, with_ids)
    _stream(table, ([value(row) for value in values] for row in rows))


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


def insert_missing(model, names, rows):
    """``insert_values`` that leaves out the rows that a unique constraint has already."""
    rows = list(rows)
    if connection.vendor != "postgresql" or len(rows) < FEW:
        model.objects.bulk_create(_models(model, names, rows), ignore_conflicts=True)
        return
    given = [model._meta.get_field(name) for name in names]
    rest = [field for field in _columns(model, False)[0] if field not in given]
    arrays = ", ".join(f"%s::{_type(field)}[]" for field in given)
    marks = "".join(f", %s::{_type(field)}" for field in rest)
    values = [
        [value if write is None else write(value) for value in column]
        for write, column in zip(map(_writer, given), zip(*rows, strict=True), strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_table(model, [*given, *rest])} "  # noqa: S608 - names of the model
            f"SELECT given.*{marks} FROM unnest({arrays}) AS given ON CONFLICT DO NOTHING",
            [*(next(iter(_written(field, None, 1))) for field in rest), *values],
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
    units = {pk: units[pk] for pk in sorted(units)}
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
        cursor.execute(
            statement, [*([changed_at] if changed_at else []), array(units), array(units.values())]
        )
        return cursor.rowcount


def check_references():
    """Look up now what the rows written so far refer to, on PostgreSQL; else the commit does, which ends the locks."""
    if connection.vendor == "postgresql":
        connection.check_constraints()


def lock_pairs(model, fields, pairs, *also):
    """Lock the rows with these pairs of values in two columns of ids, in key order.

    Returns:
        ``[(primary key, first value, second value, *values of the fields in also)]``.
    """
    columns = [model._meta.get_field(name) for name in (model._meta.pk.name, *fields, *also)]
    if connection.vendor != "postgresql":
        names = [field.attname for field in columns]
        found = (rows.select_for_update() for rows in _of_pairs(model, fields, pairs))
        return sorted(row for rows in found for row in rows.values_list(*names))
    quote = connection.ops.quote_name
    key, one, other, *more = [f"row.{quote(field.column)}" for field in columns]
    wanted, arrays = _wanted(model, fields, pairs)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join([key, one, other, *more])} FROM {quote(model._meta.db_table)} AS row "  # noqa: S608 - names of the model
            f"JOIN {wanted} ON {one} = wanted.one AND {other} = wanted.other "
            f"WHERE {one} = ANY(%s) ORDER BY {key} FOR UPDATE OF row",
            arrays,
        )
        return cursor.fetchall()


def missing_pairs(model, fields, pairs):
    """The pairs of ids that no row has in two columns, in order."""
    first, second = (model._meta.get_field(name) for name in fields)
    if connection.vendor != "postgresql":
        found = (rows.values_list(first.attname, second.attname) for rows in _of_pairs(model, fields, pairs))
        return sorted(set(pairs).difference(*found))
    quote = connection.ops.quote_name
    wanted, arrays = _wanted(model, fields, pairs)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT one, other FROM {wanted} WHERE NOT EXISTS (SELECT FROM {quote(model._meta.db_table)} "  # noqa: S608 - names of the model
            f"WHERE {quote(first.column)} = one AND {quote(second.column)} = other "
            f"AND {quote(first.column)} = ANY(%s)) ORDER BY one, other",
            arrays,
        )
        return cursor.fetchall()


def _of_pairs(model, fields, pairs):
    """Querysets of the rows with these pairs of values."""
    for batch in batches(sorted(pairs)):
        others = defaultdict(list)
        for one, other in batch:
            others[one].append(other)
        groups = (Q((fields[0], one), (f"{fields[1]}__in", some)) for one, some in others.items())
        yield model._default_manager.filter(Q(*groups, _connector=Q.OR))


def _wanted(model, fields, pairs):
    """Pairs of ids as a table ``wanted (one, other)`` in SQL; its two parameters, and all that are first.

    The third spares a small table of many pairs being read as a whole for those of one value.
    """
    table = ", ".join(f"%s::{_type(model._meta.get_field(name))}[]" for name in fields)
    one, other = zip(*pairs, strict=True) if pairs else ((), ())
    return f"unnest({table}) AS wanted (one, other)", [array(one), array(other), array(set(one))]


def array(ids):
    """Ids or numbers as the text of an array, which PostgreSQL reads faster than the driver writes them one by one."""
    return f"{{{','.join(map(str, ids))}}}"


def _type(field):
    return (field.target_field if field.is_relation else field).db_type(connection)


def batches(items, size=None):
    """Lists of items, by default of as many as a statement may well name."""
    size, rest = size or (500 if connection.features.max_query_params else 5000), iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def _draw_ids(model, count):
    """Ids of the sequence of a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            # The name of the sequence is asked for once, not per id.
            "SELECT nextval((SELECT pg_get_serial_sequence(%s, %s)::regclass)) FROM generate_series(1, %s)",
            [model._meta.db_table, model._meta.pk.column, count],
        )
        return [key for (key,) in cursor.fetchall()]


@functools.lru_cache
def _prepare(model, with_ids):
    """The table with its columns, and per column a function that reads its value of a row."""
    fields, values = _columns(model, with_ids)
    return _table(model, fields), values


def _table(model, fields):
    quote = connection.ops.quote_name
    return f"{quote(model._meta.db_table)} ({', '.join(quote(field.column) for field in fields)})"


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
