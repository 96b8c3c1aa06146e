"""Facilities, listings and stock in the wire format: what programs send, and what they read."""

import datetime

from django.core.exceptions import ValidationError as BadValue

from ..attributes import RULES
from ..models import Facility
from ..models.facility import WEEKDAYS, PickingMethod
from .schema import Choice, Integer, List, Map, Number, Object, Text, boolean, country, free, moment
from .search import page_info

short, text = Text(255), Text()
words = Map(text)
named_words = Map(Text(200), least=1)
version = Integer(0, 2**31 - 1)
tag = Object({"id": short, "value": short})
MOST_UNITS = 1_000_000
TIME_ZONES = {
    "AT": "Europe/Vienna",
    "BE": "Europe/Brussels",
    "CH": "Europe/Zurich",
    "CZ": "Europe/Prague",
    "DE": "Europe/Berlin",
    "DK": "Europe/Copenhagen",
    "FR": "Europe/Paris",
    "GB": "Europe/London",
    "LU": "Europe/Luxembourg",
    "NL": "Europe/Amsterdam",
    "PL": "Europe/Warsaw",
}


def time(value):
    """RFC 3339 in UTC."""
    return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def without_empty(body):
    """A body without what is not known."""
    return {name: value for name, value in body.items() if value not in (None, "")}


# Facilities

clock = Object({"hour": Integer(0, 23), "minute": Integer(0, 59)})
span = Object({"start": clock, "end": clock}, {"capacity": Number(0)})
address_parts = {
    "street": Text(100),
    "postalCode": Text(20),
    "city": Text(100),
    "country": country,
    "companyName": Text(100),
}
address_options = {
    "houseNumber": Text(20),
    "additionalAddressInfo": short,
    "province": short,
    "customAttributes": free,
    "phoneNumbers": List(
        Object(
            {"type": Text(choices=["MOBILE", "PHONE"])},
            {"value": Text(40), "customAttributes": free, "label": short},
        )
    ),
    "emailAddresses": List(Object({"value": Text(254)}, {"recipient": short}), most=10),
    "resolvedCoordinates": Object({"lat": Number(-90, 90), "lon": Number(-180, 180)}),
    "resolvedTimeZone": Object({"timeZoneId": Text(50)}),
}
# As programs know them; zones are ours.
PICKING_METHODS = {
    "SINGLE_ORDER": PickingMethod.SINGLE_ORDER,
    "MULTI_ORDER": PickingMethod.MULTI_ORDER,
    "BATCH": PickingMethod.BATCH,
    "BATCH_PICKING": PickingMethod.BATCH,
}
picking_methods = List(Text(choices=PICKING_METHODS), most=10)
facility_options = {
    "capacityEnabled": boolean,
    "capacityPlanningTimeframe": Integer(1, 365),
    "closingDays": List(
        Object({"date": moment, "reason": Text(100), "recurrence": Text(choices=["YEARLY", "NONRECURRING"])})
    ),
    "contact": free,
    "customAttributes": free,
    "fulfillmentProcessBuffer": Integer(0, 100_000),
    "locationType": Text(choices=Facility.LocationType.values),
    "operativeCosts": List(free, most=1),
    "pickingMethods": picking_methods,
    "pickingTimes": Object(optional={day.lower(): List(span, most=24) for day in WEEKDAYS}, closed=True),
    "scanningRule": free,
    "services": List(Object({"type": Text(choices=Facility.Service.values)}, closed=True)),
    "status": Text(choices=Facility.Status.values),
    "tags": List(tag),
    "tenantFacilityId": Text(100),
}
kind = Text(choices=["MANAGED_FACILITY"])
facility_for_creation = Object(
    {"name": Text(100), "address": Object(address_parts, address_options)},
    {**facility_options, "type": kind},
    closed=True,
    name="ManagedFacilityForCreation",
)
loose_address = Object(optional={**address_parts, **address_options})
modify_facility = Object(
    {"action": short}, {**facility_options, "name": Text(100), "address": loose_address}, closed=True
)
facility_patch = Object(
    {"version": version, "actions": List(Choice("action", {"ModifyFacility": modify_facility}), least=1)},
    closed=True,
    name="FacilityPatchActions",
)
facility_for_modification = Object(
    {"version": version, "type": kind},
    {**facility_options, "name": Text(100), "address": loose_address},
    closed=True,
    name="ManagedFacilityForModification",
)
facility_common = {
    "id": short,
    "version": Integer(1),
    "name": short,
    "status": Text(choices=Facility.Status.values),
    "type": kind,
}
versioned = {"created": moment, "lastModified": moment}
facility = Object(
    {**facility_common, "address": loose_address, "tenantFacilityId": short},
    {**versioned, **facility_options},
    name="ManagedFacility",
)
stripped_facility = Object(
    {**facility_common, "tenantFacilityId": short},
    {**versioned, **dict.fromkeys(("street", "houseNumber", "city", "postalCode", "country"), short)},
    name="StrippedManagedFacility",
)
facilities = Object({"facilities": List(stripped_facility), "total": Integer(0)}, name="StrippedFacilities")
facility_page = Object(
    {"facilities": List(facility), "pageInfo": page_info},
    {"total": Integer(0)},
    name="FacilityPaginatedResult",
)

