"""Booking a label: the one step that asks a carrier, in a worker, with no transaction open during the call.

The attempt is written and committed before the call. Whatever happens then, nothing is booked a second time
unless a person asks for it (``services.request_again``).
"""

import dataclasses
import datetime
import enum
import logging
import re

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import orders.services as orders
from fulfillment.core.encryption import UnreadableSecret
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import Document
from fulfillment.core.outbox import Postponed, RetryLater
from fulfillment.core.services import documents
from fulfillment.core.status import check_version, transit
from packing.models import Package
from packing.queries import parts_with

from . import label_codes, labels, services, wanted
from .carriers import (
    Booking,
    CarrierError,
    Doc,
    Outcome,
    UnknownAdapter,
    adapter_of,
)
from .choosing import connection_of
from .events import ParcelBooked, ParcelFailed, ShipmentConfirmed, ShipmentUpdated
from .models import BookingAttempt, Parcel, ParcelCode, Shipment
from .parcel_data import parcel_data

logger = logging.getLogger(__name__)

# A call that was begun this long ago and has no answer lost its worker.
CALL_LOST_AFTER = datetime.timedelta(minutes=2)
# Long before that its worker, which may only have stood still, sends nothing any more.
SEND_WITHIN = datetime.timedelta(minutes=1)
# Asked for so long in vain, the question goes to a person.
FIND_GIVE_UP_AFTER = datetime.timedelta(minutes=15)
FIND_AGAIN_SECONDS = 20
LOOK_AGAIN = datetime.timedelta(hours=1)
# What fits into a barcode of the label's width and into the field of every carrier.
NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z ./_-]{0,39}")


class NumberNotUsable(Refused):
    text = _("Enter the tracking number: up to 40 letters and digits.")


class AddressTooLong(Refused):
    text = _("The address of %(parcel)s does not fit on a label. Shorten it.")


class NotDeclared(Refused):
    text = _("%(parcel)s cannot leave yet: %(why)s")


class LabelTooEarly(Refused):
    text = _("The shop lets the label of %(order)s be made from %(time)s on.")


class Step(enum.Enum):
    """What a delivery has to do with a parcel."""

    NOTHING = enum.auto()
    CALL = enum.auto()
    ASK = enum.auto()
    STORE = enum.auto()


def book_parcel(event):
    """Get the label of a parcel.

    Called again, it does nothing, finishes what was booked, or finds out what became of a call that lost its answer:
    from the carrier where it can tell, else a person has to.
    """
    if wanted.is_held_back(event.parcel_id):
        return
    attempt, step = _begin(event.parcel_id, timezone.now())
    if step is Step.NOTHING:
        return
    if step is Step.CALL and not _call(attempt):
        return
    if step is Step.ASK and not _ask_carrier(attempt):
        return
    if not _store_booking(attempt.parcel_id, _booking_of(attempt), attempt=attempt, by=None):
        _take_back_late(attempt)


def adapter_for(parcel):
    """The adapter of the connection that a parcel is booked through."""
    return adapter_of(connection_of(parcel.facility_id, parcel.carrier))


def _call(attempt):
    """Ask the carrier to book and keep its answer; False when there is no booking."""
    parcel = attempt.parcel
    try:
        data = dataclasses.replace(
            parcel_data(parcel, attempt.reference), send_until=attempt.started_at + SEND_WITHIN
        )
        booking = adapter_for(parcel).book(data)
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


def _ask_carrier(attempt):
    """Ask what became of a call that lost its answer; True when it was booked and the booking is kept now."""
    age = timezone.now() - attempt.started_at
    try:
        booking = adapter_for(attempt.parcel).find(attempt.reference)
    except CarrierError as error:
        if age > FIND_GIVE_UP_AFTER:
            _store_failure(attempt, CarrierError(Outcome.UNKNOWN, attempt.message, can_find=False))
            return False
        raise RetryLater(error.message, seconds=error.seconds) from error
    if booking is not None:
        _keep_answer(attempt, booking)
        return True
    if age < CALL_LOST_AFTER:
        # It may be about to write it down.
        raise RetryLater("The carrier does not know of the booking yet.", seconds=FIND_AGAIN_SECONDS)
    _store_failure(
        attempt, CarrierError(Outcome.RETRY, "The carrier was asked: it booked nothing.", seconds=0)
    )
    return False


