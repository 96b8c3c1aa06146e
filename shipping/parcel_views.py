"""The page of a parcel, and what people do for those that a carrier refused."""

import dataclasses

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility, permissions_at
from fulfillment.core.models import Permission

from . import comparing, correcting, external, services
from .choosing import products_at
from .forms import CorrectionForm, CorrectNumbersForm, NumberForm, SettleForm
from .models import HandoverJob, Parcel
from .parcel_data import recipient_of
from .queries import problems_at

PAGE_SIZE = 25


@require_safe
@at_facility(Permission.SHIP)
def problem_list(request):
    """What carriers refused or left open, with their words beside the field to correct."""
    page = Paginator(problems_at(request.facility), PAGE_SIZE).get_page(request.GET.get("page"))
    products = products_at(request.facility)
    problems = [
        {
            "parcel": parcel,
            "recipient": recipient_of(parcel.shipment),
            "form": CorrectionForm.asking(parcel, products, auto_id=f"id_{parcel.pk}_%s"),
            "number_form": NumberForm(auto_id=f"id_{parcel.pk}_number_%s"),
            "outcome": parcel.problem.get("outcome", ""),
        }
        for parcel in page
    ]
    context = {"page": page, "problems": problems, "strays": comparing.with_strays(request.facility)}
    return render(request, "shipping/problem_list.html", context)


@require_POST
@at_facility(Permission.SHIP)
def strays_settle(request, pk):
    """Somebody looked at what the carrier booked and nobody here knew."""
    connection = get_object_or_404(comparing.with_strays(request.facility), pk=pk)
    form = SettleForm(request.POST)
    if form.is_valid():
        comparing.settle(connection.pk, form.cleaned_data["until"], by=request.user)
        messages.info(
            request, _("The bookings of %(carrier)s are settled.") % {"carrier": connection.link.carrier}
        )
    return redirect("shipping:problem-list", request.facility.slug)


def _parcel(request, pk):
    parcels = Parcel.objects.at(request.facility).select_related(
        "shipment__order",
        "shipment__delivery_note",
        "carrier",
        "label",
        "return_label",
        "customs_document",
        "package",
    )
    return get_object_or_404(parcels, pk=pk)


def _numbers_form(request, parcel):
    """To correct the numbers of a finished parcel; none for who may not."""
    may = Permission.SUPERVISE in permissions_at(request.user, request.facility)
    if parcel.status != Parcel.Status.DONE or not may:
        return None
    known = dataclasses.asdict(correcting.Numbers.of(parcel))
    return CorrectNumbersForm(initial=known, auto_id="id_numbers_%s")


def _parcel_page(request, parcel, *, correction_form=None, number_form=None, numbers_form=None, status=200):
    needs_person = parcel.status in Parcel.NEEDS_PERSON
    if needs_person and correction_form is None:
        correction_form = CorrectionForm.asking(parcel, products_at(parcel.facility_id))
    context = {
        "parcel": parcel,
        "shipment": parcel.shipment,
        "load_units": parcel.load_units.all(),
        "recipient": recipient_of(parcel.shipment),
        "correction_form": correction_form,
        "number_form": number_form or NumberForm(auto_id="id_number_%s"),
        "numbers_form": numbers_form or _numbers_form(request, parcel),
        "needs_person": needs_person,
        "is_early": parcel.status == "OPEN" and parcel.shipment.order.is_label_early(timezone.now()),
        "is_manual": parcel.problem.get("outcome") == "MANUAL",
        "may_cancel": parcel.is_cancellable
        and not HandoverJob.objects.filter(parcel=parcel, status=HandoverJob.Status.HANDED_OVER).exists(),
    }
    return render(request, "shipping/parcel_detail.html", context, status=status)


@require_safe
@at_facility(Permission.SHIP)
def parcel_detail(request, pk):
    return _parcel_page(request, _parcel(request, pk))


def _back(request, parcel):
    """To the list of problems when the person came from there, else to the parcel."""
    if "from_list" in request.POST:
        return redirect("shipping:problem-list", request.facility.slug)
    return redirect("shipping:parcel-detail", request.facility.slug, parcel.pk)


@require_POST
@at_facility(Permission.SHIP)
def parcel_request(request, pk):
    """Correct address and parcel and ask the carrier again."""
    parcel = _parcel(request, pk)
    form = CorrectionForm(request.POST, parcel=parcel, products=products_at(request.facility))
    if not form.is_valid():
        return _parcel_page(request, parcel, correction_form=form, status=422)
    corrected = {"recipient": form.recipient, "changes": form.changes}
    services.request_again(parcel.pk, **corrected, by=request.user, now=timezone.now())
    messages.info(request, _("The label of %(job)s is being made.") % {"job": parcel.shipment})
    return _back(request, parcel)


@require_POST
@at_facility(Permission.SHIP)
def parcel_number(request, pk):
    """Take the number that a person got from the carrier, with its label when there is one."""
    parcel, form = _parcel(request, pk), NumberForm(request.POST, request.FILES, auto_id="id_number_%s")
    if not form.is_valid():
        return _parcel_page(request, parcel, number_form=form, status=422)
    data = form.cleaned_data
    external.enter_number(parcel.pk, data["number"], label=data["label"], by=request.user, now=timezone.now())
    messages.success(request, _("The label of %(job)s is ready.") % {"job": parcel.shipment})
    return _back(request, parcel)


@require_POST
@at_facility(Permission.SUPERVISE)
def parcel_numbers(request, pk):
    """Correct the numbers of a finished parcel."""
    parcel, form = _parcel(request, pk), CorrectNumbersForm(request.POST, auto_id="id_numbers_%s")
    if not form.is_valid():
        return _parcel_page(request, parcel, numbers_form=form, status=422)
    data = form.cleaned_data
    reason = data.pop("reason")
    numbers = correcting.Numbers(**data)
    correcting.correct_numbers(parcel.pk, numbers, reason=reason, by=request.user, now=timezone.now())
    messages.success(request, _("The numbers of %(job)s are corrected.") % {"job": parcel.shipment})
    return redirect("shipping:parcel-detail", request.facility.slug, parcel.pk)


@require_POST
@at_facility(Permission.SHIP)
def parcel_cancel(request, pk):
    """Give the label up; the package can get another one, from another carrier too."""
    parcel = _parcel(request, pk)
    services.cancel_parcel(parcel.pk, by=request.user, now=timezone.now())
    messages.info(
        request, _("The label of %(job)s is cancelled. Request another one here.") % {"job": parcel.shipment}
    )
    return redirect("shipping:shipment-list", request.facility.slug)
