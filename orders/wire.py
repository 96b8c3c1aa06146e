"""Orders in the wire format: what a shop may send, and what it reads."""

import datetime

from django.utils import timezone

from fulfillment.core.api.schema import (
    Choice,
    Integer,
    List,
    Map,
    Number,
    Object,
    Text,
    boolean,
    country,
    email,
    free,
    moment,
)
from fulfillment.core.api.search import Items, page_info
from orders.models import PROMISE, BulkImport, BulkResult

MOST_UNITS = 2**31 - 1

short, text = Text(255), Text()
words = Map(text)
money = Object({"currency": Text(3), "value": Number()}, {"decimalPlaces": Integer(0, 10)})
facility_reference = {"facilityRef": Text(200), "tenantFacilityId": Text(100)}
tag = Object({"id": short, "value": short})
sticker = Object(
    {"nameLocalized": words, "key": short, "priority": Integer(1, 10_000)},
    {"color": short, "name": short},
    closed=True,
)
attribute = Object(
    {"key": text, "value": text},
    {
        "valueLocalized": words,
        "keyLocalized": words,
        "category": Text(
            choices=[
                "descriptive",
                "miscellaneous",
                "pickingSequence",
                "customs",
                "insurance",
                "shop",
                "dimensions",
                "carrierService",
                "salesPrice",
                "basePrice",
                "tax",
                "discount",
                "surcharge",
                "subtotalBeforeDiscounts",
                "subtotalAfterDiscounts",
                "finalUnitPrice",
                "finalLineItemPrice",
            ]
        ),
        "context": Object(
            {"type": Text(choices=["FACILITY_GROUP", "FACILITY", "TAG_REFERENCE"]), "value": text}
        ),
        "priority": Integer(1, 1001),
        "type": Text(choices=["STRING", "NUMBER", "CURRENCY", "BOOLEAN"]),
    },
)
article = Object(
    {"tenantArticleId": short, "title": Text(500)},
    {
        "titleLocalized": words,
        "customAttributes": free,
        "imageUrl": Text(2000),
        "weight": Number(0),
        "attributes": List(attribute),
    },
)
measurement = Object(
    optional={
        "overPickHardTolerancePercentage": Number(0),
        "overPickSoftTolerancePercentage": Number(0),
        "shortPickHardTolerancePercentage": Number(0, 100),
        "shortPickSoftTolerancePercentage": Number(0, 100),
    }
)
units = {
    "measurementUnitKey": short,
    "measurementValidation": measurement,
    "scannableCodes": List(short),
    "secondaryMeasurementUnitKey": short,
}
line_parts = {"article": article, "quantity": Integer(1, MOST_UNITS)}
line_options = {
    **units,
    "allowedSubstitutes": List(
        Object(
            {"tenantArticleId": short, "title": Text(500)},
            {
                **units,
                "attributes": List(attribute, most=40),
                "imageUrl": Text(2000),
                "priority": Number(0),
            },
        )
    ),
    "customAttributes": free,
    "secondaryQuantity": Integer(0, MOST_UNITS),
    "shopPrice": Number(),
    "tags": List(tag),
}
line = Object(line_parts, line_options, closed=True, name="OrderLineItemForCreation")
address = Object(
    {"street": Text(500), "postalCode": short, "city": short, "country": country},
    {
        "additionalAddressInfo": Text(500),
        "addressType": Text(choices=["POSTAL_ADDRESS", "PARCEL_LOCKER", "INVOICE_ADDRESS"]),
        "companyName": Text(500),
        "coordinates": Object({"lat": Number(-90, 90), "lon": Number(-180, 180)}),
        "customAttributes": free,
        "email": email,
        "firstName": Text(500),
        "houseNumber": short,
        "lastName": Text(500),
        "personalTitle": short,
        "phoneNumbers": List(
            Object(
                {"type": Text(choices=["MOBILE", "PHONE"])},
                {"value": short, "customAttributes": free, "label": short},
            )
        ),
        "province": short,
        "salutation": short,
    },
)
consumer = Object(
    optional={
        "addresses": List(address),
        "consumerId": short,
        "customAttributes": free,
        "email": email,
        "facilityRef": short,
        "tenantFacilityId": short,
    }
)
custom_service = {
    "articleItems": List(Object({"quantity": Number(1), "tenantArticleRef": short}, closed=True)),
    "customServiceDefinition": Object(
        optional={
            "additionalInformation": List(
                Object({"additionalInformationRef": short}, {"tenantAdditionalInformationId": short})
            ),
            "customAttributes": free,
            "customServiceRef": short,
            "isBundled": boolean,
            "tenantCustomServiceId": short,
        }
    ),
    "customServiceItems": List(free),
}
preferences = Object(
    optional={
        "collect": List(
            Object(
                optional={
                    **facility_reference,
                    "paid": boolean,
                    "provisioningTime": moment,
                    "supplyingFacilities": List(short),
                    "supplyingFacilitiesConfigurations": List(free),
                },
                one_of=list(facility_reference),
            ),
            most=1,
        ),
        "estimatedDeliveryDate": moment,
        "reservationPreferences": Object(
            {"mode": Text(choices=["SCHEDULED", "ASAP", "ALAP"])}, {"reservationTime": moment}
        ),
        "shipping": Object(
            optional={
                "carrierProductCategory": Text(choices=["STANDARD", "EXPRESS", "VALUE", "FORWARDING"]),
                "desiredDeliveryTime": moment,
                "labelNotBefore": moment,
                "preferredCarriers": List(short),
                "preferredCarriersWithProduct": List(
                    Object(
                        {"carrierKey": short},
                        {"carrierProduct": short, "carrierServices": List(short)},
                        closed=True,
                    )
                ),
                "preselectedFacilities": List(
                    Object(optional=facility_reference, one_of=list(facility_reference))
                ),
                "serviceLevel": Text(choices=["DELIVERY", "SAMEDAY"]),
            }
        ),
        "sourcingOptionRefs": List(short),
        "supplyingFacilities": List(short),
        "targetTime": moment,
    },
    closed=True,
)


