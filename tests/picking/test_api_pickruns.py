import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.api.schema import validate
from fulfillment.core.services import signin
from picking import run_wire
from picking.models import PickJob, PickRun
from tests.apiclient import Api
from tests.factories.core import FacilityFactory, api_token, staff
from tests.factories.picking import pick_job
from tests.factories.runs import job_of, run_of, shelf

pytestmark = pytest.mark.django_db
LIST = "/api/pickruns"


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def two(facility):
    mug, lamp = shelf(facility, "Mug", aisle=1, bay=1), shelf(facility, "Lamp", aisle=2, bay=2)
    return job_of(facility, (mug, 2), (lamp, 1)), job_of(facility, (mug, 1))


def body(*jobs, **fields):
    return {
        "facilityRef": str(jobs[0].facility_id),
        "pickJobRefs": [str(job.pk) for job in jobs],
        "pickRunType": "multiOrder",
        **fields,
    }


def act(api, run, name, version=None, **fields):
    version = PickRun.objects.get(pk=run["id"]).version if version is None else version
    return api.post(f"{LIST}/{run['id']}/actions", {"name": name, "version": version, **fields})


def patch(api, run, *actions, version=None, rest=""):
    version = PickRun.objects.get(pk=run["id"]).version if version is None else version
    return api.patch(f"{LIST}/{run['id']}{rest}", {"version": version, "actions": list(actions)})


def all_picked(run):
    return [
        {"action": "ModifyPickRunLineItem", "id": line["id"], "picked": line["quantity"]}
        for line in run["pickLineItems"]
    ]


def statuses(*jobs):
    return [PickJob.objects.get(pk=job.pk).status for job in jobs]


def test_run_is_created_and_read(api, two):
    answer = api.post(LIST, body(*two))

    run = answer.json()
    assert answer.status_code == 201
    assert answer["Location"] == f"{LIST}/{run['id']}"
    validate(run_wire.pick_run, run)
    assert (run["status"], run["pickRunType"], run["version"]) == ("OPEN", "multiOrder", 1)
    assert run["pickJobRefs"] == [str(job.pk) for job in two]
    assert [
        (line["article"]["title"], line["quantity"], line["status"]) for line in run["pickLineItems"]
    ] == [
        ("Mug", 2, "OPEN"),
        ("Mug", 1, "OPEN"),
        ("Lamp", 1, "OPEN"),
    ]
    assert {line["pickJobRef"] for line in run["pickLineItems"]} == {str(job.pk) for job in two}
    assert api.get(answer["Location"]).json() == run
    assert api.get(f"/api/pickjobs/{two[0].pk}").json()["pickRunRef"] == run["id"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("multiOrderPick", "multiOrder"), ("batchPick", "batch"), ("batch", "batch"), (None, "multiOrder")],
)
def test_type_of_a_run_is_read_in_every_word_for_it(api, two, name, shown):
    assert api.post(LIST, body(*two, pickRunType=name)).json()["pickRunType"] == shown


def test_run_can_begin_at_once_and_is_made_once(api, two):
    answers = [
        api.post(LIST, body(*two, status="IN_PROGRESS"), **{"Idempotency-Key": "k"}) for _time in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["status"] == "IN_PROGRESS"
    assert statuses(*two) == ["IN_PROGRESS", "IN_PROGRESS"]
    assert PickRun.objects.count() == 1


def test_run_is_refused_with_the_reason(api, facility, two):
    run_of(two[1])
    two[0].picking_methods = ["SINGLE_ORDER"]
    two[0].save(update_fields=["picking_methods"])
    foreign = pick_job(1)

    def refusal(**fields):
        answer = api.post(LIST, body(*two) | fields)
        return answer.status_code, answer.json()[0]["summary"]

    assert refusal() == (422, "METHOD_NOT_FOR_JOB")
    assert refusal(pickJobRefs=[str(two[1].pk)]) == (422, "JOB_IN_ANOTHER_RUN")
    assert refusal(pickJobRefs=[str(foreign.pk)]) == (422, "JOB_NOT_THERE")
    assert refusal(pickJobRefs=["x"]) == (422, "JOB_NOT_THERE")
    assert refusal(pickJobRefs=[]) == (400, "VALIDATION_FAILED")
    assert refusal(facilityRef="nowhere") == (400, "VALIDATION_FAILED")
    assert refusal(status="CLOSED") == (422, "NOT_OFFERED")


def test_actions_walk_a_run_to_its_end(api, two):
    run = api.post(LIST, body(*two)).json()

    for name, status in [("START", "IN_PROGRESS"), ("PAUSE", "PAUSED"), ("RESUME", "IN_PROGRESS")]:
        answer = act(api, run, name)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    answer = patch(api, run, *all_picked(run))
    assert {line["status"] for line in answer.json()["pickLineItems"]} == {"CLOSED"}
    answer = act(api, run, "FINISH")

    assert answer.json()["status"] == "CLOSED"
    validate(run_wire.pick_run, answer.json())
    assert statuses(*two) == ["CLOSED", "CLOSED"]


def test_finish_reports_the_rest_missing(api, two):
    run = api.post(LIST, body(*two, status="IN_PROGRESS")).json()
    patch(api, run, {**all_picked(run)[0], "picked": 1})

    lines = act(api, run, "FINISH").json()["pickLineItems"]

    assert [(line["picked"], line["shortPickReason"]["reason"]) for line in lines] == [
        (1, "OTHER"),
        (0, "OTHER"),
        (0, "OTHER"),
    ]
    assert statuses(*two) == ["CLOSED", "ABORTED"]


def test_patch_of_the_sdk_starts_picks_and_finishes_together(api, two):
    run = api.post(LIST, body(*two)).json()

    answer = patch(api, run, {"action": "FinishPickRun"}, *all_picked(run), {"action": "StartPickRun"})

    assert (answer.status_code, answer.json()["status"]) == (200, "CLOSED")
    assert statuses(*two) == ["CLOSED", "CLOSED"]


def test_patch_that_fails_changes_nothing(api, two):
    run = api.post(LIST, body(*two)).json()

    answer = patch(api, run, {"action": "StartPickRun"}, {**all_picked(run)[0], "picked": 3})

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "TOO_MANY_PICKED")
    assert statuses(*two) == ["OPEN", "OPEN"]


