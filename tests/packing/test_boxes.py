import itertools
import time

import pytest

from packing.boxes import MOST_UNITS, Box, Unit, fill, propose

SMALL = Box("S", (200, 150, 100), 2_000)
MIDDLE = Box("M", (300, 200, 150), 10_000)
LARGE = Box("L", (600, 400, 400), 30_000)
BOXES = [LARGE, SMALL, MIDDLE]


def units(*kinds):
    """(key, sides, grams, how many) as units."""
    return [Unit(key, sides, grams) for key, sides, grams, number in kinds for _unit in range(number)]


def shown(proposal):
    return [(filled.box.key, filled.contents) for filled in proposal.filled]


def test_smallest_box_that_takes_everything_is_proposed():
    assert shown(propose(units(("mug", (100, 90, 90), 300, 2)), BOXES)) == [("S", {"mug": 2})]
    assert shown(propose(units(("mug", (100, 90, 90), 300, 4)), BOXES)) == [("M", {"mug": 4})]


@pytest.mark.parametrize("sides", list(itertools.permutations((190, 140, 90))))
def test_article_is_turned_until_it_fits(sides):
    assert shown(propose([Unit("a", sides)], [SMALL])) == [("S", {"a": 1})]


def test_long_article_needs_a_long_box_however_small_it_is():
    assert shown(propose([Unit("umbrella", (550, 20, 20))], BOXES)) == [("L", {"umbrella": 1})]


def test_volume_alone_is_not_enough():
    # Two cubes have less than 80 % of the volume of the box, but they are too long one behind the other.
    box = Box("flat", (150, 150, 250), 9_000)

    assert shown(propose(units(("cube", (130, 130, 130), 100, 2)), [box])) == [
        ("flat", {"cube": 1}),
        ("flat", {"cube": 1}),
    ]


def test_weight_limit_counts_too():
    lead = units(("lead", (50, 50, 50), 1_500, 2))

    assert shown(propose(lead, BOXES)) == [("M", {"lead": 2})]


def test_several_boxes_when_one_does_not_take_it_and_the_last_is_a_small_one():
    proposal = propose(units(("chair", (600, 400, 390), 9_000, 1), ("mug", (100, 90, 90), 300, 2)), BOXES)

    assert shown(proposal) == [("L", {"chair": 1}), ("S", {"mug": 2})]
    assert proposal.left == ()


def test_what_no_box_takes_is_left():
    proposal = propose([Unit("carpet", (2_000, 100, 100)), Unit("mug", (90, 90, 90))], BOXES)

    assert shown(proposal) == [("S", {"mug": 1})]
    assert [unit.key for unit in proposal.left] == ["carpet"]


def test_there_is_no_proposal_without_units_or_boxes_or_for_too_many():
    assert propose([], BOXES) is None
    assert propose([Unit("mug", (1, 1, 1))], []) is None
    assert propose([Unit("mug", (1, 1, 1))] * (MOST_UNITS + 1), BOXES) is None


def test_same_units_in_another_order_get_the_same_boxes():
    goods = units(("a", (120, 80, 60), 200, 3), ("b", (200, 140, 100), 700, 2), ("c", (50, 50, 50), 90, 5))

    assert shown(propose(goods, BOXES)) == shown(propose(reversed(goods), BOXES))


def test_everything_is_in_exactly_one_box_and_within_the_limits():
    goods = units(
        ("a", (310, 200, 100), 2_100, 7), ("b", (120, 80, 60), 450, 31), ("c", (599, 399, 20), 900, 9)
    )

    proposal = propose(goods, BOXES)

    total = {}
    for filled in proposal.filled:
        grams = {"a": 2_100, "b": 450, "c": 900}
        assert sum(grams[key] * number for key, number in filled.contents.items()) <= filled.box.most_g
        for key, number in filled.contents.items():
            total[key] = total.get(key, 0) + number
    assert total == {"a": 7, "b": 31, "c": 9}


def test_a_full_box_is_really_full():
    # Eight cubes of half the sides fill a box; a ninth does not go in.
    box = Box("cube", (200, 200, 200), 99_999)

    assert len(fill(box, units(("die", (100, 100, 100), 1, 9)))) == 8


def test_largest_job_is_reckoned_while_a_page_loads():
    goods = units(*((number, (40 + number, 30 + number, 20 + number), 50, 6) for number in range(50)))
    boxes = [
        Box(number, (100 + 60 * number, 100 + 40 * number, 80 + 40 * number), 30_000) for number in range(8)
    ]
    begin = time.perf_counter()

    assert propose(goods, boxes).left == ()

    assert time.perf_counter() - begin < 5  # a busy machine is slow, not wrong
