import datetime
import json
import uuid

import pytest
from django.urls import reverse

from packing import scans
from packing import services as packing
from packing.models import PackageItem, PackScan
from tests.factories.core import ArticleFactory, FacilityFactory, staff
from tests.factories.packing import box, started_pack_job

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)
CODE = "4006381333931"


@pytest.fixture
def article(db):
    return ArticleFactory(title="Lamp", code=CODE)


@pytest.fixture
def job(facility, packer, article):
    return started_pack_job(packer, 3, facility=facility, articles=[article])


def act(job, kind, *, by, key=None, **fields):
    action = scans.Action(id=key or uuid.uuid4(), kind=kind, job=job.pk, **fields)
    return scans.act(action, facility=job.facility, by=by, now=NOON + SECOND * PackScan.objects.count())


def contents(job):
    return {
        package.number: sum(item.quantity for item in package.items.all()) for package in job.packages.all()
    }


def test_scan_is_booked_told_and_kept(job, packer):
    answer = act(job, "scan", by=packer, code=CODE)

    assert answer.status_code == 200
    assert (answer.data["kind"], answer.data["text"]) == ("ok", "1 × Lamp in package 1.")
    assert answer.data["job"] == {"id": str(job.pk), "units": 3, "packed": 1}
    assert contents(job) == {1: 1}
    assert PackScan.objects.get().code == CODE


def test_same_scan_sent_again_gets_the_same_answer_and_is_booked_once(job, packer):
    key = uuid.uuid4()
    first = act(job, "scan", by=packer, key=key, code=CODE)

    again = act(job, "scan", by=packer, key=key, code=CODE)

    assert (again.data, again.is_replay) == (first.data, True)
    assert contents(job) == {1: 1}


def test_refusal_is_kept_too_and_changes_nothing(job, packer):
    key = uuid.uuid4()
    refused = act(job, "scan", by=packer, key=key, code="999")
    ArticleFactory(code="999")

    again = act(job, "scan", by=packer, key=key, code="999")

    assert (refused.status_code, refused.data["kind"]) == (422, "unknown")
    assert (again.data, again.is_replay) == (refused.data, True)
    assert contents(job) == {1: 0}


@pytest.mark.parametrize("change", ["code", "user"])
def test_id_of_another_action_is_refused(job, packer, facility, change):
    key = uuid.uuid4()
    act(job, "scan", by=packer, key=key, code=CODE)

    answer = act(
        job,
        "scan",
        by=packer if change == "code" else staff("packer", facility, email="bea@example.com"),
        key=key,
        code="other" if change == "code" else CODE,
    )

    assert (answer.status_code, answer.data["kind"]) == (409, "stale")
    assert contents(job) == {1: 1}


def test_refusals_look_like_what_they_are(job, packer):
    ArticleFactory(sku="FOREIGN")
    for _unit in range(2):
        act(job, "scan", by=packer, code=CODE)

    assert act(job, "scan", by=packer, code="FOREIGN").data["kind"] == "wrong_article"
    assert act(job, "scan", by=packer, code=CODE).data["kind"] == "job_done"
    assert act(job, "scan", by=packer, code=CODE).data["kind"] == "too_many"


def test_line_that_is_complete_says_so(facility, packer, article):
    job = started_pack_job(packer, 1, 1, facility=facility, articles=[article, ArticleFactory()])

    assert act(job, "scan", by=packer, code=CODE).data["kind"] == "line_done"


def test_job_in_other_hands_is_stale(job, facility):
    answer = act(job, "scan", by=staff("packer", facility, email="bea@example.com"), code=CODE)

    assert (answer.status_code, answer.data["kind"]) == (409, "stale")
    assert not PackageItem.objects.exists()


def test_job_of_another_facility_is_stale(job, packer):
    action = scans.Action(id=uuid.uuid4(), kind="scan", job=job.pk, code=CODE)

    answer = scans.act(action, facility=FacilityFactory(), by=packer, now=NOON)

    assert answer.status_code == 409
    assert not PackageItem.objects.exists()


def test_scan_of_a_package_chooses_it(job, packer):
    second = packing.add_package(job.pk, by=packer, now=NOON)

    answer = act(job, "scan", by=packer, code=second.code.lower())

    assert (answer.data["kind"], answer.data["package"]) == ("place", 2)
    assert contents(job) == {1: 0, 2: 0}


def test_units_are_moved_to_another_package(job, packer):
    first, second = job.packages.get(), packing.add_package(job.pk, by=packer, now=NOON)
    line = job.lines.get()
    act(job, "put", by=packer, line=line.pk, package=first.pk, quantity=3)

    answer = act(job, "move", by=packer, line=line.pk, package=first.pk, to_package=second.pk, quantity=2)

    assert answer.data["text"] == "2 × Lamp in package 2."
    assert contents(job) == {1: 1, 2: 2}


def test_move_refuses_more_than_is_there_and_the_same_package(job, packer):
    first, second = job.packages.get(), packing.add_package(job.pk, by=packer, now=NOON)
    line = job.lines.get()
    act(job, "put", by=packer, line=line.pk, package=first.pk, quantity=1)

    more = act(job, "move", by=packer, line=line.pk, package=first.pk, to_package=second.pk, quantity=2)
    same = act(job, "move", by=packer, line=line.pk, package=first.pk, to_package=first.pk, quantity=1)

    assert (more.status_code, same.status_code) == (422, 422)
    assert contents(job) == {1: 1, 2: 0}


