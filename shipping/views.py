"""Labels, parcels and their handover."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility, permissions_at
from fulfillment.core.forms import AssignForm
from fulfillment.core.models import Document, Permission
from fulfillment.core.pdf import join_pdfs
from fulfillment.core.printing import station_of
from fulfillment.core.queries import people_who_may
from fulfillment.core.services import documents, printing
from orders.models import Order
from packing import next_work as to_pack
from packing.models import PackJob

from . import comparing, loads, papers, pickup, pickup_packages, services, uploads
from .forms import (
    CancelForm,
    FindForm,
    PrintForm,
    RefusedForm,
    RevertForm,
    ScanOutForm,
)
from .models import HandoverJob, Parcel, Pickup, Shipment
from .pickup_forms import PackageForm, PinForm, PlaceForm, SeenForm, VouchForm
from .queries import (
    are_papers_awaited,
    handovers_at,
    handovers_named,
    papers_of,
    price_of_goods,
    printable,
    problems_at,
    shipments_at,
)
from .signatures import keep_drawn

PAGE_SIZE = 25
MEDIA_TYPES = {"PDF": "application/pdf", "ZPL": "application/zpl"}


# Labels


def _packed(request, pk):
    """(pack job, its shipment or pick-up or None, its parcels) with their documents."""
    job = get_object_or_404(PackJob.objects.at(request.facility).select_related("order"), pk=pk)
    shipment = Shipment.objects.filter(pick_job=job.pick_job_id).select_related("delivery_note").first()
    if job.kind == Order.Kind.COLLECT:
        return job, Pickup.objects.filter(job__pick_job=job.pick_job_id).select_related("job").first(), []
    papers = ("label", "return_label", "carrier")
    parcels = list(shipment.parcels.live().select_related(*papers)) if shipment else []
    return job, shipment, parcels


@require_safe
@at_facility(Permission.PACK)
def pack_done(request, pk):
    """After packing: the labels as they come, to print. The packer may go on; they come without him."""
    job, holder, parcels = _packed(request, pk)
    station = station_of(request)
    is_early = job.order.is_label_early(timezone.now())
    coming = {"PROCESSING"} if is_early else {"OPEN", "PROCESSING"}
    is_waiting = any(parcel.status in coming for parcel in parcels) or are_papers_awaited(holder)
    context = {
        "ready": sum(parcel.status == Parcel.Status.DONE for parcel in parcels),
        "job": job,
        "shipment": holder,
        "parcels": parcels,
        "is_waiting": is_waiting,
        "is_early": is_early and any(parcel.status == "OPEN" for parcel in parcels),
        "papers": papers_of(holder),
        # One print for the whole job: not before the last label is there.
        "printable": [] if is_waiting else _at_hand(printable(holder, parcels), station),
        "station": station,
        "next_job": to_pack.in_hand(request.facility, request.user)
        or to_pack.waiting(request.facility, request.user).first(),
    }
    template = "shipping/pack_done.html"
    return render(request, f"{template}#labels" if request.htmx else template, context)


def _at_hand(stored, station):
    """What can be printed: a station takes everything; ZPL goes to a label printer, not into a PDF."""
    return [row for row in stored if station is not None or row.format == Document.Format.PDF]


@require_POST
@at_facility(Permission.PACK)
def pack_print(request, pk):
    """Print everything of a pack job: at the station of this device, else as one PDF in the browser."""
    job, holder, parcels = _packed(request, pk)
    stored = _at_hand(printable(holder, parcels), station_of(request))
    if not stored:
        raise Http404
    here = reverse("shipping:pack-documents", args=[request.facility.slug, job.pk])
    return _print(request, job, stored, parcels, here=here)


@require_POST
@at_facility(Permission.PACK)
def document_print(request, pk):
    """Print one document; the form may name the pack job to go back to."""
    stored = get_object_or_404(Document.objects.filter(facility=request.facility), pk=pk)
    form = PrintForm(request.POST)
    jobs = PackJob.objects.at(request.facility)
    job = jobs.filter(pk=form.cleaned_data["job"]).first() if form.is_valid() else None
    parcels = list(
        Parcel.objects.at(request.facility)
        .filter(Q(label=stored) | Q(return_label=stored))
        .select_related("carrier")
    )
    here = reverse("shipping:document", args=[request.facility.slug, stored.pk])
    return _print(request, job, [stored], parcels, here=here)


def _print(request, job, stored, parcels, *, here):
    """Send documents to the station of this device, or note the print and show them at the address ``here``."""
    station, now = station_of(request), timezone.now()
    wanted = papers.as_wanted(stored, parcels, station, now=now)
    jobs = printing.ask(wanted, facility=request.facility, station=station, by=request.user, now=now)
    if station is None:
        return redirect(here)
    text = ngettext("%(n)s document goes to %(station)s.", "%(n)s documents go to %(station)s.", len(jobs))
    messages.success(request, text % {"n": len(jobs), "station": station})
    if job is None:
        return redirect("core:print-list", request.facility.slug)
    return redirect("shipping:pack-done", request.facility.slug, job.pk)


@require_safe
@xframe_options_sameorigin
@at_facility(Permission.PACK)
def pack_documents(request, pk):
    """All documents of a pack job as one PDF: the stored pages one after the other, nothing is drawn again."""
    job, holder, parcels = _packed(request, pk)
    stored = _at_hand(printable(holder, parcels), None)
    if not stored:
        raise Http404
    return _file(join_pdfs([documents.read(row) for row in stored]), "PDF", f"{job.short_id}.pdf")


@require_safe
@at_facility(Permission.SHIP)
def shipment_list(request):
    form = FindForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    text, status = wanted.get("q", ""), wanted.get("status", "")
    now = timezone.now()
    page = Paginator(shipments_at(request.facility, status=status, text=text), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    return render(
        request,
        "shipping/shipment_list.html",
        {
            "form": form,
            "page": page,
            "early": {row.pk for row in page if row.order.is_label_early(now)},
            "is_filtered": bool(text or status),
            "problems": problems_at(request.facility).count() + len(comparing.with_strays(request.facility)),
        },
    )


@require_POST
@at_facility(Permission.SHIP)
def shipment_request(request, pk):
    """Ask for the labels of a shipment that had no carrier."""
    shipment = get_object_or_404(Shipment.objects.at(request.facility), pk=pk)
    services.request_labels(shipment.pk, by=request.user, now=timezone.now())
    messages.info(request, _("The labels are being made."))
    return redirect("shipping:shipment-list", request.facility.slug)


@require_safe
@xframe_options_sameorigin
@at_facility(None)
def document(request, pk):
    """The stored bytes of a document, always the same. Shown in the browser, so that it can print them."""
    papers = Document.objects.filter(facility=request.facility).exclude(category=Document.Category.PHOTO)
    stored = get_object_or_404(papers, pk=pk)
    # What came from outside is never shown under our own address.
    is_foreign = stored.template == uploads.TEMPLATE
    return _file(documents.read(stored), stored.format, stored.name, as_attachment=is_foreign)


def _file(data, format, name, *, as_attachment=False):  # noqa: A002
    return HttpResponse(
        data,
        content_type=MEDIA_TYPES[format],
        headers={
            "Content-Disposition": content_disposition_header(as_attachment=as_attachment, filename=name),
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


# Handover


@require_safe
@at_facility(Permission.HAND_OVER)
def handover_list(request):
    asked = FindForm(request.GET)
    text = asked.cleaned_data["q"] if asked.is_valid() else ""
    return render(
        request,
        "shipping/handoverjob_list.html",
        {
            "handovers": handovers_at(request.facility, text),
            "form": ScanOutForm(),
            "text": text,
            "may_return": Permission.RETURNS in permissions_at(request.user, request.facility),
        },
    )


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_scan(request):
    """A parcel scanned at the door goes onto its carrier's load; what a customer shows and a short id open a handover."""
    form = ScanOutForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Scan or type a code."))
        return redirect("shipping:handover-list", request.facility.slug)
    code, who = form.cleaned_data["code"], {"by": request.user, "now": timezone.now()}
    shown = pickup.find(request.facility, code, by=request.user)
    if len(shown) == 1:
        # What the customer showed was found by: it need not be shown again.
        step = pickup.show_pin if code.isdigit() else pickup.show_qr
        step(shown[0].pk, code, **who)
        return redirect("shipping:handover-detail", request.facility.slug, shown[0].pk)
    job = pickup_packages.find(request.facility, code)
    if job is not None:
        return redirect("shipping:handover-detail", request.facility.slug, job.pk)
    named = handovers_named(request.facility, code)
    if len(named) == 1:
        return redirect("shipping:handover-detail", request.facility.slug, named[0].pk)
    if named:
        address = reverse("shipping:handover-list", args=[request.facility.slug])
        return redirect(f"{address}?{urlencode({'q': code})}")
    loaded = loads.loaded_with(request.facility, code)
    if loaded is not None:
        messages.warning(request, loads.AlreadyOnThisLoad(parcel=loaded.parcel.shown_number).message)
    else:
        loaded = loads.add_anywhere(request.facility, code, **who)
        messages.success(request, _("%(parcel)s is loaded.") % {"parcel": loaded.parcel.shown_number})
    return redirect("shipping:load-detail", request.facility.slug, loaded.load_id)


