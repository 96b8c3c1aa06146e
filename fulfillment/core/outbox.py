"""The dispatcher of the outbox: claims due rows with a lease, runs their handlers, retries with back-off.

A broker message is only a wake-up. What it misses, the sweep of Celery beat finds.
"""

import contextlib
import datetime
import itertools
import logging
import secrets

import redis
from celery import current_app
from django.conf import settings
from django.core.cache import cache
from django.db.models import F, Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from .errors import Refused
from .models import OutboxEntry
from .shared import shared_redis

logger = logging.getLogger(__name__)

LEASE = datetime.timedelta(minutes=5)
GIVE_UP_AFTER = datetime.timedelta(days=7)
FIRST_DELAY, LONGEST_DELAY = 20, 600  # seconds
MARKED = 30  # seconds


class RetryLater(Exception):
    """A handler asks to be called again, after ``seconds`` when it knows, else after the usual back-off."""

    def __init__(self, reason, *, seconds=None):
        super().__init__(reason)
        self.seconds = seconds


class Postponed(Exception):
    """The time of what a handler does has not come: it is called again then. Waiting is no failure, however long."""

    def __init__(self, reason, *, until):
        super().__init__(reason)
        self.until = until


def backoff(attempts):
    """Seconds until the next attempt after ``attempts`` failures: 20, 40, 80 ... 600."""
    return min(FIRST_DELAY * 2 ** (attempts - 1), LONGEST_DELAY)


def wake(lane):
    """Tell a worker that the lane has due rows. A lost message only delays until the next sweep.

    One message that nobody took yet is enough: it will find these rows too. A mark in the shared cache stands for it.
    """
    if is_first_call(lane):
        send("fulfillment.core.tasks.dispatch", lane, lane=lane)


def is_first_call(lane):
    """Whether nobody called a lane that did not begin since; without a shared cache every call is the first."""
    if not settings.CACHE_URL:
        return True
    try:
        return shared_redis().set(_mark(lane), 1, nx=True, ex=MARKED)
    except redis.RedisError:
        return True


def forget_call(lane):
    """Before the rows are read: what is committed after that sends a message of its own."""
    if settings.CACHE_URL:
        with contextlib.suppress(redis.RedisError):  # the mark ends by itself
            shared_redis().delete(_mark(lane))


def _mark(lane):
    return cache.make_key(f"wake:{lane}")


def send(task, queue, **fields):
    """Send a message that may get lost: a sweep of Celery beat finds what it was about."""
    try:
        current_app.send_task(task, kwargs=fields, queue=queue, retry=False)
    except OperationalError:
        logger.warning("The broker does not answer; queue %s waits for the sweep.", queue)
    except Exception:
        # What was committed must not end in an error page, whatever a transport raises: the embedded one
        # reads its exchange file while another process writes it.
        logger.exception("The broker failed; queue %s waits for the sweep.", queue)


def due(now):
    return OutboxEntry.objects.filter(
        Q(leased_until=None) | Q(leased_until__lt=now),
        state=OutboxEntry.State.DUE,
        due_at__lte=now,
    )


def lanes_due(now):
    """Names of the lanes that have due rows nobody works on."""
    return list(due(now).order_by("lane").values_list("lane", flat=True).distinct())


def claim(ids, now):
    """Take rows for ``LEASE``; returns those that no other worker took first. Committed before the work begins."""
    # The microseconds tell our claim from that of a worker who asks for the same rows at the same moment.
    lease = now + LEASE + datetime.timedelta(microseconds=secrets.randbelow(1_000_000))
    taken = due(now).filter(pk__in=ids).update(leased_until=lease, attempts=F("attempts") + 1)
    return list(OutboxEntry.objects.filter(pk__in=ids, leased_until=lease).order_by("pk")) if taken else []


