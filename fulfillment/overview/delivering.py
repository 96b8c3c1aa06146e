"""Calls the receivers: the events of an order one by one, each receiver at its own pace.

One thread, the one that calls ``run``, talks to the database, in batches. The calls themselves run in threads of
their receiver, so that a slow one delays nobody but itself. Other processes may do the same at the same time: a
stream (the events of one order to one receiver) is leased by a conditional UPDATE, which is committed before the call.
"""

import dataclasses
import datetime
import json
import logging
import os
import queue
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from standardwebhooks import Webhook

from fulfillment.core.encryption import UnreadableSecret
from fulfillment.core.outbox import GIVE_UP_AFTER, backoff

from . import targets
from .models import Subscription, WebhookAttempt, WebhookDelivery, WebhookEvent, WebhookStream

logger = logging.getLogger(__name__)

PARALLEL = 8  # calls to one receiver at a time, per process
BATCH = 32  # streams that are leased for a receiver at a time; they wait for a free call
LEASE = datetime.timedelta(seconds=120)
USABLE = 90  # seconds: a lease that is older is given back unused; a call takes 10 at most
LOOK_EVERY = 0.2  # seconds, for new work while calls run
HOLD = datetime.timedelta(hours=1)
MOST_NAMED = 5  # missing events in the header of a later one

State = WebhookDelivery.State


@dataclasses.dataclass(frozen=True)
class Task:
    """One call that is to be made; plain values, so that no thread but one needs the database."""

    delivery: WebhookDelivery
    lease: uuid.UUID
    leased: float  # time.monotonic
    missing: tuple = ()


@dataclasses.dataclass(frozen=True)
class Result:
    task: Task
    at: datetime.datetime
    answer: targets.Answer | None  # None: the call was not made


class Receiver:
    """The threads that call one address, and the streams that are leased for it."""

    def __init__(self, finished, stop):
        self.finished, self.stop = finished, stop
        self.pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="webhook")
        self.tasks = 0

    def submit(self, task):
        self.tasks += 1
        self.pool.submit(self._call, task)

    def _call(self, task):
        at = timezone.now()
        try:
            answer = None
            if time.monotonic() - task.leased < USABLE and not self.stop.is_set():
                answer = call(task, at)
        except Exception as error:
            logger.exception("Delivery %s failed before its call.", task.delivery.pk)
            answer = targets.Answer(0, error=f"{type(error).__name__}: {error}"[:300])
        self.finished.put(Result(task, at, answer))


def body_of(event):
    """What is sent, signed and shown: the same bytes at every attempt."""
    content = {"event": event.event, "eventId": str(event.uuid), "payload": event.payload}
    return json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False, separators=(",", ":"))


def call(task, now):
    """Make one signed call and return its ``Answer``."""
    event, subscription = task.delivery.event, task.delivery.subscription
    body = body_of(event)
    try:
        signatures = [
            Webhook(secret).sign(str(event.uuid), now.astimezone(datetime.UTC), body)
            for secret in subscription.secrets_at(now)
        ]
        headers = dict(subscription.headers)
    except UnreadableSecret as error:
        return targets.Answer(0, error=f"The stored secret cannot be read. {error}")
    headers |= {
        "Content-Type": "application/json",
        "webhook-id": str(event.uuid),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
        "webhook-sequence": str(event.sequence),
    }
    if task.missing:
        headers["webhook-gap"] = ",".join(task.missing[:MOST_NAMED])
    return targets.caller(os.getpid()).post(subscription.callback_url, body.encode(), headers)


def run(*, stop=None):
    """Deliver what is due until nothing is; returns how many calls were made.

    Args:
        stop: a ``threading.Event``: begin nothing new once it is set.
    """
    dispatcher = Dispatcher(stop or threading.Event())
    try:
        return dispatcher.work()
    finally:
        dispatcher.end()


