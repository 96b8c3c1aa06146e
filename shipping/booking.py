"""Booking a label: the one step that asks a carrier, in a worker, with no transaction open during the call.

The attempt is written and committed before the call. Whatever happens then, nothing is booked a second time
unless a person asks for it (``services.request_again``).
"""

import datetime
import logging
import re

from django.db import transaction
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import orders.services as orders
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import Document
from fulfillment.core.outbox import RetryLater
from fulfillment.core.services import documents
from fulfillment.core.status import check_version, transit
from orders.models import Address

from . import labels, notes, services
from .carriers import Booking, CarrierError, Contact, Doc, Outcome, ParcelData, UnknownAdapter, adapter_of
from .events import ParcelBooked, ParcelFailed, ShipmentConfirmed, ShipmentUpdated
from .models import BookingAttempt, Parcel, Shipment

logger = logging.getLogger(__name__)

# A call that was begun this long ago and has no answer lost its worker.
CALL_LOST_AFTER = datetime.timedelta(minutes=2)
# What fits into a barcode of the label's width and into the field of every carrier.
NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z ./_-]{0,39}")
LANGUAGES = {"DE": "de", "AT": "de", "CH": "de"}


class NumberNotUsable(Refused):
    text = _("Enter the tracking number: up to 40 letters and digits.")


class AddressTooLong(Refused):
    text = _("The address of %(parcel)s does not fit on a label. Shorten it.")


def book_parcel(event):
    """Get the label of a parcel.

    Called again, it does nothing, finishes what was booked, or asks a person when a call lost its answer.
    """
    now = timezone.now()
    attempt = _begin(event.parcel_id, now)
    if attempt is None:
        return
    if attempt.outcome == BookingAttempt.Outcome.PENDING and not _call(attempt):
        return
    _store_booking(attempt.parcel_id, _booking_of(attempt), attempt=attempt, by=None)


def _call(attempt):
    """Ask the carrier and keep its answer; False when there is no booking."""
    parcel = attempt.parcel
    try:
        booking = adapter_of(parcel.carrier).book(parcel_data(parcel, attempt.reference))
        _keep_answer(attempt, booking)
    except CarrierError as error:
        _store_failure(attempt, error)
    except Exception:
        # Whatever went wrong in the middle of a call: it may have been booked.
        logger.exception("Booking of parcel %s failed.", parcel.pk)
        _store_failure(attempt, CarrierError(Outcome.UNKNOWN, gettext("The booking broke off.")))
    else:
        return True
    return False


def _keep_answer(attempt, booking):
    attempt.answer = {
        "number": booking.number,
        "docs": [[doc.kind, doc.format, documents.keep(doc.data)] for doc in booking.docs],
        "warnings": list(booking.warnings),
        "return_number": booking.return_number,
        "tracking_url": booking.tracking_url,
        "scan_codes": list(booking.scan_codes),
    }
    attempt.outcome, attempt.message = BookingAttempt.Outcome.BOOKED, booking.number
    attempt.ended_at = timezone.now()
    attempt.save(update_fields=["answer", "outcome", "message", "ended_at"])


def _booking_of(attempt):
    docs = tuple(Doc(kind, form, documents.kept(sha256)) for kind, form, sha256 in attempt.answer["docs"])
    return Booking(**{**attempt.answer, "docs": docs})


@transaction.atomic
def _begin(parcel_id, now):
    """Commit to one call: the attempt to call for or to finish, or None when there is nothing to do."""
    parcel = services.lock_parcel(parcel_id)
    if parcel.status == Parcel.Status.PROCESSING:
        last = parcel.attempts.last()
        if last.outcome == BookingAttempt.Outcome.BOOKED:
            return last
        if now - last.started_at < CALL_LOST_AFTER:
            raise RetryLater("The carrier is being asked.", seconds=CALL_LOST_AFTER.seconds)
        _close(last, BookingAttempt.Outcome.UNKNOWN, "The worker ended during the call.", now)
        transit(
            parcel.ask,
            _problem(Outcome.UNKNOWN, gettext("The answer of the carrier was lost.")),
            by=None,
            now=now,
        )
        return None
    if parcel.status != Parcel.Status.OPEN:
        return None
    try:
        adapter = adapter_of(parcel.carrier)
    except UnknownAdapter as refusal:
        transit(parcel.ask, _problem("CONFIGURATION", refusal.message), by=None, now=now)
        return None
    if "book" not in adapter.capabilities:
        text = gettext("Book this parcel at %(carrier)s and enter its number.") % {"carrier": parcel.carrier}
        transit(parcel.ask, _problem("MANUAL", text), by=None, now=now)
        return None
    transit(parcel.begin, by=None, now=now)
    number = parcel.attempts.count() + 1
    return BookingAttempt.objects.create(
        parcel=parcel,
        number=number,
        reference=f"{parcel.code}-{number}",
        request={"recipient": parcel.shipment.recipient, "weight_g": parcel.weight_g},
        started_at=now,
    )


