"""The queue of unrouted orders, taken in batches by one worker, against the same rows written by the driver."""

import collections
import contextlib
import dataclasses
import datetime
import io
import json
import multiprocessing
import os
import statistics
import time
import uuid
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Length
from django.utils import timezone

from fulfillment.core import events
from fulfillment.core.models import Article, Channel, Facility, Listing
from fulfillment.core.outbox import RetryLater
from orders import bulk
from orders import services as orders
from orders.events import BulkReceived
from orders.models import Order, OrderLine
from routing import services as routing
from routing import trials
from routing.events import PlanRouted, TrialAsked
from routing.models import DecisionLog, Place, Reservation, RoutingPlan, RoutingPlanLine
from routing.runs import run
from tests.bench import bench_routing
from tests.bench.orders import order_bodies

FACILITIES = (20, 1000)
FLOOR_BATCH = 50  # orders per transaction of the floor that ratios are given to
ORDERS = 1000
SHARE, ROUNDS = 2000, 3  # orders that a worker routes beside others, in each of so many rounds


def measure():
    """Orders per second with reservation and decision log, and what a decision takes in the database."""
    channel = Channel.objects.create(key="bench-batches", name="Batches")
    Place.objects.create(
        country="NL", kind=Place.Kind.CITY, key="amsterdam", latitude=52.374, longitude=4.89, population=1
    )
    Article.objects.bulk_create(Article(sku=f"SKU-{number:04}", title="Mug") for number in range(5000))
    articles = list(Article.objects.order_by("sku"))
    bench_routing.EVERY.setdefault(1000, 1)
    # What follows from a routed part is picking's, and is measured there.
    reactions, events._reactions[PlanRouted] = events._reactions[PlanRouted], []
    rows, known = [], 0
    try:
        for count in FACILITIES:
            # Every facility has every article that the orders name.
            bench_routing._add_facilities(known, count, articles[: bench_routing.ORDERED])
            known = count
            rows += _measure(count, channel)
    finally:
        events._reactions[PlanRouted] = reactions
    return rows


def _measure(count, channel):
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    bodies = order_bodies(f"batches-{count}", ORDERS + routing.BATCH)
    ids = [orders.place(body, channel=channel, by=None, now=timezone.now()).pk for body in bodies]
    run(ids[: routing.BATCH], again=False, by=None, now=timezone.now())
    ids = ids[routing.BATCH :]
    times = []
    for start in range(0, len(ids), routing.BATCH):
        begin = time.perf_counter()
        run(ids[start : start + routing.BATCH], again=False, by=None, now=timezone.now())
        times.append(time.perf_counter() - begin)
    rate = routing.BATCH / statistics.median(times)
    logs = DecisionLog.objects.filter(order__in=ids)
    size = logs.annotate(size=Length("figures")).values_list("size", "data")
    data = [own + len(json.dumps(plain)) for own, plain in size]
    trial = trials.ask(ORDERS, by=None, now=timezone.now())
    begin = time.perf_counter()
    _work_to_the_end(trial)
    tried = ORDERS / (time.perf_counter() - begin)
    routed = RoutingPlan.objects.filter(order__in=ids, status="ROUTED").values("order").distinct().count()
    floor = _floors(ids, FLOOR_BATCH) if connection.vendor == "postgresql" else None
    name = f"batches: {count} facilities"
    note = f"batches of {routing.BATCH}, one process; {routed} of {ORDERS} routed, imported before; the floor imports its own"
    rows = [
        {"name": name, "value": round(rate), "unit": "orders/s", "note": note}
        | ({"ratio": rate / floor} if floor else {}),
        {"name": name, "value": round(statistics.mean(data)), "unit": "bytes", "note": "one decision"},
        {
            "name": f"trial: {count} facilities",
            "value": round(tried),
            "unit": "decisions/s",
            "note": "draft and revision in use; target 17 with one worker",
        },
    ]
    if floor:
        rows += _together(count, channel)
        for size in (routing.BATCH, FLOOR_BATCH):
            value = floor if size == FLOOR_BATCH else _floors(ids, size)
            rows.insert(
                0,
                {
                    "name": f"{name}, floor",
                    "value": round(value),
                    "unit": "orders/s",
                    "ratio": value / floor,
                    "note": f"the driver imports, reads, reserves and writes as much in batches of {size}; "
                    "the first facility takes all",
                },
            )
    return rows


