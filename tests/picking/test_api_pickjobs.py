import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.api.schema import validate
from fulfillment.core.models import ApiToken, Listing, Stock, StockMovement
from fulfillment.core.services import signin
from orders.models import ShortRecord
from packing import services as packing
from picking import services as picking
from picking import wire
from picking.models import PickJob, RestowItem
from routing.models import Reservation
from tests.apiclient import Api, described
from tests.factories.core import FacilityFactory, api_token, staff
from tests.factories.orders import OrderFactory
from tests.factories.picking import pick_job, route, started_pick_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


def as_person(client, user):
    return Api(client, signin.access_token(user, now=timezone.now()))


def url(job, rest=""):
    return f"/api/pickjobs/{job.pk}{rest}"


def line_ids(job):
    return [str(pk) for pk in job.lines.values_list("pk", flat=True)]


def patch(api, job, *actions, version=None):
    return api.patch(url(job), {"version": version or current(job).version, "actions": list(actions)})


def act(api, job, name, version=None, **body):
    version = version or current(job).version
    return api.post(url(job, "/actions"), {"name": name, "version": version, **body})


def current(job):
    return PickJob.objects.get(pk=job.pk)


def picked(line_id, units, **fields):
    return {"action": "ModifyPickLineItem", "id": line_id, "picked": units, "status": "CLOSED", **fields}


def set_status(status):
    return {"action": "ModifyPickJob", "status": status}


def test_job_is_read_with_what_its_order_brought(api):
    job = pick_job(2, 1, customAttributes={"commercetoolsId": "c-1"}, tags=[{"id": "brand", "value": "B"}])

    response = api.get(url(job))

    answer = response.json()
    assert response.status_code == 200
    validate(wire.pick_job, answer)
    assert answer["customAttributes"] == {"commercetoolsId": "c-1"}
    assert answer["tags"] == [{"id": "brand", "value": "B"}]
    assert (answer["facilityRef"], answer["shortId"]) == (str(job.facility_id), job.short_id)
    assert answer["deliveryinformation"]["channel"] == "SHIPPING"
    recipient = answer["deliveryinformation"]["details"]["shipping"]["recipientaddress"]
    assert recipient["street"] == "Keizersgracht"
    assert [(line["quantity"], line["picked"], line["status"]) for line in answer["pickLineItems"]] == [
        (2, 0, "OPEN"),
        (1, 0, "OPEN"),
    ]
    assert answer["pickLineItems"][0]["article"]["tenantArticleId"] == job.lines.first().article.sku


def test_patches_of_the_sdk_start_pick_and_close(api):
    job = pick_job(2, 1)
    first, second = line_ids(job)

    started = patch(api, job, set_status("IN_PROGRESS"), version=1)
    booked = patch(api, job, picked(first, 2), picked(second, 1), version=started.json()["version"])
    closed = patch(api, job, set_status("CLOSED"), version=booked.json()["version"])

    assert [answer.status_code for answer in (started, booked, closed)] == [200, 200, 200]
    statuses = [answer.json()["status"] for answer in (started, booked, closed)]
    assert statuses == ["IN_PROGRESS", "PICKED", "CLOSED"]
    assert {line["status"] for line in started.json()["pickLineItems"]} == {"IN_PROGRESS"}
    validate(wire.pick_job, closed.json())
    assert set(Stock.objects.values_list("value", flat=True)) == {0}
    assert current(job).pack_job.status == "OPEN"


def test_actions_of_one_patch_are_applied_together_in_any_order(api):
    job = pick_job(2, 1)
    first, second = line_ids(job)

    response = patch(
        api, job, set_status("CLOSED"), picked(first, 2), picked(second, 0), set_status("IN_PROGRESS")
    )

    assert response.status_code == 200
    answer = response.json()
    assert (answer["status"], answer["subStatus"]) == ("CLOSED", "SHORT_PICKED")
    assert answer["pickLineItems"][1]["shortPickReason"]["reason"] == "OTHER"


