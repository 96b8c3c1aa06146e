"""How goods leave the house: with a carrier or with the customer, and back within minutes."""

import datetime
import uuid
from collections import Counter

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

import orders.services as orders
from fulfillment.core import attributes
from fulfillment.core.codes import parcel_codes
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_change, log_created, transit
from orders.models import Order
from picking import restow
from picking.models import RestowItem

from ..events import (
    GoodsReady,
    HandedOver,
    HandoverCancelled,
    HandoverCreated,
    HandoverReverted,
    ShipmentUpdated,
)
from ..models import HandoverJob, HandoverLine, LoadedParcel, Parcel, Shipment

NotGiven = HandoverLine.NotGiven
REVERT_WITHIN = datetime.timedelta(minutes=15)


class HandoverNeedsGoods(Refused):
    text = _("A handover job is opened when goods are ready for it. Name their pick job in pickJobRef.")


class UnknownParcel(Refused):
    text = _("No parcel here has the code %(code)s.")


class ParcelNotReady(Refused):
    text = _("Parcel %(code)s is not ready: %(status)s.")


class NotForTheCustomer(Refused):
    text = _("%(job)s goes to the carrier and cannot be cancelled here. Cancel the order instead.")


class TooManyRefused(Refused):
    text = _("Only %(quantity)s of %(title)s are there to be refused.")


class OnlyCustomersRefuse(Refused):
    text = _("%(job)s goes to the carrier, which takes the whole parcel.")


class EverythingRefused(Refused):
    text = _("Nothing is left to hand over: cancel the handover instead.")


class HandoverEnded(Refused):
    text = _("%(job)s is %(status)s and can no longer be changed.")


class TooManyMissing(Refused):
    text = _("Only %(quantity)s of %(title)s can be missing.")


class RevertTooLate(Refused):
    text = _("A handover can be taken back within %(minutes)s minutes only.")


class OnAManifest(Refused):
    text = _("%(job)s is on the list that the driver signed. A supervisor can reopen the load.")


class ReasonMissing(Refused):
    text = _("Say why.")


def await_customer(pack_job, *, by, now):
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
            recordable_attributes=attributes.copies(line.recordable_attributes),
        )
        for line in pack_job.lines.all()
    )
    log_created(job, by=by, now=now)
    emit(HandoverCreated(handover_job_id=job.pk), by=by, now=now)
    emit(GoodsReady(handover_job_id=job.pk), by=by, now=now)


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
            recordable_attributes=attributes.copies(item.line.recordable_attributes),
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
def modify_handover(
    job_id, *, custom_attributes=None, recipient_name=None, target_time=None, by, now, version=None
):
    """Change what is known of a handover job. Refuses an old version, and one that is ended but for its attributes."""
    job = lock_handover(job_id)
    check_version(job, version)
    given = {"recipient_name": recipient_name, "target_time": target_time}
    changes = {name: value for name, value in given.items() if value not in (None, getattr(job, name))}
    if changes and job.status not in HandoverJob.UNFINISHED:
        raise HandoverEnded(job=job, status=job.get_status_display())
    if custom_attributes not in (None, job.custom_attributes):
        changes["custom_attributes"] = custom_attributes
    if changes:
        for name, value in changes.items():
            setattr(job, name, value)
        job.version += 1
        job.save(update_fields=[*changes, "version", "modified_at"])
        log_change(job, "modify", by=by, now=now, reason=", ".join(changes))
    return job


@transaction.atomic
def assign_handover(job_id, users, *, by, now, version=None):
    """Say who hands something over, instead of who it was; nobody in particular when there are none.

    Refuses an old version and a handover that is ended.
    """
    job = lock_handover(job_id)
    check_version(job, version)
    if job.status not in HandoverJob.UNFINISHED:
        raise HandoverEnded(job=job, status=job.get_status_display())
    job.assigned_users.set(users)
    job.version += 1
    job.save(update_fields=["version", "modified_at"])
    log_change(job, "assign", by=by, now=now)
    return job