def _keep_answer(attempt, booking):
    attempt.answer = {
        "number": booking.number,
        "docs": [[doc.kind, doc.format, documents.keep(doc.data)] for doc in booking.docs],
        "warnings": list(booking.warnings),
        "return_number": booking.return_number,
        "tracking_url": booking.tracking_url,
        "scan_codes": list(booking.scan_codes),
        "carrier_reference": booking.carrier_reference,
    }
    attempt.outcome, attempt.message = BookingAttempt.Outcome.BOOKED, booking.number
    attempt.ended_at = timezone.now()
    attempt.save(update_fields=["answer", "outcome", "message", "ended_at"])


def _booking_of(attempt):
    docs = tuple(Doc(kind, form, documents.kept(sha256)) for kind, form, sha256 in attempt.answer["docs"])
    return Booking(**{**attempt.answer, "docs": docs})


@transaction.atomic
def _begin(parcel_id, now):
    """(attempt, what to do with it): commits to one call, or finds what an earlier delivery left."""
    parcel = services.lock_parcel(parcel_id)
    if parcel.status == Parcel.Status.PROCESSING:
        return _begin_again(parcel, now)
    if parcel.status != Parcel.Status.OPEN:
        return None, Step.NOTHING
    if parcel.order.is_label_early(now):
        # Looked at again before, because the shop may change its mind.
        until = min(parcel.order.label_not_before, now + LOOK_AGAIN)
        raise Postponed("The shop wants the label made later.", until=until)
    try:
        adapter = adapter_for(parcel)
    except (UnknownAdapter, UnreadableSecret) as error:
        message = error.message if isinstance(error, Refused) else gettext("Enter the credentials again.")
        transit(parcel.ask, problem_of("CONFIGURATION", str(message)), by=None, now=now)
        return None, Step.NOTHING
    if "book" not in adapter.capabilities:
        text = gettext("Book this parcel at %(carrier)s and enter its number.") % {"carrier": parcel.carrier}
        transit(parcel.ask, problem_of("MANUAL", text), by=None, now=now)
        return None, Step.NOTHING
    transit(parcel.begin, by=None, now=now)
    number = parcel.attempts.count() + 1
    attempt = BookingAttempt.objects.create(
        parcel=parcel,
        number=number,
        reference=f"{parcel.code}-{number}",
        request={
            "recipient": parcel.shipment.recipient,
            "weight_g": parcel.weight_g,
            "product": parcel.product,
        },
        started_at=now,
    )
    return attempt, Step.CALL


def _begin_again(parcel, now):
    """A parcel that is being booked: finish it, wait for who does it, or find out what became of a lost answer."""
    last = parcel.attempts.last()
    if last.outcome == BookingAttempt.Outcome.BOOKED:
        return last, Step.STORE
    if last.outcome == BookingAttempt.Outcome.PENDING:
        if now - last.started_at < CALL_LOST_AFTER:
            raise RetryLater("The carrier is being asked.", seconds=CALL_LOST_AFTER.seconds)
        _close(last, BookingAttempt.Outcome.UNKNOWN, "The worker ended during the call.", now)
    if _can_find(parcel):
        return last, Step.ASK
    problem = problem_of(Outcome.UNKNOWN, gettext("The answer of the carrier was lost."))
    transit(parcel.ask, problem, by=None, now=now)
    return None, Step.NOTHING


def _can_find(parcel):
    try:
        return "find" in adapter_for(parcel).capabilities
    except (UnknownAdapter, UnreadableSecret):
        return False  # it was configured when the call went out; now a person has to look


