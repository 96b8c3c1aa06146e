import time

import time_machine

from fulfillment.core.ids import uuid7


def test_is_a_version_7_uuid():
    assert (uuid7().version, uuid7().variant) == (7, "specified in RFC 4122")


def test_ids_sort_by_time():
    with time_machine.travel(0, tick=False) as clock:
        ids = []
        for _step in range(5):
            ids.append(uuid7())
            clock.shift(0.001)

    assert ids == sorted(ids)


def test_holds_the_time_in_its_first_48_bits():
    with time_machine.travel(1_700_000_000.123, tick=False):
        assert uuid7().int >> 80 == time.time_ns() // 1_000_000
