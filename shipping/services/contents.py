"""What is in shipments, parcels and handovers: lines apart, what is recorded of them, and what parcels stand in."""

import contextlib
import dataclasses
import uuid

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

import packing.services as packing
from fulfillment.core import attributes
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_change
from packing.models import PackJob
from picking.models import LoadUnit

from ..events import ShipmentUpdated
from ..models import HandoverJob, HandoverLine, Parcel, Shipment
from .handovers import HandoverEnded, lock_handover
from .parcels import lock_parcel


class NotALineOfTheHandover(Refused):
    text = _("%(line)s is not a line of %(job)s.")


class HandoverLineNotToBeSplit(Refused):
    text = _(
        "%(title)s cannot be split like this: each part has at least one unit, and what is refused stays."
    )


class UnknownLoadUnit(Refused):
    text = _("No tote or box here has the code %(code)s.")


class ParcelHasLeft(Refused):
    text = _("%(parcel)s is handed over or cancelled: it stands in no tote or box.")


@dataclasses.dataclass(frozen=True)
class HandoverSplit:
    """Units that leave a line of a handover."""

    line_id: uuid.UUID | None
    quantity: int


def _touch(row, action, *, by, now):
    row.version += 1
    row.save(update_fields=["version", "modified_at"])
    log_change(row, action, by=by, now=now)
    return row


def _pack_job_of(pick_job_id):
    return PackJob.objects.only("pk").get(pick_job=pick_job_id).pk


# The lines of shipments and parcels are those of the pack job; its steps lock the order and the job, then we lock ours.


def _lock_shipment(shipment_id, version):
    shipment = Shipment.objects.lock(pk=shipment_id)
    check_version(shipment, version)
    return shipment


@transaction.atomic
def split_shipment(shipment_id, splits, *, by, now, version=None):
    """Let units of lines of a shipment go on as lines of their own. Refuses an old version and what ``packing.split`` refuses."""
    job_id = _pack_job_of(Shipment.objects.only("pick_job").get(pk=shipment_id).pick_job_id)
    packing.split(job_id, splits, by=by, now=now)
    shipment = _touch(_lock_shipment(shipment_id, version), "split", by=by, now=now)
    emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    return shipment


@transaction.atomic
def record_of_shipment(shipment_id, changes, *, by, now, version=None):
    """Keep what was recorded of goods of a shipment. Refuses an old version and what ``packing.record`` refuses."""
    job_id = _pack_job_of(Shipment.objects.only("pick_job").get(pk=shipment_id).pick_job_id)
    packing.record(job_id, changes, by=by, now=now)
    shipment = _touch(_lock_shipment(shipment_id, version), "record", by=by, now=now)
    emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    return shipment


@transaction.atomic
def split_parcel(parcel_id, splits, *, by, now, version=None):
    """Let units in a parcel go on as lines of their own. Refuses an old version and what ``packing.split`` refuses."""
    package = Parcel.objects.select_related("package").get(pk=parcel_id).package
    packing.split(package.job_id, splits, package_id=package.pk, by=by, now=now)
    parcel = lock_parcel(parcel_id)
    check_version(parcel, version)
    return _touch(parcel, "split", by=by, now=now)


@transaction.atomic
def record_of_parcel(parcel_id, changes, *, by, now, version=None):
    """Keep what was recorded of goods in a parcel. Refuses an old version and what ``packing.record`` refuses."""
    job_id = Parcel.objects.select_related("package").get(pk=parcel_id).package.job_id
    packing.record(job_id, changes, by=by, now=now)
    parcel = lock_parcel(parcel_id)
    check_version(parcel, version)
    return _touch(parcel, "record", by=by, now=now)


@transaction.atomic
def put_into_load_units(parcel_id, references, *, by, now, version=None):
    """Say in which totes or boxes a parcel stands, instead of where it stood.

    Refuses those that are not at its facility, and a parcel that is handed over or given up; out of all it may come.

    Args:
        references: ids or codes of load units.
    """
    parcel = lock_parcel(parcel_id)
    check_version(parcel, version)
    gone = HandoverJob.objects.filter(parcel=parcel, status=HandoverJob.Status.HANDED_OVER)
    if references and (parcel.status in Parcel.GIVEN_UP or gone.exists()):
        raise ParcelHasLeft(parcel=parcel)
    found = []
    for reference in references:
        known = Q(code__iexact=reference)
        with contextlib.suppress(ValueError):  # no id
            known |= Q(pk=uuid.UUID(reference))
        unit = LoadUnit.objects.at(parcel.facility_id).filter(known).first()
        if unit is None:
            raise UnknownLoadUnit(code=reference)
        found.append(unit)
    parcel.load_units.set(found)
    return _touch(parcel, "load units", by=by, now=now)


# Lines of handovers are their own: what a customer takes is decided line by line.


def _lock_open(job_id, version):
    job = lock_handover(job_id)
    check_version(job, version)
    if job.status not in HandoverJob.UNFINISHED:
        raise HandoverEnded(job=job, status=job.get_status_display())
    return job


@transaction.atomic
def split_handover(job_id, splits, *, by, now, version=None):
    """Let units of lines go on as lines of their own, so that they can be decided apart; all or nothing.

    Refuses an old version, a handover that is ended, lines of others, and parts without a unit that may be handed over.
    """
    job = _lock_open(job_id, version)
    lines = {line.pk: line for line in job.lines.all()}
    for one in splits:
        line = lines.get(one.line_id)
        if line is None:
            raise NotALineOfTheHandover(line=one.line_id, job=job)
        if not 1 <= one.quantity <= line.there - max(line.refused_units, 1):
            raise HandoverLineNotToBeSplit(title=line.title)
        line.quantity -= one.quantity
        line.save(update_fields=["quantity"])
        HandoverLine.objects.create(
            job=job,
            order_line_id=line.order_line_id,
            pick_line_id=line.pick_line_id,
            title=line.title,
            quantity=one.quantity,
            recordable_attributes=attributes.copies(line.recordable_attributes),
        )
    return _touch(job, "split", by=by, now=now)


@transaction.atomic
def record_of_handover(job_id, changes, *, by, now, version=None):
    """Keep what was recorded of goods that are handed over.

    Refuses an old version, a handover that is ended, and attributes that none of its lines has.
    """
    job = _lock_open(job_id, version)
    attributes.record(job, "recordable_attributes", changes)
    return _touch(job, "record", by=by, now=now)
