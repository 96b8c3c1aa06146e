"""Parts without a facility, and why each order went where it went."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from fulfillment.core.access import network
from fulfillment.core.models import Permission
from orders.models import Order

from . import services
from .decisions import explain
from .models import RoutingPlan

PAGE_SIZE = 25


@require_safe
@network(Permission.ROUTING)
def open_plans(request):
    """Parts of orders that no facility could take yet, with the reason."""
    plans = (
        RoutingPlan.objects.filter(
            status__in=[RoutingPlan.Status.RETRYABLE, RoutingPlan.Status.NOT_ROUTABLE],
        )
        .select_related("order")
        .prefetch_related("lines__order_line")
        .order_by("created_at", "pk")
    )
    page = Paginator(plans, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "routing/plan_list.html", {"page": page})


@require_POST
@network(Permission.ROUTING)
def order_route(request, pk):
    """Try the parts of an order again, because a person asks."""
    order = get_object_or_404(Order, pk=pk)
    plans = services.route_again(order.pk, by=request.user, now=timezone.now())
    if any(plan.status == RoutingPlan.Status.RETRYABLE for plan in plans):
        messages.warning(request, _("%(order)s still has a part without a facility.") % {"order": order})
    else:
        messages.success(request, _("%(order)s is routed.") % {"order": order})
    return redirect("routing:decision", order.pk)


@require_safe
@network(Permission.ROUTING)
def decision(request, pk):
    """Every run of an order with all its numbers."""
    order = get_object_or_404(Order.objects.select_related("channel"), pk=pk)
    context = {
        "order": order,
        "plans": order.routing_plans.select_related("facility").prefetch_related("lines__order_line"),
        "runs": explain(order),
    }
    return render(request, "routing/decision.html", context)
