"""How often something happened in a window of time: counted in the shared cache, or in the database without one."""

import time

from django.conf import settings
from django.core.cache import cache
from django.db import connection

from .models import Counter
from .shared import shared_redis

# One statement, so that two requests never read the same number.
_COUNT = """
    INSERT INTO core_counter (key, ends_at, hits) VALUES (%s, %s, 1)
    ON CONFLICT (key) DO UPDATE SET
        hits = CASE WHEN core_counter.ends_at = excluded.ends_at THEN core_counter.hits + 1 ELSE 1 END,
        ends_at = excluded.ends_at
    RETURNING hits
"""


def hit(key, seconds):
    """Count one more; returns (how many in this window, seconds until it ends). Windows begin at full multiples."""
    now, ends_at = _window(seconds)
    if settings.CACHE_URL:
        with shared_redis().pipeline(transaction=False) as pipe:
            count, _set = pipe.incr(_name(key, ends_at)).expire(_name(key, ends_at), seconds).execute()
        return count, ends_at - now
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [key[:150], ends_at])
        return cursor.fetchone()[0], ends_at - now


def hits(key, seconds):
    """How many there were in this window, without counting: (number, seconds until it ends)."""
    now, ends_at = _window(seconds)
    if settings.CACHE_URL:
        return int(shared_redis().get(_name(key, ends_at)) or 0), ends_at - now
    row = Counter.objects.filter(key=key[:150], ends_at=ends_at).first()
    return row.hits if row else 0, ends_at - now


def _window(seconds):
    now = int(time.time())
    return now, now - now % seconds + seconds


def _name(key, ends_at):
    return cache.make_key(f"count:{key}:{ends_at}")
