"""The picker's screens: what is next, the list, and one job at a time."""

import functools
import json

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views import csrf
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility
from fulfillment.core.models import Permission

from . import scans, services
from .forms import ActionForm, FindForm, ScanForm, new_action_id
from .models import PickJob, ScanEvent, ShortReason
from .queries import jobs_at, next_job, walk_of

PAGE_SIZE = 25
LARGEST_BODY = 10_000


@require_safe
@at_facility(Permission.PICK)
def job_list(request):
    """What to pick next, and the list behind it. A code that only one job has opens that job."""
    form = FindForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    text, status = wanted.get("q", ""), wanted.get("status", "")
    jobs = jobs_at(request.facility, status=status, text=text)
    page = Paginator(jobs, PAGE_SIZE).get_page(request.GET.get("page"))
    if text and page.paginator.count == 1:
        return redirect("picking:job-detail", request.facility.slug, page[0].pk)
    return render(
        request,
        "picking/pickjob_list.html",
        {
            "form": form,
            "page": page,
            "is_filtered": bool(text or status),
            "next_job": None if text or status else next_job(request.facility, request.user),
        },
    )


def _job(request, pk):
    jobs = PickJob.objects.at(request.facility).select_related("order", "editor", "facility")
    return get_object_or_404(jobs, pk=pk)


@require_safe
@at_facility(Permission.PICK)
def job_detail(request, pk):
    """One job: the next line huge, the scan field, and what is done. ``htmx`` gets the working area alone."""
    job = _job(request, pk)
    walk = walk_of(job)
    is_mine = job.status == PickJob.Status.IN_PROGRESS and job.editor_id == request.user.pk
    context = {
        "job": job,
        "walk": walk,
        "is_mine": is_mine,
        # The picker sees the current line above, large.
        "listed": [line for line in walk.open if not is_mine or line is not walk.current],
        "is_open": job.status in PickJob.UNFINISHED,
        "scan_form": ScanForm(),
        "reasons": ShortReason.choices,
        "scan_texts": {
            "waiting": _("No connection. {n} waiting, nothing is lost."),
            "rejected": _("The server did not take %(what)s. It is kept below as a task.")
            % {"what": "{what}"},
            "kinds": dict(ScanEvent.Kind.choices),
            "signIn": _("Sign in"),
        },
        "action_ids": {name: new_action_id() for name in ("scan", "plus", "all", "short", "undo", "close")},
    }
    template = "picking/pickjob_detail.html"
    return render(request, f"{template}#work" if request.htmx else template, context)


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


def _action(form):
    data = form.cleaned_data
    return scans.Action(
        id=data["id"],
        kind=data["kind"],
        job=data["job"],
        line=data["line"],
        code=data["code"].strip(),
        quantity=data["quantity"] or 0,
        reason=data["reason"],
        at=data["at"],
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
    answer = scans.act(_action(form), facility=request.facility, by=request.user, now=timezone.now())
    tell = messages.success if answer.status_code == scans.BOOKED else messages.error
    tell(request, answer.data["text"])
    if answer.data["kind"] in {"closed", "paused"}:
        return redirect("picking:job-list", request.facility.slug)
    return redirect("picking:job-detail", request.facility.slug, job.pk)


def for_devices(view):
    """Answer a device in JSON whatever happens: a redirect to the login would look like a success to it."""

    @functools.wraps(view)
    def answer(request, *args, **kwargs):
        if not request.user.is_authenticated:
            return _device_answer(request, 401, "login", _("Sign in again. What you scanned is kept."))
        try:
            response = view(request, *args, **kwargs)
        except (PermissionDenied, Http404):
            return _device_answer(request, 409, "stale", _("You may not pick here any more."))
        if isinstance(response, HttpResponseRedirect):
            return _device_answer(request, 401, "login", _("Sign in again. What you scanned is kept."))
        return response

    return answer


def _device_answer(request, status, kind, text):
    try:
        scan = json.loads(request.body[:LARGEST_BODY]).get("id")
    except (ValueError, AttributeError):
        scan = None
    return JsonResponse({"scan": scan, "kind": kind, "text": text}, status=status)


@require_POST
@for_devices
@at_facility(Permission.PICK)
def scan(request):
    """One action of the scan screen as JSON: ``{id, kind, job, line, code, quantity, reason, at}``.

    200 booked, 422 refused, 409 stale, 401 not signed in, 400 when it cannot be read.
    """
    if len(request.body) > LARGEST_BODY:
        return _device_answer(request, 400, "unknown", _("This is too long for a scan."))
    try:
        data = json.loads(request.body)
    except ValueError:
        data = None
    if not isinstance(data, dict):
        return _device_answer(request, 400, "unknown", _("This is not a scan."))
    form = ActionForm({name: value for name, value in data.items() if value is not None})
    if not form.is_valid():
        text = " ".join(f"{name}: {error}" for name, errors in form.errors.items() for error in errors)
        return _device_answer(request, 400, "unknown", text)
    answer = scans.act(_action(form), facility=request.facility, by=request.user, now=timezone.now())
    response = JsonResponse(answer.data, status=answer.status_code)
    if answer.is_replay:
        response["Idempotent-Replay"] = "true"
    return response


def csrf_failure(request, reason=""):
    """A page that was open over a sign-in: devices get 401 as JSON, people a page that says what to do."""
    if request.path.endswith("/scans/"):
        return _device_answer(request, 401, "login", _("Sign in again. What you scanned is kept."))
    return csrf.csrf_failure(request, reason=reason)
