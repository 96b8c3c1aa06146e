"""Handover jobs in the wire format."""

from fulfillment.core.api.assigned import assigned_user, named_users, represent_assigned
from fulfillment.core.api.recording import attribute_updates, represent_attributes
from fulfillment.core.api.schema import Choice, Integer, List, Object, Text, boolean, free, moment
from fulfillment.core.api.search import page_info
from orders.wire import short, text, time, versioned

from ..models import HandoverJob
from .entity import (
    entity_to_wire,
    item,
    load_units_to_wire,
    loose_address,
    recipient_to_wire,
    target_time_to_wire,
    unavailable,
    version,
    without_empty,
)

missing_item = Object(
    {"id": short, "article": free, "quantity": Integer(1)}, name="MissingHandoverJobLineItem"
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
        "assignedUsers": List(assigned_user),
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
        "missingHandoverJobLineItems": List(missing_item),
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
handover_for_creation = Object({"pickJobRef": short}, name="HandoverjobForCreation")
handover_patch = Object(
    {
        "version": version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyHandoverjob": Object(
                        {"action": short},
                        {
                            "customAttributes": free,
                            "fullIdentifier": Text(200),
                            "invoiceAddress": loose_address,
                            "recipientAddress": loose_address,
                            "status": Text(choices=HandoverJob.Status.values),
                        },
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
# What a handover does not have, and what says it in its place.
ACTIONS_NOT_OFFERED = {
    "MODIFY_PICKUP_SERVICES": "What a customer must show is set in the pick-up settings of the facility.",
}
ADDRESSES_NOT_OFFERED = {
    "invoiceAddress": "It is that of the order: change it there.",
    "recipientAddress": "It is that of the label or the order: change it at the shipment or the order.",
}
STATUS_INSTEAD = {
    "CANCELED": "Use CANCEL, which has a reason.",
    "OBSOLETE": "A handover becomes obsolete when the label of its parcel is cancelled.",
}
MOVE, THERE, GONE = "MOVE_HANDOVER_JOB_LINE_ITEMS", "HANDOVER", "MISSING"
EXPECTED_INSTEAD = "A handover is opened when its goods are packed: nothing is expected any more."
move_info = Object(
    {
        "lineItemId": short,
        "targetQuantity": Integer(1),
        **dict.fromkeys(("from", "to"), Text(choices=["EXPECTED", THERE, GONE])),
    },
    closed=True,
    name="MoveHandoverJobLineItemsInfo",
)
SPLIT, RECORD = "SPLIT_LINES_HANDOVER_JOB", "UPDATE_HANDOVER_LINE_ITEM_RECORDABLE_ATTRIBUTES"
split_info = Object(
    {"lineItemId": short, "quantity": Integer(1)},
    # Nothing is handed over before the whole is.
    {"handedOverQuantity": Integer(0, 0)},
    closed=True,
    name="HandoverJobSplitLineItemsInfo",
)
substitute_refused = Object({"id": short}, {"refused": List(refused)})
substitute_finished = Object({"id": short, "handedOverQuantity": Integer(0)}, {"refused": List(refused)})
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
                        {
                            "refused": List(refused),
                            "substituteLineItems": List(substitute_finished, most=100),
                        },
                        closed=True,
                    )
                ),
            },
            closed=True,
            name="FinishHandoverJobActionParameter",
        ),
        "UPDATE_LINEITEM": Object(
            {
                "name": short,
                "version": version,
                "lineItem": Object(
                    {"id": short},
                    {
                        "refused": List(refused),
                        "status": Text(choices=["OPEN", "CLOSED"]),
                        "substituteItems": List(substitute_refused, most=100),
                    },
                    closed=True,
                ),
            },
            closed=True,
            name="HandoverJobLineItemUpdateActionParameter",
        ),
        "WAITING_FOR_INPUT": Object(
            {"name": short, "version": version},
            closed=True,
            name="SetHandoverJobToWaitingForInputActionParameter",
        ),
        "ADD_TARGET_TIME": Object(
            {"name": short, "version": version, "targetTime": moment},
            closed=True,
            name="HandoverJobAddTargetTimeActionParameter",
        ),
        "REPLACE_ASSIGNED_USERS": Object(
            {"name": short, "version": version, **named_users},
            closed=True,
            name="HandoverJobReplaceAssignedUsersActionParameter",
        ),
        MOVE: Object(
            {"name": short, "version": version, "items": List(move_info, most=50, least=1)},
            closed=True,
            name="MoveHandoverJobLineItemsActionParameter",
        ),
        SPLIT: Object(
            {"name": short, "version": version, "splitLineItemsInfo": List(split_info, most=500, least=1)},
            closed=True,
            name="HandoverJobSplitLineItemsActionParameter",
        ),
        RECORD: Object(
            {"name": short, "version": version, **attribute_updates},
            closed=True,
            name="UpdateHandoverLineItemRecordableAttributesActionParameter",
        ),
        **{name: Object({"name": short, "version": version}) for name in ACTIONS_NOT_OFFERED},
    },
)


def represent_handover(row):
    """A handover job as ``Handoverjob``. Reads what ``HandoverJobQuerySet.for_api`` loads."""
    is_done = row.status == HandoverJob.Status.HANDED_OVER
    body = entity_to_wire(row) | {
        "channel": row.channel,
        "facilityRef": str(row.facility_id),
        "orderDate": time(row.order.order_date),
        "targetTime": target_time_to_wire(row),
        "paid": row.is_paid,
        "fullIdentifier": row.recipient_name,
        "shortIdentifier": row.short_id,
        "pickJobRef": str(row.pick_job_id),
        "processId": str(row.order.process_id),
        "tenantOrderId": row.order.tenant_order_id,
        "assignedUsers": represent_assigned(row),
        "cancelReason": row.cancel_reason,
        "loadUnitRefs": load_units_to_wire(row.parcel),
        "recipientAddress": _handover_recipient(row),
        "handoverJobLineItems": [
            {
                "id": str(line.pk),
                "article": {"tenantArticleId": line.sku, "title": line.title},
                "quantity": line.there,
                "handedOverQuantity": line.handed_over,
                "refused": line.refused,
                "status": "CLOSED" if is_done or line.is_decided else "OPEN",
                **represent_attributes(line.recordable_attributes),
            }
            for line in row.lines.all()
            if line.there
        ],
        "missingHandoverJobLineItems": [
            {
                "id": str(line.pk),
                "article": {"tenantArticleId": line.sku, "title": line.title},
                "quantity": line.missing,
            }
            for line in row.lines.all()
            if line.missing
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
    return without_empty(body)


def _handover_recipient(row):
    if row.parcel is not None:
        return recipient_to_wire(row.parcel.shipment.recipient)
    addresses = row.order.consumer.get("addresses") or []
    return addresses[0] if addresses else None
