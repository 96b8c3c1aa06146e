"""Calls to sources: one client class that every connector extends.

Reads and logins are repeated; a write never is: after a timeout it may have arrived, so the caller looks first.
"""

import datetime
import email.utils
import random
import time
from json import dumps

import httpx
from django.db.models import Q
from django.utils import timezone

from . import buckets
from .models import Connection
from .reading import items, part, read_json, text

TIMEOUT = httpx.Timeout(30, connect=10)
ATTEMPTS = 4
QUICK = httpx.Timeout(5, connect=3)
# A pause that is waited for here; a longer one gives the worker back.
LONGEST_PAUSE = 5  # seconds
# A token is renewed so long before it ends.
MARGIN = 60  # seconds
LONGEST_SIGN_IN = datetime.timedelta(seconds=45)


class SourceError(Exception):
    """A call that did not do what it should; the text has no personal data of ours and is shown to operators."""


class Unreachable(SourceError):
    """Nothing arrived there, or a read failed: trying again is safe."""


class Unknown(SourceError):
    """A write that may have arrived: look first."""


class Throttled(SourceError):
    """Too many calls: come again after ``seconds``."""

    def __init__(self, seconds):
        super().__init__(f"The source asks to wait {seconds:.0f} s.")
        self.seconds = seconds


class SignInFailed(SourceError):
    """The credentials are refused, or lack a right."""


class Conflict(SourceError):
    """Somebody else changed it meanwhile (409): read it again."""


class Rejected(SourceError):
    """The source refuses; trying again gives the same answer."""

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


def transport():
    """How bytes leave the house. Tests put a fake source here."""
    return httpx.HTTPTransport(retries=0)


