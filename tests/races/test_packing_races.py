import pytest
from django.utils import timezone

from fulfillment.core import events
from fulfillment.core.models import StatusChange, User
from orders.models import Order
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
