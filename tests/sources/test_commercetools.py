"""What only commercetools has: pushed messages in three wrappings, signed tokens, ship groups, one update per report."""

import base64
import datetime
import json

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import ANNA, Fault, Item
from orders import services
from orders.models import Order, ParcelRecord
from orders.sources import inbox, polling
from orders.sources.commercetools import inbound, mapping
from orders.sources.models import Delivery, ImportedOrder, Report
from orders.sources.registry import KINDS
from tests.sources.conftest import arrive, join, work_off
from tests.sources.test_reports import hand_over, send_again, shipped

pytestmark = pytest.mark.django_db

KIND = KINDS["commercetools"]
AUDIENCE, ACCOUNT = "https://own.example/sources/", "push@project.example"


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("commercetools"), monkeypatch)


def draft_of(order, **options):
    (draft,) = KIND.mapping.drafts(order, KIND.options(options))
    return draft


def receive(connection, headers, body):
    return inbox.receive(connection.pk, httpx.Headers(headers), body, now=timezone.now())


# Mapping


def test_title_follows_the_languages_of_the_connection(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", title="Tasse")))

    assert draft_of(order, locales=["en"]).lines[0].title == "Tasse (en)"
    assert draft_of(order, locales=["fr", "de-AT"]).lines[0].title == "Tasse"
    assert draft_of(order).lines[0].title == "Tasse"


def test_money_without_digits_has_those_of_its_currency(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", price="1500"), currency="JPY"))
    del order["lineItems"][0]["price"]["value"]["fractionDigits"]

    assert str(draft_of(order).lines[0].unit_price) == "1500"


def test_high_precision_price_is_exact(shop):
    order = shop.payload(shop.new_order())
    order["lineItems"][0]["price"]["value"] = {
        "type": "highPrecision",
        "currencyCode": "EUR",
        "centAmount": 123,
        "preciseAmount": 1234567,
        "fractionDigits": 6,
    }

    assert str(draft_of(order).lines[0].unit_price) == "1.234567"


def test_number_in_the_street_is_parted_and_additions_are_kept(shop):
    order = shop.payload(shop.new_order())
    order["shippingAddress"] |= {
        "streetName": " Straße des 17. Juni 135 ",
        "streetNumber": "",
        "building": "B",
        "apartment": "3",
        "additionalAddressInfo": "c/o Meier",
    }

    address = draft_of(order).address

    assert (address.street, address.house_number) == ("Straße des 17. Juni", "135")
    assert address.addition == "Hinterhaus, c/o Meier, B, 3"


def test_mobile_and_region_stand_for_phone_and_state_and_fees_are_no_stock(shop):
    order = shop.payload(shop.new_order())
    order["shippingAddress"] |= {"phone": "", "mobile": " +49 170 1 ", "state": "", "region": "Bayern"}
    assert order["customLineItems"]

    draft = draft_of(order)

    assert (draft.address.phone, draft.address.state) == ("+49 170 1", "Bayern")
    assert [line.sku for line in draft.lines] == ["SKU-1"]


def test_custom_fields_become_flat_text(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", attributes={"engraving": "Anna"})))
    order["custom"] = {"fields": {"gift": True, "slot": {"from": 9}, "tags": ["a", "b"]}}

    draft = draft_of(order)

    assert draft.attributes == {"gift": "true", "slot": '{"from": 9}', "tags": "a, b"}
    assert draft.lines[0].attributes == {"engraving": "Anna"}


def test_supply_channel_becomes_a_preferred_facility(shop):
    order = shop.payload(shop.new_order())
    order["lineItems"][0]["supplyChannel"] = {"typeId": "channel", "id": "c1", "obj": {"key": "berlin"}}

    draft = draft_of(order, facilities={"berlin": "F-1"})

    assert draft.body()["deliveryPreferences"]["shipping"]["preselectedFacilities"] == [
        {"tenantFacilityId": "F-1"}
    ]


def test_units_without_a_target_are_never_merged(shop):
    order = shop.payload(shop.new_order(("SKU-1", 3), addresses=[ANNA]))
    order["lineItems"][0]["shippingDetails"]["targets"][0]["quantity"] = 2

    draft = draft_of(order)

    assert (str(draft.action), draft.reason.code) == ("park", "SEVERAL_ADDRESSES")


def test_one_line_for_two_addresses_is_in_both_groups(shop):
    order = shop.payload(
        shop.new_order(("SKU-1", 3), ("SKU-2", 1), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])
    )
    order["lineItems"][0]["shippingDetails"]["targets"] = [
        {"addressKey": "address-1", "quantity": 2, "shippingMethodKey": "shipping-1"},
        {"addressKey": "address-2", "quantity": 1, "shippingMethodKey": "shipping-2"},
    ]

    first, second = KIND.mapping.drafts(order, KIND.options())

    assert [(line.sku, line.quantity) for line in first.lines] == [("SKU-1", 2)]
    assert [(line.sku, line.quantity) for line in second.lines] == [("SKU-1", 1), ("SKU-2", 1)]
    assert second.address.city == "Potsdam"


# Messages


@pytest.mark.parametrize("wrap", ["push", "cloud event", "bare"])
def test_message_is_read_in_every_wrapping(shop, wrap):
    order = shop.new_order()
    message = shop.message(order)
    payload = {
        "push": {"message": {"data": base64.b64encode(json.dumps(message).encode()).decode()}},
        "cloud event": {"specversion": "1.0", "id": "e1", "data": message},
        "bare": message,
    }[wrap]

    assert [found["id"] for found in mapping.unwrap(payload)] == [order.id]


def test_message_without_the_order_is_a_signal_to_read_it(shop, connect):
    connection = connect(shop)
    order = shop.new_order()

    receive(connection, *shop.webhook(order, "OrderStateChanged", orderState="Confirmed"))
    work_off()

    assert ImportedOrder.objects.get().external_id == order.id
    assert Delivery.objects.get().state == "DONE"


def test_old_message_of_a_known_order_reads_it_anew(shop, connect):
    connection = connect(shop)
    order = shop.new_order()
    old = shop.webhook(order)
    shop.change(order, address={**ANNA, "city": "Potsdam"})
    polling.run(connection.pk, now=timezone.now())

    receive(connection, *old)
    work_off()

    assert Order.objects.get().shipping_address.city == "Potsdam"
    assert Delivery.objects.get().state == "IGNORED"


def test_deleted_order_is_cancelled_though_its_message_carries_it(shop, connect):
    connection = connect(shop)
    order = arrive(shop, connection)

    receive(connection, *shop.webhook(order, "OrderDeleted", order=shop.payload(order)))
    work_off()

    assert Order.objects.get().status == "CANCELLED"


def test_deleted_order_is_cancelled_with_all_its_groups(shop, connect):
    connection = connect(shop)
    order = shop.new_order(("SKU-1", 1), ("SKU-2", 1), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])
    polling.run(connection.pk, now=timezone.now())

    receive(connection, *shop.webhook(order, "OrderDeleted", resourceVersion=9))
    work_off()

    assert set(Order.objects.values_list("status", flat=True)) == {"CANCELLED"}
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    ("topic", "resource"),
    [("ResourceCreated", "subscription"), ("DeliveryAdded", "order"), ("ProductPublished", "product")],
)
def test_other_messages_are_taken_and_ignored(shop, connect, topic, resource):
    order = shop.new_order()

    receive(connect(shop), *shop.webhook(order, topic, resource={"typeId": resource, "id": order.id}))
    work_off()

    assert Delivery.objects.get().state == "IGNORED"
    assert Order.objects.count() == 0


