import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.rules import Absolute, Candidate, Demand, Line, Policy, Site, decide, outlook
from routing.rules.ways import Stock

LINES = (Line("A", 2), Line("B", 1))
DEMAND = Demand("SHIP_FROM_STORE", "NL", (52.0, 5.0), LINES)
POLICY = Policy(frozenset({"COUNTRY"}), {"GEODISTANCE": 2, "STOCK_AVAILABILITY": 10, "WORKLOAD": 2})


def site(key, *, north=0.0, stock=(2, 1), workload=0, country="NL"):
    return Candidate(
        Site(key, key, country, frozenset({"SHIP_FROM_STORE"}), (52.0 + north, 5.0)),
        available=dict(zip("AB", stock, strict=True)),
        workload=workload,
    )


def ask(key, *candidates, policy=POLICY, **options):
    return outlook(DEMAND, candidates, policy, 1, key, **options)


def taken(*candidates, policy=POLICY):
    """``{facility: units that it takes}``."""
    parts = decide(DEMAND, candidates, policy, 1).split.parts
    return {part.facility: sum(line.quantity for line in part.lines) for part in parts}


def winners(*candidates, policy=POLICY):
    return set(taken(*candidates, policy=policy))


def test_winner_needs_nothing():
    found = ask("near", site("near"), site("far", north=1))

    assert found.would_win
    assert (found.takes, found.stock, found.weights, found.figures, found.behind) == (3, (), (), (), 0)


def test_facility_behind_a_fence_is_told_which_and_whether_that_is_enough():
    abroad, home = site("abroad", country="BE"), site("home", north=1)

    found = ask("abroad", abroad, home)

    assert [(miss.fence, miss.expected, miss.actual) for miss in found.fences] == [("COUNTRY", "NL", "BE")]
    assert found.would_win
    assert not ask("abroad", site("abroad", country="BE", north=2), home).would_win


def test_facility_that_lost_the_draw_is_told_so_and_needs_more_than_another_draw():
    one, other = site("one"), site("other")
    (winner,) = winners(one, other)
    loser = "one" if winner == "other" else "other"

    found = ask(loser, one, other)

    assert (found.is_drawn, found.behind, found.weights, found.figures) == (True, 0, (), ())


def test_fewest_units_that_are_enough_are_named():
    found = ask(
        "poor",
        site("poor", stock=(0, 1)),
        site("rich", north=1),
        policy=dataclasses.replace(POLICY, may_split=False),
    )

    assert found.has == 1
    assert found.stock == (Stock((Line("A", 2),), takes=3),)
    assert found.behind == 0


def test_units_for_a_part_and_for_all_of_it_are_told_apart():
    empty, part = site("empty", stock=(0, 0), north=1), site("part", stock=(1, 1))

    found = ask("empty", empty, part)

    assert (found.has, found.wanted) == (0, 3)
    for way in found.stock:
        stock = {"A": 0, "B": 0} | {line.article: line.quantity for line in way.more}
        rich = dataclasses.replace(empty, available=stock)
        assert taken(rich, part)["empty"] == way.takes
    assert [way.takes for way in found.stock] == [1, 3]
    assert found.stock[-1].more == LINES


def test_weight_and_figure_are_enough_and_a_little_less_is_not():
    busy, far = site("busy", workload=10), site("far", north=1, workload=0)
    policy = dataclasses.replace(POLICY, weights={"GEODISTANCE": 2, "WORKLOAD": 3})

    found = ask("busy", busy, far, policy=policy)

    assert found.behind == 1
    by_rating = {way.rating: way.needed for way in found.weights}
    assert by_rating == {"GEODISTANCE": 3.5, "WORKLOAD": 1.5}
    for rating, weight in by_rating.items():
        changed = dataclasses.replace(policy, weights={**policy.weights, rating: weight})
        assert winners(busy, far, policy=changed) == {"busy"}
    (figure,) = found.figures
    assert (figure.rating, figure.now, figure.is_most) == ("WORKLOAD", 10, True)
    assert figure.needed == pytest.approx(0, abs=1e-6)


