"""Each fence and rating by itself, with numbers that can be worked out by hand."""

import pytest

from routing.rules import (
    FENCES,
    RATINGS,
    Absolute,
    Batch,
    Candidate,
    Candidates,
    CarrierLink,
    Demand,
    Line,
    Policy,
    Site,
    rank,
)

LINES = (Line("A", 9), Line("B", 6), Line("C", 3))
ORDER = Demand("SHIP_FROM_STORE", "NL", (0.0, 0.0), LINES)


def site(key="F1", **fields):
    return Site(
        **{
            "key": key,
            "name": key,
            "country": "NL",
            "services": frozenset({"SHIP_FROM_STORE"}),
            "position": (0.0, 0.0),
        }
        | fields
    )


def candidate(key="F1", *, stock=None, place=None, **fields):
    return Candidate(place or site(key), available=stock or {}, **fields)


def ask(**fields):
    return Demand(
        **{"service": "SHIP_FROM_STORE", "country": "NL", "position": None, "lines": LINES} | fields
    )


@pytest.mark.parametrize(
    ("fence", "demand", "good", "bad"),
    [
        ("BLACKLIST", ask(blacklist=frozenset({"OLD"})), candidate("NEW"), candidate("OLD")),
        (
            "SERVICE_TYPE",
            ask(service="PICKUP"),
            candidate(place=site(services=frozenset({"PICKUP"}))),
            candidate(),
        ),
        ("COUNTRY", ask(), candidate(), candidate(place=site(country="BE"))),
        (
            "COMPLETE_STOCK",
            ask(),
            candidate(stock={"A": 9, "B": 6, "C": 3}),
            candidate(stock={"A": 99, "B": 6, "C": 2}),
        ),
        ("MINIMUM_PICKING", ask(), candidate(stock={"C": 1}), candidate(stock={"D": 9})),
        ("PRESELECTED", ask(preselected=frozenset({"F1", "F2"})), candidate("F2"), candidate("F3")),
        (
            "CARRIER",
            ask(carriers=frozenset({"dhl"})),
            candidate(place=site(carriers=(CarrierLink("post"), CarrierLink("dhl")))),
            candidate(place=site(carriers=(CarrierLink("post"),))),
        ),
        ("SAMEDAY", ask(is_sameday=True), candidate(makes_today=True), candidate()),
        ("CAPACITY", ask(), candidate(free_capacity=1), candidate(free_capacity=0)),
    ],
)
def test_fence_lets_one_pass_and_not_the_other(fence, demand, good, bad):
    assert FENCES[fence].passes(demand, good)
    assert not FENCES[fence].passes(demand, bad)


@pytest.mark.parametrize("fence", ["PRESELECTED", "CARRIER", "SAMEDAY", "CAPACITY", "BLACKLIST"])
def test_fence_asks_nothing_when_the_order_or_the_facility_has_no_limit(fence):
    assert FENCES[fence].passes(ask(), candidate())


def test_published_stock_example():
    stocks = [{"A": 4, "B": 5, "C": 1}, {"A": 9, "B": 5, "C": 1}, {"A": 6, "C": 20, "D": 10}]

    candidates = Candidates.of([candidate(stock=stock) for stock in stocks])

    assert RATINGS["STOCK_AVAILABILITY"].figures(ORDER, candidates) == [
        10,
        15,
        9,
    ]


def points(weight, scale, rating, *candidates):
    """The points of each candidate for one rating between fixed ends."""
    policy = Policy(frozenset(), {rating: weight}, scales={rating: scale})
    ranking = rank(ORDER, candidates, policy, 1)
    by_key = {one.key: total for one, total in zip(ranking.candidates, ranking.totals, strict=True)}
    return [by_key[one.key] for one in candidates]


def test_distance_between_fixed_ends():
    quarter = 250 / 6371 * 180 / 3.141592653589793  # degrees north that are 250 km
    far = candidate(place=site(position=(quarter, 0.0)))

    assert points(10, Absolute(0, 1000), "GEODISTANCE", far) == pytest.approx([7.5], abs=5e-4)


