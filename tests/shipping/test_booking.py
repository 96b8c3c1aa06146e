import datetime

import pytest
from django.db import connection
from django.utils import timezone

from fulfillment.core.errors import WrongStatus
from fulfillment.core.models import Document, OutboxEntry
from fulfillment.core.outbox import RetryLater
from fulfillment.core.services import documents
from orders.models import ParcelRecord
from shipping import booking, notes, services
from shipping.carriers.base import Booking, CarrierError, Doc, Outcome
from shipping.carriers.demo import Demo
from shipping.events import ParcelRequested
from shipping.models import BookingAttempt, HandoverJob, Parcel
from tests.factories.shipping import labelled, parcel, shipment, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls(monkeypatch):
    """The references under which the demo carrier was asked, still answering as itself."""
    seen, book = [], Demo.book

    def counted(adapter, data):
        seen.append(data.reference)
        return book(adapter, data)

    monkeypatch.setattr(Demo, "book", counted)
    return seen


def answers(monkeypatch, answer):
    """Let the demo carrier answer with a booking or an exception."""

    def book(adapter, data):
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(Demo, "book", book)


def deliver(waiting):
    booking.book_parcel(ParcelRequested(waiting.pk))
    waiting.refresh_from_db()
    return waiting


def test_booked_parcel_has_its_papers_and_waits_for_the_carrier(facility, calls, read_pdf):
    waiting = parcel(2, 1, facility=facility)

    assert work() == 1

    done = Parcel.objects.get(pk=waiting.pk)
    handover = HandoverJob.objects.get()
    assert (done.status, done.shipment.status) == ("DONE", "CONFIRMED")
    assert calls == [f"{done.code}-1"]
    assert set(Document.objects.values_list("category", flat=True)) == {
        "SENDLABEL",
        "RETURNLABEL",
        "DELIVERYNOTE",
    }
    assert ("Code 128", done.code, "]C0") in read_pdf(documents.read(done.label)).codes()
    assert read_pdf(documents.read(done.shipment.delivery_note)).codes() == {("QR Code", "1001", "]Q1")}
    assert (handover.channel, handover.status, handover.parcel) == ("DELIVERY", "OPEN", done)
    assert [line.quantity for line in handover.lines.all()] == [2, 1]
    record = ParcelRecord.objects.get()
    assert (record.tracking_number, [item["quantity"] for item in record.items]) == (
        done.tracking_number,
        [2, 1],
    )


def test_delivery_note_keeps_what_it_was_made_from(facility):
    note = labelled(facility=facility).shipment.delivery_note

    assert note.template == notes.VERSION
    assert notes.render_delivery_note(note.snapshot) == documents.read(note)


def test_papers_speak_german_to_a_german_customer(facility, read_pdf):
    done = labelled(facility=facility, address={"country": "DE", "city": "Köln", "postalCode": "50667"})

    assert "Lieferschein" in read_pdf(documents.read(done.shipment.delivery_note)).text


def test_second_delivery_does_nothing(facility, calls):
    done = labelled(facility=facility)

    deliver(done)

    assert len(calls) == 1
    assert (BookingAttempt.objects.count(), HandoverJob.objects.count(), Document.objects.count()) == (
        1,
        1,
        3,
    )


def test_shipment_is_confirmed_with_its_last_label(facility):
    asked = shipment(2, facility=facility, packages=2)
    first, second = asked.parcels.order_by("package__number")

    deliver(first)
    asked.refresh_from_db()
    assert (asked.status, asked.delivery_note) == ("REQUEST", None)
    deliver(second)

    asked.refresh_from_db()
    assert asked.status == "CONFIRMED"
    assert HandoverJob.objects.count() == 2
    assert Document.objects.filter(category="DELIVERYNOTE").count() == 1


@pytest.mark.django_db(transaction=True)
def test_attempt_is_committed_and_no_transaction_is_open_during_the_call(facility, monkeypatch):
    waiting, seen = parcel(facility=facility), []
    book = Demo.book

    def watched(adapter, data):
        seen.append((connection.in_atomic_block, Parcel.objects.get().status, BookingAttempt.objects.count()))
        return book(adapter, data)

    monkeypatch.setattr(Demo, "book", watched)

    deliver(waiting)

    assert seen == [(False, "PROCESSING", 1)]


