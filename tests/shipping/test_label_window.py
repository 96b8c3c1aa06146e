"""A shop may want its labels made later: nothing is booked, entered or printed before."""

import datetime

import pytest
import time_machine
from django.urls import reverse
from django.utils.formats import date_format

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import OutboxEntry
from orders.models import Order
from packing.models import PackJob
from shipping import booking
from shipping.models import BookingAttempt, Parcel
from tests.factories.core import staff
from tests.factories.shipping import parcel

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture
def early():
    """A parcel that was packed at noon and whose label may be made nine days later."""
    with time_machine.travel(NOON, tick=False):
        waiting = parcel(2)
        Order.objects.update(label_not_before=NOON + datetime.timedelta(days=9))
    return waiting


def work(*, days, hours=0):
    with time_machine.travel(NOON + datetime.timedelta(days=days, hours=hours), tick=False):
        outbox.dispatch("labels", find=delivery_for)
    return Parcel.objects.get()


def test_label_is_booked_when_its_window_opens_however_late_that_is(early):
    assert work(days=0).status == Parcel.Status.OPEN
    assert work(days=8, hours=23).status == Parcel.Status.OPEN
    assert not BookingAttempt.objects.exists()
    assert set(OutboxEntry.objects.filter(lane="labels").values_list("state", flat=True)) == {"DUE"}

    assert work(days=9).status == Parcel.Status.DONE
    assert BookingAttempt.objects.count() == 1


def test_window_that_the_shop_moves_forward_counts_within_the_hour(early):
    work(days=0)
    Order.objects.update(label_not_before=NOON)

    assert work(days=0, hours=1).status == Parcel.Status.DONE


def test_number_is_not_entered_before_the_window(early):
    with time_machine.travel(NOON, tick=False), pytest.raises(booking.LabelTooEarly) as refusal:
        booking.enter_number(early.pk, "TRACK-1", by=None, now=NOON)

    assert "11 March 2026, 13:00" in refusal.value.english
    assert Parcel.objects.get().status == Parcel.Status.OPEN


def page(client, early, screen):
    client.force_login(staff("administrator"))
    slug = early.facility.slug
    url = {
        "pack-done": lambda: reverse("shipping:pack-done", args=[slug, PackJob.objects.get().pk]),
        "parcel-detail": lambda: reverse("shipping:parcel-detail", args=[slug, early.pk]),
        "shipment-list": lambda: reverse("shipping:shipment-list", args=[slug]),
        "order": lambda: reverse("overview:order-detail", args=[early.order_id]),
    }[screen]()
    return client.get(url).content.decode()


@pytest.mark.parametrize("screen", ["pack-done", "parcel-detail", "shipment-list", "order"])
def test_staff_see_from_when_on_the_label_is_made(early, client, screen):
    with time_machine.travel(NOON, tick=False):
        words = page(client, early, screen)

    assert date_format(NOON + datetime.timedelta(days=9), "SHORT_DATE_FORMAT") in words
    assert "as the shop wants" in words or "It is made then by itself" in words
    assert "every 1s" not in words


@pytest.mark.parametrize("screen", ["parcel-detail", "shipment-list"])
def test_staff_see_no_time_of_the_label_that_is_past(early, client, screen):
    with time_machine.travel(NOON + datetime.timedelta(days=9), tick=False):
        words = page(client, early, screen)

    assert early.code in words
    assert "It is made then by itself" not in words
