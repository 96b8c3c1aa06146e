"""The rules with numbers worked out by hand, and what must hold for any numbers."""

from dataclasses import replace
from math import degrees

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.rules import (
    FENCES,
    RATINGS,
    Absolute,
    Batch,
    Candidate,
    CarrierLink,
    Demand,
    Fence,
    Gap,
    Line,
    Policy,
    Rating,
    Site,
    active_fences,
    decide,
    distance_km,
    exclude,
    rank,
    read_rule,
    split,
    split_by_steps,
)
from routing.rules.geo import EARTH_RADIUS_KM
from routing.rules.scaling import column

COLOGNE = (50.9375, 6.9603)
HAMBURG = (53.5511, 9.9937)
AMSTERDAM = (52.3676, 4.9041)

POLICY = Policy(
    fences=frozenset(key for key, fence in FENCES.items() if fence.active),
    weights={key: rating.weight for key, rating in RATINGS.items()},
)
EQUATOR = (0.0, 0.0)


def weighing(**weights):
    return Policy(frozenset(), weights)


def at_km(km):
    """A position that far north of the equator's origin."""
    return (degrees(km / EARTH_RADIUS_KM), 0.0)


def candidate(
    key, *, km=0, workload=0, country="DE", services=("SHIP_FROM_STORE",), position=..., **available
):
    site = Site(key, f"F{key}", country, frozenset(services), at_km(km) if position is ... else position)
    return Candidate(site, available, workload)


def demand(country="DE", position=EQUATOR, service="SHIP_FROM_STORE", **units):
    return Demand(service, country, position, tuple(Line(article, units[article]) for article in units))


F1 = candidate(1, km=12, workload=8, A=4, B=5, C=1)
F2 = candidate(2, km=95, workload=20, A=9, B=5, C=1)
F3 = candidate(3, km=30, workload=4, A=6, C=20, D=10)
ORDER = demand(A=9, B=6, C=3)


def points(ranking, key):
    """Points per facility of one rating."""
    col = next(col for col in ranking.columns if col.key == key)
    return {c.key: p for c, p in zip(ranking.candidates, col.points, strict=True)}


def totals(ranking):
    return {c.key: total for c, total in zip(ranking.candidates, ranking.totals, strict=True)}


# Distances


@pytest.mark.parametrize(("there", "km"), [(HAMBURG, 356.5), (AMSTERDAM, 213.1), (COLOGNE, 0.0)])
def test_distance_from_cologne(there, km):
    assert round(distance_km(COLOGNE, there), 1) == km


def test_distance_between_antipodes_is_half_the_circumference():
    assert distance_km((0, 0), (0, 180)) == pytest.approx(20015.09, abs=0.01)


# Fences


def test_fences_leave_the_shipping_facility_in_the_customers_country():
    a = candidate(1, country="NL")
    b = candidate(2, country="BE")
    c = candidate(3, country="NL", services=["PICKUP"])

    survivors, exclusions = exclude(demand("NL", A=1), [a, b, c], active_fences(POLICY))

    assert survivors == (a,)
    assert [(e.fence, e.expected, e.actual, e.facilities) for e in exclusions] == [
        ("SERVICE_TYPE", "SHIP_FROM_STORE", "PICKUP", (3,)),
        ("COUNTRY", "NL", "BE", (2,)),
    ]


def test_facility_that_misses_two_fences_is_listed_under_both():
    _, exclusions = exclude(
        demand("NL", A=1), [candidate(1, country="BE", services=["PICKUP"])], active_fences(POLICY)
    )

    assert [(e.fence, e.facilities) for e in exclusions] == [("SERVICE_TYPE", (1,)), ("COUNTRY", (1,))]


def test_switched_off_fence_lets_everything_pass():
    survivors, exclusions = exclude(demand("NL", A=1), [candidate(1, country="BE")], ())

    assert len(survivors) == 1
    assert exclusions == ()


# Ratings


def test_stock_rating_counts_units_up_to_what_is_ordered():
    ranking = rank(ORDER, [F1, F2, F3], weighing(STOCK_AVAILABILITY=10), seed=1)

    assert [c.key for c in ranking.candidates] == [2, 1, 3]
    assert ranking.columns[0].raw == (15, 10, 9)


