"""Routing by hand in the API: parts that look for another facility, are assigned one, or are tried again."""

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import READ, Access
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.references import facility_in_body
from fulfillment.core.api.schema import Choice, Integer, List, Object, Text, boolean, moment, validate
from fulfillment.core.api.views import ApiView
from fulfillment.core.api.wire import time, words
from fulfillment.core.models import ApiToken, Permission
from fulfillment.core.status import check_version
from orders.models import Order
from routing import reroutes
from routing import services as routing
from routing.models import RerouteDescription, RoutingPlan

from . import wire
from .api import ProcessView

ROUTE = Access(ApiToken.Scope.OPERATIONS, Permission.ROUTING)
MOST = 10
short = Text(200)
reroute_plans = Object(
    optional={
        "routingPlanIds": List(short, most=MOST),
        "orderRefs": List(short, most=MOST),
        "tenantOrderIds": List(Text(255), most=MOST),
        "allReroutable": boolean,
    },
    closed=True,
    one_of=["routingPlanIds", "orderRefs", "tenantOrderIds", "allReroutable"],
    name="RerouteRoutingPlan",
)
process_action = Choice(
    "name",
    {
        "ASSIGN_FACILITY_TO_PROCESS": Object(
            {"name": Text(40), "version": Integer(0), "facilityRef": short},
            {"rerouteDescriptionId": short},
            closed=True,
            name="AssignFacilityToProcessActionParameter",
        )
    },
)


reroute_description_for_creation = Object(
    {"reason": short, "reasonLocalized": words}, closed=True, name="RerouteDescriptionForCreation"
)
reroute_description = Object(
    {
        "id": short,
        "version": Integer(0),
        "created": moment,
        "lastModified": moment,
        "action": Text(choices=["REROUTE"]),
        "reason": short,
        "reasonLocalized": words,
    },
    name="RerouteDescription",
)
reroute_descriptions = Object(
    {
        "rerouteDescriptions": List(reroute_description),
        "reasons": List(reroute_description),
        "total": Integer(0),
    },
    {"hasNextPage": boolean},
    name="RerouteDescriptions",
)


def _represent_description(row):
    return {
        "id": str(row.pk),
        "version": row.version,
        "created": time(row.created_at),
        "lastModified": time(row.modified_at),
        "action": "REROUTE",
        "reason": row.reason,
        "reasonLocalized": row.reasons,
    }


def _words_of(reference):
    """The reason that a ``rerouteDescriptionId`` stands for, "" without one."""
    if not reference:
        return ""
    pk = paging.as_uuid(reference)
    row = RerouteDescription.objects.filter(pk=pk).first() if pk else None
    if row is None:
        raise ValidationError({"rerouteDescriptionId": [f"There is no reason {reference!r}."]})
    return row.reason


class RerouteDescriptionList(ApiView):
    """GET and POST /api/reroutedescriptions"""

    access = {"GET": READ, "POST": ROUTE}

    @operation(
        "listRerouteDescriptions",
        "Reasons for moving a part by hand",
        query=PAGE,
        answers={200: reroute_descriptions},
    )
    def get(self, request):
        size = paging.read_size(request)
        rows, total = paging.page(request, RerouteDescription.objects.all())
        found = [_represent_description(row) for row in rows]
        return Response(
            {
                "rerouteDescriptions": found,
                "reasons": found,
                "total": total,
                "hasNextPage": len(rows) == size,
            }
        )

    @operation(
        "createRerouteDescription",
        "Add a reason; one of the same words is there once",
        body=reroute_description_for_creation,
        answers={201: reroute_description, 303: None},
    )
    def post(self, request):
        data = validate(reroute_description_for_creation, request.data)

        def step(is_second):
            row, is_new = RerouteDescription.objects.get_or_create(
                reason=data["reason"], defaults={"reasons": data["reasonLocalized"]}
            )
            location = {"Location": reverse("api-reroute-descriptions")}
            if not is_new:
                return Response(status=303, headers=location)
            return Response(_represent_description(row), status=201, headers=location)

        return once(request, step)


