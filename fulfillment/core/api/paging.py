"""Pages and filters of the API's lists: ``size`` and ``startAfterId``, newest first, so that the order is stable."""

import hashlib
import re
import uuid

from django.core.cache import cache
from django.db.models import Q
from rest_framework.exceptions import ValidationError

from . import schema

DEFAULT_SIZE, LARGEST_SIZE = 25, 100
COUNTED, COUNT_KEPT = 10_000, 60  # rows, seconds
NO_ENTRY = "must be the id of the last entry"


def page(request, queryset, order="", unfiltered=None):
    """(rows of the page, number of all rows). Refuses a size or id that is none, naming the parameter.

    A size above the limit is refused, not lowered: clients stop at a page that is shorter than they asked for.

    Args:
        order: a field or annotation that is never null, with ``-`` when the largest comes first.
        unfiltered: for ``order``: rows among which the last entry still is when it has left the list meanwhile.
    """
    size, after = read_size(request), None
    if text := request.query_params.get("startAfterId", ""):
        after = as_uuid(text)
        if after is None:
            raise ValidationError({"startAfterId": [NO_ENTRY]})
    rows = queryset.order_by(*filter(None, [order]), "-pk")
    if after is not None:
        rows = rows.filter(_behind(queryset if unfiltered is None else unfiltered, order, after))
    return list(rows[:size]), count_rows(queryset)


def count_rows(queryset):
    """How many rows there are: exact up to ``COUNTED``, beyond that as of a minute ago at most.

    To count hundreds of thousands takes longer than to read the page, and nobody acts on the last one of them.
    """
    few = queryset.order_by().values("pk")[: COUNTED + 1].count()
    if few <= COUNTED:
        return few
    key = hashlib.sha256(str(queryset.order_by().query).encode()).hexdigest()
    return cache.get_or_set(f"total:{key}", queryset.count, COUNT_KEPT)


def read_size(request, largest=LARGEST_SIZE):
    """How many rows a page shall have. Refuses what is no number up to ``largest``."""
    text = request.query_params.get("size", "")
    size = (
        int(text or DEFAULT_SIZE) if not text or (text.isascii() and text.isdigit() and len(text) < 10) else 0
    )
    if not 1 <= size <= largest:
        raise ValidationError({"size": [f"must be an integer from 1 to {largest}"]})
    return size


def page_of_list(request, rows):
    """(page, number of all) of entries in wire form that are all in memory. Refuses as ``page`` does."""
    size, begin = read_size(request), 0
    if after := request.query_params.get("startAfterId", ""):
        positions = {row["id"]: position for position, row in enumerate(rows, start=1)}
        if after not in positions:
            raise ValidationError({"startAfterId": [NO_ENTRY]})
        begin = positions[after]
    return rows[begin : begin + size], len(rows)


def _behind(rows, order, after):
    if not order:
        return Q(pk__lt=after)
    name = order.removeprefix("-")
    value = rows.filter(pk=after).values_list(name, flat=True).first()
    if value is None:
        return Q(pk__in=[])
    further = f"{name}__lt" if order.startswith("-") else f"{name}__gt"
    return Q(**{further: value}) | Q(**{name: value}, pk__lt=after)


def values(request, name):
    """All values of a query parameter, in each form that clients use: ``a=1&a=2``, ``a=1,2``, ``a[0]=1&a[1]=2``."""
    indexed = re.compile(rf"{re.escape(name)}(\[\d*\])?")
    found = [
        value
        for parameter, given in request.query_params.lists()
        if indexed.fullmatch(parameter)
        for text in given
        for value in text.split(",")
    ]
    return [value for value in (text.strip() for text in found) if value]


def ids(request, name):
    """The ids among the values of a query parameter, None when it is not given; what is no id matches nothing."""
    texts = values(request, name)
    return [found for text in texts if (found := as_uuid(text))] if texts else None


def as_uuid(text):
    """The id that a text is, or None."""
    try:
        return uuid.UUID(text)
    except (ValueError, AttributeError, TypeError):
        return None


def as_number(text):
    """The number that an id in text is, for rows that are numbered; None for what no such row can have."""
    is_number = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19
    return int(text) if is_number else None


def moment(request, name):
    """The time in a query parameter, None when it is not given. Refuses what is no RFC 3339 time."""
    text = request.query_params.get(name, "")
    if not text:
        return None
    errors: list = []
    schema.moment(text.replace(" ", "+"), name, errors)  # a plus sign that was not escaped arrives as a space
    if errors:
        raise ValidationError({name: [errors[0][1]]})
    return schema.read_moment(text.replace(" ", "+"))
