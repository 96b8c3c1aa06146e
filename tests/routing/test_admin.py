import datetime

import pytest
from django.urls import reverse

from routing import configurations
from routing import services as routing
from routing.models import RoutingConfiguration, RoutingRevision
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock, staff
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture
def admin(client):
    user = staff("administrator")
    user.is_superuser = True
    user.save()
    client.force_login(user)
    return client


def draft_data(**changes):
    draft = configurations.complete_draft()
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

    draft = configurations.complete_draft()

    assert not draft.ratings.get(key="WORKLOAD").is_active


@pytest.mark.parametrize("name", ["routingrevision", "routingplan", "reservation", "decisionlog", "place"])
def test_routing_records_are_shown_read_only(admin, name):
    article = ArticleFactory()
    put_stock(FacilityFactory(), article, 3)
    routing.route_order(OrderFactory((article, 1)).pk, by=None, now=NOON)

    assert admin.get(reverse(f"admin:routing_{name}_changelist") + "?q=a").status_code == 200
    assert admin.get(reverse(f"admin:routing_{name}_add")).status_code == 403
