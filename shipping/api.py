"""Shipments, parcels with their labels, and handover jobs in the API."""

import base64
import binascii
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
from fulfillment.core.api.references import at_facilities
from fulfillment.core.api.schema import Text, moment, validate
from fulfillment.core.api.search import SEARCH, Field, payload, search
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotSupportedYet
from fulfillment.core.models import Carrier
from fulfillment.core.pdf import join_pdfs
from fulfillment.core.services import documents
from fulfillment.core.status import check_version
from orders import wire as orders_wire
from orders.models import Address

from . import booking, external, services, tracking, uploads, wire
from .carriers import Track
from .models import HandoverJob, Parcel, Shipment, TrackEvent

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
    if references := paging.values(request, "facilityRef"):
        rows = at_facilities(rows, references)
    for name, path in paths.items():
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


def _refuse_unsupported(data, names):
    """Empty objects and false are not given: there are clients that always send them."""
    for name in names:
        value = data.get(name)
        if any(value.values()) if isinstance(value, dict) else value:
            raise NotSupportedYet(feature=name)


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
            _refuse_unsupported(action, wire.SHIPMENT_UNSUPPORTED)
            status = action.get("status", shipment.status)
            if status not in {Shipment.Status.REQUEST, shipment.status}:
                raise NotSupportedYet(feature=f"Setting the status {status}")
            if "targetAddress" in action:
                steps.append(
                    partial(services.correct_recipient, pk, _recipient(action["targetAddress"]), **who)
                )
            asks = "carrierRef" in action or status != shipment.status
            if action.get("carrierProduct") and not asks:
                raise NotSupportedYet(feature="carrierProduct without carrierRef or status REQUEST")
            if asks:
                carrier = _carrier(action.get("carrierRef"), f"actions[{index}].carrierRef")
                wanted = {"carrier": carrier, "product": action.get("carrierProduct", "")}
                steps.append(partial(services.request_labels, pk, **wanted, **who))
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
        _refuse_unsupported(data, wire.PARCEL_UNSUPPORTED)
        get_object_or_404(self.shipments(), pk=pk)
        who = {"by": request.user, "now": timezone.now()}

        def step(is_second):
            if "recipient" in data:
                services.correct_recipient(pk, _recipient(data["recipient"]), **who)
            carrier = _carrier(data.get("carrierRef"), "carrierRef")
            services.request_labels(pk, carrier=carrier, product=data.get("carrierProduct", ""), **who)
            parcels = list(Parcel.objects.live().for_api().filter(shipment=pk).order_by("package__number"))
            changes = {
                "dimensions": _millimetres(data.get("dimensions") or {}),
                "custom_attributes": data.get("customAttributes"),
            }
            if any(changes.values()) and len(parcels) == 1:
                services.modify_parcel(parcels[0].pk, **changes, **who)
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


# As it stands on the label.
_RECIPIENT = {
    name: Field(f"shipment__recipient__{field}")
    for name, field in {
        "companyName": "company",
        "email": "email",
        "firstName": "first_name",
        "lastName": "last_name",
    }.items()
}


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
        "result": {"carrierTrackingNumber": Field("tracking_number")},
        "recipient": _RECIPIENT,
        "invoice": orders_wire.addresses_of("INVOICE_ADDRESS"),
        "items": {
            "article": {
                "tenantArticleId": Field("package__items__line__order_line__sku"),
                "title": Field("package__items__line__title"),
            }
        },
    }

    @operation(
        "searchParcels",
        "Search parcels",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.parcel_page},
    )
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
        "Change dimensions or product, enter a tracking number, ask the carrier again, or cancel the label",
        body=wire.parcel_patch,
        answers={200: wire.parcel},
        errors=CHANGED,
    )
    def patch(self, request, pk):
        data = validate(wire.parcel_patch, request.data)
        check_version(get_object_or_404(self.parcels(), pk=pk), data["version"])
        who = {"by": request.user, "now": timezone.now()}
        steps = []
        for action in data["actions"]:
            _refuse_unsupported(action, wire.PARCEL_UNSUPPORTED)
            if {"dimensions", "customAttributes", "carrierProduct"} & action.keys():
                changes = {
                    "dimensions": _millimetres(action.get("dimensions") or {}),
                    "product": action.get("carrierProduct"),
                    "custom_attributes": action.get("customAttributes"),
                }
                steps.append(partial(services.modify_parcel, pk, **changes, **who))
            if action.get("status") == Parcel.Status.CANCELED:
                steps.append(partial(services.cancel_parcel, pk, **who))
            elif "status" in action:
                steps.append(partial(services.request_again, pk, **who))
            if number := (action.get("result") or {}).get("carrierTrackingNumber"):
                steps.append(partial(booking.enter_number, pk, number, **who))
        apply_together(steps, data["version"])
        return self.answer(pk)


