"""What only OTTO Market hears: shipments with the units in them, cancelled units, returns."""

import json
import uuid

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from orders import services
from orders.models import Order
from orders.sources.models import Delivery, Report
from tests.factories.core import FacilityFactory
from tests.sources.conftest import arrive, join, poll, work_off
from tests.sources.test_reports import hand_over, miss, send_again, shipped

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("otto"), monkeypatch)


def sent(shop, path="/v1/shipments"):
    """Bodies of the calls that were sent to an address."""
    return [
        json.loads(call.content) for call in shop.requests if call.method == "POST" and call.url.path == path
    ]


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


def test_parcel_without_a_unit_is_for_a_person(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 1))

    hand_over(Order.objects.get())
    work_off()

    assert sent(shop) == []
    report = Report.objects.get()
    assert (report.state, report.reason_code) == ("PARKED", "NOTHING_OPEN")


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
