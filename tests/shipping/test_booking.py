import datetime

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from fulfillment.core.errors import WrongStatus
from fulfillment.core.models import Article, Document, OutboxEntry
from fulfillment.core.outbox import RetryLater
from fulfillment.core.services import documents
from orders.events import OrderCancelled
from orders.models import Order, OrderLine, ParcelRecord
from shipping import booking, services
from shipping.carriers.base import Booking, CarrierError, Doc, Outcome
from shipping.carriers.demo import Demo
from shipping.carriers.dhl_parcel_de import _tokens
from shipping.carriers.easypost import EasyPost
from shipping.events import ParcelCancelled, ParcelRequested
from shipping.models import BookingAttempt, HandoverJob, Parcel
from shipping.parcel_data import CONSENT, parcel_data
from tests.carrierstub import DhlStub, EasyPostStub
from tests.factories.shipping import connected, labelled, parcel, shipment, work

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


@pytest.fixture
def no_find(monkeypatch):
    """A carrier that cannot tell whether it booked."""
    monkeypatch.setattr(Demo, "capabilities", Demo.capabilities - {"find"})


def deliver(waiting):
    booking.book_parcel(ParcelRequested(waiting.pk))
    waiting.refresh_from_db()
    return waiting


@pytest.mark.drawn
def test_booked_parcel_has_its_papers_and_waits_for_the_carrier(facility, calls, read_pdf):
    waiting = parcel(2, 1, facility=facility)

    assert work() == 2  # the label, then the papers

    done = Parcel.objects.get(pk=waiting.pk)
    handover = HandoverJob.objects.get()
    assert (done.status, done.shipment.status) == ("DONE", "CONFIRMED")
    assert calls == [f"{done.code}-1"]
    assert set(Document.objects.values_list("category", flat=True)) == {
        "SENDLABEL",
        "RETURNLABEL",
        "DELIVERYNOTE",
        "RETURNNOTE",
        "EXTERNAL",  # the packing slip
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


def test_second_delivery_does_nothing(facility, calls):
    done = labelled(facility=facility)

    deliver(done)

    assert len(calls) == 1
    assert (BookingAttempt.objects.count(), HandoverJob.objects.count(), Document.objects.count()) == (
        1,
        1,
        5,
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


def test_carrier_that_is_down_for_an_hour_delays_labels_and_loses_and_doubles_none(
    facility, monkeypatch, calls
):
    waiting = [parcel(facility=facility, number=str(number)) for number in range(2)]
    with monkeypatch.context() as down:
        answers(down, CarrierError(Outcome.RETRY, "The carrier cannot be reached.", code="unreachable"))
        for _try in range(8):  # the back-off of an hour
            work()
    assert {Parcel.objects.get(pk=one.pk).status for one in waiting} == {"OPEN"}

    work()

    assert {Parcel.objects.get(pk=one.pk).status for one in waiting} == {"DONE"}
    assert len(calls) == 2
    assert BookingAttempt.objects.filter(outcome="BOOKED").count() == 2


def test_unknown_outcome_waits_for_a_person_and_is_never_booked_again(facility, calls, no_find):
    waiting = parcel(facility=facility, address={"houseNumber": "TIMEOUT"})

    work()
    work()
    deliver(waiting)

    assert waiting.status == "WAITING_FOR_INPUT"
    assert waiting.problem["outcome"] == "UNKNOWN"
    assert OutboxEntry.objects.get(lane="labels").state == "DONE"
    assert len(calls) == 1


def test_any_other_fault_during_the_call_counts_as_unknown(facility, monkeypatch, no_find):
    waiting = parcel(facility=facility)
    answers(monkeypatch, ValueError("not JSON"))

    deliver(waiting)

    assert (waiting.status, waiting.problem["outcome"]) == ("WAITING_FOR_INPUT", "UNKNOWN")


def test_warnings_do_not_stop_a_label(facility, monkeypatch):
    waiting = parcel(facility=facility)
    answers(monkeypatch, Booking("N1", (Doc("label", "PDF", b"%PDF"),), warnings=("Phone is missing.",)))

    deliver(waiting)

    assert (waiting.status, waiting.warnings, waiting.return_label) == ("DONE", ["Phone is missing."], None)


def test_click_books_a_second_time(facility, packer, calls, no_find):
    waiting = parcel(facility=facility, address={"houseNumber": "TIMEOUT"})
    work()

    services.request_again(waiting.pk, recipient={"house_number": "100"}, by=packer, now=timezone.now())
    work()

    waiting.refresh_from_db()
    assert waiting.status == "DONE"
    assert calls == [f"{waiting.code}-1", f"{waiting.code}-2"]
    assert waiting.shipment.recipient["house_number"] == "100"
    assert waiting.order.shipping_address.house_number == "TIMEOUT"


def test_worker_that_died_during_the_call_leaves_a_question(facility, calls, no_find):
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
        broken.setattr(booking, "store_doc", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deliver(waiting)
    waiting.refresh_from_db()
    assert waiting.status == "PROCESSING"

    deliver(waiting)

    assert waiting.status == "DONE"
    assert len(calls) == 1


def test_late_answer_counts_while_a_person_is_asked(facility, no_find):
    waiting = parcel(facility=facility)
    attempt, _step = booking._begin(waiting.pk, timezone.now())
    BookingAttempt.objects.update(started_at=timezone.now() - datetime.timedelta(minutes=3))
    deliver(waiting)

    assert booking._call(attempt)
    booking._store_booking(waiting.pk, booking._booking_of(attempt), attempt=attempt, by=None)

    waiting.refresh_from_db()
    assert waiting.status == "DONE"


def test_late_answer_does_not_count_after_a_typed_number(facility, packer, no_find):
    waiting = parcel(facility=facility)
    attempt, _step = booking._begin(waiting.pk, timezone.now())
    BookingAttempt.objects.update(started_at=timezone.now() - datetime.timedelta(minutes=3))
    deliver(waiting)
    booking.enter_number(waiting.pk, "TYPED1", by=packer, now=timezone.now())

    assert booking._call(attempt)
    booking._store_booking(waiting.pk, booking._booking_of(attempt), attempt=attempt, by=None)

    waiting.refresh_from_db()
    attempt.refresh_from_db()
    assert waiting.tracking_number == "TYPED1"
    assert (attempt.outcome, HandoverJob.objects.count()) == ("BOOKED", 1)


@pytest.mark.drawn
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


@pytest.mark.drawn
def test_number_is_refused_when_the_address_fits_on_no_label(facility, packer):
    waiting = parcel(facility=facility, carrier="manual", address={"lastName": "W" * 600})
    work()

    with pytest.raises(booking.AddressTooLong):
        booking.enter_number(waiting.pk, "N1", by=packer, now=timezone.now())


@pytest.mark.drawn
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


@pytest.mark.drawn
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


# What the carrier is asked about a call that lost its answer


def lost(waiting, minutes=3):
    """A call whose worker ended, some minutes ago."""
    attempt, step = booking._begin(waiting.pk, timezone.now())
    assert step is booking.Step.CALL
    BookingAttempt.objects.update(started_at=timezone.now() - datetime.timedelta(minutes=minutes))
    return attempt


def finds(monkeypatch, answer):
    """Let the demo carrier answer when it is asked for a reference; returns what it was asked for."""
    asked = []

    def find(adapter, reference):
        asked.append(reference)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(Demo, "find", find)
    return asked


def test_booking_of_a_lost_call_is_found_and_finished(facility, calls, monkeypatch):
    waiting = parcel(facility=facility)
    attempt = lost(waiting)
    asked = finds(monkeypatch, Booking("FOUND1", (Doc("label", "PDF", b"%PDF"),), scan_codes=("FOUND1",)))

    deliver(waiting)

    assert (waiting.status, waiting.tracking_number) == ("DONE", "FOUND1")
    assert (asked, calls) == ([attempt.reference], [])
    assert BookingAttempt.objects.get().outcome == "BOOKED"


def test_call_that_booked_nothing_is_made_again(facility, calls, monkeypatch):
    waiting = parcel(facility=facility)
    lost(waiting)

    with pytest.raises(RetryLater):
        deliver(waiting)
    deliver(waiting)

    assert waiting.status == "DONE"
    assert [attempt.outcome for attempt in waiting.attempts.all()] == ["RETRY", "BOOKED"]
    assert calls == [f"{waiting.code}-2"]


def test_carrier_that_knows_nothing_yet_is_asked_again_before_anything_is_booked(
    facility, calls, monkeypatch
):
    waiting = parcel(facility=facility)
    booked = []

    def cut(adapter, data):
        booked.append(data.reference)
        raise CarrierError(Outcome.UNKNOWN, "Cut.")

    monkeypatch.setattr(Demo, "book", cut)
    asked = finds(monkeypatch, None)

    for _delivery in range(3):
        with pytest.raises(RetryLater):
            deliver(waiting)

    waiting.refresh_from_db()
    assert waiting.status == "PROCESSING"
    assert (len(booked), len(asked)) == (1, 2)


def test_worker_that_stood_still_sends_no_second_booking(facility, monkeypatch):
    """It froze between the offer and the purchase; meanwhile another one found nothing booked, and booked."""
    rate, frozen = EasyPost._rate, []

    def freeze(adapter, offer, product):
        if not frozen:
            frozen.append(offer["id"])
            clock.shift(booking.CALL_LOST_AFTER + datetime.timedelta(seconds=1))
            with pytest.raises(RetryLater):
                deliver(waiting)
            deliver(waiting)
        return rate(adapter, offer, product)

    monkeypatch.setattr(EasyPost, "_rate", freeze)
    with EasyPostStub().listening() as stub, time_machine.travel(timezone.now()) as clock:
        connected(facility, "easypost", stub.url, credentials={"api_key": "KEY"})
        waiting = parcel(facility=facility)

        deliver(waiting)

        assert (waiting.status, stub.orders) == ("DONE", [f"{waiting.code}-2"])
    assert frozen
    assert [attempt.outcome for attempt in waiting.attempts.all()] == ["RETRY", "BOOKED"]


def test_worker_that_stood_still_does_not_put_back_what_another_one_books(facility, monkeypatch):
    waiting = parcel(facility=facility)
    first = lost(waiting)
    finds(monkeypatch, None)
    with pytest.raises(RetryLater):
        deliver(waiting)
    second, _step = booking._begin(waiting.pk, timezone.now())

    with pytest.raises(RetryLater):
        booking._store_failure(first, CarrierError(Outcome.RETRY, "Not reached."))

    waiting.refresh_from_db()
    second.refresh_from_db()
    assert (waiting.status, second.outcome) == ("PROCESSING", "PENDING")


def test_worker_that_stood_still_does_not_spoil_what_another_one_found(facility, monkeypatch):
    waiting = parcel(facility=facility)
    attempt = lost(waiting)
    finds(monkeypatch, Booking("FOUND1", (Doc("label", "PDF", b"%PDF"),), scan_codes=("FOUND1",)))
    deliver(waiting)

    booking._store_failure(attempt, CarrierError(Outcome.UNKNOWN, "Cut."))

    assert (waiting.status, BookingAttempt.objects.get().outcome) == ("DONE", "BOOKED")


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_booking_that_came_after_another_one_is_taken_back_or_told(facility, monkeypatch, is_cancelled):
    waiting = parcel(facility=facility)
    first = lost(waiting)
    finds(monkeypatch, None)
    with pytest.raises(RetryLater):
        deliver(waiting)
    deliver(waiting)
    monkeypatch.setattr(booking, "_begin", lambda *_arguments: (first, booking.Step.CALL))
    answers(monkeypatch, Booking("LATE1", (Doc("label", "PDF", b"%PDF"),), scan_codes=("LATE1",)))
    monkeypatch.setattr(Demo, "cancel", lambda adapter, number: is_cancelled)

    deliver(waiting)

    first.refresh_from_db()
    assert (first.outcome, first.cancelled_at is not None) == ("BOOKED", is_cancelled)
    assert ("also booked LATE1" in waiting.problem.get("message", "")) is not is_cancelled
    assert (waiting.status, waiting.attempts.last().cancelled_at) == ("DONE", None)
    assert waiting.tracking_number.startswith("DEMO")


def test_question_that_nobody_answers_goes_to_a_person(facility, calls, monkeypatch):
    waiting = parcel(facility=facility)
    lost(waiting, minutes=3)
    finds(monkeypatch, CarrierError(Outcome.RETRY, "Not reached."))
    with pytest.raises(RetryLater):
        deliver(waiting)
    BookingAttempt.objects.update(started_at=timezone.now() - datetime.timedelta(minutes=16))

    deliver(waiting)

    assert (waiting.status, waiting.problem["outcome"]) == ("WAITING_FOR_INPUT", "UNKNOWN")
    assert calls == []


# Through a connection


@pytest.mark.drawn
def test_label_of_a_carrier_is_read_and_its_parcel_found_by_what_a_scanner_reads(facility):
    with EasyPostStub().listening() as stub:
        connected(facility, "easypost", stub.url, credentials={"api_key": "KEY"})
        done = labelled(facility=facility)

    assert (done.status, done.tracking_number, done.carrier_reference) == ("DONE", "EZ0000000001", "shp_1")
    # The stub draws the label of another parcel: what stands on it counts, not what we think stands there.
    assert set(done.scan_codes) == {"P0123456789A", "EZ0000000001"}
    assert services.find_parcel(facility, "P0123456789A").parcel == done


def test_parcel_is_booked_with_the_product_of_its_connection_and_both_labels(facility, read_pdf):
    _tokens.clear()
    with DhlStub().listening() as stub:
        connected(
            facility,
            "dhl_parcel_de",
            stub.url,
            credentials=dict.fromkeys(("client_id", "client_secret", "username", "password"), "x"),
            products=[
                {"product": "V53WPAK", "billing_number": "33333333335301"},
                {"product": "RETURN", "billing_number": "33333333330701"},
            ],
        )
        done = labelled(facility=facility)

    assert (done.status, done.product, len(stub.orders)) == ("DONE", "V53WPAK", 1)
    assert done.return_tracking_number == f"9{done.tracking_number}"
    assert documents.read(done.return_label).startswith(b"%PDF")


def test_credentials_that_cannot_be_read_ask_a_person(facility, settings):
    connection = connected(facility, "easypost", "https://x.example", credentials={"api_key": "KEY"})
    settings.SECRET_KEY = "another" * 10
    assert connection.encrypted_credentials

    waiting = parcel(facility=facility)
    deliver(waiting)

    assert (waiting.status, waiting.problem["outcome"]) == ("WAITING_FOR_INPUT", "CONFIGURATION")


def test_phone_and_email_go_to_the_carrier_with_consent_only(facility):
    waiting = parcel(facility=facility, address={"email": "a@example.com"})
    assert parcel_data(waiting, "R").recipient.email == ""

    waiting.order.custom_attributes = {CONSENT: True}
    waiting.order.save(update_fields=["custom_attributes"])
    waiting = Parcel.objects.get()

    assert parcel_data(waiting, "R").recipient.email == "a@example.com"


def test_goods_for_a_country_with_customs_need_their_data(facility, calls):
    waiting = parcel(2, facility=facility)
    waiting.shipment.recipient |= {"country": "CH", "postal_code": "8001"}
    waiting.shipment.save(update_fields=["recipient"])

    deliver(waiting)

    assert (waiting.status, waiting.problem["code"]) == ("FAILED", "customs")
    line = waiting.package.items.get().line
    assert line.article.sku in waiting.problem["message"]
    assert "HS code" in waiting.problem["message"]
    Article.objects.filter(pk=line.article_id).update(
        customs_description="Mug", hs_code="691200", origin_country="NL", weight_g=300
    )
    OrderLine.objects.filter(pk=line.order_line_id).update(wire={"shopPrice": 12.5})
    Order.objects.update(extra={"paymentInfo": {"currency": "EUR"}})

    (goods,) = parcel_data(Parcel.objects.get(), "R").customs

    assert (goods.quantity, goods.value, goods.currency, goods.hs_code) == (2, "12.50", "EUR", "691200")


def test_number_is_not_entered_for_goods_that_customs_must_know_more_of(facility, packer):
    waiting = parcel(2, facility=facility, carrier="manual")
    work()
    waiting.shipment.recipient |= {"country": "CH", "postal_code": "8001"}
    waiting.shipment.save(update_fields=["recipient"])

    with pytest.raises(booking.NotDeclared, match="HS code"):
        booking.enter_number(waiting.pk, "N1", by=packer, now=timezone.now())

    waiting.refresh_from_db()
    assert (waiting.status, waiting.tracking_number) == ("WAITING_FOR_INPUT", "")


# Cancellation


def test_cancelled_label_is_taken_back_at_the_carrier_once(facility, packer, monkeypatch):
    done = labelled(facility=facility)
    taken_back = []
    monkeypatch.setattr(Demo, "cancel", lambda adapter, number: taken_back.append(number) or True)

    services.cancel_parcel(done.pk, by=packer, now=timezone.now())
    work()
    booking.cancel_at_carrier(ParcelCancelled(done.pk))

    assert taken_back == [done.tracking_number]
    assert BookingAttempt.objects.get().cancelled_at is not None


def test_booking_that_the_carrier_keeps_is_shown(facility, packer, monkeypatch):
    done = labelled(facility=facility)
    monkeypatch.setattr(Demo, "cancel", lambda adapter, number: False)

    services.cancel_parcel(done.pk, by=packer, now=timezone.now())
    work()

    done.refresh_from_db()
    assert (done.status, done.problem["outcome"]) == ("CANCELED", "NOT_CANCELLED")


def test_label_of_a_typed_number_has_to_be_cancelled_by_hand(facility, packer):
    waiting = parcel(facility=facility, carrier="manual")
    work()
    booking.enter_number(waiting.pk, "3SABC", by=packer, now=timezone.now())

    services.cancel_parcel(waiting.pk, by=packer, now=timezone.now())
    work()

    waiting.refresh_from_db()
    assert (waiting.status, waiting.problem["message"]) == ("CANCELED", "Cancel it at the carrier by hand.")


def test_carrier_that_is_down_is_asked_to_cancel_later(facility, packer, monkeypatch):
    done = labelled(facility=facility)

    def down(adapter, number):
        raise CarrierError(Outcome.RETRY, "Not reached.")

    monkeypatch.setattr(Demo, "cancel", down)
    services.cancel_parcel(done.pk, by=packer, now=timezone.now())

    with pytest.raises(RetryLater):
        booking.cancel_at_carrier(ParcelCancelled(done.pk))


def test_booking_that_came_after_the_cancellation_is_taken_back(facility, monkeypatch):
    waiting = parcel(facility=facility)
    attempt, _step = booking._begin(waiting.pk, timezone.now())
    with transaction.atomic():
        services.on_order_cancelled(OrderCancelled(waiting.order_id), by=None, now=timezone.now())
    with pytest.raises(RetryLater):
        booking.cancel_at_carrier(ParcelCancelled(waiting.pk))
    assert booking._call(attempt)
    booking._store_booking(waiting.pk, booking._booking_of(attempt), attempt=attempt, by=None)

    booking.cancel_at_carrier(ParcelCancelled(waiting.pk))

    attempt.refresh_from_db()
    waiting.refresh_from_db()
    assert (waiting.status, attempt.cancelled_at is not None) == ("CANCELED", True)
