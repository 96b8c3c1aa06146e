"""Two scanners, one job: whatever arrives together is booked once."""

import uuid

import pytest
from django.db.models import Sum
from django.utils import timezone

from fulfillment.core.models import Listing, StatusChange, Stock
from orders import services as orders
from packing import services as packing
from packing.models import PackJob
from picking import services as picking
from picking.models import PickJob, PickLine, ScanEvent
from tests.factories.core import FacilityFactory, staff
from tests.factories.picking import act, book, code_of, pick_job, started_pick_job
from tests.races.test_stock_races import assert_ledger, race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def facility():
    return FacilityFactory()


@pytest.fixture
def picker(facility):
    return staff("picker", facility)


def names(outcomes):
    return sorted(type(outcome).__name__ for outcome in outcomes)


def kinds(answers):
    return sorted(answer.data["kind"] for answer in answers)


def test_two_scanners_on_the_last_unit_book_it_once(facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    code = code_of(job.lines.get())

    answers = race(*[lambda: act(job, "scan", by=picker, code=code)] * 2)

    assert kinds(answers) == ["job_done", "too_many"]
    assert PickLine.objects.get().picked == 1


def test_many_scans_of_one_line_lose_none(facility, picker):
    job = started_pick_job(picker, 8, facility=facility)
    code = code_of(job.lines.get())

    def scan_two():
        return [act(job, "scan", by=picker, code=code) for _time in range(2)]

    race(*[scan_two] * 4)

    assert PickLine.objects.get().picked == 8
    assert ScanEvent.objects.aggregate(units=Sum("picked_delta"))["units"] == 8


def test_one_id_sent_twice_at_once_books_once_and_answers_alike(facility, picker):
    job = started_pick_job(picker, 5, facility=facility)
    code, identity = code_of(job.lines.get()), uuid.uuid4()

    answers = race(*[lambda: act(job, "scan", by=picker, code=code, action_id=identity)] * 4)

    assert [answer.status_code for answer in answers] == [200] * 4
    assert sorted(answer.is_replay for answer in answers) == [False, True, True, True]
    assert all(answer.data == answers[0].data for answer in answers)
    assert PickLine.objects.get().picked == 1


def test_job_is_closed_once(facility, picker):
    job = started_pick_job(picker, 2, facility=facility, spare=5)
    book(job, 2, by=picker)

    outcomes = race(*[lambda: picking.close(job.pk, by=picker, now=timezone.now())] * 2)

    assert names(outcomes) == ["NotStarted", "PickJob"]
    assert Stock.objects.get().value == 5
    assert PackJob.objects.count() == 1
    assert StatusChange.objects.filter(entity_id=job.pk, after="CLOSED").count() == 1
    assert_ledger()


def test_closing_and_undoing_at_once_never_close_a_job_with_open_units(facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 2, by=picker)

    race(
        lambda: picking.close(job.pk, by=picker, now=timezone.now()),
        lambda: act(job, "undo", by=picker),
    )

    job.refresh_from_db()
    assert (job.status == "CLOSED") == (PickLine.objects.get().picked == 2)
    assert Stock.objects.get().value == (0 if job.status == "CLOSED" else 2)


def test_cancelling_and_scanning_at_once_never_pick_for_a_cancelled_order(facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    code = code_of(job.lines.get())

    race(
        lambda: orders.cancel(job.order_id, by=None, now=timezone.now()),
        lambda: act(job, "scan", by=picker, code=code),
    )

    job.refresh_from_db()
    assert (job.status == "CANCELED") == (PickLine.objects.get().picked == 0)
    assert Listing.objects.get().reserved == (0 if job.status == "CANCELED" else 1)


def test_two_pickers_starting_one_job_get_it_once(facility):
    pickers = [staff("picker", facility) for _number in range(2)]
    job = pick_job(facility=facility)

    outcomes = race(
        *(lambda picker=picker: picking.start(job.pk, by=picker, now=timezone.now()) for picker in pickers)
    )

    assert names(outcomes) == ["PickJob", "PickedBySomeoneElse"]
    assert PickJob.objects.get().editor in pickers


def test_jobs_routed_at_once_get_different_short_ids(facility):
    def one():
        return pick_job(1, facility=facility)

    outcomes = race(*[one] * 4)

    assert sorted(job.short_id for job in outcomes) == ["AV1", "AV2", "AV3", "AV4"]


def test_two_programs_with_one_version_count_once(facility):
    job = started_pick_job(None, 2, facility=facility)
    line = job.lines.get()

    def count(units):
        counts = [picking.Count(line.pk, picked=units)]
        return picking.book(job.pk, counts, by=None, now=timezone.now(), version=job.version)

    outcomes = race(lambda: count(1), lambda: count(2))

    assert names(outcomes) == ["PickJob", "VersionConflict"]


def test_picking_is_taken_back_or_packed_but_not_both(facility):
    job = started_pick_job(None, 1, facility=facility)
    picking.book(job.pk, [picking.Count(job.lines.get().pk, picked=1)], by=None, now=timezone.now())
    picking.close(job.pk, by=None, now=timezone.now())
    pack_job = PackJob.objects.get()

    outcomes = race(
        lambda: picking.reset(job.pk, by=None, now=timezone.now()),
        lambda: packing.start(pack_job.pk, by=None, now=timezone.now()),
    )

    job.refresh_from_db()
    pack_job.refresh_from_db()
    assert names(outcomes) in (["PackJob", "PackingBegan"], ["PickJob", "WrongStatus"])
    assert (job.status, pack_job.status) in {("CLOSED", "IN_PROGRESS"), ("OPEN", "OBSOLETE")}
    assert_ledger()
