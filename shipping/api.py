"""Shipments, parcels with their labels, and handover jobs in the API."""

from functools import partial

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import HAND_OVER, READ, SHIP
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.schema import Text, moment, validate
from fulfillment.core.api.search import Field, payload, search
from fulfillment.core.api.views import ApiView
from fulfillment.core.models import Carrier
from fulfillment.core.pdf import join_pdfs
from fulfillment.core.services import documents
from orders.models import Address

from . import booking, services, wire
from .models import HandoverJob, Parcel, Shipment

LIST = {
    **PAGE,
    **dict.fromkeys(("facilityRef", "pickJobRef", "tenantOrderId", "status", "searchTerm"), Text(500)),
    "startTargetTime": moment,
    "endTargetTime": moment,
}
CHANGED = (404, 409, 422)


def _filtered(request, rows, paths):
    """Filter by the query parameters that shipments and handover jobs share.

    Args:
        paths: ``{name of an id parameter: ORM path}``.
    """
    for name, path in {**paths, "facilityRef": "facility"}.items():
        found = paging.ids(request, name)
        if found is not None:
            rows = rows.filter(**{f"{path}__in": found})
    if statuses := paging.values(request, "status"):
        rows = rows.filter(status__in=statuses)
    if number := request.query_params.get("tenantOrderId"):
        rows = rows.filter(order__tenant_order_id=number)
    if begin := paging.moment(request, "startTargetTime"):
        rows = rows.filter(target_time__gte=begin)
    if end := paging.moment(request, "endTargetTime"):
        rows = rows.filter(target_time__lte=end)
    if term := request.query_params.get("searchTerm", "")[:200]:
        rows = rows.filter(
            Q(short_id__iexact=term)
            | Q(order__tenant_order_id__icontains=term)
            | Q(order__recipient_name__icontains=term)
        )
    return rows


def _carrier(reference, path):
    """The carrier that a body names by its id or key, None when it names none."""
    if not reference:
        return None
    lookup = Q(key=reference)
    if found := paging.as_uuid(reference):
        lookup |= Q(pk=found)
    carrier = Carrier.objects.filter(lookup).first()
    if carrier is None:
        raise ValidationError({path: [f"There is no carrier {reference!r}."]})
    return carrier


def _recipient(data):
    """An address in wire form as fields of ``orders.models.Address``; only what is given."""
    given = vars(Address.from_wire(data))
    return {name: value for name, value in given.items() if value}


def _millimetres(data):
    """``ParcelDimensions`` (centimetres and grams) as fields of a parcel."""
    names = {"length": "length_mm", "width": "width_mm", "height": "height_mm"}
    found = {names[name]: round(value * 10) for name, value in data.items() if name in names}
    return found | ({"weight_g": round(data["weight"])} if "weight" in data else {})


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
        rows = _filtered(
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
    }

    @operation("searchShipments", "Search shipments", body=payload, answers={200: wire.shipment_page})
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
        get_object_or_404(self.shipments(), pk=pk)
        who = {"by": request.user, "now": timezone.now()}
        steps = []
        for index, action in enumerate(data["actions"]):
            if "targetAddress" in action:
                steps.append(
                    partial(services.correct_recipient, pk, _recipient(action["targetAddress"]), **who)
                )
            if "carrierRef" in action or "status" in action:
                carrier = _carrier(action.get("carrierRef"), f"actions[{index}].carrierRef")
                steps.append(partial(services.request_labels, pk, carrier=carrier, **who))
        apply_together(steps, data["version"])
        return self.answer(pk)