def test_worked_run_gives_the_known_points():
    ranking = rank(ORDER, [F1, F2, F3], POLICY, seed=1)

    assert points(ranking, "STOCK_AVAILABILITY") == pytest.approx({1: 1.667, 2: 10.0, 3: 0.0}, abs=5e-4)
    assert points(ranking, "GEODISTANCE") == pytest.approx({1: 2.0, 2: 0.0, 3: 1.566}, abs=5e-4)
    assert points(ranking, "WORKLOAD") == pytest.approx({1: 1.5, 2: 0.0, 3: 2.0}, abs=5e-4)
    assert totals(ranking) == pytest.approx({1: 5.167, 2: 10.0, 3: 3.566}, abs=5e-4)
    assert ranking.winner is F2
    assert ranking.tied == ()


def test_equal_figures_give_everybody_the_full_weight():
    col = column("GEODISTANCE", 2, [5.0, 5.0], more_is_better=False)

    assert col.points == (2.0, 2.0)
    assert col.gap == Gap.NONE


def test_address_that_cannot_be_placed_gives_everybody_the_full_distance_weight():
    ranking = rank(demand(position=None, A=1), [candidate(1, km=5, A=1), candidate(2, km=50, A=1)], POLICY, 1)

    assert points(ranking, "GEODISTANCE") == {1: 2.0, 2: 2.0}
    assert next(c.gap for c in ranking.columns if c.key == "GEODISTANCE") == Gap.ALL_UNKNOWN


def test_facility_without_coordinates_gets_the_mean_of_the_others():
    near, far, unknown = candidate(1, km=10, A=1), candidate(2, km=30, A=1), candidate(3, position=None, A=1)

    ranking = rank(demand(A=1), [near, far, unknown], POLICY, 1)

    assert points(ranking, "GEODISTANCE") == pytest.approx({1: 2.0, 2: 0.0, 3: 1.0})
    assert next(c.gap for c in ranking.columns if c.key == "GEODISTANCE") == Gap.SOME_UNKNOWN


def test_rating_with_weight_zero_is_left_out():
    ranking = rank(ORDER, [F1, F2], weighing(GEODISTANCE=2, STOCK_AVAILABILITY=10, WORKLOAD=0), 1)

    assert [c.key for c in ranking.columns] == ["GEODISTANCE", "STOCK_AVAILABILITY"]


def test_facility_without_any_unit_is_ranked_but_cannot_win():
    near_empty, far_full = candidate(1, km=1), candidate(2, km=500, A=1)

    ranking = rank(demand(A=1), [near_empty, far_full], weighing(GEODISTANCE=10), 1)

    assert [c.key for c in ranking.candidates] == [1, 2]
    assert ranking.winner is far_full


def test_no_stock_anywhere_leaves_no_winner():
    assert rank(demand(A=1), [candidate(1), candidate(2)], POLICY, 1).winner is None


# Ties


def test_tie_is_drawn_by_the_seed_among_the_best():
    twins = [candidate(key, A=1) for key in (1, 2, 3)]
    worse = candidate(4, workload=3, A=1)

    winners = {rank(demand(A=1), [*twins, worse], POLICY, seed).winner.key for seed in range(40)}

    assert winners == {1, 2, 3}


def test_floating_point_dust_does_not_break_a_tie():
    here, there = candidate(1, position=(1e-13, 0.0), A=1), candidate(2, position=EQUATOR, A=1)
    far = candidate(3, km=800, A=1)

    ranking = rank(demand(A=1), [here, there, far], POLICY, 1)

    assert ranking.tied == (1, 2)


# Split


def test_worked_split_ends_in_a_tie_for_the_remainder():
    outcome = split_by_steps(ORDER, [F1, F2, F3], POLICY, seed=1)

    second = outcome.rankings[1]
    assert second.lines == (Line("B", 1), Line("C", 2))
    assert second.columns[1].raw == (2, 2)
    assert points(second, "STOCK_AVAILABILITY") == {1: 10.0, 3: 10.0}
    assert points(second, "GEODISTANCE") == pytest.approx({1: 2.0, 3: 0.0})
    assert points(second, "WORKLOAD") == pytest.approx({1: 0.0, 3: 2.0})
    assert second.totals == (12.0, 12.0)
    assert second.tied == (1, 3)
    assert outcome.parts[0].lines == (Line("A", 9), Line("B", 5), Line("C", 1))


def test_worked_split_gives_the_drawn_facility_what_it_has():
    by_second = {}
    for seed in range(40):
        outcome = split_by_steps(ORDER, [F1, F2, F3], POLICY, seed)
        by_second[outcome.parts[1].facility] = (outcome.parts[1].lines, outcome.remainder)

    assert by_second == {
        1: ((Line("B", 1), Line("C", 1)), (Line("C", 1),)),
        3: ((Line("C", 2),), (Line("B", 1),)),
    }


