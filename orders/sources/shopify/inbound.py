"""Orders come by signed webhook, and by a poll that misses nothing."""

import base64
import hashlib
import hmac

from django.utils import timezone

from orders.sources.kind import BadSignature, Page, Received, found_or_gone
from orders.sources.models import Connection
from orders.sources.reading import NotOfThisSource, first, iso, items, part, text, time

from . import mapping
from .client import LINES, OF_FULFILLMENT_ORDER, PAGE, TooCostly, gid

PAGE_SIZE = 50


def verify(connection, headers, body):
    """The delivery a webhook is. Signed over the raw bytes with the secret, or for an hour with the one before.

    Raises:
        BadSignature: also for another shop, and without an id.
    """
    signature = _header(headers, "Hmac-Sha256").encode()
    known = connection.credentials
    secrets = [secret for secret in (known.get("client_secret"), known.get("previous_secret")) if secret]
    # Every secret is tried, so that the time says nothing.
    fits = [hmac.compare_digest(_sign(secret, body), signature) for secret in secrets]
    if not any(fits):
        raise BadSignature
    shop = _header(headers, "Shop-Domain").lower()
    key = _header(headers, "Webhook-Id")
    if shop != text(connection.settings.get("shop")).lower() or not key:
        raise BadSignature
    return Received(key=key, topic=_header(headers, "Topic").lower())


def _header(headers, name):
    return (headers.get(f"X-Shopify-{name}") or headers.get(f"Shopify-{name}") or "").strip()


def _sign(secret, body):
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())


def read(client, topic, payload):
    """The orders that a delivery is about; read from the shop when it only names one."""
    if topic == "app/uninstalled":
        Connection.objects.filter(pk=client.connection.pk, paused_at=None).update(
            paused_at=timezone.now(), last_error="The app was removed from the shop."
        )
        return []
    if topic == "orders/edited" and "order_edit" in payload:
        return _read(client, part(payload, "order_edit", "order_id"))
    if topic in {"returns/approve", "returns/reopen"}:
        return _read(client, part(payload, "order", "id"))
    if topic.startswith("fulfillment_orders/"):
        entry = part(payload, "fulfillment_order") or {}
        owner = client.query(
            OF_FULFILLMENT_ORDER, id=gid("FulfillmentOrder", first(entry.get("id"), payload.get("id")))
        )
        return _read(client, part(owner, "fulfillmentOrder", "order", "id"))
    if topic.startswith("orders/") or not topic:
        return mapping.unwrap(payload)
    return []


def _read(client, identifier):
    if not text(identifier):
        raise NotOfThisSource
    return [found_or_gone(client.order(identifier))]


def pages(client, connection):
    """Orders by the time of their last change, so that each page moves the watermark."""
    query = f"updated_at:>='{iso(connection.since)}'" if connection.since else None
    cursor, size = None, PAGE_SIZE
    while True:
        try:
            found = client.query(
                PAGE, first=size, after=cursor, query=query, lines=LINES, returns=client.reads_returns
            )
        except TooCostly:
            if size == 1:
                raise
            size = max(1, size // 2)
            continue
        orders = [client.with_all_lines(order) for order in items(part(found, "orders"))]
        times = [moment for order in orders if (moment := time(order.get("updatedAt")))]
        yield Page(orders, watermark=max(times, default=None))
        info = part(found, "orders", "pageInfo") or {}
        if not info.get("hasNextPage"):
            return
        cursor = info.get("endCursor")
