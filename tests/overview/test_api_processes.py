"""Processes and their histories through the API."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.api.schema import validate
from fulfillment.overview import wire
from orders import services as orders
from orders.models import ShortRecord
from routing import services as routing
from tests.apiclient import Api, described
from tests.factories.core import ArticleFactory, ChannelFactory, FacilityFactory, api_token, put_stock
from tests.factories.orders import OrderFactory
from tests.factories.stages import NOON, Stages

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


def done(**fields):
    return Stages(**fields).plan().pick("CLOSED", 3).pack().ship()


def good(response, part=wire.process):
    assert response.status_code == 200, response.content
    return validate(part, response.json())


def test_a_process_links_what_the_stages_made(api):
    stages = done(tenantOrderId="N-1").give_back()

    answer = good(api.get(f"/api/processes/{stages.order.process_id}"))

    assert (answer["status"], answer["statuses"]["subStatuses"]) == ("FINISHED", [])
    assert (answer["orderRef"], answer["tenantOrderId"]) == (str(stages.order.pk), "N-1")
    assert answer["facilityRefs"] == [str(stages.facility.pk)]
    assert answer["routingPlanRefs"] == [str(stages.plan_.pk)]
    assert answer["pickJobRefs"] == [str(stages.job.pk)]
    assert answer["packJobRefs"] == [str(stages.pack_job.pk)]
    assert answer["shipmentRefs"] == [str(stages.shipment.pk)]
    assert answer["handoverJobRefs"] == [str(stages.handover.pk)]
    assert answer["itemReturnJobsRef"] == [str(stages.return_job.pk)]


def test_a_process_carries_its_flags(api):
    stages = done()
    ShortRecord.objects.create(
        line=stages.line, facility=stages.facility, quantity=1, reason="NOT_FOUND", recorded_at=NOON
    )

    answer = good(api.get(f"/api/processes/{stages.order.process_id}"))

    assert answer["statuses"]["subStatuses"] == ["MISMATCH"]


def test_a_process_is_found_by_each_reference(api):
    stages, _other = done(tenantOrderId="N-1"), done()
    for query in (
        {"orderRef": stages.order.pk},
        {"tenantOrderId": "N-1"},
        {"pickJobRef": stages.job.pk},
        {"shipmentRef": stages.shipment.pk},
        {"handoverJobRef": stages.handover.pk},
    ):
        assert good(api.get("/api/process", query))["orderRef"] == str(stages.order.pk), query


def test_a_number_used_again_means_the_newest_order(api):
    first = OrderFactory(tenantOrderId="N-1")
    orders.cancel(first.pk, by=None, now=timezone.now())
    second = OrderFactory(tenantOrderId="N-1")

    assert good(api.get("/api/process", {"tenantOrderId": "N-1"}))["orderRef"] == str(second.pk)


def test_a_lookup_needs_a_reference_that_exists(api):
    nothing = api.get("/api/process")

    assert (nothing.status_code, described(nothing)[0][:18]) == (400, "query: needs one o")
    assert api.get("/api/process", {"orderRef": str(uuid.uuid4())}).status_code == 404
    assert api.get("/api/process", {"pickJobRef": "nobody"}).status_code == 404


def test_processes_of_others_are_not_found(client, api):
    elsewhere = OrderFactory.collect()
    foreign = OrderFactory(channel=ChannelFactory(key="other", name="Other"))
    limited = Api(client, api_token(facilities=[FacilityFactory()]))

    for caller, order in ((limited, elsewhere), (api, foreign)):
        assert caller.get(f"/api/processes/{order.process_id}").status_code == 404
        assert caller.get(f"/api/processes/{order.process_id}/historylogs").status_code == 404
        assert caller.get("/api/process", {"orderRef": order.pk}).status_code == 404
        query = {"orderRef": {"eq": str(order.pk)}}
        assert caller.post("/api/processes/search", {"query": query}).json()["processes"] == []


def test_search_reads_several_stages(api):
    stages, other = done(tenantOrderId="N-1").give_back(), OrderFactory()
    for query in (
        {"status": {"eq": "FINISHED"}},
        {"orderRef": {"eq": str(stages.order.pk)}},
        {"pickJobRefs": {"contains": {"eq": str(stages.job.pk)}}},
        {"facilityRefs": {"contains": {"eq": str(stages.facility.pk)}}},
        {"itemReturnJobsRef": {"contains": {"eq": str(stages.return_job.pk)}}},
        {"referenced": {"returnJob": {"status": {"contains": {"eq": "IN_PROGRESS"}}}}},
        {"referenced": {"order": {"tenantOrderId": {"like": "n-1"}}}},
        {"referenced": {"pickJob": {"status": {"contains": {"in": ["CLOSED"]}}}}},
        {"referenced": {"tenantArticleId": {"eq": stages.article.sku}}},
        {"and": [{"processId": {"notEq": str(other.process_id)}}]},
    ):
        answer = good(
            api.post("/api/processes/search", {"query": query, "options": {"withTotal": True}}),
            wire.process_page,
        )

        assert [entry["orderRef"] for entry in answer["processes"]] == [str(stages.order.pk)], query
        assert answer["total"] == 1


def test_search_sorts_by_the_derived_status_and_pages(api):
    first, second, third = OrderFactory(), done().order, done().order
    body = {"query": {}, "sort": [{"status": "DESC"}], "size": 2}

    page = api.post("/api/processes/search", body).json()
    rest = api.post("/api/processes/search", {**body, "after": page["pageInfo"]["endCursor"]}).json()

    found = [entry["orderRef"] for entry in page["processes"] + rest["processes"]]
    assert found == [str(order.pk) for order in (third, second, first)]


def test_search_takes_the_same_queries_for_any_number(api):
    done()
    api.post("/api/processes/search", {"query": {}})
    with CaptureQueriesContext(connection) as one:
        api.post("/api/processes/search", {"query": {}})
    done()
    done()
    with CaptureQueriesContext(connection) as three:
        api.post("/api/processes/search", {"query": {}})

    assert len(three) == len(one)


@pytest.fixture
def order():
    """An order that was placed, routed to a store and cancelled."""
    article, facility = ArticleFactory(), FacilityFactory(name="Damrak")
    put_stock(facility, article, 5)
    order = OrderFactory((article, 1))
    routing.route_order(order.pk, by=None, now=timezone.now())
    orders.cancel(order.pk, by="Eva", now=timezone.now(), reason="Changed her mind")
    return order


def history(api, order, **query):
    return good(api.get(f"/api/processes/{order.process_id}/historylogs", query), wire.history_logs)


def test_the_history_tells_each_step_with_who_and_why(api, order):
    answer = history(api, order)

    events = [entry["eventType"] for entry in answer["historyLogs"]]
    assert set(events) == {
        "ORDER_CREATED",
        "ROUTING_PLAN_CREATE",
        "OPERATIVE_TASK_CREATED",
        "ORDER_CANCELLED",
        "PICKING_CANCELLED",
        "ROUTING_PLAN_CANCEL",
    }
    assert (events[-1], answer["total"]) == ("ORDER_CREATED", 6)
    [cancelled] = [entry for entry in answer["historyLogs"] if entry["eventType"] == "ORDER_CANCELLED"]
    assert (cancelled["user"]["username"], cancelled["info"]) == ("Eva", "Changed her mind")
    assert cancelled["domainRef"] == str(order.pk)


def test_the_history_is_filtered_and_paged(api, order):
    everything = history(api, order, orderBy="TIMESTAMP_ASC")["historyLogs"]

    first = history(api, order, orderBy="TIMESTAMP_ASC", size=4)["historyLogs"]
    rest = history(api, order, orderBy="TIMESTAMP_ASC", size=4, startAfterId=first[-1]["id"])["historyLogs"]

    assert first + rest == everything
    assert [e["eventType"] for e in history(api, order, type="ORDER_CREATED")["historyLogs"]] == [
        "ORDER_CREATED"
    ]
    assert history(api, order, username="eva")["total"] == 3
    assert history(api, order, facilityName="damr")["total"] == 4
    assert history(api, order, facilityName="nowhere")["total"] == 0
    assert api.get(f"/api/processes/{order.process_id}/historylogs", {"startAfterId": "x"}).status_code == 400
