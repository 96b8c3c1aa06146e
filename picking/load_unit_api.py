"""Load units in the API."""

from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import PICK, READ
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.references import location_in_body
from fulfillment.core.api.schema import Text, validate
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotOffered

from . import load_unit_wire as wire
from . import load_units
from .models import LoadUnit, PickJob, PickRun

STATUSES = {
    "AVAILABLE": [LoadUnit.Status.IN_USE],
    "OBSOLETE": [LoadUnit.Status.FREE, LoadUnit.Status.RETIRED],
}


class LoadUnitView(ApiView):
    def units(self):
        return self.at_my_facilities(LoadUnit.objects.for_api())

    def unit(self, pk):
        return get_object_or_404(self.units(), pk=pk)

    def answer(self, pk, **how):
        return Response(wire.represent(LoadUnit.objects.for_api().get(pk=pk)), **how)

    def who(self):
        return {"by": self.request.user, "now": timezone.now()}


def _holding(units, job_ids):
    runs = PickRun.objects.filter(run_jobs__job__in=job_ids)
    return units.filter(Q(job__in=job_ids) | Q(job=None, run__in=runs.values("pk")))


class LoadUnitList(LoadUnitView):
    """GET /api/loadunits"""

    access = {"GET": READ}

    @operation(
        "listLoadUnits",
        "Load units that hold goods, the newest first; the others with statuses=OBSOLETE",
        query={**PAGE, "pickJobRef": Text(64), "statuses": Text(100)},
        answers={200: wire.load_units},
    )
    def get(self, request):
        units = self.units()
        named = paging.values(request, "statuses") or ["AVAILABLE"]
        units = units.filter(status__in=[status for name in named for status in STATUSES.get(name, [])])
        job_ids = paging.ids(request, "pickJobRef")
        if job_ids is not None:
            units = _holding(units, job_ids)
        rows, total = paging.page(request, units)
        return Response({"loadUnits": [wire.represent(unit) for unit in rows], "total": total})


class LoadUnitDetail(LoadUnitView):
    """GET, PATCH and DELETE /api/loadunits/{id}"""

    access = {"GET": READ, "PATCH": PICK, "DELETE": PICK}

    @operation("getLoadUnit", "One load unit", answers={200: wire.load_unit}, errors=(404,))
    def get(self, request, pk):
        return Response(wire.represent(self.unit(pk)))

    @operation(
        "patchLoadUnit",
        "Put a load unit on another storage location; what it holds follows from the picking",
        body=wire.patch,
        answers={200: wire.load_unit},
        errors=(404, 409, 422),
    )
    def patch(self, request, pk):
        data = validate(wire.patch, request.data)
        unit = self.unit(pk)
        if data.get("actions"):
            raise NotOffered(
                feature="ReplaceLoadUnitLineItems", instead=wire.PARTS_NOT_OFFERED["loadUnitLineItems"]
            )
        reference = data.get("storageLocationRef")
        location = location_in_body(unit.facility_id, reference) if reference else None
        load_units.put(pk, location, version=data["version"], **self.who())
        return self.answer(pk)

    @operation(
        "deleteLoadUnit",
        "Say that a load unit holds nothing any more; one that holds nothing is taken out of use",
        answers={200: wire.load_unit},
        errors=(404, 422),
    )
    def delete(self, request, pk):
        unit = self.unit(pk)
        step = load_units.free if unit.status == LoadUnit.Status.IN_USE else load_units.retire
        step(pk, **self.who())
        return self.answer(pk)


class PickJobLoadUnits(LoadUnitView):
    """GET and POST /api/pickjobs/{id}/loadunits"""

    access = {"GET": READ, "POST": PICK}

    def job(self, pk):
        jobs = self.at_my_facilities(PickJob.objects.select_related("facility"))
        return get_object_or_404(jobs, pk=pk)

    @operation(
        "listPickJobLoadUnits",
        "Load units with goods of a pick job",
        answers={200: wire.load_units},
        errors=(404,),
    )
    def get(self, request, pk):
        units = list(_holding(self.units().in_use(), [self.job(pk).pk]).order_by("-pk"))
        return Response({"loadUnits": [wire.represent(unit) for unit in units], "total": len(units)})

    @operation(
        "createPickJobLoadUnit",
        "Let a load unit hold the goods of a pick job: a known one by its code, else a new one with this code",
        body=wire.for_creation,
        answers={201: wire.load_unit},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        data = validate(wire.for_creation, request.data)
        job = self.job(pk)
        for name, instead in wire.PARTS_NOT_OFFERED.items():
            if data.get(name):
                raise NotOffered(feature=name, instead=instead)
        if len(data["codes"]) > 1:
            raise NotOffered(
                feature="More than one code of a load unit", instead="Name the one that stands on it."
            )
        reference = data.get("storageLocationRef")
        location = location_in_body(job.facility_id, reference) if reference else None

        def step(is_second):
            unit = load_units.register(job.facility, data["codes"][0].strip(), **self.who())
            load_units.assign(unit.pk, job.pk, **self.who())
            if location is not None:
                load_units.put(unit.pk, location, **self.who())
            return self.answer(
                unit.pk, status=201, headers={"Location": reverse("api-load-unit", args=[unit.pk])}
            )

        return once(request, step)
