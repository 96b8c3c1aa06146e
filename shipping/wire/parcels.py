"""Parcels in the wire format."""

from django.urls import reverse

from fulfillment.core.api.recording import attribute_updates, represent_attributes
from fulfillment.core.api.schema import (
    Choice,
    Integer,
    List,
    Number,
    Object,
    Text,
    boolean,
    free,
    moment,
    web_page,
)
from fulfillment.core.api.search import page_info
from orders.wire import short, text, versioned

from ..models import Parcel, TrackingStatus
from .entity import (
    contact_to_wire,
    dimensions,
    dimensions_for_update,
    entity_to_wire,
    item,
    load_units_to_wire,
    loose_address,
    recipient_to_wire,
    sender_to_wire,
    unavailable,
    version,
    without_empty,
)
from .shipments import stripped_parcel

result = Object(
    {"summary": text},
    {
        "carrierTrackingNumber": short,
        "trackingUrl": text,
        "sendLabelUrl": text,
        "labelUrl": text,
        "returnLabelUrl": text,
        "returnLabelId": short,
        "carrierParcelRef": short,
        "trackingStatus": Text(choices=[*TrackingStatus.values, "notification"]),
        "carrierTrackingStatus": short,
        "customsDocumentUrl": text,
        "errors": Object(optional={"labelError": text, "returnLabelError": text}),
    },
)
parcel = Object(
    {
        "id": short,
        "version": Integer(1),
        "status": Text(choices=Parcel.Status.values),
        "carrierRef": short,
        "processRef": short,
        "recipient": loose_address,
        "sender": loose_address,
        "loadUnitRefs": List(short),
        "workflowInformation": unavailable,
    },
    {
        **versioned,
        "anonymized": boolean,
        "carrierProduct": short,
        "customAttributes": free,
        "dimensions": dimensions,
        "facilityRef": short,
        "items": List(item),
        "tenantParcelId": short,
        "result": result,
        "returnAddress": loose_address,
        "shipmentRef": short,
        "shortId": short,
        "tenantOrderId": short,
    },
    name="Parcel",
)
parcels = Object({"parcels": List(stripped_parcel), "total": Integer(0)}, name="StrippedParcels")
parcel_page = Object(
    {"parcels": List(parcel), "pageInfo": page_info}, {"total": Integer(0)}, name="ParcelPaginatedResult"
)
# In the custom attributes of a parcel: how the program that labels it calls it.
TENANT_PARCEL_ID = "tenantParcelId"
LABEL_TYPES = {"SEND_LABEL": "label", "RETURN_LABEL": "return_label"}
FILE_TYPES = ["PDF", "PNG", "JPG", "JPEG", "GIF", "ZPL"]


def _content_or_error(data, prefix, errors):
    """A label comes with its file, number and page, or with what the carrier has against it."""
    if "errorDescription" in data:
        return
    errors.extend(
        (f"{prefix}{name}", "is required")
        for name in ("labelFile", "trackingNumber", "trackingUrl")
        if name not in data
    )


