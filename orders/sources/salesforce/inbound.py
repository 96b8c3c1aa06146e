"""Orders come by a poll; there are no webhooks. In B2C Commerce the export status is the queue."""

import datetime

from django.utils import timezone

from orders.sources import http
from orders.sources.kind import Page
from orders.sources.models import Delivery, ImportedOrder
from orders.sources.reading import iso, items, part, text, time, whole
from orders.sources.reasons import TOO_LATE

from . import management, mapping

LIMIT = 200
# Date filters know days only, and those of the site's time zone.
OVERLAP = datetime.timedelta(days=1)


def pages(client, connection):
    return _managed(client, connection) if client.is_management else _pages(client, connection)


def _pages(client, connection):
    """What is to be exported, then what was cancelled; the watermark moves when both are here."""
    newest, refused = connection.watermark, []
    since = (newest or timezone.now()) - OVERLAP
    queues = [{"exportStatus": "ready"}]
    if client.options["takes_not_exported"]:
        queues.append({"exportStatus": "not_exported", "confirmationStatus": "confirmed"})
    runs = [_queue(client, connection, queue, refused) for queue in queues]
    for run in [*runs, _cancelled(client, since)]:
        for orders in run:
            newest = max(filter(None, (newest, *map(mapping.changed, orders))), default=None)
            yield Page(orders)
    if newest != connection.watermark:
        yield Page([], watermark=newest)
    if refused:
        raise refused[0]  # every order is here all the same; they are told again with the next poll


def _queue(client, connection, queue, refused):
    """Pages of the queue. What is stored is taken out of it; the offset only counts what stays in.

    Parked and ignored orders stay: somebody has to look, or they are another system's.
    """
    offset = 0
    while True:
        answer = client.orders(
            status="new",
            **queue,
            sortBy="creation_date",
            sortOrder="asc",
            limit=LIMIT,
            offset=offset,
        )
        orders = items(part(answer, "data"))
        yield orders
        offset += len(orders) - _take_out(client, connection, orders, refused)
        if len(orders) < (whole(part(answer, "limit")) or LIMIT):
            return


def _take_out(client, connection, orders, refused):
    """Mark as exported what is committed here, with all its shipments; returns how many."""
    numbers = [mapping.identify(order)[0] for order in orders]
    mine = {"connection": connection, "external_id__in": numbers}
    waiting = Delivery.objects.parked().filter(**mine).exclude(reason_code__in=TOO_LATE)
    known = ImportedOrder.objects.filter(**mine, order__isnull=False).exclude(
        external_id__in=waiting.values("external_id")
    )
    count = 0
    for number in sorted(set(known.values_list("external_id", flat=True))):
        try:
            client.set_status(number, "export-status", "exported")
            count += 1
        except (http.Conflict, http.Rejected) as failure:
            refused.append(failure)
    return count


def _cancelled(client, since):
    offset = 0
    while True:
        answer = client.orders(
            status="cancelled",
            lastModifiedDateFrom=since.date().isoformat(),
            sortBy="last_modified",
            sortOrder="asc",
            limit=LIMIT,
            offset=offset,
        )
        orders = items(part(answer, "data"))
        yield orders
        offset += len(orders)
        if len(orders) < (whole(part(answer, "limit")) or LIMIT):
            return


def _managed(client, connection):
    """Fulfillment orders in the order of their changes, to the end of the query."""
    since = f"LastModifiedDate >= {iso(connection.since)}" if connection.since else ""
    answer = client.select(management.COLUMNS, "FulfillmentOrder", since, order="LastModifiedDate, Id")
    while True:
        orders = items(part(answer, "records"))
        yield Page(orders, watermark=time(orders[-1].get("LastModifiedDate")) if orders else None)
        path = text(part(answer, "nextRecordsUrl"))
        if not path:
            return
        answer = client.more(path)
