import dataclasses
import hashlib
import hmac
import json

import pytest

from shipping.carriers import Account, CarrierError, NotSigned, Outcome, Product
from shipping.carriers.easypost import EasyPost
from tests.carrierstub import PARCEL, Cut, EasyPostStub, answer

ANY = dataclasses.replace(PARCEL, product="")


@pytest.fixture
def stub():
    with EasyPostStub().listening() as stub:
        yield stub


def adapter(stub, **fields):
    return EasyPost(Account(**{"base_url": stub.url, "credentials": {"api_key": "KEY"}} | fields))


def test_cheapest_price_is_bought_and_the_wanted_one_when_there_is_one(stub):
    adapter(stub).book(ANY)
    wanted = adapter(stub, products=(Product("UPS Ground", "ca_1"),))
    wanted.book(dataclasses.replace(PARCEL, product="UPS Ground", reference="P2-1"))

    rates = [asked.json["rate"]["id"] for asked in stub.asked if asked.path.endswith("/buy")]
    assert rates == ["rate_1", "rate_2"]
    assert stub.asked[-3].json["shipment"]["carrier_accounts"] == ["ca_1"]


def test_shipment_is_written_in_ounces_and_inches_under_our_reference(stub):
    adapter(stub).book(ANY)

    sent = stub.asked[0].json["shipment"]
    assert sent["reference"] == PARCEL.reference
    assert sent["parcel"] == {"weight": 42.4, "length": 7.9, "width": 5.9, "height": 2.0}
    assert (sent["to_address"]["street1"], sent["to_address"]["country"]) == ("Unter den Linden 77", "DE")
    assert "phone" not in sent["to_address"]


def test_no_price_is_a_refusal_and_nothing_is_bought(stub):
    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(dataclasses.replace(PARCEL, product="Nobody Overnight"))

    assert (caught.value.outcome, caught.value.fields[0][0]) == (Outcome.REJECTED, "product")
    assert stub.orders == []


@pytest.mark.parametrize("path", ["/shipments"])
def test_fault_before_the_purchase_is_tried_again(stub, path):
    stub._offer = lambda sent: answer(500, {"error": {"code": "INTERNAL", "message": "Oops"}})

    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(ANY)

    assert caught.value.outcome is Outcome.RETRY
    assert stub.orders == []


def test_purchase_whose_answer_was_lost_is_found_by_its_reference(stub):
    stub.answer, stub.books_before_answer = Cut, True
    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(ANY)
    assert caught.value.outcome is Outcome.UNKNOWN

    booking = adapter(stub).find(ANY.reference)

    assert booking.number == "EZ0000000001"
    assert booking.docs[0].data.startswith(b"%PDF")
    assert stub.orders == [ANY.reference]


def test_shipment_that_was_never_bought_is_no_booking(stub):
    stub.answer = Cut
    with pytest.raises(CarrierError):
        adapter(stub).book(ANY)

    assert adapter(stub).find(ANY.reference) is None
    assert adapter(stub).find("P-never") is None


def test_label_that_cannot_be_fetched_leaves_the_purchase_open(stub):
    stub.label_pdf = lambda number: b"<html>"

    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(ANY)

    assert caught.value.outcome is Outcome.UNKNOWN
    assert stub.orders == [ANY.reference]


def test_sdk_does_not_try_again_by_itself(stub):
    stub._offer = None
    respond = stub.respond

    def cut(asked):
        if asked.method == "GET":
            raise Cut
        return respond(asked)

    stub.respond = cut

    with pytest.raises(CarrierError):
        adapter(stub).find("P1")

    assert len(stub.asked) == 1


def test_redirect_is_not_followed_with_a_booking(stub):
    stub.answer = (307, {"Location": f"{stub.url}/v2/shipments/shp_1/buy"}, b"")

    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(ANY)

    assert caught.value.outcome is Outcome.UNKNOWN
    assert stub.orders == [ANY.reference]


def test_wrong_key_is_named_by_the_check(stub):
    assert "key is invalid" in adapter(stub, credentials={"api_key": "WRONG"}).check_config()[0]


