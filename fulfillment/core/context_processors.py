"""What every staff page shows around its content: where one is, and where one may go."""

import dataclasses

from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from .access import permissions_at
from .models import Facility, Permission

MOST_ENTRIES = 5  # what a phone has place for; the start page of a facility names the rest


@dataclasses.dataclass(frozen=True)
class Entry:
    """One place to go."""

    label: str
    icon: str
    url: str
    is_current: bool


def staff(request):
    """``navigation``: main entries for here; ``facilities`` to change to; ``user_may_orders``: of the whole network."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {}
    return {
        "navigation": SimpleLazyObject(lambda: _navigation(request, user)),
        "facilities": SimpleLazyObject(lambda: list(Facility.objects.visible_to(user).order_by("name")[:50])),
        "user_may_supervise": SimpleLazyObject(
            lambda: Permission.SUPERVISE in permissions_at(user, getattr(request, "facility", None))
        ),
        "user_may_orders": SimpleLazyObject(lambda: Permission.ORDERS in permissions_at(user)),
    }


def _navigation(request, user):
    facility = getattr(request, "facility", None)
    granted = permissions_at(user, facility)
    if facility is None:
        wanted = [
            (Permission.ORDERS, _("Orders"), "inbox", "overview:order-list"),
            (Permission.ROUTING, _("Routing"), "route", "routing:open-plans"),
            (Permission.ORDERS, _("Work"), "wrench", "overview:work-list"),
            (Permission.ORDERS, _("Sources"), "store", "sources:source-list"),
            (Permission.CONNECT, _("Shops"), "plug", "core:shop-list"),
        ]
        arguments = []
    else:
        wanted = [
            (Permission.PICK, _("Pick"), "shopping-basket", "picking:job-list"),
            (Permission.PACK, _("Pack"), "package-open", "packing:job-list"),
            (Permission.SHIP, _("Labels"), "tag", "shipping:shipment-list"),
            (Permission.HAND_OVER, _("Handover"), "truck", "shipping:handover-list"),
            (Permission.STOCK, _("Stock"), "boxes", "core:stock-list"),
            (Permission.RETURNS, _("Returns"), "undo-2", "shipping:return-list"),
        ]
        arguments = [facility.slug]
    entries = []
    for permission, label, icon, name in wanted:
        if permission in granted and len(entries) < MOST_ENTRIES:
            url = reverse(name, args=arguments)
            entries.append(Entry(label, icon, url, request.path.startswith(url)))
    return entries
