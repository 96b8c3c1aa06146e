"""What every connector reports back, against a shop that behaves like the original."""

import uuid

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.core.models import OutboxEntry
from orders import services
from orders.models import Order
from orders.sources import polling, reports
from orders.sources.models import Report
from tests.factories.core import CarrierFactory, FacilityFactory
from tests.factories.orders import OrderFactory
from tests.sources.conftest import work_off

pytestmark = pytest.mark.django_db


@pytest.fixture
def arrive(shop, connection):
    """Let an order of these (SKU, units) come in; returns it as the shop and as we have it."""

    def make(*items):
        order = shop.new_order(*items)
        polling.run(connection.pk, now=timezone.now())
        return order, Order.objects.get()

    return make


@transaction.atomic
def hand_over(order, *items, tracking="TRACK-1", parcel_id=None):
    """A parcel of (position of the line, units) with its label, handed over."""
    lines = list(order.lines.all())
    parcel_id = parcel_id or uuid.uuid4()
    services.record_parcel(
        parcel_id,
        order_id=order.pk,
        facility_id=FacilityFactory().pk,
        carrier_key=CarrierFactory().key,
        tracking_number=tracking,
        tracking_url=f"https://track.example/{tracking}",
        return_tracking_number=f"RETURN-{tracking}",
        items=[{"line": str(lines[position].pk), "quantity": units} for position, units in items],
        now=timezone.now(),
    )
    services.record_handed_over(parcel_id, now=timezone.now())
    return parcel_id


def send_again():
    OutboxEntry.objects.filter(state="DUE").update(due_at=timezone.now())
    work_off()


def shipped(order):
    """{tracking number: {line id: units}} as the shop has it."""
    return {shipment["tracking"]: dict(shipment["lines"]) for shipment in order.shipments}


def test_parcel_is_reported_with_its_tracking(shop, arrive):
    order, ours = arrive(("SKU-1", 2))

    hand_over(ours, (0, 2))
    work_off()

    report = Report.objects.get()
    assert (report.state, report.attempts) == ("SENT", 1)
    assert report.remote_id
    assert shipped(order) == {"TRACK-1": {order.items[0].id: 2}}


def test_two_parcels_are_two_shipments(shop, arrive):
    order, ours = arrive(("SKU-1", 2), ("SKU-2", 1))

    hand_over(ours, (0, 1), tracking="TRACK-1")
    work_off()
    hand_over(ours, (0, 1), (1, 1), tracking="TRACK-2")
    work_off()

    first, second = (item.id for item in order.items)
    assert shipped(order) == {"TRACK-1": {first: 1}, "TRACK-2": {first: 1, second: 1}}


def test_part_of_an_order_is_reported_as_a_part(shop, arrive):
    order, ours = arrive(("SKU-1", 3))

    hand_over(ours, (0, 1))
    work_off()

    assert shipped(order) == {"TRACK-1": {order.items[0].id: 1}}


def test_answer_that_is_lost_ships_once(shop, arrive):
    order, ours = arrive(("SKU-1", 2))
    shop.lose_answer()

    hand_over(ours, (0, 1))
    work_off()
    assert Report.objects.get().state == "UNKNOWN"
    send_again()

    report = Report.objects.get()
    assert (report.state, report.attempts) == ("SENT", 2)
    assert shipped(order) == {"TRACK-1": {order.items[0].id: 1}}


def test_write_that_never_arrived_is_sent_again(shop, arrive):
    order, ours = arrive(("SKU-1", 2))
    shop.fail(502, match=shop.is_write)

    hand_over(ours, (0, 1))
    work_off()
    send_again()

    assert Report.objects.get().state == "SENT"
    assert shipped(order) == {"TRACK-1": {order.items[0].id: 1}}


def test_refusal_is_shown_in_the_words_of_the_source(shop, arrive):
    _order, ours = arrive(("SKU-1", 1))
    shop.fail(422, body=shop.refusal("Tracking number is not valid"), match=shop.is_write)

    hand_over(ours, (0, 1))
    work_off()

    report = Report.objects.get()
    assert report.state == "PARKED"
    assert "Tracking number is not valid" in str(report.reason)


def test_refused_report_is_sent_again_by_hand(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    shop.fail(422, body=shop.refusal("No"), match=shop.is_write)
    hand_over(ours, (0, 1))
    work_off()

    reports.retry(Report.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert Report.objects.get().state == "SENT"
    assert len(order.shipments) == 1


def test_conflict_is_read_again(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    shop.conflict()

    hand_over(ours, (0, 1))
    work_off()
    send_again()

    assert Report.objects.get().state == "SENT"
    assert len(order.shipments) == 1


def test_handover_taken_back_in_time_is_not_reported(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    parcel_id = hand_over(ours, (0, 1))

    with transaction.atomic():
        services.record_handover_reverted(parcel_id, now=timezone.now())
    work_off()

    assert order.shipments == []
    assert not Report.objects.exists()


def test_handover_taken_back_too_late_is_for_a_person(shop, arrive):
    _order, ours = arrive(("SKU-1", 1))
    parcel_id = hand_over(ours, (0, 1))
    work_off()

    with transaction.atomic():
        services.record_handover_reverted(parcel_id, now=timezone.now())

    assert Report.objects.get().reason_code == "TAKEN_BACK_LATE"


def test_echo_of_our_own_shipment_changes_nothing(shop, connection, arrive):
    _order, ours = arrive(("SKU-1", 2))
    hand_over(ours, (0, 1))
    work_off()
    connection.refresh_from_db()

    type(connection).objects.update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())

    assert Order.objects.get().lines.get().quantity == 2


def test_order_of_nobody_is_not_reported():
    order = OrderFactory(("SKU-1", 1))
    hand_over(order, (0, 1))

    assert not Report.objects.exists()


def test_cancellation_of_the_shop_is_not_reported_back(shop, connection, arrive):
    connection.settings = {**connection.settings, "reports_cancellations": True}
    connection.save()
    order, _ours = arrive(("SKU-1", 1))
    shop.change(order, is_cancelled=True)

    type(connection).objects.update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())

    assert Order.objects.get().status == "CANCELLED"
    assert not Report.objects.exists()
