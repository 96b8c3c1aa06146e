"""Return jobs and the returns of them in the wire format: each unit is an entry of its own."""

from fulfillment.core.api.schema import Choice, Integer, List, Number, Object, Text, boolean, free, moment
from orders.wire import article, short, text, time, versioned, words

from ..models import HandoverJob, ItemReturn, ReturnedItem, ReturnJob
from .entity import loose_address, version, without_empty

ITEM_STATUSES = ["OPEN", "IN_PROGRESS", "WAITING_FOR_INPUT", "REJECTED", "ACCEPTED", "CANCELED"]
job_status = Text(choices=ReturnJob.Status.values)
return_status = Text(choices=ItemReturn.Status.values)
item_status = Text(choices=ITEM_STATUSES)
codes = List(Text(120), most=50)

# What is answered

reason = Object({"reasonLocalized": words}, {"comment": text, "reason": short})
refund = Object(
    {"status": Text(choices=["OPEN", "IN_PROGRESS", "CLOSED"])},
    {"percent": Number(0, 100), "price": Object({"currency": Text(3), "value": Number()}, closed=True)},
    name="ReturnedLineItemRefund",
)
item = Object(
    {
        "id": short,
        "status": item_status,
        "tenantArticleId": short,
        "itemReturnJobLineItemRefs": List(short, most=100),
    },
    {
        "itemCondition": short,
        "itemConditionLocalized": words,
        "itemConditionComment": text,
        "decisionReason": reason,
        "reasons": List(reason, most=20),
        "refund": refund,
        "isDefective": boolean,
        "scannedCodes": codes,
        "customAttributes": free,
    },
    name="ItemReturnLineItem",
)
item_return = Object(
    {
        "id": short,
        "status": return_status,
        "returnFacilityRef": short,
        "returnedLineItems": List(item, most=ItemReturn.MOST_ITEMS),
    },
    {
        "created": moment,
        "lastModified": moment,
        "customAttributes": free,
        "parcelRefs": List(short, most=50),
        "returnedNotReturnableLineItems": List(free, most=100),
        "scannableCodes": codes,
        "tenantOrderId": short,
    },
    name="ItemReturn",
)
job_line = Object(
    {
        "id": short,
        "article": Object(optional=article.parts),
        "delivered": Integer(0),
        "returned": Integer(0),
        "returnable": Integer(0),
    },
    {"globalLineItemId": short, "scannableCodes": codes, "customAttributes": free},
    name="ItemReturnJobLineItem",
)
_job = (
    {
        "id": short,
        "version": Integer(1),
        "status": job_status,
        "processRef": short,
        "originFacilityRefs": List(short, most=50),
        "consumerAddresses": List(loose_address),
        "itemReturns": List(item_return),
        "returnableLineItems": List(job_line),
    },
    {
        **versioned,
        "anonymized": boolean,
        "customAttributes": free,
        "notReturnableLineItems": List(job_line),
        "scannableCodes": codes,
        "shortId": short,
        "tenantOrderId": short,
    },
)
return_job = Object(*_job, name="ItemReturnJob")
return_jobs = Object(
    {
        "itemReturnJobsWithSearchPaths": List(
            Object(_job[0], {**_job[1], "searchPaths": List(text)}, name="ItemReturnJobWithSearchPaths")
        ),
        "total": Integer(0),
    },
    name="ItemReturnJobs",
)
item_returns = List(item_return)

# What is asked for