def problem_of(outcome, message, *, code="", fields=()):
    """What is kept of a booking that failed, see ``Parcel.problem``."""
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
    """Write down a call without a booking. RETRY, and UNKNOWN where the carrier can be asked, come again later.

    A worker that stood still finds that another one went on without it, and changes nothing of what that one did.
    """
    now = timezone.now()
    problem = problem_of(error.outcome, error.message, code=error.code, fields=error.fields)
    seconds, is_retried = error.seconds, error.outcome is Outcome.RETRY
    with transaction.atomic():
        parcel = services.lock_parcel(attempt.parcel_id)
        attempt.refresh_from_db()
        is_open = attempt.outcome != BookingAttempt.Outcome.BOOKED
        if is_open:
            _close(attempt, error.outcome.value, error.message, now)
        is_ours = is_open and parcel.status == Parcel.Status.PROCESSING and parcel.attempts.last() == attempt
        if not is_ours:
            is_retried = parcel.status in {Parcel.Status.OPEN, Parcel.Status.PROCESSING}
        elif error.outcome is Outcome.UNKNOWN and error.can_find and _can_find(parcel):
            seconds, is_retried = FIND_AGAIN_SECONDS, True
        else:
            step = {
                Outcome.REJECTED: parcel.fail,
                Outcome.RETRY: parcel.put_back,
                Outcome.UNKNOWN: parcel.ask,
            }
            transit(step[error.outcome], problem, by=None, now=now, reason=error.message)
            if error.outcome is Outcome.REJECTED:
                emit(ParcelFailed(parcel_id=parcel.pk), by=None, now=now)
    if is_retried:
        raise RetryLater(error.message, seconds=seconds)


def _take_back_late(attempt):
    """A booking that came when the parcel was given up on it and got another one: the carrier is asked to forget it."""
    parcel = Parcel.objects.select_related("carrier").get(pk=attempt.parcel_id)
    if parcel.status in Parcel.GIVEN_UP or parcel.tracking_number == attempt.answer["number"]:
        return
    adapter, number = adapter_for(parcel), attempt.answer["number"]
    try:
        is_cancelled = "cancel" in adapter.capabilities and adapter.cancel(
            attempt.answer.get("carrier_reference") or number
        )
    except CarrierError as error:
        logger.warning("Booking %s of parcel %s is not taken back: %s", number, parcel.pk, error.message)
        is_cancelled = False
    if is_cancelled:
        attempt.cancelled_at = timezone.now()
        attempt.save(update_fields=["cancelled_at"])
    else:
        text = gettext("The carrier also booked %(number)s. Cancel that one at the carrier by hand.")
        _note_not_cancelled(parcel, text % {"number": number})


def cancel_at_carrier(event):
    """Take back what was booked for a cancelled parcel; a person is told what the carrier does not take back."""
    parcel = Parcel.objects.select_related("carrier").get(pk=event.parcel_id)
    numbers = {attempt.answer.get("number") for attempt in parcel.attempts.all()}
    if parcel.tracking_number and parcel.tracking_number not in numbers:
        # Booked by a person or another program.
        _note_not_cancelled(parcel, gettext("Cancel it at the carrier by hand."))
    for attempt in parcel.attempts.filter(cancelled_at=None):
        if attempt.outcome == BookingAttempt.Outcome.PENDING:
            if timezone.now() - attempt.started_at < CALL_LOST_AFTER:
                raise RetryLater("The carrier is being asked.", seconds=CALL_LOST_AFTER.seconds)
            _note_not_cancelled(parcel, gettext("It may be booked: look at the carrier's site."))
        elif attempt.outcome == BookingAttempt.Outcome.BOOKED:
            _cancel_booking(parcel, attempt)


def _cancel_booking(parcel, attempt):
    adapter = adapter_for(parcel)
    if "cancel" not in adapter.capabilities:
        _note_not_cancelled(parcel, gettext("Cancel it at the carrier by hand."))
        return
    try:
        is_cancelled = adapter.cancel(attempt.answer.get("carrier_reference") or attempt.answer["number"])
    except CarrierError as error:
        if error.outcome is not Outcome.REJECTED:
            raise RetryLater(error.message, seconds=error.seconds) from error
        _note_not_cancelled(parcel, error.message)
        return
    if not is_cancelled:
        _note_not_cancelled(parcel, gettext("The carrier does not take the booking back any more."))
        return
    attempt.cancelled_at = timezone.now()
    attempt.save(update_fields=["cancelled_at"])


@transaction.atomic
def _note_not_cancelled(parcel, message):
    parcel = services.lock_parcel(parcel.pk)
    parcel.problem = problem_of("NOT_CANCELLED", message)
    parcel.version += 1
    parcel.save(update_fields=["problem", "version", "modified_at"])


