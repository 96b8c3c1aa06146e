"""The steps of a parcel: what is known of it, asked for again, given up."""

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import orders.services as orders
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, transit
from orders.models import Order

from ..events import (
    HandoverCancelled,
    ParcelCancelled,
    ParcelRequested,
    ShipmentUpdated,
)
from ..models import HandoverJob, Parcel, Shipment
from .shipments import change_recipient


class ParcelAtCarrier(Refused):
    text = _("The carrier has the dimensions of %(parcel)s already.")


class ParcelClosed(Refused):
    text = _(
        "The day of %(parcel)s is closed at the carrier; its label can no longer be cancelled. Hold the parcel back."
    )


class ParcelHandedOver(Refused):
    text = _("%(job)s is handed over; its label can no longer be cancelled.")


class ParcelBeingBooked(Refused):
    text = _("The carrier is being asked for %(parcel)s. Wait for its answer.")


def give_up(parcel, *, by, now, reason):
    """A parcel is not wanted any more: the shop does not hear of it, and the carrier is told after the commit."""
    transit(parcel.cancel, by=by, now=now, reason=reason)
    parcel.load_units.clear()
    orders.withdraw_parcel(parcel.pk, now=now)
    emit(ParcelCancelled(parcel_id=parcel.pk), by=by, now=now)


@transaction.atomic
def cancel_parcel(parcel_id, *, by, now, version=None):
    """Give the label of a parcel up, until the daily closing; its package can get another one, and other papers.

    Refuses a parcel that is handed over, closed at the carrier or being booked, and an old version.
    """
    parcel = lock_parcel(parcel_id)
    check_version(parcel, version)
    if parcel.status == Parcel.Status.PROCESSING:
        raise ParcelBeingBooked(parcel=parcel)
    if parcel.status == Parcel.Status.DONE and parcel.manifested_at:
        raise ParcelClosed(parcel=parcel)
    jobs = HandoverJob.objects.filter(parcel=parcel).lock_all()
    for job in jobs:
        if job.status == HandoverJob.Status.HANDED_OVER:
            raise ParcelHandedOver(job=job)
    reason = str(gettext("The label was cancelled."))
    give_up(parcel, by=by, now=now, reason=reason)
    for job in jobs:
        if job.status in HandoverJob.UNFINISHED:
            transit(job.make_obsolete, by=by, now=now, reason=reason)
            emit(HandoverCancelled(handover_job_id=job.pk), by=by, now=now)
    shipment = parcel.shipment
    if shipment.status in {Shipment.Status.REQUEST, Shipment.Status.CONFIRMED}:
        transit(shipment.retry, by=by, now=now, reason=reason)
        shipment.papers.current().update(replaced_at=now)
        emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    return parcel


@transaction.atomic
def modify_parcel(parcel_id, *, dimensions=None, product=None, custom_attributes=None, by, now, version=None):
    """Change what is known of a parcel.

    Refuses new dimensions and another product once the carrier has them, and an old version.

    Args:
        dimensions: ``{"length_mm" | "width_mm" | "height_mm" | "weight_g": number}``.
    """
    parcel = lock_parcel(parcel_id)
    check_version(parcel, version)
    changes = dict(dimensions or {})
    if product is not None:
        changes["product"] = product
    changes = {name: value for name, value in changes.items() if getattr(parcel, name) != value}
    if changes and parcel.status not in {Parcel.Status.OPEN, Parcel.Status.FAILED}:
        raise ParcelAtCarrier(parcel=parcel)
    if custom_attributes is not None:
        changes["custom_attributes"] = custom_attributes
    changes = {name: value for name, value in changes.items() if getattr(parcel, name) != value}
    if changes:
        for name, value in changes.items():
            setattr(parcel, name, value)
        parcel.version += 1
        parcel.save(update_fields=[*changes, "version", "modified_at"])
    return parcel


def lock_parcel(parcel_id):
    """Lock order, shipment and parcel, in this order."""
    parcel = Parcel.objects.only("order_id", "shipment_id").get(pk=parcel_id)
    Order.objects.lock(pk=parcel.order_id)
    Shipment.objects.lock(pk=parcel.shipment_id)
    return Parcel.objects.lock(pk=parcel_id)


@transaction.atomic
def request_again(parcel_id, *, recipient=None, changes=None, by, now, version=None):
    """Ask the carrier once more, because a person says so: the only way to a second booking.

    Refuses a parcel that does not wait for a person, and an old version.

    Args:
        recipient: corrected fields of ``orders.models.Address`` for the labels; the order keeps what the shop sent.
        changes: corrected weight, dimensions and product of the parcel.
    """
    parcel = lock_parcel(parcel_id)
    check_version(parcel, version)
    if changes:
        for name, value in changes.items():
            setattr(parcel, name, value)
        parcel.save(update_fields=[*changes, "modified_at"])
    is_corrected = change_recipient(parcel.shipment, recipient or {})
    if is_corrected:
        emit(ShipmentUpdated(shipment_id=parcel.shipment_id), by=by, now=now)
    reason = gettext("The address was corrected.") if is_corrected else ""
    transit(parcel.request_again, by=by, now=now, reason=reason)
    emit(ParcelRequested(parcel_id=parcel.pk), by=by, now=now)
    return parcel
