"""What only Salesforce has: the export queue, shipments as groups, status events, and Order Management."""

import json
from decimal import Decimal

import httpx
import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import ANNA, Item
from fulfillment.demo.sources.salesforce import Management
from orders import services
from orders.models import Order
from orders.sources.models import Connection, Delivery, ImportedOrder, Report
from orders.sources.registry import KINDS, open_client
from tests.factories.core import CarrierFactory, FacilityFactory
from tests.sources.conftest import arrive, join, poll, work_off
from tests.sources.test_reports import hand_over, miss, send_again, shipped

pytestmark = pytest.mark.django_db

KIND = KINDS["salesforce"]


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("salesforce"), monkeypatch)


@pytest.fixture
def org(monkeypatch):
    return join(Management(page_size=2), monkeypatch)


def drafts_of(order, **options):
    return KIND.mapping.drafts(order, KIND.options(options))


def draft_of(order, **options):
    (draft,) = drafts_of(order, **options)
    return draft


def sent(shop, end, method="POST"):
    return [
        json.loads(call.content)
        for call in shop.requests
        if call.method == method and call.url.path.endswith(end)
    ]


# Mapping


def test_number_keeps_its_zeros(shop):
    assert draft_of(shop.payload(shop.new_order())).number == "00001001"


def test_order_of_another_site_is_not_ours(shop):
    draft = draft_of({**shop.payload(shop.new_order()), "siteId": "Other"}, site_id="Fake")

    assert (str(draft.action), draft.reason.code) == ("ignore", "NOT_OURS")


@pytest.mark.parametrize("status", ["created", "failed"])
def test_order_that_is_no_order_yet_is_never_imported(shop, status):
    draft = draft_of({**shop.payload(shop.new_order()), "status": status})

    assert (str(draft.action), draft.reason.code) == ("ignore", "NOT_RELEASED")


def test_order_that_is_not_ready_needs_the_setting_and_its_confirmation(shop):
    order = {**shop.payload(shop.new_order()), "exportStatus": "not_exported"}

    assert str(draft_of(order).action) == "ignore"
    assert str(draft_of(order, takes_not_exported=True).action) == "import"
    order["confirmationStatus"] = "not_confirmed"
    assert str(draft_of(order, takes_not_exported=True).action) == "ignore"


@pytest.mark.parametrize(
    ("changes", "currency", "price"),
    [
        ({"basePrice": Decimal("12.5")}, "EUR", "12.50"),
        ({"basePrice": 12}, "EUR", "12.00"),
        ({"basePrice": None, "price": Decimal("25.0"), "quantity": 2}, "EUR", "12.50"),
        ({"basePrice": Decimal("12.345")}, "EUR", "12.345"),
        ({"basePrice": Decimal("1500.0")}, "JPY", "1500"),
    ],
)
def test_price_is_that_of_a_unit(shop, changes, currency, price):
    order = shop.payload(shop.new_order(currency=currency))
    order["productItems"][0] |= changes

    assert str(draft_of(order).lines[0].unit_price) == price


def test_quantity_that_is_not_whole_is_parked(shop):
    order = shop.payload(shop.new_order())
    order["productItems"][0]["quantity"] = Decimal("1.5")

    assert draft_of(order).reason.code == "QUANTITY_NOT_WHOLE"


def test_parts_of_a_bundle_are_picked_instead_of_it(shop):
    order = shop.payload(shop.new_order(Item("SET")))
    order["productItems"][0]["bundledProductItems"] = [
        {"itemId": "p1", "productId": "CUP", "quantity": 2},
        {"productId": "PLATE", "quantity": 1},
    ]
    order["productItems"][0]["optionItems"] = [{"itemId": "o1", "productId": "WARRANTY", "quantity": 1}]

    parts = draft_of(order).lines
    (bundle,) = draft_of(order, picks_bundle_parts=False).lines

    assert [(line.sku, line.quantity) for line in parts] == [("CUP", 2), ("PLATE", 1)]
    assert [line.line_id for line in parts] == ["p1", f"{bundle.line_id}/PLATE"]
    assert bundle.sku == "SET"


