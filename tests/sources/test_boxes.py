"""One unit in several boxes: the shop hears of it once, with the numbers of all its parcels."""

import json
import uuid

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from orders import services
from orders.models import Order
from orders.sources.models import Report
from tests.factories.core import CarrierFactory, FacilityFactory
from tests.sources.conftest import arrive as come
from tests.sources.conftest import join, kinds, work_off
from tests.sources.test_otto_reports import sent
from tests.sources.test_reports import arrive, can_change, known, send_again, shipped

__all__ = ["arrive"]  # the fixture
pytestmark = pytest.mark.django_db


class Boxes:
    """Boxes of an order by their letters; ``parts`` say which box holds a part of units of another one."""

    def __init__(self, order, **parts):
        self.order, self.lines = order, list(order.lines.all())
        self.ids = {letter: (uuid.uuid4(), uuid.UUID(int=number)) for number, letter in enumerate("abc", 1)}
        self.parts = [
            {
                "line": str(self.lines[position].pk),
                "quantity": units,
                "begins": str(self.ids[begins][1]),
                "goes_on": str(self.ids[goes_on][1]),
            }
            for goes_on, (begins, position, units) in parts.items()
        ]

    @transaction.atomic
    def label(self, letter, *items, tracking=None, return_tracking=None):
        """A box with its label and (position of the line, units)."""
        parcel_id, box = self.ids[letter]
        number = tracking or f"TRACK-{letter}"
        services.record_parcel(
            parcel_id,
            order_id=self.order.pk,
            facility_id=FacilityFactory().pk,
            carrier_key=CarrierFactory().key,
            tracking_number=number,
            tracking_url=f"https://track.example/{number}",
            return_tracking_number=f"RETURN-{letter}",
            items=[{"line": str(self.lines[position].pk), "quantity": units} for position, units in items],
            package_id=box,
            parts=[part for part in self.parts if str(box) in (part["begins"], part["goes_on"])],
            now=timezone.now(),
        )

    @transaction.atomic
    def hand_over(self, *letters):
        for letter in letters:
            services.record_handed_over(self.ids[letter][0], now=timezone.now())

    @transaction.atomic
    def take_back(self, letter):
        services.record_handover_reverted(self.ids[letter][0], now=timezone.now())


def all_numbers(shop, *numbers):
    """What the shop can take of them."""
    return sorted(numbers) if shop.takes_more_numbers else sorted(numbers)[:1]