_FACILITY_FIELDS = {
    "name": "name",
    "tenantFacilityId": "tenant_facility_id",
    "locationType": "location_type",
    "capacityEnabled": "capacity_enabled",
    "capacityPlanningTimeframe": "capacity_planning_days",
    "fulfillmentProcessBuffer": "fulfillment_buffer",
    "customAttributes": "custom_attributes",
    "tags": "tags",
}
_ADDRESS_FIELDS = {
    "street": "street",
    "houseNumber": "house_number",
    "postalCode": "postal_code",
    "city": "city",
    "country": "country",
    "companyName": "company_name",
}
_EXTRA = ("contact", "operativeCosts", "scanningRule")
_ADDRESS_EXTRA = ("additionalAddressInfo", "province", "customAttributes")


def read_picking_methods(names):
    """Picking methods as the model keeps them, each once."""
    return [str(method) for method in dict.fromkeys(PICKING_METHODS[name] for name in names)]


def represent_picking_methods(methods):
    return [method for method in methods if method in PICKING_METHODS]


def facility_values(data, extra):
    """A facility in wire form as values of the model; only what is given.

    Args:
        extra: what the facility keeps beside its fields already.
    """
    values = {field: data[name] for name, field in _FACILITY_FIELDS.items() if name in data}
    if "services" in data:
        values["services"] = [service["type"] for service in data["services"]]
    if "pickingMethods" in data:
        values["picking_methods"] = read_picking_methods(data["pickingMethods"])
    if "pickingTimes" in data:
        values["picking_times"] = {
            day.upper(): [
                {"start": _clock(entry["start"]), "end": _clock(entry["end"])}
                | ({"capacity": entry["capacity"]} if "capacity" in entry else {})
                for entry in spans
            ]
            for day, spans in data["pickingTimes"].items()
        }
    address = data.get("address") or {}
    values |= {field: address[name] for name, field in _ADDRESS_FIELDS.items() if name in address}
    if point := address.get("resolvedCoordinates"):
        values |= {"latitude": point["lat"], "longitude": point["lon"]}
    if zone := address.get("resolvedTimeZone"):
        values["time_zone"] = zone["timeZoneId"]
    if phones := address.get("phoneNumbers"):
        values["phone"] = phones[0].get("value", "")
    if emails := address.get("emailAddresses"):
        values["email"] = emails[0]["value"]
    kept = {name: data[name] for name in _EXTRA if name in data}
    if further := {name: address[name] for name in _ADDRESS_EXTRA if name in address}:
        kept["address"] = {**extra.get("address", {}), **further}
    if kept:
        values["extra"] = {**extra, **kept}
    return values


def closing_days(data):
    """The closing days in wire form as values of the model, None when they are not given."""
    if "closingDays" not in data:
        return None
    days = {day["date"][:10]: day for day in data["closingDays"]}
    return [
        {
            "closed_on": datetime.date.fromisoformat(date),
            "reason": day["reason"],
            "recurrence": day["recurrence"],
        }
        for date, day in days.items()
    ]


def facility_problems(row):
    """What the model finds wrong with a facility: ``{path in the wire format: [message]}``."""
    names = {field: name for name, field in _FACILITY_FIELDS.items()}
    names |= {field: f"address.{name}" for name, field in _ADDRESS_FIELDS.items()}
    names |= {
        "picking_times": "pickingTimes",
        "time_zone": "address.resolvedTimeZone.timeZoneId",
        "email": "address.emailAddresses",
    }
    try:
        row.clean_fields(exclude=["slug", "status"])  # the field of the status refuses to be set
    except BadValue as error:
        return {names.get(field, field): messages for field, messages in error.message_dict.items()}
    return {}


