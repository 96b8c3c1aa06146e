import datetime

from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission

from ..models import ApiToken

USE_NOTED_EVERY = datetime.timedelta(minutes=5)


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <token>``; the token is looked up by its hash."""

    def authenticate(self, request):
        kind, _space, secret = get_authorization_header(request).partition(b" ")
        if kind.lower() != b"bearer":
            return None
        now = timezone.now()
        digest = ApiToken.hash(secret.decode("latin-1").strip())
        token = next(iter(ApiToken.objects.filter(digest=digest).select_related("channel")), None)
        if token is None or not token.is_usable(now):
            raise exceptions.AuthenticationFailed("The token is unknown, expired or revoked.")
        if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        return token, token

    def authenticate_header(self, request):
        return "Bearer"


def has_scope(*scopes):
    """Permission class: the token carries one of the scopes."""

    class HasScope(BasePermission):
        message = f"The token lacks the scope {' or '.join(scopes)}."

        def has_permission(self, request, view):
            return bool(set(scopes) & set(request.auth.scopes)) if request.auth else False

    return HasScope
