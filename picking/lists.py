"""What the API's lists of pick jobs and of pack jobs share: their filters and their order."""

import datetime

from django.db.models import DateTimeField, Q, Value
from django.db.models.functions import Coalesce
from rest_framework.exceptions import ValidationError

from fulfillment.core.api import paging
from fulfillment.core.api.document import PAGE
from fulfillment.core.api.references import at_facilities
from fulfillment.core.api.schema import Text, moment

NEVER = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)  # a job without a target time comes last
ORDERS = {
    f"{name}_{direction}": f"{'-' if direction == 'DESC' else ''}{field}"
    for name, field in {
        "TARGET_TIME": "due_at",
        "LAST_MODIFIED": "modified_at",
        "ORDER_DATE": "order__order_date",
    }.items()
    for direction in ("ASC", "DESC")
}
QUERY = {
    **PAGE,
    **dict.fromkeys(
        [
            "searchTerm",
            "orderRef",
            "facilityRef",
            "status",
            "tenantOrderId",
            "shortId",
            "articleTitle",
            "modifiedByUsername",
        ],
        Text(500),
    ),
    "channel": Text(choices=["COLLECT", "SHIPPING"]),
    "orderBy": Text(choices=ORDERS),
    **dict.fromkeys(["startTargetTime", "endTargetTime", "startOrderDate", "endOrderDate"], moment),
}


def with_due_at(jobs):
    """Annotate ``due_at``: the target time, never null, so that rows can be ordered by it."""
    return jobs.annotate(due_at=Coalesce("target_time", Value(NEVER), output_field=DateTimeField()))


def job_page(request, jobs, id_filters):
    """(jobs of the page, number of all that match) for the query of a request.

    Args:
        id_filters: ``{name of the parameter: path of the id}``, beside those in ``QUERY``.
    """
    unfiltered = jobs
    for name, path in {"orderRef": "order", **id_filters}.items():
        found = paging.ids(request, name)
        if found is not None:
            jobs = jobs.filter(**{f"{path}__in": found})
    if references := paging.values(request, "facilityRef"):
        jobs = at_facilities(jobs, references)
    for name, path in {
        "status": "status",
        "channel": "kind",
        "tenantOrderId": "order__tenant_order_id",
        "shortId": "short_id",
        "modifiedByUsername": "editor__email",
    }.items():
        if wanted := paging.values(request, name):
            jobs = jobs.filter(**{f"{path}__in": wanted})
    for name, path in {
        "startTargetTime": "target_time__gte",
        "endTargetTime": "target_time__lte",
        "startOrderDate": "order__order_date__gte",
        "endOrderDate": "order__order_date__lte",
    }.items():
        if (limit := paging.moment(request, name)) is not None:
            jobs = jobs.filter(**{path: limit})
    lines = jobs.model.lines.rel.related_model.objects
    if title := request.query_params.get("articleTitle", "")[:200]:
        jobs = jobs.filter(pk__in=lines.filter(title__icontains=title).values("job"))
    if term := request.query_params.get("searchTerm", "")[:200]:
        found = lines.filter(Q(title__icontains=term) | Q(article__sku__iexact=term)).values("job")
        jobs = jobs.filter(
            Q(short_id__iexact=term)
            | Q(order__tenant_order_id__icontains=term)
            | Q(order__recipient_name__icontains=term)
            | Q(pk__in=found)
        )
    return paging.page(request, with_due_at(jobs), _order(request), with_due_at(unfiltered))


def _order(request):
    wanted = request.query_params.get("orderBy", "")
    if wanted and wanted not in ORDERS:
        raise ValidationError({"orderBy": [f"must be one of {', '.join(ORDERS)}"]})
    return ORDERS.get(wanted, "")
