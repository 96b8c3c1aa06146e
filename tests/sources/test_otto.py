"""What only OTTO Market has: units with ids of their own, two queries per poll, return labels in shipments."""

import httpx
import pytest
from django.db.models import Sum

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import ANNA, Item
from orders import services
from orders.models import Order
from orders.sources.models import Delivery, ImportedOrder, Report
from orders.sources.registry import KINDS, open_client
from picking.models import PickJob
from routing.models import Reservation
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock
from tests.sources.conftest import arrive, join, poll

pytestmark = pytest.mark.django_db

KIND = KINDS["otto"]


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("otto"), monkeypatch)


def draft_of(order, **options):
    (draft,) = KIND.mapping.drafts(order, KIND.options(options))
    return draft


# Mapping


def test_units_of_one_article_and_price_are_a_line(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 3), Item("SKU-2", 1)))
    order["positionItems"][1]["itemValueReducedGrossPrice"] = {"amount": "9.99", "currency": "EUR"}

    lines = draft_of(order).lines

    assert [(line.sku, line.quantity, str(line.unit_price)) for line in lines] == [
        ("SKU-1", 2, "12.50"),
        ("SKU-1", 1, "9.99"),
        ("SKU-2", 1, "12.50"),
    ]
    ids = [unit["positionItemId"] for unit in order["positionItems"]]
    assert [line.line_ids for line in lines] == [(ids[0], ids[2]), (ids[1],), (ids[3],)]


def test_only_processable_units_are_picked(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 5)))
    for unit, state in zip(
        order["positionItems"],
        ["SENT", "RETURNED", "CANCELLED_BY_PARTNER", "CANCELLED_BY_MARKETPLACE", "PROCESSABLE"],
        strict=True,
    ):
        unit["fulfillmentStatus"] = state

    draft = draft_of(order)

    assert [(line.quantity, line.ordered) for line in draft.lines] == [(1, 3)]
    assert draft.lines[0].line_ids == (order["positionItems"][4]["positionItemId"],)


def test_line_keeps_its_id_when_its_units_are_sent(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 2)))
    before = draft_of(order).lines[0].line_id
    order["positionItems"][0]["fulfillmentStatus"] = "SENT"

    assert draft_of(order).lines[0].line_id == before


def test_announced_units_wait_and_are_never_shipped(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 1), is_released=False))

    draft = draft_of(order)

    assert "deliveryAddress" not in order
    assert (str(draft.action), draft.reason.code) == ("ignore", "NOT_RELEASED")


def test_announced_units_beside_processable_ones_stay_out(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 2)))
    order["positionItems"][0]["fulfillmentStatus"] = "ANNOUNCED"

    draft = draft_of(order)

    assert (str(draft.action), draft.lines[0].quantity) == ("import", 1)


def test_order_with_every_unit_cancelled_is_a_cancellation(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 2, cancelled=2)))

    assert str(draft_of(order).action) == "cancel"


@pytest.mark.parametrize(("given", "ours"), [("AUT", "AT"), ("CHE", "CH"), ("DEU", "DE"), ("NLD", "NL")])
def test_country_is_alpha_3_there(shop, given, ours):
    order = shop.payload(shop.new_order())
    order["deliveryAddress"]["countryCode"] = given

    assert draft_of(order).address.country == ours


def test_company_address_has_its_name_as_company(shop):
    order = shop.payload(shop.new_order())
    order["deliveryAddress"] |= {"salutation": "COMPANY", "firstName": "", "lastName": "Müller GmbH"}

    address = draft_of(order).address

    assert (address.company, address.full_name) == ("Müller GmbH", "Müller GmbH")


def test_street_without_its_number_is_parted(shop):
    order = shop.payload(shop.new_order())
    order["deliveryAddress"] |= {"street": "Straße des 17. Juni 135 a", "houseNumber": None, "title": "Dr."}

    address = draft_of(order).address

    assert (address.street, address.house_number) == ("Straße des 17. Juni", "135 a")
    assert (address.addition, address.salutation) == ("Hinterhaus", "Dr.")


def test_first_expected_day_is_the_deadline(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 1), Item("SKU-2", 1)))
    order["positionItems"][0]["expectedDeliveryDate"] = "2026-11-09T22:00:00.000+0000"
    order["positionItems"][1]["expectedDeliveryDate"] = "2026-11-06T22:00:00.000+0000"

    draft = draft_of(order)

    assert draft.deadline.isoformat() == "2026-11-06T22:00:00+00:00"
    assert draft.body()["deliveryPreferences"]["targetTime"] == "2026-11-06T22:00:00Z"


def test_facts_of_units_become_attributes(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 2, attributes={"Farbe": "grün"})))
    order["positionItems"][1]["weeePickup"] = True

    assert draft_of(order).lines[0].attributes == {
        "ean": "4006381333931",
        "articleNumber": "A-1",
        "vatRate": "19",
        "Farbe": "grün",
        "weeePickup": "false, true",
    }


def test_forwarder_is_known_by_the_delivery_fee(shop):
    order = shop.payload(shop.new_order(method="Speditionsversand"))

    draft = draft_of(order, delivery_methods={"Speditionsversand": "carrier FREIGHT"})

    assert draft.body()["deliveryPreferences"]["shipping"] == {"preferredCarriers": ["FREIGHT"]}


# Poll


def test_pages_are_followed_with_the_cursor_alone(shop, connect):
    for number in range(5):
        shop.new_order((f"SKU-{number}", 1))

    poll(connect(shop))

    asked = [dict(call.url.params) for call in shop.requests if call.url.path == "/v4/orders"]
    assert [set(params) for params in asked[:3]] == [
        {"fulfillmentStatus", "mode", "limit"},
        {"nextcursor", "limit"},
        {"nextcursor", "limit"},
    ]
    assert [params.get("fulfillmentStatus") for params in asked] == [
        "PROCESSABLE",
        None,
        None,
        "CANCELLED_BY_MARKETPLACE",
    ]


