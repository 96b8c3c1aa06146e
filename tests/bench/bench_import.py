"""Import over HTTP against two floors: a bare serializer view, and the same rows written by the driver itself."""

import sqlite3
import statistics
import time
import uuid

import psycopg
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fulfillment.core.models import ApiToken, Article, Channel
from tests.bench.orders import order_bodies
from tests.bench.server import post_all, running

ROUNDS, PER_ROUND, WARM = 9, 150, 80
ORDERS = ROUNDS * PER_ROUND


def measure():
    """Orders per second over HTTP with two workers and three lines per order, and queries per order."""
    channel = Channel.objects.create(key="bench-import", name="Import")
    Channel.objects.get_or_create(key="bench-floor", defaults={"name": "Floor"})
    Article.objects.bulk_create(Article(sku=f"SKU-{n:04}", title="Mug") for n in range(100))
    token = ApiToken(name="Bench", channel=channel, scopes=["ORDERS", "READ"])
    authorization = f"Bearer {token.issue()}"
    token.save()
    headers = {"Authorization": authorization}
    with running() as port:
        post_all(port, "/floor/orders", order_bodies("warm", WARM))
        post_all(port, "/api/orders", order_bodies("warm", WARM), headers=headers)
        # In turns, and the median of all: a busy moment of the machine decides nothing.
        rounds = [
            (
                PER_ROUND / post_all(port, "/floor/orders", order_bodies(f"floor-{number}", PER_ROUND)),
                PER_ROUND
                / post_all(port, "/api/orders", order_bodies(f"import-{number}", PER_ROUND), headers=headers),
            )
            for number in range(ROUNDS)
        ]
    bare, product = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(own / floor for floor, own in rounds)
    driver = ORDERS / _insert_by_driver(ORDERS)
    return [
        _row("import: floor, bare serializer", bare, "orders/s", bare, "2 bulk_creates"),
        _row("import: floor, driver", driver, "orders/s", bare, "one transaction per order, one connection"),
        _row(
            "import: product", product, "orders/s", bare, "ratio to the bare serializer, median of the rounds"
        )
        | {"ratio": ratio},
        {"name": "import: product", "value": _queries(authorization), "unit": "queries", "note": "one order"},
    ]


def _row(name, value, unit, floor, note):
    return {"name": name, "value": round(value, 1), "unit": unit, "ratio": value / floor, "note": note}


def _queries(authorization):
    body = order_bodies("queries", 1)[0]
    with CaptureQueriesContext(connection) as queries:
        answer = Client(SERVER_NAME="127.0.0.1").post(
            "/api/orders",
            body,
            content_type="application/json",
            headers={"authorization": authorization, "idempotency-key": "bench"},
        )
    if answer.status_code != 201:
        raise RuntimeError(answer.content[:300])
    return sum(query["sql"] not in ("BEGIN", "COMMIT") for query in queries)


def _insert_by_driver(count):
    """Seconds to write the rows of ``count`` orders without any framework, each in its own transaction."""
    row = Channel.objects.filter(key="bench-floor").values_list("pk", flat=True).get()
    orders, lines = "orders_order", "orders_orderline"
    template = _one_order(row)
    if connection.vendor == "postgresql":
        connect, mark = psycopg.connect(settings.DATABASE_URL, autocommit=True), "%s"
    else:
        connect = sqlite3.connect(connection.settings_dict["NAME"], timeout=20, isolation_level=None)
        connect.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        mark = "?"
    order_insert, line_insert = (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join([mark] * len(names))})"
        for table, names in ((orders, template[0]), (lines, template[1]))
    )
    begin = time.perf_counter()
    for number in range(count):
        identity = _id()
        order = {**template[0], "id": identity, "process_id": _id(), "tenant_order_id": f"driver-{number}"}
        connect.execute("BEGIN")
        connect.execute(order_insert, tuple(order.values()))
        for position in range(3):
            line = {**template[1], "id": _id(), "order_id": identity, "position": position}
            connect.execute(line_insert, tuple(line.values()))
        connect.execute("COMMIT")
    seconds = time.perf_counter() - begin
    connect.close()
    return seconds


def _id():
    value = uuid.uuid4()
    return value if connection.vendor == "postgresql" else value.hex


def _one_order(channel_id):
    """The columns of an order and of a line as the floor view wrote them last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM orders_order WHERE channel_id = %s LIMIT 1", [channel_id])
        order = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
        cursor.execute("SELECT * FROM orders_orderline WHERE order_id = %s LIMIT 1", [order["id"]])
        line = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    if connection.vendor == "postgresql":
        for row in (order, line):
            for name, value in row.items():
                if isinstance(value, dict | list):
                    row[name] = psycopg.types.json.Jsonb(value)
    return order, line
