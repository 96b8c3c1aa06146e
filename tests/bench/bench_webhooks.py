"""Deliveries of one worker to a fast receiver, alone and beside a slow one, against the bare calls of the client.

The receiver is a process of its own: it would share the interpreter with the worker otherwise.
"""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from fulfillment.core.models import Channel
from fulfillment.overview import delivering, publications, services, targets
from fulfillment.overview.models import WebhookDelivery, WebhookEvent
from tests.bench.orders import order_bodies

EVENTS, SLOW_EVENTS, WARM = 1000, 200, 50
SERVE = """
import sys, threading
from tests.receiver import Receiver
with Receiver(delay=float(sys.argv[1]), keeps=False).listening() as receiver:
    print(receiver.url, flush=True)
    sys.stdin.read()
"""


class Served:
    """A receiver in a process of its own, until the block ends."""

    def __init__(self, delay):
        self.delay = delay

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.delay)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(settings.BASE_DIR),
        )
        return self.process.stdout.readline().strip()

    def __exit__(self, *_error):
        self.process.communicate()


def measure():
    """Deliveries per second with an order as payload, each event of another order."""
    channel = Channel.objects.create(key="bench-webhooks", name="Webhooks")
    payload = order_bodies("webhook", 1)[0]
    with Served(0) as fast_url, Served(5) as slow_url:
        bare = _bare(fast_url, payload)
        fast, _secret = services.subscribe(
            name="fast", event="ORDER_CREATED", callback_url=fast_url, by=None, now=timezone.now()
        )
        _happen([fast], channel, payload, WARM)
        delivering.run()
        _happen([fast], channel, payload, EVENTS)
        alone = _seconds(fast, EVENTS)
        slow, _secret = services.subscribe(
            name="slow", event="ORDER_CREATED", callback_url=slow_url, by=None, now=timezone.now()
        )
        _happen([slow], channel, payload, SLOW_EVENTS)
        _happen([fast], channel, payload, EVENTS)
        beside = _seconds(fast, EVENTS)
    return [
        _row(
            "webhooks: floor, the same calls without a database", bare, bare, f"{delivering.PARALLEL} threads"
        ),
        _row("webhooks: product, one fast receiver", EVENTS / alone, bare, "one worker, signed, logged"),
        _row("webhooks: product, beside a slow one", EVENTS / beside, bare, "the other answers after 5 s"),
    ]


def _row(name, value, floor, note):
    return {"name": name, "value": round(value, 1), "unit": "calls/s", "ratio": value / floor, "note": note}


def _bare(url, payload):
    body = json.dumps({"event": "ORDER_CREATED", "eventId": "x", "payload": payload}).encode()
    caller = targets.caller(os.getpid())
    with ThreadPoolExecutor(delivering.PARALLEL) as pool:
        list(pool.map(lambda _number: caller.post(url, body, {}), range(WARM)))
        begin = time.perf_counter()
        answers = list(pool.map(lambda _number: caller.post(url, body, {}), range(EVENTS)))
        seconds = time.perf_counter() - begin
    if not all(answer.is_good for answer in answers):
        raise RuntimeError("The receiver failed.")
    return EVENTS / seconds


def _happen(subscriptions, channel, payload, count):
    now = timezone.now()
    events = WebhookEvent.objects.bulk_create(
        WebhookEvent(
            event="ORDER_CREATED",
            order_id=(order_id := WebhookEvent._meta.get_field("uuid").default()),
            sequence=1,
            channel_id=channel.pk,
            entity_id=order_id,
            payload=payload,
            created_at=now,
        )
        for _number in range(count)
    )
    publications.queue([(event, subscriptions) for event in events], now)


def _seconds(subscription, count):
    """Seconds until everything for the subscription is told; the worker is stopped then."""
    stop = threading.Event()
    mine = WebhookDelivery.objects.filter(subscription=subscription, state="DUE")
    if mine.count() != count:
        raise RuntimeError(f"There should be {count} deliveries.")

    def work():
        try:
            delivering.run(stop=stop)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    begin = time.perf_counter()
    worker.start()
    while mine.exists():
        if time.perf_counter() - begin > 120:
            raise RuntimeError("The worker is too slow to measure.")
        time.sleep(0.05)
    seconds = time.perf_counter() - begin
    stop.set()
    worker.join()
    return seconds
