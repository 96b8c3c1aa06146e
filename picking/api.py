"""Pick jobs in the API."""

from functools import partial

from django.db.models import Value
from django.db.models.functions import Coalesce
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import PICK, READ, SUPERVISE, reach
from fulfillment.core.api.assigned import meant_for, read_assigned
from fulfillment.core.api.document import operation
from fulfillment.core.api.facility_wire import PICKING_METHODS, read_picking_methods
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.recording import read_updates
from fulfillment.core.api.schema import Text, read_moment, validate
from fulfillment.core.api.search import SEARCH, Field, Items, payload, search
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotOffered
from fulfillment.core.models import ApiToken, Permission
from fulfillment.core.status import check_version

from . import lists, services, wire
from .models import PickJob, PickLine, ShortReason

CHANGED = (404, 409, 422)
# What ends a job or throws away work of others is for supervisors.
SUPERVISED = {"RESET", "ABORT", "CANCEL", "OBSOLETE"}
STEPS = {
    "START": services.start,
    "PAUSE": services.pause,
    "RESET": services.reset,
    "RESTART": services.restart,
    "ABORT": services.abort,
    "CANCEL": services.cancel,
    "OBSOLETE": services.make_obsolete,
    "CLOSE": partial(services.close, is_rest_missing=True),
}
STATUS_STEPS = {
    "PICKED": services.finish,
    "CLOSED": STEPS["CLOSE"],
    "PAUSED": services.pause,
}
PATCH_STEPS = {"RestartPickJob": "RESTART", "ResetPickJob": "RESET", "AbortPickJob": "ABORT"}


def read_count(item):
    """A line of a client's body as ``services.Count``."""
    for name, instead in wire.LINE_PARTS_NOT_OFFERED.items():
        if item.get(name):
            raise NotOffered(feature=name, instead=instead)
    line_id = paging.as_uuid(item["id"])
    if line_id is None:
        raise services.NotOnThisJob(line=item["id"], job="")
    words = item.get("shortPickReasonLocalized") or (item.get("shortPickReason") or {}).get("reasonLocalized")
    missing = ""
    if words:
        missing = wire.reason_of(words)
    elif item.get("status") == PickLine.Status.CLOSED:
        missing = ShortReason.OTHER
    return services.Count(line_id, item.get("picked"), missing)


def read_split(item):
    """A part of a line in a client's body as ``services.Split``."""
    line_id = paging.as_uuid(item["lineItemId"])
    if line_id is None:
        raise services.NotOnThisJob(line=item["lineItemId"], job="")
    return services.Split(line_id, item["quantity"], item["picked"])


def read_line_ids(names):
    """Ids of lines in a client's body."""
    found = [paging.as_uuid(name) for name in names]
    if None in found:
        raise services.NotOnThisJob(line=names[found.index(None)], job="")
    return found


class PickJobView(ApiView):
    def jobs(self):
        return self.at_my_facilities(PickJob.objects.all())

    def job(self, pk):
        return get_object_or_404(self.jobs().select_related("facility"), pk=pk)

    def answer(self, pk):
        return Response(wire.represent(PickJob.objects.for_api().get(pk=pk)))

    def require_supervisor(self, job):
        """Refuse a person who does not supervise the facility of a job; tokens have their scope."""
        caller = self.request.user
        if isinstance(caller, ApiToken):
            return
        facilities = reach(caller, SUPERVISE)
        if facilities is not None and job.facility_id not in facilities:
            raise PermissionDenied("This is for supervisors of the facility.")


class PickJobList(PickJobView):
    """GET /api/pickjobs"""

    access = {"GET": READ}

    @operation(
        "listPickJobs",
        "Pick jobs, the newest first",
        query={
            **lists.QUERY,
            **dict.fromkeys(
                ("pickJobRefs", "zoneRefs", "consumerName", "assignedUser", "carrierKeys"), Text(500)
            ),
        },
        answers={200: wire.stripped_pick_jobs},
    )
    def get(self, request):
        jobs = meant_for(self.jobs(), request)
        if name := request.query_params.get("consumerName", "")[:200]:
            jobs = jobs.filter(order__recipient_name__icontains=name)
        zones = paging.ids(request, "zoneRefs")
        if zones is not None:
            lines = PickLine.objects.filter(allocations__stock__location__zone__in=zones)
            jobs = jobs.filter(pk__in=lines.values("job"))
        if keys := paging.values(request, "carrierKeys"):
            jobs = jobs.preferring(*keys)
        rows, total = lists.job_page(request, jobs, {"pickJobRefs": "pk"})
        return Response({"pickjobs": [wire.represent_stripped(job) for job in rows], "total": total})


