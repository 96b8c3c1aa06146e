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
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import at_facility
from fulfillment.core.models import Document, Permission
from fulfillment.core.pdf import join_pdfs
from fulfillment.core.services import documents
from packing.models import PackJob

from . import booking, services
from .forms import CancelForm, FindForm, NumberForm, RecipientForm, RefusedForm, RevertForm, ScanOutForm
from .models import HandoverJob, Parcel, Shipment
from .queries import handovers_at, printable, shipments_at

PAGE_SIZE = 25
MEDIA_TYPES = {"PDF": "application/pdf", "ZPL": "application/zpl"}


# Labels


def _packed(request, pk):
    """(pack job, its shipment or None, its parcels) with their documents."""
    job = get_object_or_404(PackJob.objects.at(request.facility).select_related("order"), pk=pk)
    shipment = Shipment.objects.filter(pick_job=job.pick_job_id).select_related("delivery_note").first()
    parcels = list(shipment.parcels.select_related("label", "return_label", "carrier")) if shipment else []
    return job, shipment, parcels


@require_safe
@at_facility(Permission.PACK)
def pack_done(request, pk):
    """After packing: the labels as they come, to print. The packer may go on; they come without him."""
    job, shipment, parcels = _packed(request, pk)
    is_waiting = any(parcel.status in {"OPEN", "PROCESSING"} for parcel in parcels)
    context = {
        "job": job,
        "shipment": shipment,
        "parcels": parcels,
        "is_waiting": is_waiting,
        # One print for the whole job: not before the last label is there.
        "printable": [] if is_waiting else printable(shipment, parcels),
        "next_job": PackJob.objects.at(request.facility)
        .open()
        .for_list()
        .exclude(Q(status=PackJob.Status.IN_PROGRESS) & ~Q(editor=request.user))
        .first(),
    }
    template = "shipping/pack_done.html"
    return render(request, f"{template}#labels" if request.htmx else template, context)


@require_safe
@xframe_options_sameorigin
@at_facility(Permission.PACK)
def pack_documents(request, pk):
    """All documents of a pack job as one PDF: the stored pages one after the other, nothing is drawn again."""
    job, shipment, parcels = _packed(request, pk)
    stored = printable(shipment, parcels)
    if not stored:
        raise Http404
    return _file(join_pdfs([documents.read(row) for row in stored]), "PDF", f"{job.short_id}.pdf")


