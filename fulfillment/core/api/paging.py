"""Pages of the API's lists: ``size`` and ``startAfterId``, newest first, so that the order is stable."""

import uuid

from rest_framework.exceptions import ValidationError

DEFAULT_SIZE, LARGEST_SIZE = 25, 100


def page(request, queryset):
    """(rows of the page, number of all rows). Refuses a size or id that is none, naming the parameter.

    A size above the limit is refused, not lowered: clients stop at a page that is shorter than they asked for.
    """
    errors = {}
    size, after = DEFAULT_SIZE, None
    if text := request.query_params.get("size", ""):
        size = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= size <= LARGEST_SIZE:
            errors["size"] = [f"must be an integer from 1 to {LARGEST_SIZE}"]
    if text := request.query_params.get("startAfterId", ""):
        try:
            after = uuid.UUID(text)
        except ValueError:
            errors["startAfterId"] = ["must be the id of the last entry"]
    if errors:
        raise ValidationError(errors)
    rows = queryset.order_by("-pk")
    if after is not None:
        rows = rows.filter(pk__lt=after)
    return list(rows[:size]), queryset.count()
