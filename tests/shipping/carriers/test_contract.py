"""What every adapter promises of a booking: the outcome of each kind of answer, and that one order went out."""

import dataclasses
import datetime
import socket

import pytest
from django.utils import timezone

from shipping.carriers import Account, CarrierError, Outcome, Product, calls
from shipping.carriers.dhl_parcel_de import DhlParcelDe, _tokens
from shipping.carriers.easypost import EasyPost
from tests.carrierstub import PARCEL, Cut, DhlStub, EasyPostStub, answer

DHL = {"client_id": "id", "client_secret": "secret", "username": "user", "password": "pass"}


def dhl(url, **fields):
    products = (Product("V01PAK", "33333333330101", ("DE",)), Product("V53WPAK", "33333333335301"))
    return DhlParcelDe(Account(url, DHL, products=products, **fields))


def easypost(url, **fields):
    return EasyPost(Account(url, {"api_key": "KEY"}, **fields))


ADAPTERS = {
    "dhl_parcel_de": (DhlStub, dhl, PARCEL),
    "easypost": (EasyPostStub, easypost, dataclasses.replace(PARCEL, product="")),
}
# How each carrier words a refusal of a field.
FIELD_ERRORS = {
    "dhl_parcel_de": {
        "status": {"title": "Bad Request", "statusCode": 400, "detail": "1 of 1 shipment failed."},
        "items": [
            {
                "sstatus": {"title": "Bad Request", "statusCode": 400},
                "validationMessages": [
                    {
                        "property": "consignee.addressStreet",
                        "validationMessage": "No such street.",
                        "validationState": "Error",
                    }
                ],
            }
        ],
    },
    "easypost": {
        "error": {
            "code": "ADDRESS.VERIFY.FAILURE",
            "message": "Unable to verify address.",
            "errors": [{"field": "to_address.street1", "message": "No such street."}],
        }
    },
}


@pytest.fixture(params=ADAPTERS)
def carrier(request):
    """(name, stub that listens, adapter, parcel)."""
    _tokens.clear()
    make, adapter, parcel = ADAPTERS[request.param]
    with make().listening() as stub:
        yield request.param, stub, adapter(stub.url), parcel


def outcome(adapter, parcel):
    with pytest.raises(CarrierError) as caught:
        adapter.book(parcel)
    return caught.value


def test_good_answer_is_a_booking(carrier):
    _name, stub, adapter, parcel = carrier

    booking = adapter.book(parcel)

    assert booking.number
    assert booking.docs[0].kind == "label"
    assert booking.docs[0].data.startswith(b"%PDF")
    assert stub.orders == [parcel.reference]


def test_warning_with_a_label_is_a_booking(carrier):
    name, stub, adapter, parcel = carrier
    if name == "dhl_parcel_de":
        message = {
            "property": "consignee.postalCode",
            "validationMessage": "Unusual.",
            "validationState": "Warning",
        }
        stub.answer = answer(200, stub.booked(parcel.reference, messages=[message]))
        expected = ("consignee.postalCode: Unusual.",)
    else:
        offer = stub._offer

        def warned(sent):
            given = offer(sent)
            stub.shipments["shp_1"]["messages"] = [{"type": "rate_error", "message": "Unusual."}]
            return given

        stub._offer = warned
        expected = ("Unusual.",)

    booking = adapter.book(parcel)

    assert booking.warnings == expected
    assert stub.orders == [parcel.reference]


def test_refused_field_is_named_as_in_our_form(carrier):
    name, stub, adapter, parcel = carrier
    stub.answer = answer(400, FIELD_ERRORS[name])

    error = outcome(adapter, parcel)

    assert (error.outcome, error.fields) == (Outcome.REJECTED, [("street", "No such street.")])
    assert stub.orders == [parcel.reference]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_login_at_the_booking_is_a_refusal(carrier, status):
    _name, stub, adapter, parcel = carrier
    stub.answer = answer(status, {"error": {"code": "NO", "message": "Not allowed."}})

    error = outcome(adapter, parcel)

    assert (error.outcome, error.code) == (Outcome.REJECTED, str(status))
    assert stub.orders == [parcel.reference]