def _clock(value):
    return f"{value['hour']:02}:{value['minute']:02}"


def _entity(row):
    return {
        "id": str(row.pk),
        "version": row.version,
        "created": time(row.created_at),
        "lastModified": time(row.modified_at),
    }


def represent_facility(row):
    """A facility as ``ManagedFacility``. Reads ``closing_days``."""
    address = {name: getattr(row, field) for name, field in _ADDRESS_FIELDS.items()}
    if row.latitude is not None:
        address["resolvedCoordinates"] = {"lat": row.latitude, "lon": row.longitude}
    address["resolvedTimeZone"] = {"timeZoneId": row.time_zone}
    if row.phone:
        address["phoneNumbers"] = [{"type": "PHONE", "value": row.phone}]
    if row.email:
        address["emailAddresses"] = [{"value": row.email}]
    return _entity(row) | {
        **{name: value for name, value in row.extra.items() if name != "address"},
        "name": row.name,
        "status": row.status,
        "type": "MANAGED_FACILITY",
        "tenantFacilityId": row.tenant_facility_id,
        "locationType": row.location_type,
        "services": [{"type": service} for service in row.services],
        "address": without_empty(address | row.extra.get("address", {})),
        "pickingMethods": represent_picking_methods(row.picking_methods),
        "pickingTimes": {
            day.lower(): [
                {
                    **{
                        edge: dict(zip(("hour", "minute"), map(int, entry[edge].split(":")), strict=True))
                        for edge in ("start", "end")
                    },
                    **({"capacity": entry["capacity"]} if "capacity" in entry else {}),
                }
                for entry in spans
            ]
            for day, spans in row.picking_times.items()
        },
        "closingDays": [
            {"date": f"{day.closed_on}T00:00:00Z", "reason": day.reason, "recurrence": day.recurrence}
            for day in row.closing_days.all()
        ],
        "capacityEnabled": row.capacity_enabled,
        "capacityPlanningTimeframe": row.capacity_planning_days,
        "fulfillmentProcessBuffer": row.fulfillment_buffer,
        "customAttributes": row.custom_attributes,
        "tags": row.tags,
    }


def represent_stripped_facility(row):
    """A facility as ``StrippedManagedFacility``, for lists: its address is flat."""
    return _entity(row) | without_empty(
        {
            "name": row.name,
            "status": row.status,
            "type": "MANAGED_FACILITY",
            "tenantFacilityId": row.tenant_facility_id,
            "street": row.street,
            "houseNumber": row.house_number,
            "postalCode": row.postal_code,
            "city": row.city,
            "country": row.country,
        }
    )


# Listings

attribute = Object(
    {"key": text, "value": text},
    {
        "category": short,
        "type": Text(choices=["STRING", "NUMBER", "CURRENCY", "BOOLEAN"]),
        "priority": Integer(1, 1001),
        "valueLocalized": words,
        "keyLocalized": words,
        "context": free,
    },
)
# What is recorded of the units while they are picked, see ``picking.recordables``.
listed_recordable = Object(
    {"keyLocalized": named_words, "recordingRule": Text(choices=RULES)},
    {"value": Text(200)},
    name="ListingRecordableAttributeForCreation",
)
listing_options = {
    "title": Text(200),
    "titleLocalized": words,
    "attributes": List(attribute, most=40),
    "scannableCodes": List(Text(80), most=500),
    "outOfStockBehaviour": Text(choices=["NONE", "BACKORDER", "PREORDER", "RESTOCK"]),
    "customAttributes": free,
    "tags": List(tag),
    "status": Text(choices=["ACTIVE", "INACTIVE"]),
    "imageUrl": Text(500),
    "weight": Number(0),
    "price": Number(),
    "currency": Text(3),
    "measurementUnitKey": short,
    "categoryRefs": List(short, most=10),
    **dict.fromkeys(
        (
            "availabilityTimeframe",
            "legal",
            "outOfStockConfig",
            "scanningRule",
            "stockAvailableUntil",
            "stockProperties",
            "stockinformation",
        ),
        free,
    ),
    **dict.fromkeys(("outOfStockBehaviourByContexts", "partialStocks"), List(free)),
    "recordableAttributes": List(listed_recordable, most=40),
}
listing_for_replacement = Object(
    {"tenantArticleId": Text(100)},
    {**listing_options, "version": version},
    closed=True,
    name="ListingForReplacement",
)
listings_for_replacement = Object(
    {"listings": List(listing_for_replacement, least=1)}, closed=True, name="ListingsForReplacement"
)
listing_patch = Object(
    {
        "version": version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyListing": Object(
                        {"action": short}, {**listing_options, "subtitle": text}, closed=True
                    )
                },
            ),
            least=1,
        ),
    },
    closed=True,
    name="ListingPatchActions",
)
listing_common = {
    "id": short,
    "version": Integer(1),
    "tenantArticleId": short,
    "status": Text(choices=["ACTIVE", "INACTIVE"]),
}
listing = Object({**listing_common, "facilityId": short}, {**versioned, **listing_options}, name="Listing")
stripped_listing = Object(listing_common, versioned, name="StrippedListing")
listings = Object({"listings": List(stripped_listing), "total": Integer(0)}, name="StrippedListings")
listing_page = Object(
    {"listings": List(listing), "pageInfo": page_info}, {"total": Integer(0)}, name="ListingPaginatedResult"
)
row_errors = List(
    Object({"summary": short, "description": text}, {"requestVersion": Integer(), "version": Integer()})
)
listing_results = List(
    Object(
        {"status": Text(choices=["CREATED", "UPDATED", "FAILED"])},
        {"listing": listing, "errors": row_errors},
        name="ListingBulkOperationResult",
    )
)

