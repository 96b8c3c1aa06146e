import datetime
import hashlib
import json
from pathlib import Path

from django.conf import settings
from django.contrib import messages
from django.contrib.staticfiles import finders
from django.core.paginator import Paginator
from django.db import DatabaseError
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_safe

from .access import at_facility
from .forms import GoodsReceiptForm, SearchForm, StockCorrectionForm
from .models import Heartbeat, Listing, Permission, Stock
from .queries import stock_at
from .services import stock as stock_service

SIGN_OF_LIFE = datetime.timedelta(seconds=60)
PAGE_SIZE = 25


@require_safe
@never_cache
def api_status(request):
    """The same for programs: UP, DEGRADED while no worker is alive, DOWN without a database."""
    try:
        return JsonResponse({"status": "DEGRADED" if _silent_lanes() else "UP"})
    except DatabaseError:
        return JsonResponse({"status": "DOWN"}, status=503)


def _silent_lanes():
    """Lanes on which no worker was alive in the last minute; asks the database."""
    beats = dict(Heartbeat.objects.values_list("lane", "at"))
    oldest = timezone.now() - SIGN_OF_LIFE
    return [lane for lane in settings.LANES if lane not in beats or beats[lane] < oldest]


@require_safe
@never_cache
def healthz(request):
    """200 when the database answers and a worker was alive on every lane in the last minute, else 503."""
    try:
        silent = _silent_lanes()
    except DatabaseError as error:
        return JsonResponse({"database": type(error).__name__, "worker": "unknown"}, status=503)
    body = {
        "database": "ok",
        "worker": f"silent on {', '.join(silent)}" if silent else "ok",
    }
    return JsonResponse(body, status=503 if silent else 200)


# What the pick pages load: kept on the device by the service worker.
SHELL = [
    "css/app.css",
    "css/tokens.css",
    "css/base.css",
    "css/components.css",
    "css/screens.css",
    "css/floor.css",
    "css/runs.css",
    "img/logo.svg",
    "js/feedback.js",
    "js/floormap.js",
    "js/lock.js",
    "js/pick.js",
    "js/pickjob.js",
    "js/picklist.js",
    "js/practice.js",
    "js/queue.js",
    "js/reach.js",
    "js/scaninput.js",
    "js/tasks.js",
    "js/ui.js",
    "js/waiting.js",
    "django_htmx/htmx-2.min.js",
]


@require_safe
@cache_control(no_cache=True)
def service_worker(request):
    """``/sw.js``: at the root, so that it may answer for the pages under ``/f/``; its text changes with their files."""
    assets = sorted({static(name) for name in SHELL})
    context = {
        "version": hashlib.sha256("".join(map(_fingerprint, SHELL)).encode()).hexdigest()[:12],
        "assets": json.dumps(assets),
        "offline": reverse("offline"),
        "sign_in": reverse("login"),
        "static": static(""),
    }
    return render(request, "sw.js", context, content_type="text/javascript")


def _fingerprint(name):
    found = finders.find(name)
    return hashlib.sha256(Path(found).read_bytes()).hexdigest() if found else name


@require_safe
def offline(request):
    """What a device shows that asks for a page without a connection; the service worker keeps it."""
    return render(request, "offline.html")


@require_safe
@at_facility(Permission.STOCK)
def stock_list(request):
    """What is in stock here: per article, and per place."""
    form = SearchForm(request.GET if request.GET.get("q") else None)
    text = form.cleaned_data["q"] if form.is_valid() else ""
    listings = stock_at(request.facility, text, timezone.localdate())
    page = Paginator(listings, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "core/stock_list.html", {"form": form, "text": text, "page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@at_facility(Permission.STOCK)
def goods_receipt(request):
    """Book units that arrived; afterwards the form is ready for the next article."""
    form = GoodsReceiptForm(request.POST or None, facility=request.facility)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        stock_service.receive(
            request.facility,
            data["article"].sku,
            data["units"],
            location=data["location"],
            expires_on=data["expires_on"],
            reason=data["reason"],
            by=request.user,
            now=timezone.now(),
        )
        messages.success(
            request,
            _("%(units)s × %(article)s booked.") % {"units": data["units"], "article": data["article"]},
        )
        return redirect("core:goods-receipt", request.facility.slug)
    status = 422 if form.is_bound else 200
    return render(request, "core/stock_receive.html", {"form": form.focus()}, status=status)


def _stock_row(request, pk):
    rows = Stock.objects.at(request.facility).select_related(
        "listing__article", "listing__facility", "location"
    )
    return get_object_or_404(rows, pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
@at_facility(Permission.STOCK)
def stock_correct(request, pk):
    """Set the counted value of one place."""
    row = _stock_row(request, pk)
    form = StockCorrectionForm(request.POST or None, initial={"seen": row.value})
    if request.method == "POST" and form.is_valid():
        row = stock_service.correct(row.pk, **form.cleaned_data, by=request.user, now=timezone.now())
        messages.success(
            request,
            _("%(sku)s: %(units)s units counted.") % {"sku": row.listing.article.sku, "units": row.value},
        )
        return redirect("core:stock-movements", request.facility.slug, row.pk)
    status = 422 if form.is_bound else 200
    return render(request, "core/stock_correct.html", {"row": row, "form": form.focus()}, status=status)


@require_safe
@at_facility(Permission.STOCK)
def stock_movements(request, pk):
    """Every change of one place's value, the latest first."""
    row = _stock_row(request, pk)
    page = Paginator(row.movements.select_related("by"), PAGE_SIZE).get_page(request.GET.get("page"))
    listing = Listing.objects.with_available(timezone.localdate()).get(pk=row.listing_id)
    return render(request, "core/stock_movements.html", {"row": row, "listing": listing, "page": page})