def test_watermark_moves_only_when_both_queries_ended(shop, connect):
    connection = connect(shop)
    shop.new_order()
    shop.fail(500, match=lambda call: "CANCELLED_BY_MARKETPLACE" in str(call.url))
    for _attempt in range(3):
        shop.fail(500, match=lambda call: "CANCELLED_BY_MARKETPLACE" in str(call.url))

    poll(connection)
    connection.refresh_from_db()

    assert (Order.objects.count(), connection.watermark) == (1, None)


def test_next_poll_asks_an_hour_back(shop, connect):
    connection = connect(shop)
    order = arrive(shop, connection)
    shop.requests.clear()
    connection.refresh_from_db()

    poll(connection)

    asked = [call.url.params["fromDate"] for call in shop.requests if call.url.path == "/v4/orders"]
    assert asked == ["2026-11-02T08:00:30Z"] * 2
    assert order.updated_at == connection.watermark


def test_unit_cancelled_later_is_taken_out_of_its_line(shop, connect):
    connection = connect(shop)
    order = arrive(shop, connection, ("SKU-1", 3))
    order.items[0].cancelled = 1
    shop.change(order)

    poll(connection)

    assert Order.objects.get().lines.get().quantity == 2
    (known,) = ImportedOrder.objects.get().lines.values()
    assert (known["ordered"], len(known["ids"])) == (2, 2)


def test_unit_cancelled_too_late_is_for_a_person(shop, connect, monkeypatch):
    connection = connect(shop)
    order = arrive(shop, connection, ("SKU-1", 3))
    order.items[0].cancelled = 1
    shop.change(order)

    def refuse(*_args, **_options):
        raise services.OrderEnded(order=Order.objects.get(), status="packed")

    monkeypatch.setattr(services, "modify", refuse)
    poll(connection)

    assert Delivery.objects.get().reason_code == "CHANGE_TOO_LATE"


# Calls


def test_errors_are_told_with_their_field(shop, connect):
    with open_client(connect(shop)) as client:
        errors = [
            {"title": "Invalid", "detail": "Too long", "jsonPath": "$.city"},
            {"title": "Invalid", "path": "/v1"},
            "odd",
        ]

        assert (
            client.explain(httpx.Response(400, json={"errors": errors}))
            == "Invalid: Too long ($.city); Invalid"
        )
        assert client.explain(httpx.Response(502, text="<html>")) == "<html>"


def test_working_connection_has_no_complaints(shop, connect):
    with open_client(connect(shop)) as client:
        assert client.check() == []


def test_parts_of_an_address_that_changes_reach_the_order(shop, connect):
    connection = connect(shop)
    order = arrive(shop, connection, address={**ANNA, "country": "AT"})
    shop.change(order, address={**ANNA, "country": "CH"})

    poll(connection)

    assert Order.objects.get().country == "CH"


# Reservation


@pytest.fixture
def reserved(shop, connect):
    """An order that is not paid yet and comes in as a reservation."""
    connection = connect(shop, announced="reserve")
    order = arrive(shop, connection, ("SKU-1", 2), is_released=False)
    return connection, order


def test_announced_order_is_reserved_where_it_is_wanted(shop, reserved):
    _connection, order = reserved

    placed = Order.objects.get()

    assert (placed.status, placed.lines.get().quantity) == ("LOCKED", 2)
    assert "deliveryAddress" not in shop.payload(order)
    assert ImportedOrder.objects.get().lines == {
        "SKU-1 @ 12.50": {"ordered": 2, "ids": [f"{order.items[0].id}-{n}" for n in (1, 2)]}
    }


def test_reservation_stays_one_order_and_is_released_with_its_address(shop, reserved):
    connection, order = reserved
    shop.change(order)
    poll(connection)
    assert Order.objects.get().status == "LOCKED"

    shop.change(order, is_released=True)
    poll(connection)

    placed = Order.objects.get()
    assert (placed.status, placed.shipping_address.city) == ("OPEN", "Berlin")
    assert not Delivery.objects.exists()


def test_reservation_ends_when_it_is_cancelled(shop, reserved):
    connection, order = reserved
    shop.change(order, is_cancelled=True)

    poll(connection)

    assert Order.objects.get().status == "CANCELLED"
    assert not Report.objects.exists()


def test_unit_of_a_reservation_that_is_cancelled_is_taken_out(shop, reserved):
    connection, order = reserved
    order.items[0].cancelled = 1
    shop.change(order)

    poll(connection)

    assert (Order.objects.get().status, Order.objects.get().lines.get().quantity) == ("LOCKED", 1)


def test_announced_orders_are_not_asked_for_without_the_setting(shop, connect):
    arrive(shop, connect(shop), is_released=False)

    assert Order.objects.count() == 0
    assert not [call for call in shop.requests if "ANNOUNCED" in str(call.url)]


def test_reserved_goods_are_picked_only_after_the_release(shop, reserved):
    connection, order = reserved
    put_stock(FacilityFactory(country="DE"), ArticleFactory(sku="SKU-1"), 5)
    outbox.dispatch("routing", find=delivery_for)
    assert Reservation.objects.aggregate(units=Sum("quantity"))["units"] == 2
    assert not PickJob.objects.exists()

    shop.change(order, is_released=True)
    poll(connection)
    outbox.dispatch("routing", find=delivery_for)

    assert Reservation.objects.aggregate(units=Sum("quantity"))["units"] == 2
    assert PickJob.objects.get().order == Order.objects.get()