def _problem(outcome, message, *, code="", fields=()):
    return {
        "outcome": outcome.value if isinstance(outcome, Outcome) else outcome,
        "code": code,
        "message": message,
        "fields": [list(field) for field in fields],
    }


def _close(attempt, outcome, message, now):
    attempt.outcome, attempt.message, attempt.ended_at = outcome, message, now
    attempt.save(update_fields=["outcome", "message", "ended_at"])


def _store_failure(attempt, error):
    now = timezone.now()
    problem = _problem(error.outcome, error.message, code=error.code, fields=error.fields)
    with transaction.atomic():
        parcel = services.lock_parcel(attempt.parcel_id)
        _close(attempt, error.outcome.value, error.message, now)
        if parcel.status == Parcel.Status.PROCESSING:
            step = {
                Outcome.REJECTED: parcel.fail,
                Outcome.RETRY: parcel.put_back,
                Outcome.UNKNOWN: parcel.ask,
            }
            transit(step[error.outcome], problem, by=None, now=now, reason=error.message)
            if error.outcome is Outcome.REJECTED:
                emit(ParcelFailed(parcel_id=parcel.pk), by=None, now=now)
    if error.outcome is Outcome.RETRY:
        raise RetryLater(error.message, seconds=error.seconds)


def enter_number(parcel_id, number, *, by, now, version=None):
    """Store the tracking number a person got from the carrier; the label is then drawn by us.

    Refuses a number that no barcode holds, an address that no label holds, a parcel that does not wait for one, and
    an old version.
    """
    number = number.strip()
    if not NUMBER.fullmatch(number):
        raise NumberNotUsable
    parcel = Parcel.objects.select_related("carrier", "shipment__order", "shipment__facility").get(
        pk=parcel_id
    )
    check_version(parcel, version)
    data = parcel_data(parcel, number)
    try:
        docs = (
            Doc("label", "PDF", labels.render_label(data, number)),
            Doc("return_label", "PDF", labels.render_label(data, number, is_return=True)),
        )
    except labels.DoesNotFit as error:
        raise AddressTooLong(parcel=parcel) from error
    _store_booking(parcel_id, Booking(number, docs, scan_codes=(parcel.code, number)), attempt=None, by=by)


def _store_booking(parcel_id, booking, *, attempt, by):
    """Write down what was booked, in one transaction; the slow papers are made before it."""
    now = timezone.now()
    shipment = Shipment.objects.select_related("order", "facility").get(parcels=parcel_id)
    snapshot = note_snapshot(shipment, booking.return_number)
    note = notes.render_delivery_note(snapshot)
    for doc in booking.docs:
        documents.keep(doc.data)
    with transaction.atomic():
        parcel = services.lock_parcel(parcel_id)
        if attempt is not None and not _is_awaited(parcel, attempt):
            logger.warning("Parcel %s was booked as %s too late.", parcel.pk, booking.number)
            return
        stored = {doc.kind: _store_doc(parcel, doc, now) for doc in booking.docs}
        step = parcel.done if attempt is not None else parcel.enter_number
        transit(step, booking, stored.get("label"), stored.get("return_label"), by=by, now=now)
        _record(parcel, now)
        emit(ParcelBooked(parcel_id=parcel.pk), by=by, now=now)
        services.await_carrier(parcel, by=by, now=now)
        _confirm(parcel.shipment, note, snapshot, by=by, now=now)


def _is_awaited(parcel, attempt):
    """Whether this answer still counts: not after a cancellation, a typed number or a newer attempt."""
    waiting = {Parcel.Status.PROCESSING, Parcel.Status.WAITING_FOR_INPUT}
    return parcel.status in waiting and parcel.attempts.last() == attempt


