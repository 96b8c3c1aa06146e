"""The pack station: one page to find the next job, and one to pack it."""

from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fulfillment.core.access import at_facility, permissions_at
from fulfillment.core.codes import parcel_codes
from fulfillment.core.devices import for_devices, read_action, reply
from fulfillment.core.forms import AssignForm
from fulfillment.core.models import Permission
from fulfillment.core.models.facility import ScanRule
from fulfillment.core.queries import people_who_may
from picking.models import LoadUnit, PickRun

from . import customs, next_work, scans
from . import services as packing
from .forms import (
    ActionForm,
    BoxForm,
    FindForm,
    PackageForm,
    RecordForm,
    ScanForm,
    ShownForm,
    WeightForm,
    new_action_id,
)
from .models import BoxType, Package, PackJob, PackScan
from .queries import batch, find_jobs, tolerance_of, work

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
    if found:
        totes = LoadUnit.objects.at(request.facility).in_use().filter(code__in=parcel_codes(code), job=None)
        if tote := totes.first():
            return redirect("packing:run-sort", request.facility.slug, tote.run_id)
    waiting = jobs.open().for_list().prefetch_related("assigned_users")
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
            else next_work.in_hand(request.facility, request.user)
            or next_work.waiting(request.facility, request.user).first(),
        },
    )


@require_POST
@at_facility(Permission.PACK)
def next_job(request):
    """Take the best job, or go on with the one in hand."""
    job = next_work.take(request.facility, by=request.user, now=timezone.now())
    if job is None:
        messages.info(request, _("Nothing to pack now. What is picked appears here."))
        return redirect("packing:job-list", request.facility.slug)
    return redirect("packing:job-detail", request.facility.slug, job.pk)


def _job(request, pk):
    jobs = PackJob.objects.at(request.facility).select_related("order", "editor", "facility")
    return get_object_or_404(jobs, pk=pk)


def _package(job, pk):
    return get_object_or_404(Package.objects.filter(job=job), pk=pk)


def _context(request, job, number, *, weight_form=None, record_form=None):
    """The page of a job with the package of this number in hand."""
    current = work(job, number)
    tolerance = tolerance_of(job.facility)
    boxes = BoxType.objects.usable_at(job.facility_id)
    for package in current.packages:
        bound = weight_form if weight_form and weight_form.package == package else None
        package.form = bound or WeightForm(
            initial={"grams": package.weight_g or package.expected_g},
            package=package,
            tolerance=tolerance,
            auto_id=f"package-{package.number}-%s",
        )
        package.box_form = BoxForm(
            initial={"box": package.box_type_id}, boxes=boxes, auto_id=f"package-{package.number}-%s"
        )
    by_hand = packing.may_pack_by_hand(job, request.user)
    for line in current.lines:
        line.by_hand = by_hand or (job.facility.pack_scan == ScanRule.FIRST and line.verified)
    if current.next_step == "weigh":
        current.unweighed.form.fields["grams"].widget.attrs["autofocus"] = True
    last = scans.undoable(job).first()
    needs_customs = customs.is_needed(job)
    is_supervised = Permission.SUPERVISE in permissions_at(request.user, request.facility)
    return {
        "job": job,
        "assign_form": AssignForm.of(job, people_who_may(Permission.PACK, request.facility))
        if is_supervised and job.status in PackJob.UNFINISHED and not request.htmx
        else None,
        "work": current,
        "totes": LoadUnit.objects.of_job(job.pick_job_id).in_use().select_related("location"),
        "mine": job.status == PackJob.Status.IN_PROGRESS and job.editor_id == request.user.pk,
        "packer": job.editor or _("Another system"),
        "scan_form": ScanForm(),
        "record_form": record_form or RecordForm(lines=current.lines),
        "customs_missing": customs.missing(job) if job.status in PackJob.UNFINISHED else [],
        "by_hand": by_hand,
        "scan_texts": scans.screen_texts(),
        "undo": last and last.answer.get("booked", last.answer["text"]),
        "may_go_on": scans.puts_in(last) and not needs_customs,
        "needs_customs": needs_customs,
        "new_id": new_action_id,
    }


def _answer(request, job, package=None):
    """Show the job again: the working area for htmx, else the page by a redirect."""
    if request.htmx:
        context = _context(request, _job(request, job.pk), package and package.number)
        return render(request, "packing/packjob_detail.html#work", context)
    address = reverse("packing:job-detail", args=[request.facility.slug, job.pk])
    query = urlencode({"package": package.number}) if package else ""
    return redirect(f"{address}?{query}" if query else address)


def _invalid(request, job, form):
    messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return _answer(request, job)


@require_safe
@at_facility(Permission.PACK)
def job_detail(request, pk):
    form = ShownForm(request.GET)
    number = form.cleaned_data["package"] if form.is_valid() else None
    template = "packing/packjob_detail.html"
    return render(
        request,
        f"{template}#work" if request.htmx else template,
        _context(request, _job(request, pk), number),
    )