_LISTING_FIELDS = {
    "title": "title",
    "attributes": "attributes",
    "scannableCodes": "scannable_codes",
    "outOfStockBehaviour": "out_of_stock",
    "customAttributes": "custom_attributes",
    "tags": "tags",
    "status": "status",
}
_LISTING_OWN = {*_LISTING_FIELDS, "tenantArticleId", "version", "action"}


def listing_values(data):
    """A listing in wire form as values of the model, only what is given; ``extra`` is what has no field."""
    values = {field: data[name] for name, field in _LISTING_FIELDS.items() if name in data}
    return values | {"extra": {name: value for name, value in data.items() if name not in _LISTING_OWN}}


def represent_listing(row):
    """A listing as ``Listing``. Reads ``article``."""
    return _entity(row) | {
        **row.extra,
        "facilityId": str(row.facility_id),
        "tenantArticleId": row.article.sku,
        "status": row.status,
        "title": row.title or row.article.title,
        "attributes": row.attributes,
        "scannableCodes": row.scannable_codes,
        "outOfStockBehaviour": row.out_of_stock,
        "customAttributes": row.custom_attributes,
        "tags": row.tags,
    }


def represent_stripped_listing(row):
    """A listing as ``StrippedListing``, for lists. Reads ``article``."""
    return _entity(row) | {"tenantArticleId": row.article.sku, "status": row.status}


# Stock

