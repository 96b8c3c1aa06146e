"""Another number for a finished parcel: it was mistyped, or the carrier changed it."""

import dataclasses

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.services import documents
from fulfillment.core.status import check_version, log_change

from . import booking, labels, services
from .carriers import Doc
from .events import ParcelBooked
from .models import Parcel, ParcelCode
from .papers import is_drawn_here
from .parcel_data import parcel_data


class NotFinished(Refused):
    text = _("%(parcel)s has no number yet that could be corrected.")


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What is known of a parcel at its carrier."""

    number: str
    return_number: str = ""
    tracking_url: str = ""

    @classmethod
    def of(cls, parcel):
        return cls(parcel.tracking_number, parcel.return_tracking_number, parcel.tracking_url)


def correct_numbers(parcel_id, numbers, *, reason, by, now, version=None):
    """Give a finished parcel other numbers; its shop hears of them. A label that we drew is drawn anew.

    What the carrier said of the former number is forgotten. The same numbers change nothing. Refuses a number that no
    barcode holds, an address that no label holds, a parcel without a label, and an old version.
    """
    for text in filter(None, (numbers.number, numbers.return_number)):
        if not booking.NUMBER.fullmatch(text):
            raise booking.NumberNotUsable
    if not numbers.number:
        raise booking.NumberNotUsable
    parcel = Parcel.objects.select_related(
        "carrier", "label", "return_label", "shipment__order", "shipment__facility"
    ).get(pk=parcel_id)
    try:
        docs = _drawn(parcel, numbers)
    except labels.DoesNotFit as error:
        raise booking.AddressTooLong(parcel=parcel) from error
    for doc in docs:
        documents.keep(doc.data)
    with transaction.atomic():
        drawn_of, parcel = parcel.version, services.lock_parcel(parcel_id)
        check_version(parcel, version)
        check_version(parcel, drawn_of)  # the labels were drawn before the lock
        if parcel.status != Parcel.Status.DONE:
            raise NotFinished(parcel=parcel)
        if numbers != Numbers.of(parcel):
            _write(parcel, numbers, docs, now)
            log_change(parcel, "correct_numbers", by=by, now=now, reason=reason)
            booking.record(parcel, now)
            emit(ParcelBooked(parcel_id=parcel.pk), by=by, now=now)
    return parcel


def _drawn(parcel, numbers):
    """The labels that we drew ourselves, with the new numbers."""
    data, docs = parcel_data(parcel, numbers.number, declares=False), []
    for kind, stored in (("label", parcel.label), ("return_label", parcel.return_label)):
        if stored is not None and is_drawn_here(stored, parcel):
            is_return = kind == "return_label"
            number = numbers.return_number if is_return else numbers.number
            drawn = labels.render_label(data, number or numbers.number, is_return=is_return)
            docs.append(Doc(kind, "PDF", drawn))
    return docs


def _write(parcel, numbers, docs, now):
    former = parcel.tracking_number
    parcel.tracking_number = numbers.number
    parcel.return_tracking_number = numbers.return_number
    parcel.tracking_url = numbers.tracking_url
    if numbers.number != former:
        parcel.tracking_url = _page_of(numbers, former)
        parcel.tracking_status, parcel.tracked_at = "", None
        parcel.track_events.all().delete()
        # A label of the carrier still bears what is printed on it.
        left = [code for code in parcel.scan_codes if code != former] if docs else parcel.scan_codes
        parcel.scan_codes = [*left, numbers.number]
        if docs:
            parcel.codes.filter(code=former).delete()
        ParcelCode.objects.get_or_create(parcel=parcel, code=numbers.number)
    for doc in docs:
        setattr(parcel, doc.kind, booking.store_doc(parcel, doc, now))
    parcel.version += 1
    parcel.save(
        update_fields=[
            *("tracking_number", "return_tracking_number", "tracking_url", "tracking_status", "tracked_at"),
            *("scan_codes", "label", "return_label", "version", "modified_at"),
        ]
    )


def _page_of(numbers, former):
    """The tracking page of a new number; none when nobody knows how the carrier writes it."""
    if former not in numbers.tracking_url:
        return numbers.tracking_url if numbers.number in numbers.tracking_url else ""
    return numbers.tracking_url.replace(former, numbers.number)
