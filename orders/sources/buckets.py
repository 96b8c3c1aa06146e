"""Rate limits that all workers share: a token bucket in the shared cache, or in the database without one."""

import time

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from fulfillment.core.shared import shared_redis

from .models import Bucket

# Take or say how long to wait, by the clock of the one server that all workers ask.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local stored = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = math.min(burst, (tonumber(stored[1]) or burst) + math.max(0, now - (tonumber(stored[2]) or now)) * rate)
local wait = 0
if tokens >= 1 then tokens = tokens - 1 else wait = (1 - tokens) / rate end
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil(burst / rate) + 60)
return tostring(wait)
"""


def take(key, *, rate, burst):
    """Take one token of a bucket that fills by ``rate`` per second up to ``burst``.

    Returns:
        0 when it was taken, else the seconds until there may be one.
    """
    if settings.CACHE_URL:
        return float(shared_redis().eval(_TAKE, 1, cache.make_key(f"bucket:{key}"), rate, burst))
    return _take_in_database(key[:150], rate, burst)


@transaction.atomic
def _take_in_database(key, rate, burst):
    now = time.time()
    Bucket.objects.get_or_create(key=key, defaults={"tokens": burst, "at": now})
    bucket = Bucket.objects.select_for_update().get(key=key)  # two workers never take the same token
    tokens = min(burst, bucket.tokens + max(0, now - bucket.at) * rate)
    wait = 0 if tokens >= 1 else (1 - tokens) / rate
    bucket.tokens, bucket.at = (tokens - 1 if wait == 0 else tokens), now
    bucket.save(update_fields=["tokens", "at"])
    return wait
