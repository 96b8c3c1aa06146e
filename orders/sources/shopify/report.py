"""Shipments go to the fulfilment orders of an order: they are its units of work, and change under our hands."""

from orders.sources import http
from orders.sources.kind import NotReportable
from orders.sources.models import Report
from orders.sources.reading import items, part, text, whole

from . import mapping, returns
from .client import gid, number_of

STATE = """
query State($id: ID!, $after: String) {
  order(id: $id) {
    cancelledAt
    fulfillments(first: 100) {
      id status trackingInfo { number }
      fulfillmentLineItems(first: 100) { nodes { quantity lineItem { id } } }
    }
    fulfillmentOrders(first: 20, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes {
        id status fulfillmentHolds { reasonNotes }
        supportedActions { action } assignedLocation { location { id } }
        lineItems(first: 100) { nodes { id remainingQuantity lineItem { id } } }
      }
    }
  }
}
"""
CREATE = """
mutation Ship($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id status } userErrors { field message } }
}
"""
HOLD = """
mutation Hold($id: ID!, $hold: FulfillmentOrderHoldInput!) {
  fulfillmentOrderHold(id: $id, fulfillmentHold: $hold) {
    fulfillmentOrder { id status } userErrors { field message }
  }
}
"""
CHANGE = """
mutation Track($id: ID!, $tracking: FulfillmentTrackingInput!, $notify: Boolean) {
  fulfillmentTrackingInfoUpdate(fulfillmentId: $id, trackingInfoInput: $tracking, notifyCustomer: $notify) {
    fulfillment { id status } userErrors { field message }
  }
}
"""
UNDO = """
mutation Undo($id: ID!) {
  fulfillmentCancel(id: $id) { fulfillment { id status } userErrors { field message } }
}
"""
GONE = {"CANCELLED", "ERROR", "FAILURE"}
CANCEL = """
mutation Cancel($id: ID!) {
  orderCancel(
    orderId: $id, reason: OTHER, restock: true, notifyCustomer: true
    refundMethod: { originalPaymentMethodsRefund: true }
  ) {
    job { id } orderCancelUserErrors { field message }
  }
}
"""


def find(client, job):
    """The id of what an earlier attempt left in the shop, None when it did not arrive."""
    if job.what == Report.What.RETURN_LABEL:
        return None  # what arrived is seen line by line, see ``returns.attach``
    order = _state(client, job.order_id)
    if job.what == Report.What.CANCELLED:
        return "cancelled" if order.get("cancelledAt") else None
    if job.what == Report.What.SHORT:
        units, ids = _held(order, job)
        return ids[0] if ids and units >= job.report.notes["asked"] else None
    if not job.parcel.tracking_number:
        return "arrived" if _has_shrunk(order, job) else None
    missing, ids = _missing(order, job)
    if not ids or any(missing.values()):
        return None
    job.report.notes = {**job.report.notes, "fulfillments": ids}
    return ids[0]


def undo(client, report):
    """Cancel the fulfilments of a parcel that was taken back; those that are gone stay as they are."""
    known, number = report.notes.get("fulfillments"), report.notes.get("number")
    if not known and not number:  # nothing names what an answer that was lost may have left there
        raise NotReportable("TAKEN_BACK_LATE")
    order = _state(client, report.imported.external_id)
    for fulfillment in items(order.get("fulfillments")):
        identifier = number_of(fulfillment["id"])
        is_ours = identifier in known if known else number in _numbers(fulfillment)
        if is_ours and fulfillment.get("status") not in GONE:
            client.mutate("fulfillmentCancel", UNDO, id=gid("Fulfillment", identifier))


def change(client, job):
    """Give the fulfilments of a parcel its corrected number; those that have it already are left alone."""
    known, number = job.report.notes.get("fulfillments") or [], job.parcel.tracking_number
    order = _state(client, job.order_id)
    for fulfillment in items(order.get("fulfillments")):
        if number_of(fulfillment["id"]) not in known or fulfillment.get("status") in GONE:
            continue
        if not {number, *job.numbers} <= _numbers(fulfillment):
            client.mutate(
                "fulfillmentTrackingInfoUpdate",
                CHANGE,
                id=fulfillment["id"],
                tracking=_tracking(job),
                notify=bool(client.options["notifies_customer"]),
            )
    job.report.notes = {**job.report.notes, "number": number}
    return job.report.remote_id


def send(client, job):
    if job.what == Report.What.CANCELLED:
        if not client.options["cancels_orders"]:
            raise NotReportable("SWITCHED_OFF", is_fault=False)
        client.mutate("orderCancel", CANCEL, id=gid("Order", job.order_id))
        return "cancelled"
    if job.what == Report.What.RETURN_LABEL:
        return returns.attach(client, job)
    order = _state(client, job.order_id)
    if job.what == Report.What.SHORT:
        return _hold(client, order, job)
    return _ship(client, order, job)


def _state(client, order_id):
    identifier, found, after = gid("Order", order_id), [], None
    while True:
        order = http.known(part(client.query(STATE, id=identifier, after=after), "order"))
        found += items(order.get("fulfillmentOrders"))
        info = part(order, "fulfillmentOrders", "pageInfo") or {}
        if not info.get("hasNextPage"):
            return {**order, "fulfillmentOrders": found}
        after = info.get("endCursor")


def _numbers(fulfillment):
    return {text(entry.get("number")) for entry in items(fulfillment.get("trackingInfo"))}


