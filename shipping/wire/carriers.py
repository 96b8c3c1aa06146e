"""Carriers and how facilities use them, in the wire format."""

import datetime

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
    free,
)
from fulfillment.core.models import Carrier, Document
from fulfillment.core.models.facility import WEEKDAYS
from orders.wire import short, time, versioned

from ..carriers import ADAPTERS

MOST_SIDE, MOST_WEIGHT = 10_000, 1_000_000  # centimetres, grams
DEFAULTS = {
    "defaultParcelLengthInCm": ("parcel_length_mm", 10),
    "defaultParcelWidthInCm": ("parcel_width_mm", 10),
    "defaultParcelHeightInCm": ("parcel_height_mm", 10),
    "defaultParcelWeightInGram": ("parcel_weight_g", 1),
}
# Kept and shown as they came.
KEPT = ("logoUrl", "productValueNeeded", "parcelLabelClassifications", "lifecycle")

version = Integer(0, 2**31 - 1)
status = Text(choices=Carrier.Status.values)
delivery_type = Text(choices=Carrier.DeliveryType.values)
carrier_options = {
    **dict.fromkeys(list(DEFAULTS)[:3], Number(1, MOST_SIDE)),
    "defaultParcelWeightInGram": Number(1, MOST_WEIGHT),
    "deliveryType": delivery_type,
    "lifecycle": Text(choices=["GA", "BETA", "ALPHA"]),
    "logoUrl": Text(2000),
    "parcelLabelClassifications": List(free),
    "productValueNeeded": boolean,
    "status": status,
}
stripped_carrier = Object(
    {"id": short, "key": short, "name": short, "version": Integer(1), "status": status},
    {**versioned, "deliveryType": delivery_type, "lifecycle": short},
    name="StrippedCarrier",
)
carriers = Object({"carriers": List(stripped_carrier), "total": Integer(0)}, name="StrippedCarriers")
carrier = Object(
    {
        "id": short,
        "key": short,
        "name": short,
        "version": Integer(1),
        "status": status,
        **dict.fromkeys(DEFAULTS, Number(0)),
    },
    {**versioned, **carrier_options},
    name="Carrier",
)
key = Text(50)
carrier_for_creation = Object(
    {"key": key, "name": Text(100)}, carrier_options, closed=True, name="CarrierForCreation"
)
carrier_patch = Object(
    {
        "version": version,
        "actions": List(
            Choice(
                "action",
                {
                    "ModifyCarrier": Object(
                        {"action": short}, {**carrier_options, "name": Text(100)}, closed=True
                    )
                },
            ),
            least=1,
        ),
    },
    closed=True,
    name="CarrierPatchActions",
)

clock = Text(5)
cutoffs = List(Object({"time": clock}, {"capacity": Number(0)}, closed=True), most=10)
cutoff_times = Object(
    {
        "weekdays": List(
            Object({"day": Text(choices=WEEKDAYS), "cutoffConfigurations": cutoffs}, closed=True), most=7
        ),
        "overwrites": List(Object({"date": Text(10), "cutoffConfigurations": cutoffs}, closed=True)),
    },
    closed=True,
    name="CarrierCutoffTimes",
)
product = Object({"product": Text(60)}, {"billingNumber": Text(60), "countries": List(country)}, closed=True)
configuration = Object(
    optional={
        "adapter": Text(choices=sorted(ADAPTERS)),
        "baseUrl": Text(300),
        "labelFormat": Text(choices=[one.value for one in Document.PAPERS]),
        "priority": Integer(0, 32767),
        "products": List(product, most=50),
    },
    closed=True,
    name="CarrierConfiguration",
)
delivery_area = Object({"country": country}, {"postalCode": Text(20)}, closed=True, name="DeliveryArea")
connection_options = {
    "configuration": configuration,
    "credentials": Map(Text(500)),
    "cutoffTime": Object({"hour": Integer(0, 23), "minute": Integer(0, 59)}, closed=True),
    "cutoffTimes": cutoff_times,
    "deliveryAreas": List(delivery_area),
    "name": Text(100),
    "parcelLabelClassifications": List(free),
    "status": status,
    "validDeliveryTargets": List(Text(50)),
    "tags": List(Object({"id": short, "value": short})),
}
connection_for_creation = Object(
    optional=connection_options, closed=True, name="FacilityCarrierConnectionForCreation"
)
connection_for_modification = Object(
    {"version": version}, connection_options, closed=True, name="FacilityCarrierConnectionForModification"
)
connection = Object(
    {
        "id": short,
        "version": Integer(1),
        "carrierRef": short,
        "facilityRef": short,
        "key": short,
        "status": status,
    },
    {
        **versioned,
        **{name: part for name, part in connection_options.items() if name != "credentials"},
        "deliveryType": delivery_type,
    },
    name="FacilityCarrierConnection",
)


def credential_names(adapter):
    """What an adapter takes as credentials."""
    return {one.name for one in ADAPTERS[adapter].credentials} if adapter in ADAPTERS else set()


def _without_empty(body):
    return {name: value for name, value in body.items() if value not in (None, "", [], {})}


def represent_stripped_carrier(row):
    return {
        "id": str(row.pk),
        "version": row.version,
        "created": time(row.created_at),
        "lastModified": time(row.modified_at),
        "key": row.key,
        "name": row.name,
        "status": row.status,
        "deliveryType": row.delivery_type,
        "lifecycle": row.custom_attributes.get("lifecycle", "GA"),
    }


