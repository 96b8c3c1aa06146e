"""Queues that sources write their messages to: each is stored as a webhook would be, then taken out of the queue."""

from django.db import transaction
from django.utils import timezone

from fulfillment.core import rows

from . import http, inbox
from .models import Connection, Delivery
from .registry import KINDS, kind_of


def due():
    """Connections that name a queue."""
    able = [kind.key for kind in KINDS.values() if kind.has_queue]
    active = Connection.objects.active().filter(kind__in=able)
    return [
        connection.pk for connection in active if kind_of(connection).inbound.is_queued(connection.settings)
    ]


def drain(connection_id):
    """Store what waits in the queue of a connection. Two workers at once store each message once."""
    connection = Connection.objects.active().filter(pk=connection_id).first()
    if connection is None:
        return
    options = kind_of(connection).options(connection.settings)
    try:
        kind_of(connection).inbound.drain(connection, options, lambda batch: _store(connection, batch))
    except http.SourceError as failure:
        mine = Connection.objects.filter(pk=connection.pk)
        mine.note_error(f"Queue: {failure}", now=timezone.now())


@transaction.atomic
def _store(connection, batch):
    """Store messages, those that are here already once more nowhere.

    Args:
        batch: ``[(Received, body)]``.
    """
    now = timezone.now()
    deliveries = [
        Delivery(
            connection=connection,
            key=received.key[:255],
            via=Delivery.Via.QUEUE,
            topic=received.topic[:100],
            body=body,
            received_at=now,
            due_at=now,
        )
        for received, body in batch
    ]
    for delivery in deliveries:
        rows.insert_once(delivery)
    transaction.on_commit(inbox.wake)