@pytest.mark.parametrize(("header", "seconds"), [({"Retry-After": "7"}, 7), ({}, None)])
def test_too_many_requests_come_again_when_the_carrier_says(carrier, header, seconds):
    _name, stub, adapter, parcel = carrier
    stub.answer = answer(429, {"error": {"code": "RATE", "message": "Slow down."}}, **header)

    error = outcome(adapter, parcel)

    assert (error.outcome, error.seconds) == (Outcome.RETRY, seconds)
    assert stub.orders == [parcel.reference]


@pytest.mark.parametrize(
    "given",
    [
        answer(500, {"error": {"code": "INTERNAL", "message": "Oops."}}),
        answer(500, {"title": "Internal Server Error"}),
        (502, {"Content-Type": "text/html"}, b"<html><h1>Bad Gateway</h1></html>"),
        (200, {"Content-Type": "text/html"}, b"<html>Maintenance</html>"),
        answer(200, {}),
        answer(200, {"items": []}),
        Cut,
    ],
    ids=["500", "500-bare", "502-html", "200-html", "empty", "no-items", "cut"],
)
def test_answer_that_says_nothing_leaves_it_open_and_is_not_asked_for_again(carrier, given):
    _name, stub, adapter, parcel = carrier
    stub.answer = given

    error = outcome(adapter, parcel)

    assert error.outcome is Outcome.UNKNOWN
    assert stub.orders == [parcel.reference]


def test_slow_answer_leaves_it_open(carrier, monkeypatch):
    _name, stub, adapter, parcel = carrier
    monkeypatch.setattr("shipping.carriers.easypost.READ_SECONDS", 0.3)
    monkeypatch.setattr(calls, "READ_SECONDS", 0.3)
    calls._client.cache_clear()
    stub.delay = 1

    error = outcome(adapter, parcel)

    calls._client.cache_clear()
    assert error.outcome is Outcome.UNKNOWN
    assert stub.orders == [parcel.reference]


def test_booking_that_would_go_out_too_late_is_not_sent(carrier):
    _name, stub, adapter, parcel = carrier
    past = timezone.now() - datetime.timedelta(seconds=1)

    error = outcome(adapter, dataclasses.replace(parcel, send_until=past))

    assert (error.outcome, error.code) == (Outcome.RETRY, "late")
    assert stub.asked, "the login or the offer"
    assert stub.orders == []


@pytest.mark.parametrize("make", [dhl, easypost])
def test_carrier_that_is_not_there_is_asked_again_later(make):
    _tokens.clear()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        adapter = make(f"http://127.0.0.1:{taken.getsockname()[1]}")

        assert outcome(adapter, PARCEL).outcome is Outcome.RETRY


@pytest.mark.parametrize("make", [dhl, easypost])
@pytest.mark.parametrize(
    "url", ["", "ftp://x", "http://carrier.example", "https://user:secret@carrier.example"]
)
def test_check_names_a_base_url_that_cannot_be(make, url):
    assert "base URL" in " ".join(make(url).check_config())


def test_check_logs_in(carrier):
    name, stub, adapter, _parcel = carrier

    assert adapter.check_config() == []
    assert stub.asked
    credentials = {**DHL, "password": ""} if name == "dhl_parcel_de" else {}
    bare = type(adapter)(dataclasses.replace(adapter.account, credentials=credentials))
    assert [problem.split()[0] for problem in bare.check_config()] == ["Enter"]
    assert stub.orders == []


def test_cancellation_and_closing_of_the_day(carrier):
    _name, stub, adapter, parcel = carrier
    booking = adapter.book(parcel)
    number = booking.carrier_reference or booking.number

    assert adapter.cancel(number) is True
    assert adapter.manifest([number], datetime.date(2026, 3, 2)).startswith(b"%PDF")
    assert stub.orders == [parcel.reference]