def test_patch_that_fails_changes_nothing(api):
    job = pick_job(2, 1)
    first, _second = line_ids(job)

    response = patch(api, job, set_status("IN_PROGRESS"), picked(first, 3))

    assert response.status_code == 422
    assert response.json()[0]["summary"] == "TOO_MANY_PICKED"
    assert (current(job).status, current(job).version) == ("OPEN", 1)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"action": "ModifyPickLineItem", "id": str(uuid.uuid4()), "picked": 1}, "NOT_ON_THIS_JOB"),
        ({"action": "ModifyPickLineItem", "id": "nothing", "picked": 1}, "NOT_ON_THIS_JOB"),
        ({"action": "ModifyPickJob", "status": "REJECTED"}, "NOT_OFFERED"),
        ({"action": "ModifyPickJobLastEditor"}, "NOT_OFFERED"),
        ({"action": "RestartPickJob"}, "WRONG_STATUS"),
    ],
)
def test_patch_refuses_what_cannot_be_done(api, action, code):
    job = picking.start(pick_job(1).pk, by=None, now=timezone.now())

    response = patch(api, job, action)

    assert (response.status_code, response.json()[0]["summary"]) == (422, code)


def test_part_of_a_line_that_is_not_offered_says_what_to_do_instead(api):
    job = picking.start(pick_job(1).pk, by=None, now=timezone.now())

    response = patch(api, job, picked(line_ids(job)[0], 0, stockEmptied=True))

    assert described(response) == [
        "stockEmptied is not offered. Report what is missing: the facility says whether that empties the place."
    ]


def test_unknown_action_is_named_with_the_allowed_ones(api):
    job = pick_job(1)

    patched = patch(api, job, {"action": "Explode"})
    acted = act(api, job, "EXPLODE")

    assert patched.status_code == acted.status_code == 400
    assert "actions[0].action: must be one of ModifyPickJob, ModifyPickLineItem" in described(patched)[0]
    assert "name: must be one of START, PAUSE" in described(acted)[0]


def test_old_version_is_refused_with_both(api):
    job = started_pick_job(staff("picker"), 1)

    for response in (
        patch(api, job, set_status("CLOSED"), version=1),
        act(api, job, "PAUSE", version=1),
        act(api, job, "PICK", version=1, lineItems=[{"id": line_ids(job)[0], "picked": 1}]),
    ):
        assert response.status_code == 409
        error = response.json()[0]
        assert (error["requestVersion"], error["version"]) == (1, 2)
    assert current(job).status == "IN_PROGRESS"


def test_old_version_is_refused_even_when_nothing_changes(api):
    job = started_pick_job(None, 1)

    assert patch(api, job, {"action": "ModifyPickJob"}, version=1).status_code == 409
    assert patch(api, job, {"action": "ModifyPickJob"}).json()["version"] == 2


def test_custom_attributes_are_replaced(api):
    job = pick_job(1, customAttributes={"a": 1})

    response = patch(api, job, {"action": "ModifyPickJob", "customAttributes": {"b": 2}})

    assert (response.json()["customAttributes"], response.json()["version"]) == ({"b": 2}, 2)


def test_actions_walk_a_job_to_its_end(api):
    job = pick_job(2, 1)
    first, second = line_ids(job)

    def names(name, **body):
        response = act(api, job, name, **body)
        assert response.status_code == 200, response.content
        validate(wire.pick_job, response.json())
        return response.json()["status"]

    assert names("START") == "IN_PROGRESS"
    assert names("PAUSE") == "PAUSED"
    assert names("START") == "IN_PROGRESS"
    assert names("PICK", lineItems=[{"id": first, "picked": 2}]) == "IN_PROGRESS"
    reason = {"reasonLocalized": {"en_US": "Damaged"}}
    assert names("PICK", lineItems=[{"id": second, "picked": 0, "shortPickReason": reason}]) == "PICKED"
    assert names("CLOSE") == "CLOSED"
    line = job.lines.get(pk=second)
    assert (line.short, line.short_reason) == (1, "DAMAGED")
    assert ShortRecord.objects.get().reason == "DAMAGED"


