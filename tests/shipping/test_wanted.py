"""An order of a source that cancels single units is asked for once more before its label."""

import datetime

import pytest
from django.utils import timezone

from fulfillment.core.models import OutboxEntry
from fulfillment.demo.sources import fake_of
from orders.models import Order
from orders.sources import importing, polling
from orders.sources import services as sources
from orders.sources.models import Connection, Delivery
from orders.sources.registry import KINDS
from shipping import services
from shipping.models import BookingAttempt, Parcel
from tests.factories.core import ChannelFactory
from tests.factories.shipping import parcel, work
from tests.sources.conftest import join

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("otto"), monkeypatch)


def packed_of(shop):
    """A parcel with two units of an order of a shop, as the shop has it and as we have it."""
    waiting = parcel(2)
    return come_from(shop, waiting.order), waiting


def come_from(shop, ours):
    """Let an order of one line be one of a shop; returns it as the shop has it."""
    line = ours.lines.get()
    order = shop.new_order((line.sku, line.quantity))
    kind = KINDS[shop.kind]
    connection = Connection(
        kind=kind.key, name="Shop", channel=ChannelFactory(), settings=shop.settings(), watermark=None
    )
    connection.credentials = shop.credentials()
    connection.save()
    (draft,) = kind.mapping.drafts(shop.payload(order), kind.options(connection.settings))
    line.wire = {**line.wire, "customAttributes": {"externalLineId": draft.lines[0].line_id}}
    line.save(update_fields=["wire"])
    importing._link(connection, draft, ours, timezone.now()).save(force_insert=True)
    return order


@pytest.fixture
def packed(shop):
    return packed_of(shop)


def label(waiting):
    OutboxEntry.objects.filter(lane="labels").update(due_at=timezone.now())
    work()
    waiting.refresh_from_db()
    return waiting.status


def asked(shop, order):
    return [call for call in shop.requests if call.url.path == f"/v4/orders/{order.id}"]


def test_label_of_an_order_that_is_wanted_is_booked(shop, packed):
    order, waiting = packed

    assert label(waiting) == Parcel.Status.DONE
    assert len(asked(shop, order)) == 1


def test_unit_cancelled_after_packing_holds_the_label_back_until_a_person_looked(shop, packed):
    order, waiting = packed
    order.items[0].cancelled = 1
    shop.change(order)

    assert label(waiting) == Parcel.Status.WAITING_FOR_INPUT
    assert waiting.problem["outcome"] == "CHANGED"
    assert not BookingAttempt.objects.exists()
    task = Delivery.objects.get()
    assert (task.state, task.reason_code, task.external_id) == ("PARKED", "CHANGE_TOO_LATE", order.id)
    sources.close(task.pk, by=None, now=timezone.now())
    services.request_again(waiting.pk, by=None, now=timezone.now())

    assert label(waiting) == Parcel.Status.DONE


def test_cancelled_order_gets_no_label(shop, packed):
    order, waiting = packed
    shop.change(order, is_cancelled=True)

    assert label(waiting) != Parcel.Status.DONE
    assert not BookingAttempt.objects.exists()
    is_stopped = Order.objects.get().status == Order.Status.CANCELLED
    assert is_stopped or Delivery.objects.parked().filter(reason_code="CANCEL_TOO_LATE").exists()


def test_order_that_is_announced_only_gets_no_label(shop, packed):
    order, waiting = packed
    shop.change(order, is_released=False)

    assert label(waiting) == Parcel.Status.WAITING_FOR_INPUT


def test_source_that_does_not_answer_holds_labels_up_for_a_while(shop, packed):
    order, waiting = packed
    for _attempt in range(8):
        shop.fail(502, match=lambda call: call.url.path == f"/v4/orders/{order.id}")

    assert label(waiting) == Parcel.Status.OPEN
    Parcel.objects.update(modified_at=timezone.now() - datetime.timedelta(minutes=16))

    assert label(waiting) == Parcel.Status.DONE


def test_source_that_does_not_answer_is_asked_once_and_briefly(shop, packed):
    order, waiting = packed
    shop.lose_answer(lambda call: call.url.path == f"/v4/orders/{order.id}")

    assert label(waiting) == "OPEN"

    (call,) = asked(shop, order)
    assert max(call.extensions["timeout"].values()) <= 5
    assert shop.sleeps == []


def test_other_orders_are_not_asked_for(shop):
    waiting = parcel(1)

    assert label(waiting) == Parcel.Status.DONE
    assert shop.requests == []


def test_line_whose_customer_wants_to_cancel_gets_no_label_before_somebody_decided(monkeypatch):
    amazon = join(fake_of("amazon"), monkeypatch)
    order, waiting = packed_of(amazon)
    order.items[0].is_unwanted = True
    amazon.change(order)
    polling.run(Connection.objects.get().pk, now=timezone.now())
    task = Delivery.objects.parked().get()
    assert task.reason_code == "CANCEL_ASKED"

    assert label(waiting) == Parcel.Status.WAITING_FOR_INPUT
    sources.close(task.pk, by=None, now=timezone.now())
    services.request_again(waiting.pk, by=None, now=timezone.now())

    assert label(waiting) == Parcel.Status.DONE


def test_order_that_the_shop_put_on_hold_gets_no_label(monkeypatch):
    shopify = join(fake_of("shopify"), monkeypatch)
    order, waiting = packed_of(shopify)
    Delivery.objects.create(
        connection=Connection.objects.get(),
        key="hold",
        body=b"{}",
        state="PARKED",
        reason_code="ON_HOLD",
        external_id=order.id,
        worked_at=timezone.now(),
    )

    assert label(waiting) == Parcel.Status.WAITING_FOR_INPUT


def test_other_parked_work_of_an_order_holds_no_label_up(monkeypatch):
    shopify = join(fake_of("shopify"), monkeypatch)
    order, waiting = packed_of(shopify)
    Delivery.objects.create(
        connection=Connection.objects.get(),
        key="other",
        body=b"{}",
        state="PARKED",
        reason_code="UNREADABLE",
        external_id=order.id,
        worked_at=timezone.now(),
    )

    assert label(waiting) == Parcel.Status.DONE
    assert shopify.requests == []
