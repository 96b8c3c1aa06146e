import dataclasses
import datetime

import pytest

from shipping.carriers import Account, CarrierError, Contact, CustomsLine, Outcome, Product
from shipping.carriers.dhl_parcel_de import DhlParcelDe, _tokens
from tests.carrierstub import PARCEL, DhlStub, answer

CREDENTIALS = {"client_id": "id", "client_secret": "secret", "username": "user", "password": "pass"}
PRODUCTS = (Product("V01PAK", "33333333330101", ("DE",)), Product("V53WPAK", "33333333335301"))


@pytest.fixture
def stub():
    _tokens.clear()
    with DhlStub().listening() as stub:
        yield stub


def adapter(stub, **fields):
    return DhlParcelDe(
        Account(**{"base_url": stub.url, "credentials": CREDENTIALS, "products": PRODUCTS} | fields)
    )


def to(recipient, **fields):
    return dataclasses.replace(PARCEL, recipient=dataclasses.replace(PARCEL.recipient, **recipient), **fields)


def posted(stub):
    return next(asked for asked in stub.asked if asked.path.endswith("/orders"))


def test_order_says_what_the_carrier_wants(stub):
    adapter(stub).book(dataclasses.replace(PARCEL, ship_date=datetime.date(2026, 3, 2)))

    asked = posted(stub)
    assert asked.query == {
        "docFormat": ["PDF"],
        "printFormat": ["910-300-400"],
        "mustEncode": ["true"],
        "combine": ["false"],
    }
    assert asked.headers["authorization"] == "Bearer T"
    assert asked.json["profile"] == "STANDARD_GRUPPENPROFIL"
    (shipment,) = asked.json["shipments"]
    assert (shipment["product"], shipment["billingNumber"]) == ("V01PAK", "33333333330101")
    assert (shipment["refNo"], shipment["shipDate"]) == (PARCEL.reference, "2026-03-02")
    assert shipment["consignee"] == {
        "name1": "Anna Vries",
        "addressStreet": "Unter den Linden",
        "addressHouse": "77",
        "postalCode": "10117",
        "city": "Berlin",
        "country": "DEU",
    }
    assert shipment["details"] == {
        "weight": {"uom": "g", "value": 1200},
        "dim": {"uom": "mm", "length": 200, "width": 150, "height": 50},
    }
    assert "customs" not in shipment


def test_second_address_line_prints_in_germany_and_abroad(stub):
    adapter(stub).book(to({"addition": "Hinterhaus"}))
    adapter(stub).book(to({"addition": "Hof 2", "country": "AT"}, product="V53WPAK"))

    german, austrian = [
        asked.json["shipments"][0]["consignee"] for asked in stub.asked if asked.path.endswith("/orders")
    ]
    assert german["name3"] == "Hinterhaus"
    assert (austrian["additionalAddressInformation1"], austrian["country"]) == ("Hof 2", "AUT")
    assert "name3" not in austrian


def test_phone_and_email_go_out_only_when_they_are_given(stub):
    adapter(stub).book(to({"phone": "+49 30 1", "email": "a@example.com"}))

    consignee = posted(stub).json["shipments"][0]["consignee"]
    assert (consignee["phone"], consignee["email"]) == ("+49 30 1", "a@example.com")


@pytest.mark.parametrize(
    ("field", "value", "ours"),
    [
        ("name", "N" * 51, "last_name"),
        ("company", "C" * 51, "company"),
        ("addition", "A" * 51, "addition"),
        ("street", "S" * 51, "street"),
        ("house_number", "1" * 11, "house_number"),
        ("city", "C" * 41, "city"),
        ("house_number", "", "house_number"),
    ],
)
def test_what_the_fields_do_not_hold_is_refused_and_never_sent(stub, field, value, ours):
    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(to({field: value}))

    assert caught.value.outcome is Outcome.REJECTED
    assert [name for name, _words in caught.value.fields] == [ours]
    assert stub.asked == []


def test_zero_weight_is_refused_and_never_sent(stub):
    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(dataclasses.replace(PARCEL, weight_g=0))

    assert [name for name, _words in caught.value.fields] == ["weight_g"]
    assert stub.asked == []


def test_goods_for_the_customs_go_with_the_order(stub):
    line = CustomsLine("Stoneware mugs for drinking", 2, 350, "12.50", "EUR", "691200", "NL")
    adapter(stub).book(to({"country": "CH"}, product="V53WPAK", customs=(line,)))

    customs = posted(stub).json["shipments"][0]["customs"]
    assert customs["exportType"] == "COMMERCIAL_GOODS"
    assert customs["items"] == [
        {
            "itemDescription": "Stoneware mugs for drinking",
            "countryOfOrigin": "NLD",
            "hsCode": "691200",
            "packagedQuantity": 2,
            "itemValue": {"currency": "EUR", "value": 12.5},
            "itemWeight": {"uom": "g", "value": 350},
        }
    ]


