"""Calling receivers: order, attempts, signatures, and that nobody waits for somebody else."""

import contextlib
import datetime
import threading
import uuid

import pytest
import time_machine
from django.utils import timezone
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from fulfillment.overview import delivering, services, targets
from fulfillment.overview.models import (
    Subscription,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEvent,
    WebhookStream,
)
from orders import services as orders
from tests.factories.orders import OrderFactory
from tests.factories.overview import happened, subscribe
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver():
    with Receiver().listening() as receiver:
        yield receiver


@contextlib.contextmanager
def beside(step):
    """Something happens in another thread meanwhile."""
    thread = threading.Thread(target=step)
    thread.start()
    yield
    thread.join()


def held(receiver, count, then=lambda: None):
    """No call is answered until so many are there."""
    receiver.opened.clear()

    def open_later():
        receiver.wait_for(count)
        then()
        receiver.opened.set()

    return beside(open_later)


def states():
    return list(WebhookDelivery.objects.order_by("event").values_list("state", flat=True))


def later(**delta):
    return time_machine.travel(timezone.now() + datetime.timedelta(**delta), tick=True)


def test_an_event_is_told_with_the_entity_and_the_headers_of_its_subscription(receiver):
    subscribe(receiver.url, "ORDER_CREATED", headers=[("Authorization", "Bearer abc")])
    order = OrderFactory(customAttributes={"commercetoolsId": "c-1"})

    assert delivering.run() == 1

    [call] = receiver.calls
    event = WebhookEvent.objects.get()
    assert set(call.data) == {"event", "eventId", "payload"}
    assert (call.data["event"], call.data["eventId"]) == ("ORDER_CREATED", str(event.uuid))
    assert call.data["payload"]["id"] == str(order.pk)
    assert call.data["payload"]["customAttributes"] == {"commercetoolsId": "c-1"}
    assert call.headers["authorization"] == "Bearer abc"
    assert call.headers["content-type"] == "application/json"
    attempt = WebhookAttempt.objects.get()
    assert (attempt.status_code, attempt.response, attempt.error) == (201, "ok", "")
    assert states() == ["DONE"]
    assert delivering.run() == 0


def test_the_signature_is_that_of_standard_webhooks(receiver):
    subscription = subscribe(receiver.url)
    happened(subscription)

    delivering.run()

    [call] = receiver.calls
    assert Webhook(subscription.plain_secret).verify(call.body, call.headers) == call.data
    with pytest.raises(WebhookVerificationError):
        Webhook(subscription.plain_secret).verify(call.body + b" ", call.headers)


