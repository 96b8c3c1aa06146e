import os
import time
import uuid


def uuid7():
    """A version 7 UUID (RFC 9562): 48 bits of milliseconds, then random.

    Ids sort by creation, so a page boundary by id is stable and inserts stay at the end of the index.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)
