"""The steps of shipping: a shipment per pick job, its parcels, and how they leave the house.

Booking a label is the only step that talks to the outside: see ``shipping.booking``.
"""

import dataclasses
import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import orders.services as orders
from fulfillment.core.barcodes import new_sscc
from fulfillment.core.codes import new_code, parcel_codes
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_created, transit
from orders.models import Address, Order
from packing.models import PackJob
from picking import restow
from picking.models import PickJob, RestowItem

from .choosing import choose_carrier
from .events import (
    HandedOver,
    HandoverCancelled,
    HandoverCreated,
    HandoverReverted,
    ParcelCancelled,
    ParcelCreated,
    ParcelRequested,
    ShipmentCreated,
    ShipmentUpdated,
)
from .models import HandoverJob, HandoverLine, LoadedParcel, Parcel, Shipment

REFUSED = "REFUSED"
REVERT_WITHIN = datetime.timedelta(minutes=15)


class ShipmentNeedsPickJob(Refused):
    text = _("A shipment is opened when its pick job is closed. Name such a job in pickJobRef.")


class HandoverNeedsGoods(Refused):
    text = _("A handover job is opened when goods are ready for it. Name their pick job in pickJobRef.")


class ShippingBegan(Refused):
    text = _("The labels of %(shipment)s were asked for already; its picking can no longer be taken back.")


class NotPackedYet(Refused):
    text = _("%(shipment)s is not packed yet. Its labels can be asked for when the packing is finished.")


class LabelsRequested(Refused):
    text = _("The labels of %(shipment)s were asked for already. Correct its parcels instead.")


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


class NoCarrier(Refused):
    text = _("No active carrier of this facility delivers to %(country)s. Add one in the administration.")


class AlreadyHandedOver(Refused):
    text = _("%(job)s is handed over already; the order can no longer be cancelled.")


class UnknownParcel(Refused):
    text = _("No parcel here has the code %(code)s.")


class ParcelNotReady(Refused):
    text = _("Parcel %(code)s is not ready: %(status)s.")


class NotForTheCarrier(Refused):
    text = _("%(job)s is collected by the customer. Open it to hand it over.")


class NotForTheCustomer(Refused):
    text = _("%(job)s goes to the carrier and cannot be cancelled here. Cancel the order instead.")


class TooManyRefused(Refused):
    text = _("Only %(quantity)s of %(title)s are there to be refused.")


class OnlyCustomersRefuse(Refused):
    text = _("%(job)s goes to the carrier, which takes the whole parcel.")


class EverythingRefused(Refused):
    text = _("The customer refuses everything: cancel the handover instead.")


class RevertTooLate(Refused):
    text = _("A handover can be taken back within %(minutes)s minutes only.")


class OnAManifest(Refused):
    text = _("%(job)s is on the list that the driver signed. A supervisor can reopen the load.")


class ReasonMissing(Refused):
    text = _("Say why.")


# What the stages before announce


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
        _await_customer(job, by=by, now=now)
        return
    shipment = Shipment.objects.lock(pick_job_id=job.pick_job_id)
    choice = choose_carrier(shipment)
    if choice is not None:
        _request(shipment, job, choice, by=by, now=now)


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
            _give_up(parcel, by=by, now=now, reason=reason)
    for shipment in shipments:
        if shipment.status in Shipment.UNFINISHED:
            transit(shipment.cancel, by=by, now=now, reason=reason)
            emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)


# Labels


def _give_up(parcel, *, by, now, reason):
    """A parcel is not wanted any more: the shop does not hear of it, and the carrier is told after the commit."""
    transit(parcel.cancel, by=by, now=now, reason=reason)
    orders.withdraw_parcel(parcel.pk)
    emit(ParcelCancelled(parcel_id=parcel.pk), by=by, now=now)