def release_leases():
    """Make due at once what nobody works on any more. Only for who knows that no other worker is alive."""
    return OutboxEntry.objects.filter(state=OutboxEntry.State.DUE).update(leased_until=None)


def dispatch(lane, *, batch=200, find):
    """Work off the due rows of a lane until none is left; returns how many were tried.

    Args:
        find: ``events.delivery_for``: (handler key, event name) -> Delivery or None.
    """
    forget_call(lane)
    tried = 0
    while True:
        rows = due(timezone.now()).filter(lane=lane).order_by("pk")[:batch]
        found = [
            _work([pk for pk, _handler, _event in group], find(handler, event))
            for (handler, event), group in _groups(rows.values_list("pk", "handler", "event"), find)
        ]
        tried += sum(found)
        if not any(found):
            return tried


def _groups(rows, find):
    """Rows one by one, or together those that follow each other and have a delivery that takes several."""
    for (handler, event), group in itertools.groupby(rows, key=lambda row: row[1:]):
        delivery = find(handler, event)
        size = delivery.batch if delivery else 0
        rest = list(group)
        while rest:
            yield (handler, event), rest[: size or 1]
            rest = rest[size or 1 :]


def _work(ids, delivery):
    """Claim rows of one delivery and work them off; returns how many were claimed."""
    entries = claim(ids, timezone.now())
    if len(entries) > 1:
        try:
            delivery.handler([delivery.event.from_payload(entry.payload) for entry in entries])
        except Exception:
            # One of them spoils it for the others: each on its own then.
            logger.warning(
                "%s entries of %s are tried one by one.", len(entries), delivery.key, exc_info=True
            )
        else:
            _finish(entries)
            return len(entries)
    for entry in entries:
        _work_alone(entry, delivery)
    return len(entries)


def _work_alone(entry, delivery):
    if delivery is None:
        _fail(entry, f"No handler {entry.handler} for {entry.event} in this version.", give_up=True)
        return
    event = delivery.event.from_payload(entry.payload)
    try:
        delivery.handler([event] if delivery.batch else event)
    except RetryLater as later:
        _fail(entry, str(later), seconds=later.seconds)
    except Postponed as wait:
        _postpone(entry, wait)
    except Refused as refusal:
        # The business says no, and it will say so again: a person has to look.
        _fail(entry, f"{refusal.code}: {refusal.english}", give_up=True)
    except Exception as error:
        logger.exception("Outbox entry %s failed.", entry.pk)
        _fail(entry, f"{type(error).__name__}: {error}")
    else:
        _finish([entry])


def _held(entries):
    """Those rows that are still ours: one that stood still for longer than its lease has nothing to say any more."""
    return OutboxEntry.objects.filter(
        pk__in=[entry.pk for entry in entries], leased_until=entries[0].leased_until
    )


def _finish(entries):
    _held(entries).update(
        state=OutboxEntry.State.DONE,
        done_at=timezone.now(),
        leased_until=None,
        last_error="",
    )


def _fail(entry, reason, *, seconds=None, give_up=False):
    now = timezone.now()
    give_up = give_up or now - entry.created_at > GIVE_UP_AFTER
    delay = seconds if seconds is not None else backoff(entry.attempts)
    _held([entry]).update(
        state=OutboxEntry.State.FAILED if give_up else OutboxEntry.State.DUE,
        due_at=now + datetime.timedelta(seconds=delay),
        leased_until=None,
        last_error=reason[:2000],
    )


def _postpone(entry, wait):
    """It begins anew when its time has come: only then its days of failing count."""
    _held([entry]).update(
        due_at=wait.until, created_at=wait.until, attempts=0, leased_until=None, last_error=str(wait)[:2000]
    )


def retry(ids):
    """Make failed rows due again, at once."""
    return OutboxEntry.objects.filter(pk__in=ids, state=OutboxEntry.State.FAILED).update(
        state=OutboxEntry.State.DUE, due_at=timezone.now(), created_at=timezone.now()
    )
