"""Thousands of facilities are judged by columns, and not one digit differs from judging them one by one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.decisions import _digits, _numbers
from routing.rules import (
    FENCES,
    RATINGS,
    Candidates,
    Line,
    Policy,
    Rating,
    active_fences,
    active_ratings,
    decide,
    rate,
)
from routing.rules.decision import _alone, _compare
from tests.routing.test_rules import candidate, candidate_lists, demand, demands, policies, seeds


@given(demands, candidate_lists, policies, st.data())
def test_rules_answer_for_all_as_they_do_for_each(wanted, each, policy, data):
    chosen = data.draw(st.lists(st.sampled_from(range(len(each))), unique=True) if each else st.just([]))
    everybody = Candidates.of(each)

    for candidates in (everybody, everybody.at(chosen)):
        one_by_one = list(candidates)
        for fence in active_fences(policy):
            assert fence.missed(wanted, candidates) == [
                index for index, one in enumerate(one_by_one) if not fence.passes(wanted, one)
            ]
        for rating in active_ratings(policy):
            if type(rating).raw is not Rating.raw:  # else it compares them with each other
                assert list(rating.figures(wanted, candidates)) == [
                    rating.raw(wanted, one) for one in one_by_one
                ]


def test_no_rule_but_one_that_compares_facilities_is_left_without_its_answer_for_each():
    assert [key for key, rating in RATINGS.items() if type(rating).raw is Rating.raw] == [
        "NUMBER_OF_DELIVERIES"
    ]
    assert all("passes" in vars(type(fence)) for fence in FENCES.values())


@given(demands, candidate_lists, policies, seeds)
def test_facility_that_has_it_all_is_the_one_that_comparing_every_choice_finds(wanted, each, policy, seed):
    rated = rate(wanted, Candidates.of(each), policy)
    alone = _alone(wanted, rated, policy, seed) if each else None
    if alone is None:
        return

    preference, found = _compare(wanted, rated, policy, seed, lambda looked_at: True)

    assert [preference[index] for index in found.best.members] == [alone]
    assert found.is_proven
    assert found.looked_at == sum(bool(one.supply(wanted.lines)) for one in each)


def test_equal_facilities_that_have_it_all_are_drawn_among():
    each = [candidate(key, A=2) for key in range(5)] + [candidate(9, A=1)]
    policy = Policy(frozenset(), {"STOCK_AVAILABILITY": 10})

    drawn = set()
    for seed in range(30):
        split = decide(demand(A=2), each, policy, seed).split
        assert split.rankings[0].winner.key == split.parts[0].facility
        assert split.rankings[0].tied == (0, 1, 2, 3, 4)
        drawn.add(split.parts[0].facility)

    assert drawn == {0, 1, 2, 3, 4}


@settings(max_examples=30)
@given(candidate_lists.filter(len), st.data())
def test_promised_units_are_gone_for_the_next_order_and_not_for_the_one_before(each, data):
    before = Candidates.of(each)
    taker = data.draw(st.sampled_from(each))
    lines = [Line(article, units) for article, units in taker.available.items() if units][:2]

    after = before.after(taker.key, lines)

    promised = {line.article: line.quantity for line in lines}
    for one, again in zip(before, after, strict=True):
        gone = promised if one.key == taker.key else {}
        assert again.workload == one.workload + sum(gone.values())
        for article, units in one.available.items():
            assert again.available.get(article, 0) == units - gone.get(article, 0)
        if one.free_capacity is not None:
            assert again.free_capacity == one.free_capacity - sum(gone.values())
    assert list(before) == each


@pytest.mark.parametrize("most", [0, 255, 256, 65_535, 65_536, 2**32 - 1])
def test_kept_numbers_come_back(most):
    numbers = [most, 0, most // 2, 7 % (most + 1)]

    assert _numbers(_digits(numbers)) == numbers
