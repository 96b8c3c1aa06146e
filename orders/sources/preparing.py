"""What is to be reported, as it stands when it is sent."""

import dataclasses
import itertools

from django.db import transaction
from django.db.models import Sum

from fulfillment.core.models import Carrier
from orders.models import Order, OrderLine, ParcelRecord, ReturnRecord, ShortRecord

from . import boxes
from .kind import Box, Job, ReportLine
from .models import ImportedOrder, Report
from .registry import kind_of

What = Report.What
NUMBERS = ("tracking_number", "tracking_url", "return_tracking_number")


def prepare(report):
    """What is to be reported, as it is now; None when it is no longer so."""
    imported = report.imported
    if imported.order is None:
        return None
    lines = {str(line.pk): line for line in OrderLine.objects.filter(order=imported.order)}
    if report.what in {What.SHIPPED, What.RETURN_LABEL}:
        return _parcel_job(report, lines)
    if report.what == What.DELIVERED:
        return _parcel_job(report, lines, is_last=is_delivered(imported))
    if report.what == What.RETURNED:
        return _return_job(report, lines)
    if report.what == What.SHORT:
        return _short_job(report, lines)
    everything = [_line(imported, line, line.quantity) for line in lines.values()]
    return _job(report, everything)


def _parcel_job(report, lines, **more):
    imported, moment = report.imported, options_of(report.connection)["report_at"]
    parcel = ParcelRecord.objects.filter(order=imported.order, parcel_id=report.subject_id).first()
    if parcel is None or (moment == "handover" and parcel.handed_over_at is None):
        return None
    own = _box(imported, parcel, lines)
    if report.what == What.SHIPPED:
        if not boxes.ready(parcel, moment):
            return None
        parcels = _own_first(parcel)
        _note_attempt(report, parcels)
        parcel = parcels[0]
        more["number"] = _number(report)
        more["is_delivered"] = is_delivered(imported)  # when the last goods were collected
        more["boxes"] = tuple(sorted((_box(imported, one, lines) for one in parcels), key=lambda box: box.id))
    return _job(report, own.lines, parcel=parcel, carrier_key=own.carrier_key, carrier=own.carrier, **more)


def _box(imported, parcel, lines):
    carrier = Carrier.objects.filter(key=parcel.carrier_key).first()
    table = options_of(imported.connection)["carriers"] or {}
    return Box(
        parcel=parcel,
        lines=[
            _line(imported, lines[item["line"]], item["quantity"])
            for item in parcel.items
            if item["line"] in lines
        ],
        parts=[
            (part["begins"], _line(imported, lines[part["line"]], part["quantity"]))
            for part in parcel.parts
            if part["goes_on"] == str(parcel.package_id) and part["line"] in lines
        ],
        carrier_key=parcel.carrier_key,
        carrier=table.get(parcel.carrier_key) or (carrier.name if carrier else parcel.carrier_key),
    )


@transaction.atomic
def _number(report):
    """The number of a parcel within its order, from 1. It stays, and is given to no other parcel."""
    if "parcel" not in report.notes:
        ImportedOrder.objects.lock(pk=report.imported_id)  # no two reports choose at once
        others = Report.objects.filter(imported=report.imported_id, what=What.SHIPPED, attempts__gt=0)
        given = [
            notes.get("parcel", 0) for notes in others.exclude(pk=report.pk).values_list("notes", flat=True)
        ]
        report.notes = {**report.notes, "parcel": max(len(given), *given, 0) + 1}
        report.save(update_fields=["notes"])
    return report.notes["parcel"]


def _note_attempt(report, parcels):
    """Until an answer comes an attempt is repeated with the numbers of the first one: by them it is looked for. What
    was corrected since is told after it.
    """
    if "tried" in report.notes:
        tried = iter(report.notes["tried"])
        for parcel, name in itertools.product(parcels, NUMBERS):
            setattr(parcel, name, next(tried, getattr(parcel, name)))
        return
    report.notes = {**report.notes, "tried": [getattr(one, name) for one in parcels for name in NUMBERS]}
    report.save(update_fields=["notes"])


def _return_job(report, lines):
    record = ReturnRecord.objects.filter(return_id=report.subject_id).first()
    if record is None:
        return None
    return _job(
        report,
        [
            dataclasses.replace(
                _line(report.imported, lines[item["line"]], item["quantity"]),
                is_accepted=item["is_accepted"],
                condition=item["condition"],
                reason=item["reason"],
            )
            for item in record.items
            if item["line"] in lines
        ],
    )


def _short_job(report, lines):
    """Units that were not told yet. Until an answer comes, an attempt is repeated with the units of the first one:
    what went missing since is told after it.
    """
    line, told = lines.get(str(report.subject_id)), report.notes.get("units", 0)
    asked = report.notes.get("asked") or missing_units(report)
    if line is None or asked <= told:
        return None
    report.notes = {**report.notes, "asked": asked}
    report.save(update_fields=["notes"])
    return _job(report, [_line(report.imported, line, asked - told)])


def _line(imported, line, quantity):
    line_id, known = imported.line_of(line)
    return ReportLine(line_id, tuple(known.get("ids", ())), quantity)


def _job(report, lines, **more):
    facts = {"parcel": None, "number": 0, "is_last": is_complete(report.imported), **more}
    return Job(report=report, imported=report.imported, order=report.imported.order, lines=lines, **facts)


def is_complete(imported):
    """Whether every unit of the whole order in the shop, all its ship groups, is on its way or will not come."""
    ids = _orders_of(imported)
    ordered = OrderLine.objects.filter(order__in=ids).aggregate(units=Sum("quantity"))["units"] or 0
    missing = ShortRecord.objects.filter(line__order__in=ids).aggregate(units=Sum("quantity"))["units"] or 0
    parcels = ParcelRecord.objects.filter(order__in=ids)
    if options_of(imported.connection)["report_at"] == "handover":
        parcels = parcels.exclude(handed_over_at=None)
    shipped = sum(item["quantity"] for items in parcels.values_list("items", flat=True) for item in items)
    return shipped + missing >= ordered


def is_delivered(imported):
    """Whether every parcel of the whole order in the shop is with the customer, and no more will come."""
    parcels = ParcelRecord.objects.filter(order__in=_orders_of(imported))
    parcels = parcels.exclude(carrier_key="")  # what was collected is with the customer, and nobody tracks it
    return is_complete(imported) and not parcels.exclude(tracking_status=ParcelRecord.DELIVERED).exists()


def _orders_of(imported):
    """Ids of our orders that stand for an order of the shop: one per ship group."""
    orders = ImportedOrder.objects.filter(
        connection=imported.connection, external_id=imported.external_id
    ).exclude(order__status__in=[Order.Status.CANCELLED, Order.Status.OBSOLETE])
    return [order_id for order_id in orders.values_list("order", flat=True) if order_id]


def numbers_of(parcel):
    """What a shop is told of a parcel, and of those that share units with it, and a person may correct later."""
    return [getattr(one, name) for one in _own_first(parcel) for name in NUMBERS]


def _own_first(parcel):
    return sorted(boxes.together(parcel)[0], key=lambda one: one.parcel_id != parcel.parcel_id)


def missing_units(report):
    """How many units of its line will not come, as far as it is known."""
    records = ShortRecord.objects.filter(line=report.subject_id)
    return records.aggregate(units=Sum("quantity"))["units"] or 0


def options_of(connection):
    """The settings of a connection, completed."""
    return kind_of(connection).options(connection.settings)
