import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import ArticleCode
from packing.models import PackJob
from picking import load_units, run_scans, scans
from picking import services as picking
from picking.models import LoadUnit, PickLine, PickRun, ScanEvent
from tests.factories.core import StorageLocationFactory
from tests.factories.picking import act as act_on_job
from tests.factories.runs import job_of, run_of, shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug(facility):
    return shelf(facility, "Mug", aisle=1, bay=2)


@pytest.fixture
def lamp(facility):
    return shelf(facility, "Lamp", aisle=3, bay=1)


@pytest.fixture
def two(facility, mug, lamp):
    """First two mugs and a lamp, then one mug."""
    return job_of(facility, (mug, 2), (lamp, 1)), job_of(facility, (mug, 1))


@pytest.fixture
def run(two, picker):
    return run_of(*two, by=picker)


@pytest.fixture
def batch(two, picker):
    return run_of(*two, by=picker, method="BATCH")


def act(run, kind, *, by=None, action_id=None, **fields):
    action = scans.Action(id=action_id or uuid.uuid4(), kind=kind, job=run.pk, **fields)
    return run_scans.act(action, facility=run.facility, by=by or run.editor, now=timezone.now())


def code(article):
    return article.codes.get().code


def figures(*jobs):
    return [[(line.picked, line.short) for line in job.lines.order_by("title")] for job in jobs]


def test_scan_books_on_the_line_of_the_first_order_and_says_into_which_tote(run, two, mug):
    answer = act(run, "scan", code=code(mug))

    assert (answer.status_code, answer.data["kind"]) == (200, "ok")
    assert answer.data["text"] == f"1 of 2 Into tote 1 · {two[0].short_id}."
    assert answer.data["job"]["id"] == str(run.pk)
    assert (answer.data["job"]["units_done"], answer.data["job"]["units"]) == (1, 4)
    assert answer.data["line"]["picked"] == 1
    event = ScanEvent.objects.get()
    assert (event.run, event.job, event.line.job, event.picked_delta) == (run, two[0], two[0], 1)


def test_units_go_to_one_order_after_the_other_and_the_last_one_is_told(run, two, mug, lamp):
    answers = [act(run, "scan", code=code(article)).data for article in (mug, mug, mug, lamp)]

    assert [answer["kind"] for answer in answers] == ["ok", "line_done", "line_done", "job_done"]
    assert f"2 · {two[1].short_id}" in answers[2]["text"]
    assert "Close the run" in answers[3]["text"]
    assert figures(*two) == [[(1, 0), (2, 0)], [(1, 0)]]


def test_wrong_article_and_one_too_many_change_nothing(facility, run, two, mug):
    for _unit in range(3):
        act(run, "scan", code=code(mug))

    assert act(run, "scan", code=code(mug)).data["kind"] == "too_many"
    assert act(run, "scan", code=code(shelf(facility, "Bowl"))).data["kind"] == "wrong_article"
    assert act(run, "scan", code="NOBODY-KNOWS").data["kind"] == "unknown"
    assert figures(*two) == [[(0, 0), (2, 0)], [(1, 0)]]


def test_same_id_is_booked_once_and_answers_the_same(run, two, mug):
    identity = uuid.uuid4()

    answers = [act(run, "scan", code=code(mug), action_id=identity) for _time in range(3)]

    assert [answer.is_replay for answer in answers] == [False, True, True]
    assert answers[0].data == answers[2].data
    assert figures(*two)[0] == [(0, 0), (1, 0)]


def test_code_of_a_carton_fills_orders_of_a_batch_and_undo_takes_all_of_it_back(batch, two, mug):
    ArticleCode.objects.create(article=mug, code="CARTON-3", units=3)

    answer = act(batch, "scan", code="CARTON-3")

    assert (answer.data["kind"], answer.data["line"]["picked"]) == ("line_done", 3)
    assert figures(*two) == [[(0, 0), (2, 0)], [(1, 0)]]
    assert [event.picked_delta for event in ScanEvent.objects.order_by("job__short_id")] == [2, 1]
    undone = act(batch, "undo")
    assert (undone.data["kind"], undone.data["line"]["picked"]) == ("ok", 0)
    assert figures(*two) == [[(0, 0), (0, 0)], [(0, 0)]]
    assert act(batch, "undo").data["text"] == "There is nothing to undo."


def test_units_of_a_batch_are_typed_for_all_orders_together(batch, two, mug):
    stop = batch.lines.get(job=two[0], article=mug)

    assert act(batch, "quantity", line=stop.pk, quantity=4).data["kind"] == "too_many"
    assert act(batch, "quantity", line=stop.pk, quantity=3).data["kind"] == "line_done"
    assert figures(*two) == [[(0, 0), (2, 0)], [(1, 0)]]


