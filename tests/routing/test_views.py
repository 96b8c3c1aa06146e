import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from routing import services as routing
from routing.models import RoutingConfiguration, RoutingPlan, RoutingRevision
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


def test_decision_of_an_order_that_was_not_routed_yet_says_so(supervisor):
    order = OrderFactory(("SKU-1", 1))

    page = supervisor.get(reverse("routing:decision", args=[order.pk])).content.decode()

    assert "This order was not routed yet." in page


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


# Administration


@pytest.fixture
def admin(client):
    user = staff("administrator")
    user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


def draft_data(**changes):
    draft = routing.complete_draft()
    data = {
        "is_split_active": "on",
        "max_split_count": "2",
        "partly_reservable": "WAIT",
        "stop_after_hours": "8",
        "comment": "",
        "fences-TOTAL_FORMS": draft.fences.count(),
        "fences-INITIAL_FORMS": draft.fences.count(),
        "ratings-TOTAL_FORMS": draft.ratings.count(),
        "ratings-INITIAL_FORMS": draft.ratings.count(),
    }
    for index, fence in enumerate(draft.fences.all()):
        data |= {
            f"fences-{index}-id": fence.pk,
            f"fences-{index}-configuration": draft.pk,
            f"fences-{index}-is_active": "on",
        }
    for index, rating in enumerate(draft.ratings.all()):
        data |= {
            f"ratings-{index}-id": rating.pk,
            f"ratings-{index}-configuration": draft.pk,
            f"ratings-{index}-is_active": "on",
            f"ratings-{index}-weight": changes.get(rating.key, rating.weight),
        }
    return reverse("admin:routing_routingconfiguration_change", args=[draft.pk]), data


def test_saving_keeps_a_draft_that_nothing_routes_by(admin):
    url, data = draft_data(GEODISTANCE="5")

    answer = admin.post(url, {**data, "_continue": "1"}, follow=True)

    assert RoutingRevision.objects.count() == 1
    assert "Revision 1 is in use" in answer.content.decode()
    assert "GEODISTANCE: 2.00 → 5.00" in answer.content.decode()


def test_publishing_makes_the_next_revision(admin):
    url, data = draft_data(GEODISTANCE="5")

    admin.post(url, {**data, "comment": "Nearer", "_publish": "1"})

    revision = RoutingRevision.objects.get(number=2)
    assert revision.comment == "Nearer"
    assert {"key": "GEODISTANCE", "weight": "5.00"} in revision.data["ratings"]


def test_weight_over_ten_is_refused_at_its_field(admin):
    url, data = draft_data(GEODISTANCE="11")

    answer = admin.post(url, {**data, "_publish": "1"})

    assert "less than or equal to 10" in answer.content.decode()
    assert RoutingRevision.objects.count() == 1


def test_staff_without_the_permission_cannot_publish(client):
    user = staff("supervisor")
    user.is_staff = True
    user.save()
    client.force_login(user)
    url, data = draft_data(GEODISTANCE="5")

    client.post(url, {**data, "_publish": "1"})

    assert RoutingRevision.objects.count() == 1


def test_every_rule_of_the_code_is_in_the_draft():
    RoutingConfiguration.objects.get().ratings.filter(key="WORKLOAD").delete()

    draft = routing.complete_draft()

    assert not draft.ratings.get(key="WORKLOAD").is_active


@pytest.mark.parametrize("name", ["routingrevision", "routingplan", "reservation", "decisionlog", "place"])
def test_routing_records_are_shown_read_only(admin, name):
    article = ArticleFactory()
    put_stock(FacilityFactory(), article, 3)
    route(OrderFactory((article, 1)))

    assert admin.get(reverse(f"admin:routing_{name}_changelist") + "?q=a").status_code == 200
    assert admin.get(reverse(f"admin:routing_{name}_add")).status_code == 403
