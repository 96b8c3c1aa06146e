import random

import pytest

from picking import walk
from picking.batches import Candidate, Limits, build


def stop(aisle, bay):
    return walk.Stop((aisle, bay), 0, aisle, bay, 1, f"{aisle}-{bay}")


def job(key, *places, zone="A", **more):
    return Candidate(key, frozenset(stop(*place) for place in places), frozenset([zone]), **more)


def keys(found):
    return [one.key for one in found]


def way(found):
    return walk.length(walk.plan(sorted({s for one in found for s in one.stops}, key=lambda s: s.naive)))


def test_most_urgent_job_is_in_it_and_those_on_its_way():
    candidates = [
        job("urgent", (1, 1), (1, 5)),
        job("far", (9, 9)),
        job("same place", (1, 5)),
        job("same aisle", (1, 3)),
        job("next aisle", (2, 3)),
    ]

    assert keys(build(candidates, Limits(3))) == ["urgent", "same place", "same aisle"]


def test_other_zone_is_left_to_the_last():
    candidates = [job("urgent", (1, 1)), job("cold", (1, 2), zone="cold"), job("next aisle", (2, 1))]

    assert keys(build(candidates, Limits(2))) == ["urgent", "next aisle"]


def test_of_equally_near_jobs_the_more_urgent_goes_along():
    candidates = [job("urgent", (1, 1)), job("second", (2, 2)), job("third", (2, 3))]

    assert keys(build(candidates, Limits(2))) == ["urgent", "second"]


@pytest.mark.parametrize(
    "limits",
    [Limits(2), Limits(9, totes=2), Limits(9, weight_g=1000), Limits(9, volume_l=10)],
    ids=["jobs", "totes", "weight", "volume"],
)
def test_no_limit_is_exceeded(limits):
    candidates = [job(number, (1, number + 1), weight_g=500, volume_l=5) for number in range(5)]

    assert keys(build(candidates, limits)) == [0, 1]


def test_heavy_job_is_passed_over_and_a_light_one_goes_along():
    candidates = [
        job("a", (1, 1), weight_g=600),
        job("b", (1, 1), weight_g=600),
        job("c", (1, 1), weight_g=300),
    ]

    assert keys(build(candidates, Limits(9, weight_g=1000))) == ["a", "c"]


def test_job_that_is_too_heavy_goes_alone():
    assert keys(build([job("a", (1, 1), weight_g=5000), job("b", (1, 1))], Limits(9, weight_g=1000))) == ["a"]


def test_jobs_without_known_places_are_taken_by_urgency():
    candidates = [Candidate(number) for number in range(4)]

    assert keys(build(candidates, Limits(3))) == [0, 1, 2]


def test_nothing_to_pick_is_no_run():
    assert build([], Limits(3)) == []


@pytest.mark.parametrize("seed", range(20))
def test_walk_is_never_longer_than_that_of_the_most_urgent_jobs_without_limit_of_weight(seed):
    chance = random.Random(seed)
    candidates = [
        job(number, *[(chance.randint(1, 8), chance.randint(1, 12)) for _line in range(chance.randint(1, 4))])
        for number in range(40)
    ]

    found = build(candidates, Limits(8))

    assert len(found) == 8
    assert way(found) <= way(candidates[:8])


def test_walk_is_clearly_shorter_on_the_whole():
    chance = random.Random(5)
    saved = total = 0
    for _day in range(20):
        candidates = [job(n, (chance.randint(1, 8), chance.randint(1, 12))) for n in range(60)]
        total += way(candidates[:8])
        saved += way(candidates[:8]) - way(build(candidates, Limits(8)))

    assert saved > 0.3 * total