class PickJobSearch(PickJobView):
    """POST /api/pickjobs/search"""

    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "consumerName": Field("order__recipient_name"),
        "created": Field("created_at", "time", is_sortable=True),
        "facilityRef": Field("facility", "id"),
        "lastModified": Field("modified_at", "time", is_sortable=True),
        "orderRef": Field("order", "id"),
        "preferredPickingMethods": Items("picking_methods", values=PICKING_METHODS),
        "status": Field("status"),
        "targetTime": Field("due_at", "time", is_sortable=True),
        "tenantArticleIds": Field("lines__order_line__sku"),
        "tenantOrderId": Field("number", is_sortable=True),
    }

    @operation(
        "searchPickJobs",
        "Search pick jobs",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.pick_job_page},
    )
    def post(self, request):
        jobs = self.at_my_facilities(PickJob.objects.for_api())
        jobs = lists.with_due_at(jobs).annotate(number=Coalesce("order__tenant_order_id", Value("")))
        rows, info, total = search(request.data, jobs, self.fields)
        body = {"pickJobs": [wire.represent(row) for row in rows], "pageInfo": info}
        return Response(body if total is None else body | {"total": total})


class PickJobDetail(PickJobView):
    """GET and PATCH /api/pickjobs/{id}"""

    access = {"GET": READ, "PATCH": PICK}

    @operation("getPickJob", "One pick job", answers={200: wire.pick_job}, errors=(404,))
    def get(self, request, pk):
        return self.answer(self.job(pk).pk)

    @operation(
        "patchPickJob",
        "Start, pick, pause or close a pick job: the actions are applied together, or none of them",
        body=wire.patch,
        answers={200: wire.pick_job},
        errors=CHANGED,
        deprecated=True,
    )
    def patch(self, request, pk):
        data = validate(wire.patch, request.data)
        job = self.job(pk)
        if any(PATCH_STEPS.get(action["action"]) in SUPERVISED for action in data["actions"]):
            self.require_supervisor(job)
        check_version(job, data["version"])  # also when no action changes anything
        apply_together(
            _patch_steps(job, data["actions"], by=request.user, now=timezone.now()), data["version"]
        )
        return self.answer(pk)


def _patch_steps(job, actions, *, by, now):
    """The services that a PATCH asks for: first what begins the work, then the lines, then what ends it."""
    who = {"by": by, "now": now}
    begin, change, end = [], [], []
    counts = [read_count(action) for action in actions if action["action"] == "ModifyPickLineItem"]
    for action in actions:
        name = action["action"]
        if name in PATCH_STEPS:
            begin.append(partial(STEPS[PATCH_STEPS[name]], job.pk, **who))
        elif name == "ModifyPickJobLastEditor":
            raise NotOffered(feature=name, instead="Whoever starts a job has it in hand.")
        elif name == "ModifyPickJob":
            if action.get("paymentInformation"):
                raise NotOffered(feature="paymentInformation", instead="paymentInfo of the order says it.")
            if "customAttributes" in action:
                change.append(
                    partial(services.modify, job.pk, custom_attributes=action["customAttributes"], **who)
                )
            if "preferredPickingMethods" in action:
                methods = read_picking_methods(action["preferredPickingMethods"])
                change.append(partial(services.modify, job.pk, picking_methods=methods, **who))
            status = action.get("status")
            if status == PickJob.Status.IN_PROGRESS:
                begin.append(partial(services.start, job.pk, **who))
            elif status in STATUS_STEPS and status != job.status:
                end.append(partial(STATUS_STEPS[status], job.pk, **who))
            elif status not in {None, job.status}:
                raise NotOffered(
                    feature=f"Setting the status {status}", instead="POST the step to the actions of the job."
                )
    if counts:
        change.append(partial(services.book, job.pk, counts, **who))
    return [*begin, *change, *end]


class PickJobActions(PickJobView):
    """POST /api/pickjobs/{id}/actions"""

    access = {"POST": PICK}

    @operation(
        "pickJobAction",
        "Do one step of a pick job",
        body=wire.actions,
        answers={200: wire.pick_job},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.actions, request.data)
        job = self.job(pk)
        name = data["name"]
        if name in SUPERVISED:
            self.require_supervisor(job)
        who = {"by": request.user, "now": timezone.now(), "version": data["version"]}

        def step(is_second):
            if name == "ADD_TARGET_TIME":
                target = read_moment(data["targetTime"])
                services.modify(pk, target_time=target, **who)
            elif name == "REPLACE_ASSIGNED_USERS":
                users = read_assigned(data["assignedUsers"], job.facility, Permission.PICK)
                services.assign(pk, users, **who)
            elif name == "SPLIT_LINE_ITEMS_PICK_JOB":
                services.split(pk, [read_split(item) for item in data["splitLineItemsInfo"]], **who)
            elif name == "MERGE_LINE_ITEMS_PICK_JOB":
                services.merge(pk, read_line_ids(data["lineItemIds"]), **who)
            elif name == "UPDATE_PICK_LINE_ITEM_RECORDABLE_ATTRIBUTES":
                services.record(pk, read_updates(data), **who)
            elif name in STEPS:
                STEPS[name](pk, **who)
            else:
                items = data.get("lineItems") or data["pickJobLineItemUpdates"]
                services.book(pk, [read_count(item) for item in items], **who)
            return self.answer(pk)

        return once(request, step)