class RoutingView(ProcessView):
    """What the views share: the parts of the caller's orders, at the caller's facilities."""

    access = {"POST": ROUTE}

    def move(self, orders, plan_ids=None, reason=""):
        """Every part of the orders looks for another facility, or is tried again when it has none."""
        plans = RoutingPlan.objects.filter(order__in=orders)
        if plan_ids is not None:
            plans = plans.filter(pk__in=plan_ids)
        now, by = timezone.now(), self.request.user
        order_ids = set(plans.values_list("order_id", flat=True))
        for plan in self.at_my_facilities(plans.filter(status__in=RoutingPlan.PLACED)).order_by("pk"):
            if not plan.lines.filter(done__gt=0).exists():
                reroutes.reroute(plan.pk, words=reason, may_be_begun=True, by=by, now=now)
        open_again = [*RoutingPlan.TRIED_AGAIN, RoutingPlan.Status.NOT_ROUTABLE]
        waiting = RoutingPlan.objects.filter(order_id__in=order_ids, status__in=open_again)
        for order_id in sorted(set(waiting.values_list("order_id", flat=True))):
            routing.retry(order_id, by=by, now=now)


class RerouteCommand(RoutingView):
    """POST /api/routing/commands/reroute"""

    @operation(
        "reroute",
        "Have parts of orders look for another facility; those without one are tried again",
        body=reroute_plans,
        answers={200: None},
        errors=(422,),
    )
    def post(self, request):
        data = validate(reroute_plans, request.data)

        def step(is_second):
            if data.get("allReroutable"):
                routing.retry_all(by=request.user, now=timezone.now())
            orders = self.orders()
            if references := data.get("orderRefs"):
                self.move(orders.filter(pk__in=_ids(references)))
            if numbers := data.get("tenantOrderIds"):
                self.move(orders.filter(tenant_order_id__in=numbers))
            if references := data.get("routingPlanIds"):
                self.move(orders, _ids(references))
            return Response(None)

        return once(request, step)


def _ids(references):
    return [found for reference in references if (found := paging.as_uuid(reference))]


class RetryNotRoutable(RoutingView):
    """POST /api/processes/retrynotroutable"""

    @operation(
        "retryNotRoutable",
        "Have every part without a facility tried again, in the background",
        answers={204: None},
    )
    def post(self, request):
        def step(is_second):
            routing.retry_all(by=request.user, now=timezone.now())
            return Response(status=204)

        return once(request, step)


class ProcessStep(RoutingView):
    def order(self, pk, version):
        """The order of a process, locked and of that version."""
        order = get_object_or_404(self.orders(), process_id=pk)
        order = Order.objects.lock(pk=order.pk)
        check_version(order, version)
        return order

    def answer(self, pk):
        return Response(self.represent([self.processes().get(process_id=pk)])[0])


class ProcessReroute(ProcessStep):
    """POST /api/processes/{id}/reroute"""

    @operation(
        "rerouteProcess",
        "Have every part of an order that nobody has begun with look for another facility",
        query={"version": Integer(0), "rerouteDescriptionId": short},
        answers={200: wire.process},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        text = request.query_params.get("version", "")
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ValidationError({"version": ["is required: the version of the process that you know"]})
        reason = _words_of(request.query_params.get("rerouteDescriptionId", ""))

        def step(is_second):
            with transaction.atomic():
                order = self.order(pk, int(text))
                self.move(Order.objects.filter(pk=order.pk), reason=reason)
            return self.answer(pk)

        return once(request, step)


class ProcessActions(ProcessStep):
    """POST /api/processes/{id}/actions"""

    @operation(
        "processAction",
        "Assign a facility to what waits of an order",
        body=process_action,
        answers={200: wire.process},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        data = validate(process_action, request.data)
        facility = facility_in_body(self, data)
        reason = _words_of(data.get("rerouteDescriptionId"))

        def step(is_second):
            with transaction.atomic():
                order = self.order(pk, data["version"])
                routing.assign(order.pk, facility.pk, words=reason, by=request.user, now=timezone.now())
            return self.answer(pk)

        return once(request, step)