def _store_doc(parcel, doc, now):
    category = {
        "label": Document.Category.SENDLABEL,
        "return_label": Document.Category.RETURNLABEL,
        "customs": Document.Category.CUSTOMS,
    }.get(doc.kind, Document.Category.EXTERNAL)
    return documents.store(
        doc.data,
        facility_id=parcel.facility_id,
        category=category,
        name=f"{category.lower()}-{parcel.code}.{doc.format.lower()}",
        order_id=parcel.order_id,
        format=doc.format,
        template=labels.VERSION,
        now=now,
    )


def _record(parcel, now):
    items = parcel.package.items.values_list("line__order_line_id", "quantity")
    orders.record_parcel(
        parcel.pk,
        order_id=parcel.order_id,
        facility_id=parcel.facility_id,
        carrier_key=parcel.carrier.key,
        tracking_number=parcel.tracking_number,
        tracking_url=parcel.tracking_url,
        return_tracking_number=parcel.return_tracking_number,
        items=[{"line": str(line_id), "quantity": quantity} for line_id, quantity in items],
        now=now,
    )


def _confirm(shipment, note, snapshot, *, by, now):
    """With the last label the shipment is confirmed and its delivery note stored."""
    if shipment.parcels.exclude(status=Parcel.Status.DONE).exists():
        return
    shipment.delivery_note = documents.store(
        note,
        facility_id=shipment.facility_id,
        category=Document.Category.DELIVERYNOTE,
        name=f"delivery-note-{shipment.order}-{shipment.short_id}.pdf",
        order_id=shipment.order_id,
        template=notes.VERSION,
        snapshot=snapshot,
        now=now,
    )
    shipment.save(update_fields=["delivery_note", "modified_at"])
    transit(shipment.confirm, by=by, now=now)
    emit(ShipmentConfirmed(shipment_id=shipment.pk), by=by, now=now)
    emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)


# What the papers say


def parcel_data(parcel, reference):
    """A parcel as adapters and labels take it."""
    shipment = parcel.shipment
    siblings = list(shipment.parcels.order_by("package__number").values_list("pk", flat=True))
    return ParcelData(
        reference=reference,
        code=parcel.code,
        is_sscc=parcel.code.isdigit() and len(parcel.code) == 18,
        carrier_name=parcel.carrier.name,
        sender=sender_of(shipment.facility),
        recipient=recipient_of(shipment),
        weight_g=parcel.weight_g,
        length_mm=parcel.length_mm,
        width_mm=parcel.width_mm,
        height_mm=parcel.height_mm,
        order_number=str(shipment.order),
        number=siblings.index(parcel.pk) + 1,
        count=len(siblings),
        language=language_of(shipment),
    )


def sender_of(facility):
    return Contact(
        name=facility.company_name,
        street=facility.street,
        house_number=facility.house_number,
        postal_code=facility.postal_code,
        city=facility.city,
        country=facility.country,
    )


def recipient_of(shipment):
    address = Address(**shipment.recipient)
    return Contact(
        name=address.name,
        company=address.company if address.company != address.name else "",
        addition=address.addition,
        street=address.street,
        house_number=address.house_number,
        postal_code=address.postal_code,
        city=address.city,
        country=address.country,
        province=address.province,
    )


def language_of(shipment):
    """The customer's language, as far as the country tells."""
    return LANGUAGES.get(shipment.recipient["country"], "en")


def note_snapshot(shipment, return_number):
    """What the delivery note is made from, kept with it."""
    language = language_of(shipment)
    recipient, sender = recipient_of(shipment), sender_of(shipment.facility)
    with translation.override(language):
        order_date = date_format(
            timezone.localtime(shipment.order.order_date, shipment.facility.tz), "DATE_FORMAT"
        )
    return {
        "language": language,
        "order_number": str(shipment.order),
        "order_date": order_date,
        "sender": [*sender.lines, sender.country],
        "recipient": recipient.lines,
        "country": recipient.country,
        "lines": [
            {
                "sku": line.order_line.sku,
                "title": line.title,
                "quantity": line.quantity,
                "ordered": line.order_line.quantity,
            }
            for line in shipment.pick_job.pack_job.lines.select_related("order_line")
        ],
        "parcels": list(shipment.parcels.values_list("code", flat=True)),
        "return_number": return_number,
    }
