"""Parts without a facility, and why each order went where it went."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fulfillment.core.access import network
from fulfillment.core.models import Permission
from orders.models import Order

from . import configurations, services, trials
from .decisions import explain, explain_draft
from .forms import AssignForm
from .models import RoutingPlan, RoutingTrial

PAGE_SIZE = 25
TRIED = [100, 1000, 10_000]  # decisions of the past
LISTED_TRIALS = 10


@require_safe
@network(Permission.ROUTING)
def open_plans(request):
    """Parts of orders that no facility could take yet, with the reason."""
    plans = (
        RoutingPlan.objects.filter(
            status__in=[*RoutingPlan.TRIED_AGAIN, RoutingPlan.Status.NOT_ROUTABLE],
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
    if any(plan.facility_id is None for plan in plans):
        messages.warning(request, _("%(order)s still has a part without a facility.") % {"order": order})
    else:
        messages.success(request, _("%(order)s is routed.") % {"order": order})
    return redirect("routing:decision", order.pk)


@require_POST
@network(Permission.ROUTING)
def order_assign(request, pk):
    """Give what waits of an order to the facility that a person chose."""
    order = get_object_or_404(Order, pk=pk)
    form = AssignForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a facility."))
        return redirect("routing:decision", order.pk)
    facility = form.cleaned_data["facility"]
    services.assign(
        order.pk,
        facility.pk,
        is_partly=form.cleaned_data["is_partly"],
        by=request.user,
        now=timezone.now(),
    )
    messages.success(request, _("%(facility)s takes %(order)s.") % {"facility": facility, "order": order})
    return redirect("routing:decision", order.pk)


@require_POST
@network(Permission.ROUTING)
def plan_reroute(request, pk):
    """Take a part from its facility and look for another one."""
    plan = get_object_or_404(RoutingPlan, pk=pk)
    words = request.POST.get("reason", "").strip()[:200]
    services.reroute(plan.pk, words=words, by=request.user, now=timezone.now())
    messages.success(request, _("Another facility is looked for."))
    return redirect("routing:decision", plan.order_id)


@require_POST
@network(Permission.ROUTING)
def retry_all(request):
    """Have every part without a facility tried again."""
    services.retry_all(by=request.user, now=timezone.now())
    messages.success(request, _("A worker tries all of them again."))
    return redirect("routing:open-plans")


@require_safe
@network(Permission.ROUTING)
def decision(request, pk):
    """Every run of an order with all its numbers."""
    order = get_object_or_404(Order.objects.select_related("channel"), pk=pk)
    context = {
        "order": order,
        "plans": order.routing_plans.select_related("facility").prefetch_related("lines__order_line"),
        "runs": explain(order),
        "form": AssignForm(),
    }
    return render(request, "routing/decision.html", context)


@require_safe
@network(Permission.ROUTING)
def decision_draft(request, pk):
    """What the draft would make of an order as it stood, beside what holds; nothing is written."""
    order = get_object_or_404(Order.objects.select_related("channel"), pk=pk)
    runs = explain_draft(order, configurations.draft_tree())
    return render(request, "routing/decision_draft.html", {"order": order, "runs": runs})


@require_http_methods(["GET", "HEAD", "POST"])
@network(Permission.ROUTING)
def trial_list(request):
    """Ask what the draft would have made of the last orders."""
    if request.method == "POST":
        wanted = request.POST.get("count", "")
        count = int(wanted) if wanted in map(str, TRIED) else TRIED[0]
        trial = trials.ask(count, by=request.user, now=timezone.now())
        return redirect("routing:trial-detail", trial.pk)
    draft = configurations.complete_draft()
    number, differences = configurations.differences(draft)
    context = {
        "number": number,
        "differences": differences,
        "counts": TRIED,
        "draft": draft,
        "trials": RoutingTrial.objects.select_related("created_by")[:LISTED_TRIALS],
    }
    return render(request, "routing/trial_list.html", context)


@require_safe
@network(Permission.ROUTING)
def trial_detail(request, pk):
    """How far a trial is and what it found: figures, load per facility, every order that goes elsewhere."""
    trial = get_object_or_404(RoutingTrial.objects.select_related("revision"), pk=pk)
    context = {
        "trial": trial,
        "figures": trials.figures(trial),
        "loads": trials.loads(trial),
        "changed": Paginator(trials.changed(trial), PAGE_SIZE).get_page(request.GET.get("page")),
        "map": trials.MAP,
    }
    template = "routing/trial_detail.html" + ("#result" if request.htmx else "")
    return render(request, template, context)
