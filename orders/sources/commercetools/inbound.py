"""Orders come by a poll over their change time, and sooner by messages that a cloud queue pushes."""

import httpx
import jwt
from django.core.cache import cache

from orders.sources import http
from orders.sources.kind import BadSignature, Page, Received, found_or_gone, key_of, shows_push_secret
from orders.sources.models import ImportedOrder
from orders.sources.reading import NotOfThisSource, iso, items, part, read_json, text, time, whole

from . import mapping

LIMIT = 500
KEYS_URL = "https://www.googleapis.com/oauth2/v3/certs"
ISSUERS = ["https://accounts.google.com", "accounts.google.com"]
KEPT, ASKED_EVERY = 3600, 10  # seconds


def verify(connection, headers, body):
    """The delivery a push is: from Google by its signed token, from another bridge by the secret.

    Raises:
        BadSignature
    """
    if not shows_push_secret(connection, headers):
        _check_token(headers.get("Authorization", "").removeprefix("Bearer ").strip(), connection.settings)
    try:
        payload = read_json(body)
        message = mapping.message_of(payload) or {}
    except (ValueError, NotOfThisSource):
        payload, message = {}, {}
    key = key_of(body, message.get("id"), part(payload, "id"), part(payload, "message", "messageId"))
    return Received(key=key, topic=text(message.get("type")))


def _check_token(token, settings):
    """A token of Google's (OIDC), for our audience and of the service account that was configured."""
    audience, account = text(settings.get("push_audience")), text(settings.get("push_account"))
    if not token or not audience or not account:
        raise BadSignature
    try:
        key = _key(jwt.get_unverified_header(token).get("kid", ""))
        claims = jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=ISSUERS)
    except (jwt.PyJWTError, httpx.HTTPError, ValueError) as error:
        # Without Google's keys nothing can be checked; it pushes again.
        raise BadSignature from error
    if claims.get("email") != account or claims.get("email_verified") is not True:
        raise BadSignature


def _key(kid):
    """One of Google's keys; they are kept for an hour, and asked for again when one is new.

    That at most once in a while: anybody can send a token that names a key which does not exist.
    """
    for is_fresh in (False, True):
        found = None if is_fresh else cache.get("sources:google-keys")
        if found is None:
            if not cache.add("sources:google-keys-asked", 1, ASKED_EVERY):
                break
            with httpx.Client(transport=http.transport(), timeout=5) as client:
                answer = client.get(KEYS_URL).raise_for_status().json()
            found = {"keys": items(part(answer, "keys"))}
            jwt.PyJWKSet.from_dict(found)  # raises for what are no keys: that is not kept
            cache.set("sources:google-keys", found, KEPT)
        for key in jwt.PyJWKSet.from_dict(found).keys:
            if key.key_id == kid:
                return key
    raise BadSignature


def read(client, topic, payload):
    """The order that a message is about. The message is a signal: the order is read where it lacks or is old."""
    message = mapping.message_of(payload)
    if message is None:
        return mapping.unwrap(payload)
    if text(part(message, "resource", "typeId")) != "order" or topic.startswith(mapping.NOT_NEEDED):
        return []
    if topic == mapping.DELETED:
        return mapping.unwrap(payload)
    identifier, order = text(part(message, "resource", "id")), message.get("order")
    if isinstance(order, dict) and not message.get("payloadNotIncluded") and not _is_old(client, order):
        return [order]
    if not identifier:
        raise NotOfThisSource
    return [found_or_gone(client.order(identifier))]


def _is_old(client, order):
    """Messages may come late and in any order."""
    return ImportedOrder.objects.filter(
        connection=client.connection,
        external_id=text(order.get("id")),
        version__gt=whole(order.get("version")) or 0,
    ).exists()


def pages(client, connection):
    """Orders by the time of their last change, paged by time and id: offsets end at 10,000."""
    where = f'lastModifiedAt >= "{iso(connection.since)}"' if connection.since else ""
    while True:
        answer = client.orders(where, LIMIT)
        orders = items(part(answer, "results"))
        moment = time(orders[-1].get("lastModifiedAt")) if orders else None
        yield Page(orders, watermark=moment)
        if not orders or len(orders) < (whole(part(answer, "limit")) or LIMIT):
            return
        last, identifier = text(orders[-1].get("lastModifiedAt")), text(orders[-1].get("id"))
        where = f'lastModifiedAt > "{last}" or (lastModifiedAt = "{last}" and id > "{identifier}")'
