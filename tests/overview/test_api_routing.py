"""Routing by hand through the API."""

import pytest

from fulfillment.core.models import OutboxEntry, StatusChange
from routing import services as routing
from routing.models import RoutingPlan
from tests.apiclient import Api, described
from tests.factories.core import ArticleFactory, ChannelFactory, FacilityFactory, api_token, put_stock
from tests.factories.orders import OrderFactory
from tests.factories.stages import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def article():
    return ArticleFactory()


@pytest.fixture
def sites(article):
    near, far = FacilityFactory(), FacilityFactory(latitude=51.44, longitude=5.47)
    for facility in (near, far):
        put_stock(facility, article, 5)
    return near, far


def placed(article, units=1):
    order = OrderFactory((article, units))
    (plan,) = routing.route_order(order.pk, by=None, now=NOON)
    return order, plan


@pytest.mark.parametrize(
    "body",
    [
        lambda order, plan: {"routingPlanIds": [str(plan.pk)]},
        lambda order, plan: {"orderRefs": [str(order.pk)]},
        lambda order, plan: {"tenantOrderIds": [order.tenant_order_id]},
    ],
    ids=["plan", "order", "number"],
)
def test_part_looks_for_another_facility(api, article, sites, body):
    near, far = sites
    order, plan = placed(article)
    assert plan.facility == near

    assert api.post("/api/routing/commands/reroute", body(order, plan)).status_code == 200

    assert RoutingPlan.objects.get(order=order, status="ROUTED").facility == far


def test_orders_of_other_channels_stay_where_they_are(client, article, sites):
    order, _plan = placed(article)
    stranger = Api(client, api_token(channel=ChannelFactory(key="other", name="Other")))

    answer = stranger.post("/api/routing/commands/reroute", {"orderRefs": [str(order.pk)]})

    assert answer.status_code == 200
    assert not RoutingPlan.objects.filter(status="REROUTED").exists()
    address = f"/api/processes/{order.process_id}/reroute?version=1"
    assert stranger.post(address, None).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"orderRefs": ["x"] * 11}, {"orderRefs": "x"}, {"colour": 1}, {"orderRefs": [5]}]
)
def test_bad_command_is_refused(api, body):
    assert api.post("/api/routing/commands/reroute", body).status_code == 400


def test_process_is_rerouted_at_its_version(api, article, sites):
    order, _plan = placed(article)
    address = f"/api/processes/{order.process_id}/reroute"

    assert api.post(address, None).status_code == 400
    assert api.post(f"{address}?version={order.version + 7}", None).status_code == 409
    answer = api.post(f"{address}?version={order.version}", None)

    assert answer.status_code == 200
    assert len(answer.json()["routingPlanRefs"]) == 2


def test_facility_is_assigned_to_a_process(api, article):
    abroad = FacilityFactory(country="BE")
    put_stock(abroad, article, 1)
    order, plan = placed(article)
    assert plan.facility is None
    body = {"name": "ASSIGN_FACILITY_TO_PROCESS", "version": order.version, "facilityRef": str(abroad.pk)}
    address = f"/api/processes/{order.process_id}/actions"

    assert api.post(address, body | {"name": "DANCE"}).status_code == 400
    assert api.post(address, body | {"facilityRef": str(plan.pk)}).status_code in (400, 404, 422)
    assert api.post(address, body | {"version": 99}).status_code == 409
    answer = api.post(address, body)

    assert answer.status_code == 200, answer.content
    assert answer.json()["facilityRefs"] == [str(abroad.pk)]
    assert api.post(address, body).status_code == 422


def test_all_that_wait_are_tried_again(api, article):
    _order, plan = placed(article)

    assert api.post("/api/processes/retrynotroutable", None).status_code == 204

    assert OutboxEntry.objects.filter(event="RetryAsked").exists()
    assert RoutingPlan.objects.get(pk=plan.pk).status == "RETRYABLE"


def test_reason_is_added_once_listed_and_given_with_a_step(api, article, sites):
    body = {"reason": "The store floods.", "reasonLocalized": {"de_DE": "Wasser im Laden."}}
    added = api.post("/api/reroutedescriptions", body)
    again = api.post("/api/reroutedescriptions", body)
    listed = api.get("/api/reroutedescriptions").json()
    order, plan = placed(article)

    answer = api.post(
        f"/api/processes/{order.process_id}/reroute?version=1&rerouteDescriptionId={added.json()['id']}", {}
    )

    assert (added.status_code, again.status_code, answer.status_code) == (201, 303, 200)
    assert [entry["reason"] for entry in listed["rerouteDescriptions"]] == ["The store floods."]
    assert (listed["total"], listed["hasNextPage"]) == (1, False)
    assert StatusChange.objects.get(entity_id=plan.pk, action="replace").reason == "The store floods."


def test_reason_that_nobody_added_is_refused_with_its_field(api, article, sites):
    order, _plan = placed(article)

    answer = api.post(f"/api/processes/{order.process_id}/reroute?version=1&rerouteDescriptionId=none", {})

    assert answer.status_code == 400
    assert described(answer) == ["rerouteDescriptionId: There is no reason 'none'."]


def test_key_is_for_one_address_with_its_query(api, article, sites):
    order, _plan = placed(article)
    path, key = f"/api/processes/{order.process_id}/reroute?version=", {"Idempotency-Key": "k-1"}

    first = api.post(f"{path}{order.version}", None, **key)

    assert first.status_code == 200
    assert api.post(f"{path}{order.version}", None, **key)["Idempotency-Replayed"] == "true"
    assert api.post(f"{path}{order.version + 1}", None, **key).status_code == 409
