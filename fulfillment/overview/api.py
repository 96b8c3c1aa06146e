"""What reads several stages in the API: routing plans with their pick jobs, processes, histories."""

from django.db.models import Prefetch
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import READ, Access
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.references import at_facilities
from fulfillment.core.api.schema import Text, boolean
from fulfillment.core.api.search import SEARCH, TAGS, Field, payload, search
from fulfillment.core.models import ApiToken, Facility, Permission
from orders.api import OrderView
from picking.models import PickJob
from routing import wire as routing_wire
from routing.models import DecisionLog, RoutingPlan

from . import queries, wire

DECISIONS = Access(ApiToken.Scope.READ, Permission.ROUTING)


class PlanView(OrderView):
    """What the views of routing plans share: the plans of the caller's orders, at the caller's facilities."""

    access = {"GET": READ}

    def plans(self):
        plans = self.at_my_facilities(RoutingPlan.objects.filter(order__in=self.orders()))
        runs = DecisionLog.objects.only("order", "run")
        return plans.select_related("order").prefetch_related(
            "lines__order_line", "successors", Prefetch("order__decisions", runs)
        )

    def represent(self, plans):
        jobs = dict(PickJob.objects.filter(plan__in=plans).values_list("plan", "pk"))
        return [routing_wire.represent(plan, jobs.get(plan.pk)) for plan in plans]


class PlanList(PlanView):
    """GET /api/routingplans"""

    @operation(
        "listRoutingPlans",
        "Routing plans, the newest first",
        query={**PAGE, "orderRef": Text(500), "status": Text(500), "facilityRef": Text(500)},
        answers={200: routing_wire.plans},
    )
    def get(self, request):
        plans = self.plans()
        if (orders := paging.ids(request, "orderRef")) is not None:
            plans = plans.filter(order__in=orders)
        if references := paging.values(request, "facilityRef"):
            plans = at_facilities(plans, references)
        if statuses := paging.values(request, "status"):
            plans = plans.filter(status__in=statuses)
        rows, total = paging.page(request, plans)
        return Response({"routingPlans": self.represent(rows), "total": total})


class PlanDetail(PlanView):
    """GET /api/routingplans/{id}"""

    @operation("getRoutingPlan", "One routing plan", answers={200: routing_wire.plan}, errors=(404,))
    def get(self, request, pk):
        plan = get_object_or_404(self.plans(), pk=pk)
        return Response(self.represent([plan])[0])


class PlanDecision(PlanView):
    """GET /api/routingplans/{id}/decisionlogs/{run}"""

    access = {"GET": DECISIONS}

    @operation(
        "getDecisionLog",
        "Why a run ended as it did",
        answers={200: routing_wire.decision_log},
        errors=(404,),
    )
    def get(self, request, pk, run):
        plan = get_object_or_404(self.plans(), pk=pk)
        log = get_object_or_404(
            DecisionLog.objects.select_related("revision", "snapshot"),
            order=plan.order_id,
            run=run,
            run__lte=plan.run,
        )
        return Response(routing_wire.represent_decision(log, plan))


class PlanSearch(PlanView):
    """POST /api/routingplans/search"""

    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "orderRef": Field("order", "id", is_sortable=True),
        "processId": Field("order__process_id", "id", is_sortable=True),
        "pickJobRef": Field("pick_job", "id"),
        "facilityRef": Field("facility", "id"),
        "status": Field("status", is_sortable=True),
        "orderDate": Field("order__order_date", "time", is_sortable=True),
        "provisioningTime": Field("order__target_time", "time"),
        "reRouteReason": Field("reroute_reason"),
        "splitCount": Field("split_count", "number"),
        "orderLineItems": {"id": Field("lines__order_line", "id")},
        "targetAddress": {"country": Field("order__country")},
        "deliveryPreferences": {
            "targetTime": Field("order__target_time", "time"),
            "collect": {
                "facilityRef": Field("order__collect_facility", "id"),
                "paid": Field("order__is_paid", "boolean"),
            },
        },
    }

    @operation(
        "searchRoutingPlans",
        "Search routing plans",
        body=payload,
        request_example=SEARCH,
        answers={200: routing_wire.plan_page},
    )
    def post(self, request):
        rows, info, total = search(request.data, self.plans(), self.fields)
        answer = {"routingPlans": self.represent(rows), "pageInfo": info}
        return Response(answer if total is None else {**answer, "total": total})


class ProcessView(OrderView):
    """What the views of processes share. A process is derived from its order and the stages; its version is the order's."""

    access = {"GET": READ}

    def processes(self):
        return queries.with_process_status(self.orders())

    def represent(self, orders):
        progress = queries.processes(orders, timezone.now())
        references = queries.references(orders)
        return [wire.represent_process(order, progress[order.pk], references[order.pk]) for order in orders]


