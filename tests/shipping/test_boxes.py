"""One unit in several boxes: each box gets a label and a slip, and the shop hears what belongs together."""

import pytest
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from orders.models import ParcelRecord
from orders.sources.models import Report
from shipping import services
from shipping.models import HandoverJob, Paper, Parcel, ReturnJob, Shipment
from tests.factories.core import FacilityFactory
from tests.factories.shipping import shipment, work
from tests.shipping.test_wanted import come_from
from tests.sources.conftest import join, work_off

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent():
    sent = shipment(1, 2, facility=FacilityFactory(), goes_on=1)
    work()
    return sent


def test_each_box_gets_its_label_and_leaves_the_house(sent):
    assert list(Parcel.objects.values_list("status", flat=True)) == ["DONE", "DONE"]
    assert HandoverJob.objects.filter(status="OPEN").count() == 2


def test_handover_of_every_box_ends_the_shipment_and_opens_the_return(sent):
    for job in HandoverJob.objects.order_by("parcel__package__number"):
        services.hand_over(job.pk, by=None, now=timezone.now())

    assert Shipment.objects.get().status == "COMPLETED"
    assert set(HandoverJob.objects.values_list("status", flat=True)) == {"HANDED_OVER"}
    assert sum(line.delivered for line in ReturnJob.objects.get().lines.all()) == 3


def test_box_of_a_mere_part_may_leave_first_and_come_back(sent):
    job = HandoverJob.objects.order_by("parcel__package__number").last()
    services.hand_over(job.pk, by=None, now=timezone.now())

    services.revert(job.pk, reason="Too early", by=None, now=timezone.now())

    job.refresh_from_db()
    assert job.status == "OPEN"
    assert set(ParcelRecord.objects.values_list("handed_over_at", flat=True)) == {None}


def test_box_of_a_mere_part_gets_no_label_through_the_customs():
    sent = shipment(1, facility=FacilityFactory(), goes_on=1)
    Shipment.objects.update(recipient={**sent.recipient, "country": "CH", "postal_code": "8001"})

    work()

    other = Parcel.objects.order_by("package__number").last()
    assert (other.status, other.problem["code"]) == ("FAILED", "customs")
    assert other.problem["message"].startswith("It holds only a part of what is in another package")


def test_both_records_say_which_unit_is_in_which_boxes(sent):
    first, other = ParcelRecord.objects.order_by("package_id")
    line = sent.order.lines.first()
    part = {
        "line": str(line.pk),
        "quantity": 1,
        "begins": str(first.package_id),
        "goes_on": str(other.package_id),
    }

    assert (first.parts, other.parts) == ([part], [part])
    assert [item["quantity"] for item in first.items] == [1, 2]
    assert other.items == []


def test_slip_of_a_box_with_a_part_says_so(sent):
    other = Parcel.objects.order_by("package__number").last()
    title = other.package.parts.get().item.line.title

    slip = Paper.objects.get(parcel=other)

    assert slip.document.snapshot["lines"] == [
        {
            "sku": other.package.parts.get().item.line.sku,
            "title": f"Part of 1 × {title}, begun in package 1",
            "quantity": "–",
        }
    ]


def test_otto_hears_of_both_boxes_in_one_call(monkeypatch):
    shop = join(fake_of("otto"), monkeypatch)
    sent = shipment(1, facility=FacilityFactory(), goes_on=1)
    order = come_from(shop, sent.order)
    work()

    for job in HandoverJob.objects.all():
        services.hand_over(job.pk, by=None, now=timezone.now())
    work_off()

    numbers = list(Parcel.objects.order_by("package__number").values_list("tracking_number", flat=True))
    assert shop.numbers(order) == numbers
    assert [call.url.path for call in shop.requests if shop.is_write(call)] == ["/v1/multiparcel-shipments"]
    assert Report.objects.get().state == "SENT"