@transaction.atomic
def cancel_parcel(parcel_id, *, by, now, version=None):
    """Give the label of a parcel up, until the daily closing; its package can get another one.

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
    _give_up(parcel, by=by, now=now, reason=reason)
    for job in jobs:
        if job.status in HandoverJob.UNFINISHED:
            transit(job.make_obsolete, by=by, now=now, reason=reason)
            emit(HandoverCancelled(handover_job_id=job.pk), by=by, now=now)
    shipment = parcel.shipment
    if shipment.status in {Shipment.Status.REQUEST, Shipment.Status.CONFIRMED}:
        transit(shipment.retry, by=by, now=now, reason=reason)
        emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    return parcel


def _lock_shipment(shipment_id):
    order_id = Shipment.objects.values_list("order_id", flat=True).get(pk=shipment_id)
    Order.objects.lock(pk=order_id)
    return Shipment.objects.lock(pk=shipment_id)


@transaction.atomic
def request_labels(shipment_id, *, carrier=None, product="", by, now, version=None):
    """Ask for the labels of a packed shipment that waited for a carrier, or of which a label was cancelled.

    Refuses when there is still none, when the goods are not packed yet, and an old version.

    Args:
        carrier: the one to take, None for the facility's best that delivers there.
        product: what to take of it, where it has that.
    """
    shipment = _lock_shipment(shipment_id)
    check_version(shipment, version)
    job = PackJob.objects.filter(pick_job_id=shipment.pick_job_id, status=PackJob.Status.CLOSED).first()
    if job is None:
        raise NotPackedYet(shipment=shipment)
    chosen = choose_carrier(shipment, carrier, product)
    if chosen is None:
        raise NoCarrier(country=shipment.recipient["country"])
    _request(shipment, job, chosen, by=by, now=now)
    return shipment


@transaction.atomic
def correct_recipient(shipment_id, changes, *, by, now, version=None):
    """Correct the address of a shipment before its labels are made; the order keeps what the shop sent.

    Refuses an old version, and a shipment whose labels were asked for: its parcels are corrected one by one.

    Args:
        changes: fields of ``orders.models.Address``.
    """
    shipment = _lock_shipment(shipment_id)
    check_version(shipment, version)
    if shipment.status not in {Shipment.Status.INITIAL, Shipment.Status.RETRYABLE}:
        raise LabelsRequested(shipment=shipment)
    if _correct_recipient(shipment, changes):
        emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    return shipment


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


def _request(shipment, job, choice, *, by, now):
    """Make a parcel of each package that has none, or whose label was cancelled."""
    carrier, product = choice
    transit(shipment.request, carrier, by=by, now=now)
    begun = set(shipment.parcels.live().values_list("package_id", flat=True))
    used = set(shipment.parcels.values_list("package_id", flat=True))
    parcels = [
        Parcel(
            facility_id=shipment.facility_id,
            order_id=shipment.order_id,
            shipment=shipment,
            package=package,
            carrier=carrier,
            product=product,
            code=_new_code(package, is_used=package.pk in used),
            weight_g=package.weight_g,
            length_mm=package.length_mm or carrier.parcel_length_mm,
            width_mm=package.width_mm or carrier.parcel_width_mm,
            height_mm=package.height_mm or carrier.parcel_height_mm,
            created_at=now,
        )
        for package in job.packages.order_by("number")
        if package.pk not in begun
    ]
    Parcel.objects.bulk_create(parcels)
    log_created(*parcels, by=by, now=now)
    emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    for parcel in parcels:
        emit(ParcelCreated(parcel_id=parcel.pk), by=by, now=now)
        emit(ParcelRequested(parcel_id=parcel.pk), by=by, now=now)


def _new_code(package, *, is_used):
    """An SSCC when the retailer has a GS1 company prefix, else the package's own code the first time."""
    if not settings.GS1_COMPANY_PREFIX:
        return new_code("P") if is_used else package.code
    while Parcel.objects.filter(code=(code := new_sscc(settings.GS1_COMPANY_PREFIX))).exists():
        continue
    return code


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
    is_corrected = _correct_recipient(parcel.shipment, recipient or {})
    if is_corrected:
        emit(ShipmentUpdated(shipment_id=parcel.shipment_id), by=by, now=now)
    reason = gettext("The address was corrected.") if is_corrected else ""
    transit(parcel.request_again, by=by, now=now, reason=reason)
    emit(ParcelRequested(parcel_id=parcel.pk), by=by, now=now)
    return parcel


def _correct_recipient(shipment, changes):
    known = {field.name for field in dataclasses.fields(Address)}
    corrected = {**shipment.recipient, **{name: changes[name] for name in known & changes.keys()}}
    if corrected == shipment.recipient:
        return False
    shipment.recipient = corrected
    shipment.version += 1
    shipment.save(update_fields=["recipient", "version", "modified_at"])
    return True


