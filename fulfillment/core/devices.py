"""What a device at work hears: JSON in any case, for a redirect to the login would look like a success to it."""

import contextlib
import functools
import json

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.utils.translation import gettext as _

LARGEST_BODY = 10_000


def answer_device(request, status, kind, text):
    """An answer that names the action it is for, as far as that can be read."""
    scan = None
    if request.content_type == "application/json":
        with contextlib.suppress(ValueError, AttributeError):
            scan = json.loads(request.body[:LARGEST_BODY]).get("id")
    return JsonResponse({"scan": scan, "kind": kind, "text": text}, status=status)


def for_devices(view):
    """401 when not signed in, 409 when the right or the object is gone."""

    @functools.wraps(view)
    def answer(request, *args, **kwargs):
        if not request.user.is_authenticated:
            return answer_device(request, 401, "login", _("Sign in again. What you scanned is kept."))
        try:
            response = view(request, *args, **kwargs)
        except (PermissionDenied, Http404):
            return answer_device(request, 409, "stale", _("You may not work here any more."))
        if isinstance(response, HttpResponseRedirect):
            return answer_device(request, 401, "login", _("Sign in again. What you scanned is kept."))
        return response

    return answer


def read_action(request, form_class):
    """(form, None), or (None, the answer) when the body is no action of a scan screen."""
    if len(request.body) > LARGEST_BODY:
        return None, answer_device(request, 400, "unknown", _("This is too long for a scan."))
    try:
        data = json.loads(request.body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return None, answer_device(request, 400, "unknown", _("This is not a scan."))
    form = form_class({name: value for name, value in data.items() if value is not None})
    if not form.is_valid():
        text = " ".join(f"{name}: {error}" for name, errors in form.errors.items() for error in errors)
        return None, answer_device(request, 400, "unknown", text)
    return form, None


def reply(answer):
    """The ``Answer`` of ``exactly_once`` for a device, with a mark when it was given before."""
    response = JsonResponse(answer.data, status=answer.status_code)
    if answer.is_replay:
        response["Idempotent-Replay"] = "true"
    return response