def represent_carrier(row):
    kept = {name: row.custom_attributes[name] for name in KEPT if name in row.custom_attributes}
    sizes = {name: getattr(row, field) / factor for name, (field, factor) in DEFAULTS.items()}
    return represent_stripped_carrier(row) | sizes | kept


def carrier_values(data, kept=None):
    """Fields of ``Carrier`` out of a body; only what is given. ``kept``: the custom attributes so far."""
    values = {name: data[name] for name in ("key", "name", "status") if name in data}
    if "deliveryType" in data:
        values["delivery_type"] = data["deliveryType"]
    for name, (field, factor) in DEFAULTS.items():
        if name in data:
            values[field] = round(data[name] * factor)
    if attributes := {name: data[name] for name in KEPT if name in data}:
        values["custom_attributes"] = {**(kept or {}), **attributes}
    return values


def represent_connection(row):
    """How a facility uses a carrier, as ``FacilityCarrierConnection``. Credentials are never told."""
    found = getattr(row, "connection", None)
    setup = {"adapter": found.adapter if found else row.carrier.adapter, "priority": row.priority}
    areas = [{"country": one} for one in row.delivery_countries]
    if found:
        setup |= {
            "baseUrl": found.base_url,
            "labelFormat": found.label_format,
            "products": [
                _without_empty(
                    {
                        "product": entry["product"],
                        "billingNumber": entry.get("billing_number"),
                        "countries": entry.get("countries"),
                    }
                )
                for entry in found.products
            ],
        }
        areas = [
            _without_empty({"country": area["country"], "postalCode": area.get("postal_code")})
            for area in found.delivery_areas
        ] or areas
    return {
        "id": str(row.pk),
        "version": row.version,
        "created": time(row.created_at),
        "lastModified": time(row.modified_at),
        "carrierRef": str(row.carrier_id),
        "facilityRef": str(row.facility_id),
        "key": row.carrier.key,
        "status": row.status,
        "deliveryType": row.carrier.delivery_type,
    } | _without_empty(
        {
            "name": row.custom_attributes.get("name") or row.carrier.name,
            "configuration": _without_empty(setup),
            "cutoffTimes": _cutoffs_to_wire(row.cutoffs),
            "deliveryAreas": areas,
            "tags": row.tags,
            **{
                name: row.custom_attributes.get(name)
                for name in ("validDeliveryTargets", "parcelLabelClassifications")
            },
        }
    )


def _cutoffs_to_wire(cutoffs_of):
    def entries(value):
        return [{"time": value}] if value else []

    weekdays = [
        {"day": day, "cutoffConfigurations": entries(cutoffs_of[day])}
        for day in WEEKDAYS
        if cutoffs_of.get(day)
    ]
    dates = [
        {"date": day, "cutoffConfigurations": entries(value)}
        for day, value in sorted(cutoffs_of.items())
        if day not in WEEKDAYS
    ]
    return {"weekdays": weekdays, "overwrites": dates} if weekdays or dates else None


def connection_values(data, row=None):
    """(fields of ``FacilityCarrier``, of ``CarrierConnection``, credentials) out of a body; only what is given."""
    setup = data.get("configuration") or {}
    values = {"status": data["status"]} if "status" in data else {}
    if "priority" in setup:
        values["priority"] = setup["priority"]
    if "tags" in data:
        values["tags"] = data["tags"]
    if "cutoffTimes" in data:
        values["cutoffs"] = _cutoffs(data["cutoffTimes"])
    elif "cutoffTime" in data:
        values["cutoffs"] = dict.fromkeys(WEEKDAYS, "{hour:02}:{minute:02}".format(**data["cutoffTime"]))
    kept = {
        name: data[name]
        for name in ("name", "validDeliveryTargets", "parcelLabelClassifications")
        if name in data
    }
    if kept:
        values["custom_attributes"] = {**(row.custom_attributes if row else {}), **kept}
    names = {"adapter": "adapter", "baseUrl": "base_url", "labelFormat": "label_format"}
    connected = {names[name]: setup[name] for name in names if name in setup}
    if "products" in setup:
        connected["products"] = [
            _without_empty(
                {
                    "product": entry["product"],
                    "billing_number": entry.get("billingNumber"),
                    "countries": entry.get("countries"),
                }
            )
            for entry in setup["products"]
        ]
    if "deliveryAreas" in data:
        areas = data["deliveryAreas"]
        values["delivery_countries"] = sorted({area["country"] for area in areas})
        connected["delivery_areas"] = [
            {"country": area["country"], "postal_code": area.get("postalCode", "")} for area in areas
        ]
    return values, connected, data.get("credentials")


def _cutoffs(data):
    """One cut-off per day, the latest; a date without one means that nobody comes."""
    found = {}
    for entry in [*data["weekdays"], *data["overwrites"]]:
        times = [_clock(one["time"]) for one in entry["cutoffConfigurations"]]
        day = entry.get("day") or entry["date"]
        if times or "date" in entry:
            found[day] = max(times, default=None)
    return found


def _clock(text):
    """``HH:MM`` out of what the format allows, 9:5 too; what is none stays and is refused by the model."""
    try:
        hour, minute = (int(part) for part in text.split(":"))
        return datetime.time(hour, minute).isoformat("minutes")
    except ValueError:
        return text
