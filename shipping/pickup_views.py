"""At the counter: who collects, and where the goods stand."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from fulfillment.core.access import at_facility
from fulfillment.core.models import Permission

from . import pickup, pickup_packages
from .models import HandoverJob
from .pickup_forms import PackageForm, PinForm, PlaceForm, VouchForm


def _job(request, pk):
    return get_object_or_404(HandoverJob.objects.at(request.facility), pk=pk)


def _detail(request, job):
    return redirect("shipping:handover-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_show(request, pk):
    """The customer says the PIN or shows the QR code."""
    job, form = _job(request, pk), PinForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Type the PIN or scan the QR code."))
        return _detail(request, job)
    shown, who = form.cleaned_data["pin"], {"by": request.user, "now": timezone.now()}
    if shown.isdigit():
        pickup.show_pin(job.pk, shown, **who)
    else:
        pickup.show_qr(job.pk, shown, **who)
    messages.success(request, _("This is the customer."))
    return _detail(request, job)


@require_POST
@at_facility(Permission.SUPERVISE)
def handover_vouch(request, pk):
    job, form = _job(request, pk), VouchForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why."))
        return _detail(request, job)
    pickup.vouch(job.pk, reason=form.cleaned_data["reason"], by=request.user, now=timezone.now())
    messages.success(request, _("You vouch for the customer."))
    return _detail(request, job)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_fetch(request, pk):
    """A package is scanned that the customer gets."""
    job, form = _job(request, pk), PackageForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Scan or type a code."))
        return _detail(request, job)
    fetched = pickup_packages.fetch(
        job.pk, form.cleaned_data["code"].strip(), by=request.user, now=timezone.now()
    )
    messages.success(request, _("Package %(number)s is right.") % {"number": fetched.package.number})
    return _detail(request, job)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_put(request, pk):
    job = _job(request, pk)
    form = PlaceForm(request.POST, job=job)
    if form.is_valid():
        package = form.cleaned_data.get("package")
        pickup_packages.put(
            job.pk,
            form.cleaned_data["place"],
            package and package.pk,
            by=request.user,
            now=timezone.now(),
        )
        messages.info(request, _("The place is noted."))
    return _detail(request, job)
