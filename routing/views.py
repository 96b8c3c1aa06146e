"""Parts without a facility, and why each order went where it went."""

import dataclasses

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from fulfillment.core.access import network, permissions_at
from fulfillment.core.models import Permission
from orders import services as orders
from orders.models import Order

from . import configurations, reroutes, services, trials
from .explanations import explain, explain_draft
from .forms import AddressForm, AssignForm, PublishForm, WeightsForm
from .models import RerouteDescription, RoutingPlan, RoutingRevision, RoutingTrial
from .prospects import facilities_of, prospect

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
    reroutes.reroute(plan.pk, words=words, may_be_begun=True, by=request.user, now=timezone.now())
    messages.success(request, _("Another facility is looked for."))
    return redirect("routing:decision", plan.order_id)


@require_POST
@network(Permission.ROUTING)
def retry_all(request):
    """Have every part without a facility tried again."""
    services.retry_all(by=request.user, now=timezone.now())
    messages.success(request, _("A worker tries all of them again."))
    return redirect("routing:open-plans")


@require_POST
@network(Permission.ROUTING)
def order_address(request, pk):
    """Correct the address of an order; its parts are placed anew for it."""
    order = get_object_or_404(Order, pk=pk)
    form = AddressForm(request.POST)
    if not form.is_valid():
        return _decision_page(request, pk, address_form=form, status=422)
    orders.correct_address(order.pk, form.wire, by=request.user, now=timezone.now())
    messages.success(request, _("The address of %(order)s is changed; it is placed anew.") % {"order": order})
    return redirect("routing:decision", order.pk)


@require_safe
@network(Permission.ROUTING)
def decision(request, pk):
    """Every run of an order with all its numbers; ``?facility=`` asks what it would have needed to get the order."""
    if request.htmx:
        order = get_object_or_404(Order, pk=pk)
        return render(request, "routing/decision.html#prospect", _prospect(request, order))
    return _decision_page(request, pk)


def _prospect(request, order):
    """The facilities of the newest run, and what the one that was asked for would have needed."""
    log = order.decisions.select_related("revision", "snapshot").order_by("-run").first()
    if log is None or log.data["fixed"]:
        return {}
    asked = request.GET.get("facility", "")
    return {
        "order": order,
        "candidates": facilities_of(log),
        "prospect": prospect(log, asked, order.lines.all()) if asked else None,
    }


def _decision_page(request, pk, *, address_form=None, status=200):
    order = get_object_or_404(Order.objects.select_related("channel"), pk=pk)
    address = order.shipping_address
    may_move = order.kind == Order.Kind.SHIPPING and order.status in Order.LIVE and address is not None
    if may_move and address_form is None:
        address_form = AddressForm(initial=dataclasses.asdict(address))
    context = {
        "address_form": address_form if may_move else None,
        "order": order,
        "plans": order.routing_plans.select_related("facility").prefetch_related("lines__order_line"),
        "runs": explain(order),
        "form": AssignForm(),
        "reasons": RerouteDescription.objects.order_by("reason"),
        **_prospect(request, order),
    }
    return render(request, "routing/decision.html", context, status=status)


@require_safe
@network(Permission.ROUTING)
def decision_draft(request, pk):
    """What the draft would make of an order as it stood, beside what holds; nothing is written."""
    order = get_object_or_404(Order.objects.select_related("channel"), pk=pk)
    runs = explain_draft(order, configurations.draft_tree())
    number, differences = configurations.differences(configurations.complete_draft())
    context = {"order": order, "runs": runs, "number": number, "is_unchanged": not differences}
    return render(request, "routing/decision_draft.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@network(Permission.ROUTING)
def trial_list(request):
    """The draft: its weights and fences, what it would have made of the last orders, and the revisions before."""
    if request.method == "POST":
        wanted = request.POST.get("count", "")
        count = int(wanted) if wanted in map(str, TRIED) else TRIED[0]
        trial = trials.ask(count, by=request.user, now=timezone.now())
        return redirect("routing:trial-detail", trial.pk)
    return _draft_page(request)


def _draft_page(request, weights_form=None, status=200):
    draft = configurations.complete_draft()
    number, differences = configurations.differences(draft)
    try:
        data = configurations.checked_data(draft)
        facts, unfit = [*configurations.loose_ends(data), *trials.facts(data, now=timezone.now())], ""
    except configurations.UnfitConfiguration as refusal:
        facts, unfit = [], refusal.message
    context = {
        "number": number,
        "weights_form": weights_form or WeightsForm(draft=draft),
        "publish_form": PublishForm(),
        "may_publish": Permission.ROUTING_PUBLISH in permissions_at(request.user),
        "facts": facts,
        "unfit": unfit,
        "history": configurations.history(),
        "differences": differences,
        "counts": TRIED,
        "draft": draft,
        "trials": RoutingTrial.objects.select_related("created_by")[:LISTED_TRIALS],
    }
    return render(request, "routing/trial_list.html", context, status=status)


@require_POST
@network(Permission.ROUTING)
def draft_weigh(request):
    """Change weights and fences of the draft. Nothing routes by it yet."""
    form = WeightsForm(request.POST, draft=configurations.complete_draft())
    if not form.is_valid():
        return _draft_page(request, form, status=422)
    configurations.weigh(form.weights, form.active_fences)
    messages.success(request, _("The draft is saved. Try it before it is published."))
    return redirect("routing:trial-list")


@require_POST
@network(Permission.ROUTING_PUBLISH)
def draft_publish(request):
    """Make the draft the revision that routes from now on."""
    form = PublishForm(request.POST)
    comment = form.cleaned_data["comment"] if form.is_valid() else ""
    revision = configurations.publish(comment=comment, by=request.user, now=timezone.now())
    messages.success(request, _("%(revision)s is in use from now on.") % {"revision": revision})
    return redirect("routing:trial-list")


@require_POST
@network(Permission.ROUTING_PUBLISH)
def revision_use(request, number):
    """Go back to an earlier revision, as the next one."""
    get_object_or_404(RoutingRevision, pk=number)
    revision = configurations.use_again(number, by=request.user, now=timezone.now())
    messages.success(request, _("%(revision)s is in use from now on.") % {"revision": revision})
    return redirect("routing:trial-list")


@require_safe
@network(Permission.ROUTING)
def trial_detail(request, pk):
    """How far a trial is and what it found: figures, load per facility, every order that goes elsewhere."""
    trial = get_object_or_404(RoutingTrial.objects.select_related("revision"), pk=pk)
    page = Paginator(trial.changes.select_related("log__order"), PAGE_SIZE).get_page(request.GET.get("page"))
    loads = trials.loads(trial)
    context = {
        "trial": trial,
        "figures": trials.figures(trial),
        "loads": loads,
        "dots": trials.dots(loads),
        "page": page,
        "changed": trials.named(page.object_list),
        "map": trials.MAP,
    }
    template = "routing/trial_detail.html" + ("#result" if request.htmx else "")
    return render(request, template, context)
