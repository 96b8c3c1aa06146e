from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fulfillment.core import outbox
from fulfillment.core.access import at_facility, network, permissions_at
from fulfillment.core.models import Facility, OutboxEntry, Permission
from fulfillment.overview import queries
from fulfillment.overview.forms import CancelForm, OrderSearchForm
from orders import services as order_services
from orders.models import Order
from orders.sources import queries as sources

PER_PAGE = 25


@login_required
@require_safe
def home(request):
    """Send everyone to their work: network staff to the orders, others to their facility or the choice of it."""
    network_wide = permissions_at(request.user)
    if Permission.ORDERS in network_wide:
        return redirect("overview:order-list")
    facilities = list(Facility.objects.visible_to(request.user).order_by("name"))
    if len(facilities) == 1:
        return redirect("overview:facility-home", facilities[0].slug)
    return render(request, "overview/facility_choice.html", {"facilities": facilities})


@require_safe
@at_facility(None)
def facility_home(request):
    """The next work of each role, and how much waits; ``htmx`` gets that part alone."""
    now = timezone.now()
    granted = permissions_at(request.user, request.facility)
    template = "overview/facility_home.html"
    return render(
        request,
        f"{template}#work" if request.htmx else template,
        {
            "work": queries.work_of(request.facility, request.user, now),
            "may": {permission.lower(): True for permission in granted},
            "today": now,
        },
    )


@require_safe
@network(Permission.ORDERS)
def order_list(request):
    form = OrderSearchForm(request.GET)
    orders = queries.with_process_status(Order.objects.for_list())
    if form.is_valid():
        wanted = form.cleaned_data
        if text := wanted["q"].strip():
            orders = queries.search(orders, text)
        if wanted["status"]:
            orders = orders.filter(status=wanted["status"])
        if wanted["progress"]:
            orders = orders.filter(process_status=wanted["progress"])
    page = Paginator(orders.order_by("-pk"), PER_PAGE).get_page(request.GET.get("page"))
    found = queries.processes(page.object_list, timezone.now())
    for order in page.object_list:
        order.process = found[order.pk]
    return render(request, "overview/order_list.html", {"form": form, "page": page})


@require_safe
@network(Permission.ORDERS)
def order_detail(request, pk):
    orders = queries.with_process_status(Order.objects.for_list().prefetch_related("lines__short_records"))
    order = get_object_or_404(orders, pk=pk)
    for line in order.lines.all():
        queries.name_reasons(line.short_records.all())
    return render(
        request,
        "overview/order_detail.html",
        {
            "order": order,
            "process": queries.processes([order], timezone.now())[order.pk],
            "parts": queries.parts(order),
            "return_job": queries.returns_of(order),
            "source": sources.link_of(order),
            "changes": queries.folded(queries.history(order)),
            "may_cancel": order.status in Order.LIVE,
            "may_see_routing": Permission.ROUTING in permissions_at(request.user),
        },
    )


@require_http_methods(["GET", "POST"])
@network(Permission.ORDERS)
def order_cancel(request, pk):
    """Ask, then cancel."""
    order = get_object_or_404(Order, pk=pk)
    form = CancelForm(request.POST or None, initial={"version": order.version})
    if request.method == "POST" and form.is_valid():
        order_services.cancel(
            order.pk,
            by=request.user,
            now=timezone.now(),
            reason=form.cleaned_data["reason"],
            version=form.cleaned_data["version"],
        )
        messages.success(request, _("Order %(order)s is cancelled.") % {"order": order})
        return redirect("overview:order-detail", order.pk)
    return render(request, "overview/order_cancel.html", {"order": order, "form": form})


@require_POST
@network(Permission.ORDERS)
def order_unlock(request, pk):
    order = get_object_or_404(Order, pk=pk)
    order_services.unlock(order.pk, by=request.user, now=timezone.now())
    messages.success(request, _("Order %(order)s is released for picking.") % {"order": order})
    return redirect("overview:order-detail", order.pk)


@require_safe
@network(Permission.ORDERS)
def work_list(request):
    """What the background could not do."""
    page = Paginator(queries.parked_work(), PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "overview/work_list.html",
        {"page": page, "waiting": queries.waiting_work(timezone.now())},
    )


@require_POST
@network(Permission.ORDERS)
def work_retry(request, pk):
    if not OutboxEntry.objects.filter(pk=pk).exists():
        raise Http404
    _retry(request, [pk])
    return redirect("overview:work-list")


@require_POST
@network(Permission.ORDERS)
def work_retry_all(request):
    _retry(request, list(queries.parked_work().values_list("pk", flat=True)))
    return redirect("overview:work-list")


def _retry(request, ids):
    count = outbox.retry(ids)
    for lane in outbox.lanes_due(timezone.now()):
        outbox.wake(lane)
    messages.success(
        request,
        ngettext("%(count)s step is tried again.", "%(count)s steps are tried again.", count)
        % {"count": count},
    )
