"""Lists of 25 entities with 200,000 orders in the table: milliseconds and number of queries."""

import time

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.ids import uuid7
from fulfillment.core.models import ApiToken, Channel
from orders.models import Order, OrderLine

ORDERS, BATCH, CALLS = 200_000, 5_000, 60


def measure():
    """p50 and p95 of the newest page, a page in the middle, and a search by number; queries of a page."""
    channel = Channel.objects.create(key="bench-lists", name="Lists")
    token = ApiToken(name="Lists", channel=channel, scopes=["READ"])
    authorization = f"Bearer {token.issue()}"
    token.save()
    middle = _fill(channel)
    client = Client(SERVER_NAME="127.0.0.1", headers={"authorization": authorization})
    paths = {
        "lists: newest 25 of 200,000 orders": "/api/orders",
        "lists: 25 in the middle": f"/api/orders?startAfterId={middle}",
        "lists: by number": "/api/orders?tenantOrderId=L-100000",
    }
    rows = []
    for name, path in paths.items():
        times = _times(client, path)
        rows += [
            {"name": name, "value": round(times[len(times) // 2], 1), "unit": "ms p50"},
            {
                "name": name,
                "value": round(times[int(len(times) * 0.95)], 1),
                "unit": "ms p95",
                "note": "target 30 ms",
            },
        ]
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        rows.append({"name": name, "value": len(queries), "unit": "queries"})
    return rows


def _times(client, path):
    times = []
    for _call in range(CALLS):
        begin = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - begin) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(answer.content[:300])
    return sorted(times)


def _fill(channel):
    """Orders of one line each; returns the id of one in the middle."""
    now, middle = timezone.now(), None
    for start in range(0, ORDERS, BATCH):
        orders = [
            Order(
                id=uuid7(),
                channel=channel,
                tenant_order_id=f"L-{number}",
                order_date=now,
                recipient_name="Anna",
                country="NL",
                consumer={"addresses": []},
                created_at=now,
            )
            for number in range(start, start + BATCH)
        ]
        Order.objects.bulk_create(orders)
        OrderLine.objects.bulk_create(
            OrderLine(order=order, position=1, sku="A", title="A", quantity=1, wire={}) for order in orders
        )
        if start == ORDERS // 2:
            middle = orders[0].pk
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return middle
