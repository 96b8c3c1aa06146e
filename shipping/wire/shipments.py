"""Shipments in the wire format."""

from fulfillment.core.api.recording import attribute_updates, represent_attributes
from fulfillment.core.api.schema import Choice, Integer, List, Object, Text, boolean, free, moment
from fulfillment.core.api.search import page_info
from orders.wire import short, text, time, versioned

from ..models import Parcel, Shipment
from .entity import (
    entity_to_wire,
    item,
    loose_address,
    recipient_to_wire,
    sender_to_wire,
    target_time_to_wire,
    unavailable,
    version,
    without_empty,
)

stripped_parcel = Object(
    {"parcelRef": short, "status": Text(choices=Parcel.Status.values), "carrierRef": short},
    {"carrierTrackingNumber": short},
    name="StrippedParcel",
)
shipment = Object(
    {
        "id": short,
        "version": Integer(1),
        "status": Text(choices=Shipment.Status.values),
        "facilityRef": short,
        "orderDate": moment,
        "targetTime": moment,
        "hasActiveCarrier": boolean,
        "workflowInformation": unavailable,
    },
    {
        **versioned,
        "anonymized": boolean,
        "carrierKey": short,
        "carrierRef": short,
        "customAttributes": free,
        "lineItems": List(item),
        "parcels": List(stripped_parcel),
        "pickJobRef": short,
        "orderRef": short,
        "processId": short,
        "shortId": short,
        "targetAddress": loose_address,
        "sourceAddress": loose_address,
        "tenantOrderId": short,
        "searchPaths": List(text),
    },
    name="Shipment",
)
shipments = Object({"shipments": List(shipment), "total": Integer(0)}, name="StrippedShipments")
shipment_page = Object(
    {"shipments": List(shipment), "pageInfo": page_info},
    {"total": Integer(0)},
    name="ShipmentPaginatedResult",
)
shipment_for_creation = Object({"pickJobRef": short}, name="ShipmentForCreation")
SHIPMENT_NOT_OFFERED = {
    "paymentInformation": "paymentInfo of the order says the currency.",
    "pickJobRef": "A shipment stays with its pick job.",
}
shipment_patch = Object(
    {
        "version": version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyShipment": Object(
                        {"action": short},
                        {
                            "carrierRef": short,
                            "status": Text(choices=Shipment.Status.values),
                            "targetAddress": loose_address,
                            "carrierProduct": Text(60),
                            "paymentInformation": free,
                            "pickJobRef": short,
                        },
                        closed=True,
                    )
                },
            ),
            least=1,
        ),
    },
    closed=True,
    name="ShipmentPatchActions",
)


SPLIT, RECORD = "SPLIT_LINE_LINES_SHIPMENT", "UPDATE_SHIPMENT_LINE_ITEM_RECORDABLE_ATTRIBUTES"
split_info = Object(
    {"lineItemId": short, "quantity": Integer(1)}, closed=True, name="ShipmentSplitLineItemsInfo"
)
shipment_action = Choice(
    "name",
    {
        "ADD_TARGET_TIME": Object(
            {"name": short, "version": version, "targetTime": moment},
            closed=True,
            name="ShipmentAddTargetTimeActionParameter",
        ),
        SPLIT: Object(
            {"name": short, "version": version, "splitLineItemsInfo": List(split_info, most=500, least=1)},
            closed=True,
            name="ShipmentSplitLineItemsActionParameter",
        ),
        RECORD: Object(
            {"name": short, "version": version, **attribute_updates},
            closed=True,
            name="UpdateShipmentLineItemRecordableAttributesActionParameter",
        ),
    },
)


def represent_stripped_parcel(row):
    return without_empty(
        {
            "parcelRef": str(row.pk),
            "status": row.status,
            "carrierRef": str(row.carrier_id),
            "carrierTrackingNumber": row.tracking_number,
        }
    )


def represent_shipment(row):
    """A shipment as ``Shipment``. Reads what ``ShipmentQuerySet.for_api`` loads."""
    body = entity_to_wire(row) | {
        "facilityRef": str(row.facility_id),
        "orderRef": str(row.order_id),
        "orderDate": time(row.order.order_date),
        "targetTime": target_time_to_wire(row),
        "hasActiveCarrier": row.carrier is not None and row.carrier.status == "ACTIVE",
        "pickJobRef": str(row.pick_job_id),
        "processId": str(row.order.process_id),
        "shortId": row.short_id,
        "targetAddress": recipient_to_wire(row.recipient),
        "sourceAddress": sender_to_wire(row.facility),
        "parcels": [represent_stripped_parcel(parcel) for parcel in row.parcels.all()],
        "lineItems": [
            {
                "id": str(line.pk),
                "article": {"tenantArticleId": line.sku, "title": line.title},
                "quantity": line.quantity,
                **represent_attributes(line.recordable_attributes),
            }
            for line in row.pick_job.pack_job.lines.all()
        ],
        "tenantOrderId": row.order.tenant_order_id,
    }
    if row.carrier is not None:
        body |= {"carrierRef": str(row.carrier_id), "carrierKey": row.carrier.key}
    return without_empty(body)