def test_own_attributes_lose_their_prefix(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", attributes={"engraving": "Anna"})))
    order |= {"c_channel": ["app", "ios"], "c_slot": {"from": 9}}
    order["shipments"][0]["giftMessage"] = "Alles Gute"

    draft = draft_of(order)

    assert draft.attributes == {"channel": "app, ios", "slot": '{"from": 9}', "giftMessage": "Alles Gute"}
    assert draft.lines[0].attributes == {"engraving": "Anna"}


def test_suite_and_full_name_are_kept(shop):
    order = shop.payload(shop.new_order())
    order["shipments"][0]["shippingAddress"] |= {
        "firstName": None,
        "lastName": None,
        "fullName": "Anna Maria Müller",
        "suite": "4b",
    }

    address = draft_of(order).address

    assert (address.full_name, address.addition) == ("Anna Maria Müller", "Hinterhaus, 4b")


def test_line_without_one_of_several_shipments_is_never_guessed(shop):
    order = shop.payload(shop.new_order(("A", 1), ("B", 1), addresses=[ANNA, {**ANNA, "city": "Potsdam"}]))
    order["productItems"][1]["shipmentId"] = None

    assert draft_of(order).reason.code == "SEVERAL_ADDRESSES"


def test_shipment_from_a_store_is_collected_there(shop):
    order = shop.payload(shop.new_order())
    order["shipments"][0] |= {"c_fromStoreId": "store-1", "shippingAddress": None}

    draft = draft_of(order, facilities={"store-1": "F-1"})

    assert (str(draft.action), draft.warnings) == ("import", ())
    assert draft.body()["deliveryPreferences"]["collect"][0]["tenantFacilityId"] == "F-1"
    assert draft_of(order).reason.code == "COLLECT_UNKNOWN"


# Poll


def test_order_leaves_the_queue_once_it_is_here(shop, connect):
    order = arrive(shop, connect(shop))

    assert Order.objects.count() == 1
    assert shop.exported == {order.id}
    assert sent(shop, "/export-status", "PUT") == [{"status": "exported"}]


def test_parked_orders_stay_in_the_queue_and_hide_nothing_behind_them(shop, connect):
    connection = connect(shop)
    for sku in ("", "A", "", "B", "", "C", "D"):
        shop.new_order(Item(sku))

    poll(connection)

    assert Order.objects.count() == len(shop.exported) == 4
    assert Delivery.objects.parked().count() == 3
    assert connection.last_error == ""


def test_order_stays_in_the_queue_while_one_of_its_shipments_is_parked(shop, connect):
    connection = connect(shop)
    order = arrive(shop, connection, ("A", 1), Item(""), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])
    assert (Order.objects.count(), shop.exported) == (1, set())
    order.items[1].sku = "B"
    shop.change(order)

    poll(connection)

    assert (Order.objects.count(), shop.exported) == (2, {order.id})


def test_crash_between_import_and_mark_imports_once(shop, connect):
    connection = connect(shop)
    order = shop.new_order()
    shop.fail(500, match=lambda call: call.method == "PUT")
    poll(connection)
    assert (Order.objects.count(), shop.exported) == (1, set())

    poll(connection)

    assert Order.objects.count() == ImportedOrder.objects.count() == 1
    assert shop.exported == {order.id}


def test_order_that_cannot_be_marked_keeps_nobody_out(shop, connect):
    connection = connect(shop)
    for _number in range(5):
        shop.new_order()
    shop.fail(409, body=shop.refusal("It is locked."), match=lambda call: call.method == "PUT")

    poll(connection)
    assert (Order.objects.count(), len(shop.exported)) == (5, 4)
    assert "It is locked." in connection.last_error
    poll(connection)

    assert (len(shop.exported), connection.last_error) == (5, "")


def test_shops_that_never_set_ready_have_a_second_queue(shop, connect, monkeypatch):
    order = shop.new_order()
    real = shop.payload

    def payload(one):
        found = real(one)
        return found | {"exportStatus": found["exportStatus"].replace("ready", "not_exported")}

    monkeypatch.setattr(shop, "payload", payload)

    poll(connect(shop))
    assert Order.objects.count() == 0
    Connection.objects.update(settings={**shop.settings(), "takes_not_exported": True})
    poll(Connection.objects.get())

    assert (Order.objects.count(), shop.exported) == (1, {order.id})


