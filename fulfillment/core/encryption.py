"""Secrets that must be readable again are stored encrypted; the keys are made from ``SECRET_KEY`` and its fallbacks."""

import base64
import functools

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class UnreadableSecret(Exception):
    """It was stored with a key that is neither ``SECRET_KEY`` nor one of ``SECRET_KEY_FALLBACKS``."""


def encrypt(text):
    return _keys(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).encrypt(text.encode()).decode()


def decrypt(stored):
    """The text of ``encrypt``.

    Raises:
        UnreadableSecret: the key is gone.
    """
    try:
        return _keys(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS).decrypt(stored).decode()
    except InvalidToken as error:
        raise UnreadableSecret("It was stored with another SECRET_KEY.") from error


@functools.lru_cache(maxsize=2)
def _keys(*secrets):
    return MultiFernet(
        Fernet(
            base64.urlsafe_b64encode(
                HKDF(hashes.SHA256(), length=32, salt=None, info=b"fulfillment secrets at rest").derive(
                    secret.encode()
                )
            )
        )
        for secret in secrets
    )
