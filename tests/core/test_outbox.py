import dataclasses
import datetime
import uuid

import pytest
import redis
import time_machine
from django.utils import timezone

from fulfillment.core import events, outbox, tasks
from fulfillment.core.errors import WrongStatus
from fulfillment.core.models import OutboxEntry

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True)
class Rang(events.Event):
    bell_id: uuid.UUID


class Receiver:
    """Counts deliveries and fails as told."""

    __module__ = __name__
    __qualname__ = "receiver"

    def __init__(self, *errors):
        self.errors, self.calls = list(errors), 0

    def __call__(self, event):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


def entry(**fields):
    return OutboxEntry.objects.create(
        event="Rang",
        payload={"bell_id": str(uuid.uuid4())},
        handler="receiver",
        lane="labels",
        due_at=NOON,
        created_at=NOON,
        **fields,
    )


def run(receiver, at=NOON):
    with time_machine.travel(at, tick=False):
        return outbox.dispatch("labels", find=lambda key, name: events.Delivery(Rang, receiver, "labels"))


def test_delivered_entry_is_done_and_not_delivered_again():
    row, receiver = entry(), Receiver()

    run(receiver)
    run(receiver)

    row.refresh_from_db()
    assert (row.state, row.attempts, receiver.calls) == ("DONE", 1, 1)


def test_failure_is_retried_with_growing_pauses():
    row, receiver = entry(), Receiver(OSError("no route"), OSError("no route"))

    run(receiver)
    row.refresh_from_db()
    assert (row.state, row.due_at, row.last_error) == (
        "DUE",
        NOON + datetime.timedelta(seconds=20),
        "OSError: no route",
    )
    run(receiver, NOON + datetime.timedelta(seconds=19))
    assert receiver.calls == 1
    run(receiver, NOON + datetime.timedelta(seconds=20))
    row.refresh_from_db()
    assert row.due_at == NOON + datetime.timedelta(seconds=60)
    run(receiver, NOON + datetime.timedelta(seconds=60))

    row.refresh_from_db()
    assert (row.state, receiver.calls) == ("DONE", 3)


def test_handler_may_say_when_to_come_back():
    row = entry()

    run(Receiver(outbox.RetryLater("busy", seconds=7)))

    row.refresh_from_db()
    assert (row.due_at, row.last_error) == (NOON + datetime.timedelta(seconds=7), "busy")


def test_refusal_fails_at_once_and_can_be_retried_by_hand():
    row, receiver = entry(), Receiver(WrongStatus(thing="X", status="Open", action="close"))

    run(receiver)
    row.refresh_from_db()
    assert row.state == "FAILED"
    with time_machine.travel(NOON, tick=False):
        outbox.retry([row.pk])
    run(receiver)

    row.refresh_from_db()
    assert row.state == "DONE"


def test_gives_up_after_a_week():
    row = entry()

    run(Receiver(OSError("gone")), NOON + datetime.timedelta(days=7, seconds=1))

    row.refresh_from_db()
    assert row.state == "FAILED"


def test_unknown_handler_is_kept_as_failed():
    row = entry()

    with time_machine.travel(NOON, tick=False):
        outbox.dispatch("labels", find=lambda key, name: None)

    row.refresh_from_db()
    assert row.state == "FAILED"
    assert "No handler" in row.last_error


def test_leased_entry_is_left_alone_until_the_lease_ends():
    row, receiver = entry(leased_until=NOON + outbox.LEASE), Receiver()

    run(receiver)
    assert receiver.calls == 0
    run(receiver, NOON + outbox.LEASE + datetime.timedelta(seconds=1))

    row.refresh_from_db()
    assert (row.state, receiver.calls) == ("DONE", 1)


@pytest.mark.parametrize("error", [None, ValueError("late")])
def test_worker_that_stood_still_changes_nothing_of_what_another_one_did(error):
    row, other = entry(), Receiver(outbox.RetryLater("Not yet.", seconds=900))

    def stand_still(event):
        run(other, NOON + outbox.LEASE + datetime.timedelta(seconds=2))
        if error:
            raise error

    run(stand_still)

    row.refresh_from_db()
    assert (row.state, row.last_error, row.attempts) == ("DUE", "Not yet.", 2)
    assert row.due_at > NOON + datetime.timedelta(minutes=15)


def test_one_lane_does_not_touch_another():
    row, receiver = entry(), Receiver()
    OutboxEntry.objects.filter(pk=row.pk).update(lane="webhooks")

    run(receiver)

    assert receiver.calls == 0


def test_sweep_names_the_lanes_that_are_due():
    entry()
    entry(leased_until=timezone.now() + outbox.LEASE)

    assert outbox.lanes_due(timezone.now()) == ["labels"]


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 20), (2, 40), (5, 320), (6, 600), (99, 600)])
def test_backoff(attempts, seconds):
    assert outbox.backoff(attempts) == seconds


def test_wake_never_fails_what_is_committed(monkeypatch):
    def fail(*args, **kwargs):
        raise ValueError("half-written exchange file")

    monkeypatch.setattr(outbox.current_app, "send_task", fail)

    outbox.wake("labels")


class Cache:
    """The two commands of the shared cache that a mark needs; with ``is_down`` it fails."""

    def __init__(self):
        self.keys, self.is_down = set(), False

    def set(self, key, value, *, nx, ex):
        if self.is_down:
            raise redis.ConnectionError
        is_first = key not in self.keys
        self.keys.add(key)
        return is_first

    def delete(self, key):
        if self.is_down:
            raise redis.ConnectionError
        self.keys.discard(key)


def test_one_message_wakes_a_lane_until_a_worker_reads_its_rows(monkeypatch, settings):
    cache, sent = Cache(), []
    settings.CACHE_URL = "redis://shared"
    monkeypatch.setattr(outbox, "shared_redis", lambda: cache)
    monkeypatch.setattr(outbox, "send", lambda task, queue, **fields: sent.append(queue))

    outbox.wake("labels")
    outbox.wake("labels")
    outbox.wake("routing")
    assert sent == ["labels", "routing"]

    outbox.dispatch("labels", find=events.delivery_for)
    outbox.wake("labels")
    outbox.wake("routing")
    assert sent == ["labels", "routing", "labels"]

    cache.is_down = True
    outbox.dispatch("labels", find=events.delivery_for)
    outbox.wake("labels")
    assert sent == ["labels", "routing", "labels", "labels"]


@pytest.mark.parametrize(
    ("broker", "is_free"), [("filesystem://localhost//", True), ("redis://host/0", False)]
)
def test_embedded_worker_takes_over_what_a_killed_one_left(settings, broker, is_free):
    settings.CELERY_BROKER_URL = broker
    left = entry(leased_until=NOON + outbox.LEASE)

    tasks.take_over()

    assert outbox.due(NOON).filter(pk=left.pk).exists() is is_free


def test_postponed_entry_waits_longer_than_a_failing_one_may_fail():
    until = NOON + datetime.timedelta(days=30)
    row, receiver = entry(), Receiver(outbox.Postponed("Not its day.", until=until), OSError("no route"))

    run(receiver)
    row.refresh_from_db()
    assert (row.state, row.due_at, row.attempts, row.last_error) == ("DUE", until, 0, "Not its day.")
    run(receiver, at=until)

    row.refresh_from_db()
    assert (row.state, row.attempts) == ("DUE", 1)
    run(receiver, at=until + datetime.timedelta(minutes=1))
    row.refresh_from_db()
    assert row.state == "DONE"