def _creation_rule(data, prefix, errors):
    options = data.get("promisesOptions")
    if data.get("status") == "PROMISED":
        if options is None:
            errors.append((f"{prefix}promisesOptions", "is required for a promised order"))
            return
        ahead = datetime.datetime.fromisoformat(options["validUntil"].upper()) - timezone.now()
        if not PROMISE[0] <= ahead <= PROMISE[1]:
            errors.append((f"{prefix}promisesOptions.validUntil", "must be 1 minute to 8 hours ahead"))


pricing = Object(
    optional={
        "discounts": List(
            Object(
                optional={
                    "nameLocalized": words,
                    "code": short,
                    "context": short,
                    "name": short,
                    "percentage": Number(),
                    "tenantDiscountId": short,
                    "type": Text(choices=["ABSOLUTE", "PERCENTAGE"]),
                    "value": money,
                }
            ),
            most=100,
        ),
        "fees": List(Object(optional={"name": short, "value": money}), most=100),
        "taxes": List(
            Object(
                {"value": money},
                {"ratePercent": Number(), "scope": short, "taxableValue": money, "type": short},
            ),
            most=100,
        ),
    }
)
order_options = {
    "customAttributes": free,
    "customServices": List(Object(custom_service, closed=True), least=1),
    "deliveryPreferences": preferences,
    "paymentInfo": Object(optional={"methodLocalized": words, "currency": short}, closed=True),
    "pricing": pricing,
    "promisesOptions": Object({"validUntil": moment}, closed=True),
    "source": Object(
        optional={"sourceRef": short, "tenantSourceId": short},
        closed=True,
        one_of=["sourceRef", "tenantSourceId"],
    ),
    "status": Text(choices=["OPEN", "LOCKED", "PROMISED"]),
    "statusReasons": List(
        Object(
            {
                "reason": text,
                "status": Text(choices=["OPEN", "CANCELLED", "PROMISED", "LOCKED", "OBSOLETE"]),
            }
        )
    ),
    "stickers": List(sticker, most=100, least=1),
    "tags": List(tag, least=1),
    "tenantOrderId": short,
}
order_for_creation = Object(
    {"consumer": consumer, "orderDate": moment, "orderLineItems": List(line, least=1)},
    order_options,
    closed=True,
    rule=_creation_rule,
    name="OrderForCreation",
)
known_version = {"version": Integer(0)}


def _line_rule(data, prefix, errors):
    for name in ("article", "quantity"):
        if "id" not in data and name not in data:
            errors.append((f"{prefix}{name}", "is required for a new line"))
    if "id" not in data and data.get("quantity") == 0:
        errors.append((f"{prefix}quantity", "must be at least 1"))


order_for_update = Object(
    known_version,
    {
        "comment": Text(300),
        "consumer": consumer,
        "customAttributes": free,
        "orderLineItems": List(
            Object(
                optional={"id": Text(64), "article": article, "quantity": Integer(0, MOST_UNITS)},
                rule=_line_rule,
            )
        ),
        "preferredHandlingTime": moment,
        "pricing": pricing,
    },
    closed=True,
    name="OrderForUpdate",
)


def _action(name, required=None, optional=None):
    part = Text(choices=[name])
    words = "".join(word.capitalize() for word in name.split("_"))
    return Object({"name": part, **known_version, **(required or {})}, optional, name=f"Order{words}Action")