# Handover


def _await_customer(pack_job, *, by, now):
    job = HandoverJob.objects.create(
        channel=HandoverJob.Channel.COLLECT,
        facility_id=pack_job.facility_id,
        order=pack_job.order,
        pick_job_id=pack_job.pick_job_id,
        short_id=pack_job.short_id,
        recipient_name=pack_job.order.recipient_name,
        is_paid=pack_job.order.is_paid,
        target_time=pack_job.target_time,
        created_at=now,
    )
    HandoverLine.objects.bulk_create(
        HandoverLine(
            job=job,
            order_line_id=line.order_line_id,
            pick_line_id=line.pick_line_id,
            title=line.title,
            quantity=line.quantity,
        )
        for line in pack_job.lines.all()
    )
    log_created(job, by=by, now=now)
    emit(HandoverCreated(handover_job_id=job.pk), by=by, now=now)


def await_carrier(parcel, *, by, now):
    """Open the handover of a labelled parcel. Runs in the transaction that finishes its label."""
    shipment = parcel.shipment
    job = HandoverJob.objects.create(
        channel=HandoverJob.Channel.DELIVERY,
        facility_id=parcel.facility_id,
        order_id=parcel.order_id,
        pick_job_id=shipment.pick_job_id,
        parcel=parcel,
        short_id=shipment.short_id,
        recipient_name=shipment.order.recipient_name,
        target_time=shipment.target_time,
        created_at=now,
    )
    HandoverLine.objects.bulk_create(
        HandoverLine(
            job=job,
            order_line_id=item.line.order_line_id,
            pick_line_id=item.line.pick_line_id,
            title=item.line.title,
            quantity=item.quantity,
        )
        for item in parcel.package.items.select_related("line")
    )
    log_created(job, by=by, now=now)
    emit(HandoverCreated(handover_job_id=job.pk), by=by, now=now)


def lock_handover(job_id):
    """Lock order, shipment, parcel and handover, in this order, as far as they exist."""
    job = HandoverJob.objects.select_related("parcel").get(pk=job_id)
    Order.objects.lock(pk=job.order_id)
    if job.parcel_id:
        Shipment.objects.lock(pk=job.parcel.shipment_id)
        Parcel.objects.lock(pk=job.parcel_id)
    return HandoverJob.objects.lock(pk=job_id)


@transaction.atomic
def note_on_handover(job_id, custom_attributes, *, by, now, version=None):
    """Replace the free attributes of a handover job. Refuses an old version."""
    job = lock_handover(job_id)
    check_version(job, version)
    if custom_attributes != job.custom_attributes:
        job.custom_attributes = custom_attributes
        job.version += 1
        job.save(update_fields=["custom_attributes", "version", "modified_at"])
    return job


def find_parcel(facility, code):
    """The open or finished handover of the parcel that carries this code. Refuses an unknown code."""
    codes = parcel_codes(code)
    job = (
        HandoverJob.objects.at(facility)
        .filter(
            Q(parcel__code__in=codes)
            | Q(parcel__tracking_number__in=codes)
            | Q(parcel__package__code__in=codes)
            | Q(pk__in=HandoverJob.objects.filter(parcel__codes__code__in=codes))
        )
        .exclude(parcel__status__in=Parcel.GIVEN_UP)
        .order_by("-created_at")
        .first()
    )
    if job is not None:
        return job
    parcel = Parcel.objects.at(facility).filter(Q(code__in=codes) | Q(package__code__in=codes)).first()
    if parcel is not None:
        raise ParcelNotReady(code=code, status=parcel.get_status_display())
    raise UnknownParcel(code=code)


