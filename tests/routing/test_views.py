import datetime
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import Facility
from routing import configurations
from routing import services as routing
from routing.models import RoutingConfiguration, RoutingPlan
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
    assert re.search(r'class="headless"\s*>\s*km</span>', page)


@pytest.fixture
def three_sites():
    article = ArticleFactory()
    near = FacilityFactory(name="Near")
    far = FacilityFactory(name="Far", latitude=51.44, longitude=5.47)
    abroad = FacilityFactory(name="Abroad", country="BE")
    for facility in (near, far, abroad):
        put_stock(facility, article, 3)
    order = OrderFactory((article, 1))
    route(order)
    return order, near, far, abroad


def words_of(response):
    return " ".join(response.content.decode().split())


def test_decision_says_in_sentences_why_it_came_out_so(supervisor, three_sites):
    order, *_sites = three_sites

    page = words_of(supervisor.get(reverse("routing:decision", args=[order.pk])))

    assert "Near takes 1 of 1 unit." in page
    assert "2 of 3 facilities may serve it; the others miss a fence: Country (1)." in page
    assert "2 of them have all of it." in page
    assert "Of those, Near has the most points: 14; Far has 12." in page
    assert "It leads by Distance: 0" in page


def test_decision_says_what_would_have_to_change(supervisor, three_sites):
    order, near, far, abroad = three_sites
    url = reverse("routing:decision", args=[order.pk])

    def ask(facility, **headers):
        return words_of(supervisor.get(url, {"facility": facility}, headers=headers))

    assert "Near has got it." in ask(near.pk)
    page = ask(far.pk)
    assert "Far is 2 points behind." in page
    assert "Each of these by itself would give the order to Far:" in page
    assert "<li>Distance: at most 0" in page
    page = ask(abroad.pk, HX_Request="true")
    assert "Abroad misses the fence “Country”: wanted NL, has BE." in page
    assert "<html" not in page
    assert "Find out" in ask("nonsense")
    offered = ask("nonsense").partition('id="facility"')[2].partition("</select>")[0]
    assert f'value="{far.pk}"' in offered
    assert f'value="{near.pk}"' not in offered


def test_figure_that_is_said_is_enough_however_it_is_rounded(supervisor):
    article = ArticleFactory()
    near, far = (FacilityFactory(latitude=52.374 + degrees, longitude=4.89) for degrees in (1.33, 1.5))
    for facility in (near, far):
        put_stock(facility, article, 1)
    order = OrderFactory((article, 1))
    route(order)

    page = words_of(supervisor.get(reverse("routing:decision", args=[order.pk]), {"facility": far.pk}))

    # The near one is 147.8 km away, so 148 would not be enough.
    assert "<li>Distance: at most 147 km instead of 167 km</li>" in page


def test_decision_tells_what_gives_a_part_from_what_gives_the_whole_order(supervisor):
    mug, bowl = ArticleFactory(sku="MUG"), ArticleFactory(sku="BOWL")
    half, empty = FacilityFactory(name="Half"), FacilityFactory(name="Empty")
    put_stock(half, mug, 1)
    put_stock(half, bowl, 2)
    order = OrderFactory((mug, 2), (bowl, 2))
    route(order)

    page = words_of(supervisor.get(reverse("routing:decision", args=[order.pk]), {"facility": empty.pk}))

    assert "Empty has 0 of 4 units." in page
    assert "Each of these by itself would give the order or a part of it to Empty:" in page
    assert "more in stock: 1 × MUG – it would then get 1 of 4 units" in page
    assert "more in stock: 2 × MUG, 2 × BOWL – it would then get the whole order" in page


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


def test_fence_that_may_still_open_is_told_from_one_that_stays_shut(supervisor):
    article = ArticleFactory()
    FacilityFactory(name="Empty")
    configurations.complete_draft().fences.filter(key="MINIMUM_PICKING").update(is_active=True)
    configurations.publish(by=None, now=NOON)
    FacilityFactory(name="Abroad", country="BE")
    order = OrderFactory((article, 1))
    route(order)

    page = words_of(supervisor.get(reverse("routing:decision", args=[order.pk])))

    assert "<strong>At least one unit</strong> (for now):" in page
    assert "<strong>Country</strong>:" in page


def test_nothing_gives_an_order_to_a_facility_while_an_article_is_not_known(supervisor):
    mug = ArticleFactory(sku="MUG")
    empty = FacilityFactory(name="Empty")
    put_stock(FacilityFactory(), mug, 1)
    order = OrderFactory((mug, 1), ("NEW-1", 1))
    route(order)

    page = words_of(supervisor.get(reverse("routing:decision", args=[order.pk]), {"facility": empty.pk}))

    said = page.partition('id="prospect"')[2]
    assert "No article has the SKU NEW-1." in said
    assert "No single change of stock, figures or weights would be enough." in said
    assert "more in stock" not in said


def test_units_whose_article_is_not_known_are_units_of_the_order(supervisor):
    mug = ArticleFactory(sku="MUG")
    put_stock(FacilityFactory(name="Full"), mug, 1)
    RoutingConfiguration.objects.update(partly_reservable="ROUTE")
    configurations.publish(by=None, now=NOON)
    order = OrderFactory((mug, 1), ("NEW-1", 2))
    route(order)

    page = words_of(supervisor.get(reverse("routing:decision", args=[order.pk])))

    assert "Full takes 1 of 3 units." in page


def test_decision_names_the_skus_of_which_there_is_no_article(supervisor):
    FacilityFactory()
    order = OrderFactory((ArticleFactory(sku="KNOWN"), 1), ("NEW-1", 1), ("NEW-2", 1))
    route(order)
    words = "No article has one of the SKUs NEW-1, NEW-2."

    decided = words_of(supervisor.get(reverse("routing:decision", args=[order.pk])))
    listed = words_of(supervisor.get(reverse("routing:open-plans")))

    assert decided.count(words) == 2
    assert words in listed


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


def test_address_is_corrected_and_the_order_placed_anew(client):
    client.force_login(staff("supervisor"))
    article = ArticleFactory()
    facility = FacilityFactory()
    put_stock(facility, article, 5)
    order = OrderFactory((article, 1), address={"country": "BE"})
    routing.route_order(order.pk, by=None, now=NOON)
    url = reverse("routing:order-address", args=[order.pk])
    fields = {"street": "Damrak", "house_number": "1", "postal_code": "1012 LG", "city": "Amsterdam"}

    wrong = client.post(url, fields | {"country": "XX"})
    client.post(url, fields | {"country": "NL"})
    outbox.dispatch("routing", find=delivery_for)

    assert wrong.status_code == 422
    assert "is not a country" in wrong.content.decode()
    order.refresh_from_db()
    assert (order.country, order.latitude, order.shipping_address.street) == ("NL", None, "Damrak")
    assert RoutingPlan.objects.get(order=order, status="ROUTED").facility == facility
