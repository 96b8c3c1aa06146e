import logging
import re

from django.contrib import messages
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from fulfillment.core.api.errors import error_response
from fulfillment.core.errors import Refused
from fulfillment.core.ids import uuid7

logger = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
PAGES = {"/api/docs"}  # for people, under the path of the programs
WORDS = {
    400: ("BAD_REQUEST", "The request cannot be read."),
    403: ("PERMISSION_DENIED", "This is not allowed."),
    404: ("NOT_FOUND", "There is nothing at this address. /api/openapi.json lists the operations."),
}


class RequestIdMiddleware:
    """Each answer of the API has an id, the caller's own or ours; the log names it with what broke."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        if request.path.startswith("/api/"):
            given = request.headers.get("X-Request-Id", "")
            response["X-Request-Id"] = found = given if REQUEST_ID.fullmatch(given) else str(uuid7())
            if response.status_code >= 500:
                logger.error(
                    "%s %s answered %s to %s", request.method, request.path, response.status_code, found
                )
        return response


class ApiErrorMiddleware:
    """Programs get errors as JSON also where no view of the API was reached, or one broke."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if not request.path.startswith("/api/") or not is_page or request.path in PAGES:
            return response
        if response.status_code < 400:
            return response
        broken = ("SERVER_ERROR", "Something broke here. It is logged; the request can be sent again.")
        return error_response(response.status_code, *WORDS.get(response.status_code, broken))


class RefusalMiddleware:
    """Turn a refused step into an answer: a message and the page again, or a fragment for htmx.

    The API has its own handler (``core.api.errors``); both take status and words from the refusal.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        if not isinstance(exception, Refused):
            return None
        if request.htmx:
            response = render(
                request,
                "partials/refusal.html",
                {"refusal": exception},
                status=exception.status_code,
            )
            # The words go to the page's place for them; what the form would have replaced stays as it is.
            response["HX-Retarget"], response["HX-Reswap"] = "#refusal", "innerHTML"
            return response
        messages.error(request, exception.message)
        back = request.META.get("HTTP_REFERER", "")
        if not url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure()):
            back = request.path if request.method == "GET" else "/"
        return HttpResponseRedirect(back)
