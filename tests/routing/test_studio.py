"""The routing studio: weights, facts about the draft, publishing, and going back."""

import datetime

import pytest
from django.urls import reverse

from routing import configurations, trials
from routing import services as routing
from routing.models import (
    FallbackFacility,
    FenceSetting,
    RatingSetting,
    RoutingConfiguration,
    RoutingRevision,
    StrategyNode,
)
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock, staff
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
STUDIO = "routing:trial-list"


@pytest.fixture
def admin(client):
    client.force_login(staff("administrator"))
    return client


def fields(**changes):
    """The form of the weights as it is, with changes by key."""
    draft = configurations.complete_draft()
    data = {
        f"rating-{one.pk}": changes.get(one.key, one.weight if one.is_active else 0)
        for one in draft.ratings.all()
    }
    for fence in draft.fences.all():
        if changes.get(fence.key, fence.is_active):
            data[f"fence-{fence.pk}"] = "on"
    return data


def weigh(client, **changes):
    return client.post(reverse("routing:draft-weigh"), fields(**changes), follow=True)


def draft_rating(key):
    return RatingSetting.objects.get(key=key, name="")


def test_weights_and_fences_of_the_draft_are_changed_and_nothing_routes_by_them(admin):
    page = weigh(admin, GEODISTANCE=7.5, WORKLOAD=0, CARRIER=True).content.decode()

    assert (draft_rating("GEODISTANCE").weight, draft_rating("WORKLOAD").is_active) == (7.5, False)
    assert FenceSetting.objects.get(key="CARRIER").is_active
    assert "Weight of Distance: 2 → 7.5" in page
    assert RoutingRevision.objects.count() == 1


def test_weight_that_is_too_large_is_refused_beside_its_field(admin):
    response = weigh(admin, GEODISTANCE=11)

    assert response.status_code == 422
    assert "less than or equal to 10" in response.content.decode()
    assert draft_rating("GEODISTANCE").weight == 2


def test_draft_is_published_with_a_word_why(admin):
    weigh(admin, GEODISTANCE=9)

    admin.post(reverse("routing:draft-publish"), {"comment": "Nearer"})

    revision = RoutingRevision.objects.get(number=2)
    assert (revision.comment, revision.published_by.email) == ("Nearer", staff_email(admin))


def staff_email(client):
    return client.get(reverse(STUDIO)).wsgi_request.user.email


def test_those_who_may_not_publish_see_no_button_and_are_refused(client):
    client.force_login(staff("supervisor"))
    weigh(client, GEODISTANCE=9)

    page = client.get(reverse(STUDIO)).content.decode()
    published = client.post(reverse("routing:draft-publish"))
    back = client.post(reverse("routing:revision-use", args=[1]))

    assert "Publish the draft" not in page
    assert "An administrator publishes it" in page
    assert "try on real orders, publish" not in page
    assert (published.status_code, back.status_code) == (403, 403)
    assert RoutingRevision.objects.count() == 1


def everything_set():
    """A draft in which nothing is as in the first revision."""
    draft = configurations.complete_draft()
    RoutingConfiguration.objects.update(
        is_split_active=True,
        max_split_count=5,
        split_mode="GREEDY",
        least_units=2,
        least_value=12.5,
        split_sameday=True,
        partly_reservable="ROUTE",
        stop_after_hours=3,
        time_zone="Europe/Amsterdam",
        missing_units="REROUTE_UNTOUCHED",
        reroute_after_minutes=45,
        reroute_within_hours=12,
        reroute_idle_minutes=90,
        reroute_blacklist=False,
        reroute_offline=False,
        fallback_after_minutes=15,
    )
    rule = {
        "then": {
            "predicates": [{"entity": "FACILITY", "path": "city", "operator": "EQUALS", "value": "Utrecht"}]
        }
    }
    draft.fences.filter(key="COUNTRY").update(is_active=False)
    draft.fences.filter(key="CARRIER").update(is_active=True)
    draft.ratings.filter(key="GEODISTANCE").update(weight=4, best=0, worst=1000)
    FenceSetting.objects.create(configuration=draft, key="CUSTOM", name="town", rule=rule, is_active=True)
    RatingSetting.objects.create(
        configuration=draft, key="CUSTOM", name="near", rule=rule, weight=3, is_active=False
    )
    condition = {"predicates": [{"entity": "ORDER", "path": "channel", "operator": "EQUALS", "value": "web"}]}
    top = StrategyNode.objects.create(
        configuration=draft, name="Web", condition=condition, changes={"weights": {"CUSTOM.near": 2}}
    )
    StrategyNode.objects.create(
        configuration=draft,
        parent=top,
        name="Large",
        condition=condition,
        changes={"split": {"max_count": 3}},
    )
    FallbackFacility.objects.create(configuration=draft, facility=FacilityFactory())
    return configurations.revision_data(configurations.complete_draft())