@pytest.mark.parametrize(("max_splits", "parts"), [(0, 1), (1, 2), (2, 3), (9, 3)])
def test_split_count_counts_splits_not_parts(max_splits, parts):
    outcome = split(ORDER, [F1, F2, F3], replace(POLICY, max_split_count=max_splits), seed=1)

    assert len(outcome.parts) == parts


def test_switched_off_split_leaves_the_remainder_with_nobody():
    outcome = split(ORDER, [F1, F2, F3], replace(POLICY, may_split=False), seed=1)

    assert [part.facility for part in outcome.parts] == [2]
    assert outcome.remainder == (Line("B", 1), Line("C", 2))


def test_split_leaves_units_that_nobody_has():
    outcome = split(demand(A=2, X=1), [candidate(1, A=1), candidate(2, A=1)], POLICY, seed=1)

    assert len(outcome.parts) == 2
    assert outcome.remainder == (Line("X", 1),)


def test_order_that_one_facility_can_serve_is_not_split():
    outcome = split(demand(A=1), [candidate(1, A=1), candidate(2, A=5)], POLICY, seed=1)

    assert len(outcome.parts) == 1
    assert outcome.remainder == ()


# The register


def test_new_rule_classes_enter_the_decision_by_themselves():
    try:

        class EvenKeys(Fence):
            key = "EVEN_KEYS"

            def passes(self, demand, candidate):
                return candidate.key % 2 == 0

            def expected(self, demand):
                return "even"

            def actual(self, demand, candidate):
                return "odd"

        class LowKeys(Rating):
            key = "LOW_KEYS"
            more_is_better = False

            def raw(self, demand, candidate):
                return candidate.key

        policy = Policy(frozenset(["EVEN_KEYS"]), {"LOW_KEYS": 5})
        decision = decide(demand(A=1), [candidate(key, A=1) for key in range(1, 7)], policy, seed=1)
    finally:
        FENCES.pop("EVEN_KEYS")
        RATINGS.pop("LOW_KEYS")

    assert decision.exclusions[0].facilities == (1, 3, 5)
    assert decision.split.parts[0].facility == 2
    assert decision.split.rankings[0].columns[0].points == (5.0, 2.5, 0.0)


def test_second_rule_with_the_same_key_is_refused():
    with pytest.raises(TypeError, match="COUNTRY"):

        class Again(Fence):
            key = "COUNTRY"


# What holds for any numbers

OWN_RULE = read_rule(
    {
        "then": {
            "predicates": [
                {"entity": "FACILITY", "path": "city", "operator": "IN", "value": ["Utrecht", "Gent"]}
            ]
        }
    }
)
articles = st.sampled_from("ABCDE")
positions = st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180))
candidate_lists = st.lists(
    st.builds(
        Candidate,
        site=st.builds(
            Site,
            key=st.integers(1, 10_000),
            name=st.just("F"),
            country=st.sampled_from(["DE", "NL"]),
            services=st.frozensets(st.sampled_from(["SHIP_FROM_STORE", "PICKUP"])),
            position=positions,
            location_type=st.sampled_from(["STORE", "WAREHOUSE"]),
            carriers=st.lists(
                st.builds(
                    CarrierLink,
                    key=st.sampled_from(["dhl", "post"]),
                    is_sameday=st.booleans(),
                    cost=st.none() | st.floats(0, 20),
                    days=st.none() | st.integers(0, 5),
                ),
                max_size=2,
            ).map(tuple),
            daily_capacity=st.none() | st.integers(1, 100),
            attributes=st.fixed_dictionaries({"city": st.sampled_from(["Utrecht", "Gent", "Bonn"])}),
        ),
        available=st.dictionaries(articles, st.integers(0, 20)),
        workload=st.integers(0, 500),
        free_capacity=st.none() | st.integers(0, 50),
        makes_today=st.booleans(),
        batches=st.dictionaries(
            articles,
            st.lists(
                st.builds(
                    Batch,
                    units=st.integers(1, 9),
                    days=st.none() | st.integers(0, 400),
                    score=st.none() | st.floats(0, 9),
                ),
                max_size=3,
            ).map(tuple),
        ),
    ),
    max_size=12,
    unique_by=lambda c: c.key,
)
demands = st.builds(
    Demand,
    service=st.sampled_from(["SHIP_FROM_STORE", "PICKUP"]),
    country=st.sampled_from(["DE", "NL"]),
    position=positions,
    lines=st.dictionaries(articles, st.integers(1, 30), min_size=1).map(
        lambda units: tuple(Line(article, units[article]) for article in sorted(units))
    ),
    is_sameday=st.booleans(),
    carriers=st.frozensets(st.sampled_from(["dhl", "post"])),
)
policies = st.builds(
    Policy,
    fences=st.frozensets(st.sampled_from([key for key in FENCES if key != "CUSTOM"] + ["CUSTOM.x"])),
    weights=st.fixed_dictionaries(
        {key: st.integers(0, 10) for key in RATINGS if key != "CUSTOM"} | {"CUSTOM.x": st.integers(0, 10)}
    ),
    may_split=st.booleans(),
    max_split_count=st.integers(0, 4),
    is_exact=st.booleans(),
    scales=st.dictionaries(
        st.sampled_from([key for key in RATINGS if key != "CUSTOM"]),
        st.just(Absolute(0, 100)) | st.just(Absolute(100, 0)),
    ),
    rules=st.just({"CUSTOM.x": OWN_RULE}),
)
seeds = st.integers(0, 2**63 - 1)


