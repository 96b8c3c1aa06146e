import json
import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import ArticleCode, Membership, StatusChange
from picking import load_units, scans
from picking import services as picking
from picking.models import LoadUnit, PickJob, ScanEvent
from tests.factories.core import ArticleFactory, StorageLocationFactory, put_stock, staff
from tests.factories.orders import OrderFactory, wire_line
from tests.factories.picking import act, code_of, ean, pick_job, route, started_pick_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(facility, picker):
    """Two units of the first line, one of the second, in progress."""
    return started_pick_job(picker, 2, 1, facility=facility)


@pytest.fixture
def device(client, picker):
    client.force_login(picker)
    return client


def first(job):
    return job.lines.all()[0]


def second(job):
    return job.lines.all()[1]


def figures(job):
    return [(line.picked, line.short) for line in job.lines.all()]


def send(client, job, kind="scan", **fields):
    body = {"id": str(uuid.uuid4()), "job": str(job.pk), "kind": kind, **fields}
    return client.post(
        reverse("picking:scan", args=["here"]), json.dumps(body), content_type="application/json"
    )


# What a scan stands for


def test_scan_books_a_unit_and_answers_with_the_new_state(device, job):
    response = send(device, job, code=code_of(first(job)))

    answer = response.json()
    assert (response.status_code, answer["kind"], answer["text"]) == (200, "ok", "1 of 2")
    assert answer["scan"] == str(ScanEvent.objects.get().pk)
    assert answer["line"] == {
        "id": str(first(job).pk),
        "quantity": 2,
        "picked": 1,
        "short": 0,
        "status": "IN_PROGRESS",
        "reason": "",
        "place": "",
        "is_scanned": True,
        "attributes": [],
    }
    assert (answer["job"]["units_done"], answer["job"]["units"]) == (1, 3)
    assert figures(job) == [(1, 0), (0, 0)]


def test_last_unit_of_a_line_and_of_the_job_are_told(device, job):
    codes = [code_of(first(job)), code_of(first(job)), code_of(second(job))]

    kinds = [send(device, job, code=code).json()["kind"] for code in codes]

    assert kinds == ["ok", "line_done", "job_done"]
    assert figures(job) == [(2, 0), (1, 0)]


def test_code_of_a_carton_books_its_units(device, job):
    ArticleCode.objects.create(article=first(job).article, code="CARTON-2", units=2)

    assert send(device, job, code="CARTON-2").json()["kind"] == "line_done"

    assert figures(job) == [(2, 0), (0, 0)]


@pytest.mark.parametrize(
    "spelling",
    [
        "{ean}",
        "]E0{ean}",
        "010{ean}",
        "(01)0{ean}",
        "]d2010{ean}10LOT7",
        "]C1010{ean}17271231|10LOT7",
        "0{ean}",
    ],
)
def test_gtin_is_found_however_the_scanner_sends_it(picker, facility, spelling):
    job = started_pick_job(picker, 1, facility=facility)

    answer = act(job, "scan", by=picker, code=spelling.format(ean=code_of(first(job))))

    assert (answer.status_code, answer.data["kind"]) == (200, "job_done")


def test_sku_can_be_typed(device, job):
    assert send(device, job, code=second(job).article.sku).json()["kind"] == "line_done"


def test_code_that_the_shop_sent_counts(facility, picker):
    article = ArticleFactory()
    put_stock(facility, article, 1)
    line = wire_line(article)
    line["scannableCodes"] = ["SHOP-CODE-1"]
    job = picking.start(route(OrderFactory(line, preselected=[facility])).pk, by=picker, now=timezone.now())

    assert act(job, "scan", by=picker, code="SHOP-CODE-1").status_code == 200


def test_location_of_the_line_is_confirmed_and_books_nothing(device, job):
    place = first(job).allocations.get().stock.location

    answer = send(device, job, code=place.scannable_codes[0])

    assert (answer.status_code, answer.json()["kind"]) == (200, "place")
    assert str(place) in answer.json()["text"]
    assert answer.json()["line"]["place"] == str(place.pk)
    assert figures(job) == [(0, 0), (0, 0)]