def test_close_reports_the_rest_missing(api):
    job = pick_job(2, 1)
    act(api, job, "START")
    act(api, job, "PICK", lineItems=[{"id": line_ids(job)[0], "picked": 1}])

    response = act(api, job, "CLOSE")

    assert (response.json()["status"], response.json()["subStatus"]) == ("CLOSED", "SHORT_PICKED")
    assert [line.short for line in job.lines.all()] == [1, 1]


def test_close_with_nothing_picked_aborts(api):
    job = pick_job(1)
    act(api, job, "START")

    response = act(api, job, "CLOSE")

    assert (response.json()["status"], response.json()["subStatus"]) == ("ABORTED", "ZERO_PICKED")


def test_line_items_are_modified_with_their_status(api):
    job = pick_job(2)
    act(api, job, "START")

    response = act(
        api,
        job,
        "MODIFY_PICK_JOB_LINE_ITEMS",
        pickJobLineItemUpdates=[{"id": line_ids(job)[0], "picked": 1, "status": "CLOSED"}],
    )

    assert response.json()["status"] == "PICKED"


@pytest.mark.parametrize("name", ["RESET", "RESTART"])
def test_closed_job_is_taken_back_and_closed_again(api, name):
    job = pick_job(2, 1, spare=1)
    first, second = line_ids(job)
    before = sorted(Stock.objects.values_list("pk", "value"))
    act(api, job, "START")
    act(api, job, "PICK", lineItems=[{"id": first, "picked": 2}])
    act(api, job, "CLOSE")

    response = act(api, job, name)

    assert response.status_code == 200, response.content
    figures = [line["picked"] for line in response.json()["pickLineItems"]]
    assert (response.json()["status"], figures) == (
        ("OPEN", [0, 0]) if name == "RESET" else ("IN_PROGRESS", [2, 0])
    )
    assert sorted(Stock.objects.values_list("pk", "value")) == before
    assert StockMovement.objects.filter(kind="RETURN").get().delta == 2
    assert sum(Reservation.objects.values_list("quantity", flat=True)) == 3
    assert sorted(Listing.objects.values_list("reserved", flat=True)) == [1, 2]
    assert not ShortRecord.objects.exists()
    assert (current(job).pack_job.status, current(job).shipment.status) == ("OBSOLETE", "OBSOLETE")

    if name == "RESET":
        act(api, job, "START")
    act(api, job, "PICK", lineItems=[{"id": first, "picked": 2}, {"id": second, "picked": 1}])
    closed = act(api, job, "CLOSE")

    assert closed.json()["status"] == "CLOSED"
    assert (current(job).pack_job.status, current(job).shipment.status) == ("OPEN", "INITIAL")
    assert sum(line.quantity for line in current(job).pack_job.lines.all()) == 3
    assert set(Stock.objects.values_list("value", flat=True)) == {1}
    assert set(Listing.objects.values_list("reserved", flat=True)) == {0}


@pytest.mark.parametrize("name", ["RESET", "RESTART"])
def test_packing_that_began_vetoes(api, name):
    job = pick_job(1)
    act(api, job, "START")
    act(api, job, "PICK", lineItems=[{"id": line_ids(job)[0], "picked": 1}])
    act(api, job, "CLOSE")
    packing.start(current(job).pack_job.pk, by=None, now=timezone.now())

    response = act(api, job, name)

    assert (response.status_code, response.json()[0]["summary"]) == (422, "PACKING_BEGAN")
    assert current(job).status == "CLOSED"


