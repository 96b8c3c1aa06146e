import pytest
from django.utils import timezone

from fulfillment.core.models import StatusChange, Stock, Zone
from orders import services as orders
from packing.models import PackJob
from picking import load_units, restow, runs
from picking import services as picking
from picking.models import LoadUnit, PickingRules, PickJob, PickLine, PickRun, RestowItem
from tests.factories.core import staff
from tests.factories.picking import pick_job
from tests.factories.runs import job_of, run_of, shelf

pytestmark = pytest.mark.django_db


def done(step, thing, *args, by=None, **options):
    return step(thing.pk, *args, by=by, now=timezone.now(), **options)


def statuses(*things):
    return [type(thing).objects.get(pk=thing.pk).status for thing in things]


def log_of(thing):
    return list(StatusChange.objects.filter(entity_id=thing.pk).values_list("action", "after"))


def pick_all(run, *, by=None):
    counts = [picking.Count(line.pk, picked=line.quantity) for line in run.lines.all()]
    return done(runs.book, run, counts, by=by)


@pytest.fixture
def mug(facility):
    return shelf(facility, "Mug", aisle=1, bay=2)


@pytest.fixture
def lamp(facility):
    return shelf(facility, "Lamp", aisle=3, bay=1)


@pytest.fixture
def towel(facility):
    return shelf(facility, "Towel", aisle=1, bay=5)


@pytest.fixture
def two(facility, mug, lamp, towel):
    """Two jobs that share an article."""
    return job_of(facility, (lamp, 1), (mug, 2)), job_of(facility, (mug, 1), (towel, 3))


# Creating


def test_run_has_the_lines_of_its_jobs_in_one_walk(two):
    run = run_of(*two)

    assert (run.status, run.short_id) == ("OPEN", "#1")
    assert [(line.title, line.job) for line in run.lines.order_by("sequence", "job__short_id")] == [
        ("Mug", two[0]),
        ("Mug", two[1]),
        ("Towel", two[1]),
        ("Lamp", two[0]),
    ]
    assert [(one.number, one.job) for one in run.run_jobs.all()] == [(1, two[0]), (2, two[1])]
    assert log_of(run) == [("create", "OPEN")]
    assert statuses(*two) == ["OPEN", "OPEN"]


def test_run_ids_count_per_facility_and_leave_out_those_in_use(facility, mug):
    ids = [run_of(job_of(facility, (mug, 1))).short_id for _number in range(2)]

    assert ids == ["#1", "#2"]


def test_job_is_in_one_run_at_a_time(two):
    run_of(two[0])

    with pytest.raises(runs.JobInAnotherRun):
        run_of(*two)


def test_job_that_somebody_picks_is_not_for_a_run(two, picker):
    done(picking.start, two[0], by=picker)

    with pytest.raises(runs.JobNotFree):
        run_of(*two)


def test_job_of_another_facility_is_refused(two):
    foreign = pick_job(1)

    with pytest.raises(runs.JobNotThere):
        run_of(two[0], foreign)


def test_run_without_jobs_or_with_too_many_is_refused(facility, two, monkeypatch):
    with pytest.raises(runs.NoJobs):
        runs.create(facility, [], "BATCH", by=None, now=timezone.now())
    monkeypatch.setattr(runs, "MOST_JOBS", 1)
    with pytest.raises(runs.TooManyJobs):
        run_of(*two)


def test_method_of_the_job_goes_before_that_of_the_facility_and_that_before_the_network(facility, two):
    def create():
        return runs.create(facility, [two[0].pk], "BATCH", by=None, now=timezone.now())

    with pytest.raises(runs.MethodNotForJob):
        create()
    PickingRules.objects.create(methods=["BATCH"])
    done(runs.cancel, create())
    facility.picking_methods = ["SINGLE_ORDER", "MULTI_ORDER"]
    facility.save()
    with pytest.raises(runs.MethodNotForJob):
        create()
    done(picking.modify, two[0], picking_methods=["BATCH"])
    assert create().method == "BATCH"


