"""The door: a load is opened per carrier, parcels are scanned onto it, the driver signs."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fulfillment.core.access import at_facility, permissions_at
from fulfillment.core.devices import for_devices, read_action, reply
from fulfillment.core.models import Carrier, Permission

from . import loads
from .load_forms import CloseForm, CodeForm, ReopenForm, ScanForm
from .models import Load

PAGE_SIZE = 25


def _load(request, pk):
    return get_object_or_404(Load.objects.at(request.facility).for_list(), pk=pk)


def _detail(request, load):
    return redirect("shipping:load-detail", request.facility.slug, load.pk)


@require_safe
@at_facility(Permission.HAND_OVER)
def load_list(request):
    page = Paginator(Load.objects.at(request.facility).for_list(), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    return render(request, "shipping/load_list.html", {"page": page})


@require_POST
@at_facility(Permission.HAND_OVER)
def load_open(request):
    """Begin to load for a carrier, or go on with the load that is open."""
    carrier = Carrier.objects.filter(key=request.POST.get("carrier", "")[:50]).first()
    if carrier is None:
        messages.error(request, _("Choose a carrier."))
        return redirect("shipping:handover-list", request.facility.slug)
    return _detail(request, loads.open_load(request.facility, carrier, by=request.user, now=timezone.now()))


def _page(request, load, *, status=200, reopen_form=None):
    context = {
        "load": load,
        "loaded": load.loaded.select_related("parcel__shipment__order"),
        "left_behind": loads.left_behind(load) if load.status == Load.Status.OPEN else [],
        "undecided": loads.undecided(load) if load.status == Load.Status.OPEN else [],
        "leaves_today": load.cutoff_at and timezone.localdate(load.cutoff_at) == timezone.localdate(),
        "scan_form": CodeForm(),
        "scan_texts": loads.screen_texts(),
        "reopen_form": reopen_form or ReopenForm(),
        "may_reopen": Permission.SUPERVISE in permissions_at(request.user, request.facility),
        "is_drawn": load.manifest_id is not None,
    }
    template = "shipping/load_detail.html"
    return render(request, f"{template}#work" if request.htmx else template, context, status=status)


@require_safe
@at_facility(Permission.HAND_OVER)
def load_detail(request, pk):
    return _page(request, _load(request, pk))


@require_POST
@for_devices
@at_facility(Permission.HAND_OVER)
def load_scan(request):
    """One scan as JSON: ``{id, load, code, at}``. 200 loaded, 422 refused, 409 stale, 401 not signed in, 400 unreadable."""
    form, refusal = read_action(request, ScanForm)
    if refusal:
        return refusal
    data = form.cleaned_data
    scan = loads.Scan(data["id"], data["load"], data["code"].strip(), data["at"])
    answer = loads.act(scan, facility=request.facility, by=request.user, now=timezone.now())
    return reply(answer)


@require_POST
@at_facility(Permission.HAND_OVER)
def load_add(request, pk):
    """A code from the plain form: the same as a scan, with the page as its answer."""
    load, form = _load(request, pk), CodeForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Scan or type a code."))
        return _detail(request, load)
    loaded = loads.add(load.pk, form.cleaned_data["code"].strip(), by=request.user, now=timezone.now())
    messages.success(request, _("%(parcel)s is loaded.") % {"parcel": loaded.parcel.shown_number})
    return _detail(request, load)


@require_POST
@at_facility(Permission.HAND_OVER)
def load_take_off(request, pk, parcel_pk):
    load = _load(request, pk)
    loaded = get_object_or_404(load.loaded, parcel=parcel_pk)
    parcel = loads.take_off(load.pk, loaded.parcel_id, by=request.user, now=timezone.now())
    messages.info(request, _("%(parcel)s is taken off.") % {"parcel": parcel.shown_number})
    return _detail(request, load)


@require_http_methods(["GET", "HEAD", "POST"])
@at_facility(Permission.HAND_OVER)
def load_close(request, pk):
    """The driver counts and signs: then the parcels are the carrier's."""
    load = _load(request, pk)
    form = CloseForm(request.POST or None, request.FILES or None, load=load)
    if request.method == "POST" and form.is_valid():
        closed = loads.close(load.pk, **form.cleaned_data, by=request.user, now=timezone.now())
        count = closed.loaded.count()
        words = ngettext(
            "%(count)s parcel is handed over to %(carrier)s.",
            "%(count)s parcels are handed over to %(carrier)s.",
            count,
        )
        messages.success(request, words % {"count": count, "carrier": load.carrier})
        return _detail(request, load)
    context = {"load": load, "form": form, "left_behind": loads.left_behind(load).count()}
    return render(request, "shipping/load_close.html", context, status=422 if form.errors else 200)


@require_POST
@at_facility(Permission.SUPERVISE)
def load_reopen(request, pk):
    load, form = _load(request, pk), ReopenForm(request.POST)
    if not form.is_valid():
        return _page(request, load, reopen_form=form, status=422)
    loads.reopen(load.pk, reason=form.cleaned_data["reason"], by=request.user, now=timezone.now())
    messages.info(request, _("The load is open again. The driver signs anew."))
    return _detail(request, load)


@require_POST
@at_facility(Permission.HAND_OVER)
def load_ask_again(request, pk):
    load = _load(request, pk)
    loads.ask_carrier_again(load.pk, by=request.user, now=timezone.now())
    messages.info(request, _("%(carrier)s is asked again.") % {"carrier": load.carrier})
    return _detail(request, load)
