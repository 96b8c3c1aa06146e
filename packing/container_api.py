"""The packages of pack jobs in the API, as target containers."""

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.response import Response

from fulfillment.core.api.access import PACK, READ
from fulfillment.core.api.document import operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.schema import validate

from . import containers, services, wire
from .api import CHANGED, PackJobView
from .models import Package


class ContainerView(PackJobView):
    def container(self, job_pk, pk):
        return get_object_or_404(Package.objects.for_api().filter(job=self.job(job_pk)), pk=pk)

    def shown(self, job_pk, pk, **options):
        return Response(wire.represent_container(self.container(job_pk, pk)), **options)


class ContainerList(ContainerView):
    """GET and POST /api/packjobs/{id}/targetcontainers"""

    access = {"GET": READ, "POST": PACK}

    @operation(
        "listTargetContainers", "The packages of a pack job", answers={200: wire.containers}, errors=(404,)
    )
    def get(self, request, pk):
        packages = list(Package.objects.for_api().filter(job=self.job(pk)))
        return Response(
            {
                "packingTargetContainers": [wire.represent_container(package) for package in packages],
                "total": len(packages),
            }
        )

    @operation(
        "createTargetContainer",
        "Open one more package, with its box, code and first units if they are known",
        body=wire.container_for_creation,
        answers={201: wire.container},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.container_for_creation, request.data)
        job = self.job(pk)

        def step(is_second):
            package = containers.create(job, data, by=request.user, now=timezone.now())
            location = reverse("api-target-container", args=[job.pk, package.pk])
            return self.shown(job.pk, package.pk, status=201, headers={"Location": location})

        return once(request, step)


class ContainerDetail(ContainerView):
    """GET, PATCH, POST and DELETE /api/packjobs/{id}/targetcontainers/{id}"""

    access = {"GET": READ, "PATCH": PACK, "POST": PACK, "DELETE": PACK}

    @operation("getTargetContainer", "One package", answers={200: wire.container}, errors=(404,))
    def get(self, request, pk, package_pk):
        return self.shown(pk, package_pk)

    @operation(
        "patchTargetContainer",
        "Change the contents or the code of a package: the actions are applied together, or none of them",
        body=wire.container_patch,
        answers={200: wire.container},
        errors=CHANGED,
    )
    def patch(self, request, pk, package_pk):
        data = validate(wire.container_patch, request.data)
        package = self.container(pk, package_pk)
        containers.patch(package.job, package, data, by=request.user, now=timezone.now())
        return self.shown(pk, package_pk)

    @operation(
        "addToTargetContainer",
        "Put units of a line into a package",
        body=wire.container_line_for_creation,
        answers={201: wire.container},
        errors=CHANGED,
        deprecated=True,
    )
    def post(self, request, pk, package_pk):
        data = validate(wire.container_line_for_creation, request.data)
        package = self.container(pk, package_pk)

        def step(is_second):
            containers.add(package.job, package, data, by=request.user, now=timezone.now())
            location = reverse("api-target-container", args=[pk, package_pk])
            return self.shown(pk, package_pk, status=201, headers={"Location": location})

        return once(request, step)

    @operation("deleteTargetContainer", "Remove an empty package", answers={204: None}, errors=(404, 422))
    def delete(self, request, pk, package_pk):
        package = self.container(pk, package_pk)
        services.remove_package(pk, package.pk, by=request.user, now=timezone.now())
        return Response(status=204)