class Dispatcher:
    """The one thread of ``run`` that talks to the database."""

    def __init__(self, stop):
        self.stop = stop
        self.finished: queue.SimpleQueue = queue.SimpleQueue()
        self.receivers: dict[str, Receiver] = {}
        self.empty_at: dict[str, float] = {}

    @property
    def is_busy(self):
        return any(receiver.tasks for receiver in self.receivers.values())

    def work(self):
        calls = 0
        while True:
            if not self.stop.is_set():
                self.fill()
            if not self.is_busy:
                return calls
            results = _collect(self.finished)
            for result in results:
                self.receivers[result.task.delivery.subscription.callback_url].tasks -= 1
                calls += result.answer is not None
            if results:
                settle(results)

    def fill(self):
        """Lease streams for each receiver that has a call free."""
        now, at = timezone.now(), time.monotonic()
        is_busy = self.is_busy
        of_url: dict[str, list] = {}
        live = Subscription.objects.live().filter(paused_at=None)
        for pk, url in live.values_list("pk", "callback_url"):
            of_url.setdefault(url, []).append(pk)
        for url, subscriptions in of_url.items():
            receiver = self.receivers.get(url)
            if receiver is not None and receiver.tasks > PARALLEL:
                continue
            if is_busy and at - self.empty_at.get(url, 0) < LOOK_EVERY:
                continue  # nothing was due a moment ago
            tasks = lease(subscriptions, now)
            if not tasks:
                self.empty_at[url] = at
            if tasks and receiver is None:
                receiver = self.receivers[url] = Receiver(self.finished, self.stop)
            for task in tasks:
                receiver.submit(task)

    def end(self):
        for receiver in self.receivers.values():
            receiver.pool.shutdown(wait=False, cancel_futures=True)


def _collect(finished):
    """The results that are there; waits a moment for the first, and looks for new work even when none comes."""
    results = []
    try:
        results.append(finished.get(timeout=LOOK_EVERY))
        while len(results) < 200:
            results.append(finished.get_nowait())
    except queue.Empty:
        pass
    return results


def lease(subscription_ids, now):
    """Take streams of one receiver that have something due, and choose the next event of each: a list of ``Task``."""
    free = Q(leased_until=None) | Q(leased_until__lt=now)
    unblocked = Q(blocked_until=None) | Q(blocked_until__lte=now)
    due = WebhookDelivery.objects.filter(
        _at_stream(free),
        _at_stream(unblocked),
        subscription__in=subscription_ids,
        state=State.DUE,
        due_at__lte=now,
    )
    ids = list(dict.fromkeys(due.order_by("due_at", "pk").values_list("stream_id", flat=True)[:BATCH]))
    if not ids:
        return []
    mark = uuid.uuid4()
    leased = time.monotonic()
    # Whoever comes second finds the first one's lease when the condition is looked at again.
    taken = WebhookStream.objects.filter(free, unblocked, pk__in=ids)
    if not taken.update(lease=mark, leased_until=now + LEASE):
        return []
    open_deliveries: dict[uuid.UUID, list] = {
        key: [] for key in WebhookStream.objects.filter(lease=mark).values_list("pk", flat=True)
    }
    rows = (
        WebhookDelivery.objects.filter(stream__in=open_deliveries, state__in=[State.DUE, State.FAILED])
        .filter(subscription__deleted_at=None, subscription__paused_at=None)
        .select_related("event", "subscription")
        .order_by("event", "pk")
    )
    for row in rows:
        open_deliveries[row.stream_id].append(row)
    tasks = []
    for key, deliveries in open_deliveries.items():
        chosen, missing, blocked_until = choose(deliveries, now)
        if chosen is None:
            _release(key, mark, blocked_until)
        else:
            tasks.append(Task(chosen, mark, leased, missing))
    return tasks


def _at_stream(condition):
    """The same condition on a stream, asked of its deliveries."""
    return Q(
        *((f"stream__{name}", value) for name, value in condition.children), _connector=condition.connector
    )


def choose(deliveries, now):
    """The delivery of a stream that is next: (delivery or None, ids of the events it goes past, when to look again).

    The first that is due, unless an earlier one waits for its next attempt and is not an hour late yet.
    """
    missing: list[str] = []
    look_again = None
    for delivery in deliveries:
        if delivery.state == State.FAILED:
            missing.append(str(delivery.event.uuid))
            continue
        if delivery.due_at <= now:
            return delivery, tuple(missing), None
        look_again = min(filter(None, [look_again, delivery.due_at]))
        if delivery.holds_until is None or delivery.holds_until > now:
            return None, (), min(filter(None, [look_again, delivery.holds_until]))
        missing.append(str(delivery.event.uuid))
    return None, (), look_again