def _handover(request, pk):
    jobs = HandoverJob.objects.at(request.facility).select_related("order", "parcel__carrier", "pickup")
    return get_object_or_404(jobs, pk=pk)


def _handover_page(request, job, *, status=200, **forms):
    """The page of a handover; ``forms`` are those that were not filled in right, by their name on the page."""
    now = timezone.now()
    is_supervised = Permission.SUPERVISE in permissions_at(request.user, request.facility)
    lines = list(job.lines.all())
    context = {
        "job": job,
        "assign_form": AssignForm.of(job, people_who_may(Permission.HAND_OVER, request.facility))
        if is_supervised and job.status in HandoverJob.UNFINISHED
        else None,
        "refused_form": RefusedForm(lines=lines),
        "cancel_form": CancelForm(lines=lines),
        "revert_form": RevertForm(),
        "is_open": job.status in HandoverJob.UNFINISHED,
        "may_revert": job.handed_over_at and now - job.handed_over_at <= services.REVERT_WITHIN,
    }
    if job.channel == HandoverJob.Channel.COLLECT:
        asked = pickup.settings_at(job.facility_id)
        at_counter = getattr(job, "pickup", None)
        packages = list(pickup_packages.packages_at_the_counter(at_counter))
        context |= {
            "pickup": at_counter,
            "packages": packages,
            "unscanned": [one for one in packages if asked.asks_for_packages and one.fetched_at is None],
            "package_form": PackageForm(),
            "asked": asked,
            "asks_who": context["is_open"] and asked.asks_for_code and not (at_counter and at_counter.shown),
            "papers": papers_of(at_counter),
            "pin_form": PinForm(),
            "place_form": PlaceForm(initial={"place": at_counter.place if at_counter else ""}, job=job),
            "seen_form": SeenForm(asked=asked, is_paid=job.is_paid),
            "goods_value": None if job.is_paid else price_of_goods(job),
            "vouch_form": VouchForm(),
            "may_vouch": is_supervised,
        }
    return render(request, "shipping/handoverjob_detail.html", context | forms, status=status)


