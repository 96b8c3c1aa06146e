"""The return label that lies in a parcel is told once the shop has a return: before, there is nothing to attach it to."""

from orders.sources import http
from orders.sources.kind import NotReportable
from orders.sources.models import Report
from orders.sources.reading import items, part, text, whole

from . import mapping
from .client import gid, number_of

RETURNS = """
query Returns($id: ID!) {
  order(id: $id) {
    fulfillments(first: 100) { id fulfillmentLineItems(first: 100) { nodes { id } } }
    returns(first: 20) { nodes { status reverseFulfillmentOrders(first: 5) { nodes { id status } } } }
  }
}
"""
WAY_BACK = """
query Back($id: ID!) {
  reverseFulfillmentOrder(id: $id) {
    lineItems(first: 100) { nodes { id totalQuantity fulfillmentLineItem { id } } }
    reverseDeliveries(first: 20) {
      nodes {
        id deliverable { ... on ReverseDeliveryShippingDeliverable { tracking { number } } }
        reverseDeliveryLineItems(first: 100) { nodes { quantity reverseFulfillmentOrderLineItem { id } } }
      }
    }
  }
}
"""
ATTACH = """
mutation Attach(
  $id: ID!, $lines: [ReverseDeliveryLineItemInput!]!, $tracking: ReverseDeliveryTrackingInput!, $notify: Boolean
) {
  reverseDeliveryCreateWithShipping(
    reverseFulfillmentOrderId: $id, reverseDeliveryLineItems: $lines, trackingInput: $tracking
    notifyCustomer: $notify
  ) {
    reverseDelivery { id } userErrors { field message }
  }
}
"""
RENUMBER = """
mutation Renumber($id: ID!, $tracking: ReverseDeliveryTrackingInput!, $notify: Boolean) {
  reverseDeliveryShippingUpdate(reverseDeliveryId: $id, trackingInput: $tracking, notifyCustomer: $notify) {
    reverseDelivery { id } userErrors { field message }
  }
}
"""


def attach(client, job):
    """Give what comes back of this parcel the number of its return label. What has one already is left alone: so an
    attempt without an answer is not repeated, and a label that the merchant made stays.
    """
    order = http.known(part(client.query(RETURNS, id=gid("Order", job.order_id)), "order"))
    ours = _lines_of(order, job)
    deliveries = []
    for found in items(order.get("returns")):
        for entry in mapping.open_ways(found):
            back = part(client.query(WAY_BACK, id=entry["id"]), "reverseFulfillmentOrder") or {}
            deliveries += _attach(client, job, entry["id"], back, ours)
    if not deliveries:
        raise NotReportable("NO_RETURN", is_fault=False)
    return deliveries[0]


def _lines_of(order, job):
    """Ids of the fulfilled lines that were in this parcel, by the fulfilments that its report made."""
    shipped = Report.objects.filter(
        connection=job.report.connection_id, what=Report.What.SHIPPED, subject_id=job.report.subject_id
    )
    known = {identifier for report in shipped for identifier in report.notes.get("fulfillments", ())}
    return {
        text(line.get("id"))
        for fulfillment in items(order.get("fulfillments"))
        if number_of(fulfillment["id"]) in known
        for line in items(fulfillment.get("fulfillmentLineItems"))
    }


def _attach(client, job, identifier, back, ours):
    """Ids of the deliveries with our number on one way back."""
    left = {
        line["id"]: whole(line.get("totalQuantity")) or 0
        for line in items(back.get("lineItems"))
        if text(part(line, "fulfillmentLineItem", "id")) in ours
    }
    tracking = {"number": job.parcel.return_tracking_number}
    notify = bool(client.options["notifies_customer"])
    mine, found = job.report.notes.get("deliveries", []), []
    for delivery in items(back.get("reverseDeliveries")):
        number = text(part(delivery, "deliverable", "tracking", "number"))
        for line in items(delivery.get("reverseDeliveryLineItems")):
            key = part(line, "reverseFulfillmentOrderLineItem", "id")
            if key in left:
                left[key] -= whole(line.get("quantity")) or 0
        if number_of(delivery["id"]) in mine and number != tracking["number"]:
            client.mutate(
                "reverseDeliveryShippingUpdate", RENUMBER, id=delivery["id"], tracking=tracking, notify=notify
            )
            number = tracking["number"]
        if number == tracking["number"]:
            found.append(number_of(delivery["id"]))
    # The lines are always listed: without them everything would come back with this label.
    lines = [
        {"reverseFulfillmentOrderLineItemId": key, "quantity": units}
        for key, units in left.items()
        if units > 0
    ]
    if lines:
        made = client.mutate(
            *("reverseDeliveryCreateWithShipping", ATTACH),
            id=identifier,
            lines=lines,
            tracking=tracking,
            notify=notify,
        )
        found.append(number_of(part(made, "reverseDelivery", "id")))
    job.report.notes = {**job.report.notes, "deliveries": sorted({*mine, *found})}
    job.report.save(update_fields=["notes"])
    return found
