from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from fulfillment.core.access import at_facility
from fulfillment.core.models import Permission
from fulfillment.overview.floor import floor_of


@require_safe
@at_facility(Permission.SUPERVISE)
def floor(request):
    """The supervisor's view of the floor; ``htmx`` gets the part that changes."""
    now = timezone.now()
    template = "overview/floor.html"
    return render(
        request,
        f"{template}#live" if request.htmx else template,
        {"floor": floor_of(request.facility, now), "now": now},
    )