@require_safe
@at_facility(Permission.SHIP)
def shipment_list(request):
    form = FindForm(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    text, status = wanted.get("q", ""), wanted.get("status", "")
    page = Paginator(shipments_at(request.facility, status=status, text=text), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    return render(
        request,
        "shipping/shipment_list.html",
        {"form": form, "page": page, "is_filtered": bool(text or status)},
    )


def _parcel(request, pk):
    parcels = Parcel.objects.at(request.facility).select_related(
        "shipment__order", "shipment__delivery_note", "carrier", "label", "return_label", "package"
    )
    return get_object_or_404(parcels, pk=pk)


def _parcel_page(request, parcel, *, recipient_form=None, number_form=None, status=200):
    form = recipient_form or RecipientForm(initial=parcel.shipment.recipient)
    for name, text in parcel.problem.get("fields", []):
        if name in form.fields and recipient_form is None:
            form.fields[name].help_text = text
    context = {
        "parcel": parcel,
        "shipment": parcel.shipment,
        "recipient": booking.recipient_of(parcel.shipment),
        "recipient_form": form,
        "number_form": number_form or NumberForm(),
        "needs_person": parcel.status in {Parcel.Status.FAILED, Parcel.Status.WAITING_FOR_INPUT},
        "is_manual": parcel.problem.get("outcome") == "MANUAL",
    }
    return render(request, "shipping/parcel_detail.html", context, status=status)


@require_safe
@at_facility(Permission.SHIP)
def parcel_detail(request, pk):
    return _parcel_page(request, _parcel(request, pk))


@require_POST
@at_facility(Permission.SHIP)
def parcel_request(request, pk):
    """Correct the address and ask the carrier again."""
    parcel, form = _parcel(request, pk), RecipientForm(request.POST)
    if not form.is_valid():
        return _parcel_page(request, parcel, recipient_form=form, status=422)
    services.request_again(parcel.pk, recipient=form.cleaned_data, by=request.user, now=timezone.now())
    messages.info(request, _("The label is being made."))
    return redirect("shipping:parcel-detail", request.facility.slug, parcel.pk)


@require_POST
@at_facility(Permission.SHIP)
def parcel_number(request, pk):
    """Take the number that a person got from the carrier."""
    parcel, form = _parcel(request, pk), NumberForm(request.POST)
    if not form.is_valid():
        return _parcel_page(request, parcel, number_form=form, status=422)
    booking.enter_number(parcel.pk, form.cleaned_data["number"], by=request.user, now=timezone.now())
    messages.success(request, _("The label is ready."))
    return redirect("shipping:parcel-detail", request.facility.slug, parcel.pk)


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
    stored = get_object_or_404(Document.objects.filter(facility=request.facility), pk=pk)
    return _file(documents.read(stored), stored.format, stored.name)


def _file(data, format, name):  # noqa: A002
    return HttpResponse(
        data,
        content_type=MEDIA_TYPES[format],
        headers={
            "Content-Disposition": content_disposition_header(as_attachment=False, filename=name),
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


# Handover


@require_safe
@at_facility(Permission.HAND_OVER)
def handover_list(request):
    text = request.GET.get("q", "")[:120]
    return render(
        request,
        "shipping/handoverjob_list.html",
        {"handovers": handovers_at(request.facility, text), "form": ScanOutForm(), "text": text},
    )


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_scan(request):
    """A parcel scanned at the door is handed over; a typed short id opens its handover."""
    form = ScanOutForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Scan or type a code."))
        return redirect("shipping:handover-list", request.facility.slug)
    code = form.cleaned_data["code"]
    named = HandoverJob.objects.at(request.facility).open().filter(short_id__iexact=code)[:2]
    if len(named) == 1:
        return redirect("shipping:handover-detail", request.facility.slug, named[0].pk)
    if named:
        address = reverse("shipping:handover-list", args=[request.facility.slug])
        return redirect(f"{address}?{urlencode({'q': code})}")
    job = services.find_parcel(request.facility, code)
    services.hand_over(job.pk, by=request.user, now=timezone.now())
    messages.success(request, _("%(job)s is handed over to the carrier.") % {"job": job})
    return redirect("shipping:handover-list", request.facility.slug)


def _handover(request, pk):
    jobs = HandoverJob.objects.at(request.facility).select_related("order", "parcel__carrier")
    return get_object_or_404(jobs, pk=pk)


def _handover_page(request, job, *, refused_form=None, status=200):
    now = timezone.now()
    context = {
        "job": job,
        "lines": job.lines.all(),
        "refused_form": refused_form or RefusedForm(lines=job.lines.all()),
        "cancel_form": CancelForm(),
        "revert_form": RevertForm(),
        "is_open": job.status in HandoverJob.UNFINISHED,
        "may_revert": job.handed_over_at and now - job.handed_over_at <= services.REVERT_WITHIN,
    }
    return render(request, "shipping/handoverjob_detail.html", context, status=status)


@require_safe
@at_facility(Permission.HAND_OVER)
def handover_detail(request, pk):
    return _handover_page(request, _handover(request, pk))


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_confirm(request, pk):
    job = _handover(request, pk)
    form = RefusedForm(request.POST, lines=job.lines.all())
    if not form.is_valid():
        return _handover_page(request, job, refused_form=form, status=422)
    services.hand_over(job.pk, refused=form.refused, by=request.user, now=timezone.now())
    messages.success(request, _("%(job)s is handed over.") % {"job": job})
    return redirect("shipping:handover-list", request.facility.slug)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_cancel(request, pk):
    job, form = _handover(request, pk), CancelForm(request.POST)
    if form.is_valid():
        services.cancel_handover(job.pk, form.cleaned_data["reason"], by=request.user, now=timezone.now())
        messages.info(request, _("%(job)s will not be handed over. Put the goods back.") % {"job": job})
    return redirect("shipping:handover-detail", request.facility.slug, job.pk)


@require_POST
@at_facility(Permission.HAND_OVER)
def handover_revert(request, pk):
    job = _handover(request, pk)
    services.revert(job.pk, reason=request.POST.get("reason", "")[:200], by=request.user, now=timezone.now())
    messages.info(request, _("The handover of %(job)s is taken back.") % {"job": job})
    return redirect("shipping:handover-detail", request.facility.slug, job.pk)
