"""An order that the shop divides among other addresses after it came in is shipped once."""

import pytest
from django.db import IntegrityError
from django.db.models import Sum
from django.utils import timezone

from fulfillment.demo.sources.base import ANNA
from orders import services
from orders.models import Order, OrderLine
from orders.sources import services as sources
from orders.sources.models import Delivery
from picking.services.reactions import AlreadyPicked
from tests.sources.conftest import arrive, kinds, poll

pytestmark = pytest.mark.django_db
ELSEWHERE = {**ANNA, "city": "Potsdam"}
with_groups = kinds(lambda shop: shop.has_ship_groups)


def live():
    """{number: city} of what will be shipped, and the units of it."""
    orders = Order.objects.live()
    units = OrderLine.objects.filter(order__in=orders).aggregate(units=Sum("quantity"))["units"]
    return sorted(order.shipping_address.city for order in orders), units


@pytest.fixture
def order(shop, connection):
    """Three units for one address."""
    return arrive(shop, connection, ("SKU-1", 1), ("SKU-2", 2))


def divide(shop, connection, order, addresses):
    shop.change(order, addresses=addresses)
    poll(connection)


@with_groups
def test_untouched_order_is_placed_anew_in_its_groups(shop, connection, order):
    divide(shop, connection, order, [ANNA, ELSEWHERE])
    poll(connection)  # the echo

    assert live() == ([ANNA["city"], "Potsdam"], 3)
    assert Order.objects.filter(status="CANCELLED").count() == 1
    assert not Delivery.objects.parked().exists()


@with_groups
def test_order_that_becomes_one_again_is_placed_as_one(shop, connection, order):
    divide(shop, connection, order, [ANNA, ELSEWHERE])
    divide(shop, connection, order, [])

    assert live() == ([ANNA["city"]], 3)
    divide(shop, connection, order, [ANNA, ELSEWHERE])
    assert live() == ([ANNA["city"], "Potsdam"], 3)


@with_groups
def test_group_whose_units_the_shop_takes_out_is_cancelled(shop, connection, order):
    divide(shop, connection, order, [ANNA, ELSEWHERE])

    order.items[1].cancelled = 2
    shop.change(order, addresses=[ANNA])
    poll(connection)

    assert live() == ([ANNA["city"]], 1)


@with_groups
def test_divided_order_that_the_shop_cancels_is_cancelled_whole(shop, connection, order):
    divide(shop, connection, order, [ANNA, ELSEWHERE])
    divide(shop, connection, order, [])

    shop.change(order, is_cancelled=True)
    poll(connection)

    assert live() == ([], None)


@with_groups
def test_order_that_has_begun_stays_and_the_groups_wait_for_a_person(shop, connection, order, monkeypatch):
    real = services.cancel

    def cancel(*args, **options):
        raise AlreadyPicked(job="W-1")

    monkeypatch.setattr(services, "cancel", cancel)
    divide(shop, connection, order, [ANNA, ELSEWHERE])

    assert live() == ([ANNA["city"]], 3)
    task = Delivery.objects.get()
    assert (task.state, task.reason_code, task.external_id) == ("PARKED", "GROUPS_TOO_LATE", order.id)
    # Nobody packs it after all: a person cancels it here and tries again.
    monkeypatch.setattr(services, "cancel", real)
    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    sources.retry(task.pk, now=timezone.now())

    assert live() == ([ANNA["city"], "Potsdam"], 3)
    assert not Delivery.objects.parked().exists()


@with_groups
def test_groups_stay_together_when_each_order_of_a_page_is_tried_on_its_own(
    shop, connection, order, monkeypatch
):
    real, failures = services.place_many, [IntegrityError]

    def place_many(*args, **options):
        if failures:
            raise failures.pop()  # somebody was faster with an order of the page
        return real(*args, **options)

    monkeypatch.setattr(services, "place_many", place_many)
    divide(shop, connection, order, [ANNA, ELSEWHERE])

    assert failures == []
    assert live() == ([ANNA["city"], "Potsdam"], 3)
    assert Order.objects.filter(status="CANCELLED").count() == 1