# What a carrier would do differently, and where it is said here; nothing is booked as if it had not been asked for.
PARCEL_NOT_OFFERED = {
    "carrierInformation": "The connection of the facility has the account at the carrier.",
    "paymentInformation": "paymentInfo of the order says the currency.",
    "pickUpInformation": "The carrier comes at the cut-off times of the facility.",
    "services": "A carrierProduct of the connection brings its services.",
    "customProductValue": "shopPrice of the order lines says the value.",
    "productValue": "shopPrice of the order lines says the value.",
}
_not_offered = {
    name: Number(0) if name.lower().endswith("productvalue") else free for name in PARCEL_NOT_OFFERED
}
product = Text(60)
item_for_creation = Object({"quantity": Integer(1)}, {"article": free})
creation = {
    "carrierRef": short,
    "carrierProduct": product,
    "recipient": loose_address,
    "dimensions": dimensions_for_update,
    **dict.fromkeys(
        (
            "sender",
            "returnAddress",
            "invoice",
            "result",
            "customAttributes",
        ),
        free,
    ),
    **_not_offered,
    "productValueCurrency": short,
    "productValueType": short,
    "items": List(item_for_creation),
    "loadUnitRefs": List(short),
    "shortId": short,
    "tenantOrderId": short,
    "tenantParcelId": short,
    "status": Text(choices=Parcel.Status.values),
}
parcel_for_creation = Object(
    optional={**creation, "parentRef": short, "transfers": List(free)},
    closed=True,
    name="ParcelForCreation",
)
parcel_for_direct_creation = Object(
    {"carrierRef": short, "facilityRef": short, "recipient": loose_address, "sender": free},
    {
        **{
            name: part
            for name, part in creation.items()
            if name not in {"carrierInformation", "carrierRef", "recipient", "sender"}
        },
        "operativeProcessRef": short,
        "processRef": short,
        "shipmentRef": short,
        "orderDate": moment,
        "targetTime": moment,
    },
    closed=True,
    name="ParcelForDirectCreation",
)
parcel_patch = Object(
    {
        "version": version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyParcel": Object(
                        {"action": short},
                        {
                            **_not_offered,
                            "carrierProduct": product,
                            "customAttributes": free,
                            "dimensions": dimensions_for_update,
                            "result": Object(optional={"carrierTrackingNumber": short, "summary": text}),
                            "status": Text(choices=Parcel.Status.values),
                            "tenantParcelId": short,
                        },
                        closed=True,
                    ),
                    "ModifyParcelLoadUnit": Object({"action": short, "loadUnitRefs": List(short, most=100)}),
                },
            ),
            least=1,
        ),
    },
    closed=True,
    name="ParcelPatchActions",
)
label_file = Object({"content": Text(7_000_000), "type": Text(choices=FILE_TYPES)}, closed=True)
label_content = Object(
    {"labelType": Text(choices=LABEL_TYPES)},
    {
        "labelFile": label_file,
        "trackingNumber": short,
        "trackingUrl": web_page,
        "errorCode": short,
        "errorDescription": text,
    },
    closed=True,
    rule=_content_or_error,
    name="AddLabelsToParcelContent",
)
SPLIT, RECORD = "SPLIT_LINES_PARCEL", "UPDATE_PARCEL_ITEM_RECORDABLE_ATTRIBUTES"
split_info = Object({"itemId": short, "quantity": Integer(1)}, closed=True, name="ParcelSplitItemsInfo")
parcel_action = Choice(
    "name",
    {
        SPLIT: Object(
            {"name": short, "version": version, "splitItemsInfo": List(split_info, most=500, least=1)},
            closed=True,
            name="ParcelSplitItemsActionParameter",
        ),
        RECORD: Object(
            {"name": short, "version": version, **attribute_updates},
            closed=True,
            name="UpdateParcelItemRecordableAttributesActionParameter",
        ),
        "ADD_LABELS_TO_PARCEL": Object(
            {"name": short, "version": version, "labels": List(label_content, most=2)},
            {
                "closeParcel": boolean,
                "customsDocument": Object({"labelFile": label_file}, closed=True),
                "tenantParcelId": short,
            },
            closed=True,
            name="AddLabelsToParcelActionParameter",
        ),
        "UPDATE_TRACKING_DATA": Object(
            {
                "name": short,
                "version": version,
                "trackingData": List(
                    Object(
                        {
                            "status": Text(choices=["DELIVERED", "PICKED_UP"]),
                            "trackingNumber": short,
                            "type": Text(choices=LABEL_TYPES),
                        },
                        {"carrierStatus": Text(60)},
                        closed=True,
                    ),
                    most=2,
                    least=1,
                ),
            },
            closed=True,
            name="ParcelUpdateTrackingDataActionParameter",
        ),
    },
)


def represent_parcel(row):
    """A parcel as ``Parcel``. Reads what ``ParcelQuerySet.for_api`` loads."""
    base = reverse("api-parcel", args=[row.pk])
    outcome: dict = {"summary": row.problem.get("message") or row.get_status_display()}
    if row.tracking_number:
        outcome |= {
            "carrierTrackingNumber": row.tracking_number,
            "trackingUrl": row.tracking_url,
            "sendLabelUrl": f"{base}/labels/send.pdf",
            "labelUrl": f"{base}/labels/all.pdf",
        }
    if row.return_label_id:
        outcome |= {
            "returnLabelUrl": f"{base}/labels/return.pdf",
            "returnLabelId": row.return_tracking_number,
        }
    if row.tracking_status:
        outcome |= {"trackingStatus": row.tracking_status, "carrierTrackingStatus": row.tracking_status}
    if row.carrier_reference:
        outcome["carrierParcelRef"] = row.carrier_reference
    if row.customs_document_id:
        outcome["customsDocumentUrl"] = f"{base}/labels/customs.pdf"
    if row.problem:
        outcome["errors"] = {"labelError": row.problem.get("message", "")}
    return without_empty(
        entity_to_wire(row)
        | {
            "carrierRef": str(row.carrier_id),
            "carrierProduct": row.product,
            "tenantParcelId": row.custom_attributes.get(TENANT_PARCEL_ID),
            "processRef": str(row.order.process_id),
            "facilityRef": str(row.facility_id),
            "shipmentRef": str(row.shipment_id),
            "shortId": row.shipment.short_id,
            "tenantOrderId": row.order.tenant_order_id,
            "recipient": recipient_to_wire(row.shipment.recipient),
            "sender": contact_to_wire(row.sender) if row.sender else sender_to_wire(row.facility),
            "returnAddress": contact_to_wire(row.return_address) if row.return_address else None,
            "loadUnitRefs": load_units_to_wire(row),
            "dimensions": {
                "length": row.length_mm / 10,
                "width": row.width_mm / 10,
                "height": row.height_mm / 10,
                "weight": row.weight_g,
            },
            "items": [
                {
                    "id": str(entry.line.pk),
                    "article": {"tenantArticleId": entry.line.sku, "title": entry.line.title},
                    "quantity": entry.quantity,
                    **represent_attributes(entry.line.recordable_attributes),
                }
                for entry in row.package.items.all()
            ],
            "result": without_empty(outcome),
        }
    )


LABELS = {
    "all.pdf": ("label", "return_label"),
    "send.pdf": ("label",),
    "return.pdf": ("return_label",),
    "customs.pdf": ("customs_document",),
    "send.zpl": ("label",),
    "return.zpl": ("return_label",),
}
