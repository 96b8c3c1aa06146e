"""The picker's screens: what is next, the list, and one job at a time."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views import csrf
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fulfillment.core.access import at_facility, permissions_at
from fulfillment.core.devices import answer_device, for_devices, read_action, reply
from fulfillment.core.errors import Refused
from fulfillment.core.models import Permission
from fulfillment.core.services import documents
from fulfillment.core.sheets import MOST_LABELS
from fulfillment.core.sheets import location_labels as location_sheet

from . import photos, restow, scan_checks, scans, services, sheets
from . import practice as practices
from .forms import ActionForm, PhotoForm, RestowForm, ScanForm, new_action_id
from .models import LinePhoto, LoadUnit, PickJob, PickRun, RestowItem
from .queries import history_of, walk_of
from .run_queries import map_of
from .screen import asked_parts, screen_data
from .stock_forms import LookUpForm
from .substitutes import choices_for
from .texts import reasons_at, screen_texts
from .whereabouts import fates

PAGE_SIZE = 25


def _job(request, pk):
    jobs = PickJob.objects.at(request.facility).select_related("order", "editor", "facility")
    return get_object_or_404(jobs, pk=pk)


@require_safe
@at_facility(Permission.PICK)
def job_detail(request, pk):
    """One job: the next line huge, the scan field, and what is done. ``htmx`` gets the working area alone."""
    job = _job(request, pk)
    walk = walk_of(job)
    run = PickRun.objects.active().of_jobs([job.pk]).first()
    is_mine = run is None and job.status == PickJob.Status.IN_PROGRESS and job.editor_id == request.user.pk
    found = [] if job.status in PickJob.UNFINISHED else fates(job)
    choices = choices_for(walk.lines, request.facility, timezone.localdate()) if is_mine else {}
    context = {
        "job": job,
        "act_url": reverse("picking:job-act", args=[request.facility.slug, job.pk]),
        "is_open": job.status in PickJob.UNFINISHED,
        "fates": found,
        "is_looking": any(fate.is_open for fate in found),
        "totes": LoadUnit.objects.of_job(job.pk).in_use().select_related("location"),
        "run": run,
        "map": map_of(walk, request.facility) if is_mine else None,
        "photo_url": reverse("picking:photo-keep", args=[request.facility.slug, job.pk]),
        "job_data": screen_data(
            walk,
            job,
            may_override=scan_checks.may_override(request.user, request.facility),
            history=history_of(job),
            choices=choices,
        )
        if is_mine
        else None,
        **loop_context(request, walk, choices, is_mine=is_mine),
    }
    template = "picking/pickjob_detail.html"
    if request.GET.get("part") == "fate":
        return render(request, "picking/_fate.html", context)
    return kept(request, render(request, f"{template}#work" if request.htmx else template, context))


def loop_context(request, walk, choices, *, is_mine):
    """What ``picking/_loop.html`` shows on every page that has the scan loop."""
    line = walk.current
    kinds = ("scan", "plus", "short", "substitute", "attribute", "undo", "close", "pause")
    return {
        "walk": walk,
        "is_mine": is_mine,
        # The picker sees the current line above, large.
        "listed": [line for line in walk.open if not is_mine or line is not walk.current],
        "scan_form": ScanForm(),
        "reasons": reasons_at(request.facility),
        "choices": choices.get(line.article_id, []) if line and not line.replaces_id else [],
        "may_count": scan_checks.may_count(request.user, request.facility),
        "parts": asked_parts(walk),
        "scan_texts": screen_texts(),
        "action_ids": {kind: new_action_id() for kind in kinds},
    }


def kept(request, response):
    """Say whose page it is: the device keeps it for that person alone, for when there is no connection."""
    response["X-User"] = request.user.pk
    return response


@require_safe
@at_facility(Permission.PICK)
def scanner(request):
    """What a scanner sends, character by character, and the sheets to print. Without JavaScript: what came with Enter."""
    text = request.GET.get("code", "")[:200]
    context = {
        "layout_code": sheets.LAYOUT_CODE,
        "received": text,
        "characters": [_name_of(character) for character in text],
        "is_right": text == sheets.LAYOUT_CODE,
        "zones": request.facility.zones.all(),
        "may_print_places": Permission.STOCK in permissions_at(request.user, request.facility),
        "words": {
            "right": _("right"),
            "wrong": _("wrong: set the scanner to the layout of this device"),
            "untested": _("not tested: scan the last code of the command sheet"),
        },
    }
    return render(request, "picking/scanner.html", context)


def _name_of(character):
    return {"\x1d": "GS", "\t": "TAB", " ": "␣"}.get(character, character)


@require_safe
@at_facility(Permission.PICK)
def command_sheet(request):
    return _pdf(sheets.command_sheet(request.facility, get_language()), "commands.pdf")


@require_safe
@at_facility(Permission.PICK)
def practice_sheet(request):
    return _pdf(sheets.practice_sheet(request.facility, get_language()), "practice.pdf")


@require_http_methods(["GET", "HEAD", "POST"])
@at_facility(Permission.PICK)
def practice(request):
    """The scan loop with a made-up job: the screen itself answers, and what is posted without it changes nothing."""
    if request.method == "POST":
        messages.info(request, _("Nothing is booked in practice."))
        return redirect("picking:practice", request.facility.slug)
    made_up = practices.practice(request.facility)
    context = {
        **loop_context(request, made_up.walk, made_up.choices, is_mine=True),
        "job": made_up.job,
        "act_url": request.path,
        "job_data": made_up.screen_data(
            may_override=scan_checks.may_override(request.user, request.facility)
        ),
        "map": made_up.map,
    }
    return render(request, "picking/practice.html", context)


@require_safe
@at_facility(Permission.STOCK)
def location_labels(request):
    """Labels of the places of a zone, or of all, in the order of the walk."""
    places = request.facility.locations.select_related("zone")
    zone = request.GET.get("zone", "")
    if zone:
        places = places.filter(zone__name=zone)
    return _pdf(location_sheet(request.facility, places[:MOST_LABELS], get_language()), "locations.pdf")


def _pdf(data, name):
    return HttpResponse(
        data,
        content_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "private, no-store"},
    )


@require_safe
@at_facility(Permission.PICK)
def restow_list(request):
    """What goes back on its shelf, in the order of the walk; a scanned article or place narrows it."""
    form = LookUpForm(request.GET if "code" in request.GET else None)
    code = form.cleaned_data["code"] if form.is_valid() else ""
    items = restow.find(request.facility, code).for_list()
    page = Paginator(items, PAGE_SIZE).get_page(request.GET.get("page"))
    for item in page:
        item.form = RestowForm(facility=request.facility, auto_id=f"id_{item.pk}_%s")
    return render(request, "picking/restow_list.html", {"page": page, "form": form, "code": code})


@require_POST
@at_facility(Permission.PICK)
def restow_act(request, pk):
    """Units are on their shelf again, or will not come back there."""
    item = get_object_or_404(RestowItem.objects.at(request.facility), pk=pk)
    form = RestowForm(request.POST, facility=request.facility)
    if not form.is_valid():
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    elif "write_off" in request.POST:
        restow.write_off(item.pk, note=form.cleaned_data["note"], by=request.user, now=timezone.now())
        messages.info(request, _("%(item)s: not put back.") % {"item": item})
    else:
        done = restow.put_back(
            item.pk, location=form.cleaned_data["code"], by=request.user, now=timezone.now()
        )
        place = done.location or _("the stock")
        messages.success(request, _("%(item)s: back on %(place)s.") % {"item": item, "place": place})
    return redirect("picking:restow-list", request.facility.slug)


@require_POST
@at_facility(Permission.PICK)
def job_start(request, pk):
    job = services.start(_job(request, pk).pk, by=request.user, now=timezone.now())
    return redirect("picking:job-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.PICK)
def job_take_over(request, pk):
    job = services.take_over(_job(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("%(job)s is yours now.") % {"job": job})
    return redirect("picking:job-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.PICK)
def job_pause(request, pk):
    job = services.pause(_job(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("%(job)s is put aside.") % {"job": job})
    return redirect("picking:job-list", request.facility.slug)


def action_of(form):
    data = form.cleaned_data
    return scans.Action(
        id=data["id"],
        kind=data["kind"],
        job=data["job"],
        line=data["line"],
        code=data["code"].strip(),
        quantity=data["quantity"] or 0,
        reason=data["reason"],
        lot=data["lot"].strip(),
        serial=data["serial"].strip(),
        expires_on=data["expires_on"],
        weight=data["weight"] or 0,
        left=data["left"],
        at=data["at"],
        is_typed=data["typed"],
        attribute=data["attribute"],
    )


@require_POST
@at_facility(Permission.PICK)
def job_act(request, pk):
    """An action of the screen from a plain form: the same as a scan, with a redirect as its answer."""
    job = _job(request, pk)
    form = ActionForm({**request.POST.dict(), "job": str(job.pk)})
    if not form.is_valid():
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
        return redirect("picking:job-detail", request.facility.slug, job.pk)
    answer = scans.act(action_of(form), facility=request.facility, by=request.user, now=timezone.now())
    tell = messages.success if answer.status_code == scans.BOOKED else messages.error
    tell(request, answer.data["text"])
    keep_posted_photo(request, form, job.lines, answer)
    if answer.data["kind"] in {"closed", "paused"}:
        return redirect("picking:job-list", request.facility.slug)
    return redirect("picking:job-detail", request.facility.slug, job.pk)


def keep_posted_photo(request, form, lines, answer):
    """Keep the photo that came with an action of a plain form, when that was booked."""
    if "photo" in request.FILES and answer.status_code == scans.BOOKED:
        data, now = form.cleaned_data, timezone.now()
        photos.keep(data["id"], lines, data["line"], request.FILES["photo"], by=request.user, now=now)


@require_safe
@at_facility(Permission.PICK)
def photo(request, photo_pk):
    """A photo as a file to save: what people sent is never a page of this site."""
    kept = get_object_or_404(
        LinePhoto.objects.select_related("document"), pk=photo_pk, line__job__facility=request.facility
    )
    disposition = content_disposition_header(as_attachment=True, filename=kept.document.name)
    return HttpResponse(
        documents.read(kept.document),
        content_type="image/jpeg",
        headers={
            "Content-Disposition": disposition,
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


@require_POST
@for_devices
@at_facility(Permission.PICK)
def photo_keep(request, pk):
    """A photo of a line whose units are missing, from the queue of the device; the id keeps it once."""
    return answer_photo(request, _job(request, pk).lines)


def answer_photo(request, lines):
    """Keep the photo in a request of one of these lines, and answer in JSON."""
    form = PhotoForm(request.POST, request.FILES)
    if not form.is_valid():
        return JsonResponse({"scan": None, "kind": "unknown", "text": _("This is not a photo.")}, status=400)
    data = form.cleaned_data
    answer = {"scan": str(data["id"])}
    try:
        photos.keep(data["id"], lines, data["line"], data["photo"], by=request.user, now=timezone.now())
    except Refused as refusal:
        return JsonResponse({**answer, "kind": "unknown", "text": refusal.message}, status=422)
    return JsonResponse({**answer, "kind": "photo", "text": _("The photo is kept.")})


@require_POST
@for_devices
@at_facility(Permission.PICK)
def scan(request):
    """One action of the scan screen as JSON: ``{id, kind, job, line, code, quantity, reason, at}``.

    200 booked, 422 refused, 409 stale, 401 not signed in, 400 when it cannot be read.
    """
    return answer_action(request, scans.act)


def answer_action(request, act):
    """Do the action in the body of a request, and answer in JSON."""
    form, refusal = read_action(request, ActionForm)
    if refusal:
        return refusal
    answer = act(action_of(form), facility=request.facility, by=request.user, now=timezone.now())
    return reply(answer)


def csrf_failure(request, reason=""):
    """A page that was open over a sign-in: devices get 401 as JSON, people a page that says what to do."""
    if request.path.endswith(("/scans/", "/photos/")):
        return answer_device(request, 401, "login", _("Sign in again. What you scanned is kept."))
    return csrf.csrf_failure(request, reason=reason)
