"""Goods that a customer takes along: the shop hears that the order is done, though there is no parcel."""

import uuid

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from orders import services
from orders.models import Order, ParcelRecord
from orders.sources.models import Report
from tests.factories.core import FacilityFactory
from tests.sources.conftest import arrive as come
from tests.sources.conftest import join, kinds, work_off
from tests.sources.test_reports import arrive, hand_over, send_again

__all__ = ["arrive"]  # the fixture
pytestmark = pytest.mark.django_db
STATES = {False: ["Shipped", "Delivered"], True: ["Partial", "Delivered"]}
takes_it = kinds(lambda shop: shop.takes_collected)


@transaction.atomic
def collect(order, units):
    handover_id = uuid.uuid4()
    services.record_collected(
        handover_id,
        order_id=order.pk,
        facility_id=FacilityFactory().pk,
        items=[{"line": str(order.lines.get().pk), "quantity": units}],
        now=timezone.now(),
    )
    return handover_id


@takes_it
@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "lost"])
@pytest.mark.parametrize("moment", ["handover", "label"])
def test_shop_hears_once_that_goods_were_taken_along(shop, connect, moment, is_lost):
    order = come(shop, connect(shop, report_at=moment), ("SKU-1", 2))
    if is_lost:
        shop.lose_answer()

    collect(Order.objects.get(), 2)
    work_off()
    send_again()

    assert Report.objects.get().state == "SENT"
    told = [one["lines"] for one in order.shipments]
    assert told == ([{order.items[0].id: 2}] if shop.kind in {"shopify", "commercetools"} else [])
    assert set(shop.numbers(order)) <= {""}


@kinds(lambda shop: not shop.takes_collected)
def test_source_that_only_knows_parcels_is_told_by_a_person(shop, arrive):
    _order, ours = arrive(("SKU-1", 1))

    collect(ours, 1)
    work_off()

    report = Report.objects.get()
    assert (report.state, report.reason_code) == ("PARKED", "NO_ROUTE")


@takes_it
def test_goods_taken_back_in_time_are_not_told(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    handover_id = collect(ours, 1)

    with transaction.atomic():
        services.withdraw_collected(handover_id, now=timezone.now())
    work_off()

    assert not Report.objects.exists()
    assert not ParcelRecord.objects.exists()
    assert order.shipments == []


def test_b2c_order_that_was_collected_gets_its_state(monkeypatch, connect):
    shop = join(fake_of("salesforce"), monkeypatch)
    order = come(shop, connect(shop), ("SKU-1", 2))

    collect(Order.objects.get(), 1)
    work_off()
    assert shop.written[order.id]["shippingStatus"] == "part_shipped"

    collect(Order.objects.get(), 1)
    work_off()
    assert shop.written[order.id]["shippingStatus"] == "shipped"


def test_fulfillment_order_that_was_collected_is_closed(monkeypatch, connect):
    shop = join(fake_of("management"), monkeypatch)
    order = come(shop, connect(shop), ("SKU-1", 1))

    collect(Order.objects.get(), 1)
    work_off()

    assert shop.is_done == {order.id}


def test_commercetools_gets_a_delivery_without_parcels(monkeypatch, connect):
    shop = join(fake_of("commercetools"), monkeypatch)
    order = come(shop, connect(shop), ("SKU-1", 1))

    collect(Order.objects.get(), 1)
    work_off()

    assert [one["delivery"]["parcels"] for one in order.shipments] == [[]]
    assert shop.shipment_states[order.id] == "Delivered"


@pytest.mark.parametrize("is_collected_last", [False, True])
def test_order_in_two_parts_is_delivered_with_the_last_of_them(monkeypatch, connect, is_collected_last):
    shop = join(fake_of("commercetools"), monkeypatch)
    order = come(shop, connect(shop), ("SKU-1", 2))
    parcel_id = hand_over(Order.objects.get(), (0, 1))

    @transaction.atomic
    def deliver():
        services.record_tracking(parcel_id, "delivered", at=timezone.now(), now=timezone.now())

    steps = [lambda: collect(Order.objects.get(), 1), deliver]
    for step, state in zip(
        steps[::-1] if is_collected_last else steps, STATES[is_collected_last], strict=True
    ):
        step()
        work_off()
        assert shop.shipment_states[order.id] == state