class ShipmentParcels(ShipmentView):
    access = {"POST": SHIP}

    @operation(
        "createParcel",
        "Ask for the labels of a packed shipment; a parcel per package. Answers the first one",
        body=wire.parcel_for_creation,
        answers={201: wire.parcel},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        data = validate(wire.parcel_for_creation, request.data)
        get_object_or_404(self.shipments(), pk=pk)
        who = {"by": request.user, "now": timezone.now()}

        def step(is_second):
            if "recipient" in data:
                services.correct_recipient(pk, _recipient(data["recipient"]), **who)
            carrier = _carrier(data.get("carrierRef"), "carrierRef")
            services.request_labels(pk, carrier=carrier, **who)
            parcels = list(Parcel.objects.for_api().filter(shipment=pk).order_by("package__number"))
            dimensions = _millimetres(data.get("dimensions") or {})
            if dimensions and len(parcels) == 1:
                services.modify_parcel(parcels[0].pk, dimensions=dimensions, **who)
                parcels = [Parcel.objects.for_api().get(pk=parcels[0].pk)]
            location = reverse("api-parcel", args=[parcels[0].pk])
            return Response(wire.represent_parcel(parcels[0]), status=201, headers={"Location": location})

        return once(request, step)


class ParcelView(ApiView):
    def parcels(self):
        return self.at_my_facilities(Parcel.objects.for_api())

    def answer(self, pk):
        return Response(wire.represent_parcel(self.parcels().get(pk=pk)))


class ParcelList(ParcelView):
    access = {"GET": READ}

    @operation("listParcels", "Parcels, the newest first", query=PAGE, answers={200: wire.parcels})
    def get(self, request):
        found, total = paging.page(request, self.at_my_facilities(Parcel.objects.all()))
        return Response({"parcels": [wire.represent_stripped_parcel(row) for row in found], "total": total})


class ParcelSearch(ParcelView):
    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "carrierRef": Field("carrier", "id"),
        "created": Field("created_at", "time", is_sortable=True),
        "lastModified": Field("modified_at", "time", is_sortable=True),
        "facilityRef": Field("facility", "id"),
        "shipmentRef": Field("shipment", "id"),
        "shortId": Field("shipment__short_id"),
        "status": Field("status"),
        "tenantOrderId": Field("order__tenant_order_id"),
        "carrierTrackingNumber": Field("tracking_number"),
    }

    @operation("searchParcels", "Search parcels", body=payload, answers={200: wire.parcel_page})
    def post(self, request):
        rows, info, total = search(request.data, self.parcels(), self.fields)
        body = {"parcels": [wire.represent_parcel(row) for row in rows], "pageInfo": info}
        return Response(body if total is None else body | {"total": total})


class ParcelDetail(ParcelView):
    access = {"GET": READ, "PATCH": SHIP}

    @operation("getParcel", "One parcel", answers={200: wire.parcel}, errors=(404,))
    def get(self, request, pk):
        get_object_or_404(self.parcels(), pk=pk)
        return self.answer(pk)

    @operation(
        "patchParcel",
        "Change dimensions, enter a tracking number, ask the carrier again",
        body=wire.parcel_patch,
        answers={200: wire.parcel},
        errors=CHANGED,
    )
    def patch(self, request, pk):
        data = validate(wire.parcel_patch, request.data)
        get_object_or_404(self.parcels(), pk=pk)
        who = {"by": request.user, "now": timezone.now()}
        steps = []
        for action in data["actions"]:
            if "dimensions" in action or "customAttributes" in action:
                changes = {
                    "dimensions": _millimetres(action.get("dimensions") or {}),
                    "custom_attributes": action.get("customAttributes"),
                }
                steps.append(partial(services.modify_parcel, pk, **changes, **who))
            if "status" in action:
                steps.append(partial(services.request_again, pk, **who))
            if number := (action.get("result") or {}).get("carrierTrackingNumber"):
                steps.append(partial(booking.enter_number, pk, number, **who))
        apply_together(steps, data["version"])
        return self.answer(pk)


class ParcelLabel(ParcelView):
    access = {"GET": READ}

    @operation(
        "getParcelLabel",
        "The labels as PDF: all.pdf, send.pdf or return.pdf",
        answers={200: "application/pdf"},
        errors=(404, 422),
    )
    def get(self, request, pk, document):
        parcel = get_object_or_404(self.parcels().select_related("label", "return_label"), pk=pk)
        if document not in wire.LABELS:
            raise Http404
        stored = [
            row
            for row in (parcel.label, parcel.return_label)
            if row is not None and row.category in wire.LABELS[document] and row.format == "PDF"
        ]
        if not stored:
            raise services.ParcelNotReady(code=parcel.code, status=parcel.get_status_display())
        return HttpResponse(
            join_pdfs([documents.read(row) for row in stored]),
            content_type="application/pdf",
            headers={
                "Content-Disposition": f'attachment; filename="{parcel.code}-{document}"',
                "X-Content-Type-Options": "nosniff",
            },
        )


class ParcelDeliveryNote(ParcelView):
    access = {"GET": READ}

    @operation(
        "getParcelDeliveryNote",
        "The delivery note of the parcel's shipment as PDF",
        answers={200: "application/pdf"},
        errors=(404,),
    )
    def get(self, request, pk):
        parcel = get_object_or_404(self.parcels().select_related("shipment__delivery_note"), pk=pk)
        note = parcel.shipment.delivery_note
        if note is None:
            raise Http404
        return HttpResponse(documents.read(note), content_type="application/pdf")


class HandoverView(ApiView):
    def jobs(self):
        return self.at_my_facilities(HandoverJob.objects.for_api())

    def answer(self, pk):
        return Response(wire.represent_handover(self.jobs().get(pk=pk)))