def test_going_back_restores_every_setting(admin):
    first = RoutingRevision.objects.get(number=1).data
    wanted = everything_set()
    configurations.publish(comment="All", by=None, now=NOON)

    admin.post(reverse("routing:revision-use", args=[1]))
    back = configurations.revision_data(RoutingConfiguration.objects.get())
    admin.post(reverse("routing:revision-use", args=[2]))
    again = configurations.revision_data(RoutingConfiguration.objects.get())

    assert configurations.differing(first, back) == []
    changes = configurations.differing(first, wanted)
    assert {
        "Fence Country: on → off",
        "Weight of Distance: 2 → 4",
        "stop trying after (hours): 8 → 3",
    } <= set(changes)
    assert again == wanted == RoutingRevision.objects.get(number=4).data
    assert RoutingRevision.objects.get(number=4).comment == "As revision 2 was"


def test_history_says_what_each_revision_changed(admin):
    weigh(admin, GEODISTANCE=9)
    configurations.publish(comment="Nearer", by=None, now=NOON)

    newest, first = configurations.history()

    assert newest[1] == ["Weight of Distance: 2 → 9"]
    assert first[1] == []


def test_what_a_rule_names_and_nobody_has_is_said_and_keeps_orders_waiting(admin):
    article = ArticleFactory()
    put_stock(FacilityFactory(), article, 5)
    draft = configurations.complete_draft()
    rule = {"then": {"predicates": [one("CARRIER", "key", "EQUALS", "pigeon")]}}
    draft.fences.create(key="CUSTOM", name="pigeon", rule=rule)
    draft.nodes.create(
        name="gone",
        condition={"predicates": [one("ORDER", "channel", "IN", ["test", "closed-shop"])]},
        changes={},
    )

    page = admin.get(reverse(STUDIO)).content.decode()

    assert "A rule names the carrier “pigeon”, which is not there." in page
    assert "A rule names the channel “closed-shop”, which is not there." in page
    configurations.publish(by=None, now=NOON)
    (plan,) = routing.route_order(OrderFactory((article, 1)).pk, by=None, now=NOON)
    assert (plan.status, plan.reason) == ("RETRYABLE", "FENCED_OUT")


def one(entity, path, operator, value):
    return {"entity": entity, "path": path, "operator": operator, "value": value}


def test_fallback_facility_that_is_gone_is_said_and_passed_over():
    data = configurations.revision_data(configurations.complete_draft())
    data["fallback"] = {"facilities": ["NO-SUCH"], "after_minutes": 0}

    assert [str(line) for line in configurations.loose_ends(data)] == [
        "A rule names the facility “NO-SUCH”, which is not there."
    ]


def test_fence_that_leaves_nobody_is_named_with_its_share():
    article = ArticleFactory()
    put_stock(FacilityFactory(), article, 50)
    for country in ("NL", "NL", "NL", "BE"):
        order = OrderFactory((article, 1), address={"country": country})
        routing.route_order(order.pk, by=None, now=NOON)

    found = trials.facts(RoutingRevision.objects.get().data, now=NOON)

    assert [str(fact) for fact in found] == [
        "The fence Country leaves no facility for 25.0 % of the last 4 orders."
    ]
    assert trials.facts(RoutingRevision.objects.get().data, now=NOON + datetime.timedelta(days=8)) == []


def test_fences_that_leave_nobody_only_together_are_named_together():
    article = ArticleFactory()
    put_stock(FacilityFactory(country="BE"), article, 50)
    put_stock(FacilityFactory(services=["PICKUP"]), article, 50)
    routing.route_order(OrderFactory((article, 1)).pk, by=None, now=NOON)

    (fact,) = trials.facts(RoutingRevision.objects.get().data, now=NOON)

    assert {"Service type", "Country"} <= set(fact.fence.split(" + "))