job_for_creation = Object(
    optional={"processRef": short, "tenantOrderId": short},
    one_of=("processRef", "tenantOrderId"),
    name="ItemReturnJobForCreation",
)
given_reason = Object(
    {"reasonLocalized": words},
    {"comment": Text(300), "reason": short},
    closed=True,
    name="ItemReturnLineItemReason",
)
_judgement = {
    "itemCondition": short,
    "itemConditionLocalized": words,
    "itemConditionComment": Text(300),
    "decisionReason": given_reason,
    "reasons": List(given_reason, most=20),
}
item_for_creation = Object(
    {"itemReturnJobLineItemRef": short, "status": item_status},
    {
        **_judgement,
        "tenantArticleId": short,
        "customAttributes": free,
        "recordableAttributes": List(free, most=50),
        "scannedCodes": codes,
    },
    closed=True,
    name="ItemReturnLineItemForCreation",
)
adding = Object(
    {
        "itemReturnJobVersion": version,
        "itemReturnForCreation": Object(
            {
                "returnFacilityRef": short,
                "returnedLineItems": List(item_for_creation, most=ItemReturn.MOST_ITEMS),
                "status": return_status,
            },
            {
                "returnedNotReturnableLineItems": List(item_for_creation, most=100),
                "scannableCodes": codes,
                "tenantOrderId": short,
            },
            closed=True,
            name="ItemReturnForCreation",
        ),
    },
    closed=True,
    name="AddItemReturnToItemReturnJob",
)


def _action(name, required=None, *, version_name):
    parts = {"name": Text(choices=[name]), version_name: version, **(required or {})}
    return Object(parts, closed=True, name=f"{name}ActionParameter")


def _lines_action(words):
    return Object(
        {"name": short, "version": version, "lineItemIds": List(short, most=20, least=1)},
        closed=True,
        name=f"ChangeLineItemsTo{words}InItemReturnJobActionParameter",
    )


ALLOW = "CHANGE_LINE_ITEMS_TO_RETURNABLE_IN_ITEM_RETURN_JOB"
FORBID = "CHANGE_LINE_ITEMS_TO_NOT_RETURNABLE_IN_ITEM_RETURN_JOB"
REPLACE = "REPLACE_LINE_ITEMS_ON_ITEM_RETURN_JOB"
JOB_ACTIONS = ("StartItemReturnJob", "FinishItemReturnJob", "RestartItemReturnJob")
job_action = Choice(
    "name",
    {
        **{name: _action(name, version_name="version") for name in JOB_ACTIONS},
        ALLOW: _lines_action("Returnable"),
        FORBID: _lines_action("NotReturnable"),
        REPLACE: Object(
            {"name": short, "version": version},
            {
                "notReturnableLineItems": List(free, most=20),
                "returnableLineItems": List(free, most=20),
            },
            closed=True,
            name="ReplaceLineItemsOnItemReturnJobActionParameter",
        ),
    },
)
# Beside those of the reference: what happens to the units of a return that exists.
RECEIVE, JUDGE = "ReceiveItemReturnLineItems", "JudgeItemReturnLineItems"
RETURN_ACTIONS = (
    "AnnounceItemReturn",
    "OpenItemReturn",
    "StartItemReturn",
    "PauseItemReturn",
    "WaitForInputItemReturn",
    "FinishItemReturn",
    "CancelItemReturn",
)
return_action = Choice(
    "name",
    {
        **{name: _action(name, version_name="itemReturnJobVersion") for name in RETURN_ACTIONS},
        RECEIVE: _action(
            RECEIVE,
            {
                "lineItems": List(
                    Object(
                        {"itemReturnJobLineItemRef": short, "quantity": Integer(1, ItemReturn.MOST_ITEMS)},
                        _judgement,
                        closed=True,
                    ),
                    most=ItemReturn.MOST_ITEMS,
                    least=1,
                )
            },
            version_name="itemReturnJobVersion",
        ),
        JUDGE: _action(
            JUDGE,
            {
                "lineItems": List(
                    Object(
                        {"id": short, "status": Text(choices=ReturnedItem.Verdict.values)},
                        {
                            "decisionReason": given_reason,
                            "isDefective": boolean,
                            "refundPercent": Integer(0, 100),
                        },
                        closed=True,
                    ),
                    most=ItemReturn.MOST_ITEMS,
                    least=1,
                )
            },
            version_name="itemReturnJobVersion",
        ),
    },
)


# How rows look


