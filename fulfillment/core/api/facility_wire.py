"""Facilities in the wire format: what programs send, and what they read."""

import datetime

from django.core.exceptions import ValidationError as BadValue

from ..models import Facility
from ..models.facility import WEEKDAYS, PickingMethod
from .schema import Choice, Integer, List, Number, Object, Text, boolean, country, free, moment
from .search import page_info
from .wire import (
    entity,
    short,
    tag,
    version,
    versioned,
    without_empty,
)

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
    return entity(row) | {
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
    return entity(row) | without_empty(
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