def _release(stream_id, mark, blocked_until):
    WebhookStream.objects.filter(pk=stream_id, lease=mark).update(
        lease=None, leased_until=None, blocked_until=blocked_until
    )


@transaction.atomic
def settle(results):
    """Write down what came back and give the leases back."""
    now = timezone.now()
    called = [result for result in results if result.answer is not None]
    WebhookAttempt.objects.bulk_create(
        WebhookAttempt(
            delivery=result.task.delivery,
            at=result.at,
            milliseconds=result.answer.milliseconds,
            status_code=result.answer.status_code,
            response=result.answer.text,
            error=result.answer.error,
        )
        for result in called
    )
    good = [result.task for result in called if result.answer.is_good]
    for has_gap in (False, True):
        ids = [task.delivery.pk for task in good if bool(task.missing) == has_gap]
        if ids:
            WebhookDelivery.objects.filter(pk__in=ids).update(
                state=State.DONE, done_at=now, tries=F("tries") + 1, has_gap=has_gap, holds_until=None
            )
    for result in called:
        if not result.answer.is_good:
            _retry_later(result.task, now)
    # In the order of their keys, so that two processes never wait for each other in a circle.
    leases: dict[uuid.UUID, list] = {}
    for result in results:
        leases.setdefault(result.task.lease, []).append(result.task.delivery.stream_id)
    for mark, streams in leases.items():
        held = WebhookStream.objects.filter(pk__in=streams, lease=mark).order_by("pk")
        ids = [stream.pk for stream in held.select_for_update()]
        WebhookStream.objects.filter(pk__in=ids).update(lease=None, leased_until=None, blocked_until=None)


def _retry_later(task, now):
    """Plan the next attempt, or give up after a week: staff see it then."""
    delivery = task.delivery
    tries = delivery.tries + 1
    gives_up = now - delivery.queued_at > GIVE_UP_AFTER
    WebhookDelivery.objects.filter(pk=delivery.pk, state=State.DUE).update(
        state=State.FAILED if gives_up else State.DUE,
        tries=tries,
        due_at=now + datetime.timedelta(seconds=backoff(min(tries, 20))),
        holds_until=delivery.holds_until or now + HOLD,
        has_gap=bool(task.missing),
    )


class Background:
    """Runs ``run`` in a thread of a worker process, so that a slow receiver never occupies the process."""

    def __init__(self):
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.thread: threading.Thread | None = None
        self.asked = False

    def wake(self):
        """Begin when nothing runs; whoever runs looks once more."""
        with self.lock:
            self.asked = True
            if self.thread is None:
                self.thread = threading.Thread(target=self._work, name="webhooks", daemon=True)
                self.thread.start()

    def _work(self):
        try:
            while True:
                with self.lock:
                    if not self.asked or self.stop.is_set():
                        self.thread = None
                        return
                    self.asked = False
                run(stop=self.stop)
        except Exception:
            logger.exception("Delivering webhooks stopped; the sweep begins anew.")
            with self.lock:
                self.thread = None
        finally:
            connection.close()

    def end(self):
        """Let the calls that run end, and begin nothing new."""
        self.stop.set()
        thread = self.thread
        if thread is not None:
            thread.join(targets.SECONDS + 5)


background = Background()


def forget_old(*, now, keep):
    """Delete events after a while, save those that somebody still has to hear or look at. Returns how many."""
    open_deliveries = WebhookDelivery.objects.exclude(state=State.DONE).values("event_id")
    old = WebhookEvent.objects.filter(created_at__lt=now - keep).exclude(pk__in=open_deliveries)
    count, _kinds = old.delete()
    Subscription.objects.filter(deleted_at__lt=now - datetime.timedelta(days=1)).delete()
    WebhookStream.objects.filter(deliveries=None, leased_until=None).delete()
    return count
