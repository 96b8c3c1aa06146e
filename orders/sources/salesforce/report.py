"""Parcels and missing units are status events with our own id; Order Management gets shipments."""

from urllib.parse import quote

from django.utils import timezone

from orders.sources import echoes, http
from orders.sources.kind import NotReportable
from orders.sources.models import ImportedOrder, Report
from orders.sources.reading import iso, items, part, text, whole

ATTEMPTS = 3


def find(client, job):
    """The id of what an earlier attempt left there, None when it cannot be seen.

    B2C Commerce does not show its status events. They carry our own id, so one that comes again is the same event.
    """
    if client.is_management:
        return _find_managed(client, job)
    order = _read(client, job)
    if job.what == Report.What.CANCELLED and order.get("status") == "cancelled":
        return "cancelled"
    return None


def send(client, job):
    """Send it, and once more from the order as it is then when somebody else was faster."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _send_managed(client, job) if client.is_management else _send(client, job)
        except http.Conflict:
            if remote_id := find(client, job):
                return remote_id
            if attempt == ATTEMPTS:
                raise
    raise AssertionError


# B2C Commerce


def _send(client, job):
    if job.what == Report.What.SHIPPED:
        return _ship(client, job)
    if job.what == Report.What.CANCELLED and not _has_other_groups(job):
        client.set_status(job.order_id, "status", "cancelled")
        return "cancelled"
    key = f"{job.key}-{job.report.notes.get('asked', 0)}"  # more units of a line may go missing later
    adjustment = {
        "id": key,
        "type": "cancellation",
        "occurredAt": iso(timezone.now()),
        "status": "completed",
        "lineItems": [{"id": line.line_id, "quantity": -line.quantity} for line in job.lines],
    }
    try:
        client.tell(job.order_id, {"adjustment": adjustment})
    except http.Rejected as failure:
        if failure.status != 404:
            raise
        _read(client, job)
        raise NotReportable("NO_ROUTE") from failure
    return key


def _has_other_groups(job):
    mine = job.imported
    same = ImportedOrder.objects.filter(connection=mine.connection, external_id=mine.external_id)
    return same.exclude(pk=mine.pk).exclude(order__status="CANCELLED").exists()


def _ship(client, job):
    if job.is_collected:  # status events are about parcels
        client.set_status(job.order_id, "shipping-status", "shipped" if job.is_last else "part_shipped")
        return job.key
    parcel = job.parcel
    link = _link(client, parcel)
    if not parcel.tracking_number or not link:
        raise NotReportable("LINK_MISSING")
    event = {
        "id": job.key,
        "occurredAt": iso(parcel.handed_over_at or parcel.recorded_at),
        "type": "shipped",
        "lineItems": [{"id": line.line_id, "quantity": line.quantity} for line in job.lines],
        "trackingNumber": parcel.tracking_number,
        "trackingUrl": link,
        "carrier": job.carrier,
    }
    if not job.report.notes.get("told"):
        try:
            client.tell(job.order_id, {"fulfillmentEvent": event})
        except http.Rejected as failure:
            if failure.status != 404:
                raise
            _write_attributes(client, job)
        job.report.notes = {**job.report.notes, "told": True}
        job.report.save(update_fields=["notes"])
    client.set_status(job.order_id, "shipping-status", "shipped" if job.is_last else "part_shipped")
    return job.key


def _link(client, parcel):
    """The page of the carrier, else that of the connection."""
    page = text(client.options["tracking_page"])
    return parcel.tracking_url or page.replace("{number}", quote(parcel.tracking_number, safe=""))


def _write_attributes(client, job):
    """For shops that take no events: attributes of the order with the numbers of all its parcels."""
    order, options, parcel = _read(client, job), client.options, job.parcel
    given = {
        text(options["number_attribute"]): job.numbers,
        text(options["carrier_attribute"]): [job.carrier],
        text(options["return_attribute"]): [
            parcel.return_tracking_number,
            *(box.parcel.return_tracking_number for box in job.goes_on),
        ],
    }
    if not text(options["number_attribute"]):
        raise NotReportable("NO_ROUTE")
    changes = {}
    for name, values in given.items():
        known = [word.strip() for word in text(order.get(name)).split(",") if word.strip()]
        new = [value for value in values if value and value not in known]
        if name and new:
            changes[name] = ", ".join([*known, *new])
    if changes:
        client.change(job.order_id, changes)


def _read(client, job):
    return http.known(client.order(job.order_id))


# Order Management


def _find_managed(client, job):
    if job.what == Report.What.SHIPPED:
        return _find_shipment(client, job)
    if not _is_taken_out(client, job):
        return None
    echoes.take_out(job, "before")
    return "cancelled"


def _find_shipment(client, job):
    if job.is_collected:
        return None  # closing it twice does no harm
    if not job.parcel.tracking_number:
        raise NotReportable("LINK_MISSING")
    remote_id = _id_of_shipment(client, job, job.parcel)
    if remote_id:
        _close(client, job)
    return remote_id or None


def _id_of_shipment(client, job, parcel):
    found = client.select(
        "Id", "Shipment", FulfillmentOrderId=job.order_id, TrackingNumber=parcel.tracking_number
    )
    return text(part(found, "records", 0, "Id"))


def _send_managed(client, job):
    if job.what == Report.What.SHIPPED:
        return _create_shipment(client, job)
    job.report.notes = {**job.report.notes, "before": _quantities(client, job)}
    job.report.save(update_fields=["notes"])
    lines = [{"fulfillmentOrderLineItemId": line.line_id, "quantity": line.quantity} for line in job.lines]
    client.cancel_items(job.order_id, lines)
    echoes.take_out(job, "before")
    return "cancelled"


def _create_shipment(client, job):
    if job.is_collected:
        _close(client, job)
        return "collected"
    if not job.parcel.tracking_number:
        raise NotReportable("LINK_MISSING")
    others = [box for box in job.goes_on if _id_of_shipment(client, job, box.parcel) == ""]
    for box in others:  # more parcels of the same units; the own one last, it is looked for
        _create(client, job, box)
    remote_id = _create(client, job, next(box for box in job.boxes if box.parcel == job.parcel))
    _close(client, job)
    return remote_id


def _create(client, job, box):
    values = {
        "FulfillmentOrderId": job.order_id,
        "TrackingNumber": box.parcel.tracking_number,
        "TrackingUrl": _link(client, box.parcel),
        "Provider": box.carrier,
    }
    return client.create("Shipment", {name: value for name, value in values.items() if value})


def _close(client, job):
    status = text(client.options["shipped_status"])
    if job.is_last and status:
        client.update("FulfillmentOrder", job.order_id, {"Status": status})


def _quantities(client, job):
    found = client.select("Id, Quantity", "FulfillmentOrderLineItem", FulfillmentOrderId=job.order_id)
    lines = items(part(found, "records"))
    return {text(line.get("Id")): whole(line.get("Quantity")) or 0 for line in lines}


def _is_taken_out(client, job):
    """Cancelled units lower the quantity of their line; it was noted before they were cancelled."""
    before = job.report.notes.get("before")
    if not before:
        return False
    now = _quantities(client, job)
    return all(now.get(line.line_id, 0) <= before.get(line.line_id, 0) - line.quantity for line in job.lines)
