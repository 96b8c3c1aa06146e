"""Polls: they are the ground of every import, webhooks only make it faster.

A page, its parked orders and the watermark are stored in one transaction, so that a run that dies is repeated.
"""

import datetime
import json
import logging

from django.db.models import Q
from django.utils import timezone

from . import http, importing, inbox
from .models import Connection
from .reading import text
from .registry import kind_of, open_client

logger = logging.getLogger(__name__)

# A worker holds a poll so long without a page; then it counts as dead.
LEASE = datetime.timedelta(minutes=5)
LONGEST_PAUSE = 3600  # seconds


def due(now):
    return list(Connection.objects.due(now).order_by("poll_due_at").values_list("pk", flat=True))


def run(connection_id, *, now):
    """Poll one connection to the end of its pages. Does nothing when another worker does so, or it is paused."""
    claimed = Connection.objects.due(now).filter(pk=connection_id)
    if not claimed.update(polling_until=now + LEASE):
        return
    connection = Connection.objects.select_related("channel").get(pk=connection_id)
    mine, kind = Connection.objects.filter(pk=connection_id), kind_of(connection)
    seconds, failures = kind.poll_seconds, 0
    try:
        _pages(connection, kind)
        mine.update(last_error="")
    except http.SourceError as failure:
        failures = connection.poll_failures + 1
        seconds = failure.seconds if isinstance(failure, http.Throttled) else _backoff(failures, seconds)
        mine.note_error(failure, now=timezone.now())
    except Exception as failure:
        failures = connection.poll_failures + 1
        seconds = _backoff(failures, seconds)
        mine.note_error(f"{type(failure).__name__} while polling; the log says more.", now=timezone.now())
        raise
    finally:
        mine.update(
            polling_until=None,
            poll_failures=failures,
            poll_due_at=timezone.now() + datetime.timedelta(seconds=seconds),
        )


def _backoff(failures, seconds):
    return min(seconds * 2 ** min(failures - 1, 10), LONGEST_PAUSE)


def _pages(connection, kind):
    progress = {"started": timezone.now(), "pages": 0, "orders": 0, "imported": 0, "parked": 0}
    with open_client(connection) as client:
        for page in kind.inbound.pages(client, connection):
            store_page(connection, kind, page, progress, now=timezone.now())
    progress["finished"] = timezone.now()
    Connection.objects.filter(pk=connection.pk).update(progress=progress)


def store_page(connection, kind, page, progress, *, now):
    """Bring the orders of a page to ours and move the watermark with them; returns the outcomes."""
    moves = {"cursor": page.cursor} if page.cursor is not None else {}

    def note(outcomes):
        progress["pages"] += 1
        progress["orders"] += len(page.orders)
        for outcome in outcomes:
            progress[outcome.done] = progress.get(outcome.done, 0) + 1
        mine = Connection.objects.filter(pk=connection.pk)
        mine.update(progress=progress, polling_until=now + LEASE, **moves)
        if page.watermark is not None:
            # Never back: a worker that was taken for dead may still store its page.
            mine.filter(Q(watermark=None) | Q(watermark__lt=page.watermark)).update(watermark=page.watermark)

    return bring(connection, kind, page.orders, now=now, also=note)


def bring(connection, kind, orders, *, now, also=None):
    """Bring orders that were read from a source to ours, and store those that have to be looked at.

    Args:
        also: called with the outcomes in the same transaction.
    """
    options = kind.options(connection.settings)
    drafts = [draft for order in orders for draft in inbox.mapped_orders(kind, order, options)]
    raw = {
        kind.mapping.identify(order)[0]: json.dumps(order, ensure_ascii=False, default=text).encode()
        for order in orders
    }

    def note(outcomes):
        inbox.park_polled(connection, raw, outcomes, now=now)
        good = {outcome.draft.order_id for outcome in outcomes if outcome.settles}
        # An order with a ship group that is parked is not settled by its other ones.
        good -= {outcome.draft.order_id for outcome in outcomes if outcome.is_parked}
        if good:
            inbox.close_parked(connection, good, now=now)
        if also is not None:
            also(outcomes)

    return importing.apply(connection, drafts, now=now, also=note)


def ask(connections, *, now):
    """Let connections be polled with the next beat."""
    connections.update(poll_due_at=now, poll_failures=0)
