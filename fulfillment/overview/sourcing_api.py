"""What-if for a checkout: can this basket be served, from where, and by when."""

import datetime

from django.utils import timezone
from rest_framework.response import Response

from fulfillment.core.api.access import READ
from fulfillment.core.api.document import operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.schema import Integer, List, Number, Object, Text, boolean, free, moment, validate
from fulfillment.core.api.wire import time
from fulfillment.core.ids import uuid7
from fulfillment.core.models import Facility
from orders import services as orders
from orders import wire as orders_wire
from orders.api import OrderView
from orders.models import Order
from routing import whatif

MOST_OPTIONS = 20
short = Text(500)
order_for_sourcing = Object(
    {"consumer": orders_wire.consumer, "orderLineItems": List(orders_wire.line, least=1)},
    {**orders_wire.order_options, "orderDate": moment},
    closed=True,
    name="OrderForSourcingOptionsRequest",
)
sourcing_request = Object(
    {"order": order_for_sourcing},
    {
        "additionalInfo": free,
        "optimizationHints": Object(
            optional={"includeCalculationHints": boolean, "requestedResultCount": Integer(1, MOST_OPTIONS)}
        ),
        "resourceInvestment": Object({"level": Number(0, 1)}),
    },
    name="SourcingOptionsRequest",
)
item = Object({"tenantArticleId": short, "quantity": Integer(1)}, name="HandledItem")
time_line = Object(
    dict.fromkeys(
        ("calculationStartPoint", "earliestPickingStart", "latestPickingStart", "targetTime"), moment
    ),
    {"earliestPossibleDeliveryTime": moment, "usedTransitTimeInDays": Integer(0)},
    name="TransferTimeLine",
)
rating_result = Object(
    {**dict.fromkeys(("id", "name", "routingStrategyNodeId", "type"), short), "penalty": Number()},
    name="RatingResult",
)
option = Object(
    {
        "id": short,
        "runId": short,
        "nodes": List(
            Object(
                {
                    "id": short,
                    "type": Text(choices=["SUPPLIER", "MANAGED_FACILITY", "CUSTOMER"]),
                    "lineItems": List(item),
                },
                {"facilityRef": short, "tenantFacilityId": short, "isPickUpLocation": boolean},
                name="SourcingOptionNode",
            )
        ),
        "transfers": List(
            Object(
                {
                    "sourceNodeRef": short,
                    "targetNodeRef": short,
                    "lineItems": List(item),
                    "packagingInformation": List(free),
                },
                {
                    "timeLine": time_line,
                    "carrier": Object(optional={"carrierKey": short, "carrierName": short}),
                },
                name="SourcingOptionTransfer",
            )
        ),
        "ratingResults": List(rating_result),
        "priorityRatingResults": List(free),
        "totalPenalty": Number(),
    },
    {
        "estimatedDeliveryDate": Text(10),
        "estimatedPickupDate": Text(10),
        "nonAssignedOrderLineItems": List(item),
    },
    name="SourcingOption",
)
sourcing_response = Object(
    {"id": short, "result": Object({"options": List(option)}, name="SourcingOptionsResult")},
    name="SourcingOptionsResponse",
)


class SourcingOptions(OrderView):
    """POST /api/routing/sourcingoptions"""

    access = {"POST": READ}

    @operation(
        "sourcingOptions",
        "Who would serve an order, and by when. Nothing is written or reserved",
        body=sourcing_request,
        answers={201: sourcing_response},
        errors=(422,),
    )
    def post(self, request):
        data = validate(sourcing_request, request.data)
        now = timezone.now()
        channel = self.channel()

        def step(is_second):
            order, lines, chosen = orders.draft(
                {"orderDate": now.isoformat(), **data["order"]},
                channel=channel,
                now=now,
                allowed_facilities=self.facility_ids,
            )
            wanted = (data.get("optimizationHints") or {}).get("requestedResultCount", 1)
            found = whatif.options(order, lines, chosen, most=wanted, facility_ids=self.facility_ids, now=now)
            run = str(uuid7())
            answers = _Answers(order, lines, found, now)
            body = {
                "id": run,
                "result": {
                    "options": [answers.represent(made, run, index) for index, made in enumerate(found, 1)]
                },
            }
            return Response(body, status=201)

        return once(request, step)


