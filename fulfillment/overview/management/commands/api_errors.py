from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import get_resolver
from django.utils.translation import override
from rest_framework import exceptions

from fulfillment.core.api.errors import UnprocessableKey
from fulfillment.core.api.parsing import TooLarge
from fulfillment.core.errors import Refused

CATALOGUE = Path(settings.BASE_DIR) / "docs" / "errors.md"
TRANSPORT = [
    ("VALIDATION_FAILED", 400, "The description names the field and what it must be; one entry per field."),
    ("BAD_REQUEST", 400, "The request cannot be read at all."),
    ("PARSE_ERROR", 400, "The body is not JSON, or not UTF-8."),
    (exceptions.NotAuthenticated.default_code.upper(), 401, "There is no token."),
    (exceptions.AuthenticationFailed.default_code.upper(), 401, "The token is unknown, expired or revoked."),
    (
        exceptions.PermissionDenied.default_code.upper(),
        403,
        "The scope of the token or the roles do not allow it.",
    ),
    (exceptions.NotFound.default_code.upper(), 404, "There is no such thing, or it is at another facility."),
    (exceptions.MethodNotAllowed.default_code.upper(), 405, "The address has no such operation."),
    (UnprocessableKey.default_code, 409, UnprocessableKey.default_detail),
    (TooLarge.default_code, 413, "The body is larger than the operation takes."),
    (
        exceptions.Throttled.default_code.upper(),
        429,
        "Too many requests; Retry-After says when to come again.",
    ),
    ("SERVER_ERROR", 500, "Something broke here. Nothing was kept; the request can be sent again."),
]


def _all(base):
    for found in base.__subclasses__():
        yield found
        yield from _all(found)


def catalogue():
    """docs/errors.md: every code that the API answers, its status and its words."""
    get_resolver().url_patterns  # noqa: B018 - loads every module that has a refusal
    with override("en"):
        rows = {(found.code_of_class(), found.status_code, str(found.text)) for found in _all(Refused)}
    lines = [
        "# Error codes",
        "",
        "An error is a list of `{summary, description, requestVersion, version}`. `summary` is one of these codes,",
        "`description` the words in English with the values in place. This file is written by",
        "`python manage.py api_errors`.",
        "",
        "| code | status | words |",
        "|---|---|---|",
    ]
    for code, status, words in [*TRANSPORT, *sorted(rows)]:
        lines.append(f"| `{code}` | {status} | {words.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


class Command(BaseCommand):
    help = "Write docs/errors.md, the catalogue of the API's error codes."

    def handle(self, **options):
        CATALOGUE.write_text(catalogue())