def test_return_label_comes_with_the_label_when_there_is_an_account_for_it(stub):
    returns = Product("RETURN", "33333333330701")
    booking = adapter(stub, products=(*PRODUCTS, returns)).book(PARCEL)

    services = posted(stub).json["shipments"][0]["services"]
    assert services["dhlRetoure"]["billingNumber"] == "33333333330701"
    assert [doc.kind for doc in booking.docs] == ["label", "return_label"]
    assert booking.return_number == f"9{booking.number}"


def test_labels_for_label_printers(stub):
    booking = adapter(stub, label_format="ZPL").book(PARCEL)

    assert posted(stub).query["docFormat"] == ["ZPL2"]
    assert (booking.docs[0].format, booking.docs[0].data[:3]) == ("ZPL", b"^XA")


def test_item_that_failed_in_a_good_answer_is_a_refusal(stub):
    stub.answer = answer(
        207,
        {
            "items": [
                {
                    "sstatus": {"statusCode": 400, "title": "Bad Request"},
                    "validationMessages": [
                        {
                            "property": "consignee.postalCode",
                            "validationMessage": "Unknown.",
                            "validationState": "Error",
                        }
                    ],
                }
            ]
        },
    )

    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(PARCEL)

    assert (caught.value.outcome, caught.value.fields) == (Outcome.REJECTED, [("postal_code", "Unknown.")])


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(400, Outcome.REJECTED), (401, Outcome.REJECTED), (429, Outcome.RETRY), (500, Outcome.RETRY)],
)
def test_login_that_fails_books_nothing_and_never_leaves_it_open(stub, status, outcome):
    stub.login = status

    with pytest.raises(CarrierError) as caught:
        adapter(stub).book(PARCEL)

    assert caught.value.outcome is outcome
    assert stub.orders == []


def test_token_is_kept_and_one_that_was_withdrawn_is_renewed(stub):
    one = adapter(stub)
    one.book(PARCEL)
    one.book(PARCEL)
    assert sum(asked.path.endswith("/token") for asked in stub.asked) == 1
    stub.answer = answer(401, {"title": "Unauthorized"})

    with pytest.raises(CarrierError) as caught:
        one.book(PARCEL)

    assert (caught.value.outcome, caught.value.seconds) == (Outcome.RETRY, 0)
    stub.answer = None
    one.book(PARCEL)
    assert sum(asked.path.endswith("/token") for asked in stub.asked) == 2


def test_login_sends_what_the_carrier_wants(stub):
    adapter(stub).check_config()

    (login,) = stub.asked
    assert login.path == "/parcel/de/account/auth/ropc/v1/token"
    assert login.form == {"grant_type": "password", **CREDENTIALS}


def test_check_names_products_and_billing_numbers(stub):
    assert "V01PAK" in adapter(stub, products=()).check_config()[0]
    assert "V62KP" in adapter(stub, products=(Product("V62KP", "123"),)).check_config()[0]
    stub.login = 401
    assert "login" in adapter(stub).check_config()[0]


def test_cancellation_that_comes_too_late(stub):
    refused = DhlStub.respond

    def respond(asked):
        if asked.method == "DELETE":
            return answer(400, {"title": "already manifested"})
        return refused(stub, asked)

    stub.respond = respond

    assert adapter(stub).cancel("00340001") is False


def test_way_of_a_parcel_in_our_words(stub):
    stub.events["00340001"] = [
        {
            "timestamp": "2026-03-02T09:00:00",
            "statusCode": "transit",
            "description": "In the parcel centre",
            "location": {"address": {"addressLocality": "Köln"}},
        },
        {"timestamp": "2026-03-03T10:00:00+01:00", "statusCode": "delivered", "status": "Delivered"},
        {"statusCode": "transit"},
    ]

    found = adapter(stub).track(["00340001", "00340002"])

    assert [(track.status, track.at.isoformat(), track.location) for track in found] == [
        ("transit", "2026-03-02T09:00:00+00:00", "Köln"),
        ("delivered", "2026-03-03T09:00:00+00:00", ""),
    ]


def test_company_stands_first_on_the_label(stub):
    adapter(stub).book(
        dataclasses.replace(
            PARCEL, recipient=Contact("Anna", "Weg", "1", "10117", "Berlin", "DE", company="ACME")
        )
    )

    consignee = posted(stub).json["shipments"][0]["consignee"]
    assert (consignee["name1"], consignee["name2"]) == ("ACME", "Anna")
