from django.contrib import messages
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from fulfillment.core.errors import Refused


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
