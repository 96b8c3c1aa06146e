"""Listings in the wire format: what programs send, and what they read."""

from ..attributes import RULES
from .schema import Choice, Integer, List, Number, Object, Text, free
from .search import page_info
from .wire import entity, named_words, row_errors, short, tag, text, version, versioned, words

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
    return entity(row) | {
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
    return entity(row) | {"tenantArticleId": row.article.sku, "status": row.status}
