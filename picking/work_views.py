"""Next work and the list behind it, and what a supervisor decides about one job."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility, permissions_at
from fulfillment.core.models import Permission, StatusChange
from fulfillment.core.models.facility import PickingMethod

from . import assignments, commands, next_work, services
from .models import PickJob, PickRun, RestowItem
from .rules import rules_of
from .views import PAGE_SIZE, kept
from .work_forms import FindForm, HoldForm, PlanForm


@require_safe
@at_facility(Permission.PICK)
def job_list(request):
    """What to pick next, and the list behind it. A code that only one job has opens that job; ``htmx`` gets the list."""
    form = FindForm(request.GET, facility=request.facility)
    wanted = form.cleaned_data if form.is_valid() else {}
    text = wanted.pop("q", "")
    jobs = next_work.find_jobs(request.facility, text=text, user=request.user, **wanted)
    page = Paginator(jobs, PAGE_SIZE).get_page(request.GET.get("page"))
    if text and page.paginator.count == 1 and not request.htmx:
        return redirect("picking:job-detail", request.facility.slug, page[0].pk)
    for job in page:
        job.meant_for = ", ".join(str(user) for user in job.assigned_users.all())
    is_filtered = bool(text or any(wanted.values()))
    context = {
        "form": form,
        "page": page,
        "is_filtered": is_filtered,
        "filters": sum(bool(value) for value in wanted.values()),
        "may_supervise": Permission.SUPERVISE in permissions_at(request.user, request.facility),
        "has_runs": set(rules_of(request.facility).methods) != {PickingMethod.SINGLE_ORDER},
        "commands": commands.NAMES,
        "restow_count": RestowItem.objects.at(request.facility).open().count(),
    }
    if not is_filtered:
        context["in_hand"] = work = next_work.in_hand(request.facility, request.user)
        context["in_hand_url"] = work and _page_of(work, request.facility)
        found = next_work.best(request.facility, request.user)
        context["next_run" if isinstance(found, PickRun) else "next_job"] = found
    template = "picking/pickjob_list.html"
    return kept(request, render(request, f"{template}#jobs" if request.htmx else template, context))


@require_POST
@at_facility(Permission.PICK)
def next_job(request):
    """Take the best job, or go on with what is in hand."""
    work = next_work.take(request.facility, by=request.user, now=timezone.now())
    if work is None:
        messages.info(request, _("Nothing to pick now. New orders appear here."))
        return redirect("picking:job-list", request.facility.slug)
    return redirect(_page_of(work, request.facility))


def _page_of(work, facility):
    page = "picking:run-detail" if isinstance(work, PickRun) else "picking:job-detail"
    return reverse(page, args=[facility.slug, work.pk])


def _job(request, pk):
    jobs = PickJob.objects.at(request.facility).select_related("order", "editor")
    return get_object_or_404(next_work.with_progress(jobs), pk=pk)


@require_safe
@at_facility(Permission.SUPERVISE)
def job_plan(request, pk):
    """Who picks a job, how urgent it is, whether it waits, and what happened to it."""
    job = _job(request, pk)
    form = PlanForm(
        pickers=assignments.pickers_at(request.facility),
        initial={
            "users": job.assigned_users.all(),
            "priority": job.priority,
            "version": job.version,
        },
    )
    changes = StatusChange.objects.filter(entity=PickJob._meta.label_lower, entity_id=job.pk)
    context = {
        "job": job,
        "form": form,
        "hold_form": HoldForm(),
        "may_pick": Permission.PICK in permissions_at(request.user, request.facility),
        "is_open": job.status in PickJob.UNFINISHED,
        "changes": changes.select_related("by"),
    }
    return render(request, "picking/pickjob_plan.html", context)


@require_POST
@at_facility(Permission.SUPERVISE)
def job_assign(request, pk):
    """Save for whom a job is and how urgent."""
    job = _job(request, pk)
    form = PlanForm(request.POST, pickers=assignments.pickers_at(request.facility))
    if form.is_valid():
        data = form.cleaned_data
        assignments.plan(job.pk, **data, by=request.user, now=timezone.now())
        messages.success(request, _("%(job)s: saved.") % {"job": job})
    else:
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return redirect("picking:job-plan", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.SUPERVISE)
def job_hold(request, pk):
    job = _job(request, pk)
    form = HoldForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    assignments.hold(job.pk, reason=reason, by=request.user, now=timezone.now())
    messages.info(request, _("%(job)s is held: nobody gets it.") % {"job": job})
    return redirect("picking:job-plan", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.SUPERVISE)
def job_unhold(request, pk):
    job = _job(request, pk)
    assignments.unhold(job.pk, by=request.user, now=timezone.now())
    messages.success(request, _("%(job)s is offered again.") % {"job": job})
    return redirect("picking:job-plan", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.SUPERVISE)
def job_release(request, pk):
    """Take a job from its picker, so that anybody can go on with it."""
    job = _job(request, pk)
    services.pause(job.pk, by=request.user, now=timezone.now())
    messages.info(request, _("%(job)s is free for others; what is picked stays picked.") % {"job": job})
    return redirect("picking:job-plan", request.facility.slug, job.pk)
