"""What-if for a checkout."""

import datetime

import pytest
import time_machine

from fulfillment.core.api.schema import validate
from fulfillment.core.models import Carrier
from fulfillment.overview.sourcing_api import sourcing_response
from orders.models import Order
from routing.models import DecisionLog, Reservation, RoutingPlan
from tests.apiclient import Api, described
from tests.factories.core import (
    ArticleFactory,
    FacilityCarrierFactory,
    FacilityFactory,
    api_token,
    put_stock,
)
from tests.factories.orders import wire_order

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)  # a Monday, 13:00 in Amsterdam
URL = "/api/routing/sourcingoptions"


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


def basket(*lines, most=1, **fields):
    order = wire_order(*lines, **fields)
    for name in ("orderDate", "tenantOrderId"):
        order.pop(name, None)
    return {"order": order, "optimizationHints": {"requestedResultCount": most}}


def ask(api, *lines, **options):
    with time_machine.travel(NOON, tick=False):
        response = api.post(URL, basket(*lines, **options))
    assert response.status_code == 201, response.content
    validate(sourcing_response, response.json())
    return response.json()["result"]["options"]


def facilities_of(option):
    return [node["facilityRef"] for node in option["nodes"] if node["type"] == "MANAGED_FACILITY"]


def test_best_facility_comes_first_and_others_after_it(api, article, sites):
    near, far = sites

    first, second = ask(api, (article, 2), most=5)

    assert (facilities_of(first), facilities_of(second)) == ([str(near.pk)], [str(far.pk)])
    assert first["totalPenalty"] < second["totalPenalty"] + 1e-9
    assert first["nodes"][0]["lineItems"] == [{"tenantArticleId": article.sku, "quantity": 2}]
    assert "nonAssignedOrderLineItems" not in first


def test_nothing_is_written_or_reserved(api, article, sites):
    ask(api, (article, 2), most=2)

    for model in (Order, RoutingPlan, Reservation, DecisionLog):
        assert not model.objects.exists()


def test_units_that_nobody_has_are_named(api, article, sites):
    (option,) = ask(api, (article, 12), ("SKU-NOBODY", 3))

    assert len(facilities_of(option)) == 2
    assert option["nonAssignedOrderLineItems"] == [
        {"tenantArticleId": article.sku, "quantity": 2},
        {"tenantArticleId": "SKU-NOBODY", "quantity": 3},
    ]


def test_basket_that_nobody_can_serve_has_no_option(api, article):
    assert ask(api, (article, 1)) == []


def test_day_of_delivery_follows_from_hours_cut_off_and_transit(api, article, sites):
    near, _far = sites
    link = FacilityCarrierFactory(
        facility=near, transit_days=2, cutoffs={"MONDAY": "16:00", "TUESDAY": "16:00"}
    )
    near.fulfillment_buffer = 240
    near.save()
    assert link.carrier.status == Carrier.Status.ACTIVE

    (option,) = ask(api, (article, 1))

    line = option["transfers"][0]["timeLine"]
    # Open until 17:00, so four hours from 13:00 end after Monday's cut-off.
    assert line["targetTime"] == "2026-03-03T15:00:00Z"
    assert line["latestPickingStart"] == "2026-03-03T11:00:00Z"
    assert line["earliestPickingStart"] == "2026-03-02T12:00:00Z"
    assert (line["usedTransitTimeInDays"], option["estimatedDeliveryDate"]) == (2, "2026-03-05")


def test_pickup_names_the_day_at_the_facility_that_was_chosen(api, article, sites):
    _near, far = sites
    preferences = {"collect": [{"facilityRef": str(far.pk)}]}

    (option,) = ask(api, (article, 1), deliveryPreferences=preferences, most=3)

    assert facilities_of(option) == [str(far.pk)]
    assert option["nodes"][0]["isPickUpLocation"] is True
    assert option["transfers"] == []
    assert option["estimatedPickupDate"] == "2026-03-02"


def test_token_of_some_facilities_hears_of_those_only(client, article, sites):
    _near, far = sites
    api = Api(client, api_token("READ", facilities=[far]))

    (option,) = ask(api, (article, 1), most=5)

    assert facilities_of(option) == [str(far.pk)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"orderLineItems": []}, "order.orderLineItems: must have at least 1 entry"),
        ({"consumer": {"addresses": []}}, "consumer.addresses: an order that is shipped needs an address"),
        ({"strange": 1}, "order.strange"),
    ],
)
def test_basket_that_is_wrong_is_refused_with_the_field(api, article, sites, change, words):
    body = basket((article, 1))
    body["order"] |= change

    response = api.post(URL, body)

    assert response.status_code in {400, 422}
    assert any(words in text for text in described(response)), described(response)