@given(demands, candidate_lists, policies, seeds, st.randoms(use_true_random=False))
def test_order_of_candidates_does_not_matter(wanted, candidates, policy, seed, random):
    shuffled = random.sample(candidates, len(candidates))

    one, two = decide(wanted, candidates, policy, seed), decide(wanted, shuffled, policy, seed)

    assert one.split == two.split
    assert (one.split.rankings, one.split.runner_up) == (two.split.rankings, two.split.runner_up)
    assert {(e.fence, e.actual): e.facilities for e in one.exclusions} == {
        (e.fence, e.actual): e.facilities for e in two.exclusions
    }


@given(demands, candidate_lists, policies, seeds)
def test_same_seed_gives_the_same_decision(wanted, candidates, policy, seed):
    one, two = (decide(wanted, candidates, policy, seed) for _time in range(2))

    assert one == two
    assert (one.split.rankings, one.split.runner_up) == (two.split.rankings, two.split.runner_up)
    assert one.exclusions == two.exclusions


@given(demands, candidate_lists, policies, seeds)
def test_points_stay_between_zero_and_the_weight(wanted, candidates, policy, seed):
    for ranking in decide(wanted, candidates, policy, seed).split.rankings:
        for col in ranking.columns:
            assert all(0 <= value <= policy.weights[col.key] for value in col.points)


@given(demands, candidate_lists, policies, seeds)
def test_winner_has_the_most_points_among_those_with_stock(wanted, candidates, policy, seed):
    ranking = rank(wanted, candidates, policy, seed)

    able = [
        total for c, total in zip(ranking.candidates, ranking.totals, strict=True) if c.supply(wanted.lines)
    ]
    if able:
        assert totals(ranking)[ranking.winner.key] == max(able)
    else:
        assert ranking.winner is None


@given(demands, candidate_lists, policies)
def test_another_fence_never_lets_more_facilities_pass(wanted, candidates, policy):
    every, _ = exclude(
        wanted,
        candidates,
        active_fences(replace(policy, fences=policy.fences | (frozenset(FENCES) - {"CUSTOM"}))),
    )
    some, _ = exclude(wanted, candidates, active_fences(policy))

    assert {c.key for c in every} <= {c.key for c in some}


@given(demands, candidate_lists, policies)
def test_every_facility_either_survives_or_is_listed_with_a_reason(wanted, candidates, policy):
    survivors, exclusions = exclude(wanted, candidates, active_fences(policy))

    listed = {key for exclusion in exclusions for key in exclusion.facilities}
    assert listed.isdisjoint(c.key for c in survivors)
    assert listed | {c.key for c in survivors} == {c.key for c in candidates}


@given(demands, candidate_lists, policies, seeds)
def test_split_hands_out_every_unit_once_and_nothing_that_is_not_there(wanted, candidates, policy, seed):
    outcome = split(wanted, candidates, policy, seed)

    by_key = {c.key: c for c in candidates}
    given_out = {}
    for part in outcome.parts:
        assert part.lines
        for line in part.lines:
            assert 0 < line.quantity <= by_key[part.facility].available[line.article]
            given_out[line.article] = given_out.get(line.article, 0) + line.quantity
    for line in outcome.remainder:
        given_out[line.article] = given_out.get(line.article, 0) + line.quantity
    assert given_out == {line.article: line.quantity for line in wanted.lines}
    assert len({part.facility for part in outcome.parts}) == len(outcome.parts)
    assert len(outcome.parts) <= 1 + (policy.max_split_count if policy.may_split else 0)
