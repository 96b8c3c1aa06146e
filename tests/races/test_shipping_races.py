import contextlib

import pytest
from django.utils import timezone

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import User
from shipping import booking, services
from shipping.carriers.demo import Demo
from shipping.events import ParcelRequested
from shipping.models import BookingAttempt, HandoverJob, Parcel
from tests.factories.shipping import labelled, parcel
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
