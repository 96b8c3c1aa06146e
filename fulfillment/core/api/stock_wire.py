"""Stock in the wire format: what programs send, and what they read."""

from .schema import Integer, List, Map, Object, Text, free, moment
from .search import page_info
from .wire import row_errors, short, text, time, version

MOST_UNITS = 1_000_000
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
# What a stock row does not have, and what says it in its place.
STOCK_NOT_OFFERED = {
    "availableUntil": "Say until when units are good by properties.expiry.",
    "traitConfig": "Whether units may be picked is said by the traits of their storage location.",
}
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