def test_unit_in_two_boxes_is_told_once_with_both_numbers(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    boxes = Boxes(ours, b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b")
    boxes.hand_over("a")
    work_off()
    assert not Report.objects.exists()  # the other box is still here

    boxes.hand_over("b")
    work_off()

    report = Report.objects.get()
    assert (report.state, report.subject_id) == ("SENT", boxes.ids["a"][0])
    assert sorted(shop.numbers(order)) == all_numbers(shop, "TRACK-a", "TRACK-b")
    units = {line: units for one in order.shipments for line, units in one["lines"].items()}
    assert units == ({order.items[0].id: 1} if shop.names_units else {})


def test_answer_that_is_lost_tells_it_once(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    shop.lose_answer()
    boxes = Boxes(ours, b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b")
    boxes.hand_over("a", "b")
    work_off()

    send_again()

    assert Report.objects.get().state == "SENT"
    assert sorted(shop.numbers(order)) == all_numbers(shop, "TRACK-a", "TRACK-b")


def test_box_taken_back_in_time_keeps_the_unit_from_the_shop(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    boxes = Boxes(ours, b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b")
    boxes.hand_over("a", "b")
    boxes.take_back("b")
    work_off()
    assert order.shipments == []

    boxes.hand_over("b")
    work_off()

    assert Report.objects.get().state == "SENT"
    assert sorted(shop.numbers(order)) == all_numbers(shop, "TRACK-a", "TRACK-b")


def test_box_taken_back_too_late_is_undone_or_for_a_person(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    boxes = Boxes(ours, b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b")
    boxes.hand_over("a", "b")
    work_off()

    boxes.take_back("b")
    work_off()

    report = Report.objects.get()
    expected = ("SKIPPED", "TAKEN_BACK_THERE") if shop.kind == "shopify" else ("PARKED", "TAKEN_BACK_LATE")
    assert (report.state, report.reason_code) == expected
    boxes.hand_over("b")
    work_off()
    assert Report.objects.get().state == "SENT"
    assert sorted(shop.numbers(order)) == all_numbers(shop, "TRACK-a", "TRACK-b")


def test_label_that_is_cancelled_keeps_its_unit_back(shop, arrive):
    _order, ours = arrive(("SKU-1", 1))
    boxes = Boxes(ours, b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b")
    with transaction.atomic():
        services.withdraw_parcel(boxes.ids["b"][0], now=timezone.now())

    boxes.hand_over("a")
    work_off()

    assert not Report.objects.exists()


def test_with_labels_as_the_moment_the_last_label_tells_it(shop, connect):
    order = come(shop, connect(shop, report_at="label"), ("SKU-1", 1))
    boxes = Boxes(Order.objects.get(), b=("a", 0, 1))
    boxes.label("a", (0, 1))
    work_off()
    assert not Report.objects.exists()

    boxes.label("b")
    work_off()

    assert sorted(shop.numbers(order)) == all_numbers(shop, "TRACK-a", "TRACK-b")


@kinds(lambda shop: can_change(shop) and shop.takes_more_numbers)
def test_corrected_number_of_the_other_box_is_changed_in_the_shop(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    boxes = Boxes(ours, b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b")
    boxes.hand_over("a", "b")
    work_off()

    boxes.label("b", tracking="TRACK-c")
    work_off()

    assert Report.objects.get().state == "SENT"
    assert sorted(shop.numbers(order)) == ["TRACK-a", "TRACK-c"]


def test_box_with_units_of_its_own_is_told_of_them(shop, arrive):
    order, ours = arrive(("SKU-1", 1), ("SKU-2", 2))
    boxes = Boxes(ours, b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b", (1, 2))

    boxes.hand_over("b", "a")
    work_off()

    states = set(Report.objects.values_list("state", flat=True))
    first, second = (item.id for item in order.items)
    if shop.kind == "otto":  # all in one call
        assert states == {"SENT", "SKIPPED"}
        assert shipped(order) == {"TRACK-a": {first: 1, second: 2}, "TRACK-b": {}}
    else:
        assert states == {"SENT"}
        told = {line: units for one in order.shipments for line, units in one["lines"].items()}
        assert told == ({first: 1, second: 2} if shop.names_units else {})
        assert known(shop, shipped(order)).keys() == {"TRACK-a", "TRACK-b"}


# OTTO Market


@pytest.fixture
def otto(monkeypatch):
    return join(fake_of("otto"), monkeypatch)


def units_of(body):
    return [
        (unit["positionItemId"], unit["returnTrackingKey"]["trackingNumber"])
        for unit in body["positionItems"]
    ]


def test_otto_gets_every_box_with_the_units_in_it_in_one_call(otto, connect):
    order = come(otto, connect(otto), ("SKU-1", 3), ("SKU-2", 1))
    boxes = Boxes(Order.objects.get(), b=("a", 0, 1), c=("a", 0, 2))
    boxes.label("a", (0, 2))
    boxes.label("b", (1, 1))
    boxes.label("c")

    boxes.hand_over("a", "b", "c")
    work_off()

    assert sent(otto) == []
    ((first, second, third),) = sent(otto, "/v1/multiparcel-shipments")
    ones, two = [f"{order.items[0].id}-{number}" for number in (1, 2)], f"{order.items[1].id}-1"
    assert [one["trackingKey"]["trackingNumber"] for one in (first, second, third)] == [
        "TRACK-a",
        "TRACK-b",
        "TRACK-c",
    ]
    assert units_of(first) == [(ones[0], "RETURN-a"), (ones[1], "RETURN-a")]
    assert units_of(second) == [(two, "RETURN-b"), (ones[0], "RETURN-b")]
    assert units_of(third) == [(ones[0], "RETURN-c"), (ones[1], "RETURN-c")]
    leader, other = Report.objects.order_by("state")
    assert (leader.state, leader.remote_id) == ("SENT", "multi-1")
    assert (other.state, other.reason_code) == ("SKIPPED", "TOLD_TOGETHER")
    assert sorted(leader.notes["ids"]) == sorted([*ones, two])


def test_units_that_ship_alone_are_told_alone(otto, connect):
    order = come(otto, connect(otto), ("SKU-1", 2))
    boxes = Boxes(Order.objects.get(), b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b")
    boxes.label("c", (0, 1))

    boxes.hand_over("a", "b", "c")
    work_off()

    (body,) = sent(otto)
    assert body["trackingKey"]["trackingNumber"] == "TRACK-c"
    assert len(sent(otto, "/v1/multiparcel-shipments")) == 1
    assert set(Report.objects.values_list("state", flat=True)) == {"SENT"}
    assert sum(sum(one["lines"].values()) for one in order.shipments) == 2


def test_commercetools_gets_one_delivery_with_a_parcel_per_box(monkeypatch, connect):
    shop = join(fake_of("commercetools"), monkeypatch)
    order = come(shop, connect(shop), ("SKU-1", 2))
    boxes = Boxes(Order.objects.get(), b=("a", 0, 1))
    boxes.label("a", (0, 2))
    boxes.label("b")

    boxes.hand_over("a", "b")
    work_off()

    (shipment,) = order.shipments
    line = order.items[0].id
    assert shipment["lines"] == {line: 2}
    assert [
        (parcel["trackingData"]["trackingId"], parcel["trackingData"]["isReturn"], parcel["items"])
        for parcel in shipment["delivery"]["parcels"]
    ] == [
        ("TRACK-a", False, [{"id": line, "quantity": 2}]),
        ("RETURN-a", True, [{"id": line, "quantity": 2}]),
        ("TRACK-b", False, [{"id": line, "quantity": 1}]),
        ("RETURN-b", True, [{"id": line, "quantity": 1}]),
    ]


def test_site_without_events_gets_all_numbers_in_its_attributes(monkeypatch, connect):
    shop = join(fake_of("salesforce"), monkeypatch)
    shop.takes_events = False
    names = {"number_attribute": "c_tracking", "return_attribute": "c_back"}
    come(shop, connect(shop, **names), ("SKU-1", 1))
    boxes = Boxes(Order.objects.get(), b=("a", 0, 1))
    boxes.label("a", (0, 1))
    boxes.label("b")

    boxes.hand_over("a", "b")
    work_off()

    (change,) = [json.loads(call.content) for call in shop.requests if call.method == "PATCH"]
    assert change == {"c_tracking": "TRACK-a, TRACK-b", "c_back": "RETURN-a, RETURN-b"}