# What changes nothing


def test_wrong_article_changes_nothing_and_says_what_was_expected(device, job):
    other = ArticleFactory(title="Blue lamp", code=ean())

    response = send(device, job, code=other.codes.get().code)

    assert (response.status_code, response.json()["kind"]) == (422, "wrong_article")
    assert "Blue lamp" in response.json()["text"]
    assert first(job).title in response.json()["text"]
    assert figures(job) == [(0, 0), (0, 0)]


def test_wrong_location_says_where_to_go(device, facility, job):
    other = StorageLocationFactory(facility=facility)

    response = send(device, job, code=other.scannable_codes[0])

    assert (response.status_code, response.json()["kind"]) == (422, "wrong_location")
    assert str(first(job).allocations.get().stock.location) in response.json()["text"]


def test_one_unit_too_many_is_refused(device, job):
    send(device, job, code=code_of(second(job)))

    response = send(device, job, code=code_of(second(job)))

    assert (response.status_code, response.json()["kind"]) == (422, "too_many")
    assert figures(job) == [(0, 0), (1, 0)]


def test_unknown_code_is_refused(device, job):
    response = send(device, job, code="NOBODY-KNOWS")

    assert (response.status_code, response.json()["kind"]) == (422, "unknown")
    assert "NOBODY-KNOWS" in response.json()["text"]


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("quantity", {"quantity": 3}, "too_many"),
        ("quantity", {"quantity": 0}, "unknown"),
        ("quantity", {}, "unknown"),
        ("short", {}, "unknown"),
        ("undo", {}, "unknown"),
    ],
)
def test_action_that_makes_no_sense_is_refused(device, job, kind, fields, told):
    response = send(device, job, kind, line=str(first(job).pk), **fields)

    assert (response.status_code, response.json()["kind"]) == (422, told)
    assert figures(job) == [(0, 0), (0, 0)]


def test_line_of_another_job_is_stale(device, facility, job):
    foreign = pick_job(1, facility=facility).lines.get()

    response = send(device, job, "quantity", line=str(foreign.pk), quantity=1)

    assert (response.status_code, response.json()["kind"]) == (409, "stale")
    foreign.refresh_from_db()
    assert foreign.picked == 0


def test_scan_of_a_job_that_is_not_started_is_stale(device, facility):
    job = pick_job(1, facility=facility)

    response = send(device, job, code=code_of(first(job)))

    assert (response.status_code, response.json()["kind"]) == (409, "stale")
    assert figures(job) == [(0, 0)]


def test_scan_of_a_colleagues_job_is_stale(client, colleague, job):
    client.force_login(colleague)

    assert send(client, job, code=code_of(first(job))).status_code == 409

    assert figures(job) == [(0, 0), (0, 0)]


def test_scan_of_a_job_of_another_facility_is_stale(device):
    job = pick_job(1)

    assert send(device, job, code=code_of(first(job))).status_code == 409


# Exactly once


