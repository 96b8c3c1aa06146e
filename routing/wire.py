"""Routing plans and decisions in the wire format."""

from collections import Counter

from django.urls import reverse

from fulfillment.core.api.schema import Integer, List, Number, Object, Text, boolean, free, moment
from fulfillment.core.api.search import page_info
from orders import wire as orders
from orders.wire import short, text, time, versioned

from . import rules
from .decisions import restore
from .explanations import verdicts
from .models import RoutingPlan

Status = RoutingPlan.Status
# The status of the plan in the words of ``ConsolidatedRoutingPlanStatus``.
CONSOLIDATED = {
    Status.INITIAL: "INITIAL",
    Status.ROUTING: "ROUTING_PLAN_CREATED_THEN_ROUTING",
    Status.FALLBACK_ROUTING: "ROUTING_PLAN_CREATED_THEN_ROUTING",
    Status.ROUTED: "ROUTED",
    Status.WAITING: "WAITING",
    Status.RETRYABLE: "RETRYABLE",
    Status.NOT_ROUTABLE: "NOT_ROUTABLE",
    Status.REROUTED: "REROUTED",
    Status.OBSOLETE: "OBSOLETE",
    Status.CANCELED: "CANCELED",
    Status.LOCKED: "LOCKED",
    Status.PROMISED: "UNKNOWN",
}

plan = Object(
    {
        "id": short,
        "version": Integer(1),
        "status": Text(choices=Status.values),
        "orderRef": short,
        "processId": short,
        "orderDate": moment,
        "priority": Integer(0),
        "routingRun": Integer(0),
        "finalizeRun": Integer(0),
        "decisionLogs": List(Object({"url": text}, {"routingRun": Integer(1)})),
        "consolidatedStatus": short,
        "predecessorRerouteRoutingPlanRefs": List(short),
        "successorRerouteRoutingPlanRefs": List(short),
        "workflowInformation": Object({"isAvailable": boolean}),
    },
    {
        **versioned,
        "deliveryPreferences": orders.preferences,
        "facilityBlackList": List(short),
        "facilityRef": short,
        "firstRoutingAttempt": moment,
        "orderLineItems": List(Object({**orders.line_parts, "id": short}, orders.line_options)),
        "parentRoutingPlanRef": short,
        "pickJobRef": short,
        "reRouteReason": short,
        "splitCount": Integer(0),
        "tenantOrderId": short,
    },
    name="RoutingPlan",
)
plans = Object({"routingPlans": List(plan), "total": Integer(0)}, name="RoutingPlans")
plan_page = Object(
    {"routingPlans": List(plan), "pageInfo": page_info},
    {"total": Integer(0)},
    name="RoutingPlanPaginatedResult",
)
facility = Object({"facilityRef": short, "name": text}, name="DecisionLogFacilityInfo")
facility_decision = Object(
    {
        "facility": facility,
        "availabilities": List(free),
        "orderFences": List(
            Object(
                {
                    "name": short,
                    "decision": Text(choices=["PASSED", "FAILED", "REACTIVE_PASSING_POSSIBLE"]),
                    "details": List(
                        Object({"decisionType": short, "expectedValue": text}, {"actualValue": text})
                    ),
                }
            ),
        ),
        "orderLineItemFences": List(free),
        "orderRatings": List(
            Object({"name": short, "maxPenalty": Number(), "normalizedScore": Number()}, {"score": Number()})
        ),
    },
    {"isBestRated": boolean, "rank": Integer(1), "totalPenalty": Number()},
    name="FacilityDecision",
)
item = Object({"tenantArticleId": short, "quantity": Integer(1)}, {"articleTitle": text})
decision_log = Object(
    {
        "id": short,
        "version": Integer(1),
        "routingPlanRef": short,
        "routingRun": Integer(1),
        "facilityDecisions": List(facility_decision, most=100_000),
        "results": Object(
            {"assignedItems": List(item)}, {"bestRatedFacility": facility, "routingPlanStatus": short}
        ),
        "statistics": Object(
            {
                "fenceStatistics": List(
                    Object(
                        {
                            "name": short,
                            "durationMs": Number(0),
                            "passedAmount": Integer(0),
                            "passedPercentage": Number(0),
                            "rejectedAmount": Integer(0),
                        },
                        name="FenceStatistic",
                    )
                ),
                "ratingStatistics": List(
                    Object(
                        {"name": short, "durationMs": Number(0), "maxPenalty": Number()},
                        {"maxScore": Number(), "minScore": Number()},
                        name="RatingStatistic",
                    )
                ),
            },
            {"durationMs": Number(0)},
        ),
    },
    {
        "created": moment,
        "orderSplitDecision": Object({"splitType": Text(choices=["SPLIT", "DO_NOT_SPLIT"])}),
    },
    name="DecisionLog",
)


