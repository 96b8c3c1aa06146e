"""Missing units in a run: another article instead, the count of what is left, and a photo."""

import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Stock, Substitute
from packing.models import PackJob
from picking import run_queries, runs, scans
from picking.models import LinePhoto, ScanEvent
from tests.factories.runs import job_of, run_of, shelf
from tests.picking.test_photos import picture
from tests.picking.test_run_scans import act, code

pytestmark = pytest.mark.django_db


@pytest.fixture
def mug(facility):
    return shelf(facility, "Mug", aisle=1, bay=2)


@pytest.fixture
def blue(facility, mug):
    """What may be taken instead of the mug."""
    article = shelf(facility, "Blue mug", units=9, aisle=2, bay=1)
    Substitute.objects.create(article=mug, substitute=article)
    return article


@pytest.fixture
def jobs(facility, mug, blue):
    """Two mugs for the first order, one for the second."""
    return job_of(facility, (mug, 2)), job_of(facility, (mug, 1))


def run_by(picker, jobs, method):
    return run_of(*jobs, by=picker, method=method)


def stops(run):
    return [(stop.title, stop.picked, stop.quantity) for stop in run_queries.stops_of(run) if stop.quantity]


def close(run):
    return runs.close(run.pk, is_tote_needed=False, by=run.editor, now=timezone.now())


def test_substitute_in_a_batch_is_one_stop_with_a_line_for_each_order(picker, jobs, blue, mug):
    run = run_by(picker, jobs, "BATCH")
    (stop,) = run_queries.stops_of(run)
    act(run, "scan", code=code(mug))

    taken = act(run, "substitute", line=stop.pk, code=blue.sku)
    for _unit in range(2):
        last = act(run, "scan", code=code(blue))
    close(run)

    assert (taken.status_code, taken.data["kind"], taken.data["line"]["quantity"]) == (200, "substituted", 2)
    assert taken.data["line"]["id"] == taken.data["scan"]
    assert last.data["kind"] == "job_done"
    packed = [
        sorted((line.title, line.quantity) for line in PackJob.objects.get(pick_job=job).lines.all())
        for job in jobs
    ]
    assert packed == [[("Blue mug", 1), ("Mug", 1)], [("Blue mug", 1)]]
    assert Stock.objects.get(listing__article=blue).value == 7


@pytest.mark.parametrize("method", ["MULTI_ORDER", "BATCH"])
def test_substitution_in_a_run_is_taken_back(picker, jobs, blue, mug, method):
    run = run_by(picker, jobs, method)
    stop = run_queries.stops_of(run)[0]
    before = stops(run)
    act(run, "substitute", line=stop.pk, code=blue.sku)
    act(run, "scan", code=code(blue))

    answers = [act(run, "undo") for _time in range(2)]

    assert [answer.data["kind"] for answer in answers] == ["ok", "substituted"]
    assert answers[1].data["line"]["id"] == str(stop.pk)
    assert stops(run) == before
    assert act(run, "undo").status_code == scans.REFUSED
    assert all(event.undone_by for event in ScanEvent.objects.filter(moved__gt=0))


def test_substitute_in_a_run_goes_into_the_tote_of_its_order(picker, jobs, blue):
    run = run_by(picker, jobs, "MULTI_ORDER")
    second = run_queries.stops_of(run)[1]

    act(run, "substitute", line=second.pk, code=blue.sku)

    other = next(stop for stop in run_queries.stops_of(run) if stop.replaces_id)
    assert (other.job_id, other.into) == (jobs[1].pk, second.into)


def test_screen_of_a_run_keeps_what_may_be_taken_instead(client, facility, picker, jobs, blue):
    run = run_by(picker, jobs, "BATCH")
    (stop,) = run_queries.stops_of(run)
    client.force_login(picker)
    address = reverse("picking:run-detail", args=[facility.slug, run.pk])
    assert [one.title for one in client.get(address).context["choices"]] == ["Blue mug"]
    act(run, "substitute", line=stop.pk, code=blue.sku)
    for _unit in range(2):  # all of the first order
        act(run, "scan", code=code(blue))

    data = client.get(address).context["job_data"]

    lines = {line["title"]: line for line in data["lines"]}
    assert (lines["Mug"]["quantity"], lines["Mug"]["substitutes"][0]["title"]) == (0, "Blue mug")
    assert lines["Blue mug"]["replaces"] == lines["Mug"]["id"]
    ours = lines["Blue mug"]["id"]
    assert data["history"] == [[ours, 0, 0, 3], [ours, 1, 0, 0], [ours, 1, 0, 0]]


@pytest.mark.parametrize("is_emptied", [False, True])
def test_count_at_a_stop_of_a_batch_becomes_its_stock(facility, picker, jobs, mug, is_emptied):
    facility.counts_on_short_pick, facility.zero_stock_on_short_pick = True, is_emptied
    facility.save()
    run = run_by(picker, jobs, "BATCH")
    (stop,) = run_queries.stops_of(run)
    act(run, "scan", code=code(mug))
    act(run, "short", line=stop.pk, reason="DAMAGED", left=5)

    close(run)

    assert Stock.objects.get(listing__article=mug).value == 5


def test_photo_of_a_stop_is_kept_with_its_line(client, facility, picker, jobs):
    run = run_by(picker, jobs, "BATCH")
    (stop,) = run_queries.stops_of(run)
    client.force_login(picker)
    address = reverse("picking:run-photo-keep", args=[facility.slug, run.pk])

    def send(line):
        photo = SimpleUploadedFile("shelf.png", picture())
        return client.post(address, {"id": str(uuid.uuid4()), "line": str(line), "photo": photo})

    answer, elsewhere = send(stop.pk), send(uuid.uuid4())

    assert (answer.status_code, elsewhere.status_code) == (200, 422)
    assert LinePhoto.objects.get().line == stop.lines[0]
    act(run, "short", line=stop.pk, reason="DAMAGED")
    page = client.get(reverse("picking:run-detail", args=[facility.slug, run.pk])).content.decode()
    assert reverse("picking:photo", args=[facility.slug, LinePhoto.objects.get().pk]) in page