def test_share_of_the_order_between_fixed_ends():
    most = candidate(stock={"A": 9, "B": 5, "C": 1})  # 15 of 18

    (found,) = points(10, Absolute(100, 0), "STOCK_AVAILABILITY", most)

    assert 10 - found == pytest.approx(1.667, abs=5e-4)


def test_deliveries_between_fixed_ends():
    one, other = candidate("F1", stock={"A": 9}), candidate("F2", stock={"B": 6, "C": 3})

    assert RATINGS["NUMBER_OF_DELIVERIES"].figures(ORDER, [one, other]) == [2, 2]
    assert points(10, Absolute(1, 3), "NUMBER_OF_DELIVERIES", one, other) == [5, 5]


def test_points_between_fixed_ends_do_not_depend_on_the_others():
    near, far = (
        candidate(key, place=site(key, position=(degrees, 0.0))) for key, degrees in (("F1", 1), ("F2", 5))
    )

    alone = points(10, Absolute(0, 1000), "GEODISTANCE", near)

    assert points(10, Absolute(0, 1000), "GEODISTANCE", near, far)[0] == alone[0]


STOCK = {"A": 20, "B": 10, "C": 6}
BATCHES = {
    "A": (Batch(4, days=2, score=8), Batch(16, days=10, score=4)),
    "B": (Batch(10, days=None, score=None),),
    "C": (Batch(6, days=30, score=1),),
}


@pytest.mark.parametrize(
    ("rating", "one", "figure"),
    [
        ("WORKLOAD", candidate(workload=30), 30),
        ("WORKLOAD", candidate(workload=30, place=site(daily_capacity=60)), 0.5),
        ("PREFER_STORE", candidate(), 1),
        ("PREFER_STORE", candidate(place=site(location_type="WAREHOUSE")), 0),
        ("PREFER_WAREHOUSE", candidate(place=site(location_type="WAREHOUSE")), 1),
        # 4 units that have 2 days, 5 with 10 and 3 with 30; those without a date do not count.
        ("EXPIRY_DATE", candidate(stock=STOCK, batches=BATCHES), (4 * 2 + 5 * 10 + 3 * 30) / 12),
        ("ZONE", candidate(stock=STOCK, batches=BATCHES), (4 * 8 + 5 * 4 + 3 * 1) / 12),
        ("EXPIRY_DATE", candidate(stock=STOCK), None),
        ("CAPACITY", candidate(free_capacity=7), 7),
        ("CAPACITY", candidate(), None),
        ("STOCK_BALANCING", candidate(stock=STOCK), 1 - 18 / 36),
        ("STOCK_BALANCING", candidate(), 0),
        ("DELIVERY_COST", candidate(), None),
    ],
)
def test_figure_of_a_rating(rating, one, figure):
    assert RATINGS[rating].raw(ORDER, one) == (figure if figure is None else pytest.approx(figure))


def test_cheapest_and_fastest_carrier_that_goes_there_count():
    links = (
        CarrierLink("cheap", cost=2.5, days=1, countries=frozenset({"DE"})),
        CarrierLink("slow", cost=4.0, days=3, countries=frozenset({"NL"})),
        CarrierLink("fast", cost=9.0, days=1, is_sameday=True),
    )
    one = candidate(place=site(carriers=links))

    def figures(demand):
        return RATINGS["DELIVERY_COST"].raw(demand, one), RATINGS["DELIVERY_TIME"].raw(demand, one)

    assert figures(ask()) == (4.0, 1)
    assert figures(ask(carriers=frozenset({"slow"}))) == (4.0, 3)
    assert figures(ask(is_sameday=True)) == (9.0, 1)
    assert figures(ask(country="DE")) == (2.5, 1)


@pytest.mark.parametrize(
    "rating",
    ["EXPIRY_DATE", "DELIVERY_COST", "DELIVERY_TIME", "NUMBER_OF_DELIVERIES", "WORKLOAD", "GEODISTANCE"],
)
def test_less_is_better_for_what_costs(rating):
    assert not RATINGS[rating].more_is_better
