"""Returns as programs take them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.models import ApiToken
from fulfillment.core.services import signin
from picking.models import RestowItem
from shipping import returns
from shipping.models import ItemReturn, ReturnedItem, ReturnJob
from tests.apiclient import Api, described
from tests.factories.core import FacilityFactory, api_token, staff
from tests.factories.returns import finished, opened, received, sent, slip_code, taken

pytestmark = pytest.mark.django_db
JOBS = "/api/itemreturnjobs"


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def job(facility):
    return taken(2, 1, facility=facility)


def path(job, row=None, end=""):
    return f"{JOBS}/{job.pk}" + (f"/itemreturns/{row.pk}" if row else "") + end


def version(job):
    return ReturnJob.objects.values_list("version", flat=True).get(pk=job.pk)


def entry(job, status="OPEN", number=0, **fields):
    return {"itemReturnJobLineItemRef": str(job.lines.all()[number].pk), "status": status, **fields}


def add(api, job, *entries, status="ANNOUNCED", facility=None, known=None, **more):
    headers = more.pop("headers", {})
    return api.post(
        path(job, end="/itemreturns"),
        {
            "itemReturnJobVersion": version(job) if known is None else known,
            "itemReturnForCreation": {
                "returnFacilityRef": str((facility or job.facility).pk),
                "returnedLineItems": list(entries),
                "status": status,
                **more,
            },
        },
        **headers,
    )


def act(api, job, row, name, **fields):
    body = {"name": name, "itemReturnJobVersion": version(job), **fields}
    return api.post(path(job, row, "/actions"), body)


# Reading


def test_job_says_what_may_come_back(api, job):
    received(job, 1, "damaged")

    answer = api.get(path(job)).json()

    first, second = answer["returnableLineItems"]
    assert (first["delivered"], first["returned"], first["returnable"]) == (2, 1, 1)
    assert (second["delivered"], second["returned"], second["returnable"]) == (1, 0, 1)
    assert answer["processRef"] == str(job.order.process_id)
    assert answer["originFacilityRefs"] == [str(job.facility_id)]
    (unit,) = answer["itemReturns"][0]["returnedLineItems"]
    assert (unit["status"], unit["itemConditionLocalized"]) == (
        "ACCEPTED",
        {"en_US": "Damaged", "de_DE": "Beschädigt"},
    )
    assert (unit["isDefective"], unit["refund"]) == (True, {"percent": 100, "status": "OPEN"})
    assert unit["itemReturnJobLineItemRefs"] == [first["id"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, True),
        ({"searchTerm": "1001"}, True),
        ({"searchTerm": "9999"}, False),
        ({"itemReturnJobStatus": "IN_PROGRESS"}, True),
        ({"itemReturnJobStatus": "FINISHED"}, False),
        ({"itemReturnStatus": "ANNOUNCED,OPEN"}, True),
        ({"itemReturnScannableCodes": "BOX-7"}, True),
        ({"itemReturnScannableCodes": "BOX"}, False),
        ({"itemReturnJobScannableCodes": "RX"}, False),
        ({"facilityId": "urn:fft:facility:tenantFacilityId:nowhere"}, False),
    ],
)
def test_jobs_are_listed_and_filtered(api, job, query, found):
    add(api, job, entry(job), scannableCodes=["BOX-7"])

    answer = api.get(JOBS, query).json()

    assert answer["total"] == len(answer["itemReturnJobsWithSearchPaths"]) == int(found)


def test_job_is_found_by_slip_and_facility(api, facility):
    job = sent(2, facility=facility)
    assert slip_code(job) in api.get(path(job)).json()["scannableCodes"]
    for query in ({"itemReturnJobScannableCodes": slip_code(job)}, {"facilityId": str(job.facility_id)}):
        assert api.get(JOBS, query).json()["total"] == 1


def test_list_asks_the_same_for_one_and_three(api, job, facility):
    finished(job)
    api.get(JOBS)
    with CaptureQueriesContext(connection) as one:
        api.get(JOBS)
    for number in ("1002", "1003"):
        finished(taken(1, facility=facility, number=number))
    with CaptureQueriesContext(connection) as three:
        api.get(JOBS)

    assert len(three) == len(one)


def test_job_exists_with_the_handover_and_is_not_made(api, job):
    known = api.post(JOBS, {"processRef": str(job.order.process_id)})
    by_number = api.post(JOBS, {"tenantOrderId": "1001"})
    unknown = api.post(JOBS, {"tenantOrderId": "9999"})

    assert (known.status_code, known["Location"]) == (303, path(job))
    assert by_number["Location"] == path(job)
    assert (unknown.status_code, unknown.json()[0]["summary"]) == (422, "RETURN_NEEDS_HANDOVER")


# Adding


def test_return_is_announced_once_per_key(api, job):
    reasons = [{"reasonLocalized": {"de_DE": "passt nicht"}, "comment": "Too <b>small</b>"}]
    body = entry(job, reasons=reasons)
    known = version(job)

    first = add(api, job, body, known=known, headers={"Idempotency-Key": "r-1"})
    again = add(api, job, body, known=known, headers={"Idempotency-Key": "r-1"})

    assert (first.status_code, again.json()) == (200, first.json())
    item = ReturnedItem.objects.get()
    assert (item.reason.key, item.reason_comment, item.item_return.status) == (
        "does-not-fit",
        "Too <b>small</b>",
        "ANNOUNCED",
    )


def test_return_is_added_with_what_became_of_it(api, job):
    no = {"reasonLocalized": {"en_US": "Too late"}}
    answer = add(
        api,
        job,
        entry(job, "ACCEPTED", itemConditionLocalized={"en_US": "Damaged"}, itemConditionComment="Cracked"),
        entry(job, "REJECTED", decisionReason=no, itemCondition="Chewed"),
        entry(job, "ACCEPTED", 1),
        status="FINISHED",
    )

    assert answer.status_code == 200, answer.json()
    units = {
        (one["status"], one.get("isDefective")): one
        for one in answer.json()["itemReturns"][0]["returnedLineItems"]
    }
    assert set(units) == {("ACCEPTED", True), ("REJECTED", None), ("ACCEPTED", False)}
    assert units["ACCEPTED", True]["refund"]["price"] == {"currency": "EUR", "value": 19.9}
    assert units["REJECTED", None]["decisionReason"]["reasonLocalized"] == {"en_US": "Too late"}
    assert units["REJECTED", None]["itemConditionComment"] == "Chewed"
    assert RestowItem.objects.count() == 2
    assert [line["returned"] for line in answer.json()["returnableLineItems"]] == [1, 1]


def test_units_of_one_line_keep_the_reasons_of_their_entries(api, facility):
    job = taken(8, facility=facility)
    entries = [
        entry(
            job,
            "REJECTED",
            reasons=[{"reasonLocalized": {"en_US": f"Why {number}"}}],
            decisionReason={"reasonLocalized": {"en_US": f"Why {number}"}},
        )
        for number in range(8)
    ]

    answer = add(api, job, *entries, status="IN_PROGRESS")

    assert answer.status_code == 200, answer.json()
    items = ReturnedItem.objects.all()
    assert sorted(item.reason_comment for item in items) == [f"Why {number}" for number in range(8)]
    assert [item.decision_reason for item in items] == [item.reason_comment for item in items]


@pytest.mark.parametrize("status", ["OPEN", "IN_PROGRESS", "PAUSED", "WAITING_FOR_INPUT"])
def test_return_is_added_in_any_status_it_can_have(api, job, status):
    answer = add(api, job, entry(job, "IN_PROGRESS"), status=status)

    assert answer.status_code == 200, answer.json()
    wanted = "IN_PROGRESS" if status == "OPEN" else status
    assert ItemReturn.objects.get().status == wanted
    assert ReturnedItem.objects.get().verdict == ""


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"status": "CANCELED"}, 422, "A new return with the status CANCELED"),
        ({"facility": "elsewhere"}, 400, "itemReturnForCreation.returnFacilityRef: There is no facility"),
        ({"entries": []}, 422, "Say what comes back"),
        ({"entries": [("ACCEPTED", 0)]}, 400, "returnedLineItems[0].status: must be OPEN"),
        ({"entries": [("OPEN", 0)] * 3}, 422, "Only 2 of"),
        ({"known": 0}, 409, "changed meanwhile"),
        ({"entries": [("REJECTED", 0)], "status": "OPEN"}, 400, "decisionReason: is required"),
        ({"returnedNotReturnableLineItems": [("OPEN", 0)]}, 422, "returnedNotReturnableLineItems"),
    ],
)
def test_return_that_cannot_be_is_refused_as_a_whole(client, job, fields, status, words):
    api = Api(client, api_token(facilities=[job.facility]))
    fields = dict(fields)
    entries = [entry(job, *one) for one in fields.pop("entries", [("OPEN", 0)])]
    if fields.get("facility"):
        fields["facility"] = FacilityFactory()
    if "returnedNotReturnableLineItems" in fields:
        fields["returnedNotReturnableLineItems"] = [entry(job)]

    answer = add(api, job, *entries, **fields)

    assert answer.status_code == status
    assert words in described(answer)[0]
    assert not ItemReturn.objects.exists()


def test_finished_return_with_an_undecided_unit_is_not_added(api, job):
    answer = add(api, job, entry(job, "IN_PROGRESS"), status="FINISHED")

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "UNDECIDED")
    assert not ItemReturn.objects.exists()


# Steps


def test_program_takes_an_announced_return_to_its_end(api, job):
    add(api, job, entry(job), entry(job))
    row = ItemReturn.objects.get()
    line = str(job.lines.first().pk)

    for name in (
        *("OpenItemReturn", "AnnounceItemReturn", "OpenItemReturn", "StartItemReturn", "PauseItemReturn"),
        *("StartItemReturn", "WaitForInputItemReturn", "StartItemReturn"),
    ):
        answer = act(api, job, row, name)
        assert answer.status_code == 200, (name, answer.json())
    entries = [{"itemReturnJobLineItemRef": line, "quantity": 2, "itemCondition": "As new"}]
    act(api, job, row, "ReceiveItemReturnLineItems", lineItems=entries)
    first, second = row.items.all()
    no = {"reasonLocalized": {"en_US": "Not ours"}}
    judged = act(
        api,
        job,
        row,
        "JudgeItemReturnLineItems",
        lineItems=[
            {"id": str(first.pk), "status": "REJECTED", "decisionReason": no},
            {"id": str(second.pk), "status": "ACCEPTED", "isDefective": True, "refundPercent": 50},
        ],
    )
    answer = act(api, job, row, "FinishItemReturn")

    assert (judged.status_code, answer.status_code) == (200, 200)
    assert answer.json()["itemReturns"][0]["status"] == "FINISHED"
    second.refresh_from_db()
    assert (second.place, str(second.refund_amount)) == ("DEFECTIVE", "9.95")
    again = act(api, job, row, "FinishItemReturn")
    assert (again.status_code, again.json()[0]["summary"]) == (422, "WRONG_STATUS")


def test_rejection_needs_a_reason(api, job):
    row = received(job)
    unit = {"id": str(row.items.get().pk), "status": "REJECTED"}

    answer = act(api, job, row, "JudgeItemReturnLineItems", lineItems=[unit])

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "REASON_MISSING")


def test_old_version_is_refused_by_every_step(api, job):
    row = received(job)
    no = {"reasonLocalized": {"en_US": "No"}}
    line, unit = str(job.lines.first().pk), str(row.items.get().pk)
    bodies = [
        {"name": name}
        for name in ("PauseItemReturn", "WaitForInputItemReturn", "FinishItemReturn", "CancelItemReturn")
    ] + [
        {
            "name": "ReceiveItemReturnLineItems",
            "lineItems": [{"itemReturnJobLineItemRef": line, "quantity": 1}],
        },
        {
            "name": "JudgeItemReturnLineItems",
            "lineItems": [{"id": unit, "status": "REJECTED", "decisionReason": no}],
        },
    ]

    for body in bodies:
        answer = api.post(path(job, row, "/actions"), {**body, "itemReturnJobVersion": 1})
        assert answer.status_code == 409, body
    for name in ("FinishItemReturnJob", "RestartItemReturnJob"):
        assert api.post(path(job, end="/actions"), {"name": name, "version": 1}).status_code == 409
    assert api.delete(f"{path(job, row)}?itemReturnJobVersion=1").status_code == 409


def test_return_is_cancelled_and_kept(api, job):
    row = opened(job)

    missing = api.delete(path(job, row))
    answer = api.delete(f"{path(job, row)}?itemReturnJobVersion={version(job)}")

    assert (missing.status_code, answer.status_code) == (400, 200)
    assert api.get(path(job, row)).json()["status"] == "CANCELED"
    assert [one["id"] for one in api.get(path(job, end="/itemreturns")).json()] == [str(row.pk)]


def test_job_is_moved_by_its_actions(api, job):
    lines = [str(job.lines.first().pk)]

    def move(name, **fields):
        return api.post(path(job, end="/actions"), {"name": name, "version": version(job), **fields})

    statuses = [
        move(name).json()["status"]
        for name in ("StartItemReturnJob", "FinishItemReturnJob", "RestartItemReturnJob")
    ]
    forbidden = move("CHANGE_LINE_ITEMS_TO_NOT_RETURNABLE_IN_ITEM_RETURN_JOB", lineItemIds=lines).json()
    allowed = move("CHANGE_LINE_ITEMS_TO_RETURNABLE_IN_ITEM_RETURN_JOB", lineItemIds=lines).json()
    replaced = move("REPLACE_LINE_ITEMS_ON_ITEM_RETURN_JOB")

    assert statuses == ["IN_PROGRESS", "FINISHED", "IN_PROGRESS"]
    assert [line["id"] for line in forbidden["notReturnableLineItems"]] == lines
    assert allowed["notReturnableLineItems"] == []
    assert (replaced.status_code, replaced.json()[0]["summary"]) == (422, "NOT_OFFERED")


# Who may


def test_returns_of_other_facilities_are_not_found(client, job):
    row = received(job)
    body = {"name": "FinishItemReturn", "itemReturnJobVersion": version(job)}
    elsewhere = FacilityFactory()
    token = api_token(facilities=[elsewhere])
    person = signin.access_token(staff("packer", elsewhere), now=timezone.now())

    for caller in (token, person):
        api = Api(client, caller)
        assert api.get(JOBS).json()["total"] == 0
        assert api.get(path(job)).status_code == 404
        assert api.get(path(job, end="/itemreturns")).status_code == 404
        assert api.get(path(job, row)).status_code == 404
        assert api.post(path(job, row, "/actions"), body).status_code == 404
        assert api.delete(f"{path(job, row)}?itemReturnJobVersion=1").status_code == 404
        assert add(api, job, entry(job)).status_code == 404
        assert (
            api.post(path(job, end="/actions"), {"name": "FinishItemReturnJob", "version": 1}).status_code
            == 404
        )
    row.refresh_from_db()
    assert row.status == "IN_PROGRESS"


def test_facility_that_sent_the_goods_sees_but_does_not_touch_a_return_elsewhere(client, job):
    store = FacilityFactory()
    row = received(job, facility=store)
    api = Api(client, api_token(facilities=[job.facility]))

    assert api.get(path(job, row)).status_code == 200
    assert act(api, job, row, "FinishItemReturn").status_code == 404
    assert act(Api(client, api_token(facilities=[store])), job, row, "FinishItemReturn").status_code == 200


def test_return_of_another_job_is_not_found(api, job, facility):
    other = received(taken(1, facility=facility, number="1002"))

    assert act(api, job, other, "FinishItemReturn").status_code == 404
    assert api.get(path(job, other)).status_code == 404


def test_picker_reads_and_takes_nothing(client, job):
    row = received(job)
    api = Api(client, signin.access_token(staff("picker", job.facility), now=timezone.now()))

    assert api.get(path(job)).status_code == 200
    assert act(api, job, row, "FinishItemReturn").status_code == 403
    only_reads = Api(client, api_token(ApiToken.Scope.READ, ApiToken.Scope.ORDERS))
    assert act(only_reads, job, row, "FinishItemReturn").status_code == 403


def test_more_than_was_handed_over_is_refused(api, job):
    row = opened(job)
    entries = [{"itemReturnJobLineItemRef": str(job.lines.first().pk), "quantity": 3}]

    answer = act(api, job, row, "ReceiveItemReturnLineItems", lineItems=entries)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "TOO_MANY_RETURNED")
    assert returns.find(job.facility, "1001") == ([job], True)