def test_abort_frees_the_units_and_empties_the_basket(api):
    job = pick_job(2)
    act(api, job, "START")
    act(api, job, "PICK", lineItems=[{"id": line_ids(job)[0], "picked": 1}])

    response = act(api, job, "ABORT")

    assert (response.json()["status"], response.json()["pickLineItems"][0]["picked"]) == ("ABORTED", 0)
    assert {record.reason for record in ShortRecord.objects.all()} == {"ABORTED"}
    # The unit in the basket is out of the stock until somebody puts it back.
    assert (Listing.objects.get().reserved, Stock.objects.get().value) == (0, 1)
    assert RestowItem.objects.get().quantity == 1
    assert not Reservation.objects.exists()


@pytest.mark.parametrize(("name", "status"), [("CANCEL", "CANCELED"), ("OBSOLETE", "OBSOLETE")])
def test_untouched_job_is_ended_with_its_part(api, name, status):
    job = pick_job(2)

    response = act(api, job, name)

    assert response.json()["status"] == status
    assert current(job).plan.status == "CANCELED"
    assert Listing.objects.get().reserved == 0


@pytest.mark.parametrize("name", ["CANCEL", "OBSOLETE"])
def test_job_with_picked_units_is_not_ended(api, name):
    job = pick_job(2)
    act(api, job, "START")
    act(api, job, "PICK", lineItems=[{"id": line_ids(job)[0], "picked": 1}])

    assert act(api, job, name).json()[0]["summary"] == "ALREADY_PICKED"


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("OPEN", "PAUSE"),
        ("OPEN", "CLOSE"),
        ("OPEN", "RESET"),
        ("OPEN", "RESTART"),
        ("PAUSED", "CLOSE"),
        ("PICKED", "START"),
        ("PICKED", "PAUSE"),
        ("PICKED", "ABORT"),
        ("CLOSED", "START"),
        ("CLOSED", "CLOSE"),
        ("CLOSED", "ABORT"),
        ("CLOSED", "CANCEL"),
        ("CLOSED", "OBSOLETE"),
        ("CANCELED", "START"),
        ("CANCELED", "RESET"),
    ],
)
def test_move_that_the_table_does_not_list_is_refused(api, status, name):
    job = pick_job(1)
    steps = {
        "OPEN": [],
        "PAUSED": ["START", "PAUSE"],
        "PICKED": ["START", "PICK"],
        "CLOSED": ["START", "PICK", "CLOSE"],
        "CANCELED": ["CANCEL"],
    }
    for step in steps[status]:
        body = {"lineItems": [{"id": line_ids(job)[0], "picked": 1}]} if step == "PICK" else {}
        assert act(api, job, step, **body).status_code == 200
    assert current(job).status == status

    assert act(api, job, name).status_code == 422
    assert current(job).status == status


def test_target_time_is_set(api):
    job = pick_job(1)

    response = act(api, job, "ADD_TARGET_TIME", targetTime="2030-01-02T03:04:05Z")

    assert response.json()["deliveryinformation"]["targetTime"] == "2030-01-02T03:04:05Z"


def test_action_is_done_once_per_key(api):
    job = pick_job(1)
    body = {"name": "START", "version": 1}

    first = api.post(url(job, "/actions"), body, **{"Idempotency-Key": "k"})
    second = api.post(url(job, "/actions"), body, **{"Idempotency-Key": "k"})

    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"


def test_person_picks_by_the_rules_of_the_screens(client):
    facility = FacilityFactory()
    picker, colleague = staff("picker", facility), staff("picker", facility)
    job = started_pick_job(picker, 1, facility=facility)

    refused = act(as_person(client, colleague), job, "CLOSE")
    done = patch(as_person(client, picker), job, picked(line_ids(job)[0], 1), set_status("CLOSED"))

    assert refused.json()[0]["summary"] == "PICKED_BY_SOMEONE_ELSE"
    assert (done.status_code, done.json()["editor"]["username"]) == (200, picker.email)


@pytest.mark.parametrize("name", ["RESET", "ABORT", "CANCEL", "OBSOLETE"])
def test_ending_a_job_is_for_supervisors(client, name):
    facility = FacilityFactory()
    job = started_pick_job(None, 1, facility=facility)

    refused = act(as_person(client, staff("picker", facility)), job, name)
    done = act(as_person(client, staff("supervisor", facility)), job, name)

    assert (refused.status_code, done.status_code) == (403, 200)


