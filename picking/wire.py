"""Pick jobs in the wire format."""

from django.utils.translation import override

from fulfillment.core.api.schema import (
    Choice,
    Integer,
    List,
    Map,
    Object,
    Text,
    anything,
    boolean,
    free,
    moment,
)
from fulfillment.core.api.search import page_info
from orders.wire import MOST_UNITS, short, tag, text, time, versioned, words

from .models import PickJob, PickLine, ShortReason

LANGUAGES = {"en": "en_US", "de": "de_DE"}
MOST_COUNTS = 100

version = {"version": Integer(0)}
unavailable = Object({"isAvailable": boolean})
units = Integer(0, MOST_UNITS)
short_pick_reason = Object({"reasonLocalized": words}, {"reason": text})
line_article = Object({"tenantArticleId": short, "title": text})

# What is read


pick_line = Object(
    {
        "id": short,
        "article": line_article,
        "quantity": Integer(1),
        "picked": units,
        "status": Text(choices=PickLine.Status.values),
    },
    {
        "customAttributes": free,
        "globalLineItemId": short,
        "measurementUnitKey": short,
        "scannableCodes": List(short),
        "shortPickReason": short_pick_reason,
        "tags": List(tag),
    },
    name="PickLineItem",
)
delivery_information = Object(
    {"channel": Text(choices=["COLLECT", "SHIPPING"])},
    {
        "details": Object(optional={"collect": free, "shipping": free}),
        "targetTime": moment,
    },
    name="PickjobDeliveryInformation",
)
editor = Object({"username": short}, {"userId": short}, name="Editor")
pick_job = Object(
    {
        "id": short,
        **version,
        "status": Text(choices=PickJob.Status.values),
        "facilityRef": short,
        "shortId": short,
        "orderDate": moment,
        "pickLineItems": List(pick_line),
        "deliveryinformation": delivery_information,
        "documentsRef": short,
        "workflowInformation": unavailable,
    },
    {
        **versioned,
        "anonymized": boolean,
        "customAttributes": free,
        "editor": editor,
        "orderRef": short,
        "processId": short,
        "routingPlanRef": short,
        "subStatus": short,
        "tags": List(tag),
        "tenantOrderId": short,
    },
    name="PickJob",
)
stripped_pick_job = Object(
    {"id": short, **version, "status": Text(choices=PickJob.Status.values)},
    {**versioned, "facilityRef": short, "orderRef": short, "targetTime": moment},
    name="StrippedPickJob",
)
stripped_pick_jobs = Object(
    {"pickjobs": List(stripped_pick_job), "total": Integer(0)}, name="StrippedPickJobs"
)
pick_job_page = Object(
    {"pickJobs": List(pick_job), "pageInfo": page_info}, {"total": Integer(0)}, name="PickJobPaginatedResult"
)
load_units = Object({"loadUnits": List(free), "total": Integer(0)}, name="LoadUnits")

# What is sent


def _named(key, name, required=None, optional=None, *, closed=True):
    """One option of a ``Choice``."""
    return Object({key: Text(choices=[name]), **(required or {})}, optional, closed=closed)


# Parts of the wire format without a mechanism here: they are read, and refused when they ask for something.
UNSUPPORTED_LINE_PARTS = (
    "customAttributes",
    "partialStockLocations",
    "secondaryPicked",
    "stickers",
    "stockEmptied",
    "substituteLineItems",
)
line_count = {
    "picked": units,
    "pickedAt": moment,
    "scannedCodes": List(Object({"code": short, "quantity": units}), most=50),
    **dict.fromkeys(UNSUPPORTED_LINE_PARTS, anything),
}
localized_reason = Object(optional={"reasonLocalized": words})
line_update = Object(
    {"id": short},
    {**line_count, "shortPickReason": localized_reason},
    closed=True,
    name="PickPickJobPickLineItemUpdate",
)
line_update_with_status = Object(
    {"id": short},
    {**line_count, "shortPickReason": localized_reason, "status": Text(choices=PickLine.Status.values)},
    closed=True,
    name="PickLineItemUpdate",
)
SETTABLE = [
    "OPEN",
    "IN_PROGRESS",
    "CLOSED",
    "PICKED",
    "REROUTED",
    "REJECTED",
    "RESTOWED",
    "EXPIRED",
    "PAUSED",
    "WAITING_FOR_INPUT",
]
patch = Object(
    {
        **version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyPickJob": _named(
                        "action",
                        "ModifyPickJob",
                        optional={
                            "status": Text(choices=SETTABLE),
                            "customAttributes": free,
                            "paymentInformation": free,
                            "preferredPickingMethods": List(short),
                        },
                        closed=False,
                    ),
                    "ModifyPickLineItem": _named(
                        "action",
                        "ModifyPickLineItem",
                        {"id": short},
                        {
                            **line_count,
                            "status": Text(choices=PickLine.Status.values),
                            "shortPickReasonLocalized": Map(text),
                        },
                        closed=False,
                    ),
                    **{
                        name: _named("action", name, closed=False)
                        for name in (
                            "ModifyPickJobLastEditor",
                            "RestartPickJob",
                            "ResetPickJob",
                            "AbortPickJob",
                        )
                    },
                },
            ),
            least=1,
        ),
    },
    name="PickingPatchActions",
)
UNSUPPORTED_ACTIONS = (
    "REPLACE_ASSIGNED_USERS",
    "SPLIT_LINE_ITEMS_PICK_JOB",
    "MERGE_LINE_ITEMS_PICK_JOB",
    "UPDATE_PICK_LINE_ITEM_RECORDABLE_ATTRIBUTES",
)
actions = Choice(
    "name",
    {
        **{
            name: _named("name", name, version)
            for name in ("START", "PAUSE", "CLOSE", "RESET", "RESTART", "ABORT", "CANCEL", "OBSOLETE")
        },
        "PICK": _named(
            "name", "PICK", {**version, "lineItems": List(line_update, most=MOST_COUNTS, least=1)}
        ),
        "MODIFY_PICK_JOB_LINE_ITEMS": _named(
            "name",
            "MODIFY_PICK_JOB_LINE_ITEMS",
            {**version, "pickJobLineItemUpdates": List(line_update_with_status, least=1)},
        ),
        "ADD_TARGET_TIME": _named("name", "ADD_TARGET_TIME", {**version, "targetTime": moment}),
        **{name: _named("name", name, version, closed=False) for name in UNSUPPORTED_ACTIONS},
    },
)


