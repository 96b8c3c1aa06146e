"""The demo shop: posts the demo orders to a running system through its API."""

import contextlib
import time

import httpx
from django.utils import timezone

from fulfillment.core.models import ApiToken, Channel

from . import loader


class OrderRefusedError(Exception):
    """The system did not take an order; the message says which and why."""


@contextlib.contextmanager
def token():
    """The secret of an API token of the web shop, revoked in the end."""
    made = ApiToken(
        name="Demo shop",
        channel=Channel.objects.get(key="web"),
        scopes=[ApiToken.Scope.ORDERS, ApiToken.Scope.READ],
    )
    secret = made.issue()
    made.save()
    try:
        yield secret
    finally:
        made.revoked_at = timezone.now()
        made.save(update_fields=["revoked_at"])


def post_orders(url, *, certificate=None):
    """Post every demo order, with a key each, so that posting again is safe; returns the seconds of each request.

    Args:
        certificate: path of the certificate to trust, for a system that made its own.
    """
    verify = certificate or True
    seconds = []
    with token() as secret:
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=url, headers=headers, timeout=30, verify=verify) as client:
            for order in loader.orders(timezone.now()):
                begin = time.perf_counter()
                key = {"Idempotency-Key": f"demo-{order['tenantOrderId']}"}
                answer = client.post("/api/orders", json=order, headers=key)
                seconds.append(time.perf_counter() - begin)
                if answer.status_code != httpx.codes.CREATED:
                    raise OrderRefusedError(
                        f"{order['tenantOrderId']}: {answer.status_code} {answer.text[:500]}"
                    )
    return seconds
