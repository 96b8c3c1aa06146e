"""Subscriptions and what they are told."""

from django.utils import timezone

from fulfillment.overview import publications, services
from fulfillment.overview.models import WebhookEvent
from tests.factories.orders import OrderFactory


def subscribe(url="https://shop.example/hook", event="PICK_JOB_CREATED", **fields):
    """A subscription through its service; its secret is ``subscription.plain_secret``."""
    subscription, secret = services.subscribe(
        **{"name": event, "event": event, "callback_url": url, "by": None, "now": timezone.now(), **fields}
    )
    subscription.plain_secret = secret
    return subscription


def happened(*subscriptions, order=None, count=1, now=None):
    """Events of one order that these subscriptions are to be told."""
    order = order or OrderFactory()
    now = now or timezone.now()
    before = WebhookEvent.objects.filter(order_id=order.pk).count()
    events = WebhookEvent.objects.bulk_create(
        WebhookEvent(
            event=subscriptions[0].event,
            order_id=order.pk,
            sequence=before + number,
            channel_id=order.channel_id,
            entity_id=order.pk,
            payload={"id": str(order.pk), "number": before + number},
            created_at=now,
        )
        for number in range(1, count + 1)
    )
    publications.queue([(event, subscriptions) for event in events], now)
    return order