@require_POST
@at_facility(Permission.PACK)
def job_start(request, pk):
    job = packing.start(_job(request, pk).pk, by=request.user, now=timezone.now())
    return redirect("packing:job-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.SUPERVISE)
def job_assign(request, pk):
    """Save for whom a job is."""
    job = _job(request, pk)
    form = AssignForm(request.POST, people=people_who_may(Permission.PACK, request.facility))
    if not form.is_valid():
        return _invalid(request, job, form)
    packing.assign(job.pk, **form.cleaned_data, by=request.user, now=timezone.now())
    messages.success(request, _("%(job)s: saved.") % {"job": job})
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


def _action(form):
    data = form.cleaned_data
    return scans.Action(
        id=data["id"],
        kind=data["kind"],
        job=data["job"],
        run=data["run"],
        package=data["package"],
        to_package=data["to_package"],
        line=data["line"],
        code=data["code"].strip(),
        quantity=data["quantity"] or 0,
        at=data["at"],
    )


@require_POST
@for_devices
@at_facility(Permission.PACK)
def scan(request):
    """One action of the station as JSON: ``{id, kind, job, package, to_package, line, code, quantity, at}``.

    200 booked, 422 refused, 409 stale, 401 not signed in, 400 when it cannot be read.
    """
    form, refusal = read_action(request, ActionForm)
    if refusal:
        return refusal
    answer = scans.act(_action(form), facility=request.facility, by=request.user, now=timezone.now())
    return reply(answer)


@require_POST
@at_facility(Permission.PACK)
def job_act(request, pk):
    """An action of the station from a plain form: the same as a scan, with the page as its answer."""
    job = _job(request, pk)
    form = ActionForm({**request.POST.dict(), "job": str(job.pk)})
    if not form.is_valid():
        return _invalid(request, job, form)
    answer = scans.act(_action(form), facility=request.facility, by=request.user, now=timezone.now())
    if answer.status_code != scans.BOOKED:
        messages.error(request, answer.data["text"])
    if answer.status_code == scans.BOOKED and form.cleaned_data["kind"] == PackScan.Kind.GO_ON:
        messages.info(request, answer.data["text"])
    shown = answer.data.get("package") if answer.data["kind"] == "place" else form.cleaned_data["shown"]
    return _answer(request, job, job.packages.filter(number=shown).first())


@require_http_methods(["GET", "HEAD", "POST"])
@at_facility(Permission.PACK)
def run_sort(request, pk):
    """The goods of a batch, one scan after the other, to the boxes of its orders. From a plain form: POST."""
    run = get_object_or_404(PickRun.objects.filter(facility=request.facility), pk=pk)
    if request.method == "POST":
        form = ActionForm({**request.POST.dict(), "run": str(run.pk), "kind": PackScan.Kind.SORT})
        if not form.is_valid():
            messages.error(request, _("Scan or type a code."))
        else:
            answer = scans.act(_action(form), facility=request.facility, by=request.user, now=timezone.now())
            if answer.status_code != scans.BOOKED:
                messages.error(request, answer.data["text"])
        return redirect("packing:run-sort", request.facility.slug, run.pk)
    boxes = batch(run)
    last = (
        PackScan.objects.filter(run=run, user=request.user, status_code=scans.BOOKED)
        .order_by("-received_at")
        .first()
    )
    template = "packing/run_sort.html"
    context = {
        "run": run,
        "boxes": boxes,
        "last": last.answer if last else None,
        "left": sum(job.units - job.packed for _number, job in boxes if job.status in PackJob.UNFINISHED),
        "scan_form": ScanForm(),
        "scan_texts": scans.screen_texts(),
        "new_id": new_action_id,
    }
    return render(request, f"{template}#work" if request.htmx else template, context)


@require_POST
@at_facility(Permission.PACK)
def job_pack_all(request, pk):
    """Everything that is left goes where it was proposed, or into the named package."""
    job, form = _job(request, pk), PackageForm(request.POST)
    if not form.is_valid():
        return _invalid(request, job, form)
    who = {"by": request.user, "now": timezone.now()}
    if "as_proposed" in request.POST:
        return _answer(request, job, packing.pack_as_proposed(job.pk, **who))
    chosen = form.cleaned_data["package"]
    package = _package(job, chosen) if chosen else None
    return _answer(request, job, packing.pack_all(job.pk, package and package.pk, **who))


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
def package_box(request, pk, package_pk):
    """Take another box than the proposed one."""
    job = _job(request, pk)
    package = _package(job, package_pk)
    form = BoxForm(request.POST, boxes=BoxType.objects.usable_at(job.facility_id))
    if not form.is_valid():
        return _invalid(request, job, form)
    box = form.cleaned_data["box"]
    packing.choose_box(job.pk, package.pk, box and box.pk, by=request.user, now=timezone.now())
    return _answer(request, job, package)


@require_POST
@at_facility(Permission.PACK)
def package_weight(request, pk, package_pk):
    """Store the weight; one that does not fit the articles is shown again with a button to confirm it."""
    job = _job(request, pk)
    package = next(shown for shown in work(job).packages if shown == _package(job, package_pk))
    form = WeightForm(
        request.POST,
        package=package,
        tolerance=tolerance_of(job.facility),
        auto_id=f"package-{package.number}-%s",
    )
    if not form.is_valid():
        context = _context(request, job, package.number, weight_form=form)
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
def job_record(request, pk):
    """Keep what was recorded of the goods, a serial number for example."""
    job = _job(request, pk)
    form = RecordForm(request.POST, lines=job.lines.all())
    if not form.is_valid():
        context = _context(request, job, None, record_form=form)
        return render(request, "packing/packjob_detail.html", context, status=422)
    if form.changes:
        packing.record(job.pk, form.changes, by=request.user, now=timezone.now())
    return _answer(request, job)


@require_POST
@at_facility(Permission.PACK)
def job_close(request, pk):
    job = packing.close(_job(request, pk).pk, by=request.user, now=timezone.now())
    return redirect("shipping:pack-done", request.facility.slug, job.pk)