def represent(plan, pick_job_id):
    """A plan as ``RoutingPlan`` of the wire format, with the job that picking made of it, if any."""
    order = plan.order
    is_placed = plan.facility_id is not None
    body = {
        "id": str(plan.pk),
        "version": plan.version,
        "created": time(plan.created_at),
        "lastModified": time(plan.modified_at),
        "status": plan.status,
        "consolidatedStatus": _consolidated(plan, is_placed),
        "orderRef": str(plan.order_id),
        "processId": str(order.process_id),
        "orderDate": time(order.order_date),
        "orderLineItems": [
            {**line.order_line.wire, "id": str(line.order_line_id), "quantity": line.quantity}
            for line in plan.lines.all()
        ],
        "priority": 0,  # orders are placed in the order in which they come
        "routingRun": plan.run,
        "finalizeRun": plan.run if is_placed else 0,
        "splitCount": plan.split_count,
        "facilityBlackList": plan.blacklist,
        "firstRoutingAttempt": time(plan.created_at),
        "decisionLogs": [
            {
                "routingRun": decision.run,
                "url": reverse("api-decision-log", args=[plan.pk, decision.run]),
            }
            for decision in order.decisions.all()
            if decision.run <= plan.run
        ],
        "predecessorRerouteRoutingPlanRefs": [str(plan.predecessor_id)] if plan.predecessor_id else [],
        "successorRerouteRoutingPlanRefs": [str(successor.pk) for successor in plan.successors.all()],
        "workflowInformation": {"isAvailable": False},
    }
    optional = {
        "facilityRef": plan.facility_id,
        "parentRoutingPlanRef": plan.parent_id,
        "pickJobRef": pick_job_id,
        "reRouteReason": plan.reroute_reason,
        "tenantOrderId": order.tenant_order_id,
    }
    body |= {name: str(value) for name, value in optional.items() if value}
    if order.delivery_preferences:
        body["deliveryPreferences"] = order.delivery_preferences
    return body


def _consolidated(plan, is_placed):
    if plan.status == Status.ROUTED and plan.split_count:
        return "ROUTED_AND_SPLIT"
    if plan.status == Status.CANCELED and is_placed:
        return "ROUTED_AND_SPLIT_THEN_CANCELED" if plan.split_count else "ROUTED_THEN_CANCELED"
    return CONSOLIDATED[plan.status]


def represent_decision(log, plan):
    """A run as ``DecisionLog``, seen from one of the plans of its order."""
    made = restore(log)
    found = verdicts(made)
    best = next((verdict for verdict in found if verdict.rank == 1), None)
    fences = [fence.use for fence in rules.active_fences(made.policy)]
    articles = {
        str(line.article_id): {"tenantArticleId": line.sku, "articleTitle": line.title}
        for line in plan.order.lines.all()
    }
    body = {
        "id": str(log.pk),
        "version": 1,
        "created": time(log.at),
        "routingPlanRef": str(plan.pk),
        "routingRun": log.run,
        "facilityDecisions": [_verdict(verdict, fences, articles) for verdict in found],
        "orderSplitDecision": {"splitType": "SPLIT" if len(log.data["parts"]) > 1 else "DO_NOT_SPLIT"},
        "results": {
            "assignedItems": [
                {
                    "tenantArticleId": line.order_line.sku,
                    "articleTitle": line.order_line.title,
                    "quantity": line.quantity,
                }
                for line in plan.lines.all()
                if plan.facility_id
            ],
            "routingPlanStatus": plan.status,
        },
        "statistics": {"durationMs": log.duration_ms, **_statistics(found, fences)},
    }
    if best is not None:
        body["results"]["bestRatedFacility"] = _facility(best)
    return body


def _statistics(found, fences):
    """How many facilities each fence let pass, and the range of each rating. The time of one criterion is not taken."""
    missed = Counter(fence for verdict in found for fence, _expected, _actual in verdict.failed)
    scores: dict[str, list] = {}
    weights = {}
    for verdict in found:
        for key, weight, raw, _points in verdict.ratings:
            weights[key] = weight
            scores.setdefault(key, []).extend([] if raw is None else [raw])
    return {
        "fenceStatistics": [
            {
                "name": fence,
                "durationMs": 0,
                "passedAmount": len(found) - missed[fence],
                "passedPercentage": round(100 * (1 - missed[fence] / len(found)), 2),
                "rejectedAmount": missed[fence],
            }
            for fence in fences
            if found
        ],
        "ratingStatistics": [
            {"name": key, "durationMs": 0, "maxPenalty": weights[key]}
            | ({"maxScore": max(known), "minScore": min(known)} if known else {})
            for key, known in scores.items()
        ],
    }


def _missed(fence):
    """A fence that what may come can still open, stock or a free slot, is told apart from one that stays shut."""
    rule = rules.find(rules.FENCES, fence)
    return "REACTIVE_PASSING_POSSIBLE" if rule is not None and rule.is_reactive else "FAILED"


def _facility(verdict):
    return {"facilityRef": verdict.facility, "name": verdict.name}


def _verdict(verdict, fences, articles):
    failed = {fence: (expected, actual) for fence, expected, actual in verdict.failed}
    body = {
        "facility": _facility(verdict),
        "availabilities": [
            {
                **articles.get(article, {"tenantArticleId": article}),
                "requestedQuantity": wanted,
                "available": there,
                "isBackOrderable": False,
            }
            for article, wanted, there in verdict.available
        ],
        "orderFences": [
            {
                "name": fence,
                "decision": _missed(fence),
                "details": [
                    {
                        "decisionType": "FENCE",
                        "expectedValue": failed[fence][0],
                        "actualValue": failed[fence][1],
                    }
                ],
            }
            if fence in failed
            else {"name": fence, "decision": "PASSED", "details": []}
            for fence in fences
        ],
        "orderLineItemFences": [],
        "orderRatings": [
            {"name": key, "maxPenalty": weight, "normalizedScore": points}
            | ({} if raw is None else {"score": raw})
            for key, weight, raw, points in verdict.ratings
        ],
    }
    if verdict.rank is not None:
        weights = sum(weight for _key, weight, _raw, _points in verdict.ratings)
        body |= {
            "rank": verdict.rank,
            "isBestRated": verdict.rank == 1,
            "totalPenalty": max(weights - verdict.total, 0),
        }
    return body
