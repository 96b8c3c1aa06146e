"""What only OTTO Market has: units with ids of their own, two queries per poll, return labels in shipments."""

import json
import uuid

import httpx
import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import ANNA, Item
from orders import services
from orders.models import Order
from orders.sources import polling
from orders.sources.models import Connection, Delivery, ImportedOrder, Report
from orders.sources.registry import KINDS, open_client
from picking.models import PickJob
from routing.models import Reservation
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock
from tests.sources.conftest import join, work_off
from tests.sources.test_reports import hand_over, miss, send_again, shipped

pytestmark = pytest.mark.django_db

KIND = KINDS["otto"]


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("otto"), monkeypatch)


def draft_of(order, **options):
    (draft,) = KIND.mapping.drafts(order, KIND.options(options))
    return draft


def poll(connection):
    Connection.objects.update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())


def arrive(shop, connection, *items, **fields):
    order = shop.new_order(*items, **fields)
    poll(connection)
    return order


def sent(shop, path="/v1/shipments"):
    """Bodies of the calls that were sent to an address."""
    return [
        json.loads(call.content) for call in shop.requests if call.method == "POST" and call.url.path == path
    ]


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


# Reports


def test_shipment_says_everything_that_otto_asks_for(shop, connect):
    order = arrive(shop, connect(shop, carriers={"demo": "HERMES"}, return_carrier="DHL"), ("SKU-1", 2))

    parcel_id = hand_over(Order.objects.get(), (0, 2))
    work_off()

    (body,) = sent(shop)
    record = Order.objects.get().parcel_records.get(parcel_id=parcel_id)
    back = {"carrier": "DHL", "trackingNumber": "RETURN-TRACK-1"}
    assert body == {
        "trackingKey": {"carrier": "HERMES", "trackingNumber": "TRACK-1"},
        "shipDate": record.handed_over_at.isoformat().replace("+00:00", "Z"),
        "shipFromAddress": {"city": "Amsterdam", "zipCode": "1012 LG", "countryCode": "NLD"},
        "positionItems": [
            {
                "positionItemId": f"{order.items[0].id}-{number}",
                "salesOrderId": order.id,
                "returnTrackingKey": back,
            }
            for number in (1, 2)
        ],
    }
    assert Report.objects.get().remote_id == "shipment-1"


def test_units_are_spent_with_their_parcel(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 3))

    hand_over(Order.objects.get(), (0, 1), tracking="TRACK-1")
    hand_over(Order.objects.get(), (0, 2), tracking="TRACK-2")
    work_off()

    ids = [[unit["positionItemId"] for unit in body["positionItems"]] for body in sent(shop)]
    assert sorted(map(len, ids)) == [1, 2]
    assert len({unit for units in ids for unit in units}) == 3


def test_unit_cancelled_meanwhile_is_not_shipped(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2))
    shop.states[f"{order.items[0].id}-1"] = "CANCELLED_BY_MARKETPLACE"
    order.items[0].cancelled = 1

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    assert [unit["positionItemId"] for unit in sent(shop)[0]["positionItems"]] == [f"{order.items[0].id}-2"]


def test_more_than_is_left_to_ship_is_for_a_person(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2))
    order.items[0].cancelled = 1

    hand_over(Order.objects.get(), (0, 2))
    work_off()

    assert (Report.objects.get().state, Report.objects.get().reason_code) == ("PARKED", "NOTHING_OPEN")
    assert order.shipments == []


def test_units_that_a_shipment_lacks_are_added_to_it(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2))
    shop.lose_answer()
    hand_over(Order.objects.get(), (0, 2))
    work_off()
    # It kept only one of them.
    forgotten = shop.shipments["DHL", "TRACK-1"]["positionItems"].pop()
    shop.states[forgotten["positionItemId"]] = "PROCESSABLE"
    order.items[0].shipped -= 1
    order.shipments[0]["lines"][order.items[0].id] -= 1

    send_again()

    assert sent(shop, "/v1/shipments/carriers/DHL/trackingnumbers/TRACK-1/positionitems") == [[forgotten]]
    assert shipped(order) == {"TRACK-1": {order.items[0].id: 2}}
    assert Report.objects.get().state == "SENT"


def test_conflict_that_stays_is_shown_in_its_words(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 1))
    shop.conflict()
    shop.conflict()

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    report = Report.objects.get()
    assert report.state == "PARKED"
    assert "changed meanwhile. ($.positionItems[0])" in str(report.reason)


def test_carrier_without_a_code_is_for_a_person(shop, connect):
    arrive(shop, connect(shop, default_carrier=""), ("SKU-1", 1))

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    report = Report.objects.get()
    assert (report.state, report.reason_code) == ("PARKED", "CARRIER_UNKNOWN")
    assert report.reason_params == {"carrier": "Demo carrier"}


@transaction.atomic
def hand_over_without_return(order, *, tracking):
    parcel_id = uuid.uuid4()
    services.record_parcel(
        parcel_id,
        order_id=order.pk,
        facility_id=FacilityFactory().pk,
        carrier_key="freight",
        tracking_number=tracking,
        tracking_url="",
        return_tracking_number="",
        items=[{"line": str(order.lines.get().pk), "quantity": 1}],
        now=timezone.now(),
    )
    services.record_handed_over(parcel_id, now=timezone.now())


def test_parcel_without_a_return_label_is_for_a_person(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 1))

    hand_over_without_return(Order.objects.get(), tracking="TRACK-1")
    work_off()

    assert Report.objects.get().reason_code == "NUMBERS_MISSING"
    assert sent(shop) == []