units = Integer(0, MOST_UNITS)
facility_selector = Object(
    optional={"facilityRef": Text(200), "tenantFacilityId": Text(100)},
    one_of=["facilityRef", "tenantFacilityId"],
    closed=True,
)
stock_options = {
    "conditions": List(Text(choices=["DEFECTIVE"]), most=1),
    "customAttributes": free,
    "locationRef": short,
    "tenantStockId": short,
    "traitConfig": List(free),
}
STOCK_EXTRA = ("receiptDate", "tenantStockId")
# They would change what may be sold of one stock row; here its place and its expiry decide that.
STOCK_UNSUPPORTED = ("availableUntil", "traitConfig")
properties = Map(short)  # ``expiry`` is one that counts; the others are the client's own
stock_for_creation = Object(
    {"tenantArticleId": Text(100), "value": units},
    {
        **stock_options,
        "facility": facility_selector,
        "facilityRef": Text(200),
        "tenantFacilityId": Text(100),
        "availableUntil": moment,
        "receiptDate": moment,
        "properties": properties,
    },
    closed=True,
    one_of=["facility", "facilityRef", "tenantFacilityId"],
    name="StockForCreation",
)
stock_for_update = Object(
    {"value": units}, {**stock_options, "version": version}, closed=True, name="StockForUpdate"
)
# A row names the stock by its id, or the place where it is.
stock_row = Object(
    {"value": units},
    {**stock_for_creation.parts, "id": short, "version": version},
    closed=True,
    name="StockForUpsert",
)
stocks_for_upsert = Object({"stocks": List(stock_row)}, closed=True, name="StocksForUpsert")
stock = Object(
    {
        "id": short,
        "version": Integer(1),
        "facilityRef": short,
        "facility": Object({"facilityRef": short}, {"tenantFacilityId": short}),
        "facilityWideReserved": Integer(0),
        "tenantArticleId": short,
        "value": Integer(0),
        "available": Integer(0),
        "reserved": Integer(0),
        "traits": List(Text(choices=["PICKABLE", "ACCESSIBLE"])),
        "created": moment,
        "lastModified": moment,
    },
    {
        "locationRef": short,
        "tenantStockId": short,
        "receiptDate": moment,
        "conditions": List(Text(choices=["DEFECTIVE"])),
        "properties": properties,
        "serializedProperties": text,  # always there, and empty for most
        "customAttributes": free,
    },
    name="Stock",
)
stocks = Object(
    {"stocks": List(stock), "pageInfo": page_info}, {"total": Integer(0)}, name="StockPaginatedResult"
)
stock_results = List(
    Object(
        {"status": Text(choices=["CREATED", "UPDATED", "UNCHANGED", "FAILED"])},
        {"stock": stock, "errors": row_errors},
        name="StockUpsertOperationResult",
    )
)
summary_details = {
    name: Integer(0)
    for name in (
        "available",
        "availableForPicking",
        "availableOnStock",
        "availableToPromise",
        "readyToPick",
        "reserved",
        "safetyStock",
        "stockOnHand",
        "totalAmount",
    )
}
summaries = Object(
    {
        "stockSummaries": List(
            Object(
                {
                    "article": Object({"tenantArticleId": short, "title": text}, {"imageUrl": text}),
                    "details": Object(
                        {
                            **summary_details,
                            "byTrait": Object({"ACCESSIBLE": Integer(0), "PICKABLE": Integer(0)}),
                        }
                    ),
                    "includedFacilityRefs": List(short, most=100_000),
                }
            )
        ),
        "total": Integer(0),
    },
    name="StockSummaries",
)


# What ``represent_stock`` reads, as plain values: a bulk answers hundreds of rows.
STOCK_COLUMNS = (
    *("pk", "version", "created_at", "modified_at", "value", "expires_on", "is_defective"),
    *("custom_attributes", "extra", "location_id", "location__is_pickable", "location__is_accessible"),
    *("listing__reserved", "listing__facility_id", "listing__facility__tenant_facility_id"),
    "listing__article__sku",
)


def stock_details(data):
    """What a row in wire form says beside its units and place: values of ``services.stock.DETAILS``; only what is given."""
    extra = {name: data[name] for name in STOCK_EXTRA if name in data}
    if further := {name: text for name, text in data.get("properties", {}).items() if name != "expiry"}:
        extra["properties"] = further
    values = {"extra": extra} if extra else {}
    return values | ({"custom_attributes": data["customAttributes"]} if "customAttributes" in data else {})


def represent_stock(row, today):
    """The values of ``STOCK_COLUMNS`` as ``Stock``."""
    pk, version, created_at, modified_at, value, expires_on, is_defective, attributes, extra = row[:9]
    location_id, pickable, accessible, reserved, facility_id, facility_number, sku = row[9:]
    # Without a location nothing is known against it.
    traits = [
        *(["PICKABLE"] if pickable is not False else []),
        *(["ACCESSIBLE"] if accessible is not False else []),
    ]
    is_usable = len(traits) == 2 and not is_defective and (expires_on is None or expires_on >= today)
    properties = dict(extra.get("properties", {}))
    if expires_on:
        properties["expiry"] = f"{expires_on}T00:00:00Z"
    created, facility = time(created_at), {"facilityRef": str(facility_id)}
    if facility_number:
        facility["tenantFacilityId"] = facility_number
    body = {
        "id": str(pk),
        "version": version,
        "created": created,
        "lastModified": created if modified_at == created_at else time(modified_at),
        "facilityRef": facility["facilityRef"],
        "facility": facility,
        "facilityWideReserved": reserved,
        "tenantArticleId": sku,
        "value": value,
        "available": max(value - reserved, 0) if is_usable else 0,
        "reserved": min(reserved, value),
        "traits": traits,
        "conditions": ["DEFECTIVE"] if is_defective else [],
        "properties": properties,
        "serializedProperties": "&".join(f"{name}={text}" for name, text in sorted(properties.items())),
        "customAttributes": attributes,
    }
    if location_id:
        body["locationRef"] = str(location_id)
    for name in STOCK_EXTRA:
        if name in extra:
            body[name] = extra[name]
    return body
