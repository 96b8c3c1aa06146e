"""What the rules are told of the facilities is what the database has."""

import datetime
import random
import secrets
import zoneinfo

import pytest
from django.db import transaction

from fulfillment.core.models import Carrier, FacilityCarrier, Listing, SafetyStock, Zone
from fulfillment.core.services.stock import receive
from routing import services as routing
from routing import situations
from routing.models import DecisionLog
from routing.rules import Batch, Line
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db
MONDAY = datetime.datetime(2026, 3, 2, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
TIMES = {
    day: [
        {"start": "09:00", "end": "13:00", "capacity": 10},
        {"start": "13:00", "end": "17:00", "capacity": 5},
    ]
    for day in ("MONDAY", "TUESDAY", "WEDNESDAY")
}


def load(article, *needs, now=MONDAY):
    situations.forget_network()
    network = situations.load_network(("now",))
    situation = situations.load_situation(network, [article.pk], now, policy_needs=set(needs))
    return situation.candidates([Line(str(article.pk), 1)])


def carrier(facility, key, *, kind="DELIVERY", **fields):
    one = Carrier.objects.create(key=key, name=key, delivery_type=kind)
    return FacilityCarrier.objects.create(facility=facility, carrier=one, **fields)


def test_batches_come_in_the_order_in_which_they_are_used_with_days_and_score():
    article, facility = ArticleFactory(), FacilityFactory()
    front = StorageLocationFactory(
        facility=facility, zone=Zone.objects.create(facility=facility, name="Front", score=7)
    )
    put_stock(facility, article, 3)
    put_stock(facility, article, 4, location=front, expires_on=MONDAY.date() + datetime.timedelta(days=5))

    (one,) = load(article, "batches")

    assert one.batches[str(article.pk)] == (Batch(4, 5, 7), Batch(3, None, None))


@pytest.mark.parametrize(
    ("hour", "days", "free"),
    [
        (12, 1, 15),  # the span that runs and the one to come
        (14, 1, 5),
        (18, 1, 0),
        (14, 3, 35),
    ],
)
def test_free_capacity_is_that_of_the_slots_to_come(hour, days, free):
    article = ArticleFactory()
    FacilityFactory(capacity_enabled=True, capacity_planning_days=days, picking_times=TIMES)

    (one,) = load(article, "capacity", now=MONDAY.replace(hour=hour))

    assert one.free_capacity == free
    assert one.site.daily_capacity == 15


def test_closing_day_has_no_capacity():
    article = ArticleFactory()
    facility = FacilityFactory(capacity_enabled=True, capacity_planning_days=2, picking_times=TIMES)
    facility.closing_days.create(closed_on=datetime.date(2026, 3, 3), reason="Stocktaking")

    (one,) = load(article, "capacity")

    assert one.free_capacity == 15


@pytest.mark.parametrize(
    ("hour", "cutoff", "makes_it"),
    [(12, "16:00", True), (14, "16:00", True), (15, "16:00", False), (12, None, False)],
)
def test_same_day_is_made_when_the_buffer_ends_before_the_last_cut_off(hour, cutoff, makes_it):
    article = ArticleFactory()
    facility = FacilityFactory(fulfillment_buffer=120, picking_times=TIMES)
    carrier(facility, "bike", kind="SAMEDAY", cutoffs={"MONDAY": cutoff} if cutoff else {})

    (one,) = load(article, "today", now=MONDAY.replace(hour=hour))

    assert one.makes_today is makes_it


def test_only_active_carriers_are_known_with_cost_days_and_countries():
    article, facility = ArticleFactory(), FacilityFactory()
    carrier(facility, "post", parcel_cost="4.50", transit_days=2, delivery_countries=["NL", "BE"])
    carrier(facility, "gone", status="INACTIVE")

    (one,) = load(article)

    (link,) = one.site.carriers
    assert (link.key, link.cost, link.days, link.countries) == ("post", 4.5, 2, frozenset({"NL", "BE"}))


def test_units_in_several_places_are_promised_less_what_is_reserved_and_kept_back():
    article, two_places, one_place, short = ArticleFactory(), *(FacilityFactory() for _number in range(3))
    put_stock(two_places, article, 3)
    put_stock(two_places, article, 4, location=StorageLocationFactory(facility=two_places))
    put_stock(one_place, article, 6)
    put_stock(short, article, 1)
    Listing.objects.update(reserved=2)
    SafetyStock.objects.create(article=article, value=1)
    SafetyStock.objects.create(article=article, facility=one_place, value=3)

    available = {one.key: one.available.get(str(article.pk), 0) for one in load(article)}

    assert available == {str(two_places.pk): 7 - 2 - 1, str(one_place.pk): 6 - 2 - 3, str(short.pk): 0}
    for row in Listing.objects.with_available(MONDAY.date()):
        assert available[str(row.facility_id)] == row.available


def some_stock(draw, facility, article):
    """Units as they may be there: plain, at a place that is shut or not, expired or not, damaged; twice perhaps."""
    for _row in range(draw.choice([0, 1, 1, 1, 2])):
        receive(
            facility,
            article.sku,
            draw.randint(1, 4),
            location=draw.choice(
                [None, None, StorageLocationFactory(facility=facility, is_pickable=draw.random() < 0.7)]
            ),
            expires_on=draw.choice([None, None, None, datetime.date(2026, 3, 1), datetime.date(2026, 3, 9)]),
            is_defective=draw.random() < 0.1,
            by=None,
            now=MONDAY,
        )


def routed(order):
    """The parts that an order would get and all that its decision keeps; nothing stays of it."""
    with transaction.atomic():
        plans = routing.route_order(order.pk, by=None, now=MONDAY)
        parts = [
            (
                plan.status,
                plan.reason,
                plan.facility_id,
                list(plan.lines.values_list("order_line", "quantity")),
            )
            for plan in plans
        ]
        logs = list(DecisionLog.objects.values_list("outcome", "seed", "data", "figures"))
        transaction.set_rollback(True)
    return parts, logs


@pytest.mark.parametrize("seed", range(10))
def test_orders_are_decided_alike_where_listings_say_their_units_and_where_rows_are_added_up(
    seed, monkeypatch
):
    draw = random.Random(seed)
    monkeypatch.setattr(secrets, "randbits", lambda bits: seed)
    articles, facilities = [ArticleFactory() for _number in range(4)], []
    for _number in range(6):
        facilities.append(FacilityFactory(latitude=draw.uniform(51, 53), longitude=draw.uniform(4, 6)))
        for article in articles:
            some_stock(draw, facilities[-1], article)
    for listing in Listing.objects.all():
        status = draw.choice(["ACTIVE"] * 5 + ["INACTIVE"])
        Listing.objects.filter(pk=listing.pk).update(reserved=draw.randint(0, 2), status=status)
    for facility in draw.sample([None, *facilities], 2):
        SafetyStock.objects.create(article=draw.choice(articles), facility=facility, value=draw.randint(1, 3))
    orders = [
        OrderFactory(
            *[(article, draw.randint(1, 5)) for article in draw.sample(articles, draw.randint(1, 3))]
        )
        for _number in range(8)
    ]

    said = [routed(order) for order in orders]
    Listing.objects.update(plain_units=None)

    assert [routed(order) for order in orders] == said