class HandoverList(HandoverView):
    access = {"GET": READ, "POST": HAND_OVER}

    @operation(
        "listHandoverJobs",
        "Handover jobs, the newest first",
        query={**LIST, **dict.fromkeys(("shipmentRef", "carrierRefs", "channel"), Text(500))},
        answers={200: wire.handovers},
    )
    def get(self, request):
        rows = _filtered(
            request,
            self.jobs(),
            {"pickJobRef": "pick_job", "shipmentRef": "parcel__shipment", "carrierRefs": "parcel__carrier"},
        )
        if channels := paging.values(request, "channel"):
            rows = rows.filter(channel__in=channels)
        found, total = paging.page(request, rows)
        return Response({"handoverjobs": [wire.represent_handover(row) for row in found], "total": total})

    @operation(
        "createHandoverJob",
        "The handover job of a pick job: it exists as soon as its goods are ready",
        body=wire.handover_for_creation,
        answers={303: None},
        errors=(422,),
    )
    def post(self, request):
        data = validate(wire.handover_for_creation, request.data)
        pick_job = paging.as_uuid(data.get("pickJobRef", ""))
        existing = self.jobs().filter(pick_job=pick_job).order_by("pk").first() if pick_job else None
        if existing is None:
            raise services.HandoverNeedsGoods
        return Response(status=303, headers={"Location": reverse("api-handover", args=[existing.pk])})


class HandoverSearch(HandoverView):
    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "channel": Field("channel"),
        "created": Field("created_at", "time", is_sortable=True),
        "facilityRef": Field("facility", "id"),
        "fullIdentifier": Field("recipient_name"),
        "pickJobRef": Field("pick_job", "id"),
        "shortIdentifier": Field("short_id"),
        "status": Field("status"),
        "targetTime": Field("target_time", "time"),
        "tenantOrderId": Field("order__tenant_order_id"),
    }

    @operation("searchHandoverJobs", "Search handover jobs", body=payload, answers={200: wire.handover_page})
    def post(self, request):
        rows, info, total = search(request.data, self.jobs(), self.fields)
        body = {"handoverJobs": [wire.represent_handover(row) for row in rows], "pageInfo": info}
        return Response(body if total is None else body | {"total": total})


class HandoverDetail(HandoverView):
    access = {"GET": READ, "PATCH": HAND_OVER}

    @operation("getHandoverJob", "One handover job", answers={200: wire.handover}, errors=(404,))
    def get(self, request, pk):
        get_object_or_404(self.jobs(), pk=pk)
        return self.answer(pk)

    @operation(
        "patchHandoverJob",
        "Hand over, take back, or cancel",
        body=wire.handover_patch,
        answers={200: wire.handover},
        errors=CHANGED,
    )
    def patch(self, request, pk):
        data = validate(wire.handover_patch, request.data)
        get_object_or_404(self.jobs(), pk=pk)
        who = {"by": request.user, "now": timezone.now()}
        steps = []
        for action in data["actions"]:
            if action["action"] == "CancelHandoverjob":
                steps.append(partial(services.cancel_handover, pk, action["handoverJobCancelReason"], **who))
            if "customAttributes" in action:
                steps.append(partial(services.note_on_handover, pk, action["customAttributes"], **who))
            if action.get("status") == HandoverJob.Status.HANDED_OVER:
                steps.append(partial(services.hand_over, pk, **who))
            elif action.get("status") == HandoverJob.Status.OPEN:
                steps.append(partial(services.revert, pk, reason="API", **who))
        apply_together(steps, data["version"])
        return self.answer(pk)


class HandoverActions(HandoverView):
    access = {"POST": HAND_OVER}

    @operation(
        "actOnHandoverJob",
        "CANCEL or FINISH_HANDOVER_JOB",
        body=wire.handover_action,
        answers={200: wire.handover},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.handover_action, request.data)
        job = get_object_or_404(self.jobs(), pk=pk)
        who = {"by": request.user, "now": timezone.now(), "version": data["version"]}

        def step(is_second):
            if data["name"] == "CANCEL":
                services.cancel_handover(pk, data["payload"]["handoverJobCancelReason"], **who)
            else:
                services.hand_over(pk, refused=_refused(job, data["lineItems"]), **who)
            return self.answer(pk)

        return once(request, step)


def _refused(job, items):
    """What of each line is not handed over, with the reason: ``{line id: (units, reason)}``."""
    lines = {str(line.pk): line for line in job.lines.all()}
    found = {}
    for index, entry in enumerate(items):
        line = lines.get(entry["id"])
        if line is None:
            raise ValidationError({f"lineItems[{index}].id": [f"There is no line {entry['id']!r}."]})
        if entry["handedOverQuantity"] > line.quantity:
            raise ValidationError(
                {f"lineItems[{index}].handedOverQuantity": [f"must be at most {line.quantity}"]}
            )
        words = [note.get("comment") or note.get("reason") or "" for note in entry.get("refused") or []]
        found[line.pk] = (line.quantity - entry["handedOverQuantity"], ", ".join(filter(None, words)))
    return found
