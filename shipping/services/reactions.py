"""What shipping does when the stages before announce something."""

import dataclasses

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.status import log_created, transit
from orders.models import Order
from packing.models import PackJob
from picking.models import PickJob

from ..choosing import choose_carrier
from ..events import (
    HandoverCancelled,
    ShipmentCreated,
    ShipmentUpdated,
)
from ..models import HandoverJob, Parcel, Shipment
from .handovers import await_customer
from .parcels import ParcelClosed, give_up
from .shipments import make_parcels


class ShippingBegan(Refused):
    text = _("The labels of %(shipment)s were asked for already; its picking can no longer be taken back.")


class AlreadyHandedOver(Refused):
    text = _("%(job)s is handed over already; the order can no longer be cancelled.")


def on_pick_job_closed(event, *, by, now):
    """Open a shipment for goods that are to be sent. What the customer collects has none."""
    job = PickJob.objects.select_related("order").get(pk=event.pick_job_id)
    if job.kind != Order.Kind.SHIPPING:
        return
    for shipment in Shipment.objects.filter(pick_job=job).lock_all():
        # The picking was taken back and has ended again.
        transit(shipment.renew, by=by, now=now)
        emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
        return
    shipment = Shipment.objects.create(
        facility_id=job.facility_id,
        order=job.order,
        pick_job=job,
        short_id=job.short_id,
        target_time=job.target_time,
        recipient=dataclasses.asdict(job.order.shipping_address),
        created_at=now,
    )
    log_created(shipment, by=by, now=now)
    emit(ShipmentCreated(shipment_id=shipment.pk), by=by, now=now)


def on_pick_job_reopened(event, *, by, now):
    """Let go of goods that are picked again; refuses when their labels were asked for."""
    for shipment in Shipment.objects.filter(pick_job_id=event.pick_job_id).lock_all():
        if shipment.status in {Shipment.Status.OBSOLETE, Shipment.Status.CANCELED}:
            continue
        if shipment.status != Shipment.Status.INITIAL:
            raise ShippingBegan(shipment=shipment)
        transit(shipment.make_obsolete, by=by, now=now)
        emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)


def on_pack_job_closed(event, *, by, now):
    """Ask for the labels of what is packed, or let the customer collect it.

    Without a carrier the shipment waits as new: packing is never held up by a missing setting.
    """
    job = PackJob.objects.select_related("order").get(pk=event.pack_job_id)
    if job.kind == Order.Kind.COLLECT:
        await_customer(job, by=by, now=now)
        return
    shipment = Shipment.objects.lock(pick_job_id=job.pick_job_id)
    choice = choose_carrier(shipment)
    if choice is not None:
        make_parcels(shipment, job, choice, by=by, now=now)


def on_order_cancelled(event, *, by, now):
    """Cancel shipments, parcels and handovers of an order; refuses when something was handed over."""
    reason = str(gettext("The order was cancelled."))
    shipments = list(Shipment.objects.filter(order_id=event.order_id).lock_all())
    parcels = list(Parcel.objects.filter(order_id=event.order_id).lock_all())
    handovers = list(HandoverJob.objects.filter(order_id=event.order_id).lock_all())
    for job in handovers:
        if job.status == HandoverJob.Status.HANDED_OVER:
            raise AlreadyHandedOver(job=job)
    for parcel in parcels:
        if parcel.status == Parcel.Status.DONE and parcel.manifested_at:
            raise ParcelClosed(parcel=parcel)
    for job in handovers:
        if job.status in HandoverJob.UNFINISHED:
            transit(job.cancel, HandoverJob.CancelReason.ORDER_CANCELED, by=by, now=now, reason=reason)
            emit(HandoverCancelled(handover_job_id=job.pk), by=by, now=now)
    for parcel in parcels:
        if parcel.status not in Parcel.GIVEN_UP:
            give_up(parcel, by=by, now=now, reason=reason)
    for shipment in shipments:
        if shipment.status in Shipment.UNFINISHED:
            transit(shipment.cancel, by=by, now=now, reason=reason)
            emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