def test_patch_that_resets_is_for_supervisors(client):
    facility = FacilityFactory()
    job = started_pick_job(None, 1, facility=facility)

    response = patch(as_person(client, staff("picker", facility)), job, {"action": "AbortPickJob"})

    assert (response.status_code, current(job).status) == (403, "IN_PROGRESS")


def test_job_of_another_facility_is_not_found(client):
    job = pick_job(1)
    foreign = Api(client, api_token(facilities=[FacilityFactory()]))

    for response in (
        foreign.get(url(job)),
        patch(foreign, job, set_status("IN_PROGRESS")),
        act(foreign, job, "START"),
        foreign.get(url(job, "/loadunits")),
    ):
        assert response.status_code == 404
    assert foreign.get("/api/pickjobs").json() == {"pickjobs": [], "total": 0}
    assert foreign.post("/api/pickjobs/search", {"query": {}}).json()["pickJobs"] == []


def test_reading_does_not_allow_to_pick(client):
    job = pick_job(1)
    reader = Api(client, api_token(ApiToken.Scope.READ))

    assert reader.get(url(job)).status_code == 200
    assert patch(reader, job, set_status("IN_PROGRESS")).status_code == 403
    assert act(reader, job, "START").status_code == 403
    assert client.get(url(job)).status_code == 401


def listed(response):
    assert response.status_code == 200, response.content
    validate(wire.stripped_pick_jobs, response.json())
    return [job["id"] for job in response.json()["pickjobs"]]


def test_list_pages_in_stable_order(api):
    jobs = [str(pick_job(1).pk) for _number in range(3)]

    first = api.get("/api/pickjobs", {"size": 2})
    second = api.get("/api/pickjobs", {"size": 2, "startAfterId": listed(first)[-1]})

    assert listed(first) + listed(second) == jobs[::-1]
    assert first.json()["total"] == 3
    assert first.json()["pickjobs"][0]["version"] == 1


def test_list_is_ordered_by_target_time_over_pages(api):
    jobs = [pick_job(1) for _number in range(4)]
    for job, target in zip(jobs, (3, 1, None, 1), strict=True):
        job.target_time = target and timezone.now() + timezone.timedelta(days=target)
        job.save(update_fields=["target_time"])
    same = jobs[1].target_time
    jobs[3].target_time = same
    jobs[3].save(update_fields=["target_time"])

    query = {"orderBy": "TARGET_TIME_DESC", "size": 2}
    first = listed(api.get("/api/pickjobs", query))
    second = listed(api.get("/api/pickjobs", {**query, "startAfterId": first[-1]}))

    assert first + second == [str(jobs[number].pk) for number in (2, 0, 3, 1)]
    act(api, jobs[0], "START")
    assert listed(api.get("/api/pickjobs", {**query, "status": "OPEN", "startAfterId": first[-1]})) == second
    assert api.get("/api/pickjobs", {"orderBy": "COLOUR"}).status_code == 400


def test_list_takes_several_values_in_all_forms(api):
    job, other = pick_job(1), pick_job(1)
    act(api, job, "START")
    expected = {str(job.pk), str(other.pk)}

    for query in (
        "status=OPEN&status=IN_PROGRESS",
        "status=OPEN,IN_PROGRESS,PICKED,PACKABLE",
        "status[0]=OPEN&status[1]=IN_PROGRESS",
    ):
        assert set(listed(api.get(f"/api/pickjobs?{query}"))) == expected
    assert listed(api.get("/api/pickjobs", {"status": "IN_PROGRESS"})) == [str(job.pk)]
    assert listed(api.get("/api/pickjobs", {"status": "PACKABLE"})) == []