def test_rejected_parcel_shows_the_problem_and_is_not_asked_for_again(facility, calls):
    waiting = parcel(facility=facility, address={"houseNumber": "REJECT"})

    work()
    deliver(waiting)

    assert waiting.status == "FAILED"
    assert waiting.problem["fields"] == [["house_number", "There is no such house."]]
    assert BookingAttempt.objects.get().outcome == "REJECTED"
    assert len(calls) == 1


def test_unreachable_carrier_is_asked_again_by_the_outbox(facility, calls):
    waiting = parcel(facility=facility, address={"houseNumber": "RETRY"})

    with pytest.raises(RetryLater):
        deliver(waiting)
    work()

    waiting.refresh_from_db()
    assert waiting.status == "OPEN"
    assert OutboxEntry.objects.get(lane="labels").state == "DUE"
    assert [attempt.outcome for attempt in waiting.attempts.all()] == ["RETRY", "RETRY"]
    assert calls == [f"{waiting.code}-1", f"{waiting.code}-2"]


def test_unknown_outcome_waits_for_a_person_and_is_never_booked_again(facility, calls):
    waiting = parcel(facility=facility, address={"houseNumber": "TIMEOUT"})

    work()
    work()
    deliver(waiting)

    assert waiting.status == "WAITING_FOR_INPUT"
    assert waiting.problem["outcome"] == "UNKNOWN"
    assert OutboxEntry.objects.get(lane="labels").state == "DONE"
    assert len(calls) == 1


def test_any_other_fault_during_the_call_counts_as_unknown(facility, monkeypatch):
    waiting = parcel(facility=facility)
    answers(monkeypatch, ValueError("not JSON"))

    deliver(waiting)

    assert (waiting.status, waiting.problem["outcome"]) == ("WAITING_FOR_INPUT", "UNKNOWN")


def test_warnings_do_not_stop_a_label(facility, monkeypatch):
    waiting = parcel(facility=facility)
    answers(monkeypatch, Booking("N1", (Doc("label", "PDF", b"%PDF"),), warnings=("Phone is missing.",)))

    deliver(waiting)

    assert (waiting.status, waiting.warnings, waiting.return_label) == ("DONE", ["Phone is missing."], None)


def test_click_books_a_second_time(facility, packer, calls):
    waiting = parcel(facility=facility, address={"houseNumber": "TIMEOUT"})
    work()

    services.request_again(waiting.pk, recipient={"house_number": "100"}, by=packer, now=timezone.now())
    work()

    waiting.refresh_from_db()
    assert waiting.status == "DONE"
    assert calls == [f"{waiting.code}-1", f"{waiting.code}-2"]
    assert waiting.shipment.recipient["house_number"] == "100"
    assert waiting.order.shipping_address.house_number == "TIMEOUT"


def test_worker_that_died_during_the_call_leaves_a_question(facility, calls):
    waiting = parcel(facility=facility)
    booking._begin(waiting.pk, timezone.now())

    with pytest.raises(RetryLater):
        deliver(waiting)
    BookingAttempt.objects.update(started_at=timezone.now() - datetime.timedelta(minutes=3))
    deliver(waiting)

    assert (waiting.status, BookingAttempt.objects.get().outcome) == ("WAITING_FOR_INPUT", "UNKNOWN")
    assert calls == []


