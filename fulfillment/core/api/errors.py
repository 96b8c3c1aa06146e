"""Errors of the API: always a list of ``{"summary", "description", "requestVersion", "version"}``, in English.

The description of a bad field begins with the path of the field.
"""

from django.core.exceptions import PermissionDenied
from django.http import Http404, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from ..errors import Refused, VersionConflict


class UnprocessableKey(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The Idempotency-Key was used with another request."
    default_code = "IDEMPOTENCY_KEY_REUSED"


def error(summary, description=""):
    return {"summary": summary, "description": description or summary}


def flatten(detail, path=""):
    """Yield (path, message) for every leaf of a serializer's errors: ``orderLineItems[2].quantity``."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from flatten(inner, own)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            if isinstance(inner, (dict, list)):
                yield from flatten(inner, f"{path}[{index}]")
            else:
                yield path, str(inner)
    else:
        yield path, str(detail)


def errors_of(exc):
    """A refusal or an error of the framework as the list that the API answers."""
    if isinstance(exc, Refused):
        body = error(exc.code, exc.english)
        if isinstance(exc, VersionConflict):
            body |= {
                "requestVersion": exc.params["requested"],
                "version": exc.params["current"],
            }
        return [body]
    if isinstance(exc, exceptions.ValidationError):
        # An index in a list of errors is only there when the list holds the errors of several items.
        return [
            error("VALIDATION_FAILED", f"{path}: {message}" if path else message)
            for path, message in flatten(exc.detail)
            if message
        ]
    return [error(str(getattr(exc.detail, "code", "ERROR")).upper(), str(exc.detail))]


def exception_handler(exc, context):
    if isinstance(exc, Refused):
        set_rollback()
        return Response(errors_of(exc), status=exc.status_code)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if not isinstance(exc, exceptions.APIException):
        return None
    set_rollback()
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if seconds := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(seconds))
    return Response(errors_of(exc), status=exc.status_code, headers=headers)


def error_response(status_code, summary, description=""):
    """The same shape for answers made outside of a view."""
    return JsonResponse([error(summary, description)], status=status_code, safe=False)