def _work_to_the_end(trial):
    """As the dispatcher does: a trial gives its worker back after a while and goes on where it was."""
    while True:
        with contextlib.suppress(RetryLater):
            return trials.work_off(TrialAsked(trial_id=trial.pk))


@dataclasses.dataclass(frozen=True)
class Work:
    """What one worker took for its share of a round."""

    seconds: float
    cpu: float  # of its own and of its connection in the database, where that can be seen from here


def _together(count, channel):
    """Two workers that share a queue against one that has half of it, in turns; and the time of the processor."""
    each = SHARE + routing.BATCH
    rates, cpu = {1: [], 2: []}, {1: [], 2: []}
    for number in range(ROUNDS):
        ids = _place(f"together-{count}-{number}", 3 * each, channel)
        for workers in rates:
            shares = [[ids.pop() for _order in range(each)] for _worker in range(workers)]
            done = _work_off(shares)
            rates[workers].append(workers * SHARE / max(work.seconds for work in done))
            cpu[workers].append(sum(work.cpu for work in done) / (workers * SHARE) * 1000)
            _pick_everything()
    one, two = (statistics.median(rates[workers]) for workers in rates)
    one_ms, two_ms = (statistics.median(cpu[workers]) for workers in cpu)
    name = f"batches: {count} facilities, two workers"
    return [
        {
            "name": name,
            "value": round(two),
            "unit": "orders/s",
            "ratio": two / one,
            "note": f"ratio to one worker; target 1.7; {SHARE:,} orders each, median of {ROUNDS}",
        },
        {
            # Where others use the machine too, this still tells whether two workers are in each other's way.
            "name": f"{name}: CPU",
            "value": round(two_ms, 3),
            "unit": "ms/order",
            "ratio": two_ms / one_ms,
            "note": f"worker and its connection, ratio to one; one worker alone keeps {one * one_ms / 1000:.2f} "
            f"of {os.cpu_count()} cores busy, two {two * two_ms / 1000:.2f}",
        },
    ]


def _place(prefix, number, channel):
    """Ids of new orders. They are imported, which is the quickest way to have many."""
    before = set(Order.objects.values_list("pk", flat=True))
    stream = io.BytesIO("\n".join(map(json.dumps, order_bodies(prefix, number))).encode())
    received, _is_new = bulk.receive(
        stream,
        channel=channel,
        by=None,
        caller="bench",
        key=None,
        facility_ids=None,
        is_dry_run=False,
        now=timezone.now(),
    )
    bulk.work_off(BulkReceived(bulk_id=received.pk))
    return [pk for pk in Order.objects.order_by("-pk").values_list("pk", flat=True) if pk not in before]


def _work_off(shares):
    """A process per share, all at once."""
    connection.close()
    connection.close_pool()  # every process opens its own
    processes = multiprocessing.get_context("fork")
    barrier, found = processes.Barrier(len(shares)), processes.Queue()
    started = [processes.Process(target=_work, args=[ids, barrier, found]) for ids in shares]
    for process in started:
        process.start()
    done = [found.get(timeout=300) for _process in started]
    for process in started:
        process.join()
    return done


def _work(ids, barrier, found):
    """All batches but the first, which loads what the first one loads."""
    run(ids[: routing.BATCH], again=False, by=None, now=timezone.now())
    barrier.wait(timeout=60)
    begin, cpu = time.perf_counter(), time.process_time() + _server_seconds()
    for start in range(routing.BATCH, len(ids), routing.BATCH):
        run(ids[start : start + routing.BATCH], again=False, by=None, now=timezone.now())
    found.put(Work(time.perf_counter() - begin, time.process_time() + _server_seconds() - cpu))


def _server_seconds():
    """What the database's process of this connection took of the processor; 0 where it runs elsewhere."""
    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _pick_everything():
    """Every round begins with the same stock and workload."""
    Reservation.objects.all().delete()
    Listing.objects.filter(reserved__gt=0).update(reserved=0)
    RoutingPlanLine.objects.filter(done=0).update(done=F("quantity"))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as the database does by itself, sooner or later


def _floors(ids, size):
    """The median of some: one of them is over in a fraction of a second."""
    return statistics.median(_floor(ids, size) for _round in range(ROUNDS))