def test_worker_that_died_after_the_answer_is_followed_by_one_that_finishes(facility, monkeypatch, calls):
    waiting = parcel(facility=facility)
    with monkeypatch.context() as broken:
        broken.setattr(notes, "render_delivery_note", lambda snapshot: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deliver(waiting)
    waiting.refresh_from_db()
    assert waiting.status == "PROCESSING"

    deliver(waiting)

    assert waiting.status == "DONE"
    assert len(calls) == 1


def test_late_answer_counts_while_a_person_is_asked(facility):
    waiting = parcel(facility=facility)
    attempt = booking._begin(waiting.pk, timezone.now())
    BookingAttempt.objects.update(started_at=timezone.now() - datetime.timedelta(minutes=3))
    deliver(waiting)

    assert booking._call(attempt)
    booking._store_booking(waiting.pk, booking._booking_of(attempt), attempt=attempt, by=None)

    waiting.refresh_from_db()
    assert waiting.status == "DONE"


def test_late_answer_does_not_count_after_a_typed_number(facility, packer):
    waiting = parcel(facility=facility)
    attempt = booking._begin(waiting.pk, timezone.now())
    BookingAttempt.objects.update(started_at=timezone.now() - datetime.timedelta(minutes=3))
    deliver(waiting)
    booking.enter_number(waiting.pk, "TYPED1", by=packer, now=timezone.now())

    assert booking._call(attempt)
    booking._store_booking(waiting.pk, booking._booking_of(attempt), attempt=attempt, by=None)

    waiting.refresh_from_db()
    attempt.refresh_from_db()
    assert waiting.tracking_number == "TYPED1"
    assert (attempt.outcome, HandoverJob.objects.count()) == ("BOOKED", 1)


def test_manual_carrier_waits_for_its_number_and_gets_our_label(facility, packer, read_pdf):
    waiting = parcel(facility=facility, carrier="manual")
    work()
    waiting.refresh_from_db()
    assert (waiting.status, waiting.problem["outcome"]) == ("WAITING_FOR_INPUT", "MANUAL")

    booking.enter_number(waiting.pk, " 3SABC123 ", by=packer, now=timezone.now())

    waiting.refresh_from_db()
    assert (waiting.status, waiting.tracking_number) == ("DONE", "3SABC123")
    assert not waiting.attempts.exists()
    assert read_pdf(documents.read(waiting.label)).codes() == {
        ("Code 128", waiting.code, "]C0"),
        ("QR Code", "3SABC123", "]Q1"),
    }


@pytest.mark.parametrize("number", ["", "  ", "Ü1", "1\n2", "😀", "9" * 41])
def test_number_that_no_barcode_holds_is_refused(facility, packer, number):
    waiting = parcel(facility=facility, carrier="manual")
    work()

    with pytest.raises(booking.NumberNotUsable):
        booking.enter_number(waiting.pk, number, by=packer, now=timezone.now())


def test_number_is_refused_for_a_parcel_that_is_being_booked(facility, packer):
    waiting = parcel(facility=facility)
    booking._begin(waiting.pk, timezone.now())

    with pytest.raises(WrongStatus):
        booking.enter_number(waiting.pk, "N1", by=packer, now=timezone.now())


def test_number_is_refused_when_the_address_fits_on_no_label(facility, packer):
    waiting = parcel(facility=facility, carrier="manual", address={"lastName": "W" * 600})
    work()

    with pytest.raises(booking.AddressTooLong):
        booking.enter_number(waiting.pk, "N1", by=packer, now=timezone.now())


def test_address_that_fits_on_no_label_is_rejected_by_the_demo_carrier(facility):
    waiting = parcel(facility=facility, address={"lastName": "W" * 600})

    deliver(waiting)

    assert (waiting.status, waiting.problem["code"]) == ("FAILED", "too_long")


def test_adapter_that_does_not_exist_asks_a_person(facility):
    waiting = parcel(facility=facility)
    waiting.carrier.adapter = "gone"
    waiting.carrier.save(update_fields=["adapter"])

    deliver(waiting)

    assert (waiting.status, waiting.problem["outcome"]) == ("WAITING_FOR_INPUT", "CONFIGURATION")


def test_demo_carrier_refuses_where_it_is_not_allowed(facility, settings):
    settings.DEMO_CARRIER_ALLOWED = False
    waiting = parcel(facility=facility)

    deliver(waiting)

    assert (waiting.status, waiting.problem["code"]) == ("FAILED", "not_allowed")


def test_parcel_of_a_company_with_a_gs1_prefix_bears_an_sscc(facility, settings, read_pdf):
    settings.GS1_COMPANY_PREFIX = "0614141"

    done = labelled(facility=facility)

    assert done.code[1:8] == "0614141"
    assert ("Code 128", f"(00){done.code}", "]C1") in read_pdf(documents.read(done.label)).codes()


def test_outcome_of_the_carrier_is_logged_with_its_words(facility, monkeypatch):
    waiting = parcel(facility=facility)
    answers(monkeypatch, CarrierError(Outcome.REJECTED, "No such street.", code="x"))

    deliver(waiting)

    assert BookingAttempt.objects.get().message == "No such street."
