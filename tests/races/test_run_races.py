"""Two pickers in one run, or around it: a line is never picked twice, and nobody waits in a circle."""

import uuid

import pytest
from django.db.models import Sum
from django.utils import timezone

from orders import services as orders
from picking import load_units, run_scans, runs, scans
from picking import services as picking
from picking.models import LoadUnit, PickJob, PickLine, PickRun, ScanEvent
from tests.factories.core import FacilityFactory, staff
from tests.factories.runs import job_of, run_of, shelf
from tests.races.test_stock_races import assert_ledger, race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def facility():
    return FacilityFactory()


@pytest.fixture
def picker(facility):
    return staff("picker", facility)


@pytest.fixture
def colleague(facility):
    return staff("picker", facility)


@pytest.fixture
def mug(facility):
    return shelf(facility, "Mug")


def scan(run, article, by):
    action = scans.Action(
        id=uuid.uuid4(), kind="scan", job=run.pk, code=article.codes.values_list("code", flat=True)[0]
    )
    return run_scans.act(action, facility=run.facility, by=by, now=timezone.now())


def names(outcomes):
    return sorted(type(outcome).__name__ for outcome in outcomes)


@pytest.mark.parametrize("method", ["MULTI_ORDER", "BATCH"])
def test_two_devices_in_one_run_never_exceed_a_line(facility, picker, mug, method):
    run = run_of(*[job_of(facility, (mug, 2)) for _number in range(3)], by=picker, method=method)

    def four():
        return [scan(run, mug, picker).data["kind"] for _time in range(4)]

    kinds = [kind for kinds in race(four, four) for kind in kinds]

    assert kinds.count("too_many") == 2
    assert list(PickLine.objects.values_list("picked", flat=True)) == [2, 2, 2]
    assert ScanEvent.objects.aggregate(units=Sum("picked_delta"))["units"] == 6


@pytest.mark.parametrize("method", ["MULTI_ORDER", "BATCH"])
def test_line_is_split_while_it_is_scanned_and_no_unit_is_gained_or_lost(facility, picker, mug, method):
    job = job_of(facility, (mug, 4))
    run = run_of(job, job_of(facility, (mug, 1)), by=picker, method=method)
    part = picking.Split(job.lines.get().pk, quantity=2)

    kinds, _job = race(
        lambda: [scan(run, mug, picker).data["kind"] for _time in range(2)],
        lambda: picking.split(job.pk, [part], by=None, now=timezone.now()),
    )

    assert set(kinds) <= {"ok", "line_done"}
    assert sorted(job.lines.values_list("quantity", flat=True)) == [2, 2]
    assert job.lines.aggregate(units=Sum("picked"))["units"] == 2


def test_scan_of_the_colleague_who_lost_the_run_books_nothing(facility, picker, colleague, mug):
    run = run_of(job_of(facility, (mug, 5)), by=picker)

    outcomes = race(
        lambda: runs.take_over(run.pk, by=colleague, now=timezone.now()),
        lambda: scan(run, mug, picker),
    )

    answer = next(one for one in outcomes if isinstance(one, scans.Answer))
    assert PickLine.objects.get().picked == (1 if answer.status_code == 200 else 0)
    assert scan(run, mug, picker).status_code == 409
    assert scan(run, mug, colleague).status_code == 200


def test_two_zones_of_one_job_are_picked_at_once_and_close_it_once(facility, picker, colleague):
    zones = [facility.zones.create(name=name) for name in ("Cold", "Dry")]
    goods = [shelf(facility, zone.name, zone=zone) for zone in zones]
    job = job_of(facility, *((article, 2) for article in goods))
    work = [
        (run_of(job, method="ZONE", zones=[zone], by=person), article, person)
        for zone, article, person in zip(zones, goods, (picker, colleague), strict=True)
    ]

    def pick(run, article, person):
        for _unit in range(2):
            assert scan(run, article, person).status_code == 200
        return runs.close(run.pk, by=person, now=timezone.now())

    outcomes = race(*(lambda one=one: pick(*one) for one in work))

    assert names(outcomes) == ["PickRun", "PickRun"]
    assert PickJob.objects.get().status == "CLOSED"
    assert set(PickRun.objects.values_list("status", flat=True)) == {"CLOSED"}
    assert_ledger()


def test_one_job_comes_into_one_of_two_runs(facility, mug):
    job = job_of(facility, (mug, 1))
    facility.picking_methods = ["BATCH"]
    facility.save(update_fields=["picking_methods"])

    def create():
        return runs.create(facility, [job.pk], "BATCH", by=None, now=timezone.now())

    assert names(race(create, create)) == ["JobInAnotherRun", "PickRun"]


def test_job_is_begun_alone_or_in_a_run_but_not_both(facility, picker, colleague, mug):
    job = job_of(facility, (mug, 1))
    facility.picking_methods = ["BATCH"]
    facility.save(update_fields=["picking_methods"])

    outcomes = race(
        lambda: runs.begin_new(facility, [job.pk], "BATCH", by=picker, now=timezone.now()),
        lambda: picking.start(job.pk, by=colleague, now=timezone.now()),
    )

    assert names(outcomes) in (["InARun", "PickRun"], ["JobNotFree", "PickJob"])


def test_order_is_cancelled_while_its_run_is_scanned(facility, picker, mug):
    jobs = [job_of(facility, (mug, 2)) for _number in range(2)]
    run = run_of(*jobs, by=picker)

    race(
        lambda: orders.cancel(jobs[1].order_id, by=None, now=timezone.now()),
        lambda: [scan(run, mug, picker) for _unit in range(4)],
    )

    cancelled = PickJob.objects.get(pk=jobs[1].pk)
    assert PickLine.objects.get(job=jobs[0]).picked == 2
    assert (cancelled.status == "CANCELED") == (PickLine.objects.get(job=cancelled).picked == 0)


def test_one_tote_goes_to_one_of_two_jobs(facility, mug):
    jobs = [job_of(facility, (mug, 1)) for _number in range(2)]
    (tote,) = load_units.create(facility, by=None, now=timezone.now())

    outcomes = race(
        *(lambda job=job: load_units.assign(tote.pk, job.pk, by=None, now=timezone.now()) for job in jobs)
    )

    assert names(outcomes) == ["LoadUnit", "LoadUnitInUse"]
    assert LoadUnit.objects.get().job in jobs
