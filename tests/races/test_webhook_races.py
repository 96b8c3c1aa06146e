"""Steps and workers at once. Each thread has a database connection of its own."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from fulfillment.overview import delivering, publications, services
from fulfillment.overview.models import WebhookAttempt, WebhookDelivery, WebhookEvent
from orders.events import OrderModified
from orders.models import Order
from tests.factories.orders import OrderFactory
from tests.factories.overview import happened, subscribe
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def together(*steps):
    barrier, errors = threading.Barrier(len(steps)), []

    def run(step):
        try:
            barrier.wait()
            step()
        except Exception as error:
            errors.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[step]) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_two_workers_tell_each_event_once_and_in_order():
    with Receiver(delay=0.005).listening() as receiver:
        first = subscribe(receiver.url)
        second = subscribe(receiver.url, "PICK_JOB_CANCELED")
        for _number in range(12):
            order = happened(first, count=3)
            happened(second, order=order, count=3)

        together(delivering.run, delivering.run)
        delivering.run()

    assert receiver.count == 72
    told = {}
    for call in receiver.calls:
        told.setdefault(call.data["payload"]["id"], []).append(int(call.headers["webhook-sequence"]))
    assert list(told.values()) == [[1, 2, 3, 4, 5, 6]] * 12
    assert WebhookAttempt.objects.count() == 72
    assert not WebhookDelivery.objects.exclude(state="DONE").exists()


def test_events_of_an_order_never_overlap_between_workers():
    with Receiver(delay=0.03).listening() as receiver:
        happened(subscribe(receiver.url), count=8)

        together(delivering.run, delivering.run, delivering.run)
        delivering.run()

    assert receiver.sequences == list(range(1, 9))
    assert receiver.most_at_once == 1


def test_steps_of_one_order_at_once_number_their_events_without_a_gap():
    subscribe(event="ORDER_MODIFIED")
    order = OrderFactory()

    def step():
        for _number in range(5):
            with transaction.atomic():
                Order.objects.lock(pk=order.pk)
                event = OrderModified(order_id=order.pk, is_demand_changed=False, is_time_changed=False)
                publications.publish([event], by=None, now=timezone.now())

    together(step, step)

    assert list(WebhookEvent.objects.order_by("pk").values_list("sequence", flat=True)) == list(range(1, 11))


def test_events_that_come_while_a_worker_runs_are_told():
    with Receiver().listening() as receiver:
        subscription = subscribe(receiver.url)
        order = OrderFactory()
        happened(subscription, order=order)

        def write():
            for _number in range(20):
                happened(subscription, order=order)

        together(write, delivering.run)
        delivering.run()

    assert receiver.sequences == list(range(1, 22))


def test_a_step_that_writes_while_its_subscription_is_ended_still_commits():
    subscription = subscribe(event="ORDER_CREATED")

    together(
        lambda: [OrderFactory() for _number in range(5)],
        lambda: services.unsubscribe(subscription.pk, now=timezone.now()),
    )

    assert Order.objects.count() == 5