def _missing(order, job):
    """({line: units that are not reported yet}, ids of the fulfilments that carry this parcel's number)."""
    missing = {line.line_id: line.quantity for line in job.lines}
    ids = []
    for fulfillment in items(order.get("fulfillments")):
        if job.parcel.tracking_number not in _numbers(fulfillment) or fulfillment.get("status") in GONE:
            continue
        ids.append(number_of(fulfillment["id"]))
        for entry in items(fulfillment.get("fulfillmentLineItems")):
            line = number_of(part(entry, "lineItem", "id"))
            if line in missing:
                missing[line] = max(0, missing[line] - (whole(entry.get("quantity")) or 0))
    return missing, ids


def _open(client, order):
    """Fulfilment orders that may be fulfilled now, at the locations that are ours."""
    ours = set(map(number_of, client.options["locations"] or []))
    for entry in order["fulfillmentOrders"]:
        actions = {text(one.get("action")) for one in items(entry.get("supportedActions"))}
        location = number_of(part(entry, "assignedLocation", "location", "id"))
        if entry.get("status") not in {"OPEN", "IN_PROGRESS"} or "CREATE_FULFILLMENT" not in actions:
            continue
        if not ours or location in ours:
            yield location, entry


def _remaining(order, line_ids):
    left = dict.fromkeys(line_ids, 0)
    for entry in order["fulfillmentOrders"]:
        for line in items(entry.get("lineItems")):
            if (key := number_of(part(line, "lineItem", "id"))) in left:
                left[key] += whole(line.get("remainingQuantity")) or 0
    return left


def _has_shrunk(order, job):
    """Without a tracking number nothing names the parcel: what is open tells whether it arrived."""
    before = job.report.notes.get("before")
    wanted = {line.line_id: line.quantity for line in job.lines}
    now = _remaining(order, wanted)
    return before is not None and all(now[key] <= before.get(key, 0) - units for key, units in wanted.items())


def _ship(client, order, job):
    notes = {name: note for name, note in job.report.notes.items() if name != "fulfillments"}
    if job.parcel.tracking_number:
        missing, ids = _missing(order, job)
        job.report.notes = notes | {"number": job.parcel.tracking_number}
    else:
        missing, ids = {line.line_id: line.quantity for line in job.lines}, []
        job.report.notes = notes | {"number": "", "before": _remaining(order, missing)}
    job.report.save(update_fields=["notes"])
    calls: dict[str, list[dict]] = {}
    for location, entry in _open(client, order):
        taken = []
        for line in items(entry.get("lineItems")):
            key = number_of(part(line, "lineItem", "id"))
            units = min(missing.get(key, 0), whole(line.get("remainingQuantity")) or 0)
            if units:
                missing[key] -= units
                taken.append({"id": line["id"], "quantity": units})
        if taken:
            content = {"fulfillmentOrderId": entry["id"], "fulfillmentOrderLineItems": taken}
            calls.setdefault(location, []).append(content)
    if not calls and not ids:
        raise NotReportable("NOTHING_OPEN")
    for content in calls.values():
        fulfillment = {
            "lineItemsByFulfillmentOrder": content,
            "notifyCustomer": bool(client.options["notifies_customer"]),
            **({"trackingInfo": _tracking(job)} if not job.is_collected else {}),
        }
        made = client.mutate("fulfillmentCreate", CREATE, fulfillment=fulfillment)
        ids.append(number_of(part(made, "fulfillment", "id")))
    job.report.notes = {**job.report.notes, "fulfillments": ids}
    if any(missing.values()):  # the rest is not open there, or not ours to ship
        raise NotReportable("NOTHING_OPEN")
    return ids[0]


def _tracking(job):
    given: dict = {
        "company": job.carrier,
        "number": job.parcel.tracking_number,
        "url": job.parcel.tracking_url,
    }
    if job.goes_on:  # units that ship in several boxes have a number of each
        urls = [job.parcel.tracking_url, *(box.parcel.tracking_url for box in job.goes_on)]
        given = {"company": job.carrier, "numbers": job.numbers, "urls": urls if all(urls) else None}
    return {name: value for name, value in given.items() if value}


def _held(order, job):
    """(units of the line that we hold, ids of the fulfilment orders they are in)."""
    units, ids = 0, []
    for entry in filter(mapping.is_held_by_us, order["fulfillmentOrders"]):
        if own := sum(units for _line, units in _of_line(entry, job)):
            units += own
            ids.append(number_of(entry["id"]))
    return units, ids


def _of_line(entry, job):
    """(line, units) of a fulfilment order that are of the line the job is about."""
    (wanted,) = job.lines
    for line in items(entry.get("lineItems")):
        if number_of(part(line, "lineItem", "id")) == wanted.line_id:
            yield line, whole(line.get("remainingQuantity")) or 0


def _hold(client, order, job):
    """Missing units stay open in the shop, held with the reason, for the merchant to decide."""
    there, ids = _held(order, job)
    left = min(job.lines[0].quantity, job.report.notes["asked"] - there)
    for _location, entry in _open(client, order):
        for line, units in _of_line(entry, job):
            if (units := min(left, units)) < 1:
                continue
            hold = {
                "reason": "INVENTORY_OUT_OF_STOCK",
                "reasonNotes": mapping.HELD_BY_US,
                "fulfillmentOrderLineItems": [{"id": line["id"], "quantity": units}],
            }
            made = client.mutate("fulfillmentOrderHold", HOLD, id=entry["id"], hold=hold)
            ids.append(number_of(part(made, "fulfillmentOrder", "id")))
            left -= units
    if left > 0:
        raise NotReportable("NOTHING_OPEN")
    return ids[0]