class Client:
    """One connection to a source; use it as a context. Subclasses say how to sign in and which calls there are."""

    #: calls per second and how many at once, per connection; None without a limit
    limit: tuple[float, int] | None = None

    def __init__(self, connection, options):
        self.connection, self.options = connection, options
        self.credentials = connection.credentials
        self._http = httpx.Client(
            transport=transport(), timeout=TIMEOUT, headers={"User-Agent": "fulfillment"}
        )
        self._attempts, self._sign_in_wait = ATTEMPTS, LONGEST_SIGN_IN.total_seconds()

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        self._http.close()

    # What a connector says

    def sign_in(self):
        """A new token: ``{"access": text, "seconds": how long it holds, ...}``; more is stored with it."""
        raise NotImplementedError

    def authorize(self, token):
        """Headers of a call."""
        return {"Authorization": f"Bearer {token}"}

    def explain(self, answer):
        """What the source says is wrong, from an answer with an error status."""
        return answer.text[:500]

    def check(self):
        """What is wrong with the connection, as sentences; empty when a call works."""
        raise NotImplementedError

    # What connectors build on

    def address(self, name, default=""):
        """An address of the settings, else the default, without a slash at its end."""
        return text(self.options[name]).rstrip("/") or default

    # Calls

    def be_quick(self):
        """Ask once and briefly: for a read that others wait for and that is done again later."""
        self._http.timeout = QUICK
        self._attempts, self._sign_in_wait = 1, QUICK.read

    def get(self, url, **options):
        """A read: repeated after failures."""
        return self.call("GET", url, is_read=True, **options)

    def find(self, url, **options):
        """A read of one thing; None when it is not there (404)."""
        try:
            return self.get(url, **options)
        except Rejected as failure:
            if failure.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def post(self, url, *, is_read=False, **options):
        return self.call("POST", url, is_read=is_read, **options)

    def put(self, url, **options):
        return self.call("PUT", url, is_read=False, **options)

    def patch(self, url, **options):
        return self.call("PATCH", url, is_read=False, **options)

    def call(self, method, url, *, is_read, json=None, headers=None, limit=None, **options):
        """The answer as a value (numbers with a point are decimals; None without content).

        Args:
            is_read: whether it may be repeated without harm.
            limit: (name, calls per second, burst) of this operation, beside the limit of the client.
        """
        if json is not None:
            options["content"] = dumps(json, default=str)
            headers = {"Content-Type": "application/json", **(headers or {})}
        is_renewed, attempt = False, 0
        while True:
            attempt += 1
            self._wait_for_limits(limit)
            try:
                answer = self._http.request(
                    method, url, headers={**self.authorize(self.token()), **(headers or {})}, **options
                )
            except (
                httpx.ConnectError,
                httpx.ConnectTimeout,
                httpx.PoolTimeout,
                httpx.UnsupportedProtocol,
            ) as error:
                if attempt >= self._attempts:
                    raise Unreachable(f"No connection: {type(error).__name__}.") from error
                _sleep(backoff(attempt))
                continue
            except httpx.HTTPError as error:
                if not is_read:
                    raise Unknown(f"No answer: {type(error).__name__}.") from error
                if attempt >= self._attempts:
                    raise Unreachable(f"No answer: {type(error).__name__}.") from error
                _sleep(backoff(attempt))
                continue
            if answer.status_code == 401 and not is_renewed:
                is_renewed = True
                self.forget_token()
                continue
            if answer.status_code in {429, 503}:
                named = retry_after(answer)
                self.pause(backoff(attempt) if named is None else named, attempt)
                continue
            if answer.status_code >= 500 and is_read and attempt < self._attempts:
                _sleep(backoff(attempt))
                continue
            return self._read(answer, is_read)

    def pause(self, seconds, attempt):
        """Wait as the source asks, or give the worker back when that is long or was often."""
        if attempt >= self._attempts or seconds > LONGEST_PAUSE:
            raise Throttled(seconds)
        _sleep(seconds)

    def _wait_for_limits(self, limit):
        limits = [("all", *self.limit)] if self.limit else []
        for name, rate, burst in [*limits, *([limit] if limit else [])]:
            while wait := buckets.take(f"{self.connection.pk}:{name}", rate=rate, burst=burst):
                if wait > LONGEST_PAUSE:
                    raise Throttled(wait)
                _sleep(wait)

    def _read(self, answer, is_read):
        status = answer.status_code
        if status < 300:
            try:
                return read_json(answer.content) if answer.content else None
            except ValueError as error:
                failure = Unreachable if is_read else Unknown
                raise failure("The answer is not JSON.") from error
        words = f"{status}: {self.explain(answer)}"
        if status in {401, 403}:
            raise SignInFailed(words)
        if status == 409:
            raise Conflict(words)
        if status >= 500:
            raise (Unreachable if is_read else Unknown)(words)
        raise Rejected(words, status)

    # Tokens: shared by all workers through the connection, encrypted

    def token(self):
        stored = self.connection.token_store
        if stored.get("access") and stored.get("until", 0) - MARGIN > time.time():
            return stored["access"]
        return self.renew(stored.get("access"))

    def forget_token(self):
        self.renew(self.connection.token_store.get("access"))

    def renew(self, old):
        """Sign in, unless another worker did so meanwhile. One at a time, by a lease: a refresh token that changes
        with each use must not be used twice, and no database lock is held during a call.
        """
        end = time.monotonic() + self._sign_in_wait
        mine = Connection.objects.filter(pk=self.connection.pk)
        while time.monotonic() < end:
            if access := self._of_colleague(old, mine):
                return access
            now = timezone.now()
            is_free = Q(signing_in_until=None) | Q(signing_in_until__lt=now)
            if mine.filter(is_free).update(signing_in_until=now + LONGEST_SIGN_IN):
                try:
                    # A colleague may have ended between the look above and the lease.
                    return self._of_colleague(old, mine) or self._sign_in(mine)
                finally:
                    mine.update(signing_in_until=None)
            _sleep(0.2)
        raise Unreachable("Another worker is signing in and does not come back.")

    def _of_colleague(self, old, mine):
        """The access token that another worker got meanwhile, or None."""
        self.connection.tokens = mine.values_list("tokens", flat=True).get()
        stored = self.connection.token_store
        if stored.get("access") not in (None, old) and stored.get("until", 0) - MARGIN > time.time():
            return stored["access"]
        return None

    def _sign_in(self, mine):
        stored, token = self.connection.token_store, self.sign_in()
        seconds = token.pop("seconds", None) or 10 * 365 * 86400
        self.connection.token_store = {**stored, **token, "until": time.time() + float(seconds)}
        mine.update(tokens=self.connection.tokens)
        return token["access"]

    def request_token(self, url, form, **options):
        """Ask a token endpoint (OAuth 2); the answer as a dict."""
        try:
            answer = self._http.post(url, data=form, **options)
        except httpx.HTTPError as error:
            raise Unreachable(f"No connection to {httpx.URL(url).host}: {type(error).__name__}.") from error
        if answer.status_code in {429, 503}:
            raise Throttled(retry_after(answer) or backoff(1))
        if answer.status_code >= 500:
            raise Unreachable(f"Signing in failed with {answer.status_code}.")
        try:
            found = read_json(answer.content)
        except ValueError:
            found = None
        if answer.status_code >= 400 or not isinstance(found, dict) or not found.get("access_token"):
            words = found.get("error_description") or found.get("error") if isinstance(found, dict) else ""
            raise SignInFailed(
                f"Signing in is refused ({answer.status_code}): {str(words or 'no reason')[:200]}"
            )
        return found


def known(order):
    """The order that a report is about, as the source has it. Refuses when it has none."""
    if not order:
        raise Rejected("The source does not have this order.")
    return order


def errors_of(answer):
    """The errors in an answer of the form ``{"errors": [{...}]}``; empty for any other."""
    try:
        return items(part(read_json(answer.content), "errors"))
    except ValueError:
        return []


def joined(words, answer):
    """Words of a source, each once; the answer as it is when it says nothing that can be read."""
    return "; ".join(dict.fromkeys(filter(None, words))) or text(answer.text)[:500]


def backoff(attempt):
    """Seconds before the next attempt: about 0.5, 1, 2, with jitter, so that workers do not come back together."""
    return 0.5 * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)


def retry_after(answer):
    """Seconds that the header names, as a number or a date; None without one."""
    value = answer.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (moment - timezone.now()).total_seconds())


def _sleep(seconds):
    time.sleep(seconds)
