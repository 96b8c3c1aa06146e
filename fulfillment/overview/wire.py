"""Processes and histories in the wire format."""

import datetime

from fulfillment.core.api.schema import Integer, List, Object, Text, boolean, moment
from fulfillment.core.api.search import page_info
from orders.wire import short, tag, text, time, versioned

from .queries import Flag, ProcessStatus

# Nothing deletes or blanks an order before this: books are kept for ten years.
KEPT = datetime.timedelta(days=3653)
SUB_STATUSES = [Flag.MISMATCH, Flag.DELAYED, Flag.AT_RISK]

status = Text(choices=ProcessStatus.values)
process = Object(
    {"id": short, "version": Integer(1), "gdprCleanupDate": moment},
    {
        **versioned,
        "orderRef": short,
        "tenantOrderId": short,
        "status": status,
        "statuses": Object(
            {"status": status}, {"subStatuses": List(Text(choices=[flag.value for flag in SUB_STATUSES]))}
        ),
        "facilityRefs": List(short),
        "routingPlanRefs": List(short),
        "pickJobRefs": List(short),
        "packJobRefs": List(short),
        "shipmentRefs": List(short),
        "handoverJobRefs": List(short),
        "itemReturnJobsRef": List(short),
        "isAnonymized": boolean,
        "tags": List(tag),
    },
    name="Process",
)
process_page = Object(
    {"processes": List(process), "pageInfo": page_info}, {"total": Integer(0)}, name="ProcessPaginatedResult"
)
history_log = Object(
    {
        "id": short,
        "domain": short,
        "domainRef": short,
        "eventType": short,
        "type": short,
        "timestamp": moment,
        "status": short,
        "user": Object({"userRef": short, "username": text}),
    },
    {"eventCause": text, "info": text},
    name="ProcessHistoryLog",
)
history_logs = Object({"historyLogs": List(history_log), "total": Integer(0)}, name="ProcessHistoryLogs")

SYSTEM = "system"  # who acts when no person and no token does
DOMAINS = {
    "orders.order": "ORDER",
    "routing.routingplan": "ROUTING_PLAN",
    "picking.pickjob": "PICKJOB",
    "packing.packjob": "PACKJOB",
    "shipping.shipment": "SHIPMENT",
    "shipping.parcel": "PARCEL",
    "shipping.handoverjob": "HANDOVER",
    "shipping.itemreturn": "ITEM_RETURN",
}
EVENTS = {
    ("ORDER", "cancel"): "ORDER_CANCELLED",
    ("ORDER", "unlock"): "ORDER_UNLOCKED",
    ("ORDER", "confirm_promise"): "ORDER_CREATED_FROM_PROMISE",
    ("ROUTING_PLAN", "give_up"): "ORDER_HAS_UNROUTABLE_ITEMS",
    ("ROUTING_PLAN", "postpone"): "ORDER_HAS_UNROUTABLE_ITEMS",
    ("ROUTING_PLAN", "replace"): "ORDER_MODIFICATION_REROUTE",
    ("ROUTING_PLAN", "settle"): "UNROUTABLE_ITEMS_REROUTE",
    ("PICKJOB", "create"): "OPERATIVE_TASK_CREATED",
    ("PICKJOB", "start"): "PICKING_IN_PROGRESS",
    ("PICKJOB", "pause"): "PICKING_PAUSED",
    ("PICKJOB", "finish_picking"): "PICKING_DONE",
    ("PICKJOB", "close"): "PICKING_DONE",
    ("PICKJOB", "close_empty"): "PICKING_ABORTED_NO_ITEMS_PICKED",
    ("PICKJOB", "reset"): "PICKING_RESET",
    ("PICKJOB", "restart"): "PICKING_RESTART",
    ("PICKJOB", "reroute"): "TASK_MANUAL_REROUTE",
    ("PICKJOB", "cancel"): "PICKING_CANCELLED",
    ("PACKJOB", "create"): "PACKING_CREATED",
    ("PACKJOB", "start"): "PACKING_IN_PROGRESS",
    ("PACKJOB", "close"): "PACKING_DONE",
    ("PARCEL", "create"): "PARCEL_CREATED",
    ("PARCEL", "begin"): "PARCEL_LABEL_REQUESTED",
    ("PARCEL", "fail"): "PARCEL_LABEL_CREATION_FAILED",
    ("HANDOVER", "create"): "HANDOVER_CREATED",
    ("HANDOVER", "hand_over"): "HANDOVER_DONE",
    ("HANDOVER", "cancel"): "HANDOVER_CANCELED",
    ("ITEM_RETURN", "announce"): "RETURN_ANNOUNCED",
    ("ITEM_RETURN", "cancel"): "RETURN_CANCELED",
    ("ITEM_RETURN", "finish"): "RETURN_FINISHED",
    ("ITEM_RETURN", "refund"): "REFUND_TRIGGERED",
}
OF_NEW_ORDERS = {"LOCKED": "LOCKED_ORDER_CREATED", "PROMISED": "DELIVERY_PROMISE_CREATED"}


def represent_process(order, process, references):
    """A process as ``Process``: derived from the order and what the stages made of it."""
    flags = [flag.value for flag in process.flags if flag in SUB_STATUSES]
    body = {
        "id": str(order.process_id),
        "version": order.version,
        "created": time(order.created_at),
        "lastModified": time(order.modified_at),
        "gdprCleanupDate": time(order.created_at + KEPT),
        "orderRef": str(order.pk),
        "status": process.status,
        "statuses": {"status": process.status, "subStatuses": flags},
        "isAnonymized": False,
        **{name: [str(pk) for pk in ids] for name, ids in references.items()},
    }
    if order.tenant_order_id is not None:
        body["tenantOrderId"] = order.tenant_order_id
    if order.tags:
        body["tags"] = order.tags
    return body


def event_type(change):
    """The name of a status change in the history; what the wire format has no name for gets one of its own."""
    domain = DOMAINS[change.entity]
    if (domain, change.action) == ("ORDER", "create"):
        return OF_NEW_ORDERS.get(change.after, "ORDER_CREATED")
    if (domain, change.action, change.after) == ("ITEM_RETURN", "create", "ANNOUNCED"):
        return "RETURN_ANNOUNCED"
    if (domain, change.action, change.after) == ("ROUTING_PLAN", "create", "RETRYABLE"):
        return "ORDER_HAS_UNROUTABLE_ITEMS"
    return EVENTS.get((domain, change.action), f"{domain}_{change.action.upper()}")


def represent_change(change, event):
    """A status change as ``ProcessHistoryLog``."""
    body = {
        "id": str(change.pk),
        "domain": DOMAINS[change.entity],
        "domainRef": str(change.entity_id),
        "eventType": event,
        "type": event,
        "timestamp": time(change.at),
        "status": change.after,
        "user": {"userRef": str(change.by_id or SYSTEM), "username": change.actor or SYSTEM},
    }
    if change.reason:
        body["info"] = change.reason
    return body
