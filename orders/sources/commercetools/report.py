"""Deliveries carry our own keys: the platform does not check quantities, so a blind repeat would ship twice."""

from orders.sources import http
from orders.sources.kind import NotReportable
from orders.sources.models import Report
from orders.sources.reading import items, part, text

from . import mapping

ATTEMPTS = 4


def find(client, job):
    """The id of what an earlier attempt left in the shop, None when it did not arrive."""
    return _found(_read(client, job), job)


def _found(order, job):
    if job.what == Report.What.CANCELLED:
        return "cancelled" if order.get("orderState") == "Cancelled" else None
    if job.what == Report.What.DELIVERED:
        return "delivered" if order.get("shipmentState") == "Delivered" else None
    if job.what != Report.What.SHIPPED:
        return None
    found = (text(entry.get("id")) for entry in mapping.deliveries(order) if entry.get("key") == job.key)
    return next(found, None)


def change(client, job):
    """Give the parcels of a delivery their corrected numbers; those that have them already are left alone."""
    for _attempt in range(ATTEMPTS):
        order = _read(client, job)
        actions = list(_corrections(order, job))
        if not actions:
            return job.report.remote_id
        try:
            client.update(order, actions)
        except http.Conflict:
            continue
        return job.report.remote_id
    raise http.Conflict("The order changes all the time.")


def _corrections(order, job):
    wanted = {parcel["key"]: parcel["trackingData"] for parcel in _delivery(job)["parcels"]}
    for delivery in mapping.deliveries(order):
        for parcel in items(delivery.get("parcels")) if delivery.get("key") == job.key else ():
            tracking = wanted.get(text(parcel.get("key")))
            if tracking and text(part(parcel, "trackingData", "trackingId")) != tracking["trackingId"]:
                action = {"action": "setParcelTrackingData", "parcelKey": parcel["key"]}
                yield action | {"trackingData": tracking}


def send(client, job):
    """Change the order at the version that was read; read it again when somebody else was faster."""
    if job.what == Report.What.SHORT:
        raise NotReportable("NO_ROUTE")
    if job.what == Report.What.DELIVERED and not job.is_last:
        raise NotReportable("NOT_ALL_DELIVERED", is_fault=False)
    for _attempt in range(ATTEMPTS):
        order = _read(client, job)
        if remote_id := _found(order, job):
            return remote_id
        actions = _actions(client, order, job)
        if not actions:
            return "unchanged"
        try:
            changed = client.update(order, actions)
        except http.Conflict:
            continue
        return _found(changed, job) or f"version {changed['version']}"
    raise http.Conflict("The order changes all the time.")


def _actions(client, order, job):
    if job.what == Report.What.SHIPPED:
        return _ship(client, order, job)
    if job.what == Report.What.DELIVERED:
        return [{"action": "changeShipmentState", "shipmentState": "Delivered"}]
    return [_state("Cancelled")]


def _read(client, job):
    return http.known(client.order(job.order_id))


def _state(state):
    return {"action": "changeOrderState", "orderState": state}


def _ship(client, order, job):
    """All in one update, so that either everything of it is there or nothing."""
    actions = []
    if order.get("shippingInfo") or items(order.get("shipping")):
        actions.append(_delivery(job))
    state = "Delivered" if job.is_delivered else "Shipped" if job.is_last else "Partial"
    if order.get("shipmentState") != state:
        actions.append({"action": "changeShipmentState", "shipmentState": state})
    if job.is_last and client.options["completes_orders"] and order.get("orderState") != "Complete":
        actions.append(_state("Complete"))
    return actions


def _delivery(job):
    content = [{"id": line.line_id, "quantity": line.quantity} for line in job.lines]
    parcels = []
    if not job.is_collected:
        parcels.append(_parcel(job.key, job.parcel.tracking_number, job.carrier, content, is_return=False))
    if job.parcel.return_tracking_number:
        number = job.parcel.return_tracking_number
        parcels.append(_parcel(f"{job.key}-return", number, job.carrier, content, is_return=True))
    for box in job.goes_on:  # more parcels of the same units
        own = str(job.parcel.package_id)
        part = [
            {"id": line.line_id, "quantity": line.quantity} for begins, line in box.parts if begins == own
        ]
        name = f"{job.key}-{box.parcel.parcel_id}"
        parcels.append(_parcel(name, box.parcel.tracking_number, box.carrier, part, is_return=False))
        if box.parcel.return_tracking_number:
            number = box.parcel.return_tracking_number
            parcels.append(_parcel(f"{name}-return", number, box.carrier, part, is_return=True))
    key = job.imported.facts.get("shippingKey")
    return {
        "action": "addDelivery",
        "deliveryKey": job.key,
        **({"shippingKey": key} if key else {}),
        "items": content,
        "parcels": parcels,
    }


def _parcel(key, number, carrier, content, *, is_return):
    tracking = {"trackingId": number, "carrier": carrier, "isReturn": is_return}
    return {"key": key, "trackingData": tracking, "items": content}