def test_message_id_is_the_key_however_it_is_pushed(shop, connect):
    connection = connect(shop)
    order = shop.new_order()

    receive(connection, *shop.webhook(order, key="m-1"))
    receive(connection, *shop.webhook(order, key="m-1"))

    assert list(Delivery.objects.values_list("key", flat=True)) == ["m-1"]


# Signed tokens


@pytest.fixture
def google(shop, monkeypatch):
    """Signs as Google does; its public keys are at its address."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key())) | {
        "kid": "k1",
        "alg": "RS256",
    }
    real = shop.answer

    def answer(request):
        return (
            httpx.Response(200, json={"keys": [public]})
            if str(request.url) == inbound.KEYS_URL
            else real(request)
        )

    monkeypatch.setattr(shop, "answer", answer)

    def sign(**changes):
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": ACCOUNT,
            "email_verified": True,
            "exp": timezone.now() + datetime.timedelta(minutes=5),
            **changes,
        }
        return {
            "Authorization": f"Bearer {jwt.encode(claims, private, algorithm='RS256', headers={'kid': 'k1'})}"
        }

    return sign


@pytest.fixture
def pushed(shop, connect):
    return connect(shop, push_audience=AUDIENCE, push_account=ACCOUNT)


def test_push_signed_by_google_is_taken(shop, pushed, google):
    _headers, body = shop.webhook(shop.new_order())

    assert receive(pushed, google(), body).topic == "OrderCreated"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"email": "other@project.example"},
        {"email_verified": False},
        {"iss": "https://accounts.evil.example"},
        {"exp": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_push_with_another_claim_is_refused(shop, pushed, google, changes):
    _headers, body = shop.webhook(shop.new_order())

    with pytest.raises(inbound.BadSignature):
        receive(pushed, google(**changes), body)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(502), httpx.Response(200, text="<html>"), httpx.Response(200, json=[])],
    ids=["failure", "not JSON", "no keys"],
)
def test_push_that_cannot_be_checked_is_refused_and_comes_again(shop, pushed, google, answer):
    _headers, body = shop.webhook(shop.new_order())
    shop.faults.append(Fault(answer=answer, match=lambda call: str(call.url) == inbound.KEYS_URL))

    with pytest.raises(inbound.BadSignature):
        receive(pushed, google(), body)
    cache.delete("sources:google-keys-asked")  # some seconds later

    assert receive(pushed, google(), body)


def test_keys_that_do_not_exist_are_asked_for_once_in_a_while(shop, pushed, google):
    _headers, body = shop.webhook(shop.new_order())
    token = jwt.encode({}, "secret-of-somebody-else-who-guesses", headers={"kid": "k9"})

    for _attempt in range(3):
        with pytest.raises(inbound.BadSignature):
            receive(pushed, {"Authorization": f"Bearer {token}"}, body)

    assert [str(call.url) for call in shop.requests] == [inbound.KEYS_URL]


def test_token_counts_for_nothing_without_an_audience(shop, connect, google):
    _headers, body = shop.webhook(shop.new_order())

    with pytest.raises(inbound.BadSignature):
        receive(connect(shop), google(), body)


# Poll


def test_orders_of_the_same_moment_are_all_found(shop, connect):
    moment = shop.tick()
    for _number in range(5):
        shop.new_order(updated_at=moment)

    polling.run(connect(shop).pk, now=timezone.now())

    assert Order.objects.count() == 5


# Reports


def actions_of(shop):
    body = json.loads([request for request in shop.requests if shop.is_write(request)][-1].content)
    return body["actions"]


def test_last_parcel_completes_the_order_in_one_update(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2))

    hand_over(Order.objects.get(), (0, 2))
    work_off()

    delivery, shipment, state = actions_of(shop)
    key = str(Report.objects.get().subject_id)
    outward, back = delivery["parcels"]
    assert (delivery["deliveryKey"], outward["key"]) == (key, key)
    assert outward["trackingData"] == {"trackingId": "TRACK-1", "carrier": "Demo carrier", "isReturn": False}
    assert (back["trackingData"]["trackingId"], back["trackingData"]["isReturn"]) == ("RETURN-TRACK-1", True)
    assert (shipment["shipmentState"], state["orderState"]) == ("Shipped", "Complete")
    assert shipped(order) == {"TRACK-1": {order.items[0].id: 2}}


def test_first_of_two_parcels_is_a_part(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 2))

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    assert [action.get("shipmentState") for action in actions_of(shop)] == [None, "Partial"]


def test_delivery_of_a_group_names_its_shipping(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 1), ("SKU-2", 1), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])
    potsdam = next(order for order in Order.objects.all() if order.shipping_address.city == "Potsdam")

    hand_over(potsdam, (0, 1))
    work_off()

    delivery, shipment = actions_of(shop)
    assert (delivery["shippingKey"], shipment["shipmentState"]) == ("shipping-2", "Partial")
    assert Report.objects.get().state == "SENT"


def test_order_changed_meanwhile_is_read_again(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 1))
    real = shop.answer

    def answer(request):
        found = real(request)
        if request.method == "GET" and request.url.path.endswith(order.id) and order.version == 1:
            shop.change(order)
        return found

    shop.answer = answer
    hand_over(Order.objects.get(), (0, 1))
    work_off()

    assert (Report.objects.get().state, len(order.shipments)) == ("SENT", 1)


def test_cancellation_here_is_told_when_wanted(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True))

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()
    send_again()

    assert order.is_cancelled
    assert Report.objects.get().state == "SENT"


@transaction.atomic
def deliver(*trackings):
    for record in ParcelRecord.objects.filter(tracking_number__in=trackings):
        services.record_tracking(record.parcel_id, "delivered", at=timezone.now(), now=timezone.now())


def test_delivered_order_is_told_with_its_last_parcel(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2))
    hand_over(Order.objects.get(), (0, 1), tracking="TRACK-1")
    hand_over(Order.objects.get(), (0, 1), tracking="TRACK-2")
    work_off()

    deliver("TRACK-1")
    work_off()
    assert shop.shipment_states[order.id] == "Shipped"
    deliver("TRACK-2")
    work_off()

    assert shop.shipment_states[order.id] == "Delivered"
    told = Report.objects.filter(what="DELIVERED").order_by("pk")
    assert [(report.state, report.reason_code) for report in told] == [
        ("SKIPPED", "NOT_ALL_DELIVERED"),
        ("SENT", ""),
    ]


def is_told(call):
    return b"Delivered" in call.content


def test_delivery_is_told_once_though_its_answer_is_lost(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 1))
    hand_over(Order.objects.get(), (0, 1))
    work_off()
    shop.lose_answer(is_told)

    deliver("TRACK-1")
    work_off()
    send_again()

    assert Report.objects.get(what="DELIVERED").state == "SENT"
    assert sum(map(is_told, shop.requests)) == 1
