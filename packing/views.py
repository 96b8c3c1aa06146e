"""The pack station: a list of pack jobs and one page to pack a job."""

from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility
from fulfillment.core.models import Permission

from . import services as packing
from .forms import FindForm, PackageForm, QuantityForm, ScanForm, ShownForm, WeightForm
from .models import Package, PackJob
from .queries import find_jobs, work

PAGE_SIZE = 25


@require_safe
@at_facility(Permission.PACK)
def job_list(request):
    """Jobs to pack, the next one first. A scanned code that only one job knows opens it."""
    jobs = PackJob.objects.at(request.facility)
    form = FindForm(request.GET if request.GET.get("code") else None)
    code = form.cleaned_data["code"].strip() if form.is_valid() else ""
    found = find_jobs(jobs, code) if code else None
    if found is not None and len(found) == 1:
        return redirect("packing:job-detail", request.facility.slug, found[0].pk)
    waiting = jobs.open().for_list()
    mine = waiting.filter(status=PackJob.Status.IN_PROGRESS, editor=request.user)
    page = Paginator(found if found else waiting, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(
        request,
        "packing/packjob_list.html",
        {
            "form": form,
            "code": code,
            "not_found": found == [],
            "page": page,
            "next_job": None
            if code
            else mine.first() or waiting.exclude(status=PackJob.Status.IN_PROGRESS).first(),
        },
    )


def _job(request, pk):
    return get_object_or_404(PackJob.objects.at(request.facility).select_related("order", "editor"), pk=pk)


def _package(job, pk):
    return get_object_or_404(Package.objects.filter(job=job), pk=pk)


def _context(request, job, shown, *, weight_form=None):
    """The page of a job; ``shown`` are cleaned values of ``ShownForm``."""
    current = work(job, shown.get("package"))
    for package in current.packages:
        bound = weight_form if weight_form and weight_form.package == package else None
        package.form = bound or WeightForm(
            initial={"grams": package.weight_g or package.expected_g},
            expected=package.expected_g,
            auto_id=f"package-{package.number}-%s",
        )
    if current.next_step == "weigh":
        current.unweighed.form.fields["grams"].widget.attrs["autofocus"] = True
    return {
        "job": job,
        "work": current,
        "mine": job.status == PackJob.Status.IN_PROGRESS and job.editor_id == request.user.pk,
        "packer": job.editor or _("Another system"),
        "scan_form": ScanForm(initial={"package": current.current.pk if current.current else None}),
        "undo": current.last_step(shown.get("line"), shown.get("units")),
    }


def _answer(request, job, package=None, *, line=None, units=None):
    """Show the job again: the working area for htmx, else the page by a redirect. ``line`` offers to undo it."""
    shown = {"package": package and package.number, "line": line and line.pk, "units": units}
    if request.htmx:
        context = _context(request, _job(request, job.pk), shown)
        return render(request, "packing/packjob_detail.html#work", context)
    address = reverse("packing:job-detail", args=[request.facility.slug, job.pk])
    query = urlencode({name: value for name, value in shown.items() if value})
    return redirect(f"{address}?{query}" if query else address)


def _invalid(request, job, form):
    messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return _answer(request, job)


@require_safe
@at_facility(Permission.PACK)
def job_detail(request, pk):
    form = ShownForm(request.GET)
    shown = form.cleaned_data if form.is_valid() else {}
    return render(request, "packing/packjob_detail.html", _context(request, _job(request, pk), shown))


@require_POST
@at_facility(Permission.PACK)
def job_start(request, pk):
    job = packing.start(_job(request, pk).pk, by=request.user, now=timezone.now())
    return redirect("packing:job-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.PACK)
def job_take_over(request, pk):
    job = packing.take_over(_job(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("%(job)s is yours now.") % {"job": job})
    return redirect("packing:job-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.PACK)
def job_pause(request, pk):
    job = packing.pause(_job(request, pk).pk, by=request.user, now=timezone.now())
    messages.info(request, _("%(job)s is paused.") % {"job": job})
    return redirect("packing:job-list", request.facility.slug)


@require_POST
@at_facility(Permission.PACK)
def job_scan(request, pk):
    job, form = _job(request, pk), ScanForm(request.POST)
    if not form.is_valid():
        return _invalid(request, job, form)
    package = _package(job, form.cleaned_data["package"])
    line, units = packing.scan(
        job.pk, form.cleaned_data["code"], package.pk, by=request.user, now=timezone.now()
    )
    return _answer(request, job, package, line=line, units=units)


@require_POST
@at_facility(Permission.PACK)
def line_put(request, pk, line_pk):
    job, form = _job(request, pk), QuantityForm(request.POST)
    line = get_object_or_404(job.lines, pk=line_pk)
    if not form.is_valid():
        return _invalid(request, job, form)
    package, units = _package(job, form.cleaned_data["package"]), form.cleaned_data["quantity"]
    packing.put(job.pk, line.pk, package.pk, units, by=request.user, now=timezone.now())
    return _answer(request, job, package, line=line, units=units)


@require_POST
@at_facility(Permission.PACK)
def line_take_out(request, pk, line_pk):
    job, form = _job(request, pk), QuantityForm(request.POST)
    line = get_object_or_404(job.lines, pk=line_pk)
    if not form.is_valid():
        return _invalid(request, job, form)
    package, units = _package(job, form.cleaned_data["package"]), form.cleaned_data["quantity"]
    packing.take_out(job.pk, line.pk, package.pk, units, by=request.user, now=timezone.now())
    messages.info(
        request,
        _("%(units)s × %(title)s taken out of package %(number)s.")
        % {"units": units, "title": line.title, "number": package.number},
    )
    return _answer(request, job, package)


@require_POST
@at_facility(Permission.PACK)
def job_pack_all(request, pk):
    job, form = _job(request, pk), PackageForm(request.POST)
    if not form.is_valid():
        return _invalid(request, job, form)
    chosen = form.cleaned_data["package"]
    package = _package(job, chosen) if chosen else None
    package = packing.pack_all(job.pk, package and package.pk, by=request.user, now=timezone.now())
    return _answer(request, job, package)


@require_POST
@at_facility(Permission.PACK)
def package_add(request, pk):
    job = _job(request, pk)
    return _answer(request, job, packing.add_package(job.pk, by=request.user, now=timezone.now()))


@require_POST
@at_facility(Permission.PACK)
def package_remove(request, pk, package_pk):
    job = _job(request, pk)
    packing.remove_package(job.pk, _package(job, package_pk).pk, by=request.user, now=timezone.now())
    return _answer(request, job)


@require_POST
@at_facility(Permission.PACK)
def package_weight(request, pk, package_pk):
    """Store the weight; one that does not fit the articles is shown again with a button to confirm it."""
    job = _job(request, pk)
    package = _package(job, package_pk)
    expected = next(shown.expected_g for shown in work(job).packages if shown == package)
    form = WeightForm(request.POST, expected=expected, auto_id=f"package-{package.number}-%s")
    form.package = package
    if not form.is_valid():
        context = _context(request, job, {"package": package.number}, weight_form=form)
        return render(request, "packing/packjob_detail.html", context, status=422)
    packing.set_weight(
        job.pk,
        package.pk,
        form.cleaned_data["grams"],
        confirmed=form.cleaned_data["confirmed"],
        by=request.user,
        now=timezone.now(),
    )
    return _answer(request, job, package)


@require_POST
@at_facility(Permission.PACK)
def job_close(request, pk):
    job = packing.close(_job(request, pk).pk, by=request.user, now=timezone.now())
    return redirect("shipping:pack-done", request.facility.slug, job.pk)
