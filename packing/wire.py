"""Pack jobs in the wire format."""

from fulfillment.core.api.assigned import assigned_user, named_users, represent_assigned
from fulfillment.core.api.recording import attribute_updates, recordable_attribute, represent_attributes
from fulfillment.core.api.schema import (
    Choice,
    Integer,
    List,
    Number,
    Object,
    Text,
    anything,
    boolean,
    free,
    moment,
)
from fulfillment.core.api.search import page_info
from orders.wire import MOST_UNITS, short, tag, text, versioned
from orders.wire import address as consumer_address
from picking.wire import (
    editor,
    line_article,
    raw_address,
    represent_job_parts,
    represent_line_parts,
    unavailable,
    units,
    version,
)

from .models import PackJob

channel = Text(choices=["COLLECT", "SHIPPING"])

# What is read

loose_address = Object(optional=consumer_address.parts)
pack_line = Object(
    {"id": short, "article": line_article, "quantity": Integer(1), "packed": units},
    {
        "customAttributes": free,
        "globalLineItemId": short,
        "measurementUnitKey": short,
        "originId": short,
        "recordableAttributes": List(recordable_attribute),
        "scannableCodes": List(short),
        "tags": List(tag),
    },
    name="PackLineItem",
)
pack_job = Object(
    {
        "id": short,
        **version,
        "status": Text(choices=PackJob.Status.values),
        "facilityRef": short,
        "lineItems": List(pack_line),
        "processId": short,
        "documentsRef": short,
        "workflowInformation": unavailable,
    },
    {
        **versioned,
        "anonymized": boolean,
        "assignedUsers": List(assigned_user),
        "customAttributes": free,
        "deliveryChannel": channel,
        "editor": editor,
        "invoice": loose_address,
        "orderDate": moment,
        "orderRef": short,
        "pickJobRef": short,
        "recipient": loose_address,
        "recipientName": text,
        "shortId": short,
        "tags": List(tag),
        "targetTime": moment,
        "tenantOrderId": short,
    },
    name="PackJob",
)
pack_jobs = Object({"packJobs": List(pack_job), "total": Integer(0)}, name="PackJobs")
pack_job_page = Object(
    {"packJobs": List(pack_job), "pageInfo": page_info}, {"total": Integer(0)}, name="PackJobPaginatedResult"
)
container_line = Object(
    {"id": short, "article": line_article, "quantity": Integer(1)},
    {"originId": short, "globalLineItemId": short, "recordableAttributes": List(recordable_attribute)},
    name="PackingTargetContainerLineItem",
)
dimensions = Object(optional=dict.fromkeys(["weightInG", "lengthInCm", "widthInCm", "heightInCm"], Number(0)))
container = Object(
    {"id": short, **version, "codes": List(short), "lineItems": List(container_line), "packJobRef": short},
    {
        "dimensions": dimensions,
        "facilityRef": short,
        "name": short,
        "packingContainerTypeRef": short,
        "sequenceNumber": Integer(0, 10_000),
        "storageLocationRef": short,
        "shortId": short,
        "weightLimitInG": Integer(1),
        "type": Text(choices=["PHYSICAL", "VIRTUAL"]),
    },
    name="PackingTargetContainer",
)
containers = Object(
    {"packingTargetContainers": List(container), "total": Integer(0)}, name="PackingTargetContainers"
)

# What is sent

pack_job_for_creation = Object(
    {"facilityRef": short, "lineItems": List(free)},
    {
        "assignedUsers": List(free),
        "customAttributes": free,
        "deliveryChannel": channel,
        "invoice": free,
        "operativeProcessRef": short,
        "orderDate": moment,
        "orderRef": short,
        "pickJobRef": short,
        "processId": short,
        "recipient": free,
        "recipientName": text,
        "shortId": short,
        "status": Text(choices=PackJob.Status.values),
        "tags": List(tag, least=1),
        "targetTime": moment,
        "tenantOrderId": short,
        "transfers": List(free),
        "workflowInformation": free,
    },
    closed=True,
    name="PackJobForCreation",
)

container_line_for_creation = Object(
    optional={
        "article": free,
        "globalLineItemId": short,
        "id": short,
        "originId": short,
        "quantity": Integer(1, MOST_UNITS),
        **dict.fromkeys(
            ("customAttributes", "recordableAttributes", "scannableCodes", "stickers", "tags"), anything
        ),
        **dict.fromkeys(("measurementUnitKey", "secondaryMeasurementUnitKey", "secondaryQuantity"), anything),
    },
    name="PackingTargetContainerLineItemForCreation",
)
container_for_creation = Object(
    optional={
        "codes": List(short, most=1),
        "lineItems": List(container_line_for_creation, most=500),
        "operativeContainerTypeRef": short,
        "packingContainerTypeRef": short,
        "sequenceNumber": Integer(0, 10_000),
        "storageLocationRef": short,
    },
    name="PackingTargetContainerForCreation",
)


def _named(key, name, required=None, optional=None, *, closed=True):
    """One option of a ``Choice``."""
    return Object({key: Text(choices=[name]), **(required or {})}, optional, closed=closed)