def test_list_is_filtered_by_what_is_stored(api):
    job, other = pick_job(1), pick_job(1, address={"firstName": "Bert", "lastName": "Bos"})
    other.order.delivery_preferences = {"shipping": {"preferredCarriers": ["demo"]}}
    other.order.save(update_fields=["delivery_preferences"])
    line = other.lines.get()
    zone_free = uuid.uuid4()
    found, none = [str(other.pk)], []
    queries = [
        ({"tenantOrderId": other.order.tenant_order_id}, found),
        ({"orderRef": str(other.order_id)}, found),
        ({"facilityRef": str(other.facility_id)}, found),
        ({"facilityRef": f"urn:fft:facility:tenantFacilityId:{other.facility.tenant_facility_id}"}, found),
        ({"facilityRef": "nowhere"}, none),
        ({"pickJobRefs": str(other.pk)}, found),
        ({"shortId": other.short_id}, found),
        ({"consumerName": "bert"}, found),
        ({"articleTitle": line.title}, found),
        ({"searchTerm": line.article.sku}, found),
        ({"zoneRefs": str(zone_free)}, none),
        ({"channel": "COLLECT"}, none),
        ({"carrierKeys": ["dem", "demo"]}, found),
        ({"carrierKeys": "dem"}, none),
        ({"endOrderDate": "2020-01-01T00:00:00Z"}, none),
        ({"startTargetTime": "2099-01-01T00:00:00Z"}, none),
        ({"modifiedByUsername": "nobody@example.com"}, none),
        ({"unheard": "of"}, [str(other.pk), str(job.pk)]),
    ]

    for query, expected in queries:
        assert listed(api.get("/api/pickjobs", query)) == expected, query
    assert api.get("/api/pickjobs", {"startOrderDate": "yesterday"}).status_code == 400


def test_list_and_search_take_as_many_queries_for_three_as_for_one(api):
    facility = FacilityFactory()

    def count(call):
        with CaptureQueriesContext(connection) as queries:
            assert call().status_code == 200
        return len(queries)

    def both():
        return (
            count(lambda: api.get("/api/pickjobs")),
            count(lambda: api.post("/api/pickjobs/search", {"query": {}})),
        )

    pick_job(1, facility=facility)
    both()
    one = both()
    pick_job(1, 2, facility=facility)
    pick_job(2, 1, facility=facility)

    assert both() == one


def test_search_finds_full_jobs(api):
    job, other = pick_job(1, tenantOrderId="A-1"), pick_job(1, tenantOrderId="A-2")
    sku = other.lines.get().article.sku

    def search(query, **more):
        response = api.post("/api/pickjobs/search", {"query": query, **more})
        assert response.status_code == 200, response.content
        validate(wire.pick_job_page, response.json())
        return [found["id"] for found in response.json()["pickJobs"]]

    assert search({"tenantOrderId": {"eq": "A-2"}}) == [str(other.pk)]
    assert search({"tenantArticleIds": {"contains": {"eq": sku}}}) == [str(other.pk)]
    assert search({"status": {"in": ["OPEN"]}, "facilityRef": {"eq": str(job.facility_id)}}) == [str(job.pk)]
    by_number = {"sort": [{"tenantOrderId": "ASC"}]}
    assert search({}, **by_number) == [str(job.pk), str(other.pk)]
    first = api.post(
        "/api/pickjobs/search", {"query": {}, "sort": [{"targetTime": "DESC"}], "size": 1}
    ).json()
    rest = search({}, sort=[{"targetTime": "DESC"}], size=1, after=first["pageInfo"]["endCursor"])
    assert {first["pickJobs"][0]["id"], *rest} == {str(job.pk), str(other.pk)}