# Starting, pausing, taking over


def test_start_begins_the_jobs_for_the_picker(two, picker):
    run = run_of(*two, by=picker)

    assert (run.status, run.editor) == ("IN_PROGRESS", picker)
    assert [(job.status, job.editor) for job in PickJob.objects.all()] == [("IN_PROGRESS", picker)] * 2
    assert log_of(run) == [("create", "OPEN"), ("start", "IN_PROGRESS")]


def test_run_that_is_ones_own_already_stays_as_it_is(two, picker, colleague):
    run = run_of(*two, by=picker)

    assert done(runs.start, run, by=picker).version == run.version
    with pytest.raises(runs.RunOfSomeoneElse):
        done(runs.start, run, by=colleague)


def test_pause_puts_the_jobs_aside_and_a_colleague_goes_on(two, picker, colleague):
    run = run_of(*two, by=picker)

    done(runs.pause, run, by=picker)

    assert statuses(run, *two) == ["PAUSED"] * 3
    done(runs.start, run, by=colleague)
    assert {job.editor for job in PickJob.objects.all()} == {colleague}


def test_take_over_goes_on_with_what_is_picked(two, picker, colleague):
    run = run_of(*two, by=picker)
    line = run.lines.first()
    done(runs.book, run, [picking.Count(line.pk, picked=1)], by=picker)

    run = done(runs.take_over, run, by=colleague)

    line.refresh_from_db()
    assert (run.editor, line.picked) == (colleague, 1)
    assert {job.editor for job in PickJob.objects.all()} == {colleague}
    assert [action for action, _after in log_of(run)] == ["create", "start", "book", "pause", "start"]


def test_take_over_can_be_left_to_supervisors(facility, two, picker, colleague):
    run = run_of(*two, by=picker)
    PickingRules.objects.create(facility=facility, may_take_over=False)

    with pytest.raises(runs.TakeOverDisabled):
        done(runs.take_over, run, by=colleague)
    supervisor = staff("supervisor", facility)
    assert done(runs.take_over, run, by=supervisor).editor == supervisor


def test_job_in_a_run_is_begun_put_aside_and_taken_over_with_its_run_only(two, picker, colleague):
    run = run_of(*two)

    with pytest.raises(picking.InARun):
        done(picking.start, two[0], by=colleague)
    done(runs.start, run, by=picker)
    for step in (picking.pause, picking.take_over):
        with pytest.raises(picking.InARun):
            done(step, two[0], by=colleague)
    assert statuses(run, *two) == ["IN_PROGRESS"] * 3


# Booking and closing


def test_book_refuses_more_than_is_ordered_and_lines_of_others(two, facility, mug):
    run = run_of(*two, by="program")
    line, foreign = run.lines.first(), job_of(facility, (mug, 1)).lines.get()

    with pytest.raises(picking.TooManyPicked):
        done(runs.book, run, [picking.Count(line.pk, picked=99)])
    with pytest.raises(runs.NotInThisRun):
        done(runs.book, run, [picking.Count(foreign.pk, picked=1)])
    assert set(PickLine.objects.values_list("picked", flat=True)) == {0}


def test_close_closes_every_job_and_consumes_its_stock(two, picker):
    run = run_of(*two, by=picker)
    pick_all(run, by=picker)

    done(runs.close, run, by=picker)

    assert statuses(run, *two) == ["CLOSED"] * 3
    assert PackJob.objects.count() == 2
    assert sum(Stock.objects.values_list("value", flat=True)) == 150 - 7
    assert [line.run for line in PickLine.objects.all()] == [run] * 4


