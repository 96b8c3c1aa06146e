"""Shipments, parcels and handover jobs in the wire format."""

from django.urls import reverse

from fulfillment.core.api.schema import Choice, Integer, List, Number, Object, Text, boolean, free, moment
from fulfillment.core.api.search import page_info
from orders.wire import address as consumer_address
from orders.wire import short, text, time, versioned

from .models import HandoverJob, Parcel, Shipment, TrackingStatus

unavailable = Object({"isAvailable": boolean})
loose_address = Object(optional=consumer_address.parts)
item = Object({"id": short, "quantity": Integer(0)}, {"article": free})

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
dimensions = Object(
    optional={"length": Number(0), "width": Number(0), "height": Number(0), "weight": Number(0)}
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
handover = Object(
    {
        "id": short,
        "version": Integer(1),
        "status": Text(choices=HandoverJob.Status.values),
        "channel": Text(choices=HandoverJob.Channel.values),
        "facilityRef": short,
        "orderDate": moment,
        "targetTime": moment,
        "workflowInformation": unavailable,
    },
    {
        **versioned,
        "anonymized": boolean,
        "cancelReason": Text(choices=HandoverJob.CancelReason.values),
        "carrierKey": short,
        "carrierRef": short,
        "carrierTrackingNumber": short,
        "customAttributes": free,
        "fullIdentifier": text,
        "shortIdentifier": short,
        "handoverJobLineItems": List(item),
        "handoverJobParcelInfo": Object(
            optional=dict.fromkeys(("parcelRef", "shipmentRef", "carrierRef", "carrierKey"), short)
        ),
        "loadUnitRefs": List(short),
        "paid": boolean,
        "parcelRef": short,
        "pickJobRef": short,
        "processId": short,
        "recipientAddress": loose_address,
        "shipmentRef": short,
        "tenantOrderId": short,
    },
    name="Handoverjob",
)
handovers = Object({"handoverjobs": List(handover), "total": Integer(0)}, name="StrippedHandoverjobs")
handover_page = Object(
    {"handoverJobs": List(handover), "pageInfo": page_info},
    {"total": Integer(0)},
    name="HandoverJobPaginatedResult",
)

version = Integer(0, 2**31 - 1)
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


shipment_for_creation = Object({"pickJobRef": short}, name="ShipmentForCreation")
handover_for_creation = Object({"pickJobRef": short}, name="HandoverjobForCreation")
# What a carrier would do differently; nothing is booked as if it had not been asked for.
SHIPMENT_UNSUPPORTED = ("paymentInformation", "pickJobRef")
PARCEL_UNSUPPORTED = {
    **dict.fromkeys(
        ("carrierInformation", "paymentInformation", "pickUpInformation", "services"),
        free,
    ),
    "customProductValue": Number(0),
    "productValue": Number(0),
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
                            "carrierProduct": short,
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
parcel_for_creation = Object(
    optional={
        "carrierRef": short,
        "carrierProduct": short,
        "recipient": loose_address,
        "dimensions": dimensions,
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
        **PARCEL_UNSUPPORTED,
        "productValueCurrency": short,
        "productValueType": short,
        "items": List(free),
        "loadUnitRefs": List(short),
        "shortId": short,
        "tenantOrderId": short,
        "tenantParcelId": short,
        "status": Text(choices=Parcel.Status.values),
    },
    closed=True,
    name="ParcelForCreation",
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
                            **PARCEL_UNSUPPORTED,
                            "carrierProduct": short,
                            "customAttributes": free,
                            "dimensions": dimensions,
                            "result": Object(optional={"carrierTrackingNumber": short, "summary": text}),
                            "status": Text(choices=["OPEN", "PROCESSING", "CANCELED"]),
                        },
                        closed=True,
                    )
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
        "trackingUrl": Text(500),
        "errorCode": short,
        "errorDescription": text,
    },
    closed=True,
    rule=_content_or_error,
    name="AddLabelsToParcelContent",
)
parcel_action = Choice(
    "name",
    {
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
handover_patch = Object(
    {
        "version": version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyHandoverjob": Object(
                        {"action": short},
                        {"customAttributes": free, "status": Text(choices=["HANDED_OVER", "OPEN"])},
                        closed=True,
                    ),
                    "CancelHandoverjob": Object(
                        {
                            "action": short,
                            "handoverJobCancelReason": Text(choices=HandoverJob.CancelReason.values),
                        },
                        closed=True,
                    ),
                },
            ),
            least=1,
        ),
    },
    closed=True,
    name="HandoverjobPatchActions",
)
refused = Object(
    {"quantity": Integer(0)}, {"comment": Text(200), "reason": Text(200), "reasonLocalized": free}
)
handover_action = Choice(
    "name",
    {
        "CANCEL": Object(
            {
                "name": short,
                "version": version,
                "payload": Object(
                    {"handoverJobCancelReason": Text(choices=HandoverJob.CancelReason.values)}, closed=True
                ),
            },
            closed=True,
            name="HandoverJobCancelActionParameter",
        ),
        "FINISH_HANDOVER_JOB": Object(
            {
                "name": short,
                "version": version,
                "lineItems": List(
                    Object(
                        {"id": short, "handedOverQuantity": Integer(0)},
                        {"refused": List(refused), "substituteLineItems": List(free)},
                        closed=True,
                    )
                ),
            },
            closed=True,
            name="FinishHandoverJobActionParameter",
        ),
    },
)


