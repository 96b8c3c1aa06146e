"""Calls to addresses that somebody else chose: only to the public internet, within a time limit, one answer only.

The name is resolved here and the connection goes to the address that was checked, so that a name that means
something else a moment later changes nothing. TLS and the Host header keep the name.
"""

import dataclasses
import functools
import ipaddress
import re
import socket
import threading
import time
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpcore
import httpx
from django.conf import settings

SECONDS = 10  # for the whole call
LONGEST_URL = 1000
MOST_DRAINED = 64 * 1024  # bytes of an answer that are read so that the connection can be used again
MOST_KEPT = 2000  # characters of an answer in the log
NAT64 = ipaddress.ip_network("64:ff9b::/96")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Ours, or those of the connection.
RESERVED_HEADERS = {
    *("host", "content-length", "content-type", "transfer-encoding", "connection", "keep-alive", "te"),
    *("trailer", "upgrade", "expect", "proxy-authorization", "proxy-connection", "accept-encoding"),
    *("webhook-id", "webhook-timestamp", "webhook-signature", "webhook-sequence", "webhook-gap"),
}
CLIENT_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30)


class BadTarget(Exception):
    """An address that is not called, in words for the client of the API."""


@dataclasses.dataclass(frozen=True)
class Answer:
    milliseconds: int
    status_code: int | None = None
    text: str = ""
    error: str = ""

    @property
    def is_good(self):
        return self.status_code is not None and 200 <= self.status_code < 300


def check_url(url):
    """Refuse what we never call: other schemes, plain http, credentials in the address, private addresses.

    Raises:
        BadTarget
    """
    if len(url) > LONGEST_URL or not url.isascii() or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        raise BadTarget(f"must be an address of at most {LONGEST_URL} ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise BadTarget("must be an address like https://shop.example/hooks") from error
    if not host or parts.scheme not in {"https", "http"}:
        raise BadTarget("must be an address like https://shop.example/hooks")
    if parts.username is not None or parts.password is not None:
        raise BadTarget("must not contain a user name or password; use headers")
    if parts.scheme == "http" and not (settings.WEBHOOK_LOOPBACK_ALLOWED and _names_loopback(host)):
        raise BadTarget("must begin with https://")
    if (literal := _literal(host)) is not None:
        check_address(literal)
    elif host.rstrip(".").lower() == "localhost" or host.lower().rstrip(".").endswith(".localhost"):
        check_address(ipaddress.ip_address("127.0.0.1"))


def check_header(name, value):
    """Refuse what is no header, and those that we set.

    Raises:
        BadTarget
    """
    if not HEADER_NAME.fullmatch(name) or len(name) > 100:
        raise BadTarget(f"{name!r} is not the name of a header")
    if name.lower() in RESERVED_HEADERS:
        raise BadTarget(f"{name} cannot be set")
    if not value.isascii() or not value.isprintable() or len(value) > 8000:
        raise BadTarget(f"the value of {name} must be printable ASCII of at most 8000 characters")


def _names_loopback(host):
    literal = _literal(host)
    return literal.is_loopback if literal is not None else host.lower() == "localhost"


def _literal(host):
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        # The old forms that resolvers read as addresses too: 127.1, 0x7f000001, 2130706433.
        return (
            ipaddress.ip_address(socket.inet_aton(host)) if re.fullmatch(r"[0-9a-fA-FxX.]+", host) else None
        )
    except OSError:
        return None


def check_address(address):
    """Refuse everything but the public internet, also where it hides in an IPv6 address.

    Raises:
        BadTarget
    """
    if address.version == 6:
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address.sixtofour is not None:
            check_address(address.sixtofour)
        elif address in NAT64:
            address = ipaddress.ip_address(int(address) & 0xFFFFFFFF)
    if address.is_loopback and settings.WEBHOOK_LOOPBACK_ALLOWED:
        return
    inner = address.version == 6 and (address.teredo is not None or address.is_site_local)
    if not address.is_global or address.is_multicast or address.is_reserved or inner:
        raise BadTarget(f"{address} is not an address of the public internet")


def resolve(host, port):
    """The addresses of a host, all of them checked.

    Raises:
        BadTarget: one of them is not public.
        OSError: the name has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(entry[4][0] for entry in found))
    for address in addresses:
        check_address(ipaddress.ip_address(address.split("%")[0]))
    return addresses


_call = threading.local()  # .ends_at: when the call of this thread must be over


def _left(timeout):
    left = getattr(_call, "ends_at", float("inf")) - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("The time is over.")
    return left if timeout is None else min(timeout, left)


class _TimedStream(httpcore.NetworkStream):
    """Every wait gets what is left of the call's time: a receiver that sends a byte now and then gains nothing."""

    def __init__(self, stream):
        self.stream = stream

    def read(self, max_bytes, timeout=None):
        return self.stream.read(max_bytes, _left(timeout))

    def write(self, buffer, timeout=None):
        self.stream.write(buffer, _left(timeout))

    def close(self):
        self.stream.close()

    def start_tls(self, ssl_context, server_hostname=None, timeout=None):
        return _TimedStream(self.stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info):
        return self.stream.get_extra_info(info)


class _CheckedBackend(httpcore.SyncBackend):
    """Connects to addresses that were checked, never to a name."""

    def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        try:
            addresses = resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: {error.strerror or error}") from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address.")
        for address in addresses:
            try:
                return _TimedStream(
                    super().connect_tcp(address, port, _left(timeout), local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _Transport(httpx.HTTPTransport):
    def __init__(self):
        super().__init__(trust_env=False, limits=CLIENT_LIMITS)
        # httpx has no argument for it; everything else of its transport stays.
        self._pool._network_backend = _CheckedBackend()


class Caller:
    """One client for all calls of a process, whose connections are kept for the next call."""

    def __init__(self):
        self.client = httpx.Client(
            transport=_Transport(),
            timeout=SECONDS,
            follow_redirects=False,
            trust_env=False,
            # What one receiver sets must not reach another one of the same host.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            headers={"User-Agent": "fulfillment-webhooks", "Accept": "*/*"},
        )

    def post(self, url, body, headers):
        """Send a body and return the ``Answer``; what goes wrong is in it."""
        begin = time.monotonic()
        _call.ends_at = begin + SECONDS
        try:
            check_url(url)
            request = self.client.build_request("POST", url, content=body, headers=headers)
            response = self.client.send(request, stream=True)
            try:
                received = b""
                for chunk in response.iter_raw():
                    received += chunk
                    if len(received) > MOST_DRAINED:
                        break
            finally:
                response.close()
        except BadTarget as refusal:
            return Answer(_since(begin), error=str(refusal))
        except httpx.TimeoutException:
            return Answer(_since(begin), error=f"No answer within {SECONDS} seconds.")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Answer(_since(begin), error=f"{type(error).__name__}: {error}"[:300])
        text = received[:MOST_KEPT].decode(errors="replace").replace("\x00", "")
        is_good = 200 <= response.status_code < 300
        problem = "" if is_good else f"The answer is {response.status_code}."
        return Answer(_since(begin), response.status_code, text, problem)


@functools.lru_cache(maxsize=1)
def caller(process_id):
    """The client of a process: a child of a fork makes its own."""
    return Caller()


def _since(begin):
    return int((time.monotonic() - begin) * 1000)
