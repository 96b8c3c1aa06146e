"""Pack jobs and their packages in the API."""

from functools import partial

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import PACK, READ
from fulfillment.core.api.assigned import meant_for, read_assigned
from fulfillment.core.api.document import operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.recording import read_updates
from fulfillment.core.api.schema import Text, read_moment, validate
from fulfillment.core.api.search import SEARCH, Field, payload, search
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotOffered
from fulfillment.core.models import Permission
from fulfillment.core.status import check_version
from orders import wire as orders_wire
from picking import lists

from . import containers, services, wire
from .models import PackJob

CHANGED = (404, 409, 422)
CLOSE = partial(services.close, is_weight_estimated=True)


class PackJobView(ApiView):
    def jobs(self):
        return self.at_my_facilities(PackJob.objects.all())

    def job(self, pk):
        return get_object_or_404(self.jobs(), pk=pk)

    def answer(self, pk):
        return Response(wire.represent(PackJob.objects.for_api().get(pk=pk)))


class PackJobList(PackJobView):
    """GET and POST /api/packjobs"""

    access = {"GET": READ, "POST": PACK}

    @operation(
        "listPackJobs",
        "Pack jobs, the newest first",
        query={
            **lists.QUERY,
            **dict.fromkeys(("packJobIds", "processId", "pickJobRef", "assignedUser"), Text(500)),
        },
        answers={200: wire.pack_jobs},
    )
    def get(self, request):
        rows, total = lists.job_page(
            request,
            meant_for(self.at_my_facilities(PackJob.objects.for_api()), request),
            {"packJobIds": "pk", "processId": "order__process_id", "pickJobRef": "pick_job"},
        )
        return Response({"packJobs": [wire.represent(job) for job in rows], "total": total})

    @operation(
        "createPackJob",
        "The pack job of a pick job: it exists as soon as the pick job is closed",
        body=wire.pack_job_for_creation,
        answers={303: None},
        errors=(422,),
    )
    def post(self, request):
        data = validate(wire.pack_job_for_creation, request.data)
        pick_job = paging.as_uuid(data.get("pickJobRef"))
        existing = self.jobs().filter(pick_job=pick_job).first() if pick_job else None
        if existing is None:
            raise services.PackJobNeedsPickJob
        return Response(status=303, headers={"Location": reverse("api-pack-job", args=[existing.pk])})


class PackJobSearch(PackJobView):
    """POST /api/packjobs/search"""

    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "facilityRef": Field("facility", "id"),
        "lastModified": Field("modified_at", "time", is_sortable=True),
        "lineItems": {
            "article": {
                "tenantArticleId": Field("lines__order_line__sku"),
                "title": Field("lines__title"),
            }
        },
        "orderDate": Field("order__order_date", "time", is_sortable=True),
        "recipient": orders_wire.addresses_of("POSTAL_ADDRESS", "PARCEL_LOCKER", ""),
        "invoice": orders_wire.addresses_of("INVOICE_ADDRESS"),
        "shortId": Field("short_id"),
        "status": Field("status"),
        "targetTime": Field("due_at", "time", is_sortable=True),
        "tenantOrderId": Field("order__tenant_order_id"),
    }

    @operation(
        "searchPackJobs",
        "Search pack jobs",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.pack_job_page},
    )
    def post(self, request):
        jobs = lists.with_due_at(self.at_my_facilities(PackJob.objects.for_api()))
        rows, info, total = search(request.data, jobs, self.fields)
        body = {"packJobs": [wire.represent(row) for row in rows], "pageInfo": info}
        return Response(body if total is None else body | {"total": total})


class PackJobDetail(PackJobView):
    """GET and PATCH /api/packjobs/{id}"""

    access = {"GET": READ, "PATCH": PACK}

    @operation("getPackJob", "One pack job", answers={200: wire.pack_job}, errors=(404,))
    def get(self, request, pk):
        return self.answer(self.job(pk).pk)

    @operation(
        "patchPackJob",
        "Start, pack, pause or close a pack job: the actions are applied together, or none of them",
        body=wire.patch,
        answers={200: wire.pack_job},
        errors=CHANGED,
    )
    def patch(self, request, pk):
        data = validate(wire.patch, request.data)
        job = self.job(pk)
        check_version(job, data["version"])  # also when no action changes anything
        steps = _patch_steps(job, data["actions"], by=request.user, now=timezone.now())
        apply_together(steps, data["version"])
        return self.answer(pk)


def _patch_steps(job, actions, *, by, now):
    """The services that a PATCH asks for: first what begins the work, then the lines, then what ends it."""
    who = {"by": by, "now": now}
    begin, change, end, packed = [], [], [], []
    for action in actions:
        name = action["action"]
        if name == "ModifyPackLineItem":
            packed.append(action)
        elif name == "PausePackJob":
            packed += action.get("packLineItemsUpdate", [])
            end.append(partial(services.pause, job.pk, **who))
        else:
            if "customAttributes" in action:
                change.append(
                    partial(services.modify, job.pk, custom_attributes=action["customAttributes"], **who)
                )
            status = action.get("status")
            if status == PackJob.Status.IN_PROGRESS != job.status:
                begin.append(partial(services.start, job.pk, **who))
            elif status in {None, job.status}:
                continue
            elif status in {PackJob.Status.CLOSED, PackJob.Status.PAUSED}:
                end.append(
                    partial(CLOSE if status == PackJob.Status.CLOSED else services.pause, job.pk, **who)
                )
            else:
                raise NotOffered(feature=f"Setting the status {status}", instead=wire.STATUS_INSTEAD[status])
    counts = {_line_id(item, job): item["packed"] for item in packed if "packed" in item}
    if counts:
        change.append(partial(services.count, job.pk, counts, **who))
    return [*begin, *change, *end]


def _line_id(item, job):
    found = paging.as_uuid(item["id"])
    if found is None:
        raise services.NotALine(line=item["id"], job=job)
    return found


class PackJobActions(PackJobView):
    """POST /api/packjobs/{id}/actions"""

    access = {"POST": PACK}

    @operation(
        "packJobAction",
        "Do one step of a pack job",
        body=wire.actions,
        answers={200: wire.pack_job},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.actions, request.data)
        job = self.job(pk)
        if data["name"] in wire.MOVES:

            def move(is_second):
                containers.move(job, data, by=request.user, now=timezone.now())
                return self.answer(pk)

            return once(request, move)
        who = {"by": request.user, "now": timezone.now(), "version": data["version"]}

        def step(is_second):
            if data["name"] == "REPLACE_ASSIGNED_USERS":
                users = read_assigned(data["assignedUsers"], job.facility, Permission.PACK)
                services.assign(pk, users, **who)
            elif data["name"] == "SPLIT_LINES_PACK_JOB":
                splits = [
                    services.Split(
                        _line_id({"id": item["lineItemId"]}, job), item["quantity"], item.get("packed")
                    )
                    for item in data["splitLineItemsInfo"]
                ]
                services.split(pk, splits, **who)
            elif data["name"] == wire.RECORD:
                services.record(pk, read_updates(data), **who)
            else:
                services.modify(pk, target_time=read_moment(data["targetTime"]), **who)
            return self.answer(pk)

        return once(request, step)
