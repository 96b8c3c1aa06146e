"""The two gates of the staff area. Outsiders get 404, insiders without the permission 403."""

import functools

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils import timezone

from .models import Facility, Permission


def permissions_at(user, facility=None):
    """The permissions a user has at a facility, or network-wide without one. A set of ``Permission`` values."""
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    if user.is_superuser and user.limited_to is None:
        return frozenset(Permission.values)
    granted = _granted_at(user, facility)
    return granted if user.limited_to is None else granted & user.limited_to


def _granted_at(user, facility):
    if user.is_superuser:
        return frozenset(Permission.values)
    everywhere = user.granted.get(None, set())
    if facility is None:
        return frozenset(everywhere)
    return frozenset(everywhere | user.granted.get(facility.pk, set()))


def at_facility(permission):
    """Gate of a page under ``/f/<slug>/``: sets ``request.facility`` and the facility's time zone.

    Args:
        permission: a ``Permission``, or None when any role at the facility is enough.
    """

    def gate(view):
        @login_required
        @functools.wraps(view)
        def inside(request, slug, *args, **kwargs):
            facility = Facility.objects.filter(slug=slug).first()
            granted = permissions_at(request.user, facility) if facility else frozenset()
            if not granted:
                raise Http404
            if permission is not None and permission not in granted:
                raise PermissionDenied
            request.facility = facility
            with timezone.override(facility.tz):
                response = view(request, *args, **kwargs)
                # Templates show times in the facility's zone, so a lazy response is rendered inside.
                return (
                    response.render()
                    if hasattr(response, "render") and callable(response.render)
                    else response
                )

        inside.gate = ("facility", permission)
        return inside

    return gate


def network(permission):
    """Gate of a page under ``/hq/``: the permission must be held network-wide."""

    def gate(view):
        @login_required
        @functools.wraps(view)
        def inside(request, *args, **kwargs):
            granted = permissions_at(request.user)
            if not granted:
                raise Http404
            if permission is not None and permission not in granted:
                raise PermissionDenied
            return view(request, *args, **kwargs)

        inside.gate = ("network", permission)
        return inside

    return gate
