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


def draft_data(own=(), **changes):
    """The form of the draft as it is, with weights changed and ``own`` further fields."""
    draft = configurations.complete_draft()
    data = {
        "is_split_active": "on",
        "split_mode": "EXACT",
        "max_split_count": "2",
        "least_units": "1",
        "least_value": "0",
        "partly_reservable": "WAIT",
        "stop_after_hours": "8",
        "time_zone": "Europe/Berlin",
        "missing_units": "NONE",
        "reroute_within_hours": "48",
        "reroute_offline": "on",
        "reroute_blacklist": "on",
        "fallback_after_minutes": "0",
        "comment": "",
    }
    for prefix in ("fences", "fences-2", "ratings", "ratings-2", "nodes", "fallback_facilities"):
        data |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    for name, rows in (("fences", draft.fences.all()), ("ratings", draft.ratings.all())):
        data |= {f"{name}-TOTAL_FORMS": len(rows), f"{name}-INITIAL_FORMS": len(rows)}
        for index, row in enumerate(rows):
            data |= {f"{name}-{index}-id": row.pk, f"{name}-{index}-configuration": draft.pk}
            if row.is_active:
                data[f"{name}-{index}-is_active"] = "on"
            if name == "ratings":
                data[f"{name}-{index}-weight"] = changes.get(row.key, row.weight)
    return reverse("admin:routing_routingconfiguration_change", args=[draft.pk]), data | dict(own)


def test_saving_keeps_a_draft_that_nothing_routes_by(admin):
    url, data = draft_data(GEODISTANCE="5")

    answer = admin.post(url, {**data, "_continue": "1"}, follow=True)

    assert RoutingRevision.objects.count() == 1
    assert "Revision 1 is in use" in answer.content.decode()
    assert "Weight of Distance: 2 → 5" in answer.content.decode()


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


IN_UTRECHT = '{"then": {"predicates": [{"entity": "FACILITY", "path": "city", "operator": "EQUALS", "value": "Utrecht"}]}}'
OF_WEB = '{"predicates": [{"entity": "ORDER", "path": "channel", "operator": "EQUALS", "value": "web"}]}'


def test_own_rules_ends_of_a_scale_and_nodes_are_edited_and_published(admin):
    own = {
        "fences-2-TOTAL_FORMS": 1,
        "fences-2-0-name": "utrecht",
        "fences-2-0-rule": IN_UTRECHT,
        "ratings-2-TOTAL_FORMS": 1,
        "ratings-2-0-name": "in-utrecht",
        "ratings-2-0-rule": IN_UTRECHT,
        "ratings-2-0-is_active": "on",
        "ratings-2-0-weight": "3",
        "nodes-TOTAL_FORMS": 1,
        "nodes-0-name": "Web",
        "nodes-0-position": 1,
        "nodes-0-condition": OF_WEB,
        "nodes-0-changes": '{"fences": {"CUSTOM.utrecht": true}, "split": {"max_count": 0}}',
    }
    url, data = draft_data(own)
    index = next(
        number
        for number, row in enumerate(configurations.complete_draft().ratings.all())
        if row.key == "GEODISTANCE"
    )

    answer = admin.post(
        url, {**data, f"ratings-{index}-best": "0", f"ratings-{index}-worst": "500", "_publish": "1"}
    )

    assert answer.status_code == 302, answer.content.decode()
    saved = RoutingRevision.objects.get(number=2).data
    assert set(saved["rules"]) == {"CUSTOM.utrecht", "CUSTOM.in-utrecht"}
    assert "CUSTOM.utrecht" not in saved["fences"]
    assert {"key": "GEODISTANCE", "weight": "2.00", "scale": [0.0, 500.0]} in saved["ratings"]
    assert [node["name"] for node in saved["nodes"]] == ["Web"]
    page = admin.get(url).content.decode()
    assert "This is what revision 2 does." in page


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            {"fences-2-TOTAL_FORMS": 1, "fences-2-0-name": "moon", "fences-2-0-rule": '{"then": 1}'},
            "give “connector” and “predicates”",
        ),
        (
            {
                "nodes-TOTAL_FORMS": 1,
                "nodes-0-name": "Web",
                "nodes-0-position": 1,
                "nodes-0-condition": OF_WEB,
                "nodes-0-changes": '{"weights": {"GEODISTANCE": 99}}',
            },
            "from 0 to 10",
        ),
    ],
)
def test_rule_that_cannot_be_judged_is_refused_at_its_field(admin, own, words):
    url, data = draft_data(own)

    answer = admin.post(url, {**data, "_publish": "1"})

    assert words in answer.content.decode()
    assert RoutingRevision.objects.count() == 1


@pytest.mark.parametrize(
    "changes", ['{"fences": {"CUSTOM.gone": true}}', '{"fences": {"COMPLETE_STOCK": true}}']
)
def test_draft_that_contradicts_itself_is_not_published(admin, changes):
    own = {
        "nodes-TOTAL_FORMS": 1,
        "nodes-0-name": "Web",
        "nodes-0-position": 1,
        "nodes-0-condition": OF_WEB,
        "nodes-0-changes": changes,
    }
    url, data = draft_data(own)

    answer = admin.post(url, {**data, "_publish": "1"}, follow=True)

    assert "The draft cannot be used" in answer.content.decode()
    assert RoutingRevision.objects.count() == 1
