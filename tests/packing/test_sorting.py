"""The goods of a batch on their way to the boxes of its orders."""

import json
import uuid

import pytest
from django.urls import reverse
from django.utils import timezone

from packing import scans
from packing import services as packing
from packing.models import PackJob, PackScan
from picking.models import PickRun, PickRunJob
from tests.factories.core import ArticleFactory, FacilityFactory, staff
from tests.factories.packing import box, pack_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug(db):
    return ArticleFactory(title="Mug", code="4006381333931")


@pytest.fixture
def lamp(db):
    return ArticleFactory(title="Lamp", code="8710398500014")


@pytest.fixture
def run(facility, mug, lamp):
    """A picked batch of two orders: a mug and two lamps, two mugs."""
    run = PickRun.objects.create(
        facility=facility,
        method="BATCH",
        short_id="R7",
        status=PickRun.Status.CLOSED,
        closed_at=timezone.now(),
    )
    for number, (units, articles) in enumerate([((1, 2), [mug, lamp]), ((2,), [mug])], start=1):
        job = pack_job(*units, facility=facility, articles=articles, number=str(number))
        PickRunJob.objects.create(run=run, job=job.pick_job, number=number)
    return run


def sort(run, code, *, by, key=None):
    action = scans.Action(id=key or uuid.uuid4(), kind="sort", run=run.pk, code=code)
    return scans.act(action, facility=run.facility, by=by, now=timezone.now())


def packed():
    """{order number: packed units}"""
    return {
        job.order.tenant_order_id: sum(line.packed for line in job.lines.with_packed())
        for job in PackJob.objects.select_related("order")
    }


def test_each_unit_is_told_the_box_of_the_first_order_that_misses_it(run, packer, mug):
    answers = [sort(run, "4006381333931", by=packer) for _unit in range(3)]

    assert [answer.data["number"] for answer in answers] == [1, 2, 2]
    assert answers[0].data["text"] == "Box 1: Mug."
    assert answers[2].data["text"] == "Box 2: Mug. AS1 is complete."
    assert packed() == {"1": 1, "2": 2}
    assert set(PackJob.objects.values_list("status", "editor")) == {("IN_PROGRESS", packer.pk)}


def test_sorted_unit_that_is_sent_again_is_booked_once(run, packer):
    key = uuid.uuid4()
    first = sort(run, "4006381333931", by=packer, key=key)

    again = sort(run, "4006381333931", by=packer, key=key)

    assert (again.data, again.is_replay) == (first.data, True)
    assert packed() == {"1": 1, "2": 0}


def test_unit_that_no_order_misses_is_refused(run, packer):
    ArticleFactory(sku="FOREIGN")
    for _unit in range(3):
        sort(run, "4006381333931", by=packer)

    many, foreign, unknown = (sort(run, code, by=packer) for code in ("4006381333931", "FOREIGN", "999"))

    assert (many.status_code, many.data["kind"]) == (422, "too_many")
    assert (foreign.status_code, foreign.data["kind"]) == (422, "wrong_article")
    assert (unknown.status_code, unknown.data["kind"]) == (422, "unknown")
    assert packed() == {"1": 1, "2": 2}


def test_order_that_a_colleague_packs_is_passed_over(run, facility, packer):
    bea = staff("packer", facility, email="bea@example.com")
    packing.start(PackJob.objects.get(order__tenant_order_id="1").pk, by=bea, now=timezone.now())

    mug = sort(run, "4006381333931", by=packer)
    lamp = sort(run, "8710398500014", by=packer)

    assert mug.data["number"] == 2
    assert (lamp.status_code, lamp.data["kind"]) == (409, "stale")


def test_sorted_unit_goes_into_the_proposed_box_and_can_be_undone_at_its_job(run, packer, lamp):
    box("S", 250, 200, 160)
    sort(run, "8710398500014", by=packer)
    job = PackJob.objects.get(order__tenant_order_id="1")

    undone = scans.act(
        scans.Action(id=uuid.uuid4(), kind="undo", job=job.pk),
        facility=run.facility,
        by=packer,
        now=timezone.now(),
    )

    assert undone.status_code == 200
    assert packed() == {"1": 0, "2": 0}


def test_page_shows_the_number_of_the_last_box_in_large(client, run, packer):
    client.force_login(packer)
    address = reverse("packing:run-sort", args=["here", run.pk])

    form = {"id": uuid.uuid4(), "code": "4006381333931"}
    for _click in range(2):
        page = client.post(address, form, follow=True)
    refused = client.post(address, {"id": uuid.uuid4(), "code": "999"}, follow=True)
    empty = client.post(address, {}, follow=True)

    assert page.context["last"]["number"] == 1
    assert [(number, job.packed, job.units) for number, job in page.context["boxes"]] == [
        (1, 1, 3),
        (2, 0, 2),
    ]
    assert "No article has the code 999." in refused.content.decode()
    assert "Scan or type a code." in empty.content.decode()
    assert PackScan.objects.filter(status_code=200).count() == 1


def test_station_sends_json_and_other_facilities_stay_out(client, run, packer):
    client.force_login(packer)
    body = {"id": str(uuid.uuid4()), "kind": "sort", "run": str(run.pk), "code": "4006381333931"}
    send = reverse("packing:scan", args=["here"])

    answer = client.post(send, json.dumps(body), content_type="application/json")
    nothing = client.post(
        send, json.dumps({**body, "id": str(uuid.uuid4()), "run": None}), content_type="application/json"
    )
    foreign = scans.act(
        scans.Action(id=uuid.uuid4(), kind="sort", run=run.pk, code="4006381333931"),
        facility=FacilityFactory(),
        by=packer,
        now=timezone.now(),
    )

    assert (answer.status_code, answer.json()["number"]) == (200, 1)
    assert nothing.status_code == 400
    assert foreign.status_code == 409
