"""For customers: announce a return with the code of the slip. Nothing but the articles is shown."""

import functools

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fulfillment.core.api.signin import client_address
from fulfillment.core.codes import is_own_code
from fulfillment.core.limits import hit, hits

from . import returns
from .models import ItemReturn, ReturnJob
from .papers import RETURN_CODE_PREFIX
from .return_forms import AnnounceForm, SlipForm

# Of one address: enough for a family behind one router, and far too few to guess a code of 50 bits.
REQUESTS, MINUTE = 60, 60
MISSES, QUARTER = 20, 900


def _for_customers(view):
    """Counted per address, kept by no cache and no search engine."""

    @never_cache
    @functools.wraps(view)
    def inside(request, **kwargs):
        address = client_address(request)
        count, left = hit(f"slip:{address}", MINUTE)
        missed, locked = hits(f"slip-miss:{address}", QUARTER)
        if count > REQUESTS or missed >= MISSES:
            response = HttpResponse(
                _("Too many attempts. Try again later."), status=429, content_type="text/plain; charset=utf-8"
            )
            response["Retry-After"] = str(left if missed < MISSES else locked)
        else:
            response = view(request, **kwargs)
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return inside


@require_http_methods(["GET", "HEAD", "POST"])
@_for_customers
def slip_enter(request):
    """Type the code that stands on the slip."""
    form = SlipForm(request.POST or None)
    if form.is_valid():
        return redirect("slip", form.cleaned_data["code"])
    return render(request, "shipping/slip_enter.html", {"form": form}, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@_for_customers
def slip(request, code):
    """What of a delivery may come back, and what was announced; can be changed until the goods arrive."""
    code = code.strip().upper()
    is_code = is_own_code(code, RETURN_CODE_PREFIX)
    shipment, job = returns.of_slip(code) if is_code else (None, None)
    if shipment is None:
        hit(f"slip-miss:{client_address(request)}", QUARTER)
        form = SlipForm({"code": code[:40]})
        if form.is_valid():
            form.add_error("code", _("There is no return slip with this code. Look at it again."))
        return render(request, "shipping/slip_enter.html", {"form": form}, status=404)
    if job is not None and job.status in ReturnJob.CLOSED:
        job = None
    announced = job and job.item_returns.announced_by_customer().first()
    form = AnnounceForm(request.POST or None, job=job, announced=announced)
    if request.method == "POST" and form.is_valid():
        returns.announce_by_customer(shipment.pk, form.wanted, now=timezone.now())
        return redirect("slip", code)
    context = {
        "code": code,
        "form": form,
        "announced": announced,
        "arrived": job.item_returns.filter(status__in=[*ItemReturn.HERE, "FINISHED"]).count() if job else 0,
    }
    return render(request, "shipping/slip.html", context, status=422 if form.is_bound else 200)