class ProcessLookup(ProcessView):
    """GET /api/process"""

    paths = {
        "orderRef": "pk",
        "pickJobRef": "pick_jobs",
        "shipmentRef": "shipments",
        "handoverJobRef": "handover_jobs",
    }

    @operation(
        "findProcess",
        "The process of an order, pick job, shipment or handover job",
        query=dict.fromkeys([*paths, "tenantOrderId"], Text(255)),
        answers={200: wire.process},
        errors=(404,),
    )
    def get(self, request):
        given = {name: value for name in self.paths if (value := request.query_params.get(name))}
        number = request.query_params.get("tenantOrderId")
        if not given and not number:
            raise ValidationError({"query": [f"needs one of {', '.join([*self.paths, 'tenantOrderId'])}"]})
        orders = self.processes()
        for name, value in given.items():
            orders = orders.filter(**{self.paths[name]: paging.as_uuid(value)})
        if number:
            orders = orders.filter(tenant_order_id=number)
        order = orders.order_by("-pk").first()  # a number that was used again means its newest order
        if order is None:
            raise Http404
        return Response(self.represent([order])[0])


class ProcessDetail(ProcessView):
    """GET /api/processes/{id}"""

    @operation("getProcess", "One process", answers={200: wire.process}, errors=(404,))
    def get(self, request, pk):
        return Response(self.represent([get_object_or_404(self.processes(), process_id=pk)])[0])


class ProcessHistory(ProcessView):
    """GET /api/processes/{id}/historylogs"""

    @operation(
        "listProcessHistory",
        "What happened to an order, the newest first",
        query={
            **PAGE,
            **dict.fromkeys(("type", "username", "facilityName", "orderBy"), Text(255)),
            "filterConsecutiveDuplicates": boolean,
        },
        answers={200: wire.history_logs},
        errors=(404,),
    )
    def get(self, request, pk):
        order = get_object_or_404(self.orders(), process_id=pk)
        rows, total = paging.page_of_list(request, self.entries(request, order))
        return Response({"historyLogs": rows, "total": total})

    def entries(self, request, order):
        changes = [change for change in queries.history(order) if change.entity in wire.DOMAINS]
        if self.facility_ids is not None:
            changes = [c for c in changes if c.facility_id is None or c.facility_id in self.facility_ids]
        if name := request.query_params.get("facilityName"):
            named = set(Facility.objects.filter(name__icontains=name).values_list("pk", flat=True))
            changes = [change for change in changes if change.facility_id in named]
        if name := request.query_params.get("username"):
            changes = [change for change in changes if name.lower() in change.actor.lower()]
        skips_repeated = request.query_params.get("filterConsecutiveDuplicates", "true") != "false"
        found, last = [], None
        for change in changes:
            event = wire.event_type(change)
            if skips_repeated and (event, change.entity_id) == last:
                continue
            last = (event, change.entity_id)
            found.append(wire.represent_change(change, event))
        if types := paging.values(request, "type"):
            found = [entry for entry in found if entry["type"] in types]
        is_oldest_first = request.query_params.get("orderBy", "").upper().endswith("ASC")
        return found if is_oldest_first else found[::-1]


class ProcessSearch(ProcessView):
    """POST /api/processes/search"""

    access = {"POST": READ}
    fields = {
        "id": Field("process_id", "id"),
        "processId": Field("process_id", "id", is_sortable=True),
        "orderRef": Field("pk", "id"),
        "created": Field("created_at", "time"),
        "status": Field("process_status", is_sortable=True),
        "tags": TAGS,
        "facilityRefs": Field("routing_plans__facility", "id"),
        "routingPlanRefs": Field("routing_plans", "id"),
        "pickJobRefs": Field("pick_jobs", "id"),
        "packJobRefs": Field("pack_jobs", "id"),
        "shipmentRefs": Field("shipments", "id"),
        "handoverJobRefs": Field("handover_jobs", "id"),
        "itemReturnJobsRef": Field("return_job", "id"),
        "referenced": {
            "order": {
                "tenantOrderId": Field("tenant_order_id"),
                "status": Field("status"),
                "orderDate": Field("order_date", "time"),
                "provisioningTime": Field("target_time", "time"),
                "consumerId": Field("consumer__consumerId"),
            },
            "pickJob": {"shortId": Field("pick_jobs__short_id"), "status": Field("pick_jobs__status")},
            "packJob": {"status": Field("pack_jobs__status")},
            "shipment": {"status": Field("shipments__status")},
            "parcel": {"status": Field("parcels__status")},
            "handoverJob": {"status": Field("handover_jobs__status")},
            "returnJob": {"status": Field("return_job__status")},
            "carrier": {"carrierTrackingNumber": Field("parcel_records__tracking_number")},
            "facility": {
                "name": Field("routing_plans__facility__name"),
                "address": {"country": Field("routing_plans__facility__country")},
            },
            "consumerAddress": {"country": Field("country")},
            "serviceLevel": Field("service_level"),
            "targetTime": Field("target_time", "time"),
            "tenantArticleId": Field("lines__sku"),
        },
    }

    @operation(
        "searchProcesses",
        "Search processes",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.process_page},
    )
    def post(self, request):
        rows, info, total = search(request.data, self.processes(), self.fields)
        answer = {"processes": self.represent(rows), "pageInfo": info}
        return Response(answer if total is None else {**answer, "total": total})
