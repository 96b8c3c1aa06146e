"""The two sign-in routes that clients of the reference platform call, with the answers they read."""

import json
from urllib.parse import parse_qs

from django.conf import settings
from django.http import JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ..services import signin

LARGEST = 10_000  # bytes


def _fields(request):
    """The body as JSON or as a form, whatever the Content-Type says: clients send two of them, or the wrong one."""
    body = request.body[:LARGEST].decode("utf-8", "replace")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = {name: values[-1] for name, values in parse_qs(body).items()}
    return data if isinstance(data, dict) else {}


def _text(data, name):
    value = data.get(name)
    return value if isinstance(value, str) and "\0" not in value else ""


def _seconds():
    """How long a token is good, as text: clients read it so."""
    return str(int(signin.LIFETIME.total_seconds()))


def _error(status, message):
    return JsonResponse({"error": {"code": status, "message": message}}, status=status)


def client_address(request):
    """Where a request comes from. Behind the reverse proxy: the last address that it noted."""
    forwarded = request.headers.get("X-Forwarded-For", "") if settings.SECURE_PROXY_SSL_HEADER else ""
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")


@csrf_exempt
@require_POST
def sign_in(request):
    """``{"email", "password"}`` -> ``{"idToken", "refreshToken", "expiresIn", "email", "localId"}``"""
    data = _fields(request)
    email, password = _text(data, "email"), _text(data, "password")
    if not email or not password:
        return _error(400, "MISSING_PASSWORD" if email else "MISSING_EMAIL")
    try:
        user, access, refresh = signin.sign_in(
            email, password, address=client_address(request), now=timezone.now()
        )
    except signin.SignInRefused:
        return _error(400, "INVALID_LOGIN_CREDENTIALS")
    except signin.TooManyFailures as failures:
        response = _error(429, "TOO_MANY_ATTEMPTS_TRY_LATER")
        response["Retry-After"] = str(failures.seconds)
        return response
    return JsonResponse(
        {
            "idToken": access,
            "refreshToken": refresh,
            "expiresIn": _seconds(),
            "email": user.email,
            "localId": str(user.pk),
            "registered": True,
        }
    )


@csrf_exempt
@require_POST
def refresh(request):
    """``grant_type=refresh_token`` and the refresh token -> ``{"id_token", "refresh_token", "expires_in"}``"""
    data = _fields(request)
    secret = _text(data, "refresh_token")
    if _text(data, "grant_type") != "refresh_token":
        return _error(400, "INVALID_GRANT_TYPE")
    if not secret:
        return _error(400, "MISSING_REFRESH_TOKEN")
    try:
        user, access = signin.refresh(secret, now=timezone.now())
    except signin.SignInRefused:
        return _error(400, "INVALID_REFRESH_TOKEN")
    return JsonResponse(
        {
            "id_token": access,
            "access_token": access,
            "refresh_token": secret,
            "expires_in": _seconds(),
            "token_type": "Bearer",
            "user_id": str(user.pk),
        }
    )
