"""Nobody gets more units back than were handed over, however many take them at once."""

import uuid

import pytest
from django.utils import timezone

from shipping import returns
from shipping.models import ItemReturn, ReturnedItem, ReturnJobLine, Shipment
from tests.factories.core import FacilityFactory
from tests.factories.returns import condition, opened, received, sent, taken
from tests.races.test_stock_races import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def documents_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


def names(outcomes):
    return sorted(type(outcome).__name__ for outcome in outcomes)


def test_last_unit_is_received_once_at_two_facilities():
    job = taken(1)
    here, there = opened(job), opened(job, FacilityFactory())
    line, as_new = job.lines.get(), condition()

    outcomes = race(
        *(
            lambda pk=one.pk: returns.receive(pk, line.pk, 1, as_new, by=None, now=timezone.now())
            for one in (here, there)
        )
    )

    line.refresh_from_db()
    assert names(outcomes) == ["TooManyReturned", "list"]
    assert (line.returned, ReturnedItem.objects.count()) == (1, 1)


def test_return_finished_by_two_is_refunded_once():
    item_return = received(taken(2), 2)

    outcomes = race(*[lambda: returns.finish(item_return.pk, by=None, now=timezone.now())] * 2)

    assert names(outcomes) == ["ItemReturn", "WrongStatus"]
    assert item_return.order.restow_items.get().quantity == 2


def test_last_unit_is_announced_once():
    job = sent(1)
    shipment, line = Shipment.objects.get(), ReturnJobLine.objects.get()

    def by_program():
        wanted = [returns.Wanted(line.pk, 1)]
        return returns.announce(job.pk, wanted, facility=job.facility, by=None, now=timezone.now())

    def by_customer():
        return returns.announce_by_customer(shipment.pk, [returns.Wanted(line.pk, 1)], now=timezone.now())

    outcomes = race(by_program, by_customer)

    assert names(outcomes) == ["ItemReturn", "TooManyReturned"]
    assert (ItemReturn.objects.count(), ReturnedItem.objects.count()) == (1, 1)


def test_goods_that_two_scan_at_once_are_one_return():
    job = taken(2)

    first, second = race(*[lambda: opened(job)] * 2)

    assert first == second


def test_condition_pressed_twice_at_once_counts_once():
    job = taken(2)
    item_return, line, as_new, action = opened(job), job.lines.get(), condition(), uuid.uuid4()

    first, second = race(
        *[
            lambda: returns.receive(
                item_return.pk, line.pk, 1, as_new, action=action, by=None, now=timezone.now()
            )
        ]
        * 2
    )

    line.refresh_from_db()
    assert first == second
    assert (line.returned, ReturnedItem.objects.count()) == (1, 1)