# Reports


def test_parcel_is_an_event_with_our_id(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2))

    parcel_id = hand_over(Order.objects.get(), (0, 1))
    work_off()
    hand_over(Order.objects.get(), (0, 1), tracking="TRACK-2")
    work_off()

    event = sent(shop, "/oms-status-events")[0]["fulfillmentEvent"]
    assert event.pop("occurredAt").endswith("Z")
    assert event == {
        "id": str(parcel_id),
        "type": "shipped",
        "lineItems": [{"id": order.items[0].id, "quantity": 1}],
        "trackingNumber": "TRACK-1",
        "trackingUrl": "https://track.example/TRACK-1",
        "carrier": "Demo carrier",
    }
    assert [body["status"] for body in sent(shop, "/shipping-status", "PUT")] == ["part_shipped", "shipped"]


def test_event_that_was_taken_is_not_told_again_for_its_status(shop, connect):
    order = arrive(shop, connect(shop))
    shop.fail(502, match=lambda call: call.url.path.endswith("/shipping-status"))

    hand_over(Order.objects.get(), (0, 1))
    work_off()
    assert Report.objects.get().state == "UNKNOWN"
    send_again()

    assert Report.objects.get().state == "SENT"
    assert (len(order.shipments), len(sent(shop, "/oms-status-events"))) == (1, 1)
    assert shop.payload(order)["shippingStatus"] == "shipped"


@transaction.atomic
def hand_over_without_link(order):
    line = order.lines.get()
    services.record_parcel(
        line.pk,
        order_id=order.pk,
        facility_id=FacilityFactory().pk,
        carrier_key=CarrierFactory().key,
        tracking_number="TRACK-1",
        tracking_url="",
        return_tracking_number="",
        items=[{"line": str(line.pk), "quantity": 1}],
        now=timezone.now(),
    )
    services.record_handed_over(line.pk, now=timezone.now())


def test_parcel_without_a_link_is_for_a_person(shop, connect):
    arrive(shop, connect(shop, tracking_page=""))

    hand_over_without_link(Order.objects.get())
    work_off()

    assert (Report.objects.get().state, Report.objects.get().reason_code) == ("PARKED", "LINK_MISSING")


def test_parcel_without_a_link_gets_the_page_of_the_connection(shop, connect):
    arrive(shop, connect(shop))

    hand_over_without_link(Order.objects.get())
    work_off()

    (body,) = sent(shop, "/oms-status-events")
    assert body["fulfillmentEvent"]["trackingUrl"] == "https://track.example/TRACK-1"


def test_shop_without_events_gets_attributes(shop, connect):
    shop.takes_events = False
    names = {
        "number_attribute": "c_tracking",
        "carrier_attribute": "c_carrier",
        "return_attribute": "c_return",
    }
    order = arrive(shop, connect(shop, **names), ("SKU-1", 2))

    hand_over(Order.objects.get(), (0, 1))
    work_off()
    hand_over(Order.objects.get(), (0, 1), tracking="TRACK-2")
    work_off()

    assert set(Report.objects.values_list("state", flat=True)) == {"SENT"}
    assert shop.written[order.id] == {
        "c_tracking": "TRACK-1, TRACK-2",
        "c_carrier": "Demo carrier",
        "c_return": "RETURN-TRACK-1, RETURN-TRACK-2",
        "shippingStatus": "shipped",
    }


def test_shop_without_events_and_attributes_is_told_by_a_person(shop, connect):
    shop.takes_events = False
    arrive(shop, connect(shop))

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    assert Report.objects.get().reason_code == "NO_ROUTE"


def test_missing_units_are_an_adjustment(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True), ("SKU-1", 3))

    miss(Order.objects.get(), 1)
    work_off()

    (body,) = sent(shop, "/oms-status-events")
    assert (body["adjustment"]["type"], body["adjustment"]["status"]) == ("cancellation", "completed")
    assert body["adjustment"]["lineItems"] == [{"id": order.items[0].id, "quantity": -1}]
    assert Report.objects.get().state == "SENT"


