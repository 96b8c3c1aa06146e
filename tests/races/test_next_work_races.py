"""Two people ask for work in the same moment."""

import pytest
from django.utils import timezone

from packing import next_work as to_pack
from picking import next_work as to_pick
from picking import runs
from picking.models import PickJob, PickRun
from tests.factories.core import FacilityFactory, staff
from tests.factories.packing import pack_job
from tests.factories.picking import pick_job
from tests.factories.runs import run_of
from tests.races.test_stock_races import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def facility():
    return FacilityFactory()


def ask(module, facility, user):
    return lambda: module.take(facility, by=user, now=timezone.now())


def test_pickers_who_ask_at_once_get_a_job_each(facility):
    jobs = {pick_job(1, facility=facility).pk for _number in range(4)}
    pickers = [staff("picker", facility) for _number in range(4)]

    got = race(*[ask(to_pick, facility, picker) for picker in pickers])

    assert {job.pk for job in got} == jobs
    assert {job.editor_id for job in PickJob.objects.all()} == {picker.pk for picker in pickers}


def test_of_two_pickers_and_one_job_one_gets_it(facility):
    job = pick_job(1, facility=facility)

    got = race(*[ask(to_pick, facility, staff("picker", facility)) for _number in range(2)])

    assert sorted(work is None for work in got) == [False, True]
    assert next(work for work in got if work) == job


def test_of_two_pickers_and_one_run_that_was_put_aside_one_gets_it(facility):
    run = run_of(*[pick_job(1, facility=facility) for _number in range(2)], by=staff("picker", facility))
    runs.pause(run.pk, by=None, now=timezone.now())

    got = race(*[ask(to_pick, facility, staff("picker", facility)) for _number in range(2)])

    assert sorted(work is None for work in got) == [False, True]
    assert next(work for work in got if work) == run
    assert {job.editor for job in PickJob.objects.all()} == {PickRun.objects.get().editor}


def test_picker_who_taps_twice_gets_one_job(facility):
    pick_job(1, facility=facility)
    pick_job(1, facility=facility)
    picker = staff("picker", facility)

    first, second = race(*[ask(to_pick, facility, picker)] * 2)

    assert first == second
    assert PickJob.objects.filter(status=PickJob.Status.IN_PROGRESS).count() == 1


def test_packers_who_ask_at_once_get_a_job_each(facility):
    jobs = {pack_job(1, facility=facility, number=number).pk for number in ("1", "2")}

    got = race(*[ask(to_pack, facility, staff("packer", facility)) for _number in range(2)])

    assert {job.pk for job in got} == jobs
