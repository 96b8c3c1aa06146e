import json

import pytest

from routing.decisions import pack, unpack


@pytest.mark.parametrize(
    "values",
    [
        [],
        [3],
        [2.5, 2.5],
        [None, None],
        [0, 7, 2**40],
        [0.1, None, 1e-9, 356.5123456789012],
        [1, 0.5],
    ],
    ids=str,
)
def test_packed_numbers_come_back_exactly(values):
    assert unpack(json.loads(json.dumps(pack(values))), len(values)) == values


def test_equal_numbers_take_no_room_of_their_own():
    assert pack([2.0] * 1000) == 2.0
