"""Sign-in for programs: a password gives a short-lived signed token and a refresh token for the next ones."""

import datetime
import hashlib
import secrets

import jwt
from django.conf import settings
from django.contrib.auth import authenticate
from django.utils.crypto import salted_hmac

from ..limits import hit, hits
from ..models import RefreshToken, User

LIFETIME = datetime.timedelta(hours=1)
REFRESH_LIFETIME = datetime.timedelta(days=30)
WINDOW = 15 * 60  # seconds
MOST_FAILURES = {"account": 10, "address": 50}
ISSUER = "fulfillment"


class SignInRefused(Exception):
    """Wrong e-mail or password; nobody learns which."""


class TooManyFailures(Exception):
    """Sign-in failed too often; ``seconds`` until the next attempt."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.seconds = seconds


def _keys():
    """The keys that sign tokens, the current one first: ``{key id: key}``. They follow SECRET_KEY and its fallbacks."""
    found = {}
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        key = salted_hmac("fulfillment.api.token", "key", secret=secret, algorithm="sha256").digest()
        found[hashlib.sha256(key).hexdigest()[:8]] = key
    return found


def _stamp(password_hash):
    """Changes with the password, so that tokens end with it."""
    return password_hash[:16]


def sign_in(email, password, *, address, now):
    """Check a password; returns (user, access token, refresh token).

    Only failures count against the limits, so clients may sign in many times in parallel.

    Raises:
        SignInRefused: wrong e-mail or password, or the account is switched off.
        TooManyFailures: of this account or from this address.
    """
    counters = {"account": f"signin:{email.lower()}", "address": f"signin-from:{address}"}
    for kind, key in counters.items():
        failures, seconds = hits(key, WINDOW)
        if failures >= MOST_FAILURES[kind]:
            raise TooManyFailures(seconds)
    user = authenticate(username=email, password=password)
    if user is None:
        for key in counters.values():
            hit(key, WINDOW)
        raise SignInRefused
    secret = secrets.token_urlsafe(32)
    RefreshToken.objects.create(
        user=user,
        digest=RefreshToken.hash(secret),
        password_stamp=_stamp(user.get_session_auth_hash()),
        created_at=now,
        expires_at=now + REFRESH_LIFETIME,
    )
    return user, access_token(user, now=now), secret


def refresh(secret, *, now):
    """A new access token for a refresh token, which stays valid: (user, access token).

    Raises:
        SignInRefused: unknown, expired or revoked, the password changed, or the account is switched off.
    """
    row = RefreshToken.objects.filter(digest=RefreshToken.hash(secret)).select_related("user").first()
    if row is None or not row.is_usable(now) or not _holds(row.user, row.password_stamp):
        raise SignInRefused
    RefreshToken.objects.filter(pk=row.pk).update(last_used_at=now)
    return row.user, access_token(row.user, now=now)


def access_token(user, *, now):
    """A signed token (JWT, HS256) that is good for ``LIFETIME``."""
    key_id, key = next(iter(_keys().items()))
    claims = {
        "iss": ISSUER,
        "sub": str(user.pk),
        "stamp": _stamp(user.get_session_auth_hash()),
        "iat": now,
        "exp": now + LIFETIME,
    }
    return jwt.encode(claims, key, algorithm="HS256", headers={"kid": key_id})


def user_of(token):
    """The user of an access token.

    Raises:
        SignInRefused: not signed by us, expired, the password changed, or the account is switched off.
    """
    try:
        key = _keys()[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(
            token, key, algorithms=["HS256"], issuer=ISSUER, options={"require": ["exp", "sub", "iss"]}
        )
        user = User.objects.filter(pk=int(claims["sub"])).select_related("channel").first()
    except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
        raise SignInRefused from error
    if user is None or not _holds(user, claims.get("stamp")):
        raise SignInRefused
    return user


def _holds(user, stamp):
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return user.is_active and stamp in {_stamp(found) for found in hashes}
