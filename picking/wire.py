"""Pick jobs in the wire format."""

from django.utils.translation import override

from fulfillment.core.api.assigned import assigned_user, named_users, represent_assigned
from fulfillment.core.api.facility_wire import picking_methods, represent_picking_methods
from fulfillment.core.api.recording import attribute_updates, recordable_attribute, represent_attributes
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


substitute_line = Object(
    {"id": short, "article": line_article, "quantity": Integer(1)},
    {"picked": units},
    name="SubstituteLineItem",
)
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
        "recordableAttributes": List(recordable_attribute),
        "scannableCodes": List(short),
        "shortPickReason": short_pick_reason,
        "substituteLineItems": List(substitute_line),
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
        "assignedUsers": List(assigned_user),
        "customAttributes": free,
        "editor": editor,
        "orderRef": short,
        "pickRunRef": short,
        "preferredPickingMethods": picking_methods,
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

# What is sent


def named(key, name, required=None, optional=None, *, closed=True):
    """One option of a ``Choice``."""
    return Object({key: Text(choices=[name]), **(required or {})}, optional, closed=closed)


# Parts of the wire format without a mechanism here: they are read, and refused with what says it in their place.
LINE_PARTS_NOT_OFFERED = {
    "customAttributes": "Those of a line are the order's: change them there.",
    "partialStockLocations": "Units are taken from the places of the line in their order.",
    "secondaryPicked": "A line is counted in its units.",
    "stickers": "Tags of the order say it.",
    "stockEmptied": "Report what is missing: the facility says whether that empties the place.",
    "substituteLineItems": "Substitutes are picked on the pick screen, where they are proposed.",
}
line_count = {
    "picked": units,
    "pickedAt": moment,
    "scannedCodes": List(Object({"code": short, "quantity": units}), most=50),
    **dict.fromkeys(LINE_PARTS_NOT_OFFERED, anything),
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
                    "ModifyPickJob": named(
                        "action",
                        "ModifyPickJob",
                        optional={
                            "status": Text(choices=SETTABLE),
                            "customAttributes": free,
                            "paymentInformation": free,
                            "preferredPickingMethods": picking_methods,
                        },
                        closed=False,
                    ),
                    "ModifyPickLineItem": named(
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
                        name: named("action", name, closed=False)
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
split_info = Object(
    {"lineItemId": short, "picked": units, "quantity": Integer(1, MOST_UNITS)}, name="SplitLineItemsInfo"
)
splits = {"splitLineItemsInfo": List(split_info, most=MOST_COUNTS, least=1)}
actions = Choice(
    "name",
    {
        **{
            name: named("name", name, version)
            for name in ("START", "PAUSE", "CLOSE", "RESET", "RESTART", "ABORT", "CANCEL", "OBSOLETE")
        },
        "PICK": named("name", "PICK", {**version, "lineItems": List(line_update, most=MOST_COUNTS, least=1)}),
        "MODIFY_PICK_JOB_LINE_ITEMS": named(
            "name",
            "MODIFY_PICK_JOB_LINE_ITEMS",
            {**version, "pickJobLineItemUpdates": List(line_update_with_status, least=1)},
        ),
        "ADD_TARGET_TIME": named("name", "ADD_TARGET_TIME", {**version, "targetTime": moment}),
        "SPLIT_LINE_ITEMS_PICK_JOB": named("name", "SPLIT_LINE_ITEMS_PICK_JOB", {**version, **splits}),
        "MERGE_LINE_ITEMS_PICK_JOB": named(
            "name",
            "MERGE_LINE_ITEMS_PICK_JOB",
            {**version, "lineItemIds": List(short, most=MOST_COUNTS, least=1)},
        ),
        "REPLACE_ASSIGNED_USERS": named("name", "REPLACE_ASSIGNED_USERS", {**version, **named_users}),
        "UPDATE_PICK_LINE_ITEM_RECORDABLE_ATTRIBUTES": named(
            "name",
            "UPDATE_PICK_LINE_ITEM_RECORDABLE_ATTRIBUTES",
            {**version, **attribute_updates},
        ),
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
            **(sent.get("article", {}) if line.sku == line.order_line.sku else {}),
            "tenantArticleId": line.sku,
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


def represent_line(line, job, substitutes=()):
    """A line as ``PickLineItem``, with what was taken instead of some of its units."""
    is_begun = job.status == PickJob.Status.IN_PROGRESS and line.status == PickLine.Status.OPEN
    return {
        **represent_line_parts(line),
        "quantity": line.quantity + sum(other.quantity for other in substitutes),
        "picked": line.picked,
        **represent_attributes(line.recordables),
        "status": PickLine.Status.IN_PROGRESS if is_begun else line.status,
        **({"substituteLineItems": [_substitute(other) for other in substitutes]} if substitutes else {}),
        **({"shortPickReason": _localized(line.short_reason)} if line.short_reason else {}),
    }


def _substitute(line):
    return {
        "id": str(line.pk),
        "article": {"tenantArticleId": line.sku, "title": line.title},
        "quantity": line.quantity,
        "picked": line.picked,
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
    lines = job.lines.all()
    return {
        **represent_job_parts(job),
        "routingPlanRef": str(job.plan_id),
        "deliveryinformation": _delivery(job),
        "pickLineItems": [
            represent_line(
                line, job, [other for other in lines if other.replaces_id == line.pk and other.quantity]
            )
            for line in lines
            if not line.replaces_id
        ],
        "assignedUsers": represent_assigned(job),
        **({"subStatus": job.sub_status} if job.sub_status else {}),
        **({"pickRunRef": str(run)} if (run := _run_of(job)) else {}),
        **(
            {"preferredPickingMethods": represent_picking_methods(job.picking_methods)}
            if job.picking_methods
            else {}
        ),
    }


def _run_of(job):
    return next((line.run_id for line in job.lines.all() if line.run_id), None)


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