def enter_number(parcel_id, number, *, by, now, version=None):
    """Store the tracking number a person got from the carrier; the label is then drawn by us.

    Refuses a number that no barcode holds, an address that no label holds, goods that customs must know more of, a
    parcel that does not wait for a number, and an old version.
    """
    number = number.strip()
    if not NUMBER.fullmatch(number):
        raise NumberNotUsable
    parcel = Parcel.objects.select_related("carrier", "shipment__order", "shipment__facility").get(
        pk=parcel_id
    )
    check_version(parcel, version)
    try:
        data = parcel_data(parcel, number)
    except CarrierError as error:
        raise NotDeclared(parcel=parcel, why=error.message) from error
    try:
        docs = (
            Doc("label", "PDF", labels.render_label(data, number)),
            Doc("return_label", "PDF", labels.render_label(data, number, is_return=True)),
        )
    except labels.DoesNotFit as error:
        raise AddressTooLong(parcel=parcel) from error
    _store_booking(parcel_id, Booking(number, docs, scan_codes=(parcel.code, number)), attempt=None, by=by)


def store_brought(parcel_id, booking, *, by):
    """Finish a parcel whose papers were stored before, see ``external``."""
    _store_booking(parcel_id, booking, attempt=None, by=by, stores=False)


def _store_booking(parcel_id, booking, *, attempt, by, stores=True):
    """Write down what was booked, in one transaction; its files are written before it. False when it comes too late."""
    now = timezone.now()
    for doc in booking.docs:
        documents.keep(doc.data)
    codes = booking.scan_codes or _codes_on(booking.docs) or (booking.number,)
    booking = dataclasses.replace(booking, scan_codes=tuple(codes))
    with transaction.atomic():
        parcel = services.lock_parcel(parcel_id)
        if attempt is not None and not _is_awaited(parcel, attempt):
            logger.warning("Parcel %s was booked as %s too late.", parcel.pk, booking.number)
            return False
        if attempt is None and parcel.order.is_label_early(now):
            raise LabelTooEarly(
                order=parcel.order,
                time=date_format(
                    localtime(parcel.order.label_not_before, parcel.facility.tz), "DATETIME_FORMAT"
                ),
            )
        stored = {doc.kind: store_doc(parcel, doc, now) for doc in booking.docs} if stores else {}
        step = parcel.done if attempt is not None else parcel.enter_number
        transit(step, booking, stored, by=by, now=now)
        ParcelCode.objects.bulk_create(
            [ParcelCode(parcel=parcel, code=code) for code in codes], ignore_conflicts=True
        )
        record(parcel, now)
        emit(ParcelBooked(parcel_id=parcel.pk), by=by, now=now)
        services.await_carrier(parcel, by=by, now=now)
        _confirm(parcel.shipment, by=by, now=now)
    return True


def _codes_on(docs):
    label = next((doc for doc in docs if doc.kind == "label"), None)
    return label_codes.read_codes(label) if label else []


def _is_awaited(parcel, attempt):
    """Whether this answer still counts: not after a cancellation, a typed number or a newer attempt."""
    waiting = {Parcel.Status.PROCESSING, Parcel.Status.WAITING_FOR_INPUT}
    return parcel.status in waiting and parcel.attempts.last() == attempt


def store_doc(parcel, doc, now, *, template=labels.VERSION):
    """Write the document of a paper of a parcel."""
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
        template=template,
        now=now,
    )


def record(parcel, now):
    """Note for the shop what it must hear of a parcel. Runs in the transaction of its step."""
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
        package_id=parcel.package_id,
        parts=parts_with(parcel.package_id),
        now=now,
    )


def _confirm(shipment, *, by, now):
    """With the last label the shipment is confirmed; its papers follow."""
    if shipment.status != Shipment.Status.REQUEST:
        return  # a label was cancelled meanwhile: its package has none yet
    if shipment.parcels.live().exclude(status=Parcel.Status.DONE).exists():
        return
    if shipment.parcels.live().count() < Package.objects.filter(job__pick_job=shipment.pick_job_id).count():
        return  # a package whose label is asked for on its own
    transit(shipment.confirm, by=by, now=now)
    emit(ShipmentConfirmed(shipment_id=shipment.pk), by=by, now=now)
    emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