def test_close_refuses_pending_units_unless_they_are_missing(two, picker):
    run = run_of(*two, by=picker)

    with pytest.raises(picking.LinesPending):
        done(runs.close, run, by=picker)
    line = two[0].lines.first()
    done(runs.book, run, [picking.Count(line.pk, picked=1)], by=picker)
    done(runs.close, run, by=picker, is_rest_missing=True)

    assert statuses(run, *two) == ["CLOSED", "CLOSED", "ABORTED"]
    assert PickJob.objects.get(pk=two[0].pk).sub_status == "SHORT_PICKED"


def test_close_refuses_a_colleague_and_a_paused_run(two, picker, colleague):
    run = run_of(*two, by=picker)
    pick_all(run, by=picker)

    with pytest.raises(runs.RunOfSomeoneElse):
        done(runs.close, run, by=colleague)
    done(runs.pause, run, by=picker)
    with pytest.raises(runs.RunNotStarted):
        done(runs.close, run, by=picker)


def test_screen_asks_for_a_tote_of_every_order(facility, two, picker):
    run = run_of(*two, by=picker)
    pick_all(run, by=picker)
    units = load_units.create(facility, number=2, by=picker, now=timezone.now())
    done(load_units.assign, units[0], two[0].pk, by=picker)

    with pytest.raises(runs.ToteMissing, match=two[1].short_id):
        done(runs.close, run, by=picker, is_tote_needed=True)
    done(load_units.assign, units[1], two[1].pk, by=picker)
    done(runs.close, run, by=picker, is_tote_needed=True)

    assert statuses(run) == ["CLOSED"]


# Jobs that leave


def test_removed_job_is_put_aside_and_picked_alone(two, picker, colleague):
    run = run_of(*two, by=picker)
    done(runs.book, run, [picking.Count(two[0].lines.first().pk, picked=1)], by=picker)

    done(runs.remove_job, run, two[0].pk, by=picker)

    assert statuses(run, *two) == ["IN_PROGRESS", "PAUSED", "IN_PROGRESS"]
    assert {line.job for line in run.lines.all()} == {two[1]}
    done(picking.start, two[0], by=colleague)
    assert two[0].lines.first().picked == 1


def test_run_without_jobs_is_obsolete(two, picker):
    run = run_of(*two, by=picker)

    for job in two:
        done(runs.remove_job, run, job.pk, by=picker)

    assert statuses(run) == ["OBSOLETE"]


def test_goods_of_a_batch_are_mixed(two, picker):
    run = run_of(*two, by=picker, method="BATCH")
    done(runs.book, run, [picking.Count(two[0].lines.first().pk, picked=1)], by=picker)

    with pytest.raises(runs.GoodsAreMixed):
        done(runs.remove_job, run, two[0].pk, by=picker)
    with pytest.raises(runs.GoodsAreMixed):
        done(runs.cancel, run, by=picker)
    done(runs.remove_job, run, two[1].pk, by=picker)


def test_cancelled_run_leaves_its_jobs_to_others(two, picker):
    run = run_of(*two, by=picker)

    done(runs.cancel, run, by=picker)

    assert statuses(run, *two) == ["CANCELED", "PAUSED", "PAUSED"]
    assert run_of(*two, by=picker).status == "IN_PROGRESS"


def test_cancelled_order_leaves_its_run(two, picker):
    run = run_of(*two, by=picker)

    orders.cancel(two[0].order_id, by=None, now=timezone.now())

    assert statuses(run, *two) == ["IN_PROGRESS", "CANCELED", "IN_PROGRESS"]
    assert {line.job for line in run.lines.all()} == {two[1]}
    orders.cancel(two[1].order_id, by=None, now=timezone.now())
    assert statuses(run) == ["OBSOLETE"]


def test_job_that_is_reset_leaves_its_run(two, picker):
    run = run_of(*two, by=picker)

    done(picking.reset, two[0])

    assert statuses(run, two[0]) == ["IN_PROGRESS", "OPEN"]
    assert not two[0].lines.filter(run=run).exists()