TRACKER = {
    "id": "trk_1",
    "object": "Tracker",
    "tracking_code": "EZ1",
    "tracking_details": [
        {
            "status": "in_transit",
            "message": "Arrived",
            "datetime": "2026-03-02T09:00:00Z",
            "tracking_location": {"city": "Berlin", "country": "DE"},
        },
        {"status": "available_for_pickup", "message": "At the shop", "datetime": "2026-03-03T09:00:00Z"},
    ],
}


def test_way_of_parcels_in_our_words(stub):
    stub.trackers = [TRACKER]

    found = adapter(stub).track(["EZ1"])

    assert [(track.number, track.status, track.location) for track in found] == [
        ("EZ1", "transit", "Berlin, DE"),
        ("EZ1", "awaits_pickup_by_receiver", ""),
    ]


def test_message_counts_with_the_right_signature_only(stub):
    secret = "s3cret"
    body = json.dumps({"description": "tracker.updated", "result": TRACKER}).encode()
    signature = "hmac-sha256-hex=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    one = adapter(stub, webhook_secret=secret)

    assert len(one.read_webhook(body, {"x-hmac-signature": signature})) == 2
    for headers in ({}, {"x-hmac-signature": "hmac-sha256-hex=00"}):
        with pytest.raises(NotSigned):
            one.read_webhook(body, headers)
    assert (
        one.read_webhook(
            b"{}",
            {
                "x-hmac-signature": "hmac-sha256-hex="
                + hmac.new(secret.encode(), b"{}", hashlib.sha256).hexdigest()
            },
        )
        == []
    )


# Returns


@pytest.fixture
def returning(stub):
    return adapter(stub, products=(Product("RETURN", "ca_back"),))


def test_return_label_is_bought_beside_the_label(stub, returning):
    parcel = dataclasses.replace(ANY, return_to=dataclasses.replace(ANY.sender, name="Returns GmbH"))

    booking = returning.book(parcel)

    assert [doc.kind for doc in booking.docs] == ["label", "return_label"]
    assert (booking.number, booking.return_number) == ("EZ0000000001", "EZ0000000002")
    assert stub.orders == [ANY.reference, f"{ANY.reference}-R"]
    first, back = [asked.json["shipment"] for asked in stub.asked if asked.path == "/v2/shipments"]
    assert ("is_return" in first, back["is_return"]) == (False, True)
    # The carrier exchanges them.
    assert back["to_address"] == first["to_address"]
    assert back["from_address"]["name"] == "Returns GmbH"
    assert back["carrier_accounts"] == ["ca_back"]


@pytest.mark.parametrize("given", [Cut, answer(422, {"error": {"code": "NO", "message": "No returns."}})])
def test_return_label_that_fails_does_not_undo_the_booking(stub, returning, given):
    buy = stub._buy

    def refused(shipment):
        stub.answer = given if shipment["reference"].endswith("-R") else None
        return buy(shipment)

    stub._buy = refused

    booking = returning.book(ANY)

    assert [doc.kind for doc in booking.docs] == ["label"]
    *_others, without, why = booking.warnings
    assert (without, bool(why)) == ("No return label.", True)
    assert stub.orders == [ANY.reference, f"{ANY.reference}-R"]


def test_booking_is_found_with_its_return_label_and_buys_nothing(stub, returning):
    returning.book(ANY)
    without = dataclasses.replace(ANY, reference="P2-1")
    adapter(stub).book(without)
    before = list(stub.orders)

    found, bare = returning.find(ANY.reference), returning.find(without.reference)

    assert (found.return_number, [doc.kind for doc in found.docs]) == (
        "EZ0000000002",
        ["label", "return_label"],
    )
    assert (bare.return_number, bare.warnings) == ("", ("No return label.",))
    assert stub.orders == before


def test_cancelled_booking_takes_its_return_label_back_too(stub, returning):
    booking = returning.book(ANY)

    assert returning.cancel(booking.carrier_reference) is True

    refunds = [asked.path for asked in stub.asked if asked.path.endswith("/refund")]
    assert refunds == ["/v2/shipments/shp_1/refund", "/v2/shipments/shp_2/refund"]