def reason_of(localized):
    """The ``ShortReason`` that words of a client stand for: OTHER when they are none of ours."""
    said = {str(word).strip().casefold() for word in localized.values()}
    for language in LANGUAGES:
        with override(language):
            for reason in ShortReason:
                if said & {reason.value.casefold(), str(reason.label).casefold()}:
                    return reason
    return ShortReason.OTHER


def _localized(reason):
    words_of = {}
    for language, locale in LANGUAGES.items():
        with override(language):
            words_of[locale] = str(ShortReason(reason).label)
    return {"reason": reason, "reasonLocalized": words_of}


def raw_address(order, *types):
    """The first address of these types as the shop sent it, else its first one, else None."""
    addresses = order.consumer.get("addresses", [])
    found = (
        address
        for wanted in types
        for address in addresses
        if address.get("addressType", "POSTAL_ADDRESS") == wanted
    )
    return next(found, addresses[0] if addresses else None)


def _delivery(job):
    order = job.order
    if job.kind == "COLLECT":
        details = {"collect": {"identifier": job.short_id, "paid": order.is_paid}}
    else:
        addresses = {
            "recipientaddress": raw_address(order, "PARCEL_LOCKER", "POSTAL_ADDRESS", "INVOICE_ADDRESS"),
            "invoiceAddress": raw_address(order, "INVOICE_ADDRESS", "POSTAL_ADDRESS"),
            "postalAddress": raw_address(order, "POSTAL_ADDRESS", "INVOICE_ADDRESS"),
        }
        details = {
            "shipping": {
                "identifier": job.short_id,
                "serviceLevel": order.service_level,
                **{name: address for name, address in addresses.items() if address},
            }
        }
    target = {"targetTime": time(job.target_time)} if job.target_time else {}
    return {"channel": job.kind, "details": details, **target}


def represent_line_parts(line):
    """What pick lines and pack lines show of the line of their order."""
    sent = line.order_line.wire
    return {
        "id": str(line.pk),
        "globalLineItemId": str(line.order_line_id),
        "article": {
            **sent.get("article", {}),
            "tenantArticleId": line.order_line.sku,
            "title": line.title,
        },
        "quantity": line.quantity,
        "scannableCodes": line.order_line.scannable_codes,
        **{
            name: sent[name]
            for name in ("customAttributes", "measurementUnitKey", "tags")
            if sent.get(name) not in (None, "")
        },
    }


def _line(line, job):
    is_begun = job.status == PickJob.Status.IN_PROGRESS and line.status == PickLine.Status.OPEN
    return {
        **represent_line_parts(line),
        "picked": line.picked,
        "status": PickLine.Status.IN_PROGRESS if is_begun else line.status,
        **({"shortPickReason": _localized(line.short_reason)} if line.short_reason else {}),
    }


def represent_job_parts(job):
    """What pick jobs and pack jobs have in common."""
    return {
        "id": str(job.pk),
        "version": job.version,
        "created": time(job.created_at),
        "lastModified": time(job.modified_at),
        "status": job.status,
        "facilityRef": str(job.facility_id),
        "orderRef": str(job.order_id),
        "processId": str(job.order.process_id),
        "shortId": job.short_id,
        "orderDate": time(job.order.order_date),
        "documentsRef": str(job.order_id),  # documents hang on the order
        "customAttributes": job.custom_attributes,
        "anonymized": False,
        "workflowInformation": {"isAvailable": False},
        **({"tenantOrderId": job.order.tenant_order_id} if job.order.tenant_order_id else {}),
        **({"tags": job.tags} if job.tags else {}),
        **({"editor": {"userId": str(job.editor_id), "username": job.editor.email}} if job.editor else {}),
    }


def represent(job):
    """A pick job as ``PickJob``. Loaded by ``PickJobQuerySet.for_api``."""
    return {
        **represent_job_parts(job),
        "routingPlanRef": str(job.plan_id),
        "deliveryinformation": _delivery(job),
        "pickLineItems": [_line(line, job) for line in job.lines.all()],
        **({"subStatus": job.sub_status} if job.sub_status else {}),
    }


def represent_stripped(job):
    """A pick job as ``StrippedPickJob``, for lists."""
    return {
        "id": str(job.pk),
        "version": job.version,
        "created": time(job.created_at),
        "lastModified": time(job.modified_at),
        "status": job.status,
        "facilityRef": str(job.facility_id),
        "orderRef": str(job.order_id),
        **({"targetTime": time(job.target_time)} if job.target_time else {}),
    }