def test_run_ends_with_the_last_job_that_a_program_closes(two):
    run = run_of(*two, by="program")

    for job in two:
        assert statuses(run) == ["IN_PROGRESS"]
        done(picking.close, job, is_rest_missing=True)

    # Nothing was picked: the jobs are aborted, and a run of nothing is obsolete.
    assert statuses(run, *two) == ["OBSOLETE", "ABORTED", "ABORTED"]
    again = [job_of(run.facility, (two[0].lines.first().article, 1)) for _number in range(2)]
    second = run_of(*again, by="program")
    pick_all(second)
    for job in again:
        done(picking.close, job)
    assert statuses(second) == ["CLOSED"]


# By zones


@pytest.fixture
def zones(facility):
    return [Zone.objects.create(facility=facility, name=name) for name in ("Cold", "Dry")]


@pytest.fixture
def zoned(facility, zones):
    """A job with a line in each of two zones."""
    return job_of(facility, *((shelf(facility, zone.name, zone=zone), 1) for zone in zones))


def test_picker_sees_the_lines_of_the_own_zones_and_the_last_one_closes_the_job(
    zoned, zones, picker, colleague
):
    cold = run_of(zoned, method="ZONE", zones=[zones[0]], by=picker)
    dry = run_of(zoned, method="ZONE", zones=[zones[1]], by=colleague)

    assert [[line.title for line in run.lines.all()] for run in (cold, dry)] == [["Cold"], ["Dry"]]
    pick_all(cold, by=picker)
    done(runs.close, cold, by=picker)
    assert statuses(cold, dry, zoned) == ["CLOSED", "IN_PROGRESS", "IN_PROGRESS"]
    pick_all(dry, by=colleague)
    done(runs.close, dry, by=colleague)
    assert statuses(dry, zoned) == ["CLOSED", "CLOSED"]


def test_job_waits_for_its_next_zone_when_nobody_is_there_yet(zoned, zones, picker, colleague):
    cold = run_of(zoned, method="ZONE", zones=[zones[0]], by=picker)
    pick_all(cold, by=picker)

    done(runs.close, cold, by=picker)

    assert statuses(zoned) == ["PAUSED"]
    dry = run_of(zoned, method="ZONE", zones=[zones[1]], by=colleague)
    pick_all(dry, by=colleague)
    done(runs.close, dry, by=colleague)
    assert statuses(zoned) == ["CLOSED"]


def test_job_goes_on_while_one_of_its_zones_is_put_aside(zoned, zones, picker, colleague):
    cold = run_of(zoned, method="ZONE", zones=[zones[0]], by=picker)
    dry = run_of(zoned, method="ZONE", zones=[zones[1]], by=colleague)

    done(runs.pause, cold, by=picker)
    assert statuses(zoned) == ["IN_PROGRESS"]
    done(runs.pause, dry, by=colleague)
    assert statuses(zoned) == ["PAUSED"]


def test_zone_without_work_is_no_run(zoned, zones, picker):
    run_of(zoned, method="ZONE", zones=[zones[0]], by=picker)

    with pytest.raises(runs.NothingInTheZones):
        run_of(zoned, method="ZONE", zones=[zones[0]], by=picker)
    with pytest.raises(runs.ZonesMissing):
        run_of(zoned, method="ZONE", by=picker)


# Goods that go back


def test_tote_is_free_when_the_last_goods_of_a_given_up_job_are_on_their_shelf(facility, two, picker):
    (unit,) = load_units.create(facility, by=picker, now=timezone.now())
    done(load_units.assign, unit, two[0].pk, by=picker)
    run = run_of(*two, by=picker)
    pick_all(run, by=picker)

    done(picking.abort, two[0])

    assert statuses(unit) == ["IN_USE"]
    for item in RestowItem.objects.all():
        restow.put_back(item.pk, by=picker, now=timezone.now())
    assert statuses(unit) == ["FREE"]
    assert LoadUnit.objects.get().job is None
    assert PickRun.objects.get().run_jobs.count() == 1
