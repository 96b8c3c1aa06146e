"""The last requests of each API token, for the people who connect a shop: in the shared cache, or in the database
without one. What is noted is lost with the cache; it proves nothing and bills nobody.
"""

import dataclasses
import datetime
import json

from django.conf import settings
from django.core.cache import cache

from .models import ApiRequest
from .shared import shared_redis

KEPT = 100  # per token
KEPT_FOR = datetime.timedelta(days=7)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One request: when, what, how it ended; ``error`` is empty when it was fine."""

    at: datetime.datetime
    method: str
    path: str
    status: int
    error: str


def _key(token_id):
    return cache.make_key(f"requests:{token_id}")


def note(token_id, entry):
    """Remember a request of a token."""
    if not settings.CACHE_URL:
        ApiRequest.objects.create(token_id=token_id, **vars(entry))
        return
    text = json.dumps({**vars(entry), "at": entry.at.isoformat()})
    with shared_redis().pipeline(transaction=False) as pipe:
        pipe.lpush(_key(token_id), text)
        pipe.ltrim(_key(token_id), 0, KEPT - 1)
        pipe.expire(_key(token_id), KEPT_FOR)
        pipe.execute()


def last(token_id, count=50):
    """The newest requests of a token, newest first."""
    if not settings.CACHE_URL:
        rows = ApiRequest.objects.filter(token_id=token_id).order_by("-pk")[:count]
        return [Entry(row.at, row.method, row.path, row.status, row.error) for row in rows]
    found = [json.loads(text) for text in shared_redis().lrange(_key(token_id), 0, count - 1)]
    return [Entry(**{**entry, "at": datetime.datetime.fromisoformat(entry["at"])}) for entry in found]
