"""The exact split against a solver that tries everything, and against the split step by step."""

import dataclasses
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.rules import Candidate, Demand, Line, Loss, Policy, Site, split, split_by_steps
from routing.rules.assignment import search


def candidate(key, workload=0, **available):
    site = Site(key, f"F{key}", "DE", frozenset(["SHIP_FROM_STORE"]), None)
    return Candidate(site, available, workload)


def demand(**units):
    return Demand("SHIP_FROM_STORE", "DE", None, tuple(Line(article, units[article]) for article in units))


def policy(*, splits=4, **fields):
    return Policy(frozenset(), {"STOCK_AVAILABILITY": 4, "WORKLOAD": 8}, max_split_count=splits, **fields)


def best_by_force(lines, candidates, points, most_parts):
    """(units left, parts, -points) of the best of all sets of facilities and all ways to give out the units."""
    best = (sum(line.quantity for line in lines), 0, 0.0)
    for size in range(1, most_parts + 1):
        for members in itertools.combinations(range(len(candidates)), size):
            left, score, taking = 0, 0.0, set()
            for line in lines:
                rest = line.quantity
                # Every unit goes to the member with most points that has one: no other way gives more.
                for index in sorted(members, key=lambda one: -points[one]):
                    units = min(rest, candidates[index].available.get(line.article, 0))
                    if units:
                        taking.add(index)
                    rest, score = rest - units, score + units * points[index]
                left += rest
            if len(taking) == size:
                best = min(best, (left, size, -round(score, 6)))
    return best


def of(found, lines):
    if found.best is None:
        return (sum(line.quantity for line in lines), 0, 0.0)
    left = sum(line.quantity for line in lines) - found.best.covered
    return (left, len(found.best.members), -round(found.best.score, 6))


problems = st.tuples(
    st.lists(st.integers(1, 5), min_size=1, max_size=4),
    st.lists(
        st.tuples(st.lists(st.integers(0, 5), min_size=4, max_size=4), st.integers(0, 12)),
        min_size=1,
        max_size=7,
    ),
    st.integers(1, 5),
)


@settings(max_examples=300)
@given(problems)
def test_exact_choice_is_that_of_the_solver_that_tries_everything(problem):
    wanted, facilities, most_parts = problem
    lines = [Line("ABCD"[n], quantity) for n, quantity in enumerate(wanted)]
    candidates = [
        candidate(number, **dict(zip("ABCD", units, strict=True)))
        for number, (units, _points) in enumerate(facilities)
    ]
    points = [float(own) for _units, own in facilities]

    start = [one.key for one in candidates[:most_parts]]
    found = search(lines, candidates, points, most_parts=most_parts, start=start)

    assert found.is_proven
    assert of(found, lines) == best_by_force(lines, candidates, points, most_parts)


def test_thousand_orders_are_never_in_more_parts_than_step_by_step():
    draw = random.Random(7)
    more, fewer = 0, 0
    for seed in range(1000):
        wanted = demand(
            **{article: draw.randint(1, 4) for article in draw.sample("ABCDEF", draw.randint(1, 5))}
        )
        sites = [
            candidate(
                number, draw.randint(0, 9), **{article: draw.choice([0, 0, 1, 2, 5]) for article in "ABCDEF"}
            )
            for number in range(8)
        ]

        exact = split(wanted, sites, policy(), seed)
        steps = split_by_steps(wanted, sites, policy(), seed)

        left, left_by_steps = (sum(line.quantity for line in outcome.remainder) for outcome in (exact, steps))
        assert exact.is_proven
        assert left <= left_by_steps
        more += left == left_by_steps and len(exact.parts) > len(steps.parts)
        fewer += left == left_by_steps and len(exact.parts) < len(steps.parts)
    assert more == 0
    assert fewer > 0


def test_one_parcel_beats_more_points():
    near, far = candidate("near", A=2), candidate("far", A=1, B=1)

    found = search(
        [Line("A", 2), Line("B", 1)], [near, far, candidate("all", A=2, B=1)], [9.0, 9.0, 1.0], most_parts=3
    )

    assert (found.best.members, found.best.covered) == ((2,), 3)
    assert len(found.runner_up.members) == 2


@pytest.mark.parametrize(
    ("sites", "loss", "difference"),
    [
        ([candidate("a", A=2, B=2), candidate("b", A=2), candidate("c", B=2)], Loss.PARCELS, 1),
        ([candidate("a", A=2, B=2), candidate("b", A=2)], Loss.UNITS, 2),
        ([candidate("a", A=2, B=2), candidate("b", A=2, B=2)], Loss.DRAW, 0),
    ],
)
def test_runner_up_says_why_it_lost(sites, loss, difference):
    outcome = split(demand(A=2, B=2), sites, policy(), seed=1)

    assert (outcome.runner_up.loss, outcome.runner_up.difference) == (loss, difference)


def test_runner_up_lost_by_points():
    busy, idle = candidate("busy", 9, A=1), candidate("idle", A=1)

    outcome = split(demand(A=1), [busy, idle], Policy(frozenset(), {"WORKLOAD": 2}), seed=1)

    assert outcome.parts[0].facility == "idle"
    lost = outcome.runner_up
    assert (lost.facilities, lost.loss, lost.difference) == (("busy",), Loss.POINTS, 2.0)


def test_search_that_is_stopped_keeps_the_best_found_and_says_so():
    draw = random.Random(3)
    sites = [
        candidate(n, n % 7, **{article: int(draw.random() < 0.2) for article in "ABCDEFGH"})
        for n in range(30)
    ]
    wanted = demand(**dict.fromkeys("ABCDEFGH", 1))

    stopped = split(wanted, sites, policy(), 1, may_go_on=lambda looked_at: False)
    whole = split(wanted, sites, policy(), 1)

    assert not stopped.is_proven
    assert stopped.remainder == ()
    assert len(stopped.parts) >= len(whole.parts)
    again = split(wanted, sites, policy(), 1, may_go_on=lambda looked_at: looked_at < stopped.looked_at)
    assert again.parts == stopped.parts


def test_parts_below_the_least_units_are_not_made():
    sites = [candidate("most", A=5), candidate("one", B=1), candidate("two", B=1, A=1)]

    outcome = split(demand(A=5, B=1), sites, policy(least_units=2), seed=1)

    assert [part.facility for part in outcome.parts] == ["most"]
    assert [(line.article, line.quantity) for line in outcome.remainder] == [("B", 1)]


@pytest.mark.parametrize("is_exact", [True, False])
@pytest.mark.parametrize(
    ("least", "parts"), [(0, ["most", "other"]), (9.9, ["most", "other"]), (10.1, ["most"])]
)
def test_parts_below_the_least_value_are_not_made(is_exact, least, parts):
    sites = [candidate("most", A=5), candidate("other", B=2)]
    wanted = dataclasses.replace(demand(A=5, B=2), prices={"A": 8.0, "B": 5.0})

    outcome = split(wanted, sites, policy(least_value=least, is_exact=is_exact), seed=1)

    assert sorted(part.facility for part in outcome.parts) == parts


def test_equals_are_drawn_by_the_seed():
    sites = [candidate(key, A=1) for key in "abc"]

    drawn = {split(demand(A=1), sites, policy(), seed).parts[0].facility for seed in range(40)}

    assert drawn == set("abc")
    assert split(demand(A=1), sites, policy(), 1).rankings[0].tied == ("a", "b", "c")
