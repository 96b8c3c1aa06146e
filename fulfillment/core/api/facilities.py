"""Facilities in the API."""

import uuid
from functools import partial

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.response import Response

from ..models import Facility
from ..services import facilities
from . import facility_wire as wire
from . import paging
from .access import FACILITIES, READ
from .document import PAGE, operation
from .idempotency import once
from .patching import apply_together
from .references import get_facility
from .schema import Text, boolean, validate
from .search import CUSTOM_ATTRIBUTES, SEARCH, TAGS, Field, Items, payload, search
from .views import ApiView

ORDERS = {"NAME": "name", "CREATED": "", "POSTAL_CODE_ASC": "postal_code"}


def gone():
    """The answer to a deletion: nothing, and its length said, because clients try to read it otherwise."""
    return HttpResponse(status=200, content_type="application/json", headers={"Content-Length": "0"})


class FacilityView(ApiView):
    def facilities(self):
        return self.at_my_facilities(Facility.objects.prefetch_related("closing_days"), "pk")

    def answer(self, pk, **options):
        return Response(wire.represent_facility(self.facilities().get(pk=pk)), **options)


class FacilityList(FacilityView):
    access = {"GET": READ, "POST": FACILITIES}

    @operation(
        "listFacilities",
        "Facilities, the newest first",
        query={
            **PAGE,
            **dict.fromkeys(("status", "tenantFacilityId", "type"), Text(500)),
            "orderBy": Text(choices=ORDERS),
        },
        answers={200: wire.facilities},
    )
    def get(self, request):
        rows = self.at_my_facilities(Facility.objects.all(), "pk")
        if statuses := paging.values(request, "status"):
            rows = rows.filter(status__in=statuses)
        if number := request.query_params.get("tenantFacilityId"):
            rows = rows.filter(tenant_facility_id=number)
        if (kinds := paging.values(request, "type")) and "MANAGED_FACILITY" not in kinds:
            rows = rows.none()
        order = ORDERS.get(request.query_params.get("orderBy", ""), "")
        found, total = paging.page(request, rows, order)
        return Response(
            {"facilities": [wire.represent_stripped_facility(row) for row in found], "total": total}
        )

    @operation(
        "createFacility",
        "Create a facility",
        body=wire.facility_for_creation,
        answers={201: wire.facility},
        errors=(409,),
    )
    def post(self, request):
        if self.facility_ids is not None:
            raise PermissionDenied("A facility is created network-wide; you are limited to some facilities.")
        data = validate(wire.facility_for_creation, request.data)

        def step(is_second):
            values = wire.facility_values(data, {})
            values.setdefault("tenant_facility_id", uuid.uuid4().hex[:12])
            values.setdefault("time_zone", wire.TIME_ZONES.get(values["country"], "Europe/Berlin"))
            row = Facility(
                **values,
                slug=facilities.free_slug(values["name"]),
                status=data.get("status", Facility.Status.ONLINE),
                created_at=timezone.now(),
            )
            if problems := wire.facility_problems(row):
                raise ValidationError(problems)
            facilities.create(
                row, closing_days=wire.closing_days(data) or (), by=request.user, now=timezone.now()
            )
            return self.answer(
                row.pk, status=201, headers={"Location": reverse("api-facility", args=[row.pk])}
            )

        return once(request, step)


class FacilitySearch(FacilityView):
    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id", is_sortable=True),
        "name": Field("name", is_sortable=True),
        "created": Field("created_at", "time", is_sortable=True),
        "lastModified": Field("modified_at", "time", is_sortable=True),
        "locationType": Field("location_type", is_sortable=True),
        "services": {"type": Items("services")},
        "status": Field("status", is_sortable=True),
        "tenantFacilityId": Field("tenant_facility_id", is_sortable=True),
        "address": {
            "city": Field("city", is_sortable=True),
            "country": Field("country", is_sortable=True),
            "postalCode": Field("postal_code", is_sortable=True),
            "street": Field("street"),
            "houseNumber": Field("house_number"),
            "companyName": Field("company_name"),
            "province": Field("extra__address__province"),
        },
        "contact": {
            "firstName": Field("extra__contact__firstName"),
            "lastName": Field("extra__contact__lastName"),
        },
        "customAttributes": CUSTOM_ATTRIBUTES,
        "tags": TAGS,
        "referenced": {"facilityCarrierConnection": {"carrierKey": Field("carriers__carrier__key")}},
    }

    @operation(
        "searchFacilities",
        "Search facilities",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.facility_page},
    )
    def post(self, request):
        rows, info, total = search(request.data, self.facilities(), self.fields)
        body = {"facilities": [wire.represent_facility(row) for row in rows], "pageInfo": info}
        return Response(body if total is None else body | {"total": total})


class FacilityDetail(FacilityView):
    access = {"GET": READ, "PATCH": FACILITIES, "DELETE": FACILITIES}

    @operation("getFacility", "One facility, by id or urn", answers={200: wire.facility}, errors=(404,))
    def get(self, request, facility):
        return self.answer(get_facility(self, facility).pk)

    @operation(
        "patchFacility",
        "Change a facility: by actions, or by naming what changes",
        body=wire.facility_patch,
        answers={200: wire.facility},
        errors=(404, 409, 422),
    )
    def patch(self, request, facility):
        row = get_facility(self, facility)
        is_plain = isinstance(request.data, dict) and "actions" not in request.data
        data = validate(wire.facility_for_modification if is_plain else wire.facility_patch, request.data)
        who = {"by": request.user, "now": timezone.now()}
        steps = []
        for index, action in enumerate([data] if is_plain else data["actions"]):
            values = wire.facility_values(action, row.extra)
            self._check(row, values, "" if is_plain else f"actions[{index}].")
            days = wire.closing_days(action)
            steps.append(partial(facilities.change, row.pk, values, closing_days=days, **who))
            if "status" in action:
                steps.append(partial(facilities.set_status, row.pk, action["status"], **who))
        apply_together(steps, data["version"])
        return self.answer(row.pk)

    def _check(self, row, values, prefix):
        for name, value in values.items():
            setattr(row, name, value)
        if problems := wire.facility_problems(row):
            raise ValidationError({prefix + path: messages for path, messages in problems.items()})

    @operation(
        "deleteFacility",
        "Delete a facility that nothing was done at",
        query={"forceDeletion": boolean},
        answers={200: None},
        errors=(404, 422),
    )
    def delete(self, request, facility):
        with transaction.atomic():
            facilities.delete(get_facility(self, facility).pk, by=request.user, now=timezone.now())
        return gone()
