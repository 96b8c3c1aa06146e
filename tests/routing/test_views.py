import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from fulfillment.core.models import Facility
from routing import services as routing
from routing.models import RoutingPlan
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock, staff
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture
def supervisor(client):
    client.force_login(staff("supervisor"))
    return client


def route(order):
    return routing.route_order(order.pk, by=None, now=NOON)


def test_decision_shows_every_facility_with_its_points(supervisor):
    article = ArticleFactory()
    near, far = FacilityFactory(name="Near"), FacilityFactory(name="Far", latitude=51.44, longitude=5.47)
    put_stock(near, article, 3)
    put_stock(far, article, 3)
    put_stock(FacilityFactory(name="Abroad", country="BE"), article, 3)
    order = OrderFactory((article, 1))
    route(order)

    page = supervisor.get(reverse("routing:decision", args=[order.pk])).content.decode()

    assert all(name in page for name in ("Near", "Far", "Abroad", "14.000", "Revision 1"))


def test_decision_says_what_the_next_best_would_have_needed(supervisor):
    article = ArticleFactory()
    near, far = FacilityFactory(name="Near"), FacilityFactory(name="Far", latitude=51.44, longitude=5.47)
    put_stock(near, article, 3)
    put_stock(far, article, 3)
    FacilityFactory(name="Empty")
    order = OrderFactory((article, 1))
    route(order)

    page = supervisor.get(reverse("routing:decision", args=[order.pk])).content.decode()

    assert "To win, Far needs 2 points more; most are lost by Distance" in " ".join(page.split())
    assert "To win, Empty" not in page


def test_decision_of_an_order_that_was_not_routed_yet_says_so(supervisor):
    order = OrderFactory(("SKU-1", 1))

    page = supervisor.get(reverse("routing:decision", args=[order.pk])).content.decode()

    assert "This order was not routed yet." in page


def test_decision_says_in_words_what_a_fence_missed(supervisor):
    article = ArticleFactory()
    put_stock(FacilityFactory(services=["PICKUP"]), article, 3)
    order = OrderFactory((article, 1))
    route(order)

    page = supervisor.get(reverse("routing:decision", args=[order.pk])).content.decode()

    assert str(Facility.Service.SHIP_FROM_STORE.label) in page
    assert "SHIP_FROM_STORE" not in page
    assert str(RoutingPlan.Reason.FENCED_OUT.label) in page


def test_decision_among_many_facilities_shows_the_best_and_counts_the_others(supervisor):
    article = ArticleFactory()
    for number in range(30):
        site = FacilityFactory(latitude=52.3747 - number / 100)
        put_stock(site, article, 3)
    for _ in range(28):
        FacilityFactory(country="BE")
    order = OrderFactory((article, 1))
    route(order)

    page = supervisor.get(reverse("routing:decision", args=[order.pk])).content.decode()

    assert page.count('<th scope="row">') == 25
    assert "5 more facilities with fewer points" in page
    assert "and 3 more" in page


def test_facility_without_coordinates_is_flagged(supervisor):
    article = ArticleFactory()
    for fields in ({}, {"latitude": None, "longitude": None}):
        put_stock(FacilityFactory(**fields), article, 3)
    order = OrderFactory((article, 1))
    route(order)

    page = supervisor.get(reverse("routing:decision", args=[order.pk])).content.decode()

    assert "got the mean" in page


def test_order_without_a_facility_is_listed_with_its_reason_and_routed_again(supervisor):
    article = ArticleFactory()
    order = OrderFactory((article, 1))
    route(order)
    page = supervisor.get(reverse("routing:open-plans")).content.decode()
    assert str(RoutingPlan.Reason.FENCED_OUT.label) not in page
    assert str(RoutingPlan.Reason.NO_FACILITY.label) in page
    put_stock(FacilityFactory(), article, 1)

    answer = supervisor.post(reverse("routing:order-route", args=[order.pk]))

    assert answer.status_code == 302
    assert RoutingPlan.objects.get().status == RoutingPlan.Status.ROUTED


def test_list_needs_the_same_queries_for_one_and_for_three(supervisor):
    counts = []
    for more in (1, 2):
        for _ in range(more):
            route(OrderFactory(("SKU-1", 1)))
        with CaptureQueriesContext(connection) as queries:
            supervisor.get(reverse("routing:open-plans"))
        counts.append(len(queries))

    assert counts[0] == counts[1]
