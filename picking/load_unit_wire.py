"""Load units in the wire format."""

from django.utils.translation import override

from fulfillment.core.api.schema import Integer, List, Map, Number, Object, Text, anything, free, moment
from orders.wire import short, text, time
from picking.wire import LANGUAGES, line_article, represent_line_parts, version

from .models import LoadUnit

load_unit_line = Object(
    {"id": short, "article": line_article},
    {"globalLineItemIds": List(short), "quantity": Number(0), "scannableCodes": List(short)},
    name="LoadUnitLineItem",
)
load_unit = Object(
    {
        "id": short,
        **version,
        "nameLocalized": Map(text),
        "created": moment,
        "lastModified": moment,
        "facilityRef": short,
        "pickJobRefs": List(short, most=100),
        "status": Text(choices=["AVAILABLE", "OBSOLETE"]),
    },
    {
        "codes": List(short),
        "customAttributes": free,
        "loadUnitLineItems": List(load_unit_line),
        "name": short,
        "storageLocationRef": short,
    },
    name="LoadUnit",
)
load_units = Object({"loadUnits": List(load_unit), "total": Integer(0)}, name="LoadUnits")

# A load unit holds what is picked of its jobs; it has no lines of its own.
PARTS_NOT_OFFERED = {
    "loadUnitLineItems": "What a load unit holds follows from the picking.",
    "loadUnitTypeRef": "Load units are of one kind.",
    "operativeContainerTypeRef": "Load units are of one kind.",
    "stackRef": "Where it stands is said by storageLocationRef.",
}
for_creation = Object(
    {"codes": List(Text(80), most=100, least=1)},
    {"customAttributes": free, "storageLocationRef": short, **dict.fromkeys(PARTS_NOT_OFFERED, anything)},
    name="PickingLoadUnitForCreation",
)
patch = Object(
    version, {"actions": List(free, most=100), "storageLocationRef": short}, name="LoadUnitPatchActions"
)


def represent(unit):
    """A load unit as ``LoadUnit``. Loaded by ``LoadUnitQuerySet.for_api``."""
    names = {}
    for language, locale in LANGUAGES.items():
        with override(language):
            names[locale] = str(LoadUnit.Type(unit.type).label)
    is_used = unit.status == LoadUnit.Status.IN_USE
    return {
        "id": str(unit.pk),
        "version": unit.version,
        "created": time(unit.created_at),
        "lastModified": time(unit.modified_at),
        "status": "AVAILABLE" if is_used else "OBSOLETE",
        "nameLocalized": names,
        "name": names["en_US"],
        "codes": [unit.code],
        "customAttributes": unit.custom_attributes,
        "facilityRef": str(unit.facility_id),
        "pickJobRefs": _jobs(unit),
        "loadUnitLineItems": _lines(unit),
        **({"storageLocationRef": str(unit.location_id)} if unit.location_id else {}),
    }


def _jobs(unit):
    if unit.job is not None:
        return [str(unit.job_id)]
    return [str(one.job_id) for one in unit.run.run_jobs.all()] if unit.run else []


def _lines(unit):
    """What is in it, when its job has no other one in which it might be."""
    if unit.job is None or len(unit.job.load_units.all()) > 1:
        return []
    return [
        {
            **{
                name: value
                for name, value in represent_line_parts(line).items()
                if name in {"id", "article", "scannableCodes"}
            },
            "globalLineItemIds": [str(line.order_line_id)],
            "quantity": line.picked,
        }
        for line in unit.job.lines.all()
        if line.picked
    ]
