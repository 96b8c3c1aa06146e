"""Many workers route many orders for a few articles that are short, at once: ``make soak``.

Prints orders, units reserved, oversold, deadlocks and lost; the last three are 0. Needs PostgreSQL; its database is made for
it and dropped afterwards. ``ORDERS=`` and ``PROCESSES=`` choose how many.
"""

import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parent.parent
SERVER = os.environ.get("DATABASE_URL") or "postgres://postgres@127.0.0.1:5432/postgres"
ORDERS, PROCESSES = int(os.environ.get("ORDERS", "5000")), int(os.environ.get("PROCESSES", "8"))
ARTICLES, SITES = 5, 6
BATCH = 10  # orders of one run: small, so that the workers meet often


def main():
    """Make the database, have the workers route, and say what is in it afterwards."""
    import psycopg
    from psycopg import sql

    name = f"soak_fulfillment_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(SERVER, autocommit=True) as connection, tempfile.TemporaryDirectory() as var:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        environment = {
            **os.environ,
            "DATABASE_URL": urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}")),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "CELERY_BROKER_URL": "",
            "CACHE_URL": "",
            "VAR_DIR": var,
            "DEBUG": "false",
        }

        def start(*step):
            command = [sys.executable, "-m", "tests.soak", *step]
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)

        try:
            _result(start("prepare"))
            began = time.perf_counter()
            workers = [start("work", str(number)) for number in range(PROCESSES)]
            deadlocks = sum(int(_result(worker)) for worker in workers)
            seconds = time.perf_counter() - began
            report = _result(start("report"))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    print(
        f"{PROCESSES} processes, {seconds:.1f} s, {ORDERS / seconds:.0f} orders/s\n{report}\ndeadlocks {deadlocks}"
    )
    if deadlocks or any(
        line.split()[-1] != "0" for line in report.splitlines() if line.startswith(("over", "lost"))
    ):
        sys.exit("The soak found something.")


def _result(process):
    output, _none = process.communicate()
    if process.returncode:
        sys.exit(f"A step of the soak failed with {process.returncode}.")
    return output.strip()


def prepare():
    """Orders for a handful of articles, of which there is less than is ordered."""
    from django.core.management import call_command
    from django.utils import timezone

    from fulfillment.core.models import Article, Channel, Facility
    from fulfillment.core.services import stock
    from orders import services as orders

    call_command("migrate", verbosity=0)
    articles = [Article.objects.create(sku=f"HOT-{number}", title="Hot") for number in range(ARTICLES)]
    for number in range(SITES):
        site = Facility.objects.create(
            name=f"Soak {number}",
            tenant_facility_id=f"S-{number}",
            slug=f"soak-{number}",
            company_name="Soak",
            street="Damrak",
            postal_code="1012 LG",
            city="Amsterdam",
            country="NL",
            latitude=52.3 + number / 100,
            longitude=4.9,
        )
        for article in articles:
            # About four fifths of what is wanted: the end of the soak fights for the last units.
            units = ORDERS * 3 * 4 // (5 * SITES * ARTICLES)
            stock.receive(site, article.sku, units, by=None, now=timezone.now())
    channel, draw = Channel.objects.create(key="soak", name="Soak"), random.Random(1)
    for number in range(ORDERS):
        chosen = draw.sample(articles, draw.randint(1, 2))
        orders.place(
            {
                "tenantOrderId": f"SOAK-{number}",
                "orderDate": "2026-03-02T09:00:00Z",
                "consumer": {
                    "addresses": [
                        {
                            "firstName": "A",
                            "lastName": "B",
                            "street": "Damrak",
                            "houseNumber": "1",
                            "postalCode": "1012 LG",
                            "city": "Amsterdam",
                            "country": "NL",
                            "resolvedCoordinates": {"lat": 52.37, "lon": 4.9},
                        }
                    ]
                },
                "orderLineItems": [
                    {
                        "quantity": draw.randint(1, 3),
                        "article": {"tenantArticleId": article.sku, "title": "Hot"},
                    }
                    for article in chosen
                ],
            },
            channel=channel,
            by=None,
            now=timezone.now(),
        )


def work(number):
    """Route the orders that this worker and its neighbour both have, in an order of its own; prints deadlocks."""
    from django.db import OperationalError
    from django.utils import timezone

    from orders.models import Order
    from routing.runs import run

    ids = list(Order.objects.order_by("pk").values_list("pk", flat=True))
    own = [pk for position, pk in enumerate(ids) if (position - number) % PROCESSES in (0, 1)]
    random.Random(number).shuffle(own)
    deadlocks = 0
    for start in range(0, len(own), BATCH):
        while True:
            try:
                run(own[start : start + BATCH], again=False, by=None, now=timezone.now())
            except OperationalError as error:
                if "deadlock" not in str(error):
                    raise
                deadlocks += 1
            else:
                break
    print(deadlocks)


def report():
    """Compare counters, reservations and stock."""
    from django.db.models import F, Sum
    from django.utils import timezone

    from fulfillment.core.models import Listing
    from orders.models import Order, OrderLine
    from routing.models import Reservation, RoutingPlan, RoutingPlanLine

    reserved = Reservation.objects.units()
    counted = Listing.objects.aggregate(units=Sum("reserved"))["units"]
    listings = Listing.objects.with_available(timezone.now().date())
    oversold = sum(row.reserved - row.usable for row in listings.filter(reserved__gt=F("usable")))
    without = Order.objects.exclude(pk__in=RoutingPlan.objects.values("order")).count()
    wanted = dict(OrderLine.objects.values_list("order").annotate(units=Sum("quantity")))
    planned = dict(RoutingPlanLine.objects.values_list("plan__order").annotate(units=Sum("quantity")))
    twice = sum(units > wanted[order] for order, units in planned.items())
    print(f"orders {Order.objects.count()}")
    print(f"routed {RoutingPlan.objects.filter(status='ROUTED').values('order').distinct().count()}")
    print(f"units reserved {reserved}")
    print(f"oversold {oversold + abs(reserved - counted)}")
    print(f"over-planned orders {twice}")
    print(f"lost {without}")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        import django

        django.setup()
        with contextlib.suppress(BrokenPipeError):
            {"prepare": prepare, "work": lambda: work(int(sys.argv[2])), "report": report}[sys.argv[1]]()
