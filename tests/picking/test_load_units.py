import pytest
from django.utils import timezone

from fulfillment.core.codes import is_own_code
from fulfillment.core.models import StatusChange
from fulfillment.core.services.stock import ForeignLocation
from packing import services as packing
from packing.models import PackJob
from picking import load_units, runs
from picking import services as picking
from picking.models import LoadUnit
from tests.factories.core import FacilityFactory, StorageLocationFactory
from tests.factories.picking import book, pick_job, started_pick_job
from tests.factories.runs import job_of, run_of, shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def tote(facility):
    return load_units.create(facility, by=None, now=timezone.now())[0]


def done(step, thing, *args, **options):
    return step(thing.pk, *args, by=None, now=timezone.now(), **options)


def pack(job):
    """Pack and close what was picked of a job."""
    pack_job = PackJob.objects.get(pick_job=job.pk)
    done(packing.start, pack_job)
    done(packing.pack_all, pack_job)
    done(packing.close, pack_job, is_weight_estimated=True)


def current(unit):
    return LoadUnit.objects.get(pk=unit.pk)


def test_series_has_codes_of_our_own_each_another(facility):
    units = load_units.create(facility, number=30, type="BOX", by=None, now=timezone.now())

    assert len({unit.code for unit in units}) == 30
    assert all(is_own_code(unit.code, "T") for unit in units)
    assert {(unit.status, unit.type, unit.facility) for unit in units} == {("FREE", "BOX", facility)}
    assert StatusChange.objects.filter(entity="picking.loadunit", action="create").count() == 30


@pytest.mark.parametrize("spelling", ["{code}", "]C1{code}", "{lower}", " {code} "])
def test_unit_is_found_by_its_code_at_its_own_facility_only(facility, tote, spelling):
    text = spelling.format(code=tote.code, lower=tote.code.lower())

    assert load_units.find(facility, text) == tote
    assert load_units.find(FacilityFactory(), text) is None


def test_code_that_stands_on_a_box_already_is_registered_once(facility):
    box = load_units.register(facility, "BOX-7", by=None, now=timezone.now())

    assert load_units.register(facility, "BOX-7", by=None, now=timezone.now()) == box
    with pytest.raises(load_units.CodeTaken):
        load_units.register(FacilityFactory(), "BOX-7", by=None, now=timezone.now())


def test_assigned_unit_is_in_use_and_stands_in_the_history_of_the_order(facility, tote):
    job = pick_job(1, facility=facility)

    unit = done(load_units.assign, tote, job.pk)

    assert (unit.status, unit.job, unit.version) == ("IN_USE", job, 2)
    assert done(load_units.assign, tote, job.pk).version == 2
    assert list(
        StatusChange.objects.filter(order_id=job.order_id, entity="picking.loadunit").values_list(
            "action", "reason"
        )
    ) == [("take", job.short_id)]


def test_unit_of_others_is_refused(facility, tote):
    done(load_units.assign, tote, pick_job(1, facility=facility).pk)

    with pytest.raises(load_units.LoadUnitInUse):
        done(load_units.assign, tote, pick_job(1, facility=facility).pk)


def test_unit_of_another_facility_is_refused(tote):
    with pytest.raises(load_units.LoadUnitElsewhere):
        done(load_units.assign, tote, pick_job(1).pk)


def test_retired_unit_is_refused_and_one_in_use_is_not_retired(facility, tote):
    job = pick_job(1, facility=facility)
    done(load_units.retire, tote)

    with pytest.raises(load_units.LoadUnitRetired):
        done(load_units.assign, tote, job.pk)
    with pytest.raises(load_units.LoadUnitRetired):
        done(load_units.put, tote, None)


def test_job_without_goods_gets_no_unit(facility, tote):
    job = done(picking.abort, pick_job(1, facility=facility))

    with pytest.raises(load_units.NothingToHold):
        done(load_units.assign, tote, job.pk)


def test_unit_stands_on_a_place_of_its_facility(facility, tote):
    place = StorageLocationFactory(facility=facility)

    assert done(load_units.put, tote, place).location == place
    with pytest.raises(ForeignLocation):
        done(load_units.put, tote, StorageLocationFactory())


def test_unit_is_free_when_its_goods_are_packed(facility, picker, tote):
    job = started_pick_job(picker, 1, facility=facility)
    book(job, 1, by=picker)
    picking.close(job.pk, by=picker, now=timezone.now())
    done(load_units.assign, tote, job.pk)  # at the end of picking
    done(load_units.put, tote, StorageLocationFactory(facility=facility))
    assert list(LoadUnit.objects.of_job(job.pk)) == [tote]

    pack(job)

    unit = current(tote)
    assert (unit.status, unit.job, unit.location) == ("FREE", None, None)


def test_units_of_a_batch_are_free_when_its_last_order_is_packed(facility, tote):
    article = shelf(facility, "Mug")
    jobs = [job_of(facility, (article, 1)) for _number in range(2)]
    run = run_of(*jobs, method="BATCH", by="program")
    tote = load_units.take_batch(tote.pk, run.pk, by=None, now=timezone.now())
    done(runs.book, run, [picking.Count(line.pk, picked=1) for line in run.lines.all()])
    done(runs.close, run)
    assert [list(LoadUnit.objects.of_job(job.pk)) for job in jobs] == [[tote], [tote]]

    pack(jobs[0])
    assert current(tote).status == "IN_USE"
    pack(jobs[1])
    assert current(tote).status == "FREE"


def test_unit_of_a_cancelled_job_is_free_at_once(facility, tote):
    job = pick_job(1, facility=facility)
    done(load_units.assign, tote, job.pk)

    done(picking.cancel, job)

    assert current(tote).status == "FREE"
