import itertools
import random
import time

import pytest

from picking.walk import ENTRANCE, MOST_IMPROVED, Stop, distance, length, plan


def stop(aisle, bay, level=None, *, sequence=0):
    return Stop((aisle, bay, level), sequence, aisle, bay, level, f"{aisle}-{bay}")


def scattered(number, seed, aisles=8, bays=12):
    chance = random.Random(seed)
    places = list(itertools.product(range(1, aisles + 1), range(1, bays + 1)))
    return [stop(*place) for place in chance.sample(places, number)]


def aisle_by_aisle(stops):
    return sorted(stops, key=lambda one: one.naive)


def keys(stops):
    return [one.key for one in stops]


def test_aisle_is_changed_by_its_front_or_its_back_whichever_is_nearer():
    assert distance(stop(1, 2), stop(1, 9), depth=11) == 7
    assert distance(stop(1, 2), stop(2, 1), depth=11) == 3 + 3
    assert distance(stop(1, 10), stop(2, 9), depth=11) == 3 + 1 + 2


def test_running_sequences_come_first_however_long_the_way():
    far_first = [stop(9, 9, sequence=1), stop(1, 1, sequence=2), stop(9, 8, sequence=3)]

    assert plan(far_first[::-1]) == far_first


def test_places_without_coordinates_come_last_by_name():
    unknown = [Stop("b", name="B"), Stop("a", name="A")]

    assert keys(plan([*unknown, stop(2, 1)])) == [(2, 1, None), "a", "b"]


def test_full_aisles_are_walked_as_a_serpentine():
    stops = [stop(aisle, bay) for aisle in (1, 2, 3) for bay in range(1, 6)]

    path = plan(stops)

    assert length(path) == 1 + 4 + 3 + 2 + 4 + 3 + 2 + 4
    assert [key[0] for key in keys(path)] == [1] * 5 + [2] * 5 + [3] * 5


def test_levels_of_a_bay_stay_together():
    stops = [stop(1, 1, 1), stop(1, 2, 2), stop(1, 1, 2), stop(1, 2, 1)]

    assert [key[1] for key in keys(plan(stops))] == [1, 1, 2, 2]


@pytest.mark.parametrize("seed", range(40))
def test_path_is_never_longer_than_aisle_by_aisle(seed):
    stops = scattered(5 + seed, seed)

    path = plan(stops)

    assert sorted(keys(path)) == sorted(keys(stops))
    assert length(path) <= length(aisle_by_aisle(stops))


def test_path_is_clearly_shorter_on_the_whole():
    walks = [scattered(20, seed) for seed in range(20)]

    planned = sum(length(plan(stops)) for stops in walks)

    assert planned < 0.85 * sum(length(aisle_by_aisle(stops)) for stops in walks)


@pytest.mark.parametrize("seed", range(12))
def test_path_of_a_few_places_is_close_to_the_best_there_is(seed):
    stops = scattered(7, seed)
    best = min(length(path) for path in itertools.permutations(stops))

    assert length(plan(stops)) <= 1.1 * best


def test_path_goes_on_from_where_the_picker_is():
    stops = [stop(1, 1), stop(5, 5), stop(5, 9)]

    assert keys(plan(stops, start=stop(5, 10))) == [(5, 9, None), (5, 5, None), (1, 1, None)]
    assert keys(plan(stops, start=ENTRANCE))[0] == (1, 1, None)


def test_order_does_not_depend_on_how_the_places_are_given():
    stops = scattered(30, 7)

    assert plan(stops) == plan(stops[::-1])


def test_many_places_are_planned_at_once():
    stops = scattered(MOST_IMPROVED, 3, aisles=20, bays=30)
    begin = time.process_time()

    path = plan(stops)

    assert time.process_time() - begin < 10
    assert length(path) < length(aisle_by_aisle(stops))


def test_more_places_than_are_improved_still_have_a_path():
    stops = scattered(400, 3, aisles=20, bays=30)

    path = plan(stops)

    assert sorted(keys(path)) == sorted(keys(stops))
    assert length(path) <= length(aisle_by_aisle(stops))