def test_figure_on_a_fixed_scale_is_found_to_the_kilometre():
    policy = Policy(frozenset(), {"GEODISTANCE": 10}, scales={"GEODISTANCE": Absolute(0, 1000)})

    (figure,) = ask("far", site("far", north=2), site("near", north=1), policy=policy).figures

    assert figure.now == pytest.approx(222.39, abs=0.01)
    assert figure.needed == pytest.approx(111.19, abs=0.01)


def test_order_that_waits_for_the_whole_needs_every_unit():
    poor = site("poor", stock=(1, 0))

    assert ask("poor", poor).would_win
    found = ask("poor", poor, needs_whole=True)

    assert not found.would_win
    assert found.stock == (Stock((Line("A", 1), Line("B", 1)), takes=3),)


def test_points_of_an_order_that_nobody_has_whole_give_it_to_nobody():
    asked, nearer = site("asked", stock=(2, 0), north=1, workload=5), site("nearer", stock=(2, 0))

    found = ask("asked", asked, nearer, policy=dataclasses.replace(POLICY, may_split=False), needs_whole=True)

    assert (found.behind, found.is_drawn, found.weights, found.figures) == (0, False, (), ())
    assert found.stock == (Stock((Line("B", 1),), takes=3),)


def test_part_of_an_order_that_has_to_be_whole_is_no_way():
    busy, idle = site("busy", stock=(2, 0), workload=7), site("idle", workload=1)
    policy = dataclasses.replace(POLICY, weights={"WORKLOAD": 2}, is_exact=False, may_split=False)

    assert [way.takes for way in ask("busy", busy, idle, policy=policy).figures] == [2]
    assert ask("busy", busy, idle, policy=policy, needs_whole=True).figures == ()


def test_facility_that_nothing_single_helps_gets_no_way():
    policy = Policy(frozenset(), {"PREFER_STORE": 10}, may_split=False)
    warehouse = site("warehouse")
    warehouse = dataclasses.replace(
        warehouse, site=dataclasses.replace(warehouse.site, location_type="WAREHOUSE")
    )

    found = ask("warehouse", warehouse, site("store"), policy=policy)

    assert found.behind == 10
    assert (found.stock, found.weights, found.figures) == ((), (), ())


def test_facility_that_was_not_looked_at_is_an_error():
    with pytest.raises(KeyError):
        ask("nowhere", site("near"))


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.floats(-2, 2), st.integers(0, 2), st.integers(0, 1), st.integers(0, 30), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 3),
    st.booleans(),
    st.booleans(),
)
def test_every_way_gives_the_order_to_the_facility(rows, splits, is_exact, needs_whole):
    candidates = [
        site(f"F{n}", north=north, stock=(a, b), workload=load, country="NL" if home else "BE")
        for n, (north, a, b, load, home) in enumerate(rows)
    ]
    policy = dataclasses.replace(POLICY, max_split_count=splits, is_exact=is_exact)

    found = ask("F0", *candidates, policy=policy, needs_whole=needs_whole)

    def gets(*candidates, policy=policy):
        parts = taken(*candidates, policy=policy)
        is_begun = not needs_whole or sum(parts.values()) == DEMAND.quantity
        return parts.get("F0", 0) if is_begun else 0

    open_border = [
        dataclasses.replace(one, site=dataclasses.replace(one.site, country="NL")) if one.key == "F0" else one
        for one in candidates
    ]
    assert gets(*open_border) == found.takes
    assert found.would_win == (found.takes > 0)
    for way in found.weights:
        changed = dataclasses.replace(policy, weights={**policy.weights, way.rating: way.needed})
        assert gets(*open_border, policy=changed) == way.takes
    for way in found.stock:
        stock = dict(open_border[0].available)
        for line in way.more:
            stock[line.article] += line.quantity
        rich = dataclasses.replace(open_border[0], available=stock)
        assert gets(rich, *open_border[1:]) == way.takes
    for way in found.figures:
        if way.rating == "WORKLOAD" and way.needed == int(way.needed):
            idle = dataclasses.replace(open_border[0], workload=int(way.needed))
            assert gets(idle, *open_border[1:]) == way.takes
