"""Totes and boxes: new ones with their labels, and what each holds and where it stands."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility
from fulfillment.core.models import Permission

from . import load_units
from .forms import AssignForm, FindUnitForm, NewUnitsForm, PlaceForm
from .labels import load_unit_labels
from .models import LoadUnit, PickJob

PAGE_SIZE = 25


@require_safe
@at_facility(Permission.PICK)
def unit_list(request):
    """The load units that hold something; a scanned code opens one. New ones are made here."""
    form = FindUnitForm(request.GET if "code" in request.GET else None)
    if form.is_valid():
        unit = load_units.find(request.facility, form.cleaned_data["code"])
        if unit is not None:
            return redirect("picking:load-unit-detail", request.facility.slug, unit.pk)
        messages.error(request, _("No tote here has the code %(code)s.") % form.cleaned_data)
    units = LoadUnit.objects.at(request.facility).exclude(status=LoadUnit.Status.RETIRED)
    status = request.GET.get("status", "")
    shown = units.filter(status=status) if status in LoadUnit.Status.values else units.in_use()
    context = {
        "form": form,
        "new_form": NewUnitsForm(),
        "page": Paginator(shown.for_list().order_by("-modified_at"), PAGE_SIZE).get_page(
            request.GET.get("page")
        ),
        "is_free_shown": status == LoadUnit.Status.FREE,
        "free_count": units.filter(status=LoadUnit.Status.FREE).count(),
    }
    return render(request, "picking/loadunit_list.html", context)


@require_POST
@at_facility(Permission.PICK)
def unit_create(request):
    """Make a series and answer with its labels, one to a page."""
    form = NewUnitsForm(request.POST)
    if not form.is_valid():
        return _invalid(request, form)
    units = load_units.create(
        request.facility,
        number=form.cleaned_data["number"],
        type=form.cleaned_data["type"],
        by=request.user,
        now=timezone.now(),
    )
    return _labels(units)


def _labels(units):
    data = load_unit_labels(units, language=translation.get_language())
    return HttpResponse(
        data,
        content_type="application/pdf",
        headers={"Content-Disposition": 'inline; filename="labels.pdf"'},
    )


def _unit(request, pk):
    return get_object_or_404(LoadUnit.objects.at(request.facility).for_list(), pk=pk)


def _invalid(request, form, unit=None):
    messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return _back(request, unit)


def _back(request, unit=None):
    if unit is None:
        return redirect("picking:load-unit-list", request.facility.slug)
    return redirect("picking:load-unit-detail", request.facility.slug, unit.pk)


@require_safe
@at_facility(Permission.PICK)
def unit_detail(request, pk):
    unit = _unit(request, pk)
    held = [unit.job_id] if unit.job else unit.run.run_jobs.values("job") if unit.run else []
    context = {
        "unit": unit,
        "jobs": PickJob.objects.filter(pk__in=held).for_list(),
        "assign_form": AssignForm(),
        "place_form": PlaceForm(facility=request.facility),
    }
    return render(request, "picking/loadunit_detail.html", context)


@require_POST
@at_facility(Permission.PICK)
def unit_label(request, pk):
    """The label once more, the same as before."""
    return _labels([_unit(request, pk)])


@require_POST
@at_facility(Permission.PICK)
def unit_assign(request, pk):
    unit, form = _unit(request, pk), AssignForm(request.POST)
    if not form.is_valid():
        return _invalid(request, form, unit)
    jobs = PickJob.objects.at(request.facility).filter(status__in=load_units.HOLDING)
    job = jobs.filter(short_id__iexact=form.cleaned_data["short_id"].strip()).order_by("-pk").first()
    if job is None:
        messages.error(request, _("No job here has the short id %(short_id)s.") % form.cleaned_data)
        return _back(request, unit)
    load_units.assign(unit.pk, job.pk, by=request.user, now=timezone.now())
    messages.success(request, _("…%(tail)s is for %(job)s.") % {"tail": unit.tail, "job": job})
    return _back(request, unit)


@require_POST
@at_facility(Permission.PICK)
def unit_put(request, pk):
    unit, form = _unit(request, pk), PlaceForm(request.POST, facility=request.facility)
    if not form.is_valid():
        return _invalid(request, form, unit)
    place = form.cleaned_data["code"]
    load_units.put(unit.pk, place, by=request.user, now=timezone.now())
    messages.success(request, _("…%(tail)s stands at %(place)s.") % {"tail": unit.tail, "place": place})
    return _back(request, unit)


@require_POST
@at_facility(Permission.PICK)
def unit_free(request, pk):
    unit = load_units.free(_unit(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("…%(tail)s is free.") % {"tail": unit.tail})
    return _back(request, unit)


@require_POST
@at_facility(Permission.PICK)
def unit_retire(request, pk):
    unit = load_units.retire(_unit(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("…%(tail)s is out of use.") % {"tail": unit.tail})
    return _back(request)
