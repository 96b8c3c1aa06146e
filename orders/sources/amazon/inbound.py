"""Orders come by a poll over their change time, and sooner by messages that name an order."""

import datetime

from django.utils import timezone

from orders.sources import http
from orders.sources.kind import BadSignature, Page, Received, found_or_gone, key_of, shows_push_secret
from orders.sources.reading import NotOfThisSource, first, iso, items, part, read_json, text, time

from . import mapping
from .queue import Queue

ALWAYS = "2015-01-01T00:00:00Z"  # the search needs a begin
# A token for the next page holds for 24 h; one that may end on the way is not begun with.
TOKEN_LASTS = datetime.timedelta(hours=20)
MOST_TURNS = 200  # of the queue; the rest follows soon
LAG = datetime.timedelta(minutes=2)  # of what the search may see


def verify(connection, headers, body):
    """The delivery a message is; the bridge that hands it on shows its secret.

    Raises:
        BadSignature
    """
    if not shows_push_secret(connection, headers):
        raise BadSignature
    return _received(body)


def is_queued(settings):
    return bool(text(settings.get("queue_url")))


def drain(connection, options, store):
    """Hand on what waits in the queue; a batch leaves it once it is stored."""
    with Queue(connection, options) as queue:
        for _turn in range(MOST_TURNS):
            messages = queue.receive()
            if not messages:
                return
            bodies = [str(message.get("Body") or "").encode(errors="replace") for message in messages]
            store([(_received(body), body) for body in bodies])
            queue.forget(messages)


def _received(body):
    try:
        payload = read_json(body)
    except ValueError:
        payload = {}
    key = text(mapping.field(payload, "NotificationMetadata", "NotificationId"))
    topic = text(mapping.field(payload, "NotificationType"))
    return Received(key=key_of(body, key), topic=topic[:100])


def read(client, topic, payload):
    """The order that a message names: messages are signals, they may be late and in any order."""
    if topic and topic != mapping.ORDER_CHANGE:
        return []
    (signal,) = mapping.unwrap(payload)
    if not mapping.is_signal(signal):
        raise NotOfThisSource
    return [found_or_gone(client.order(mapping.identify(signal)[0]))]


def pages(client, connection):
    """Orders by the time of their last change. Where a run stops for the rate, the next one goes on.

    The next run begins where this one's answers end: Amazon sets that bound itself, two minutes in the past.
    """
    place = _place(connection)
    while True:
        try:
            answer = client.search(place["since"], token=place.get("token", ""))
        except http.Rejected:
            if not place.get("token"):
                raise
            yield Page([], cursor={})  # the token is worth nothing any more: from the begin, next time
            raise
        orders = items(part(answer, "orders"))
        place["bound"] = place.get("bound") or first(part(answer, "lastUpdatedBefore"), place["begun"])
        place["seen"] = place.get("seen", False) or bool(orders)
        place["token"] = text(part(answer, "pagination", "nextToken"))
        if not place["token"]:
            is_needed = place["seen"] or connection.watermark is not None
            yield Page(orders, watermark=time(place["bound"]) if is_needed else None, cursor={})
            return
        yield Page(orders, cursor=dict(place))


def _place(connection):
    """Where the last run stopped, else the begin of a new one."""
    stored, now = connection.cursor or {}, timezone.now()
    begun = time(stored.get("begun"))
    if stored.get("token") and begun and now - begun < TOKEN_LASTS:
        return dict(stored)
    return {"since": iso(connection.since) if connection.since else ALWAYS, "begun": iso(now - LAG)}