@transaction.atomic
def decide_line(job_id, line_id, *, refused=None, is_decided=None, by, now, version=None):
    """Say of one line what the customer refuses, before the rest is handed over.

    Refuses an old version, a handover that is ended, more units than there are, and units without a reason.

    Args:
        refused: ``[{"quantity", "reason", "comment"}]``, None to leave it.
        is_decided: whether nothing of the line is open any more, None to leave it.
    """
    job = lock_handover(job_id)
    check_version(job, version)
    if job.status not in HandoverJob.UNFINISHED:
        raise HandoverEnded(job=job, status=job.get_status_display())
    line = job.lines.get(pk=line_id)
    if refused is not None:
        line.refused = [entry for entry in refused if entry["quantity"]]
        _check_refused(job, line)
    if is_decided is not None:
        line.is_decided = is_decided
    line.save(update_fields=["refused", "is_decided"])
    job.version += 1
    job.save(update_fields=["version", "modified_at"])
    log_change(job, "decide_line", by=by, now=now, reason=line.title)
    return job


def _check_refused(job, line):
    if line.refused and job.channel != HandoverJob.Channel.COLLECT:
        raise OnlyCustomersRefuse(job=job)
    if line.refused_units > line.there or any(entry["quantity"] < 0 for entry in line.refused):
        raise TooManyRefused(quantity=line.there, title=line.title)
    if not all(entry["reason"].strip() for entry in line.refused):
        raise ReasonMissing


def miss(job, line, units):
    """Note on a line of a locked handover how many of its units are not there. Refuses more than there can be."""
    if units and job.channel != HandoverJob.Channel.COLLECT:
        raise OnlyCustomersRefuse(job=job)
    if not 0 <= units <= line.quantity:
        raise TooManyMissing(quantity=line.quantity, title=line.title)
    line.missing = units


@transaction.atomic
def move_missing(job_id, moves, *, by, now, version=None):
    """Note units that are not there when they are to be given, or that were found again.

    Refuses an old version, a handover that is ended, more units than there are, and those that the customer refuses.

    Args:
        moves: ``[(line id, units)]``; fewer than none are found again.
    """
    job = lock_handover(job_id)
    check_version(job, version)
    if job.status not in HandoverJob.UNFINISHED:
        raise HandoverEnded(job=job, status=job.get_status_display())
    lines = {line.pk: line for line in job.lines.all()}
    for line_id, units in moves:
        line = lines[line_id]
        miss(job, line, line.missing + units)
        _check_refused(job, line)
        line.save(update_fields=["missing"])
    job.version += 1
    job.save(update_fields=["version", "modified_at"])
    log_change(job, "move_missing", by=by, now=now)
    return job


@transaction.atomic
def wait_for_input(job_id, *, by, now, version=None):
    """Stop a handover until somebody decides. Refuses an old version, and one that is not open."""
    job = lock_handover(job_id)
    check_version(job, version)
    return transit(job.wait, by=by, now=now)


@transaction.atomic
def go_on(job_id, *, by, now, version=None):
    """Let a handover that waited go on. Refuses an old version, and one that does not wait."""
    job = lock_handover(job_id)
    check_version(job, version)
    return transit(job.go_on, by=by, now=now)