def test_same_id_and_body_get_the_stored_answer(device, job):
    fields = {"id": str(uuid.uuid4()), "code": code_of(first(job))}
    original = send(device, job, **fields, at="2026-03-02T12:00:00Z")
    send(device, job, code=code_of(first(job)))

    replay = send(device, job, **fields, at="2026-03-02T12:00:05Z")

    assert replay.json() == original.json()
    assert replay["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in original
    assert figures(job) == [(2, 0), (0, 0)]


def test_refusal_is_repeated_even_when_it_would_succeed_now(device, job):
    fields = {"id": str(uuid.uuid4()), "code": "NEW-CODE"}
    original = send(device, job, **fields)
    ArticleCode.objects.create(article=first(job).article, code="NEW-CODE")

    replay = send(device, job, **fields)

    assert (replay.status_code, replay.json()) == (422, original.json())
    assert figures(job) == [(0, 0), (0, 0)]


@pytest.mark.parametrize("changed", [{"code": "OTHER"}, {"kind": "undo"}, {"quantity": 2}])
def test_same_id_with_another_body_is_refused(device, job, changed):
    fields = {"id": str(uuid.uuid4()), "kind": "scan", "code": code_of(first(job))}
    send(device, job, **fields)

    response = send(device, job, **{**fields, **changed})

    assert (response.status_code, response.json()["kind"]) == (409, "stale")
    assert figures(job) == [(1, 0), (0, 0)]


def test_same_id_of_another_user_is_refused(device, job, colleague):
    fields = {"id": str(uuid.uuid4()), "code": code_of(first(job))}
    send(device, job, **fields)
    other = Client()
    other.force_login(colleague)

    assert send(other, job, **fields).status_code == 409

    assert figures(job) == [(1, 0), (0, 0)]


# The other actions


def test_quantity_books_several_units(device, job):
    answer = send(device, job, "quantity", line=str(first(job).pk), quantity=2).json()

    assert answer["kind"] == "line_done"
    assert figures(job) == [(2, 0), (0, 0)]


def test_short_reports_the_rest_of_a_line(device, job):
    send(device, job, code=code_of(first(job)))

    answer = send(device, job, "short", line=str(first(job).pk), reason="NOT_FOUND").json()

    assert answer["kind"] == "line_done"
    line = first(job)
    assert (line.picked, line.short, line.short_reason, line.status) == (1, 1, "NOT_FOUND", "CLOSED")


def test_undo_takes_back_one_action_after_the_other(device, job):
    send(device, job, code=code_of(first(job)))
    send(device, job, "short", line=str(first(job).pk), reason="DAMAGED")

    assert send(device, job, "undo").json()["kind"] == "ok"
    assert figures(job) == [(1, 0), (0, 0)]
    assert first(job).short_reason == ""
    assert send(device, job, "undo").json()["kind"] == "ok"
    assert figures(job) == [(0, 0), (0, 0)]
    assert first(job).status == "OPEN"
    assert send(device, job, "undo").status_code == 422
    assert ScanEvent.objects.exclude(undoes=None).count() == 2


def test_pause_puts_the_job_aside(device, job):
    assert send(device, job, "pause").json()["kind"] == "paused"

    assert PickJob.objects.get().status == "PAUSED"


def test_close_by_scan_closes_the_job(device, job):
    for line in job.lines.all():
        send(device, job, "quantity", line=str(line.pk), quantity=line.quantity)

    assert send(device, job, "close").json()["kind"] == "closed"

    assert PickJob.objects.get().status == "CLOSED"


def test_close_with_open_lines_keeps_job_and_log(device, job):
    response = send(device, job, "close")

    assert (response.status_code, response.json()["kind"]) == (409, "stale")
    assert "3 units" in response.json()["text"]
    assert PickJob.objects.get().status == "IN_PROGRESS"
    assert StatusChange.objects.filter(entity="picking.pickjob").count() == 2


# Devices hear JSON, whatever happens


def test_device_that_is_signed_out_keeps_its_scan(client, job):
    identity = str(uuid.uuid4())

    response = send(client, job, id=identity, code="4006381333931")

    assert (response.status_code, response["Content-Type"]) == (401, "application/json")
    assert (response.json()["kind"], response.json()["scan"]) == ("login", identity)
    assert not ScanEvent.objects.exists()


def test_device_without_csrf_token_is_asked_to_sign_in(picker, job):
    client = Client(enforce_csrf_checks=True)
    client.force_login(picker)

    response = send(client, job, code=code_of(first(job)))

    assert (response.status_code, response.json()["kind"]) == (401, "login")
    assert figures(job) == [(0, 0), (0, 0)]


def test_picker_who_lost_the_right_hears_that_it_is_stale(device, picker, job):
    Membership.objects.filter(user=picker).delete()

    assert send(device, job, code=code_of(first(job))).status_code == 409

    assert figures(job) == [(0, 0), (0, 0)]


def test_packer_may_not_pick(client, facility, job):
    client.force_login(staff("packer", facility))

    assert send(client, job, code=code_of(first(job))).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        '"text"',
        "{}",
        '{"id": 1}',
        '{"id": "x", "kind": "scan", "job": "y"}',
        "1" * 10_001,
    ],
)
def test_body_that_is_no_scan_is_refused(device, body):
    response = device.post(reverse("picking:scan", args=["here"]), body, content_type="application/json")

    assert (response.status_code, response.json()["kind"]) == (400, "unknown")
    assert not ScanEvent.objects.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"code": ""},
        {"code": "A\x00B"},
        {"code": "A" * 201},
        {"code": ["A"]},
        {"kind": "steal", "code": "A"},
        {"line": "first", "code": "A"},
        {"quantity": -1, "code": "A"},
        {"quantity": "many", "code": "A"},
        {"reason": "BORED", "code": "A"},
        {"at": "yesterday", "code": "A"},
    ],
)
def test_field_that_makes_no_sense_is_named(device, job, fields):
    response = send(device, job, **fields)

    assert response.status_code in {400, 422}
    assert response.json()["text"]
    assert figures(job) == [(0, 0), (0, 0)]


