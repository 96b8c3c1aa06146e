"""The person of a request: the own language, and the limits of who came in with a badge or a PIN."""

import time

from django.contrib.auth import logout
from django.utils import timezone, translation

from .services import pairing

DEVICE_COOKIE = "device"
DEVICE_KEY = "paired_device"
SEEN_KEY = "seen"
SEEN_EVERY = 20  # seconds: a session in use is written this often, and ends when it is not


class PersonMiddleware:
    """After the authentication. Programs have neither a language nor a shared device."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path.startswith("/api/") or not request.user.is_authenticated:
            return self.get_response(request)
        if DEVICE_KEY in request.session:
            self._hold(request)
        if request.user.is_authenticated and request.user.language:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = translation.get_language()
        return self.get_response(request)

    @staticmethod
    def _hold(request):
        """Hold a session to its shared device and to picking."""
        device = pairing.device_of(request.COOKIES.get(DEVICE_COOKIE), timezone.now())
        if device is None or device.pk != request.session[DEVICE_KEY]:
            logout(request)
            return
        request.device = device
        request.user.limited_to = pairing.ALLOWED
        request.user.is_staff = False  # of this request only: the administration is closed
        if time.time() - request.session.get(SEEN_KEY, 0) > SEEN_EVERY:
            request.session[SEEN_KEY] = time.time()
