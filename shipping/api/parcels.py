"""Parcels in the API, and the labels that another program brings for them."""

import base64
import binascii
import collections
from functools import partial

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import READ, SHIP
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.recording import read_updates
from fulfillment.core.api.references import at_facilities
from fulfillment.core.api.schema import validate
from fulfillment.core.api.search import SEARCH, Field, payload, search
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotOffered
from fulfillment.core.status import check_version
from orders import wire as orders_wire

from .. import booking, external, services, tracking, uploads
from ..carriers import Track
from ..models import Parcel, Shipment, TrackEvent
from ..wire import parcels as wire
from ..wire.shipments import represent_stripped_parcel
from .reading import (
    CHANGED,
    carrier_of,
    contact_of,
    millimetres,
    read_splits,
    recipient_of,
    refuse_not_offered,
)
from .shipments import ShipmentView


class ShipmentParcels(ShipmentView):
    access = {"POST": SHIP}

    @operation(
        "createParcel",
        "Ask for labels of a packed shipment: of the package that is described, else of all. Answers the first parcel",
        body=wire.parcel_for_creation,
        answers={201: wire.parcel},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        data = validate(wire.parcel_for_creation, request.data)
        refuse_not_offered(data, wire.PARCEL_NOT_OFFERED)
        get_object_or_404(self.shipments(), pk=pk)
        who = {"by": request.user, "now": timezone.now()}

        return once(request, lambda is_second: _create(pk, data, who))


class ParcelCreation(ShipmentView):
    access = {"POST": SHIP}

    @operation(
        "createParcelDirectly",
        "Ask for the label of a package of the shipment that is named by shipmentRef, processRef or tenantOrderId",
        body=wire.parcel_for_direct_creation,
        answers={201: wire.parcel},
        errors=(404, 409, 422),
    )
    def post(self, request):
        data = validate(wire.parcel_for_direct_creation, request.data)
        refuse_not_offered(data, wire.PARCEL_NOT_OFFERED)
        who = {"by": request.user, "now": timezone.now()}
        return once(request, lambda is_second: _create(self._shipment(data).pk, data, who, is_one=True))

    def _shipment(self, data):
        """The shipment that is meant: it exists before its parcels, so there is nothing to be made without one."""
        here = at_facilities(self.shipments(), [data["facilityRef"]])
        if reference := data.get("shipmentRef"):
            return get_object_or_404(here, pk=paging.as_uuid(reference))
        here = here.filter(status__in=Shipment.UNFINISHED)
        if process := paging.as_uuid(data.get("processRef", "")):
            named = here.filter(order__process_id=process)
        else:
            named = here.filter(order__tenant_order_id=data.get("tenantOrderId") or None)
        shipments = list(named[:2])
        if len(shipments) != 1:
            raise services.ParcelNeedsShipment
        return shipments[0]


def _create(shipment_id, data, who, *, is_one=False):
    """Ask for labels: of the package that is described, else of all that have none yet. Answers the first parcel."""
    shipment = Shipment.objects.get(pk=shipment_id)
    recipient = recipient_of(data.get("recipient") or {})
    if recipient and any(shipment.recipient.get(name) != value for name, value in recipient.items()):
        services.correct_recipient(shipment_id, recipient, **who)
    wanted = {
        "carrier": carrier_of(data.get("carrierRef"), "carrierRef"),
        "product": data.get("carrierProduct") or "",
    }
    details, units = _details(data), _units(data.get("items") or [])
    codes = list(filter(None, data.get("loadUnitRefs") or []))
    if is_one or details or units or codes:
        parcel = services.request_parcel(
            shipment_id, units=units or None, codes=codes, details=details, **wanted, **who
        )
    else:
        services.request_labels(shipment_id, **wanted, **who)
        parcel = Parcel.objects.live().filter(shipment=shipment_id).order_by("package__number").first()
    answered = Parcel.objects.for_api().get(pk=parcel.pk)
    location = reverse("api-parcel", args=[parcel.pk])
    return Response(wire.represent_parcel(answered), status=201, headers={"Location": location})


def _details(data):
    """What a body says of one parcel beside its contents."""
    attributes = dict(data.get("customAttributes") or {})
    if own := data.get("tenantParcelId"):
        attributes[wire.TENANT_PARCEL_ID] = own
    details = millimetres(data.get("dimensions") or {})
    for name, field in (("sender", "sender"), ("returnAddress", "return_address")):
        if contact := contact_of(data.get(name) or {}, name):
            details[field] = contact
    return details | ({"custom_attributes": attributes} if attributes else {})


def _units(items):
    """``{sku: units}`` of the items of a body."""
    units = collections.Counter()
    for index, item in enumerate(items):
        sku = (item.get("article") or {}).get("tenantArticleId")
        if not isinstance(sku, str) or not sku:
            raise ValidationError({f"items[{index}].article.tenantArticleId": ["is required"]})
        units[sku] += item["quantity"]
    return units


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
        return Response({"parcels": [represent_stripped_parcel(row) for row in found], "total": total})


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
        parcel = get_object_or_404(self.parcels(), pk=pk)
        check_version(parcel, data["version"])
        who = {"by": request.user, "now": timezone.now()}
        steps = []
        for action in data["actions"]:
            steps += _steps(parcel, action, who)
        apply_together(steps, data["version"])
        return self.answer(pk)


def _steps(parcel, action, who):
    """The services that one action of a PATCH asks for."""
    if action["action"] == "ModifyParcelLoadUnit":
        yield partial(services.put_into_load_units, parcel.pk, action["loadUnitRefs"], **who)
        return
    refuse_not_offered(action, wire.PARCEL_NOT_OFFERED)
    attributes = action.get("customAttributes")
    if own := action.get("tenantParcelId"):
        kept = parcel.custom_attributes if attributes is None else attributes
        attributes = {**kept, wire.TENANT_PARCEL_ID: own}
    if attributes is not None or {"dimensions", "carrierProduct"} & action.keys():
        changes = {
            "dimensions": millimetres(action.get("dimensions") or {}),
            "product": action.get("carrierProduct"),
            "custom_attributes": attributes,
        }
        yield partial(services.modify_parcel, parcel.pk, **changes, **who)
    status = action.get("status", parcel.status)
    if status == Parcel.Status.CANCELED != parcel.status:
        yield partial(services.cancel_parcel, parcel.pk, **who)
    elif status in {Parcel.Status.OPEN, Parcel.Status.PROCESSING} and "status" in action:
        yield partial(services.request_again, parcel.pk, **who)
    elif status != parcel.status:
        raise NotOffered(
            feature=f"Setting the status {status}",
            instead="ADD_LABELS_TO_PARCEL brings a label, or says why there is none.",
        )
    if number := (action.get("result") or {}).get("carrierTrackingNumber"):
        yield partial(booking.enter_number, parcel.pk, number, **who)


class ParcelActions(ParcelView):
    access = {"POST": SHIP}

    @operation(
        "actOnParcel",
        "ADD_LABELS_TO_PARCEL: bring labels that another program got; UPDATE_TRACKING_DATA: say where it is; split items or record attributes",
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
            elif data["name"] == wire.SPLIT:
                services.split_parcel(pk, read_splits(data["splitItemsInfo"]), **who)
            elif data["name"] == wire.RECORD:
                services.record_of_parcel(pk, read_updates(data), **who)
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
            raise NotOffered(
                feature=f"trackingData[{index}].type RETURN_LABEL",
                instead="What comes back is announced as a return of /api/itemreturnjobs.",
            )
        if entry["trackingNumber"] != parcel.tracking_number:
            raise ValidationError(
                {f"trackingData[{index}].trackingNumber": [f"is not {parcel.tracking_number or 'known yet'}"]}
            )
        status = entry["status"].lower()
        tracks.append(Track(parcel.tracking_number, status, who["now"], entry.get("carrierStatus", status)))
    tracking.record(parcel.pk, tracks, TrackEvent.Source.API, **who)