@require_safe
@at_facility(Permission.HAND_OVER)
def handover_detail(request, pk):
    return _handover_page(request, _handover(request, pk))


@require_POST
@at_facility(Permission.SUPERVISE)
def handover_assign(request, pk):
    """Save who hands something over."""
    job = _handover(request, pk)
    form = AssignForm(request.POST, people=people_who_may(Permission.HAND_OVER, request.facility))
    if form.is_valid():
        services.assign_handover(job.pk, **form.cleaned_data, by=request.user, now=timezone.now())
        messages.success(request, _("%(job)s: saved.") % {"job": job})
    else:
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return redirect("shipping:handover-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_confirm(request, pk):
    job = _handover(request, pk)
    form = RefusedForm(request.POST, lines=job.lines.all())
    who = {"by": request.user, "now": timezone.now()}
    if job.channel == HandoverJob.Channel.DELIVERY:
        if not form.is_valid():
            return _handover_page(request, job, refused_form=form, status=422)
        services.hand_over(job.pk, refused=form.refused, **who)
    else:
        asked = pickup.settings_at(job.facility_id)
        seen = SeenForm(request.POST, request.FILES, asked=asked, is_paid=job.is_paid)
        if not (form.is_valid() & seen.is_valid()):
            keep_drawn(seen)
            return _handover_page(request, job, refused_form=form, seen_form=seen, status=422)
        pickup.hand_over(job.pk, refused=form.refused, missing=form.missing, **seen.cleaned_data, **who)
    messages.success(request, _("%(job)s is handed over.") % {"job": job})
    return redirect("shipping:handover-list", request.facility.slug)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_cancel(request, pk):
    job = _handover(request, pk)
    form = CancelForm(request.POST, lines=job.lines.all())
    if not form.is_valid():
        return _handover_page(request, job, cancel_form=form, status=422)
    reason, missing = form.cleaned_data["reason"], form.missing
    job = services.cancel_handover(job.pk, reason, missing=missing, by=request.user, now=timezone.now())
    if any(line.there for line in job.lines.all()):
        messages.info(request, _("%(job)s will not be handed over. Put the goods back.") % {"job": job})
    else:
        messages.info(request, _("%(job)s will not be handed over.") % {"job": job})
    return redirect("shipping:handover-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_revert(request, pk):
    job, form = _handover(request, pk), RevertForm(request.POST)
    if not form.is_valid():
        return _handover_page(request, job, revert_form=form, status=422)
    services.revert(job.pk, reason=form.cleaned_data["reason"], by=request.user, now=timezone.now())
    messages.info(request, _("The handover of %(job)s is taken back.") % {"job": job})
    return redirect("shipping:handover-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_go_on(request, pk):
    """What a handover waited for is decided."""
    job = _handover(request, pk)
    services.go_on(job.pk, by=request.user, now=timezone.now())
    messages.info(request, _("%(job)s goes on.") % {"job": job})
    return redirect("shipping:handover-detail", request.facility.slug, job.pk)
