"""Handover jobs in the API."""

import pytest

from fulfillment.core.api.schema import validate
from orders.models import ShortRecord
from shipping.models import HandoverJob, Shipment
from shipping.wire import handovers
from tests.apiclient import Api, described
from tests.factories.core import FacilityFactory, staff
from tests.factories.shipping import collected, labelled

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


def test_handover_answers_in_the_wire_format(api):
    row = labelled(2)
    job = HandoverJob.objects.get()

    body = api.get(f"/api/handoverjobs/{job.pk}").json()

    validate(handovers.handover, body)
    assert (body["channel"], body["status"], body["parcelRef"]) == ("DELIVERY", "OPEN", str(row.pk))
    assert body["shipmentRef"] == str(row.shipment_id)
    assert api.get("/api/handoverjobs", {"pickJobRef": body["pickJobRef"]}).json()["handoverjobs"] == [body]
    assert api.get("/api/handoverjobs", {"shipmentRef": body["shipmentRef"]}).json()["total"] == 1
    assert api.get("/api/handoverjobs", {"channel": "COLLECT"}).json()["total"] == 0


def test_handover_by_patch_completes_the_shipment_and_can_be_taken_back(api):
    labelled(1)
    job = HandoverJob.objects.get()

    def patch(status, version):
        actions = [{"action": "ModifyHandoverjob", "status": status}]
        return api.patch(f"/api/handoverjobs/{job.pk}", {"version": version, "actions": actions})

    done = patch("HANDED_OVER", job.version)

    assert (done.status_code, done.json()["status"]) == (200, "HANDED_OVER")
    assert Shipment.objects.get().status == "COMPLETED"
    stale = patch("OPEN", job.version)
    assert stale.status_code == 409
    assert (stale.json()[0]["requestVersion"], stale.json()[0]["version"]) == (
        job.version,
        done.json()["version"],
    )
    assert patch("OPEN", done.json()["version"]).json()["status"] == "OPEN"


def test_collected_goods_are_finished_with_what_the_customer_refused(api):
    job = collected(3)
    line = job.lines.get()
    body = {
        "name": "FINISH_HANDOVER_JOB",
        "version": job.version,
        "lineItems": [
            {
                "id": str(line.pk),
                "handedOverQuantity": 2,
                "refused": [{"quantity": 1, "comment": "too small"}],
            }
        ],
    }

    answer = api.post(f"/api/handoverjobs/{job.pk}/actions", body)

    assert (answer.status_code, answer.json()["status"]) == (200, "HANDED_OVER")
    line.refresh_from_db()
    assert (line.handed_over, line.refused[0]["reason"]) == (2, "too small")


def test_program_hands_over_unpaid_goods_without_a_confirmation(api):
    job = collected(1)
    HandoverJob.objects.update(is_paid=False)

    answer = api.post(
        f"/api/handoverjobs/{job.pk}/actions",
        {"name": "FINISH_HANDOVER_JOB", "version": job.version, "lineItems": []},
    )

    assert (answer.status_code, answer.json()["status"]) == (200, "HANDED_OVER")


def test_collected_goods_are_cancelled_with_the_reason(api):
    job = collected(1)
    body = {
        "name": "CANCEL",
        "version": job.version,
        "payload": {"handoverJobCancelReason": "CONSUMER_NO_SHOW"},
    }

    answer = api.post(f"/api/handoverjobs/{job.pk}/actions", body)

    assert (answer.json()["status"], answer.json()["cancelReason"]) == ("CANCELED", "CONSUMER_NO_SHOW")
    assert api.post(f"/api/handoverjobs/{job.pk}/actions", body | {"version": 9}).status_code == 409
    assert api.post(f"/api/handoverjobs/{job.pk}/actions", body | {"name": "FLY"}).status_code == 400


def act(api, job, name, **data):
    job.refresh_from_db()
    return api.post(f"/api/handoverjobs/{job.pk}/actions", {"name": name, "version": job.version, **data})


def modify(api, job, **data):
    job.refresh_from_db()
    actions = [{"action": "ModifyHandoverjob", **data}]
    return api.patch(f"/api/handoverjobs/{job.pk}", {"version": job.version, "actions": actions})