def test_every_step_is_undone_in_turn(job, packer):
    first, second = job.packages.get(), packing.add_package(job.pk, by=packer, now=NOON)
    line = job.lines.get()
    act(job, "scan", by=packer, package=first.pk, code=CODE)
    act(job, "put", by=packer, line=line.pk, package=first.pk, quantity=2)
    act(job, "move", by=packer, line=line.pk, package=first.pk, to_package=second.pk, quantity=2)
    act(job, "take_out", by=packer, line=line.pk, package=second.pk, quantity=1)
    assert contents(job) == {1: 1, 2: 1}

    states = []
    for _step in range(4):
        assert act(job, "undo", by=packer).status_code == 200
        states.append(contents(job))

    assert states == [{1: 1, 2: 2}, {1: 3, 2: 0}, {1: 1, 2: 0}, {1: 0, 2: 0}]
    assert job.lines.get().verified == 0
    nothing = act(job, "undo", by=packer)
    assert (nothing.status_code, nothing.data["text"]) == (422, "There is nothing to undo.")


def test_undo_of_what_is_gone_is_refused(job, packer):
    line, package = job.lines.get(), job.packages.get()
    act(job, "put", by=packer, line=line.pk, package=package.pk, quantity=2)
    packing.take_out(job.pk, line.pk, package.pk, 2, by=packer, now=NOON)

    answer = act(job, "undo", by=packer)

    assert (answer.status_code, answer.data["kind"]) == (422, "too_many")
    assert contents(job) == {1: 0}


def test_scan_goes_where_the_article_is_proposed(facility, packer, article):
    chair = ArticleFactory(title="Chair", code="8710398500014", length_mm=590, width_mm=390, height_mm=390)
    box("S", 250, 200, 100)
    box("L", 600, 400, 400)
    job = started_pack_job(packer, 2, 1, facility=facility, articles=[article, chair])
    assert [package.box_type.name for package in job.packages.all()] == ["L", "S"]

    lamp = act(job, "scan", by=packer, code=CODE)
    seat = act(job, "scan", by=packer, code="8710398500014")

    assert lamp.data["text"] == "1 × Lamp in package 2."
    assert seat.data["text"] == "1 × Chair in package 1."


# The address that stations send to


def send(client, body, slug="here"):
    return client.post(
        reverse("packing:scan", args=[slug]), json.dumps(body), content_type="application/json"
    )


def body_of(job, **fields):
    return {"id": str(uuid.uuid4()), "kind": "scan", "job": str(job.pk), "code": CODE, **fields}


def test_station_hears_json_and_a_replay_is_marked(client, job, packer):
    client.force_login(packer)
    body = body_of(job)

    first, again = send(client, body), send(client, body)

    assert (first.status_code, first.json()["scan"]) == (200, body["id"])
    assert "Idempotent-Replay" not in first
    assert again["Idempotent-Replay"] == "true"
    assert contents(job) == {1: 1}


def test_station_that_is_signed_out_hears_it_in_json(client, job):
    answer = send(client, body_of(job))

    assert (answer.status_code, answer.json()["kind"]) == (401, "login")


@pytest.mark.parametrize("body", [[], {"kind": "scan"}, {"kind": "explode"}, "x"])
def test_what_is_no_action_is_refused(client, packer, body):
    client.force_login(packer)

    assert send(client, body).status_code == 400


# What must be scanned


def with_rule(job, rule):
    job.facility.pack_scan = rule
    job.facility.save(update_fields=["pack_scan"])
    return job


def test_each_unit_must_be_scanned(job, packer, closings):
    with_rule(job, "MUST_SCAN_EACH")
    line, package = job.lines.get(), job.packages.get()
    act(job, "scan", by=packer, code=CODE)

    refused = act(job, "put", by=packer, line=line.pk, package=package.pk, quantity=1)
    with pytest.raises(packing.MustScanEach):
        packing.pack_all(job.pk, by=packer, now=NOON)

    assert (refused.status_code, refused.data["text"]) == (
        422,
        "Scan each unit of Lamp. A supervisor may pack without.",
    )
    assert contents(job) == {1: 1}


def test_one_scan_opens_the_line(job, packer):
    with_rule(job, "MUST_SCAN_FIRST")
    line, package = job.lines.get(), job.packages.get()
    assert act(job, "put", by=packer, line=line.pk, package=package.pk, quantity=1).status_code == 422
    act(job, "scan", by=packer, code=CODE)

    assert act(job, "put", by=packer, line=line.pk, package=package.pk, quantity=2).status_code == 200
    assert contents(job) == {1: 3}


def test_supervisor_may_pack_without_a_scan(facility, article):
    supervisor = staff("supervisor", facility)
    job = with_rule(started_pack_job(supervisor, 3, facility=facility, articles=[article]), "MUST_SCAN_EACH")

    packing.pack_all(job.pk, by=supervisor, now=NOON)

    assert (contents(job), job.lines.get().verified) == ({1: 3}, 3)


def test_labels_wait_until_everything_is_verified(job, packer, closings):
    packing.pack_all(job.pk, by=packer, now=NOON)
    package = job.packages.get()
    packing.set_weight(job.pk, package.pk, 1000, by=packer, now=NOON)
    job.lines.update(verified=2)
    with_rule(job, "MUST_SCAN_EACH")

    with pytest.raises(packing.NotVerified) as refusal:
        packing.close(job.pk, by=packer, now=NOON)

    assert refusal.value.params == {"units": 1, "title": "Lamp"}
    assert closings == []
    line = job.lines.get()
    packing.take_out(job.pk, line.pk, package.pk, 1, by=packer, now=NOON)
    packing.take_out(job.pk, line.pk, package.pk, 2, by=packer, now=NOON)
    for _unit in range(3):
        act(job, "scan", by=packer, code=CODE)
    packing.set_weight(job.pk, package.pk, 1000, by=packer, now=NOON)
    packing.close(job.pk, by=packer, now=NOON)
    assert closings == [job.pk]
