"""Print stations: which one a device prints at, what was printed, and the agents that ask for work."""

import functools
import json
import uuid

from django import forms
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST, require_safe

from .access import at_facility, permissions_at
from .models import Document, Permission, PrintJob, Station
from .services import documents, printing

SHOWN = 50
MEDIA_TYPES = {"PDF": "application/pdf", "ZPL": "application/zpl"}
COOKIE_SECONDS = 365 * 24 * 3600
IN_SESSION = "new_station_secret"  # shown on the next page, once
LARGEST_BODY = 10_000


def cookie_name(facility):
    return f"station-{facility.slug}"


def station_of(request):
    """The station that this device prints at; None for the browser's dialog."""
    chosen = request.COOKIES.get(cookie_name(request.facility), "")
    if not chosen.isdigit() or len(chosen) > 9:
        return None
    return Station.objects.filter(pk=int(chosen), facility=request.facility, revoked_at=None).first()


class ChoiceForm(forms.Form):
    def __init__(self, *args, facility, **options):
        super().__init__(*args, **options)
        self.fields["station"] = forms.ModelChoiceField(
            label=gettext_lazy("This device prints at"),
            queryset=Station.objects.filter(facility=facility, revoked_at=None),
            required=False,
            empty_label=gettext_lazy("Here, in the browser's dialog"),
        )


class StationForm(forms.ModelForm):
    class Meta:
        model = Station
        fields = ("name", "label_format")

    def clean_name(self):
        name = self.cleaned_data["name"]
        if Station.objects.filter(facility=self.instance.facility, name=name, revoked_at=None).exists():
            raise forms.ValidationError(gettext_lazy("There is a station of this name already."))
        return name


# Pages


def _page(request, *, station_form=None, status=200):
    made, secret = request.session.pop(IN_SESSION, (None, ""))
    chosen = station_of(request)
    context = {
        "choice_form": ChoiceForm(initial={"station": chosen}, facility=request.facility),
        "chosen": chosen,
        "stations": Station.objects.filter(facility=request.facility, revoked_at=None),
        "jobs": PrintJob.objects.at(request.facility).for_list()[:SHOWN],
        "station_form": station_form or StationForm(),
        "may_manage": Permission.SUPERVISE in permissions_at(request.user, request.facility),
        "made": made,
        "secret": secret,
        "server": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "core/printing.html", context, status=status)


@require_safe
@never_cache
@at_facility(Permission.PACK)
def print_list(request):
    """Where this device prints, what was printed, and what was not."""
    return _page(request)


@require_POST
@at_facility(Permission.PACK)
def station_choose(request):
    """Remember on this device where it prints."""
    form = ChoiceForm(request.POST, facility=request.facility)
    answer = redirect("core:print-list", request.facility.slug)
    if not form.is_valid():
        messages.error(request, printing.StationGone.text)
        return answer
    station = form.cleaned_data["station"]
    where = reverse("core:print-list", args=[request.facility.slug]).removesuffix("printing/")
    if station is None:
        answer.delete_cookie(cookie_name(request.facility), path=where)
        messages.info(request, _("This device prints in the browser's dialog."))
    else:
        answer.set_cookie(
            cookie_name(request.facility),
            station.pk,
            max_age=COOKIE_SECONDS,
            path=where,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
        messages.info(request, _("This device prints at %(station)s.") % {"station": station})
    return answer


@require_POST
@at_facility(Permission.PACK)
def print_retry(request, pk):
    """Print what failed once more."""
    job = get_object_or_404(PrintJob.objects.at(request.facility), pk=pk)
    printing.retry(job.pk, now=timezone.now())
    messages.info(request, _("%(document)s is printed again.") % {"document": job.document})
    return redirect("core:print-list", request.facility.slug)


@require_POST
@at_facility(Permission.SUPERVISE)
def station_add(request):
    """Make a station; the secret of its agent is shown once."""
    form = StationForm(request.POST, instance=Station(facility=request.facility))
    if not form.is_valid():
        return _page(request, station_form=form, status=422)
    data = form.cleaned_data
    station, secret = printing.create_station(
        request.facility, data["name"], data["label_format"], now=timezone.now()
    )
    request.session[IN_SESSION] = [station.pk, secret]
    return redirect("core:print-list", request.facility.slug)


def _station(request, number):
    return get_object_or_404(Station.objects.filter(facility=request.facility), pk=number)


@require_POST
@at_facility(Permission.SUPERVISE)
def station_secret(request, number):
    """A new secret for an agent; the old one ends."""
    station, secret = printing.renew_secret(_station(request, number).pk)
    request.session[IN_SESSION] = [station.pk, secret]
    return redirect("core:print-list", request.facility.slug)


@require_POST
@at_facility(Permission.SUPERVISE)
def station_give_up(request, number):
    station = _station(request, number)
    printing.give_up(station.pk, now=timezone.now())
    messages.info(request, _("%(station)s is given up.") % {"station": station})
    return redirect("core:print-list", request.facility.slug)


# What agents ask, see deploy/print_agent.py


def for_agents(view):
    """Let in the agent of a station by its secret: ``Authorization: Bearer stn_...``."""

    @csrf_exempt
    @never_cache
    @functools.wraps(view)
    def inside(request, *args, **kwargs):
        kind, _space, secret = request.headers.get("Authorization", "").partition(" ")
        station = printing.find_station(secret, now=timezone.now()) if kind == "Bearer" else None
        if station is None:
            return JsonResponse({"error": "The secret of this station is wrong or was renewed."}, status=401)
        return view(request, station, *args, **kwargs)

    return inside


@for_agents
@require_POST
def agent_next(request, station):
    """The next job with a lease: 200 ``{job, lease, format, category, name, sha256}``, or 204."""
    job = printing.claim(station, now=timezone.now())
    if job is None:
        return HttpResponse(status=204)
    document = job.document
    return JsonResponse(
        {
            "job": job.pk,
            "lease": str(job.lease),
            "seconds": printing.LEASE.seconds,
            "format": document.format,
            "category": document.category,
            "name": document.name,
            "sha256": document.sha256,
        }
    )


@for_agents
@require_GET
def agent_file(request, station, pk):
    """The bytes of a job of this station."""
    job = get_object_or_404(PrintJob.objects.select_related("document"), pk=pk, station=station)
    return HttpResponse(
        documents.read(job.document),
        content_type=MEDIA_TYPES[Document.Format(job.document.format)],
        headers={"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"},
    )


@for_agents
@require_POST
def agent_done(request, station, pk):
    """The printer has it; the same answer however often it is said."""
    get_object_or_404(PrintJob, pk=pk, station=station)
    printing.finish(pk, station, now=timezone.now())
    return HttpResponse(status=204)


@for_agents
@require_POST
def agent_failed(request, station, pk):
    """The printer did not take it: ``{lease, error}``."""
    get_object_or_404(PrintJob, pk=pk, station=station)
    try:
        data = json.loads(request.body[:LARGEST_BODY])
        lease, error = uuid.UUID(data["lease"]), str(data["error"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return JsonResponse({"error": "Send {lease, error}."}, status=400)
    printing.fail(pk, station, lease, error)
    return HttpResponse(status=204)
