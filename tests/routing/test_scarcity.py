"""Scarce stock: most of the waiting orders are served whole."""

import datetime
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulfillment.core.events import StockIncreased
from orders.models import Order
from routing import services as routing
from routing.models import RoutingPlan
from routing.rules import serving_order
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock
from tests.factories.orders import OrderFactory

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
ARTICLES = "abc"
orders = st.lists(
    st.dictionaries(st.sampled_from(ARTICLES), st.integers(1, 6), min_size=1), min_size=1, max_size=7
)
supplies = st.fixed_dictionaries({article: st.integers(0, 12) for article in ARTICLES})


def served(wants, supply, order):
    """Who is served whole when they come in this order."""
    left, found = dict(supply), set()
    for place in order:
        if all(left.get(article, 0) >= units for article, units in wants[place].items()):
            found.add(place)
            for article, units in wants[place].items():
                left[article] -= units
    return found


@given(orders, supplies)
def test_no_other_order_serves_more_or_earlier_ones(wants, supply):
    best = max(
        (
            (len(found), -sum(found))
            for order in itertools.permutations(range(len(wants)))
            for found in [served(wants, supply, order)]
        ),
    )

    found = served(wants, supply, serving_order(wants, supply))

    assert (len(found), -sum(found)) == best


@given(orders)
def test_where_nothing_is_scarce_everything_stays_as_it_stands(wants):
    assert serving_order(wants, dict.fromkeys(ARTICLES, 1000)) == list(range(len(wants)))


@given(orders, supplies)
def test_everybody_is_tried_once(wants, supply):
    assert sorted(serving_order(wants, supply)) == list(range(len(wants)))


@pytest.mark.parametrize("count", [60, 2000])
def test_queue_too_long_for_the_search_still_gets_a_good_answer(count):
    wants = [{"a": 1 + place % 3, "b": 3 - place % 3} for place in range(count)]
    supply = {"a": count // 3, "b": count // 3}

    order = serving_order(wants, supply)

    assert len(served(wants, supply, order)) >= count // 6 - 1


@pytest.fixture
def article(monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    return ArticleFactory()


def waiting(article, units, age=0):
    order = OrderFactory((article, units))
    routing.route_order(order.pk, by=None, now=NOON)
    RoutingPlan.objects.filter(order=order).update(
        created_at=NOON - datetime.timedelta(days=age, seconds=100 - order.lines.count())
    )
    return order


def whole():
    return list(
        RoutingPlan.objects.filter(status="ROUTED").order_by("order_id").values_list("order_id", flat=True)
    )


@pytest.mark.django_db
def test_two_small_orders_come_before_one_large(article):
    facility = FacilityFactory()
    _large, small, other = waiting(article, 5), waiting(article, 2), waiting(article, 3)
    put_stock(facility, article, 5)

    routing.retry_waiting(StockIncreased(facility_id=facility.pk))

    assert whole() == [small.pk, other.pk]


@pytest.mark.django_db
def test_what_waits_for_long_has_its_turn(article):
    facility = FacilityFactory()
    large, _small, _other = waiting(article, 5, age=4), waiting(article, 2), waiting(article, 3)
    put_stock(facility, article, 5)

    routing.retry_waiting(StockIncreased(facility_id=facility.pk))

    assert whole() == [large.pk]
    assert Order.objects.count() == 3