def test_what_is_refused_of_a_line_counts_when_the_rest_is_handed_over(api):
    job = collected(3, 1)
    line = job.lines.first()
    entry = {
        "id": str(line.pk),
        "status": "CLOSED",
        "refused": [
            {"quantity": 1, "reasonLocalized": {"en_US": "too small"}},
            {"quantity": 1, "comment": "torn"},
        ],
    }

    said = act(api, job, "UPDATE_LINEITEM", lineItem=entry)
    done = modify(api, job, status="HANDED_OVER")

    first = said.json()["handoverJobLineItems"][0]
    assert (said.json()["status"], first["status"], first["handedOverQuantity"]) == ("OPEN", "CLOSED", 0)
    assert said.json()["handoverJobLineItems"][1]["status"] == "OPEN"
    assert [line["handedOverQuantity"] for line in done.json()["handoverJobLineItems"]] == [1, 1]
    assert [note["reason"] for note in done.json()["handoverJobLineItems"][0]["refused"]] == [
        "too small",
        "torn",
    ]
    assert ShortRecord.objects.get().quantity == 2


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"refused": [{"quantity": 4, "comment": "x"}]}, "TOO_MANY_REFUSED"),
        ({"refused": [{"quantity": 1}]}, "REASON_MISSING"),
    ],
)
def test_line_is_not_decided_with_what_cannot_be(api, entry, code):
    job = collected(3)
    line = job.lines.get()

    answer = act(api, job, "UPDATE_LINEITEM", lineItem={"id": str(line.pk), **entry})

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, code)
    line.refresh_from_db()
    assert (line.refused, line.is_decided) == ([], False)


def test_what_was_picked_instead_is_decided_and_handed_over_as_a_line_of_its_own(api):
    job = collected(2, 3)
    first, second = job.lines.all()
    refused = [{"quantity": 1, "reason": "torn"}]
    entry = {"id": str(first.pk), "substituteItems": [{"id": str(second.pk), "refused": refused}]}

    said = act(api, job, "UPDATE_LINEITEM", lineItem=entry)
    other = {**entry, "substituteItems": [{"id": "x"}]}
    unknown = act(api, job, "UPDATE_LINEITEM", lineItem=other)
    second.refresh_from_db()
    assert (said.status_code, second.refused_units) == (200, 1)
    assert described(unknown) == ["lineItem.substituteItems[0].id: There is no line 'x'."]

    substitutes = [{"id": str(second.pk), "handedOverQuantity": 1, "refused": refused}]
    lines = [{"id": str(first.pk), "handedOverQuantity": 2, "substituteLineItems": substitutes}]
    done = act(api, job, "FINISH_HANDOVER_JOB", lineItems=lines)

    assert [line["handedOverQuantity"] for line in done.json()["handoverJobLineItems"]] == [2, 1]


def test_address_that_was_read_is_taken_back_and_changes_nothing(api):
    done = labelled()
    job = HandoverJob.objects.get(parcel=done)
    read = api.get(f"/api/handoverjobs/{job.pk}").json()["recipientAddress"]

    assert modify(api, job, recipientAddress=read).status_code == 200


def move(api, job, line, start, end, units):
    entry = {"from": start, "lineItemId": str(line.pk), "targetQuantity": units, "to": end}
    return act(api, job, "MOVE_HANDOVER_JOB_LINE_ITEMS", items=[entry])


def test_units_that_are_not_there_are_moved_to_the_missing_ones_and_back(api):
    job = collected(3)
    line = job.lines.get()

    gone = move(api, job, line, "HANDOVER", "MISSING", 2)
    found = move(api, job, line, "MISSING", "HANDOVER", 1)

    validate(handovers.handover, gone.json())
    assert [line["quantity"] for line in gone.json()["handoverJobLineItems"]] == [1]
    assert [line["quantity"] for line in gone.json()["missingHandoverJobLineItems"]] == [2]
    assert [line["quantity"] for line in found.json()["missingHandoverJobLineItems"]] == [1]
    lines = [{"id": str(line.pk), "handedOverQuantity": 2}]
    done = act(api, job, "FINISH_HANDOVER_JOB", lineItems=lines)
    assert done.json()["handoverJobLineItems"][0]["handedOverQuantity"] == 2
    assert [(short.quantity, short.reason) for short in ShortRecord.objects.all()] == [(1, "MISSING")]


@pytest.mark.parametrize(
    ("start", "end", "units", "status", "code"),
    [
        ("HANDOVER", "MISSING", 4, 422, "TOO_MANY_MISSING"),
        ("MISSING", "HANDOVER", 1, 422, "TOO_MANY_MISSING"),
        ("EXPECTED", "HANDOVER", 1, 422, "NOT_OFFERED"),
        ("MISSING", "MISSING", 1, 400, "VALIDATION_FAILED"),
    ],
)
def test_units_are_not_moved_where_there_are_none(api, start, end, units, status, code):
    job = collected(3)

    answer = move(api, job, job.lines.get(), start, end, units)

    assert (answer.status_code, answer.json()[0]["summary"]) == (status, code)
    assert job.lines.get().missing == 0