class ParcelActions(ParcelView):
    access = {"POST": SHIP}

    @operation(
        "actOnParcel",
        "ADD_LABELS_TO_PARCEL: bring labels that another program got; UPDATE_TRACKING_DATA: say where it is",
        body=wire.parcel_action,
        answers={200: wire.parcel},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.parcel_action, request.data)
        parcel = get_object_or_404(self.parcels(), pk=pk)
        who = {"by": request.user, "now": timezone.now(), "version": data["version"]}

        def step(is_second):
            if data["name"] == "ADD_LABELS_TO_PARCEL":
                brought = _brought(data)
                if own := data.get("tenantParcelId"):
                    attributes = {**parcel.custom_attributes, wire.TENANT_PARCEL_ID: own}
                    services.modify_parcel(pk, custom_attributes=attributes, **who)
                    who["version"] = None
                external.add_labels(pk, brought, closes=data.get("closeParcel", False), **who)
            else:
                _track(parcel, data["trackingData"], who)
            return self.answer(pk)

        return once(request, step)


def _brought(data):
    """What ADD_LABELS_TO_PARCEL brings. Raises ValidationError, naming the file that is none."""
    docs, numbers, failures = [], {}, []
    for index, label in enumerate(data["labels"]):
        kind = wire.LABEL_TYPES[label["labelType"]]
        if "errorDescription" in label:
            failures.append((label.get("errorCode", ""), label["errorDescription"]))
            continue
        docs.append(_doc(label["labelFile"], kind, f"labels[{index}].labelFile.content"))
        numbers[kind] = label
    if customs := data.get("customsDocument"):
        docs.append(_doc(customs["labelFile"], "customs", "customsDocument.labelFile.content"))
    label = numbers.get("label", {})
    code, failure = failures[0] if failures else ("", "")
    return external.Brought(
        docs=tuple(docs),
        number=label.get("trackingNumber", ""),
        tracking_url=label.get("trackingUrl", ""),
        return_number=numbers.get("return_label", {}).get("trackingNumber", ""),
        failure=failure,
        failure_code=code,
    )


def _doc(file, kind, path):
    try:
        return uploads.read_label(base64.b64decode(file["content"], validate=True), kind)
    except (binascii.Error, ValueError) as error:
        raise ValidationError({path: ["must be base64"]}) from error
    except (uploads.NotALabel, uploads.UploadTooLarge) as refusal:
        raise ValidationError({path: [refusal.english]}) from refusal


def _track(parcel, entries, who):
    """Keep what a program says of the way of a parcel. The way of return labels is not kept."""
    tracks = []
    for index, entry in enumerate(entries):
        if entry["type"] != "SEND_LABEL":
            raise NotSupportedYet(feature=f"trackingData[{index}].type RETURN_LABEL")
        if entry["trackingNumber"] != parcel.tracking_number:
            raise ValidationError(
                {f"trackingData[{index}].trackingNumber": [f"is not {parcel.tracking_number or 'known yet'}"]}
            )
        status = entry["status"].lower()
        tracks.append(Track(parcel.tracking_number, status, who["now"], entry.get("carrierStatus", status)))
    tracking.record(parcel.pk, tracks, TrackEvent.Source.API, **who)


class ParcelLabel(ParcelView):
    access = {"GET": READ}

    @operation(
        "getParcelLabel",
        "The labels: all.pdf, send.pdf, return.pdf and customs.pdf, or send.zpl and return.zpl for label printers",
        answers={200: "application/pdf"},
        errors=(404, 422),
    )
    def get(self, request, pk, document):
        rows = self.parcels().select_related("label", "return_label", "customs_document")
        parcel = get_object_or_404(rows, pk=pk)
        if document not in wire.LABELS:
            raise Http404
        form = document.rpartition(".")[2]
        papers = [getattr(parcel, name) for name in wire.LABELS[document]]
        stored = [row for row in papers if row is not None and row.format == form.upper()]
        if not stored:
            if any(papers):
                raise Http404  # it is there in the other format
            raise services.ParcelNotReady(code=parcel.code, status=parcel.get_status_display())
        files = [documents.read(row) for row in stored]
        return HttpResponse(
            join_pdfs(files) if form == "pdf" else b"\n".join(files),
            content_type=f"application/{form}",
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
        "recipientAddress": orders_wire.addresses_of("POSTAL_ADDRESS", "PARCEL_LOCKER", ""),
        "invoiceAddress": orders_wire.addresses_of("INVOICE_ADDRESS"),
        "handoverJobParcelInfo": {
            "carrierKey": Field("parcel__carrier__key"),
            "carrierRef": Field("parcel__carrier", "id"),
            "carrierTrackingNumber": Field("parcel__tracking_number"),
            "shipmentRef": Field("parcel__shipment", "id"),
        },
        "handoverJobLineItems": {
            "article": {"tenantArticleId": Field("lines__order_line__sku"), "title": Field("lines__title")}
        },
    }

    @operation(
        "searchHandoverJobs",
        "Search handover jobs",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.handover_page},
    )
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