# Which statuses a pack job gets by something else, and by what.
STATUS_INSTEAD = {
    "OPEN": "A job that was begun is put aside: set PAUSED.",
    "CANCELED": "A pack job is cancelled with its order: CANCEL that.",
    "OBSOLETE": "A pack job becomes obsolete when its goods are picked again: RESET or RESTART its pick job.",
}
packed_units = Object({"id": short, "packed": Integer(0, MOST_UNITS)}, name="PackLineItemForUpdate")
patch = Object(
    {
        **version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyPackJob": _named(
                        "action",
                        "ModifyPackJob",
                        optional={
                            "customAttributes": free,
                            "status": Text(choices=PackJob.Status.values),
                        },
                    ),
                    "ModifyPackLineItem": _named(
                        "action",
                        "ModifyPackLineItem",
                        {"id": short},
                        {"packed": Integer(0, MOST_UNITS)},
                    ),
                    "PausePackJob": _named(
                        "action", "PausePackJob", optional={"packLineItemsUpdate": List(packed_units)}
                    ),
                },
            ),
            least=1,
        ),
    },
    name="PackJobPatchActions",
)
split_info = Object(
    {"lineItemId": short, "quantity": Integer(1, MOST_UNITS)},
    {"packed": Integer(0, MOST_UNITS)},
    closed=True,
    name="PackJobSplitLineItemsInfo",
)
RECORD = "UPDATE_PACK_LINE_ITEM_RECORDABLE_ATTRIBUTES"
MOVES = ("MOVE_EACHES_TO_PACKING_SOURCE_CONTAINER", "MOVE_EACHES_TO_PACKING_TARGET_CONTAINER")
move_from = Object(
    {
        "containerId": short,
        "containerVersion": Integer(0),
        "globalLineItemId": short,
        "quantity": Integer(1, MOST_UNITS),
    },
    {"secondaryQuantity": Integer(0)},
    closed=True,
)
move_to = Object(
    optional={
        "codes": List(short, most=1),
        "containerId": short,
        "containerVersion": Integer(0),
        "operativeContainerTypeRef": short,
    },
    closed=True,
)
actions = Choice(
    "name",
    {
        "REPLACE_ASSIGNED_USERS": _named("name", "REPLACE_ASSIGNED_USERS", {**version, **named_users}),
        "ADD_TARGET_TIME": _named("name", "ADD_TARGET_TIME", {**version, "targetTime": moment}),
        **{
            name: _named(
                "name", name, {"move": Object({"from": List(move_from, least=1, most=500), "to": move_to})}
            )
            for name in MOVES
        },
        "SPLIT_LINES_PACK_JOB": _named(
            "name",
            "SPLIT_LINES_PACK_JOB",
            {**version, "splitLineItemsInfo": List(split_info, most=500, least=1)},
        ),
        RECORD: _named("name", RECORD, {**version, **attribute_updates}),
    },
)

CONTAINER_RECORD = "UpdatePackingTargetContainerLineItemRecordableAttributes"
PUT_AT = "UpdatePackingTargetContainerStorageLocation"
container_patch = Object(
    {
        **version,
        "actions": List(
            Choice(
                "action",
                {
                    "ReplaceCodesInPackingTargetContainer": _named(
                        "action",
                        "ReplaceCodesInPackingTargetContainer",
                        {"codes": List(short, least=1, most=1)},
                    ),
                    "AddLineItemToPackingTargetContainer": _named(
                        "action",
                        "AddLineItemToPackingTargetContainer",
                        {"lineItem": container_line_for_creation},
                    ),
                    "RemoveLineItemFromPackingTargetContainer": _named(
                        "action", "RemoveLineItemFromPackingTargetContainer", {"lineItemRef": short}
                    ),
                    "UpdateLineItemOnPackingTargetContainer": _named(
                        "action",
                        "UpdateLineItemOnPackingTargetContainer",
                        {"lineItem": container_line_for_creation},
                    ),
                    CONTAINER_RECORD: _named("action", CONTAINER_RECORD, attribute_updates),
                    PUT_AT: _named("action", PUT_AT, {**version, "storageLocationRef": short}),
                },
            ),
            least=1,
        ),
    },
    name="PackingTargetContainerPatchActions",
)


def represent(job):
    """A pack job as ``PackJob``. Loaded by ``PackJobQuerySet.for_api``."""
    order = job.order
    addresses = {
        "recipient": raw_address(order, "PARCEL_LOCKER", "POSTAL_ADDRESS", "INVOICE_ADDRESS"),
        "invoice": raw_address(order, "INVOICE_ADDRESS", "POSTAL_ADDRESS"),
    }
    return {
        **represent_job_parts(job),
        "deliveryChannel": job.kind,
        "assignedUsers": represent_assigned(job),
        "pickJobRef": str(job.pick_job_id),
        "recipientName": order.recipient_name,
        **{name: address for name, address in addresses.items() if address},
        "lineItems": [
            {
                **represent_line_parts(line),
                "originId": str(line.pick_line_id),
                "packed": line.packed,
                **represent_attributes(line.recordable_attributes),
            }
            for line in job.lines.all()
        ],
    }


def represent_container(package):
    """A package as ``PackingTargetContainer``; its version is that of its job."""
    sizes = {
        "weightInG": package.weight_g,
        "lengthInCm": package.length_mm and package.length_mm / 10,
        "widthInCm": package.width_mm and package.width_mm / 10,
        "heightInCm": package.height_mm and package.height_mm / 10,
    }
    return {
        "id": str(package.pk),
        "version": package.job.version,
        "codes": [package.code],
        "dimensions": {name: size for name, size in sizes.items() if size is not None},
        **(
            {
                "name": package.box_type.name,
                "packingContainerTypeRef": str(package.box_type_id),
                "weightLimitInG": package.box_type.most_g,
            }
            if package.box_type
            else {}
        ),
        **({"storageLocationRef": str(package.location_id)} if package.location_id else {}),
        "facilityRef": str(package.job.facility_id),
        "packJobRef": str(package.job_id),
        "sequenceNumber": package.number,
        "shortId": package.job.short_id,
        "type": "PHYSICAL",
        "lineItems": [
            {
                **represent_line_parts(item.line),
                "originId": str(item.line.pick_line_id),
                "quantity": item.quantity,
                **represent_attributes(item.line.recordable_attributes),
            }
            for item in package.items.all()
        ],
    }