def test_forwarder_needs_no_numbers(shop, connect):
    order = arrive(shop, connect(shop, carriers={"freight": "OTHER_FORWARDER"}), ("SKU-1", 1))
    shop.lose_answer()

    hand_over_without_return(Order.objects.get(), tracking="")
    work_off()
    send_again()

    (body,) = sent(shop)
    assert body["trackingKey"] == {"carrier": "OTHER_FORWARDER"}
    assert set(body["positionItems"][0]) == {"positionItemId", "salesOrderId"}
    assert (Report.objects.get().state, len(order.shipments)) == ("SENT", 1)


def test_missing_units_are_cancelled_and_their_echo_changes_nothing(shop, connect):
    connection = connect(shop, reports_cancellations=True)
    order = arrive(shop, connection, ("SKU-1", 4))

    miss(Order.objects.get(), 1)
    work_off()
    miss(Order.objects.get(), 2)
    work_off()
    poll(connection)

    cancelled = [unit for unit, state in shop.states.items() if state == "CANCELLED_BY_PARTNER"]
    assert (len(cancelled), order.items[0].cancelled) == (3, 3)
    assert Report.objects.get().state == "SENT"
    assert Order.objects.get().lines.get().quantity == 4
    assert not Delivery.objects.exists()


def test_missing_units_are_cancelled_once_when_the_answer_is_lost(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True), ("SKU-1", 3))
    shop.is_write = lambda call: call.url.path.endswith("/cancellation")
    shop.lose_answer()

    miss(Order.objects.get(), 1)
    work_off()
    assert Report.objects.get().state == "UNKNOWN"
    send_again()

    assert (Report.objects.get().state, order.items[0].cancelled) == ("SENT", 1)


def test_cancellation_here_cancels_what_is_left_there(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True), ("SKU-1", 2))

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert Report.objects.get().state == "SENT"
    assert set(shop.states.values()) == {"CANCELLED_BY_PARTNER"}
    assert [call.url.path for call in shop.requests if call.method == "POST"][
        -1
    ] == f"/v4/orders/{order.id}/cancellation"


def test_cancellation_names_the_units_when_some_are_sent(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True), ("SKU-1", 3))
    first, *others = (f"{order.items[0].id}-{number}" for number in (1, 2, 3))
    shop.states[first], order.items[0].shipped = "SENT", 1

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert [shop.states[unit] for unit in (first, *others)] == ["SENT", *["CANCELLED_BY_PARTNER"] * 2]


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


# Returns

CONDITIONS = {"return_conditions": {"new": "A", "broken": "D"}, "return_reasons": {"small": "TOO_SMALL"}}


@pytest.fixture
def shipped_otto(shop, connect):
    """An order of three units that were all sent."""
    order = arrive(shop, connect(shop, **CONDITIONS), ("SKU-1", 3))
    hand_over(Order.objects.get(), (0, 3))
    work_off()
    return order


@transaction.atomic
def give_back(*items):
    """A return with (units, accepted, condition, reason)."""
    line = str(Order.objects.get().lines.get().pk)
    names = ("quantity", "is_accepted", "condition", "reason")
    services.record_return(
        uuid.uuid4(),
        order_id=Order.objects.get().pk,
        items=[{"line": line, **dict(zip(names, item, strict=True))} for item in items],
        now=timezone.now(),
    )


def return_report():
    return Report.objects.get(what="RETURNED")


def test_returned_units_are_accepted_or_rejected_one_by_one(shop, shipped_otto):
    give_back((2, True, "new", "small"), (1, False, "broken", "Worn"))
    work_off()

    unit = shipped_otto.items[0].id
    assert shop.returns == [
        ("acceptance", f"{unit}-1", "A", "TOO_SMALL"),
        ("acceptance", f"{unit}-2", "A", "TOO_SMALL"),
        ("rejection", f"{unit}-3", "D", "Worn"),
    ]
    assert return_report().state == "SENT"


def test_unit_of_an_earlier_return_is_not_returned_again(shop, shipped_otto):
    give_back((1, False, "broken", "Worn"))
    work_off()
    give_back((1, True, "new", ""))
    work_off()

    unit = shipped_otto.items[0].id
    assert [entry[:2] for entry in shop.returns] == [("rejection", f"{unit}-1"), ("acceptance", f"{unit}-2")]


def test_return_whose_answer_is_lost_is_told_once(shop, shipped_otto):
    shop.lose_answer(lambda call: call.url.path.endswith("/acceptance"))

    give_back((1, True, "new", ""), (1, False, "broken", "Worn"))
    work_off()
    assert return_report().state == "UNKNOWN"
    send_again()

    assert [entry[0] for entry in shop.returns] == ["acceptance", "rejection"]
    assert return_report().state == "SENT"


def test_rejection_whose_answer_is_lost_is_for_a_person(shop, shipped_otto):
    shop.lose_answer(lambda call: call.url.path.endswith("/rejection"))
    give_back((1, False, "broken", "Worn"))
    work_off()
    send_again()

    assert len(shop.returns) == 1
    assert (return_report().state, return_report().reason_code) == ("PARKED", "ANSWER_LOST")


def test_condition_without_a_code_is_for_a_person(shop, shipped_otto):
    give_back((1, True, "used", ""))
    work_off()

    assert (return_report().state, return_report().reason_code) == ("PARKED", "CONDITION_UNKNOWN")
    assert shop.returns == []


def test_returns_are_not_told_when_that_is_switched_off(shop, connect):
    arrive(shop, connect(shop, reports_returns=False, **CONDITIONS), ("SKU-1", 1))

    give_back((1, True, "new", ""))

    assert not Report.objects.exists()
