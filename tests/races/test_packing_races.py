import uuid

import pytest
from django.utils import timezone

from fulfillment.core import events
from fulfillment.core.models import StatusChange, User
from orders.models import Order
from packing import scans
from packing import services as packing
from packing.events import PackJobClosed
from packing.models import PackageItem, PackJob
from tests.factories.core import FacilityFactory
from tests.factories.packing import pack_job, started_pack_job
from tests.races.test_stock_races import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def closings(monkeypatch):
    seen = []
    monkeypatch.setitem(
        events._reactions, PackJobClosed, [lambda event, *, by, now: seen.append(event.pack_job_id)]
    )
    return seen


def outcome_names(outcomes):
    return sorted(type(outcome).__name__ for outcome in outcomes)


def test_two_packers_starting_one_job_get_it_once():
    facility = FacilityFactory()
    packers = [User.objects.create_user(f"packer-{number}@example.com") for number in range(2)]
    job = pack_job(facility=facility)

    outcomes = race(
        *(lambda packer=packer: packing.start(job.pk, by=packer, now=timezone.now()) for packer in packers)
    )

    assert outcome_names(outcomes) == ["PackJob", "WrongStatus"]
    assert PackJob.objects.get().packages.count() == 1


def test_one_job_is_closed_once(closings):
    facility = FacilityFactory()
    packer = User.objects.create_user("packer@example.com")
    job = started_pack_job(packer, facility=facility, kind=Order.Kind.COLLECT)
    packing.pack_all(job.pk, by=packer, now=timezone.now())

    def close():
        return packing.close(job.pk, by=packer, now=timezone.now())

    outcomes = race(close, close)

    assert outcome_names(outcomes) == ["NotInProgress", "PackJob"]
    assert closings == [job.pk]
    assert StatusChange.objects.filter(entity_id=job.pk, after="CLOSED").count() == 1


def test_last_unit_is_packed_once():
    facility = FacilityFactory()
    packer = User.objects.create_user("packer@example.com")
    job = started_pack_job(packer, 1, facility=facility)
    line, package = job.lines.get(), job.packages.get()

    def put():
        return packing.put(job.pk, line.pk, package.pk, 1, by=packer, now=timezone.now())

    outcomes = race(put, put)

    assert outcome_names(outcomes) == ["PackLine", "TooManyUnits"]
    assert PackageItem.objects.get().quantity == 1


def test_closing_and_taking_out_at_once_never_close_an_unpacked_job(closings):
    facility = FacilityFactory()
    packer = User.objects.create_user("packer@example.com")
    job = started_pack_job(packer, 1, facility=facility, kind=Order.Kind.COLLECT)
    package, line = packing.pack_all(job.pk, by=packer, now=timezone.now()), job.lines.get()

    race(
        lambda: packing.close(job.pk, by=packer, now=timezone.now()),
        lambda: packing.take_out(job.pk, line.pk, package.pk, 1, by=packer, now=timezone.now()),
    )

    job.refresh_from_db()
    assert (job.status == "CLOSED") == PackageItem.objects.exists()


def act(job, packer, **fields):
    action = scans.Action(job=job.pk, **{"id": uuid.uuid4(), "kind": "scan", **fields})
    return scans.act(action, facility=job.facility, by=packer, now=timezone.now())


def test_scan_sent_twice_at_once_is_booked_once():
    packer = User.objects.create_user("packer@example.com")
    job = started_pack_job(packer, 3, facility=FacilityFactory())
    action = {"id": uuid.uuid4(), "code": job.lines.get().article.sku}

    answers = race(*[lambda: act(job, packer, **action)] * 2)

    assert sorted(answer.is_replay for answer in answers) == [False, True]
    assert answers[0].data == answers[1].data
    assert PackageItem.objects.get().quantity == 1


def test_scans_of_two_stations_at_once_never_pack_more_than_was_picked():
    packer = User.objects.create_user("packer@example.com")
    job = started_pack_job(packer, 1, facility=FacilityFactory())
    code = job.lines.get().article.sku

    answers = race(*[lambda: act(job, packer, code=code)] * 2)

    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert PackageItem.objects.get().quantity == 1


def test_scan_of_the_packer_before_while_a_colleague_takes_over_is_booked_or_stale():
    packer, colleague = (User.objects.create_user(f"p{number}@example.com") for number in range(2))
    job = started_pack_job(packer, 1, facility=FacilityFactory())
    code = job.lines.get().article.sku

    answer, taken = race(
        lambda: act(job, packer, code=code),
        lambda: packing.take_over(job.pk, by=colleague, now=timezone.now()),
    )

    assert taken.editor == colleague
    assert (answer.status_code == 200) == PackageItem.objects.exists()
    assert answer.status_code in {200, 409}