@transaction.atomic
def hand_over(job_id, *, refused=None, by, now, version=None):
    """Hand a parcel to the carrier or goods to the customer.

    Refuses an old version, more refused units than there are, refused units without a reason, and a handover of nothing.

    Args:
        refused: ``{handover line id: (units, reason)}``, perhaps with a comment, for what the customer does not take.
    """
    job = lock_handover(job_id)
    check_version(job, version)
    refused = {line_id: entry for line_id, entry in (refused or {}).items() if entry[0]}
    if refused and job.channel != HandoverJob.Channel.COLLECT:
        raise OnlyCustomersRefuse(job=job)
    lines = list(job.lines.all())
    for line in lines:
        units, reason, comment = (*refused.get(line.pk, (0, "")), "")[:3]
        if not 0 <= units <= line.quantity:
            raise TooManyRefused(quantity=line.quantity, title=line.title)
        if units and not reason.strip():
            raise ReasonMissing
        line.handed_over = line.quantity - units
        line.refused = [{"quantity": units, "reason": reason, "comment": comment}] if units else []
    if not any(line.handed_over for line in lines):
        raise EverythingRefused
    for line in lines:
        line.save(update_fields=["handed_over", "refused"])
        if line.handed_over < line.quantity:
            orders.record_short(
                line.order_line_id, job.facility_id, line.quantity - line.handed_over, REFUSED, now=now
            )
    coming = {line.pick_line_id: line.quantity - line.handed_over for line in lines if line.refused}
    restow.come_back_later(coming, RestowItem.Reason.REFUSED, by=by, now=now)
    transit(job.hand_over, now, by=by, now=now)
    if job.parcel_id:
        orders.record_handed_over(job.parcel_id, now=now)
        _complete_shipment(job.parcel.shipment, by=by, now=now)
    emit(HandedOver(handover_job_id=job.pk), by=by, now=now)
    return job


def _complete_shipment(shipment, *, by, now):
    waiting = shipment.parcels.live().exclude(handover_job__status=HandoverJob.Status.HANDED_OVER)
    if shipment.status == Shipment.Status.CONFIRMED and not waiting.exists():
        transit(shipment.complete, by=by, now=now)
        emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)


@transaction.atomic
def revert(job_id, *, reason, by, now, version=None):
    """Take a handover back within 15 minutes.

    Refuses without a reason, later, a parcel that a driver signed for, and an old version.
    """
    if not reason.strip():
        raise ReasonMissing
    job = lock_handover(job_id)
    check_version(job, version)
    if job.handed_over_at and now - job.handed_over_at > REVERT_WITHIN:
        raise RevertTooLate(minutes=REVERT_WITHIN.seconds // 60)
    if job.parcel_id and LoadedParcel.objects.filter(parcel=job.parcel_id, load__status="CLOSED").exists():
        raise OnAManifest(job=job)
    return take_back(job, reason=reason, by=by, now=now)


def take_back(job, *, reason, by, now):
    """``revert`` for a locked job in the caller's transaction, whenever it was."""
    transit(job.revert, by=by, now=now, reason=reason)
    for line in job.lines.exclude(handed_over=F("quantity")):
        orders.withdraw_short(line.order_line_id, job.facility_id, REFUSED)
    restow.withdraw(job.order_id, job.facility_id, RestowItem.Reason.REFUSED, by=by, now=now)
    job.lines.update(handed_over=0, refused=[])
    if job.parcel_id:
        orders.record_handover_reverted(job.parcel_id, now=now)
        shipment = job.parcel.shipment
        if shipment.status == Shipment.Status.COMPLETED:
            transit(shipment.reopen, by=by, now=now, reason=reason)
            emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    emit(HandoverReverted(handover_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def cancel_handover(job_id, reason, *, by, now, version=None):
    """End the handover of collected goods: the customer did not come or refuses everything."""
    job = lock_handover(job_id)
    check_version(job, version)
    if job.channel != HandoverJob.Channel.COLLECT:
        raise NotForTheCustomer(job=job)
    if reason not in {
        HandoverJob.CancelReason.CONSUMER_NO_SHOW,
        HandoverJob.CancelReason.CONSUMER_REJECTS,
    }:
        raise ReasonMissing
    transit(job.cancel, reason, by=by, now=now)
    for line in job.lines.all():
        orders.record_short(line.order_line_id, job.facility_id, line.quantity, reason, now=now)
    is_no_show = reason == HandoverJob.CancelReason.CONSUMER_NO_SHOW
    restow.come_back_later(
        {line.pick_line_id: line.quantity for line in job.lines.all()},
        RestowItem.Reason.NOT_COLLECTED if is_no_show else RestowItem.Reason.REFUSED,
        by=by,
        now=now,
    )
    emit(HandoverCancelled(handover_job_id=job.pk), by=by, now=now)
    return job
