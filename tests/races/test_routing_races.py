"""Several workers route at once: no unit is promised twice."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from fulfillment.core.models import Listing
from routing import services as routing
from routing.models import Reservation, RoutingPlan
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db(transaction=True)


def route_at_once(orders, workers):
    """Route the orders with so many workers, each with a database connection of its own."""
    barrier, errors = threading.Barrier(workers), []
    shares = [orders[start::workers] for start in range(workers)]

    def work(share):
        try:
            barrier.wait()
            for order in share:
                routing.route_order(order.pk, by=None, now=timezone.now())
        except Exception as error:
            errors.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[share]) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_last_unit_goes_to_exactly_one_of_two_orders():
    facility, article = FacilityFactory(), ArticleFactory()
    put_stock(facility, article, 1)
    orders = [OrderFactory((article, 1)), OrderFactory((article, 1))]

    route_at_once(orders, workers=2)

    statuses = sorted(RoutingPlan.objects.values_list("status", flat=True))
    assert statuses == ["RETRYABLE", "ROUTED"]
    assert Listing.objects.get().reserved == Reservation.objects.get().quantity == 1


def test_same_order_in_two_workers_is_routed_once():
    article = ArticleFactory()
    put_stock(FacilityFactory(), article, 9)
    order = OrderFactory((article, 2))

    route_at_once([order, order], workers=2)

    assert RoutingPlan.objects.count() == 1
    assert Listing.objects.get().reserved == 2


def test_hot_articles_are_never_promised_twice():
    articles = [ArticleFactory() for _ in range(3)]
    facilities = [FacilityFactory(), FacilityFactory(latitude=52.0907, longitude=5.1214)]
    for facility in facilities:
        for article in articles:
            put_stock(facility, article, 10)
    orders = [
        OrderFactory((articles[number % 3], 1), (articles[(number + 1) % 3], 2)) for number in range(40)
    ]

    route_at_once(orders, workers=4)

    for listing in Listing.objects.all():
        assert listing.reserved == listing.reservations.all().units()
        assert listing.reserved <= 10
    routed = RoutingPlan.objects.filter(status="ROUTED")
    assert sum(line.quantity for plan in routed for line in plan.lines.all()) == sum(
        listing.reserved for listing in Listing.objects.all()
    )
    # Whoever waits does so because what is left does not make a whole order.
    assert (
        RoutingPlan.objects.filter(status="RETRYABLE").count()
        == 40 - routed.values("order").distinct().count()
    )
