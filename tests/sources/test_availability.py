import datetime

import pytest
from django.utils import timezone

from fulfillment.core.models import Article
from orders.sources import availability
from orders.sources.models import Connection, SentStock
from orders.sources.registry import KINDS
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock
from tests.sources.conftest import kinds

pytestmark = pytest.mark.django_db
with_figures = kinds(lambda shop: KINDS[shop.kind].has_availability)


@pytest.fixture
def pushing(shop, connect):
    """A connection that wants figures, and a mug of which two facilities have 5 and 3."""
    mug = ArticleFactory(sku="SKU-1")
    for units in (5, 3):
        put_stock(FacilityFactory(), mug, units)
    return connect(shop, availability_minutes=5)


def push(connection):
    Connection.objects.update(availability_due_at=None)
    return availability.push(connection.pk, now=timezone.now())


@with_figures
def test_sum_over_the_network_is_sent_once(shop, pushing):
    assert push(pushing) == 1
    assert shop.stock == {"SKU-1": 8}
    asked = len(shop.requests)

    assert push(pushing) == 0
    assert len(shop.requests) == asked


@with_figures
def test_change_is_sent_and_replaces_the_earlier_figure(shop, pushing):
    push(pushing)
    put_stock(FacilityFactory(), Article.objects.get(), 4)

    push(pushing)

    assert shop.stock == {"SKU-1": 12}
    assert SentStock.objects.get().units == 12


@with_figures
def test_figures_wait_for_their_pace(shop, pushing):
    now = timezone.now()
    availability.push(pushing.pk, now=now)
    put_stock(FacilityFactory(), Article.objects.get(), 4)

    assert availability.due(now) == []
    assert availability.push(pushing.pk, now=now) == 0
    assert availability.due(now + datetime.timedelta(minutes=6)) == [pushing.pk]


@with_figures
def test_failure_is_noted_and_tried_again(shop, pushing):
    shop.fail(400, body=shop.refusal("Not today"))

    assert push(pushing) == 0
    pushing.refresh_from_db()
    assert "Not today" in pushing.last_error

    push(pushing)
    assert shop.stock == {"SKU-1": 8}


def test_connection_that_does_not_want_figures_is_left_alone(shop, connection):
    assert availability.due(timezone.now()) == []
