"""Routing plans and decisions through the API."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.api.schema import validate
from fulfillment.core.services import signin
from picking.models import PickJob
from routing import configurations, wire
from routing import services as routing
from routing.models import RoutingPlan
from tests.apiclient import Api, described
from tests.factories.core import (
    ArticleFactory,
    ChannelFactory,
    FacilityFactory,
    api_token,
    put_stock,
    staff,
)
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


def routed(units=2, **fields):
    """An order of one article that its only store has."""
    article, facility = ArticleFactory(), FacilityFactory()
    put_stock(facility, article, 10)
    order = OrderFactory((article, units), **fields)
    return routing.route_order(order.pk, by=None, now=timezone.now())[0]


def good(response, part):
    assert response.status_code == 200, response.content
    return validate(part, response.json())


def test_a_plan_names_its_facility_and_pick_job(api):
    plan = routed()

    answer = good(api.get(f"/api/routingplans/{plan.pk}"), wire.plan)

    assert (answer["status"], answer["consolidatedStatus"]) == ("ROUTED", "ROUTED")
    assert answer["facilityRef"] == str(plan.facility_id)
    assert answer["pickJobRef"] == str(PickJob.objects.get().pk)
    assert [line["quantity"] for line in answer["orderLineItems"]] == [2]
    assert answer["decisionLogs"] == [{"routingRun": 1, "url": f"/api/routingplans/{plan.pk}/decisionlogs/1"}]


def test_the_list_finds_the_plans_of_an_order(api):
    plan, _other = routed(), routed()

    answer = good(api.get("/api/routingplans", {"orderRef": str(plan.order_id)}), wire.plans)

    assert [entry["id"] for entry in answer["routingPlans"]] == [str(plan.pk)]
    assert answer["total"] == 1


@pytest.mark.parametrize("query", ["orderRef=nobody", "status=PACKABLE", f"facilityRef={uuid.UUID(int=7)}"])
def test_what_is_unknown_matches_nothing(api, query):
    routed()

    assert api.get(f"/api/routingplans?{query}").json() == {"routingPlans": [], "total": 0}


def test_statuses_come_in_four_forms(api):
    routed()
    for query in (
        "status=ROUTED",
        "status=ROUTED&status=LOCKED",
        "status=ROUTED,LOCKED",
        "status[0]=LOCKED&status[1]=ROUTED",
    ):
        assert api.get(f"/api/routingplans?{query}").json()["total"] == 1


def test_pages_do_not_overlap_and_take_the_same_queries(api):
    plans = [routed()]
    api.get("/api/routingplans")
    with CaptureQueriesContext(connection) as one:
        api.get("/api/routingplans")
    plans += [routed(), routed()]
    with CaptureQueriesContext(connection) as three:
        first = api.get("/api/routingplans", {"size": 2}).json()["routingPlans"]

    second = api.get("/api/routingplans", {"size": 2, "startAfterId": first[-1]["id"]}).json()

    assert len(three) == len(one)
    assert [entry["id"] for entry in first + second["routingPlans"]] == [
        str(plan.pk) for plan in reversed(plans)
    ]


def test_a_decision_log_has_fences_ratings_and_rank(api):
    closed = FacilityFactory(services=["PICKUP"])
    plan = routed()

    answer = good(api.get(f"/api/routingplans/{plan.pk}/decisionlogs/1"), wire.decision_log)

    best, out = answer["facilityDecisions"]
    assert best["facility"] == {"facilityRef": str(plan.facility_id), "name": plan.facility.name}
    assert (best["rank"], best["isBestRated"]) == (1, True)
    assert {fence["decision"] for fence in best["orderFences"]} == {"PASSED"}
    assert {rating["name"] for rating in best["orderRatings"]} >= {"GEODISTANCE", "STOCK_AVAILABILITY"}
    assert out["facility"]["facilityRef"] == str(closed.pk)
    verdicts = {fence["name"]: fence["decision"] for fence in out["orderFences"]}
    assert (verdicts["SERVICE_TYPE"], verdicts["COUNTRY"]) == ("FAILED", "PASSED")
    assert answer["results"]["assignedItems"][0]["quantity"] == 2
    fences = {one["name"]: one for one in answer["statistics"]["fenceStatistics"]}
    assert (fences["SERVICE_TYPE"]["passedAmount"], fences["SERVICE_TYPE"]["rejectedAmount"]) == (1, 1)
    assert fences["COUNTRY"]["passedPercentage"] == 100
    ratings = {one["name"]: one for one in answer["statistics"]["ratingStatistics"]}
    stock = ratings["STOCK_AVAILABILITY"]
    assert (stock["maxPenalty"], stock["minScore"], stock["maxScore"]) == (10, 2, 2)


def test_fence_that_goods_would_open_is_told_from_one_that_stays_shut(api):
    FacilityFactory(country="BE")
    configurations.complete_draft().fences.filter(key="MINIMUM_PICKING").update(is_active=True)
    configurations.publish(by=None, now=timezone.now())
    plan = routed()

    answer = good(api.get(f"/api/routingplans/{plan.pk}/decisionlogs/1"), wire.decision_log)

    out = answer["facilityDecisions"][1]
    verdicts = {fence["name"]: fence["decision"] for fence in out["orderFences"]}
    assert (verdicts["MINIMUM_PICKING"], verdicts["COUNTRY"]) == ("REACTIVE_PASSING_POSSIBLE", "FAILED")


def test_a_run_that_was_not_is_not_found(api):
    plan = routed()

    assert api.get(f"/api/routingplans/{plan.pk}/decisionlogs/2").status_code == 404


def test_a_picker_sees_no_decisions(client):
    plan = routed()
    picker = Api(client, signin.access_token(staff("picker", plan.facility), now=timezone.now()))

    assert picker.get(f"/api/routingplans/{plan.pk}").status_code == 200
    assert picker.get(f"/api/routingplans/{plan.pk}/decisionlogs/1").status_code == 403


def test_plans_of_others_are_not_found(client, api):
    elsewhere = routed()
    foreign = routed(channel=ChannelFactory(key="other", name="Other"))
    limited = Api(client, api_token(facilities=[FacilityFactory()]))

    assert limited.get(f"/api/routingplans/{elsewhere.pk}").status_code == 404
    assert limited.get("/api/routingplans").json()["total"] == 0
    assert limited.get(f"/api/routingplans/{elsewhere.pk}/decisionlogs/1").status_code == 404
    assert api.get(f"/api/routingplans/{foreign.pk}").status_code == 404


def test_search_by_order_status_and_pick_job(api):
    plan, other = routed(), routed()
    for query in (
        {"orderRef": {"eq": str(plan.order_id)}},
        {"pickJobRef": {"eq": str(PickJob.objects.get(plan=plan).pk)}, "status": {"in": ["ROUTED"]}},
        {"orderLineItems": {"contains": {"id": {"eq": str(plan.lines.get().order_line_id)}}}},
        {"facilityRef": {"notEq": str(other.facility_id)}},
    ):
        answer = good(
            api.post("/api/routingplans/search", {"query": query, "options": {"withTotal": True}}),
            wire.plan_page,
        )

        assert [entry["id"] for entry in answer["routingPlans"]] == [str(plan.pk)]
        assert answer["total"] == 1


def test_search_pages_by_cursor(api):
    ids = [str(routed().pk) for _number in range(3)]
    body = {"query": {}, "sort": [{"orderDate": "ASC"}], "size": 2}

    first = api.post("/api/routingplans/search", body).json()
    second = api.post("/api/routingplans/search", {**body, "after": first["pageInfo"]["endCursor"]}).json()

    assert [entry["id"] for entry in first["routingPlans"] + second["routingPlans"]] == ids
    assert not second["pageInfo"]["hasNextPage"]


def test_search_refuses_an_unknown_field(api):
    response = api.post("/api/routingplans/search", {"query": {"colour": {"eq": "red"}}})

    assert response.status_code == 400
    assert described(response)[0].startswith("query.colour: cannot be searched")


def test_a_plan_that_waits_has_no_facility(api):
    order = OrderFactory()
    routing.route_order(order.pk, by=None, now=timezone.now())

    answer = good(api.get(f"/api/routingplans/{RoutingPlan.objects.get().pk}"), wire.plan)

    assert (answer["status"], answer["finalizeRun"]) == ("RETRYABLE", 0)
    assert "facilityRef" not in answer