def test_job_is_taken_out_by_action_and_by_patch(api, two):
    run = api.post(LIST, body(*two, status="IN_PROGRESS")).json()

    answer = act(api, run, "REMOVE_PICK_JOB", payload={"pickJobId": str(two[0].pk)})
    assert answer.json()["pickJobRefs"] == [str(two[1].pk)]
    again = act(api, run, "REMOVE_PICK_JOB", payload={"pickJobId": "x"})
    assert (again.status_code, again.json()[0]["summary"]) == (422, "NOT_IN_THIS_RUN")
    removal = {"action": "RemovePickJobFromPickRun", "pickJobRef": str(two[1].pk)}
    answer = patch(api, run, removal, rest="/pickjobs")

    assert (answer.json()["status"], answer.json()["pickJobRefs"]) == ("OBSOLETE", [])
    assert statuses(*two) == ["PAUSED", "PAUSED"]


def test_cancelled_run_leaves_its_jobs(api, two):
    run = api.post(LIST, body(*two)).json()

    assert act(api, run, "CANCEL").json()["status"] == "CANCELED"
    assert api.post(LIST, body(*two)).status_code == 201


def test_old_version_is_refused_with_both(api, two):
    run = api.post(LIST, body(*two)).json()
    act(api, run, "START")

    for answer in (
        act(api, run, "PAUSE", version=1),
        patch(api, run, *all_picked(run), version=1),
        patch(api, run, {"action": "StartPickRun"}, version=1),
    ):
        assert answer.status_code == 409
        assert (answer.json()[0]["requestVersion"], answer.json()[0]["version"]) == (1, 2)


def test_line_of_a_run_is_split_and_picked_in_it(api, two):
    run = api.post(LIST, body(*two)).json()
    act(api, run, "START")
    line = next(line for line in PickRun.objects.get().lines.all() if line.quantity > 1)
    part = {"lineItemId": str(line.pk), "quantity": 1, "picked": 0}

    answer = act(api, run, "SPLIT_LINES_PICK_RUN", splitLineItemsInfo=[part])
    elsewhere = {**part, "lineItemId": str(uuid.uuid4())}
    refused = act(api, run, "SPLIT_LINES_PICK_RUN", splitLineItemsInfo=[elsewhere])

    assert answer.status_code == 200
    assert refused.json()[0]["summary"] == "NOT_IN_THIS_RUN"
    (other,) = line.splits.all()
    assert (other.quantity, other.run_id, other.job_id) == (1, line.run_id, line.job_id)
    act(api, run, "FINISH")
    assert PickRun.objects.get().status == "CLOSED"


def test_person_takes_a_run_over(client, facility, two, picker, colleague):
    run_of(*two, by=picker)
    run = {"id": str(PickRun.objects.get().pk)}
    other = Api(client, signin.access_token(colleague, now=timezone.now()))

    assert act(other, run, "START").json()[0]["summary"] == "RUN_OF_SOMEONE_ELSE"
    assert act(other, run, "TAKE_OVER_PICK_RUN").json()["editor"]["username"] == colleague.email


def test_run_of_another_facility_is_not_there(client, two):
    run_of(*two)
    elsewhere = Api(client, api_token(facilities=[FacilityFactory()]))
    person = Api(client, signin.access_token(staff("picker", FacilityFactory()), now=timezone.now()))
    run = PickRun.objects.get()

    for api in (elsewhere, person):
        assert api.get(f"{LIST}/{run.pk}").status_code == 404
        assert api.post(LIST, body(*two)).status_code == 400


def test_queries_do_not_grow_with_the_jobs(api, facility):
    mug = shelf(facility, "Mug", aisle=1, bay=1)

    def queries(number):
        run = run_of(*[job_of(facility, (mug, 1)) for _number in range(number)])
        api.get(f"{LIST}/{run.pk}")  # the token is known for a moment now
        with CaptureQueriesContext(connection) as captured:
            assert api.get(f"{LIST}/{run.pk}").status_code == 200
        return len(captured)

    assert queries(1) == queries(4)


def test_lines_of_a_run_by_zones_are_shown_apart(api, facility):
    zone = facility.zones.create(name="Dry")
    job = job_of(facility, (shelf(facility, "Rice", zone=zone), 2))
    run = run_of(job, method="ZONE", zones=[zone])

    shown = api.get(f"{LIST}/{run.pk}").json()

    assert (shown["pickRunType"], [line["quantity"] for line in shown["pickLineItems"]]) == (
        "multiOrder",
        [2],
    )