def represent_item(row):
    """A unit as ``ItemReturnLineItem``. Its return is at hand."""
    body: dict = {
        "id": str(row.pk),
        "status": row.status,
        "tenantArticleId": row.line.article.sku,
        "itemReturnJobLineItemRefs": [str(row.line_id)],
        "itemConditionComment": row.condition_comment,
    }
    if row.condition is not None:
        body |= {"itemCondition": str(row.condition.name), "itemConditionLocalized": row.condition.names}
    if row.decision_reason:
        names = row.condition.names if row.condition is not None else {}
        is_condition = row.decision_reason in names.values()
        body["decisionReason"] = {
            "reasonLocalized": names if is_condition else {"en_US": row.decision_reason}
        }
    if row.reason is not None or row.reason_comment:
        names = row.reason.names if row.reason is not None else {"en_US": row.reason_comment}
        body["reasons"] = [without_empty({"reasonLocalized": names, "comment": row.reason_comment})]
    if row.verdict == ReturnedItem.Verdict.ACCEPTED:
        is_asked_for = row.item_return.status == ItemReturn.Status.FINISHED
        body["isDefective"] = row.place == ReturnedItem.Place.DEFECTIVE
        body["refund"] = {
            "status": "IN_PROGRESS" if is_asked_for else "OPEN",
            "percent": row.refund_percent,
        }
        if row.refund_amount is not None:
            body["refund"]["price"] = {"currency": row.refund_currency, "value": float(row.refund_amount)}
    return without_empty(body)


def represent_item_return(row):
    """A return as ``ItemReturn``. Reads what ``ItemReturnQuerySet.for_api`` loads."""
    return without_empty(
        {
            "id": str(row.pk),
            "status": row.status,
            "created": time(row.created_at),
            "lastModified": time(row.modified_at),
            "returnFacilityRef": str(row.facility_id),
            "returnedLineItems": [represent_item(one) for one in row.items.all()],
            "scannableCodes": row.scannable_codes,
            "customAttributes": row.custom_attributes,
        }
    )


def represent_refund(row):
    """A return with what the customer gets back for it, per currency, for those who pay it."""
    totals: dict = {}
    for one in row.items.all():
        if one.refund_amount is not None:
            totals[one.refund_currency] = totals.get(one.refund_currency, 0) + one.refund_amount
    return without_empty(
        {
            **represent_item_return(row),
            "itemReturnJobRef": str(row.job_id),
            "processRef": str(row.order.process_id),
            "orderRef": str(row.order_id),
            "tenantOrderId": row.order.tenant_order_id,
            "refunds": [
                {"currency": currency, "value": float(amount)} for currency, amount in sorted(totals.items())
            ],
        }
    )


def _represent_line(row):
    return {
        "id": str(row.pk),
        "article": {"tenantArticleId": row.article.sku, "title": row.title},
        "delivered": row.delivered,
        "returned": row.returned,
        "returnable": row.left,
        "globalLineItemId": str(row.order_line_id),
    }


def represent_job(row):
    """A return job as ``ItemReturnJob``. Reads what ``ReturnJobQuerySet.for_api`` loads."""
    lines = row.lines.all()
    handed_over = [
        job for job in row.order.handover_jobs.all() if job.status == HandoverJob.Status.HANDED_OVER
    ]
    shipments = row.order.shipments.all()
    scannable = [shipment.return_code for shipment in shipments] + [
        parcel.return_tracking_number for shipment in shipments for parcel in shipment.parcels.all()
    ]
    return without_empty(
        {
            "id": str(row.pk),
            "version": row.version,
            "created": time(row.created_at),
            "lastModified": time(row.modified_at),
            "status": row.status,
            "shortId": row.short_id,
            "processRef": str(row.order.process_id),
            "tenantOrderId": row.order.tenant_order_id,
            "originFacilityRefs": sorted(
                {str(job.facility_id) for job in handed_over} or {str(row.facility_id)}
            ),
            "consumerAddresses": row.order.consumer.get("addresses") or [],
            "itemReturns": [represent_item_return(one) for one in row.item_returns.all()],
            "returnableLineItems": [_represent_line(line) for line in lines if line.is_returnable],
            "notReturnableLineItems": [_represent_line(line) for line in lines if not line.is_returnable],
            "scannableCodes": list(filter(None, scannable))[:50],
            "customAttributes": row.order.custom_attributes | row.custom_attributes,
            "anonymized": False,
        }
    )
