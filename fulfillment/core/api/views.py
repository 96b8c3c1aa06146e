import functools
import logging

import redis
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone, translation
from rest_framework.exceptions import MethodNotAllowed, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from .. import journal
from ..limits import hit
from ..models import ApiToken
from .access import Access, reach, require
from .parsing import StrictJSONParser

logger = logging.getLogger(__name__)


class MayCall(BasePermission):
    """Asks for the access that the view names for the method."""

    def has_permission(self, request, view):
        if not request.user or not request.user.is_authenticated:
            return False
        if request.method not in view.access:
            raise MethodNotAllowed(request.method)
        require(request.user, view.access[request.method])
        return True


class CallerThrottle(BaseThrottle):
    """So many requests per caller and minute; the answer's headers say how many are left."""

    seconds = 60

    def allow_request(self, request, view):
        limit = settings.API_REQUESTS_PER_MINUTE
        count, self.left = hit(f"api:{request.user._meta.model_name}:{request.user.pk}", self.seconds)
        view.rate = {
            "RateLimit-Limit": limit,
            "RateLimit-Remaining": max(limit - count, 0),
            "RateLimit-Reset": self.left,
        }
        return count <= limit

    def wait(self):
        return self.left


class JsonNegotiation(DefaultContentNegotiation):
    """Reads each body as JSON and answers JSON: there are clients that send two Content-Types, or a wrong one."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """Base of the API's views: bodies are read strictly, and all errors are English whatever the client prefers.

    ``access`` says per method what a caller needs. Objects of facilities at which the caller lacks it are not
    found: load them through ``at_my_facilities``.
    """

    parser_classes = (StrictJSONParser,)
    content_negotiation_class = JsonNegotiation
    throttle_classes = (CallerThrottle,)
    permission_classes = (MayCall,)
    access: dict[str, Access] = {}
    rate: dict[str, int] = {}

    def dispatch(self, request, *args, **kwargs):
        with translation.override("en"):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request, *args, **kwargs):
        super().initial(request, *args, **kwargs)
        # No database keeps this character, so nothing has it.
        bad = [name for name, given in request.query_params.lists() if "\0" in "".join([name, *given])]
        if bad:
            raise ValidationError(
                {name.replace("\0", ""): ["must not contain the character U+0000"] for name in bad}
            )

    def check_permissions(self, request):
        # Counted first: who asks for what is not allowed has a limit too.
        if request.user:
            super().check_throttles(request)
        super().check_permissions(request)

    def check_throttles(self, request):
        """Done before the permissions were looked at."""

    def finalize_response(self, request, response, *args, **kwargs):
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self.rate.items():
            response[name] = str(value)
        if isinstance(request.user, ApiToken):
            self._note(request, response)
        return response

    def _note(self, request, response):
        errors = response.data if response.status_code >= 400 else []
        entry = journal.Entry(
            at=timezone.now(),
            method=request.method,
            path=request.path[:200],
            status=response.status_code,
            error=" ".join(error["description"] for error in errors)[:300],
        )
        try:
            journal.note(request.user.pk, entry)
        except (DatabaseError, redis.RedisError):
            # The work is done and its answer must go out: 5xx would make clients send it again.
            logger.exception("A request of token %s was not noted.", request.user.pk)

    @functools.cached_property
    def facility_ids(self):
        """Ids of the facilities at which the caller may do this, None for all."""
        return reach(self.request.user, self.access[str(self.request.method)])

    def at_my_facilities(self, queryset, field="facility"):
        """The rows of a queryset that are at the caller's facilities."""
        return (
            queryset if self.facility_ids is None else queryset.filter(**{f"{field}__in": self.facility_ids})
        )
