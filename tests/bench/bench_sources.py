"""Orders of sources: a webhook over HTTP against a bare POST that stores one row, and a page of a poll at once."""

import http
import json
import statistics
import time
import uuid

from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.models import Article, Channel
from fulfillment.demo.sources import fake_of
from orders.sources import polling
from orders.sources.kind import Page
from orders.sources.models import Connection
from orders.sources.registry import KINDS
from tests.bench.server import post_signed, running

ROUNDS, PER_ROUND, WARM, PAGE = 9, 200, 100, 250


def measure():
    """Webhooks per second that are verified and stored, and orders per second of a page that is mapped and imported."""
    Article.objects.bulk_create(Article(sku=f"SKU-{n:04}", title="Mug") for n in range(100))
    channel = Channel.objects.create(key="bench-sources", name="Sources")
    shop = fake_of("shopify")
    connection = Connection(
        kind="shopify", name="Bench", channel=channel, settings=shop.settings(), watermark=None
    )
    connection.credentials = shop.credentials()
    connection.save()
    order = shop.new_order(*((f"SKU-{n:04}", 1) for n in range(3)))
    with running() as port:
        paths = ["/floor/deliveries", f"/sources/{connection.pk}/"]

        def per_second(path, number):
            calls = [_signed(shop, order) for _call in range(number)]
            return number / post_signed(port, path, calls, http.HTTPStatus.OK)

        for path in paths:
            per_second(path, WARM)
        # In turns, and the median of all: a busy moment of the machine decides nothing.
        rounds = [[per_second(path, PER_ROUND) for path in paths] for _round in range(ROUNDS)]
    bare, own = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(ours / floor for floor, ours in rounds)
    pages = [_page(shop, connection) for _round in range(3)]
    seconds, queries = min(pages)
    return [
        {
            "name": "sources: floor, bare POST",
            "value": round(bare, 1),
            "unit": "1/s",
            "ratio": 1.0,
            "note": "one row",
        },
        {
            "name": "sources: webhook",
            "value": round(own, 1),
            "unit": "1/s",
            "ratio": ratio,
            "note": "verified and stored, median of the rounds",
        },
        {
            "name": f"sources: page of {PAGE}",
            "value": round(PAGE / seconds, 1),
            "unit": "orders/s",
            "note": f"mapped and imported with {queries} queries",
        },
    ]


def _signed(shop, order):
    return shop.webhook(order, key=uuid.uuid4().hex)


def _page(shop, connection):
    kind = KINDS[shop.kind]
    orders = [shop.new_order((f"SKU-{n % 100:04}", 1), (f"SKU-{n * 7 % 100:04}", 2)) for n in range(PAGE)]
    nodes = json.loads(json.dumps(shop.page(*orders)))["data"]["orders"]["nodes"]
    progress = {"pages": 0, "orders": 0}
    with CaptureQueriesContext(database) as captured:
        begin = time.perf_counter()
        outcomes = polling.store_page(connection, kind, Page(nodes), progress, now=timezone.now())
        seconds = time.perf_counter() - begin
    if {outcome.done for outcome in outcomes} != {"imported"}:
        raise RuntimeError("Not every order of the page was imported.")
    return seconds, len(captured)
