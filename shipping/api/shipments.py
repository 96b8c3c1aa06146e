"""Shipments in the API."""

from functools import partial

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import READ, SHIP
from fulfillment.core.api.document import operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.recording import read_updates
from fulfillment.core.api.schema import Text, read_moment, validate
from fulfillment.core.api.search import SEARCH, Field, payload, search
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotOffered
from fulfillment.core.status import check_version

from .. import services
from ..models import Shipment
from ..wire import shipments as wire
from .reading import CHANGED, LIST, carrier_of, filtered, read_splits, recipient_of, refuse_not_offered


class ShipmentView(ApiView):
    def shipments(self):
        return self.at_my_facilities(Shipment.objects.for_api())

    def answer(self, pk, **options):
        return Response(wire.represent_shipment(self.shipments().get(pk=pk)), **options)


class ShipmentList(ShipmentView):
    access = {"GET": READ, "POST": SHIP}

    @operation(
        "listShipments",
        "Shipments, the newest first",
        query={**LIST, **dict.fromkeys(("carrierRef", "carrierKeys", "parcelStatus"), Text(500))},
        answers={200: wire.shipments},
    )
    def get(self, request):
        rows = filtered(
            request,
            self.shipments(),
            {"pickJobRef": "pick_job", "carrierRef": "carrier", "orderRef": "order"},
        )
        if keys := paging.values(request, "carrierKeys"):
            rows = rows.filter(carrier__key__in=keys)
        if statuses := paging.values(request, "parcelStatus"):
            rows = rows.filter(parcels__status__in=statuses).distinct()
        found, total = paging.page(request, rows)
        return Response({"shipments": [wire.represent_shipment(row) for row in found], "total": total})

    @operation(
        "createShipment",
        "The shipment of a pick job: it exists as soon as the job is closed",
        body=wire.shipment_for_creation,
        answers={303: None},
        errors=(422,),
    )
    def post(self, request):
        data = validate(wire.shipment_for_creation, request.data)
        pick_job = paging.as_uuid(data.get("pickJobRef", ""))
        existing = self.shipments().filter(pick_job=pick_job).first() if pick_job else None
        if existing is None:
            raise services.ShipmentNeedsPickJob
        return Response(status=303, headers={"Location": reverse("api-shipment", args=[existing.pk])})


class ShipmentSearch(ShipmentView):
    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "carrierKey": Field("carrier__key"),
        "carrierRef": Field("carrier", "id"),
        "created": Field("created_at", "time", is_sortable=True),
        "facilityRef": Field("facility", "id"),
        "pickJobRef": Field("pick_job", "id"),
        "status": Field("status"),
        "targetTime": Field("target_time", "time"),
        "tenantOrderId": Field("order__tenant_order_id"),
        "parcels": {"status": Field("parcels__status")},
    }

    @operation(
        "searchShipments",
        "Search shipments",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.shipment_page},
    )
    def post(self, request):
        rows, info, total = search(request.data, self.shipments(), self.fields)
        body = {"shipments": [wire.represent_shipment(row) for row in rows], "pageInfo": info}
        return Response(body if total is None else body | {"total": total})


class ShipmentDetail(ShipmentView):
    access = {"GET": READ, "PATCH": SHIP}

    @operation("getShipment", "One shipment", answers={200: wire.shipment}, errors=(404,))
    def get(self, request, pk):
        get_object_or_404(self.shipments(), pk=pk)
        return self.answer(pk)

    @operation(
        "patchShipment",
        "Correct the address, choose the carrier, ask for the labels",
        body=wire.shipment_patch,
        answers={200: wire.shipment},
        errors=CHANGED,
    )
    def patch(self, request, pk):
        data = validate(wire.shipment_patch, request.data)
        shipment = get_object_or_404(self.shipments(), pk=pk)
        check_version(shipment, data["version"])  # also when no action changes anything
        who = {"by": request.user, "now": timezone.now()}
        steps = []
        for index, action in enumerate(data["actions"]):
            if action.get("pickJobRef") == str(shipment.pick_job_id):
                del action["pickJobRef"]
            refuse_not_offered(action, wire.SHIPMENT_NOT_OFFERED)
            status = action.get("status", shipment.status)
            if status not in {Shipment.Status.REQUEST, shipment.status}:
                raise NotOffered(
                    feature=f"Setting the status {status}",
                    instead="Set REQUEST for the labels; cancel parcels, or the order.",
                )
            if "targetAddress" in action:
                steps.append(
                    partial(services.correct_recipient, pk, recipient_of(action["targetAddress"]), **who)
                )
            asks = "carrierRef" in action or status != shipment.status
            if action.get("carrierProduct") and not asks:
                raise NotOffered(
                    feature="carrierProduct alone",
                    instead="Send it with carrierRef or the status REQUEST, or change it at the parcel.",
                )
            if asks:
                carrier = carrier_of(action.get("carrierRef"), f"actions[{index}].carrierRef")
                wanted = {"carrier": carrier, "product": action.get("carrierProduct", "")}
                steps.append(partial(services.request_labels, pk, **wanted, **who))
        apply_together(steps, data["version"])
        return self.answer(pk)


class ShipmentActions(ShipmentView):
    access = {"POST": SHIP}

    @operation(
        "actOnShipment",
        "ADD_TARGET_TIME: say when it has to leave; split lines or record attributes",
        body=wire.shipment_action,
        answers={200: wire.shipment},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.shipment_action, request.data)
        get_object_or_404(self.shipments(), pk=pk)
        who = {"by": request.user, "now": timezone.now(), "version": data["version"]}

        def step(is_second):
            match data["name"]:
                case wire.SPLIT:
                    services.split_shipment(pk, read_splits(data["splitLineItemsInfo"]), **who)
                case wire.RECORD:
                    services.record_of_shipment(pk, read_updates(data), **who)
                case _name:
                    services.set_target_time(pk, read_moment(data["targetTime"]), **who)
            return self.answer(pk)

        return once(request, step)
