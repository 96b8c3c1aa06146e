from celery import shared_task
from django.utils import timezone

from fulfillment.core import outbox

from . import availability, inbox, polling, queues, retention


@shared_task
def work_inbox():
    """Work off the webhooks that are stored."""
    inbox.work_due()


@shared_task
def poll_due():
    """Give each connection whose poll is due to a worker."""
    for connection_id in polling.due(timezone.now()):
        outbox.send("orders.sources.tasks.poll", "sources", connection_id=str(connection_id))


@shared_task
def poll(*, connection_id):
    polling.run(connection_id, now=timezone.now())


@shared_task
def drain_due():
    """Give each connection with a queue to a worker."""
    for connection_id in queues.due():
        outbox.send("orders.sources.tasks.drain", "sources", connection_id=str(connection_id))


@shared_task
def drain(*, connection_id):
    queues.drain(connection_id)


@shared_task
def push_due():
    """Give each connection that wants stock figures to a worker."""
    for connection_id in availability.due(timezone.now()):
        outbox.send("orders.sources.tasks.push", "sources", connection_id=str(connection_id))


@shared_task
def push(*, connection_id):
    availability.push(connection_id, now=timezone.now())


@shared_task
def forget_old():
    retention.forget_old(now=timezone.now())
