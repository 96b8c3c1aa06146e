"""What the stages did for an order, noted for its shop."""

from fulfillment.core.events import emit
from fulfillment.core.status import require_transaction
from orders.events import (
    ParcelDelivered,
    ParcelHandedOver,
    ParcelHandoverTakenBack,
    ParcelRecorded,
    ParcelWithdrawn,
    ReturnRecorded,
    ShortRecorded,
)
from orders.models import ParcelRecord, ReturnRecord, ShortRecord


def record_parcel(
    parcel_id,
    *,
    order_id,
    facility_id,
    carrier_key,
    tracking_number,
    tracking_url,
    return_tracking_number,
    items,
    now,
    package_id=None,
    parts=(),
):
    """Note a parcel for the shop; a second call with the same parcel corrects the first.

    Args:
        items: ``[{"line": order line id, "quantity": units}]``.
        package_id: the box it is.
        parts: units of which this box holds a part: ``[{"line", "quantity", "begins": box that they are counted in,
            "goes_on": the other box}]``.
    """
    require_transaction()
    facts = {
        "order_id": order_id,
        "facility_id": facility_id,
        "carrier_key": carrier_key,
        "tracking_number": tracking_number or "",
        "tracking_url": tracking_url or "",
        "return_tracking_number": return_tracking_number or "",
        "items": items,
        "package_id": package_id,
        "parts": list(parts),
    }
    # What the carrier said of a former number.
    former = ParcelRecord.objects.filter(parcel_id=parcel_id).exclude(
        tracking_number=facts["tracking_number"]
    )
    former.update(tracking_status="", tracked_at=None)
    record, _created = ParcelRecord.objects.update_or_create(
        parcel_id=parcel_id, defaults=facts, create_defaults=facts | {"recorded_at": now}
    )
    emit(ParcelRecorded(order_id=order_id, parcel_id=parcel_id), by=None, now=now)
    return record


def record_collected(handover_id, *, order_id, facility_id, items, now):
    """Note for the shop that the customer took goods along: as of a parcel without a carrier that left at once.

    Args:
        items: as of ``record_parcel``.
    """
    require_transaction()
    facts = {"order_id": order_id, "facility_id": facility_id, "carrier_key": "", "items": items}
    ParcelRecord.objects.update_or_create(
        parcel_id=handover_id, defaults=facts | {"recorded_at": now, "handed_over_at": now}
    )
    emit(ParcelRecorded(order_id=order_id, parcel_id=handover_id), by=None, now=now)
    emit(ParcelHandedOver(order_id=order_id, parcel_id=handover_id), by=None, now=now)


def withdraw_collected(handover_id, *, now):
    """Take back ``record_collected``."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=handover_id, carrier_key=""):
        record.delete()
        emit(ParcelWithdrawn(order_id=record.order_id, parcel_id=handover_id), by=None, now=now)


def record_tracking(parcel_id, status, *, at, now):
    """Note for the shop where a parcel is on its way. Parcels without a record are left out."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=parcel_id):
        record.tracking_status, record.tracked_at = status, at
        record.save(update_fields=["tracking_status", "tracked_at"])
        if status == ParcelRecord.DELIVERED:
            emit(ParcelDelivered(order_id=record.order_id, parcel_id=parcel_id), by=None, now=now)


def withdraw_parcel(parcel_id, *, now):
    """Take back ``record_parcel``: its label was cancelled before it left the house."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=parcel_id, handed_over_at=None):
        record.delete()
        emit(ParcelWithdrawn(order_id=record.order_id, parcel_id=parcel_id), by=None, now=now)


def record_handed_over(parcel_id, *, now):
    """Note that a parcel left the house; the first time counts. Parcels without a record are left out."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=parcel_id, handed_over_at=None):
        record.handed_over_at = now
        record.save(update_fields=["handed_over_at"])
        emit(ParcelHandedOver(order_id=record.order_id, parcel_id=parcel_id), by=None, now=now)


def record_handover_reverted(parcel_id, *, now):
    """Take back ``record_handed_over``."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=parcel_id).exclude(handed_over_at=None):
        record.handed_over_at = None
        record.save(update_fields=["handed_over_at"])
        emit(ParcelHandoverTakenBack(order_id=record.order_id, parcel_id=parcel_id), by=None, now=now)


def record_short(order_line_id, facility_id, quantity, reason, *, now):
    """Note units of an order line that will not come, with the reason for the shop."""
    require_transaction()
    record = ShortRecord.objects.create(
        line_id=order_line_id, facility_id=facility_id, quantity=quantity, reason=reason, recorded_at=now
    )
    emit(ShortRecorded(order_id=record.line.order_id, order_line_id=order_line_id), by=None, now=now)
    return record


def record_return(return_id, *, order_id, items, now):
    """Note for the shop what became of the units in a return; the first time counts.

    Args:
        items: ``[{"line": order line id, "quantity": units, "is_accepted": bool, "condition": key, "reason": key}]``.
    """
    require_transaction()
    record, is_new = ReturnRecord.objects.get_or_create(
        return_id=return_id, defaults={"order_id": order_id, "items": items, "recorded_at": now}
    )
    if is_new:
        emit(ReturnRecorded(order_id=order_id, return_id=return_id), by=None, now=now)
    return record


def withdraw_short(order_line_id, facility_id, reason):
    """Take back ``record_short``: the units may come after all."""
    require_transaction()
    ShortRecord.objects.filter(line_id=order_line_id, facility_id=facility_id, reason=reason).delete()