def test_scan_needs_the_same_ten_queries_for_one_and_for_three_lines(device, facility, picker):
    counts = []
    for quantities in [(5,), (5, 1, 1)]:
        job = started_pick_job(picker, *quantities, facility=facility)
        code = code_of(first(job))
        with CaptureQueriesContext(connection) as queries:
            assert send(device, job, code=code).status_code == 200
        counts.append(len([query for query in queries if "SAVEPOINT" not in query["sql"]]))

    assert counts[0] == counts[1] <= 10


def test_stale_answer_of_a_vanished_job_is_stored(device, facility):
    gone = PickJob(pk=uuid.uuid4())
    fields = {"id": str(uuid.uuid4()), "code": "A"}

    assert send(device, gone, **fields).status_code == 409
    assert send(device, gone, **fields)["Idempotent-Replay"] == "true"


def test_booking_raises_the_version_for_programs(job, picker):
    before = PickJob.objects.get(pk=job.pk).version

    act(job, "scan", by=picker, code=code_of(first(job)))
    act(job, "undo", by=picker)

    assert PickJob.objects.get(pk=job.pk).version == before + 2


def test_undo_does_not_reach_behind_a_reset(job, picker):
    act(job, "quantity", by=picker, line=first(job).pk, quantity=2)
    picking.reset(job.pk, by=None, now=timezone.now())
    picking.start(job.pk, by=picker, now=timezone.now())
    act(job, "quantity", by=picker, line=first(job).pk, quantity=1)

    answers = [act(job, "undo", by=picker).status_code for _time in range(2)]

    assert answers == [scans.BOOKED, scans.REFUSED]
    assert first(job).picked == 0


def test_undo_leaves_what_a_program_counted_lower(job, picker):
    act(job, "quantity", by=picker, line=first(job).pk, quantity=2)
    picking.book(job.pk, [picking.Count(first(job).pk, picked=1)], by=picker, now=timezone.now())

    answer = act(job, "undo", by=picker)

    assert answer.status_code == scans.REFUSED
    assert first(job).picked == 1


# Totes


def test_free_tote_is_given_to_the_job_and_a_second_scan_says_it_is_right(device, job, facility):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())

    first, second = (send(device, job, code=tote.code) for _time in range(2))

    assert [(answer.status_code, answer.json()["kind"]) for answer in (first, second)] == [
        (200, "tote"),
        (200, "place"),
    ]
    assert LoadUnit.objects.get().job == job
    assert figures(job) == [(0, 0), (0, 0)]
    assert tote.tail in device.get(reverse("picking:job-detail", args=["here", job.pk])).content.decode()


def test_tote_of_another_job_is_refused(device, job, facility):
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    load_units.assign(tote.pk, pick_job(1, facility=facility).pk, by=None, now=timezone.now())

    answer = send(device, job, code=tote.code)

    assert (answer.status_code, answer.json()["kind"]) == (422, "wrong_tote")