def test_a_changed_secret_signs_beside_the_former_one_for_a_day(receiver):
    subscription = subscribe(receiver.url)
    _row, fresh = services.rotate_secret(subscription.pk, now=timezone.now())
    happened(subscription)
    delivering.run()
    Subscription.objects.update(former_secret_until=timezone.now())
    happened(subscription)
    delivering.run()

    first, second = receiver.calls
    for secret in (subscription.plain_secret, fresh):
        Webhook(secret).verify(first.body, first.headers)
    Webhook(fresh).verify(second.body, second.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(subscription.plain_secret).verify(second.body, second.headers)


def test_any_2xx_is_an_answer_and_nothing_else_is(receiver):
    for status, expected in ((204, "DONE"), (299, "DONE"), (302, "DUE"), (400, "DUE"), (500, "DUE")):
        WebhookDelivery.objects.all().delete()
        receiver.answer = lambda call, status=status: (status, {"Location": "http://127.0.0.1:9/"}, b"")
        happened(subscribe(receiver.url))
        delivering.run()
        assert states() == [expected], status


def test_the_events_of_an_order_are_told_one_by_one_across_subscriptions_of_a_receiver():
    with Receiver(delay=0.02).listening() as receiver:
        first = subscribe(receiver.url)
        second = subscribe(receiver.url, "PICK_JOB_CANCELED")
        order = happened(first, count=3)
        happened(second, order=order, count=3)

        delivering.run()

    assert receiver.sequences == [1, 2, 3, 4, 5, 6]
    assert receiver.most_at_once == 1


def test_different_orders_do_not_wait_for_each_other(receiver):
    subscription = subscribe(receiver.url)
    for _number in range(4):
        happened(subscription)

    with held(receiver, 4):
        delivering.run()

    assert receiver.most_at_once == 4


def test_a_receiver_is_called_so_many_times_at_once_and_no_more(receiver):
    subscription = subscribe(receiver.url)
    for _number in range(20):
        happened(subscription)
    receiver.delay = 0.1

    with held(receiver, delivering.PARALLEL):
        delivering.run()

    assert (receiver.count, receiver.most_at_once) == (20, delivering.PARALLEL)


def test_connections_are_kept(receiver):
    subscription = subscribe(receiver.url)
    happened(subscription, count=10)
    delivering.run()
    happened(subscription)
    delivering.run()

    assert (receiver.count, receiver.connections) == (11, 1)


def test_a_failed_call_is_repeated_later_and_holds_the_next_event_of_the_order(receiver):
    subscription = subscribe(receiver.url)
    other = subscribe(receiver.url, "PICK_JOB_CANCELED")
    order = happened(subscription)
    happened(other, order=order)
    receiver.status = 500
    assert delivering.run() == 1
    assert delivering.run() == 0  # not due yet, and the next one waits
    first = WebhookDelivery.objects.order_by("event").first()
    assert (first.tries, first.attempts.get().error) == (1, "The answer is 500.")
    assert 15 < (first.due_at - timezone.now()).total_seconds() <= 20

    receiver.status = 200
    with later(seconds=21):
        assert delivering.run() == 2

    assert receiver.sequences == [1, 1, 2]
    assert receiver.calls[0].data["eventId"] == receiver.calls[1].data["eventId"]
    assert not WebhookDelivery.objects.filter(has_gap=True).exists()


def test_a_failing_event_does_not_hold_other_orders(receiver):
    subscription = subscribe(receiver.url)
    bad = happened(subscription)
    receiver.answer = lambda call: (500 if call.data["payload"]["id"] == str(bad.pk) else 200, {}, b"")
    happened(subscription)

    delivering.run()

    assert sorted(states()) == ["DONE", "DUE"]


def test_after_an_hour_later_events_go_on_and_name_the_gap(receiver):
    subscription = subscribe(receiver.url)
    order = happened(subscription, count=2)
    receiver.answer = lambda call: (500 if call.data["payload"]["number"] == 1 else 200, {}, b"")
    delivering.run()
    for minutes in (10, 30, 59):
        with later(minutes=minutes):
            assert delivering.run() == 1
    assert receiver.sequences == [1, 1, 1, 1]

    with later(minutes=61):
        delivering.run()  # due again: the first has its turn, then it waits and the second goes past it
        delivering.run()

    first, second = WebhookDelivery.objects.order_by("event")
    assert (first.state, second.state, second.has_gap) == ("DUE", "DONE", True)
    assert receiver.calls[-1].headers["webhook-gap"] == str(first.event.uuid)
    receiver.answer = None
    with later(minutes=80):
        happened(subscription, order=order)
        delivering.run()
    assert states() == ["DONE"] * 3
    assert "webhook-gap" not in receiver.calls[-1].headers


def test_attempts_slow_down_and_end_after_a_week(receiver):
    receiver.status = 500
    happened(subscribe(receiver.url))
    waits = []
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _attempt in range(8):
            delivering.run()
            delivery = WebhookDelivery.objects.get()
            waits.append(round((delivery.due_at - timezone.now()).total_seconds()))
            clock.move_to(delivery.due_at)
        clock.shift(datetime.timedelta(days=7))
        delivering.run()

        assert waits == [20, 40, 80, 160, 320, 600, 600, 600]
        assert states() == ["FAILED"]
        clock.shift(datetime.timedelta(days=1))
        assert delivering.run() == 0

        receiver.status = 200
        assert services.retry([delivery.pk], now=timezone.now()) == 1
        assert delivering.run() == 1
    assert states() == ["DONE"]


def test_a_receiver_that_does_not_answer_in_time_has_failed(receiver, monkeypatch):
    monkeypatch.setattr(targets, "SECONDS", 0.5)
    receiver.opened.clear()
    happened(subscribe(receiver.url))

    delivering.run()

    assert receiver.at_once == 1
    assert WebhookAttempt.objects.get().error == "No answer within 0.5 seconds."


def test_a_slow_receiver_delays_nobody(receiver):
    """The fast one has all its events before the slow one answers once."""
    stop = threading.Event()

    def wait_for_the_fast_one():
        receiver.wait_for(30)
        stop.set()

    with Receiver().listening() as slow:
        subscriptions = subscribe(slow.url), subscribe(receiver.url)
        for _number in range(30):
            happened(*subscriptions)

        with held(slow, delivering.PARALLEL, then=wait_for_the_fast_one):
            delivering.run(stop=stop)

    assert receiver.count == 30
    assert slow.count == delivering.PARALLEL


def test_a_paused_subscription_keeps_its_events_and_holds_nobody(receiver):
    paused = subscribe(receiver.url)
    other = subscribe(receiver.url, "ORDER_CANCELLED")
    services.pause(paused.pk, now=timezone.now())
    order = happened(paused, count=2)
    happened(other, order=order)

    delivering.run()
    assert receiver.sequences == [3]
    services.resume(paused.pk, now=timezone.now())
    delivering.run()

    assert receiver.sequences == [3, 1, 2]


def test_pausing_what_fails_lets_the_others_go_on(receiver):
    failing = subscribe(receiver.url)
    other = subscribe(receiver.url, "PICK_JOB_CANCELED")
    order = happened(failing)
    happened(other, order=order)
    receiver.status = 500
    delivering.run()
    receiver.status = 200

    services.pause(failing.pk, now=timezone.now())
    delivering.run()

    assert receiver.sequences == [1, 2]


def test_a_deleted_subscription_is_not_called(receiver):
    subscription = subscribe(receiver.url)
    happened(subscription)
    services.unsubscribe(subscription.pk, now=timezone.now())

    assert delivering.run() == 0
    assert not WebhookAttempt.objects.exists()


def test_replay_tells_again_from_a_time_on(receiver):
    subscription = subscribe(receiver.url)
    begin = timezone.now()
    happened(subscription, now=begin - datetime.timedelta(hours=2))
    order = happened(subscription, count=2)
    delivering.run()
    receiver.calls.clear()

    assert services.replay(subscription.pk, since=begin, now=timezone.now()) == 2
    delivering.run()

    assert [call.data["payload"]["id"] for call in receiver.calls] == [str(order.pk)] * 2
    assert receiver.sequences == [1, 2]


def test_replay_tells_a_new_subscription_what_others_heard(receiver):
    happened(subscribe(receiver.url))
    late = subscribe(receiver.url + "/late")

    services.replay(late.pk, since=timezone.now() - datetime.timedelta(hours=1), now=timezone.now())
    delivering.run()

    assert sorted(call.path for call in receiver.calls) == ["/hook", "/hook/late"]


def test_a_secret_of_another_key_is_named_not_hidden(receiver, settings):
    happened(subscribe(receiver.url))
    settings.SECRET_KEY = "another key that nobody told the old one of, long enough"

    delivering.run()

    assert "cannot be read" in WebhookAttempt.objects.get().error


def test_a_lease_that_ended_is_taken_over(receiver):
    subscription = subscribe(receiver.url)
    happened(subscription)
    WebhookStream.objects.update(lease=uuid.uuid4(), leased_until=timezone.now() + delivering.LEASE)
    assert delivering.run() == 0

    with later(seconds=delivering.LEASE.seconds + 1):
        assert delivering.run() == 1


def test_a_stopped_worker_gives_its_leases_back(receiver):
    subscription = subscribe(receiver.url)
    for _number in range(20):
        happened(subscription)
    stop = threading.Event()

    with held(receiver, delivering.PARALLEL, then=stop.set):
        delivering.run(stop=stop)

    assert receiver.count == delivering.PARALLEL
    assert not WebhookStream.objects.exclude(lease=None).exists()
    assert delivering.run() == 20 - delivering.PARALLEL


def test_old_events_are_forgotten_save_those_that_are_open(receiver):
    subscription = subscribe(receiver.url)
    happened(subscription)
    delivering.run()
    receiver.status = 500
    happened(subscription)
    delivering.run()
    gone = subscribe(receiver.url)
    services.unsubscribe(gone.pk, now=timezone.now() - datetime.timedelta(days=2))

    with later(days=31):
        assert delivering.forget_old(now=timezone.now(), keep=datetime.timedelta(days=30)) > 0

    assert states() == ["DUE"]
    assert list(Subscription.objects.all()) == [subscription]
    assert WebhookStream.objects.count() == 1


def test_the_background_works_while_the_process_goes_on(receiver, monkeypatch):
    ran = threading.Event()
    monkeypatch.setattr(delivering, "run", lambda stop: ran.set())
    background = delivering.Background()

    background.wake()

    assert ran.wait(5)
    background.end()
    assert background.thread is None


def test_cancelling_an_order_is_told_after_its_creation(receiver):
    subscribe(receiver.url, "ORDER_CREATED")
    subscribe(receiver.url, "ORDER_CANCELLED")
    order = OrderFactory()
    orders.cancel(order.pk, by=None, now=timezone.now())

    delivering.run()

    assert receiver.events == ["ORDER_CREATED", "ORDER_CANCELLED"]
    assert [call.data["payload"]["status"] for call in receiver.calls] == ["OPEN", "CANCELLED"]