def test_two_jobs_of_one_facility_keep_their_own_stock(api):
    """What comes back is what this job took, not what others took from the same shelf."""
    job = pick_job(2, spare=2)
    line = job.lines.get()
    from_same_shelf = route(OrderFactory((line.article, 1), preselected=[job.facility]))
    for each in (job, from_same_shelf):
        act(api, each, "START")
        act(api, each, "PICK", lineItems=[{"id": line_ids(each)[0], "picked": each.lines.get().quantity}])
        act(api, each, "CLOSE")
    assert Stock.objects.get().value == 1

    act(api, job, "RESET")

    assert Stock.objects.get().value == 3


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"endTargetTime": "2026-03-02T09:00:00-23:09"}, 200),  # allowed by RFC 3339, refused by PostgreSQL
        ({"consumerName": "A\0"}, 400),
        ({"status": "OPEN\0"}, 400),
    ],
)
def test_odd_query_reaches_no_database(api, query, status):
    assert api.get("/api/pickjobs", query).status_code == status


def test_odd_offset_is_searched_for_and_stored(api):
    job, odd = pick_job(1), "2026-03-02T09:00:00-23:09"

    found = api.post("/api/pickjobs/search", {"query": {"targetTime": {"gt": odd}}})
    stored = act(api, job, "ADD_TARGET_TIME", targetTime=odd)

    assert found.status_code == 200
    assert stored.json()["deliveryinformation"]["targetTime"] == "2026-03-03T08:09:00Z"


# Assigned users and methods


def test_users_are_assigned_by_id_and_by_name_and_found(api):
    job = pick_job(1)
    anna, ben = (staff("picker", job.facility) for _number in range(2))

    answer = act(
        api,
        job,
        "REPLACE_ASSIGNED_USERS",
        assignedUsers=[{"userId": str(anna.pk)}, {"username": ben.email.upper()}],
    )

    assert answer.status_code == 200
    assert answer.json()["assignedUsers"] == [
        {"userId": str(anna.pk), "username": anna.email},
        {"userId": str(ben.pk), "username": ben.email},
    ]
    for name in (str(anna.pk), ben.email):
        assert api.get("/api/pickjobs", {"assignedUser": name}).json()["total"] == 1
    for nobody in ("nobody", "9" * 30, "٣"):
        assert api.get("/api/pickjobs", {"assignedUser": nobody}).json()["total"] == 0
        assert act(api, job, "REPLACE_ASSIGNED_USERS", assignedUsers=[{"userId": nobody}]).status_code == 400
    assert act(api, job, "REPLACE_ASSIGNED_USERS", assignedUsers=[]).json()["assignedUsers"] == []


@pytest.mark.parametrize(
    "named", [{"userId": "no-id"}, {"userId": "0"}, {"username": "nobody@example.com"}, {}]
)
def test_users_who_do_not_pick_there_are_refused(api, named):
    job = pick_job(1)
    elsewhere = staff("picker", FacilityFactory())

    for users in ([named], [{"userId": str(elsewhere.pk)}]):
        answer = act(api, job, "REPLACE_ASSIGNED_USERS", assignedUsers=users)
        assert answer.status_code == 400
        assert "assignedUsers[0]" in described(answer)[0]


def test_old_version_assigns_nobody(api):
    job = pick_job(1)
    picking.start(job.pk, by=None, now=timezone.now())

    answer = act(api, job, "REPLACE_ASSIGNED_USERS", version=1, assignedUsers=[])

    assert answer.status_code == 409


def test_preferred_methods_of_a_job_are_kept(api):
    job = pick_job(1)

    answer = patch(api, job, {"action": "ModifyPickJob", "preferredPickingMethods": ["BATCH_PICKING"]})

    assert answer.json()["preferredPickingMethods"] == ["BATCH"]
    for wanted, number in [("BATCH", 1), ("BATCH_PICKING", 1), ("MULTI_ORDER", 0)]:
        query = {"preferredPickingMethods": {"contains": {"eq": wanted}}}
        found = api.post("/api/pickjobs/search", {"query": query, "options": {"withTotal": True}})
        assert found.json()["total"] == number
    query = {"preferredPickingMethods": {"contains": {"eq": "ZONE"}}}
    assert api.post("/api/pickjobs/search", {"query": query}).status_code == 400
    assert current(job).picking_methods == ["BATCH"]