@transaction.atomic
def reopen_handover(job_id, *, reason, by, now, version=None):
    """Let a handover that waited go on, or take one back that is done. Refuses what ``revert`` refuses."""
    if lock_handover(job_id).status == HandoverJob.Status.WAITING_FOR_INPUT:
        return go_on(job_id, by=by, now=now, version=version)
    return revert(job_id, reason=reason, by=by, now=now, version=version)


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
def hand_over(job_id, *, refused=None, missing=None, by, now, version=None):
    """Hand a parcel to the carrier or goods to the customer.

    Refuses an old version, more refused or missing units than there are, refused units without a reason, and a
    handover of nothing.

    Args:
        refused: ``{handover line id: (units, reason)}``, perhaps with a comment, for what the customer does not take;
            None for what was said of the lines before.
        missing: ``{handover line id: units}`` that are not there, None for what was said before.
    """
    job = lock_handover(job_id)
    check_version(job, version)
    lines = list(job.lines.all())
    for line in lines:
        if missing is not None:
            miss(job, line, missing.get(line.pk, 0))
        if refused is not None:
            units, reason, comment = (*refused.get(line.pk, (0, "")), "")[:3]
            line.refused = [{"quantity": units, "reason": reason, "comment": comment}] if units else []
        _check_refused(job, line)
        line.handed_over = line.there - line.refused_units
    # A box with mere parts of units that are counted in another one has no lines.
    if (lines or not job.parcel_id) and not any(line.handed_over for line in lines):
        raise EverythingRefused
    for line in lines:
        line.save(update_fields=["handed_over", "refused", "missing"])
        for units, reason in ((line.refused_units, NotGiven.REFUSED), (line.missing, NotGiven.MISSING)):
            if units:
                orders.record_short(line.order_line_id, job.facility_id, units, reason, now=now)
    coming: Counter[uuid.UUID] = Counter()  # lines may have been split
    for line in lines:
        coming[line.pick_line_id] += line.refused_units
    restow.come_back_later(+coming, RestowItem.Reason.REFUSED, by=by, now=now)
    transit(job.hand_over, now, by=by, now=now)
    if job.parcel_id:
        job.parcel.load_units.clear()
        orders.record_handed_over(job.parcel_id, now=now)
        _complete_shipment(job.parcel.shipment, by=by, now=now)
    else:
        _record_collected(job, lines, now)
    emit(HandedOver(handover_job_id=job.pk), by=by, now=now)
    return job


def _record_collected(job, lines, now):
    taken: Counter[uuid.UUID] = Counter()  # lines may have been split
    for line in lines:
        taken[line.order_line_id] += line.handed_over
    items = [{"line": str(line_id), "quantity": units} for line_id, units in (+taken).items()]
    orders.record_collected(job.pk, order_id=job.order_id, facility_id=job.facility_id, items=items, now=now)


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
        for why in NotGiven:
            orders.withdraw_short(line.order_line_id, job.facility_id, why)
    restow.withdraw(job.order_id, job.facility_id, RestowItem.Reason.REFUSED, by=by, now=now)
    job.lines.update(handed_over=0, refused=[], missing=0, is_decided=False)
    if job.parcel_id:
        orders.record_handover_reverted(job.parcel_id, now=now)
        shipment = job.parcel.shipment
        if shipment.status == Shipment.Status.COMPLETED:
            transit(shipment.reopen, by=by, now=now, reason=reason)
            emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    else:
        orders.withdraw_collected(job.pk, now=now)
    emit(HandoverReverted(handover_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def cancel_handover(job_id, reason, *, missing=None, by, now, version=None):
    """End the handover of collected goods: the customer did not come or refuses everything.

    Refuses an old version, a parcel for a carrier, another reason, and more missing units than there are.

    Args:
        missing: ``{handover line id: units}`` that are not there, where that was not said before.
    """
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
    coming: Counter[uuid.UUID] = Counter()
    for line in job.lines.all():
        miss(job, line, (missing or {}).get(line.pk, line.missing))
        line.save(update_fields=["missing"])
        for units, why in ((line.there, reason), (line.missing, NotGiven.MISSING)):
            if units:
                orders.record_short(line.order_line_id, job.facility_id, units, why, now=now)
        coming[line.pick_line_id] += line.there
    is_no_show = reason == HandoverJob.CancelReason.CONSUMER_NO_SHOW
    restow.come_back_later(
        +coming,
        RestowItem.Reason.NOT_COLLECTED if is_no_show else RestowItem.Reason.REFUSED,
        by=by,
        now=now,
    )
    emit(HandoverCancelled(handover_job_id=job.pk), by=by, now=now)
    return job