AMSTERDAM = (52.374, 4.89)
ORDER_BODY = json.dumps(order_bodies("floor", 1)[0])
# An order and what routing writes of it, as tables of the floor: a plan with its log, lines, reservations, steps, events.
FLOOR_TABLES = {
    "floor_order": "id uuid PRIMARY KEY, body jsonb, at timestamptz",
    "floor_order_line": "id uuid PRIMARY KEY, order_id uuid, article_id uuid, quantity int",
    "floor_plan": "id uuid PRIMARY KEY, order_id uuid, facility_id uuid, at timestamptz, log text",
    "floor_line": "id uuid PRIMARY KEY, plan_id uuid, line_id uuid, quantity int",
    "floor_reservation": "id uuid PRIMARY KEY, plan_id uuid, listing_id uuid, quantity int",
    "floor_step": "id uuid PRIMARY KEY, plan_id uuid, before text, after text, at timestamptz",
    "floor_event": "id uuid PRIMARY KEY, name text, payload jsonb, at timestamptz",
}


def _floor(ids, size):
    """Orders per second of the driver alone: orders imported, stock of their articles read, the nearest facility
    found, its listings raised, rows copied.

    Args:
        size: orders per transaction.
    """
    article_ids = list(Article.objects.order_by("sku").values_list("pk", flat=True)[: bench_routing.ORDERED])
    facility = Listing.objects.filter(article_id=article_ids[0]).values_list("facility_id", flat=True)[0]
    listing_of = dict(Listing.objects.filter(facility=facility).values_list("article_id", "pk"))
    places = list(Facility.objects.values_list("pk", "latitude", "longitude"))
    known = OrderLine.objects.filter(order__in=ids).values_list("order_id", "article_id", "quantity")
    bought = collections.defaultdict(list)
    for order, article, quantity in known:
        bought[order].append((article, quantity))
    connect = psycopg.connect(settings.DATABASE_URL, autocommit=True)
    for table, columns in FLOOR_TABLES.items():
        connect.execute(f"CREATE TABLE {table} ({columns})")
    begin = time.perf_counter()
    for start in range(0, len(ids), size):
        with connect.transaction():
            batch = {uuid.uuid4(): bought[pk] for pk in ids[start : start + size]}
            _import_plainly(connect, batch)
            _route_plainly(connect, list(batch), facility, listing_of, places)
    seconds = time.perf_counter() - begin
    for table in FLOOR_TABLES:
        connect.execute(f"DROP TABLE {table}")
    connect.close()
    return len(ids) / seconds


def _import_plainly(connect, batch):
    now = datetime.datetime.now(datetime.UTC)
    _copy(connect, "floor_order", [(order, ORDER_BODY, now) for order in batch])
    _copy(
        connect,
        "floor_order_line",
        [(uuid.uuid4(), order, *line) for order, bought in batch.items() for line in bought],
    )


def _route_plainly(connect, batch, facility, listing_of, places):
    lines = connect.execute(
        "SELECT l.order_id, l.id, l.article_id, l.quantity FROM floor_order_line l "
        "JOIN floor_order o ON o.id = l.order_id WHERE o.id = ANY(%s) ORDER BY o.id FOR UPDATE OF o",
        [batch],
    ).fetchall()
    connect.execute(
        "SELECT l.facility_id, l.article_id, l.plain_units - l.reserved FROM core_listing l "
        "WHERE l.article_id = ANY(%s)",
        [list({line[2] for line in lines})],
    ).fetchall()
    for _order in batch:  # whom it finds does not matter: the first one takes all
        min(places, key=lambda place: (place[1] - AMSTERDAM[0]) ** 2 + (place[2] - AMSTERDAM[1]) ** 2)
    keys = sorted({listing_of[article] for _order, _line, article, _quantity in lines})
    connect.execute(
        "UPDATE core_listing SET reserved = reserved + 0 WHERE id IN (SELECT id FROM core_listing "
        "WHERE id = ANY(%s) ORDER BY id FOR UPDATE)",
        [keys],
    )
    now, plans = datetime.datetime.now(datetime.UTC), {line[0]: uuid.uuid4() for line in lines}
    rows = {
        "floor_plan": [(plan, order, facility, now, "{}" * 300) for order, plan in plans.items()],
        "floor_line": [(uuid.uuid4(), plans[order], line, quantity) for order, line, _, quantity in lines],
        "floor_reservation": [
            (uuid.uuid4(), plans[order], listing_of[article], quantity)
            for order, _, article, quantity in lines
        ],
        "floor_step": [(uuid.uuid4(), plan, "NEW", "ROUTED", now) for plan in plans.values()],
        "floor_event": [(uuid.uuid4(), "PlanRouted", '{"id": 1}', now) for _plan in plans],
    }
    for table, found in rows.items():
        _copy(connect, table, found)


def _copy(connect, table, rows):
    with connect.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