def test_missing_units_of_a_batch_are_missing_for_the_last_order(batch, two, mug):
    stop = batch.lines.get(job=two[0], article=mug)
    act(batch, "quantity", line=stop.pk, quantity=2)

    answer = act(batch, "short", line=stop.pk, reason="NOT_FOUND")

    assert answer.status_code == 200
    assert figures(*two) == [[(0, 0), (2, 0)], [(0, 1)]]
    assert PickLine.objects.get(job=two[1]).short_reason == "NOT_FOUND"


def test_undo_takes_back_the_last_scan_of_several_orders(run, two, mug, lamp):
    for article in (mug, lamp):
        act(run, "scan", code=code(article))

    act(run, "undo")
    assert figures(*two) == [[(0, 0), (1, 0)], [(0, 0)]]
    act(run, "undo")
    assert figures(*two) == [[(0, 0), (0, 0)], [(0, 0)]]


def test_run_is_put_aside_and_closed_by_its_screen(facility, run, two, mug, lamp):
    assert act(run, "close").data["kind"] == "stale"
    for article in (mug, mug, mug, lamp):
        act(run, "scan", code=code(article))
    assert "no tote" in act(run, "close").data["text"]
    for unit in load_units.create(facility, number=2, by=None, now=timezone.now()):
        assert act(run, "scan", code=unit.code).data["kind"] == "tote"

    answer = act(run, "close")

    assert (answer.status_code, answer.data["kind"]) == (200, "closed")
    assert PickRun.objects.get().status == "CLOSED"
    assert PackJob.objects.count() == 2


def test_run_that_is_closed_with_missing_units_leads_to_what_becomes_of_them(
    run, two, mug, lamp, client, facility
):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    act(run, "scan", code=tote.code)
    for article in (mug, mug):
        act(run, "scan", code=code(article))
    act(run, "short", line=two[0].lines.get(title="Lamp").pk, reason="NOT_FOUND")
    act(run, "short", line=two[1].lines.get().pk, reason="NOT_FOUND")

    assert act(run, "close").data["kind"] == "closed_short"

    client.force_login(run.editor)
    page = client.get(reverse("picking:run-detail", args=["here", run.pk])).content.decode()
    for job in two:
        assert f"{job}: 1 unit will not come. The shop knows." in page
    assert "To the next run" in page


def test_paused_run_and_run_of_a_colleague_are_stale(run, two, mug, colleague):
    assert act(run, "scan", by=colleague, code=code(mug)).status_code == 409
    assert act(run, "pause").data["kind"] == "paused"
    assert act(run, "scan", code=code(mug)).status_code == 409
    assert figures(*two) == [[(0, 0), (0, 0)], [(0, 0)]]


def test_job_of_a_run_is_not_scanned_alone(run, two, mug, picker):
    answer = act_on_job(two[0], "scan", by=picker, code=code(mug))

    assert (answer.status_code, answer.data["kind"]) == (409, "stale")
    assert "#1" in answer.data["text"]
    assert figures(*two) == [[(0, 0), (0, 0)], [(0, 0)]]


def test_run_that_is_not_here_is_stale(run, mug):
    gone = PickRun(pk=uuid.uuid4(), facility=run.facility, editor=run.editor)

    assert act(gone, "scan", code=code(mug)).status_code == 409


# Totes


@pytest.fixture
def totes(facility):
    return load_units.create(facility, number=3, by=None, now=timezone.now())


def test_free_tote_goes_to_the_order_of_the_stop_then_to_the_next_without_one(run, two, totes, mug):
    for _unit in range(2):
        act(run, "scan", code=code(mug))  # the current stop is the second order's now

    texts = [act(run, "scan", code=tote.code).data["text"] for tote in totes]

    assert [LoadUnit.objects.get(pk=tote.pk).job for tote in totes] == [two[1], two[0], two[1]]
    assert f"number 2 now, for {two[1].short_id}" in texts[0]


def test_tote_is_checked_after_a_unit_was_scanned(run, two, totes, mug):
    for tote in totes[:2]:
        act(run, "scan", code=tote.code)
    act(run, "scan", code=code(mug))

    right, wrong = (act(run, "scan", code=tote.code) for tote in totes[:2])

    assert (right.status_code, right.data["kind"]) == (200, "place")
    assert (wrong.status_code, wrong.data["kind"]) == (422, "wrong_tote")
    assert f"1 · {two[0].short_id}" in wrong.data["text"]


