"""The shared cache itself, for what counts or lists in it: one connection pool per process."""

import functools

import redis
from django.conf import settings


@functools.cache
def shared_redis():
    """A client of the Redis server at CACHE_URL."""
    return redis.Redis.from_url(settings.CACHE_URL)
