"""The screens of runs: which there are, what could be the next one, and one run in the hand."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility
from fulfillment.core.devices import for_devices
from fulfillment.core.models import Permission
from fulfillment.core.models.facility import PickingMethod

from . import commands, floor, floor_map, run_queries, run_scans, runs, scan_checks, scans
from .forms import ActionForm, RunForm
from .models import PickRun
from .rules import rules_of
from .substitutes import choices_for
from .views import action_of, answer_action, answer_photo, keep_posted_photo, kept, loop_context
from .whereabouts import fates_of_run


def _methods(facility):
    """[(method, label)] of the ways in which several jobs are picked together here."""
    return [
        (method, PickingMethod(method).label)
        for method in rules_of(facility).methods
        if method != PickingMethod.SINGLE_ORDER
    ]


def _zones_key(facility):
    return f"zones-{facility.pk}"


@require_safe
@at_facility(Permission.PICK)
def run_list(request):
    """The runs that are not over, and the jobs that could make the next one, the best ones ticked."""
    methods = _methods(request.facility)
    known = [method for method, _label in methods]
    method = request.GET.get("method", "")
    method = method if method in known else next(iter(known), "")
    zones = _zones(request) if method == PickingMethod.ZONE else []
    is_ready = method and (method != PickingMethod.ZONE or zones)
    offers = run_queries.offers(request.facility, method, zones) if is_ready else []
    under_way = list(run_queries.runs_at(request.facility))
    context = {
        "runs": under_way,
        "has_own_run": any(run.editor_id == request.user.pk for run in under_way),
        "methods": methods,
        "method": method,
        "zones": request.facility.zones.all(),
        "my_zones": {zone.pk for zone in zones},
        "offers": offers,
        "suggested": sum(offer.is_suggested for offer in offers),
        "units": sum(offer.units for offer in offers if offer.is_suggested),
        "places": len({place.pk for offer in offers if offer.is_suggested for place in offer.places}),
        "limits": rules_of(request.facility).limits,
        "commands": commands.NAMES,
    }
    return kept(request, render(request, "picking/pickrun_list.html", context))


def _zones(request):
    """The zones of the picker: those that were just chosen, else those chosen last on this device."""
    zones = request.facility.zones
    if "zone" in request.GET:
        chosen = [str(zone.pk) for zone in zones.all() if str(zone.pk) in request.GET.getlist("zone")]
        request.session[_zones_key(request.facility)] = chosen
    return list(zones.filter(pk__in=request.session.get(_zones_key(request.facility), [])))


def _invalid(request, form):
    messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return redirect("picking:run-list", request.facility.slug)


@require_safe
@at_facility(Permission.PICK)
def run_preview(request):
    """The run that is about to begin: each order with its number and tote, and the way."""
    form = RunForm(request.GET, facility=request.facility)
    if not form.is_valid():
        return _invalid(request, form)
    data = form.cleaned_data
    found = [
        offer
        for offer in run_queries.offers(
            request.facility, data["method"], data["zones"], chosen=[job.pk for job in data["jobs"]]
        )
        if offer.is_suggested
    ]
    if not found:
        messages.error(request, _("Somebody else took these jobs meanwhile. Choose again."))
        return redirect("picking:run-list", request.facility.slug)
    places = {place.pk: place for offer in found for place in offer.places}
    path = floor.path(list(places.values()))
    context = {
        "method": data["method"],
        "method_label": PickingMethod(data["method"]).label,
        "zones": data["zones"],
        "offers": run_queries.with_totes(request.facility, found),
        "units": sum(offer.units for offer in found),
        "places": len(places),
        "map": floor_map.draw(
            [
                floor_map.Mark(place.aisle, place.bay, place.name, (str(place.pk),))
                for place in path
                if place.aisle
            ],
            floor.aisles(request.facility),
        ),
        "commands": commands.NAMES,
    }
    return render(request, "picking/pickrun_preview.html", context)


@require_POST
@at_facility(Permission.PICK)
def run_create(request):
    form = RunForm(request.POST, facility=request.facility)
    if not form.is_valid():
        return _invalid(request, form)
    data = form.cleaned_data
    run = runs.begin_new(
        request.facility,
        [job.pk for job in data["jobs"]],
        data["method"],
        zones=data["zones"],
        totes=data["totes"],
        by=request.user,
        now=timezone.now(),
    )
    return redirect("picking:run-detail", request.facility.slug, run.pk)


def _run(request, pk):
    found = PickRun.objects.at(request.facility).select_related("editor", "facility")
    return get_object_or_404(found, pk=pk)


@require_safe
@at_facility(Permission.PICK)
def run_detail(request, pk):
    """One run: the next stop huge, the scan field, and what is done. ``htmx`` gets the working area alone."""
    run = _run(request, pk)
    is_mine = run.status == PickRun.Status.IN_PROGRESS and run.editor_id == request.user.pk
    walk = run_queries.walk_of(run)
    lines = [line for stop in walk.lines for line in stop.lines]
    choices = choices_for(lines, request.facility, timezone.localdate()) if is_mine else {}
    found = fates_of_run(run) if run.status == PickRun.Status.CLOSED else []
    context = {
        "fates": found,
        "is_looking": any(fate.is_open for fate in found),
        **loop_context(request, walk, choices, is_mine=is_mine),
        "job": run,
        "is_open": run.is_active,
        "targets": run_queries.targets_of(run, lines),
        "run_units": run.load_units.filter(job=None),
        "act_url": reverse("picking:run-act", args=[request.facility.slug, run.pk]),
        "photo_url": reverse("picking:run-photo-keep", args=[request.facility.slug, run.pk]),
        "job_data": run_queries.screen_data(
            walk,
            run,
            may_override=scan_checks.may_override(request.user, request.facility),
            choices=choices,
        )
        if is_mine
        else None,
        "map": run_queries.map_of(walk, request.facility),
    }
    context["scan_texts"]["job_done"] = _("Everything is picked. Close the run.")
    template = "picking/pickrun_detail.html"
    if request.GET.get("part") == "fate":
        return render(request, "picking/_fate.html", context)
    return kept(request, render(request, f"{template}#work" if request.htmx else template, context))


@require_POST
@at_facility(Permission.PICK)
def run_start(request, pk):
    run = runs.start(_run(request, pk).pk, by=request.user, now=timezone.now())
    return redirect("picking:run-detail", request.facility.slug, run.pk)


@require_POST
@at_facility(Permission.PICK)
def run_take_over(request, pk):
    run = runs.take_over(_run(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("Run %(run)s is yours now.") % {"run": run})
    return redirect("picking:run-detail", request.facility.slug, run.pk)


@require_POST
@at_facility(Permission.PICK)
def run_pause(request, pk):
    run = runs.pause(_run(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("Run %(run)s is put aside.") % {"run": run})
    return redirect("picking:run-list", request.facility.slug)


@require_POST
@at_facility(Permission.PICK)
def run_cancel(request, pk):
    run = runs.cancel(_run(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("Run %(run)s is dissolved; its jobs can be picked one by one.") % {"run": run})
    return redirect("picking:run-list", request.facility.slug)


@require_POST
@at_facility(Permission.PICK)
def run_remove_job(request, pk, job_pk):
    run = _run(request, pk)
    one = get_object_or_404(run.run_jobs.select_related("job"), job=job_pk)
    run = runs.remove_job(run.pk, one.job_id, by=request.user, now=timezone.now())
    messages.info(request, _("%(job)s is not in run %(run)s any more.") % {"job": one.job, "run": run})
    if not run.is_active:
        return redirect("picking:run-list", request.facility.slug)
    return redirect("picking:run-detail", request.facility.slug, run.pk)


@require_POST
@at_facility(Permission.PICK)
def run_act(request, pk):
    """An action of the screen from a plain form: the same as a scan, with a redirect as its answer."""
    run = _run(request, pk)
    form = ActionForm({**request.POST.dict(), "job": str(run.pk)})
    if not form.is_valid():
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
        return redirect("picking:run-detail", request.facility.slug, run.pk)
    answer = run_scans.act(action_of(form), facility=request.facility, by=request.user, now=timezone.now())
    tell = messages.success if answer.status_code == scans.BOOKED else messages.error
    tell(request, answer.data["text"])
    keep_posted_photo(request, form, run.lines, answer)
    if answer.data["kind"] in {"closed", "paused"}:
        return redirect("picking:run-list", request.facility.slug)
    return redirect("picking:run-detail", request.facility.slug, run.pk)


@require_POST
@for_devices
@at_facility(Permission.PICK)
def run_scan(request):
    """One action of the screen of a run as JSON, answered as ``views.scan`` does; ``job`` is the id of the run."""
    return answer_action(request, run_scans.act)


@require_POST
@for_devices
@at_facility(Permission.PICK)
def run_photo_keep(request, pk):
    """A photo of a stop whose units are missing, as ``views.photo_keep``."""
    return answer_photo(request, _run(request, pk).lines)
