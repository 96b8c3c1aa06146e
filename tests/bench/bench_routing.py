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
from routing.models import Place, RoutingPlan
from tests.bench.orders import order_bodies

ARTICLES = 5000
FACILITIES = (20, 200, 2000)
EVERY = {20: 1, 200: 50, 2000: 250}  # the further facilities list every so many-th article
ORDERS = 40
ORDERED = 100  # articles that the orders name, see order_bodies


def measure():
    """Median milliseconds and number of queries per order, and the ratio to 20 facilities."""
    channel = Channel.objects.create(key="bench-routing", name="Routing")
    # Orders come without coordinates: their city is looked up and every distance is computed.
    Place.objects.create(
        country="NL",
        kind=Place.Kind.CITY,
        key="amsterdam",
        latitude=52.374,
        longitude=4.89,
        population=741636,
    )
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
    rows, known = [], 0
    for count in FACILITIES:
        _add_facilities(known, count, articles)
        known = count
        rows += _route(f"routing: {count} facilities", channel, rows)
    _stock_everywhere(articles[:ORDERED])
    return rows + _route(f"routing: {known} facilities, each has all", channel, rows)


def _route(name, channel, earlier):
    """Route orders of three lines each; two rows: milliseconds, with the ratio to the first row, and queries."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    placed = [
        orders.place(body, channel=channel, by=None, now=timezone.now())
        for body in order_bodies(name, ORDERS + 2)
    ]
    routing.route_order(placed.pop().pk, by=None, now=timezone.now())  # reads the facilities once
    last = placed.pop().pk
    with CaptureQueriesContext(connection) as queries:
        routing.route_order(last, by=None, now=timezone.now())
    times = []
    for order in placed:
        begin = time.perf_counter()
        routing.route_order(order.pk, by=None, now=timezone.now())
        times.append((time.perf_counter() - begin) * 1000)
    median = statistics.median(times)
    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    statements = [query for query in queries if not query["sql"].startswith(frame)]
    routed = RoutingPlan.objects.filter(order__in=placed, status="ROUTED").values("order").distinct().count()
    article = Article.objects.filter(sku="SKU-0000")
    holders = Stock.objects.filter(listing__article__in=article).count()
    return [
        {
            "name": name,
            "value": round(median, 2),
            "unit": "ms/order",
            "ratio": median / earlier[0]["value"] if earlier else 1.0,
            "note": f"3 lines, {ARTICLES} articles, each at about {holders} facilities; ratio to 20 facilities; "
            f"{routed} of {ORDERS} routed",
        },
        {"name": name, "value": len(statements), "unit": "queries", "note": "one order"},
    ]


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
    _list(
        (site, article)
        for index, site in enumerate(sites)
        for position, article in enumerate(articles)
        if (index + position) % every == 0
    )


def _stock_everywhere(articles):
    """The worst case: every facility has every article that is ordered, so none drops out for lack of stock."""
    listed = set(Listing.objects.filter(article__in=articles).values_list("facility_id", "article_id"))
    _list(
        (site, article)
        for site in Facility.objects.all()
        for article in articles
        if (site.pk, article.pk) not in listed
    )


def _list(pairs):
    listings = Listing.objects.bulk_create(
        (Listing(id=uuid.uuid4(), facility=site, article=article, plain_units=50) for site, article in pairs),
        batch_size=2000,
    )
    Stock.objects.bulk_create((Stock(listing=listing, value=50) for listing in listings), batch_size=2000)