def test_cancellation_here_cancels_the_order_there(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True))

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert order.is_cancelled
    assert Report.objects.get().state == "SENT"


def test_cancellation_of_one_group_leaves_the_others(shop, connect):
    connection = connect(shop, reports_cancellations=True)
    order = arrive(shop, connection, ("A", 1), ("B", 1), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])
    potsdam = next(one for one in Order.objects.all() if one.shipping_address.city == "Potsdam")

    services.cancel(potsdam.pk, by=None, now=timezone.now())
    work_off()

    assert not order.is_cancelled
    (body,) = sent(shop, "/oms-status-events")
    assert body["adjustment"]["lineItems"] == [{"id": order.items[1].id, "quantity": -1}]


# Calls


def test_errors_are_told_in_the_words_of_the_source(shop, connect):
    with open_client(connect(shop)) as client:
        body = {"title": "Bad Request", "detail": "No such item", "type": "x"}

        assert client.explain(httpx.Response(400, json=body)) == "Bad Request: No such item"
        assert client.explain(httpx.Response(400, json=[{"message": "Malformed"}])) == "Malformed"
        assert client.explain(httpx.Response(502, text="<html>")) == "<html>"


def test_working_connection_has_no_complaints(shop, connect):
    with open_client(connect(shop)) as client:
        assert client.check() == []


# Order Management


def test_fulfillment_order_is_mapped_whole(org):
    order = org.payload(org.new_order(Item("SKU-1", 2, "Große Tasse")))

    draft = draft_of(order, **org.settings())

    assert (str(draft.action), draft.number, draft.currency) == ("import", "1001", "EUR")
    assert (draft.address.street, draft.address.house_number) == ("Schönhauser Allee", "12a")
    assert (draft.address.addition, draft.address.country) == ("Hinterhaus", "DE")
    assert draft.address.full_name == "Anna Müller"
    assert [(line.sku, line.title, line.quantity) for line in draft.lines] == [("SKU-1", "Große Tasse", 2)]


def test_name_of_a_country_is_understood(org):
    order = {**org.payload(org.new_order()), "FulfilledToCountry": "Germany"}

    assert draft_of(order).address.country == "DE"


def test_fulfillment_orders_of_every_page_come_once_and_their_changes(org, connect):
    connection = connect(org)
    orders = [org.new_order() for _number in range(5)]
    org.fail(429, headers={"Retry-After": "2"})
    poll(connection)
    org.expire_token()
    org.change(orders[0], is_cancelled=True)

    poll(connection)

    assert Order.objects.count() == 5
    assert Order.objects.filter(status="CANCELLED").count() == 1
    assert (connection.watermark, connection.last_error) == (orders[0].updated_at, "")


def test_parcel_is_one_shipment_though_the_answer_is_lost(org, connect):
    order = arrive(org, connect(org), ("SKU-1", 1))
    org.lose_answer()

    hand_over(Order.objects.get(), (0, 1))
    work_off()
    assert Report.objects.get().state == "UNKNOWN"
    send_again()

    assert (Report.objects.get().state, list(shipped(order))) == ("SENT", ["TRACK-1"])
    assert order.shipments[0]["body"] == {
        "FulfillmentOrderId": order.id,
        "TrackingNumber": "TRACK-1",
        "TrackingUrl": "https://track.example/TRACK-1",
        "Provider": "Demo carrier",
    }
    assert org.is_done == {order.id}


def test_missing_units_are_cancelled_once_and_are_no_change(org, connect):
    connection = connect(org, reports_cancellations=True)
    order = arrive(org, connection, ("SKU-1", 3))
    org.is_write = lambda call: call.url.path.endswith("/cancel-item")
    org.lose_answer()

    miss(Order.objects.get(), 1)
    work_off()
    send_again()
    org.change(order)
    poll(connection)

    assert (Report.objects.get().state, order.items[0].cancelled) == ("SENT", 1)
    assert Order.objects.get().lines.get().quantity == 3


def test_refusal_of_the_org_is_shown(org, connect):
    arrive(org, connect(org))
    org.fail(400, body=org.refusal("Status is not valid"), match=org.is_write)

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    assert Report.objects.get().state == "PARKED"
    assert "Status is not valid" in str(Report.objects.get().reason)
