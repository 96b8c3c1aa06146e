from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fulfillment.core.access import network, permissions_at
from fulfillment.core.models import Permission

from . import inbox, queries, reports, services
from .forms import CorrectionForm, RepairForm, TablesForm
from .kind import BadSignature
from .models import Connection, Delivery, Report
from .registry import KINDS

PER_PAGE = 25

# More than any order of a source; read before the signature can be checked, so it is limited.
LARGEST_BODY = 8 * 1024 * 1024


@csrf_exempt
@require_POST
def webhook(request, pk):
    """Take what a source sends: 401 for a bad signature, 2xx for everything else, whatever is in it."""
    body = request.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        return HttpResponse("The body is too large.", status=413, content_type="text/plain")
    try:
        inbox.receive(pk, request.headers, body, now=timezone.now())
    except BadSignature:
        return HttpResponse("The signature is missing or wrong.", status=401, content_type="text/plain")
    return HttpResponse(status=200)


@require_safe
@network(Permission.ORDERS)
def source_list(request):
    """Every connection with its progress, and the deliveries that somebody has to look at."""
    text = request.GET.get("q", "")
    page = Paginator(queries.parked(text), PER_PAGE).get_page(request.GET.get("page"))
    connections = list(queries.connections())
    for connection in connections:
        connection.progress_words = services.progress_words(connection)
        connection.label = KINDS[connection.kind].label if connection.kind in KINDS else connection.kind
    return render(
        request,
        "sources/source_list.html",
        {
            "connections": connections,
            "page": page,
            "q": text,
            "reports": queries.refused()[:PER_PAGE],
            "may_connect": Permission.CONNECT in permissions_at(request.user),
        },
    )


@require_safe
@network(Permission.ORDERS)
def delivery_detail(request, pk):
    """A delivery: why it is parked, what would become of it, and its content to correct."""
    delivery = get_object_or_404(Delivery.objects.select_related("connection"), pk=pk)
    drafts = services.read_drafts(delivery)
    return render(
        request,
        "sources/delivery_detail.html",
        {
            "delivery": delivery,
            "form": CorrectionForm(initial={"content": services.readable(delivery)}),
            "repair": RepairForm(drafts=drafts),
            "drafts": drafts,
            "imported": queries.imported(delivery),
            "may_connect": Permission.CONNECT in permissions_at(request.user),
        },
    )


@require_POST
@network(Permission.ORDERS)
def delivery_retry(request, pk):
    """Store the correction, then map the delivery again."""
    delivery = get_object_or_404(Delivery.objects.select_related("connection"), pk=pk)
    form = CorrectionForm(request.POST)
    repair = RepairForm(request.POST, drafts=services.read_drafts(delivery))
    if form.is_valid() and repair.is_valid():
        services.correct(delivery.pk, form.cleaned_data["content"], repair.corrections())
    delivery = services.retry(delivery.pk, now=timezone.now())
    if delivery.state == Delivery.State.PARKED:
        messages.error(request, _("It is still parked: %(why)s") % {"why": delivery.reason})
        return redirect("sources:delivery-detail", delivery.pk)
    messages.success(request, _("%(delivery)s: %(state)s. %(why)s") % _outcome(delivery))
    return redirect("sources:source-list")


def _outcome(delivery):
    return {"delivery": delivery, "state": delivery.get_state_display(), "why": delivery.reason}


@require_POST
@network(Permission.ORDERS)
def delivery_close(request, pk):
    """Settle a parked delivery without an order."""
    get_object_or_404(Delivery, pk=pk)
    delivery = services.close(pk, by=request.user, now=timezone.now())
    messages.success(request, _("%(delivery)s is settled without an order.") % {"delivery": delivery})
    return redirect("sources:source-list")


@require_http_methods(["GET", "HEAD", "POST"])
@network(Permission.CONNECT)
def tables(request, pk):
    """The tables of a connection: delivery methods, facilities, carriers, the SKU of lines without one."""
    connection = get_object_or_404(Connection, pk=pk)
    form = TablesForm(request.POST or None, connection=connection)
    if request.method == "POST" and form.is_valid():
        services.set_tables(connection.pk, form.cleaned_data)
        messages.success(request, _("The tables of %(connection)s are saved.") % {"connection": connection})
        return redirect("sources:source-list")
    context = {"connection": connection, "form": form}
    return render(request, "sources/tables.html", context, status=422 if form.errors else 200)


@require_POST
@network(Permission.ORDERS)
def report_retry(request, pk):
    """Send a refused report again."""
    report = get_object_or_404(Report.objects.select_related("imported"), pk=pk)
    reports.retry(report.pk, by=request.user, now=timezone.now())
    messages.success(request, _("It is sent again within seconds."))
    return _to_order(report)


@require_POST
@network(Permission.ORDERS)
def report_close(request, pk):
    """Settle a refused report: a person told the shop."""
    report = get_object_or_404(Report.objects.select_related("imported"), pk=pk)
    reports.close(report.pk, by=request.user)
    messages.success(request, _("It is settled; the shop hears nothing more of it from here."))
    return _to_order(report)


def _to_order(report):
    if report.imported.order_id:
        return redirect("overview:order-detail", report.imported.order_id)
    return redirect("sources:source-list")