cancelling = {"cancelationReasonId": short, "reason": Text(300)}
order_action = Choice(
    "name",
    {
        "UNLOCK": _action("UNLOCK", optional={"targetTime": moment}),
        "CANCEL": _action("CANCEL", optional=cancelling),
        "FORCE_CANCEL": _action("FORCE_CANCEL", optional=cancelling),
        "CONFIRM_PROMISE": _action("CONFIRM_PROMISE", optional={"tenantOrderId": short}),
        "EXTEND_PROMISE": _action("EXTEND_PROMISE", optional={"validUntil": moment}),
        "CHANGE_CONSUMER_ADDRESS": _action(
            "CHANGE_CONSUMER_ADDRESS",
            {
                "addressType": Text(choices=["POSTAL_ADDRESS", "PARCEL_LOCKER", "INVOICE_ADDRESS"]),
                "consumerAddress": address,
            },
        ),
        "REPLACE_CONSUMER_ADDRESSES": _action(
            "REPLACE_CONSUMER_ADDRESSES", {"consumerAddresses": List(address)}
        ),
    },
)
versioned = {"created": moment, "lastModified": moment}
order = Object(
    {
        "id": short,
        "version": Integer(1),
        "status": Text(choices=["OPEN", "LOCKED", "PROMISED", "CANCELLED", "OBSOLETE"]),
        "orderDate": moment,
        "processId": short,
        "consumer": consumer,
        "orderLineItems": List(Object({**line_parts, "id": short}, line_options)),
        "workflowInformation": Object({"isAvailable": boolean}),
    },
    {
        **versioned,
        **{name: part for name, part in order_options.items() if name != "status"},
        "anonymized": boolean,
    },
    name="Order",
)
stripped_order = Object(
    {"id": short, "version": Integer(1), "status": short, "orderDate": moment},
    {
        **versioned,
        "processRef": short,
        "orderLineItems": List(Object({"title": text, "quantity": Integer(1)})),
        "stickers": List(sticker),
    },
    name="StrippedOrder",
)
stripped_orders = Object({"orders": List(stripped_order), "total": Integer(0)}, name="StrippedOrders")
order_page = Object(
    {"orders": List(order), "pageInfo": page_info}, {"total": Integer(0)}, name="OrderPaginatedResult"
)
bulk_error = Object({"summary": text, "description": text})
bulk_result = Object(
    {"row": Integer(1), "result": Text(choices=BulkResult.Outcome.values)},
    {"orderRef": short, "tenantOrderId": short, "errors": List(bulk_error)},
    name="OrderBulkResult",
)
bulk_import = Object(
    {
        "id": short,
        "status": Text(choices=BulkImport.Status.values),
        "dryRun": boolean,
        "created": moment,
        "total": Integer(1),
        "done": Integer(0),
        "counts": Map(Integer(0)),
        "results": List(bulk_result, most=1000),
    },
    {"finished": moment},
    name="OrderBulk",
)


def addresses_of(*kinds, path="order__consumer"):
    """The addresses of the consumer of these types ("" is one without a type), as a search looks into them."""
    names = ("companyName", "email", "firstName", "lastName")
    return Items(path, names, within="addresses", is_a=(("addressType", kinds),))


def time(value):
    """RFC 3339 in UTC."""
    return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def represent(order, lines):
    """An order as ``Order`` of the wire format."""
    body = {
        **order.extra,
        "id": str(order.pk),
        "version": order.version,
        "created": time(order.created_at),
        "lastModified": time(order.modified_at),
        "status": order.status,
        "orderDate": time(order.order_date),
        "processId": str(order.process_id),
        "consumer": order.consumer,
        "orderLineItems": [{**item.wire, "id": str(item.pk)} for item in lines],
        "customAttributes": order.custom_attributes,
        "anonymized": False,
        "workflowInformation": {"isAvailable": False},
    }
    if order.tenant_order_id is not None:
        body["tenantOrderId"] = order.tenant_order_id
    if order.delivery_preferences:
        body["deliveryPreferences"] = order.delivery_preferences
    if order.tags:
        body["tags"] = order.tags
    return body


def represent_stripped(order):
    """An order as ``StrippedOrder``, for lists. Reads ``order.lines``."""
    body = {
        "id": str(order.pk),
        "version": order.version,
        "created": time(order.created_at),
        "lastModified": time(order.modified_at),
        "status": order.status,
        "orderDate": time(order.order_date),
        "processRef": str(order.process_id),
        "orderLineItems": [{"title": item.title, "quantity": item.quantity} for item in order.lines.all()],
    }
    if stickers := order.extra.get("stickers"):
        body["stickers"] = stickers
    return body


def represent_bulk(bulk, results):
    """A bulk import with some of its results."""
    body = {
        "id": str(bulk.pk),
        "status": bulk.status,
        "dryRun": bulk.is_dry_run,
        "created": time(bulk.created_at),
        "total": bulk.total,
        "done": bulk.position,
        "counts": {outcome: bulk.counts.get(outcome, 0) for outcome in BulkResult.Outcome.values},
        "results": [_represent_result(result) for result in results],
    }
    if bulk.finished_at is not None:
        body["finished"] = time(bulk.finished_at)
    return body


def _represent_result(result):
    body = {"row": result.number, "result": result.outcome}
    if result.order_id is not None:
        body["orderRef"] = str(result.order_id)
    if result.tenant_order_id:
        body["tenantOrderId"] = result.tenant_order_id
    if result.errors:
        body["errors"] = result.errors
    return body
