"""Calls to carriers over HTTP, and what their failures mean for a booking."""

import email.utils
import functools
import ipaddress
import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from .base import CarrierError, Outcome

CONNECT_SECONDS, READ_SECONDS = 5, 20
LONGEST_WAIT = 3600  # seconds that a carrier may send us away for
MOST_BYTES = 10 * 1024 * 1024
LONGEST_MESSAGE = 500


def url_problems(url):
    """What is wrong with the base URL of a connection, in sentences."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in {"http", "https"}:
        return [gettext("Enter the base URL, like https://api.carrier.example.")]
    if parts.username or parts.password:
        return [gettext("Enter the base URL without user name and password.")]
    if parts.scheme == "http" and not (settings.CARRIER_LOOPBACK_ALLOWED and _is_loopback(parts.hostname)):
        return [gettext("The base URL must begin with https://.")]
    return []


def _is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@functools.cache
def _client():
    # No connection is kept: one that the carrier closes at the moment of a booking would look like a lost answer.
    # httpx neither follows redirects nor tries again by itself.
    return httpx.Client(
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_keepalive_connections=0),
        headers={"User-Agent": "fulfillment"},
    )


def check_in_time(until):
    """Refuse to send a booking that another worker may have taken over, because this one stood still for too long.

    Raises:
        CarrierError: RETRY, nothing was sent.
    """
    if until is not None and timezone.now() > until:
        raise CarrierError(
            Outcome.RETRY, gettext_noop("The booking was not sent in time."), code="late", seconds=0
        )


def call(method, url, *, books=False, until=None, **options):
    """One request; returns the answer whatever its status.

    Args:
        books: whether this call books something, so that a lost answer leaves the outcome open.
        until: when a booking must have been sent.
    Raises:
        CarrierError: RETRY when the carrier was not reached, UNKNOWN when a booking lost its answer.
    """

    def trace(event, _info):
        # The connection stands: nothing that takes time lies between here and the first byte.
        if event == "http11.send_request_headers.started":
            check_in_time(until)

    if until is not None:
        options["extensions"] = {"trace": trace}
    try:
        return _client().request(method, url, **options)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise CarrierError(
            Outcome.RETRY, gettext_noop("The carrier cannot be reached."), code="unreachable"
        ) from error
    except httpx.HTTPError as error:
        if books:
            raise CarrierError(
                Outcome.UNKNOWN, gettext_noop("The carrier did not answer in time."), code="no_answer"
            ) from error
        raise CarrierError(
            Outcome.RETRY, gettext_noop("The carrier did not answer in time."), code="no_answer"
        ) from error


def classify(status, *, books=False, headers=None, message="", fields=()):
    """The ``CarrierError`` that an answer which is no success stands for.

    Too busy means later; a refusal of the request is a refusal; everything else leaves a booking open.
    """
    if status == 429:
        return CarrierError(
            Outcome.RETRY,
            gettext_noop("The carrier asks to wait."),
            code="429",
            seconds=retry_after(headers or {}),
        )
    if 400 <= status < 500 and status != 408:
        words = message or f"The carrier refuses the request ({status})."
        if status in {401, 403}:
            words = message or gettext_noop(
                "The carrier refuses the login. Check the credentials of the connection."
            )
        return CarrierError(Outcome.REJECTED, words[:LONGEST_MESSAGE], code=str(status), fields=fields)
    return CarrierError(
        Outcome.UNKNOWN if books else Outcome.RETRY,
        f"The carrier failed ({status}).",
        code=str(status),
    )


def retry_after(headers):
    """Seconds of the header Retry-After, as number or date; None without a usable one."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return min(int(text), LONGEST_WAIT)
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0, min(int((at - datetime.now(UTC)).total_seconds()), LONGEST_WAIT))


def body_of(response):
    """The JSON object of an answer, None when it is none."""
    try:
        found = json.loads(response.content)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def download(url):
    """The bytes behind an address that the carrier gave us with a booking: without them its outcome is open.

    Raises:
        CarrierError: UNKNOWN.
    """
    if url_problems(url):
        raise CarrierError(
            Outcome.UNKNOWN, gettext_noop("The carrier gave an address that cannot be used."), code="address"
        )
    try:
        response = call("GET", url, books=True)
    except CarrierError as error:
        raise CarrierError(
            Outcome.UNKNOWN, gettext_noop("The label cannot be fetched."), code="label"
        ) from error
    if response.status_code != 200 or len(response.content) > MOST_BYTES:
        raise CarrierError(
            Outcome.UNKNOWN, f"The label cannot be fetched ({response.status_code}).", code="label"
        )
    return response.content