def test_carrier_takes_a_parcel_whole(api):
    job = HandoverJob.objects.get(parcel=labelled(2))

    answer = move(api, job, job.lines.get(), "HANDOVER", "MISSING", 1)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "ONLY_CUSTOMERS_REFUSE")


def test_line_of_another_handover_or_of_one_that_is_ended_is_not_decided(api):
    job = collected(3)
    entry = {"id": str(job.lines.get().pk), "status": "CLOSED"}

    assert act(api, job, "UPDATE_LINEITEM", lineItem={**entry, "id": "other"}).status_code == 400
    modify(api, job, status="HANDED_OVER")
    assert act(api, job, "UPDATE_LINEITEM", lineItem=entry).json()[0]["summary"] == "HANDOVER_ENDED"


def test_handover_waits_for_input_and_goes_on(api):
    job = collected(1)

    waiting = act(api, job, "WAITING_FOR_INPUT")
    again = act(api, job, "WAITING_FOR_INPUT")
    open_again = modify(api, job, status="OPEN")
    modify(api, job, status="WAITING_FOR_INPUT")
    done = modify(api, job, status="HANDED_OVER")

    assert waiting.json()["status"] == "WAITING_FOR_INPUT"
    assert again.status_code == 422
    assert open_again.json()["status"] == "OPEN"
    assert done.json()["status"] == "HANDED_OVER"


def test_target_time_and_name_of_a_handover_change_until_it_is_ended(api):
    job = collected(1)

    answer = act(api, job, "ADD_TARGET_TIME", targetTime="2026-03-02T15:00:00Z")
    named = modify(api, job, fullIdentifier="Anna, window 3")

    assert answer.json()["targetTime"] == "2026-03-02T15:00:00Z"
    assert named.json()["fullIdentifier"] == "Anna, window 3"
    assert named.json()["version"] == answer.json()["version"] + 1
    modify(api, job, status="HANDED_OVER")
    late = act(api, job, "ADD_TARGET_TIME", targetTime="2026-03-02T16:00:00Z")
    assert late.json()[0]["summary"] == "HANDOVER_ENDED"


def test_replacing_assigned_users_says_who_hands_over(api):
    job = collected(1)
    anna, elsewhere = staff("packer", job.facility), staff("packer", FacilityFactory())

    answer = act(api, job, "REPLACE_ASSIGNED_USERS", assignedUsers=[{"userId": str(anna.pk)}])

    assert answer.json()["assignedUsers"] == [{"userId": str(anna.pk), "username": anna.email}]
    assert api.get("/api/handoverjobs", {"assignedUser": anna.email}).json()["total"] == 1
    assert api.get("/api/handoverjobs", {"assignedUser": elsewhere.email}).json()["total"] == 0
    wrong = act(api, job, "REPLACE_ASSIGNED_USERS", assignedUsers=[{"username": elsewhere.email}])
    assert described(wrong) == ["assignedUsers[0]: is nobody who does this work at this facility"]
    modify(api, job, status="HANDED_OVER")
    late = act(api, job, "REPLACE_ASSIGNED_USERS", assignedUsers=[])
    assert late.json()[0]["summary"] == "HANDOVER_ENDED"


@pytest.mark.parametrize("name", handovers.ACTIONS_NOT_OFFERED)
def test_action_of_a_handover_without_a_mechanism_says_so(api, name):
    job = collected(1)

    answer = act(api, job, name)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "NOT_OFFERED")


@pytest.mark.parametrize("given", [{"status": "OBSOLETE"}, {"recipientAddress": {"city": "Paris"}}])
def test_handover_is_not_changed_where_there_is_no_mechanism(api, given):
    job = collected(1)

    answer = modify(api, job, **given)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "NOT_OFFERED")


def test_creation_of_a_handover_leads_to_the_one_of_the_pick_job(api):
    job = collected(1)

    answer = api.post("/api/handoverjobs", {"pickJobRef": str(job.pick_job_id)})

    assert (answer.status_code, answer["Location"]) == (303, f"/api/handoverjobs/{job.pk}")
    assert api.post("/api/handoverjobs", {"pickJobRef": str(job.pk)}).status_code == 422
    assert described(api.post("/api/handoverjobs", {})) == ["pickJobRef: is required"]