def test_tote_of_other_goods_is_refused(facility, run, totes, mug):
    other = job_of(facility, (mug, 1))
    load_units.assign(totes[0].pk, other.pk, by=None, now=timezone.now())

    answer = act(run, "scan", code=totes[0].code)

    assert (answer.status_code, answer.data["kind"]) == (422, "wrong_tote")
    assert other.short_id in answer.data["text"]


def test_totes_of_a_batch_serve_all_its_orders(batch, two, totes):
    for tote in totes[:2]:
        act(batch, "scan", code=tote.code)

    assert {unit.run for unit in LoadUnit.objects.in_use()} == {batch}
    assert [set(LoadUnit.objects.of_job(job.pk)) for job in two] == [set(totes[:2])] * 2


# The rules of the facility


def test_place_is_scanned_first_where_the_rules_say_so(facility, batch, two, mug):
    facility.location_scan = "MUST_SCAN_FIRST"
    facility.save(update_fields=["location_scan"])
    batch.refresh_from_db()
    place = batch.lines.get(job=two[0], article=mug).allocations.get().stock.location

    assert act(batch, "scan", code=code(mug)).data["kind"] == "wrong_location"
    assert act(batch, "scan", code=StorageLocationFactory(facility=facility).name).data["kind"] == (
        "wrong_location"
    )
    assert act(batch, "scan", code=place.name).data["kind"] == "place"
    assert [act(batch, "scan", code=code(mug)).status_code for _unit in range(3)] == [200] * 3


def test_serial_number_is_recorded_on_the_order_that_gets_the_unit(batch, two, mug):
    mug.records_serial = True
    mug.save(update_fields=["records_serial"])

    for serial in ("A1", "A2", "A3"):
        assert act(batch, "scan", code=f"010{code(mug)}21{serial}").status_code == 200

    found = ScanEvent.objects.filter(job=two[1]).values_list("serial", flat=True)
    assert list(found) == ["A3"]


# The walk


def test_rest_of_the_walk_is_planned_anew_from_where_units_are_missing(facility, picker):
    far, near = shelf(facility, "Far", aisle=9, bay=9), shelf(facility, "Near", aisle=2, bay=1)
    middle, last = shelf(facility, "Middle", aisle=5, bay=5), shelf(facility, "Last", aisle=8, bay=9)
    run = run_of(job_of(facility, (far, 1), (near, 1), (middle, 1), (last, 1)), by=picker)
    assert [line.title for line in run.lines.order_by("sequence")] == ["Near", "Middle", "Last", "Far"]

    # The picker went to the far end first, and there is nothing.
    answer = act(run, "short", line=run.lines.get(article=far).pk, reason="NOT_FOUND")

    assert answer.data["is_replanned"]
    rest = run.lines.pending().order_by("sequence")
    assert [line.title for line in rest] == ["Last", "Middle", "Near"]


def test_walk_of_a_single_job_is_planned_anew_too(facility, picker):
    far, near, middle = (
        shelf(facility, title, aisle=aisle, bay=5)
        for title, aisle in (("Far", 9), ("Near", 1), ("Middle", 5))
    )
    job = picking.start(job_of(facility, (near, 1), (middle, 1), (far, 1)).pk, by=picker, now=timezone.now())

    line = job.lines.get(article=far)
    answer = act_on_job(job, "short", by=picker, line=line.pk, reason="NOT_FOUND")

    assert answer.data["is_replanned"]
    assert [line.title for line in job.lines.pending()] == ["Middle", "Near"]


def test_walk_that_stays_the_same_is_not_told(facility, run, two, mug):
    line = run.lines.get(job=two[1])

    assert "is_replanned" not in act(run, "short", line=line.pk, reason="NOT_FOUND").data


# The device


def send(client, run, kind="scan", **fields):
    body = {"id": str(uuid.uuid4()), "job": str(run.pk), "kind": kind, **fields}
    return client.post(
        reverse("picking:run-scan", args=["here"]), json.dumps(body), content_type="application/json"
    )


def test_device_is_answered_in_json(client, run, mug, picker):
    client.force_login(picker)

    assert send(client, run, code=code(mug)).json()["kind"] == "ok"
    assert send(client, run, code="NOBODY-KNOWS").status_code == 422
    assert send(client, run, "dance").status_code == 400


def test_scan_takes_few_queries_however_many_orders_there_are(client, facility, picker, mug, lamp):
    client.force_login(picker)

    def queries(number):
        run = run_of(*[job_of(facility, (mug, 1), (lamp, 2)) for _number in range(number)], by=picker)
        send(client, run, code=code(lamp))
        with CaptureQueriesContext(connection) as captured:
            assert send(client, run, code=code(lamp)).status_code == 200
        return [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]

    few, many = queries(2), queries(6)
    assert len(few) == len(many), many
    assert len(few) <= 15, few  # four of them say who asks, and code() reads two
