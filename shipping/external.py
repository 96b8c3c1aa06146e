"""Labels that another program gets from the carrier and brings here, piece by piece or at once."""

import dataclasses

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.services import documents
from fulfillment.core.status import check_version, transit

from . import booking, services, uploads
from .carriers import Booking, Doc
from .events import ParcelFailed
from .models import Parcel

WAITING = [Parcel.Status.OPEN, Parcel.Status.FAILED, Parcel.Status.WAITING_FOR_INPUT]


class LabelMissing(Refused):
    text = _("%(parcel)s has no label to be sent with. Add one before you close it.")


class ParcelHasLabel(Refused):
    text = _("%(parcel)s is %(status)s and takes no labels.")


@dataclasses.dataclass(frozen=True)
class Brought:
    """What was brought for a parcel: papers (``Doc``), numbers, or what the carrier had against it."""

    docs: tuple[Doc, ...] = ()
    number: str = ""
    tracking_url: str = ""
    return_number: str = ""
    failure: str = ""
    failure_code: str = ""


def add_labels(parcel_id, brought, *, closes=False, by, now, version=None):
    """Keep labels that another program got; ``closes``: they are all, the parcel is ready.

    Refuses a parcel that is being booked or finished, one that would be closed without label and number, a number
    that no barcode holds, and an old version.
    """
    for number in filter(None, (brought.number, brought.return_number)):
        if not booking.NUMBER.fullmatch(number):
            raise booking.NumberNotUsable
    for doc in brought.docs:
        documents.keep(doc.data)
    with transaction.atomic():
        parcel = services.lock_parcel(parcel_id)
        check_version(parcel, version)
        if parcel.status == Parcel.Status.PROCESSING:
            raise services.ParcelBeingBooked(parcel=parcel)
        if parcel.status not in WAITING:
            raise ParcelHasLabel(parcel=parcel, status=parcel.get_status_display())
        if brought.failure:
            return _fail(parcel, brought, by=by, now=now)
        _keep(parcel, brought, now)
        has_label = parcel.label_id is not None
        number = parcel.tracking_number
        if closes and not (has_label and number):
            raise LabelMissing(parcel=parcel)
    if closes:
        ready = Booking(
            number,
            brought.docs,
            tracking_url=parcel.tracking_url,
            return_number=parcel.return_tracking_number,
        )
        booking.store_brought(parcel_id, ready, by=by)
    return parcel


def _fail(parcel, brought, *, by, now):
    problem = booking.problem_of("REJECTED", brought.failure, code=brought.failure_code)
    if parcel.status == Parcel.Status.FAILED:
        parcel.problem = problem
        parcel.version += 1
        parcel.save(update_fields=["problem", "version", "modified_at"])
        return parcel
    transit(parcel.fail, problem, by=by, now=now, reason=brought.failure)
    emit(ParcelFailed(parcel_id=parcel.pk), by=by, now=now)
    return parcel


def _keep(parcel, brought, now):
    """Store papers and numbers on a parcel that is not ready yet."""
    fields = {"label": "label", "return_label": "return_label", "customs": "customs_document"}
    for doc in brought.docs:
        stored = booking.store_doc(parcel, doc, now, template=uploads.TEMPLATE)
        setattr(parcel, fields[doc.kind], stored)
    parcel.tracking_number = brought.number or parcel.tracking_number
    parcel.tracking_url = brought.tracking_url or parcel.tracking_url
    parcel.return_tracking_number = brought.return_number or parcel.return_tracking_number
    parcel.version += 1
    parcel.save(
        update_fields=[
            *(fields[doc.kind] for doc in brought.docs),
            "tracking_number",
            "tracking_url",
            "return_tracking_number",
            "version",
            "modified_at",
        ]
    )


def enter_number(parcel_id, number, *, label=None, by, now, version=None):
    """The number a person got at the carrier, with the carrier's label when there is one; else we draw one.

    Args:
        label: a ``Doc`` of ``uploads.read_label``.
    """
    if label is None:
        booking.enter_number(parcel_id, number, by=by, now=now, version=version)
        return
    brought = Brought((label,), number=number.strip())
    if not brought.number:
        raise booking.NumberNotUsable
    add_labels(parcel_id, brought, closes=True, by=by, now=now, version=version)