def _without_empty(body):
    return {name: value for name, value in body.items() if value not in (None, "")}


def _entity(row):
    return {
        "id": str(row.pk),
        "version": row.version,
        "created": time(row.created_at),
        "lastModified": time(row.modified_at),
        "status": row.status,
        "customAttributes": row.order.custom_attributes | row.custom_attributes,
        "anonymized": False,
        "workflowInformation": {"isAvailable": False},
    }


def _target_time(row):
    return time(row.target_time or row.order.order_date)


def recipient_to_wire(recipient):
    """The recipient on a label (fields of ``orders.models.Address``) as ``ConsumerAddress``."""
    phone = recipient.get("phone")
    return _without_empty(
        {
            "firstName": recipient.get("first_name"),
            "lastName": recipient.get("last_name"),
            "companyName": recipient.get("company"),
            "street": recipient.get("street"),
            "houseNumber": recipient.get("house_number"),
            "additionalAddressInfo": recipient.get("addition"),
            "postalCode": recipient.get("postal_code"),
            "city": recipient.get("city"),
            "province": recipient.get("province"),
            "country": recipient.get("country"),
            "email": recipient.get("email"),
            "phoneNumbers": [{"type": "PHONE", "value": phone}] if phone else None,
        }
    )


def _sender(facility):
    return _without_empty(
        {
            "companyName": facility.company_name,
            "street": facility.street,
            "houseNumber": facility.house_number,
            "postalCode": facility.postal_code,
            "city": facility.city,
            "country": facility.country,
        }
    )


def represent_stripped_parcel(row):
    return _without_empty(
        {
            "parcelRef": str(row.pk),
            "status": row.status,
            "carrierRef": str(row.carrier_id),
            "carrierTrackingNumber": row.tracking_number,
        }
    )


def represent_shipment(row):
    """A shipment as ``Shipment``. Reads what ``ShipmentQuerySet.for_api`` loads."""
    body = _entity(row) | {
        "facilityRef": str(row.facility_id),
        "orderRef": str(row.order_id),
        "orderDate": time(row.order.order_date),
        "targetTime": _target_time(row),
        "hasActiveCarrier": row.carrier is not None and row.carrier.status == "ACTIVE",
        "pickJobRef": str(row.pick_job_id),
        "processId": str(row.order.process_id),
        "shortId": row.short_id,
        "targetAddress": recipient_to_wire(row.recipient),
        "sourceAddress": _sender(row.facility),
        "parcels": [represent_stripped_parcel(parcel) for parcel in row.parcels.all()],
        "lineItems": [
            {
                "id": str(line.pk),
                "article": {"tenantArticleId": line.sku, "title": line.title},
                "quantity": line.picked,
            }
            for line in row.pick_job.lines.all()
            if line.picked
        ],
        "tenantOrderId": row.order.tenant_order_id,
    }
    if row.carrier is not None:
        body |= {"carrierRef": str(row.carrier_id), "carrierKey": row.carrier.key}
    return _without_empty(body)


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
    return _without_empty(
        _entity(row)
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
            "sender": _sender(row.facility),
            "loadUnitRefs": [],
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
                }
                for entry in row.package.items.all()
            ],
            "result": _without_empty(outcome),
        }
    )


def represent_handover(row):
    """A handover job as ``Handoverjob``. Reads what ``HandoverJobQuerySet.for_api`` loads."""
    body = _entity(row) | {
        "channel": row.channel,
        "facilityRef": str(row.facility_id),
        "orderDate": time(row.order.order_date),
        "targetTime": _target_time(row),
        "paid": row.is_paid,
        "fullIdentifier": row.recipient_name,
        "shortIdentifier": row.short_id,
        "pickJobRef": str(row.pick_job_id),
        "processId": str(row.order.process_id),
        "tenantOrderId": row.order.tenant_order_id,
        "cancelReason": row.cancel_reason,
        "loadUnitRefs": [],
        "recipientAddress": _handover_recipient(row),
        "handoverJobLineItems": [
            {
                "id": str(line.pk),
                "article": {"tenantArticleId": line.sku, "title": line.title},
                "quantity": line.quantity,
                "handedOverQuantity": line.handed_over,
                "refused": line.refused,
                "status": "CLOSED" if row.status == HandoverJob.Status.HANDED_OVER else "OPEN",
            }
            for line in row.lines.all()
        ],
    }
    if row.parcel is not None:
        reference = {
            "parcelRef": str(row.parcel_id),
            "shipmentRef": str(row.parcel.shipment_id),
            "carrierRef": str(row.parcel.carrier_id),
            "carrierKey": row.parcel.carrier.key,
        }
        body |= {
            **reference,
            "carrierTrackingNumber": row.parcel.tracking_number,
            "handoverJobParcelInfo": reference,
        }
    return _without_empty(body)


def _handover_recipient(row):
    if row.parcel is not None:
        return recipient_to_wire(row.parcel.shipment.recipient)
    addresses = row.order.consumer.get("addresses") or []
    return addresses[0] if addresses else None


LABELS = {
    "all.pdf": ("label", "return_label"),
    "send.pdf": ("label",),
    "return.pdf": ("return_label",),
    "customs.pdf": ("customs_document",),
    "send.zpl": ("label",),
    "return.zpl": ("return_label",),
}