class _Answers:
    """The options of one request in the wire format."""

    def __init__(self, order, lines, found, now):
        self.order, self.lines, self.now = order, lines, now
        self.skus = {str(line.article_id): line.sku for line in lines if line.article_id}
        keys = {part.facility for made in found for part in made.placement.parts}
        facilities = Facility.objects.filter(pk__in=keys).prefetch_related(
            "closing_days", "carriers__carrier"
        )
        self.facilities = {str(facility.pk): facility for facility in facilities}

    def represent(self, made, run, number):
        parts = made.placement.parts
        is_collected = self.order.kind == Order.Kind.COLLECT
        nodes = [
            {
                "id": f"node-{index}",
                "type": "MANAGED_FACILITY",
                "facilityRef": part.facility,
                "tenantFacilityId": self.facilities[part.facility].tenant_facility_id,
                "isPickUpLocation": is_collected,
                "lineItems": self.items(part.lines),
            }
            for index, part in enumerate(parts, start=1)
        ]
        served = [line for part in parts for line in part.lines]
        customer = {"id": "customer", "type": "CUSTOMER", "lineItems": self.items(served)}
        times = [self.time_line(made, part) for part in parts]
        ratings, penalty = self.ratings(made)
        body = {
            "id": f"{run}-{number}",
            "runId": run,
            "nodes": [*nodes, customer],
            "transfers": []
            if is_collected
            else [
                {
                    "sourceNodeRef": node["id"],
                    "targetNodeRef": "customer",
                    "lineItems": node["lineItems"],
                    "packagingInformation": [],
                    **({"timeLine": of_part} if of_part else {}),
                }
                for node, of_part in zip(nodes, times, strict=True)
            ],
            "ratingResults": ratings,
            "priorityRatingResults": [],
            "totalPenalty": penalty,
        }
        body |= self.dates(parts, times, is_collected)
        left = self.items(made.placement.left) + [
            {"tenantArticleId": line.sku, "quantity": line.quantity}
            for line in self.lines
            if line.article_id is None
        ]
        return body | ({"nonAssignedOrderLineItems": left} if left else {})

    def items(self, lines):
        """Lines with those of the same article together."""
        units: dict[str, int] = {}
        for line in lines:
            units[line.article] = units.get(line.article, 0) + line.quantity
        return [
            {"tenantArticleId": self.skus[article], "quantity": quantity}
            for article, quantity in units.items()
        ]

    def target(self, part):
        facility = self.facilities[part.facility]
        is_collected = self.order.kind == Order.Kind.COLLECT
        return self.order.target_time or facility.target_time(self.now, is_collected=is_collected)

    def time_line(self, made, part):
        """When a part is picked and delivered, None for a facility that is not open or without a cut-off."""
        facility = self.facilities[part.facility]
        target, earliest = self.target(part), facility.ready_time(self.now, buffer=0)
        if target is None or earliest is None:
            return None
        latest = max(earliest, target - datetime.timedelta(minutes=facility.fulfillment_buffer))
        body = {
            "calculationStartPoint": time(self.now),
            "earliestPickingStart": time(earliest),
            "latestPickingStart": time(latest),
            "targetTime": time(target),
        }
        (site,) = [one.site for one in made.candidates if one.key == part.facility]
        days = [link.days for link in site.carriers if link.serves(made.demand) and link.days is not None]
        if days:
            body["usedTransitTimeInDays"] = int(min(days))
            body["earliestPossibleDeliveryTime"] = time(target + datetime.timedelta(days=int(min(days))))
        return body

    def dates(self, parts, times, is_collected):
        """The local day on which the last part is there, when that is known of all."""
        if is_collected:
            ready = [self.target(part) for part in parts]
            if None in ready:
                return {}
            zone = self.facilities[parts[0].facility].tz
            return {"estimatedPickupDate": max(ready).astimezone(zone).date().isoformat()}
        if not all(of_part and "usedTransitTimeInDays" in of_part for of_part in times):
            return {}
        days = [
            self.target(part).astimezone(self.facilities[part.facility].tz).date()
            + datetime.timedelta(days=of_part["usedTransitTimeInDays"])
            for part, of_part in zip(parts, times, strict=True)
        ]
        return {"estimatedDeliveryDate": max(days).isoformat()}

    @staticmethod
    def ratings(made):
        """What the parts lack of the full weights, per rating and in all, weighted by their units."""
        units = {part.facility: sum(line.quantity for line in part.lines) for part in made.placement.parts}
        rankings = made.decision.split.rankings
        if not rankings:
            return [], 0
        ranking, results = rankings[0], []
        for column in ranking.columns:
            lost = [
                (units[candidate.key], column.weight - points)
                for candidate, points in zip(ranking.candidates, column.points, strict=True)
                if candidate.key in units
            ]
            total = sum(count for count, _penalty in lost)
            penalty = sum(count * penalty for count, penalty in lost) / total if total else 0
            results.append(
                {
                    "id": column.key,
                    "name": column.key,
                    "type": column.key,
                    "routingStrategyNodeId": made.path[-1] if made.path else "root",
                    "penalty": round(penalty, 6),
                }
            )
        return results, round(sum(result["penalty"] for result in results), 6)
