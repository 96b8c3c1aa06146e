"""Routing one order, reservation and decision log included, against 20, 200 and 2,000 facilities."""

import statistics
import time
import uuid

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core import events
from fulfillment.core.models import Article, Channel, Facility, Listing, Stock
from orders import services as orders
from routing import services as routing
from routing.events import PlanRouted
from routing.models import RoutingPlan
from tests.bench.orders import order_bodies

ARTICLES = 5000
FACILITIES = (20, 200, 2000)
EVERY = {20: 1, 200: 50, 2000: 250}  # the further facilities list every so many-th article
ORDERS = 40


def measure():
    """Median milliseconds and number of queries per order, and the ratio to 20 facilities."""
    channel = Channel.objects.create(key="bench-routing", name="Routing")
    existing = set(Article.objects.values_list("sku", flat=True))
    Article.objects.bulk_create(
        (
            Article(sku=sku, title="Mug")
            for sku in (f"SKU-{number:04}" for number in range(ARTICLES))
            if sku not in existing
        ),
        batch_size=1000,
    )
    articles = list(Article.objects.order_by("sku")[:ARTICLES])
    # What follows from a routed part is picking's, and is measured there.
    reactions, events._reactions[PlanRouted] = events._reactions[PlanRouted], []
    try:
        return _measure(channel, articles)
    finally:
        events._reactions[PlanRouted] = reactions


def _measure(channel, articles):
    rows, first = [], None
    known = 0
    for count in FACILITIES:
        _add_facilities(known, count, articles)
        known = count
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")
        placed = [
            orders.place(body, channel=channel, by=None, now=timezone.now())
            for body in order_bodies(f"route-{count}", ORDERS + 2)
        ]
        routing.route_order(placed.pop().pk, by=None, now=timezone.now())  # reads the facilities once
        with CaptureQueriesContext(connection) as queries:
            routing.route_order(placed.pop().pk, by=None, now=timezone.now())
        times = []
        for order in placed:
            begin = time.perf_counter()
            routing.route_order(order.pk, by=None, now=timezone.now())
            times.append((time.perf_counter() - begin) * 1000)
        median = statistics.median(times)
        first = first or median
        frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
        statements = [query for query in queries if not query["sql"].startswith(frame)]
        routed = (
            RoutingPlan.objects.filter(order__in=placed, status="ROUTED").values("order").distinct().count()
        )
        name = f"routing: {count} facilities"
        rows.append(
            {
                "name": name,
                "value": round(median, 2),
                "unit": "ms/order",
                "ratio": median / first,
                "note": f"3 lines, {ARTICLES} articles; ratio to 20 facilities; {routed} of {ORDERS} routed",
            }
        )
        rows.append({"name": name, "value": len(statements), "unit": "queries", "note": "one order"})
    return rows


def _add_facilities(known, count, articles):
    """More facilities around Amsterdam, until there are ``count``."""
    sites = Facility.objects.bulk_create(
        (
            Facility(
                name=f"Bench {number}",
                tenant_facility_id=f"B-{number}",
                slug=f"bench-{number}",
                company_name="Bench",
                street="Damrak",
                postal_code="1012 LG",
                city="Amsterdam",
                country="NL",
                latitude=51.5 + (number % 100) / 100,
                longitude=4.0 + (number // 100) / 10,
            )
            for number in range(known, count)
        ),
        batch_size=500,
    )
    every = EVERY[count]
    listings = Listing.objects.bulk_create(
        (
            Listing(id=uuid.uuid4(), facility=site, article=article)
            for index, site in enumerate(sites)
            for position, article in enumerate(articles)
            if (index + position) % every == 0
        ),
        batch_size=2000,
    )
    Stock.objects.bulk_create((Stock(listing=listing, value=50) for listing in listings), batch_size=2000)
