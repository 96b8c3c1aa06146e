import contextlib

import pytest
from django.utils import timezone

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import User
from shipping import booking, loads, services
from shipping.carriers.demo import Demo
from shipping.events import ParcelRequested
from shipping.models import BookingAttempt, HandoverJob, Load, Parcel
from tests.factories.core import CarrierFactory, FacilityCarrierFactory
from tests.factories.shipping import labelled, parcel, shipment
from tests.races.test_stock_races import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def documents_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def calls(monkeypatch):
    seen, book = [], Demo.book

    def counted(adapter, data):
        seen.append(data.reference)
        return book(adapter, data)

    monkeypatch.setattr(Demo, "book", counted)
    return seen


def test_two_workers_book_a_parcel_once(calls):
    waiting = parcel()

    race(*[lambda: outbox.dispatch("labels", find=delivery_for)] * 2)

    assert len(calls) == 1
    assert Parcel.objects.get(pk=waiting.pk).status == "DONE"


def test_event_delivered_twice_at_once_books_once(calls):
    event = ParcelRequested(parcel().pk)

    def deliver():
        # The second one is told to come back when it meets the first in the middle of its call.
        with contextlib.suppress(outbox.RetryLater):
            booking.book_parcel(event)

    race(deliver, deliver)

    assert len(calls) == 1
    assert (BookingAttempt.objects.count(), HandoverJob.objects.count()) == (1, 1)


def test_parcel_scanned_by_two_is_handed_over_once():
    labelled()
    job = HandoverJob.objects.get()
    people = [User.objects.create_user(f"packer-{number}@example.com") for number in range(2)]

    outcomes = race(*(lambda by=by: services.hand_over(job.pk, by=by, now=timezone.now()) for by in people))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["HandoverJob", "WrongStatus"]


def test_first_parcels_of_two_people_go_onto_one_load():
    first = labelled(number="1")
    second = labelled(number="2", facility=first.facility)
    people = [User.objects.create_user(f"packer-{number}@example.com") for number in range(2)]

    outcomes = race(
        *(
            lambda by=by, code=one.code: loads.add_anywhere(first.facility, code, by=by, now=timezone.now())
            for by, one in zip(people, (first, second), strict=True)
        )
    )

    assert {loaded.parcel for loaded in outcomes} == {first, second}
    assert Load.objects.get().loaded.count() == 2


def test_labels_that_are_asked_for_one_by_one_at_once_make_one_parcel_per_package():
    sent = shipment(2, packages=2, carrier="")
    FacilityCarrierFactory(facility=sent.facility, carrier=CarrierFactory(adapter="demo", key="demo"))
    now = timezone.now()

    race(*[lambda: services.request_parcel(sent.pk, by=None, now=now)] * 2)

    assert Parcel.objects.values("package").distinct().count() == Parcel.objects.count() == 2
