"""Carriers of the network, and how facilities use them, in the API."""

from functools import partial

from django.core.exceptions import ValidationError as BadValue
from django.db.models import Q
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import FACILITIES, READ
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.references import get_facility
from fulfillment.core.api.schema import validate
from fulfillment.core.api.views import ApiView
from fulfillment.core.models import Carrier, FacilityCarrier

from .. import connecting
from ..carriers.calls import url_problems
from ..models import CarrierConnection
from ..wire import carriers as wire


class CarrierView(ApiView):
    def require_network(self):
        if self.facility_ids is not None:
            raise PermissionDenied("Carriers belong to the network; you are limited to some facilities.")


class CarrierList(CarrierView):
    access = {"GET": READ, "POST": FACILITIES}

    @operation("listCarriers", "Carriers, the newest first", query=PAGE, answers={200: wire.carriers})
    def get(self, request):
        found, total = paging.page(request, Carrier.objects.all())
        return Response({"carriers": [wire.represent_stripped_carrier(row) for row in found], "total": total})

    @operation(
        "createCarrier",
        "Create a carrier; facilities use it when they are connected",
        body=wire.carrier_for_creation,
        answers={201: wire.carrier},
        errors=(422,),
    )
    def post(self, request):
        self.require_network()
        data = validate(wire.carrier_for_creation, request.data)

        def step(is_second):
            values = wire.carrier_values(data)
            _check(Carrier(**values), {"key": "key", "name": "name"})
            row = connecting.create_carrier(values)
            location = reverse("api-carrier", args=[row.pk])
            return Response(wire.represent_carrier(row), status=201, headers={"Location": location})

        return once(request, step)


class CarrierDetail(CarrierView):
    access = {"GET": READ, "PATCH": FACILITIES}

    @operation("getCarrier", "One carrier", answers={200: wire.carrier}, errors=(404,))
    def get(self, request, carrier):
        return Response(wire.represent_carrier(_carrier(carrier)))

    @operation(
        "patchCarrier",
        "Change a carrier",
        body=wire.carrier_patch,
        answers={200: wire.carrier},
        errors=(404, 409),
    )
    def patch(self, request, carrier):
        self.require_network()
        data = validate(wire.carrier_patch, request.data)
        row = _carrier(carrier)
        steps = [
            partial(connecting.change_carrier, row.pk, wire.carrier_values(action, row.custom_attributes))
            for action in data["actions"]
        ]
        apply_together(steps, data["version"])
        return Response(wire.represent_carrier(Carrier.objects.get(pk=row.pk)))


class FacilityCarrierList(ApiView):
    access = {"GET": READ}

    @operation(
        "listFacilityCarriers",
        "The carriers that a facility uses",
        answers={200: wire.carriers},
        errors=(404,),
    )
    def get(self, request, facility):
        place = get_facility(self, facility)
        links = place.carriers.select_related("carrier").order_by("priority", "pk")
        rows = [
            wire.represent_stripped_carrier(link.carrier)
            | {"status": Carrier.Status.ACTIVE if link.is_active else Carrier.Status.INACTIVE}
            for link in links
        ]
        return Response({"carriers": rows, "total": len(rows)})


class FacilityCarrierDetail(ApiView):
    access = {"GET": READ, "POST": FACILITIES, "PUT": FACILITIES}

    def link(self, facility, carrier):
        links = FacilityCarrier.objects.select_related("carrier", "connection")
        return get_object_or_404(links, facility=get_facility(self, facility), carrier=_carrier(carrier))

    @operation(
        "getFacilityCarrier",
        "How a facility uses a carrier; credentials are never told",
        answers={200: wire.connection},
        errors=(404,),
    )
    def get(self, request, facility, carrier):
        return Response(wire.represent_connection(self.link(facility, carrier)))

    @operation(
        "connectFacilityCarrier",
        "Let a facility use a carrier; one cut-off is kept per day, the latest",
        body=wire.connection_for_creation,
        answers={201: wire.connection, 303: None},
        errors=(404, 422),
    )
    def post(self, request, facility, carrier):
        place, row = get_facility(self, facility), _carrier(carrier)
        data = validate(wire.connection_for_creation, request.data)
        location = reverse("api-facility-carrier", args=[place.pk, row.pk])

        def step(is_second):
            if FacilityCarrier.objects.filter(facility=place, carrier=row).exists():
                return Response(status=303, headers={"Location": location})
            values, connected, credentials = wire.connection_values(data)
            link = FacilityCarrier(facility=place, carrier=row, **values)
            _check_connection(link, connected, credentials)
            who = {"by": request.user, "now": timezone.now()}
            connecting.connect(place, row, values, connected, credentials, **who)
            return Response(
                wire.represent_connection(self.link(str(place.pk), str(row.pk))),
                status=201,
                headers={"Location": location},
            )

        return once(request, step)

    @operation(
        "changeFacilityCarrier",
        "Change how a facility uses a carrier; what is not named stays",
        body=wire.connection_for_modification,
        answers={200: wire.connection},
        errors=(404, 409, 422),
    )
    def put(self, request, facility, carrier):
        link = self.link(facility, carrier)
        data = validate(wire.connection_for_modification, request.data)
        values, connected, credentials = wire.connection_values(data, link)
        changed = FacilityCarrier(**{"facility": link.facility, "carrier": link.carrier, **values})
        _check_connection(changed, connected, credentials)
        who = {"by": request.user, "now": timezone.now(), "version": data["version"]}
        connecting.reconnect(link.pk, values, connected, credentials, **who)
        return Response(wire.represent_connection(self.link(facility, carrier)))


def _carrier(reference):
    """The carrier that a path names by its id or key. Raises Http404."""
    lookup = Q(key=reference)
    if found := paging.as_uuid(reference):
        lookup |= Q(pk=found)
    carrier = Carrier.objects.filter(lookup).first()
    if carrier is None:
        raise Http404
    return carrier


def _check(row, names):
    """Refuse what the model refuses, with the path of the body.

    Args:
        names: ``{field of the model: path}``; what is not named is not looked at.
    """
    try:
        row.clean_fields(exclude={field.name for field in row._meta.fields} - set(names))
        row.clean()
    except BadValue as error:
        found = error.message_dict if hasattr(error, "error_dict") else {next(iter(names)): error.messages}
        raise ValidationError({names.get(name, name): words for name, words in found.items()}) from error


def _check_connection(link, connected, credentials):
    _check(link, {"cutoffs": "cutoffTimes"})
    row = CarrierConnection(**{"adapter": link.carrier.adapter, **connected})
    names = {"products": "configuration.products", "delivery_areas": "deliveryAreas"}
    _check(row, {name: path for name, path in names.items() if name in connected})
    if connected.get("base_url") and (problems := url_problems(row.base_url)):
        raise ValidationError({"configuration.baseUrl": problems})
    known = wire.credential_names(row.adapter)
    if unknown := sorted(set(credentials or {}) - known):
        raise ValidationError(
            {f"credentials.{unknown[0]}": [f"is not one of {', '.join(sorted(known)) or 'none'}"]}
        )
