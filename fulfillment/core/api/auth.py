import datetime

from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header

from ..models import ApiToken
from ..services import signin, tokens

USE_NOTED_EVERY = datetime.timedelta(minutes=5)


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <token>``: an API token, looked up by its hash, or what sign-in answered."""

    def authenticate(self, request):
        kind, _space, given = get_authorization_header(request).partition(b" ")
        if kind.lower() != b"bearer":
            return None
        secret = given.decode("latin-1").strip()
        if secret.count(".") == 2:
            try:
                return signin.user_of(secret), None
            except signin.SignInRefused as error:
                raise exceptions.AuthenticationFailed(
                    "The token is unknown or expired. Sign in again."
                ) from error
        now = timezone.now()
        token = tokens.find(secret)
        if token is None or not token.is_usable(now):
            raise exceptions.AuthenticationFailed("The token is unknown, expired or revoked.")
        if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
            token.last_used_at = now
        return token, token

    def authenticate_header(self, request):
        return "Bearer"
