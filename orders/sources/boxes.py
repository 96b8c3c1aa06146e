"""Units that ship in several boxes: their parcels are told together, once all of them are ready."""

from orders.models import ParcelRecord


def together(parcel):
    """(parcels that share units with a parcel, with it, in the order of their boxes; whether none is missing)."""
    if not parcel.parts:
        return [parcel], True
    records = ParcelRecord.objects.filter(order=parcel.order_id).exclude(package_id=None)
    by_box = {str(record.package_id): record for record in records}
    boxes, left = set(), [str(parcel.package_id)]
    while left:
        box = left.pop()
        if box not in boxes:
            boxes.add(box)
            parts = by_box[box].parts if box in by_box else ()
            left += [other for part in parts for other in (part["begins"], part["goes_on"])]
    return [by_box[box] for box in sorted(boxes & by_box.keys())], boxes <= by_box.keys()


def ready(parcel, moment):
    """The parcels that are told with a parcel; none while one of them is not there, or has not left the house."""
    parcels, is_whole = together(parcel)
    if not is_whole or (moment == "handover" and any(one.handed_over_at is None for one in parcels)):
        return []
    return parcels


def waiting(order_id, moment):
    """Parcels of an order that are not told before others of the same units are ready."""
    parcels = ParcelRecord.objects.filter(order=order_id).exclude(parts=[])
    return [parcel for parcel in parcels if not ready(parcel, moment)]
