"""Pick runs in the API."""

from functools import partial

from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import PICK, READ
from fulfillment.core.api.document import operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.references import facility_in_body
from fulfillment.core.api.schema import validate
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotOffered
from fulfillment.core.status import check_version

from . import run_wire, runs
from .api import read_count, read_split
from .models import PickRun

CHANGED = (404, 409, 422)
FINISH = partial(runs.close, is_rest_missing=True)
STEPS = {
    "START": runs.start,
    "RESUME": runs.start,
    "PAUSE": runs.pause,
    "FINISH": FINISH,
    "CANCEL": runs.cancel,
    "TAKE_OVER_PICK_RUN": runs.take_over,
}
PATCH_STEPS = {"StartPickRun": runs.start, "CancelPickRun": runs.cancel, "FinishPickRun": FINISH}


class PickRunView(ApiView):
    def run(self, pk):
        return get_object_or_404(self.at_my_facilities(PickRun.objects.all()), pk=pk)

    def answer(self, pk, **how):
        return Response(run_wire.represent(PickRun.objects.for_api().get(pk=pk)), **how)

    def who(self):
        return {"by": self.request.user, "now": timezone.now()}


def _job_id(text, run):
    found = paging.as_uuid(text)
    if found is None:
        raise runs.NotInThisRun(thing=text, run=run)
    return found


class PickRunList(PickRunView):
    """POST /api/pickruns"""

    access = {"POST": PICK}

    @operation(
        "createPickRun",
        "Make a run of pick jobs that nobody works on; with status IN_PROGRESS it begins at once",
        body=run_wire.pick_run_for_creation,
        answers={201: run_wire.pick_run},
        errors=(422,),
    )
    def post(self, request):
        data = validate(run_wire.pick_run_for_creation, request.data)
        facility = facility_in_body(self, data)
        status = data.get("status", PickRun.Status.OPEN)
        if status not in {PickRun.Status.OPEN, PickRun.Status.IN_PROGRESS}:
            raise NotOffered(
                feature=f"A new run with the status {status}", instead="It begins as OPEN or IN_PROGRESS."
            )
        jobs = [paging.as_uuid(reference) for reference in data["pickJobRefs"]]
        if None in jobs:
            raise runs.JobNotThere
        method = run_wire.METHODS[data.get("pickRunType", "multiOrder")]

        def step(is_second):
            run = runs.create(facility, jobs, method, is_by_rules=False, **self.who())
            if status == PickRun.Status.IN_PROGRESS:
                runs.start(run.pk, **self.who())
            return self.answer(
                run.pk, status=201, headers={"Location": reverse("api-pick-run", args=[run.pk])}
            )

        return once(request, step)


class PickRunDetail(PickRunView):
    """GET and PATCH /api/pickruns/{id}"""

    access = {"GET": READ, "PATCH": PICK}

    @operation("getPickRun", "One pick run", answers={200: run_wire.pick_run}, errors=(404,))
    def get(self, request, pk):
        return self.answer(self.run(pk).pk)

    @operation(
        "patchPickRun",
        "Start a run, pick its lines, finish or cancel it: the actions are applied together, or none of them",
        body=run_wire.patch,
        answers={200: run_wire.pick_run},
        errors=CHANGED,
        deprecated=True,
    )
    def patch(self, request, pk):
        data = validate(run_wire.patch, request.data)
        check_version(self.run(pk), data["version"])  # also when no action changes anything
        apply_together(_patch_steps(pk, data["actions"], self.who()), data["version"])
        return self.answer(pk)


def _patch_steps(pk, actions, who):
    """The services that a PATCH asks for: first what begins the work, then the lines, then what ends it."""
    counts = [read_count(action) for action in actions if action["action"] == "ModifyPickRunLineItem"]
    named = [action["action"] for action in actions]
    begin = [partial(runs.start, pk, **who)] if "StartPickRun" in named else []
    book = [partial(runs.book, pk, counts, **who)] if counts else []
    end = [
        partial(PATCH_STEPS[name], pk, **who) for name in ("FinishPickRun", "CancelPickRun") if name in named
    ]
    return [*begin, *book, *end]


class PickRunActions(PickRunView):
    """POST /api/pickruns/{id}/actions"""

    access = {"POST": PICK}

    @operation(
        "pickRunAction",
        "Do one step of a pick run",
        body=run_wire.actions,
        answers={200: run_wire.pick_run},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(run_wire.actions, request.data)
        run = self.run(pk)
        name = data["name"]

        def step(is_second):
            if name == "REMOVE_PICK_JOB":
                job_id = _job_id(data["payload"]["pickJobId"], run)
                runs.remove_job(pk, job_id, version=data["version"], **self.who())
            elif name == "SPLIT_LINES_PICK_RUN":
                splits = [read_split(item) for item in data["splitLineItemsInfo"]]
                runs.split(pk, splits, version=data["version"], **self.who())
            else:
                STEPS[name](pk, version=data["version"], **self.who())
            return self.answer(pk)

        return once(request, step)


class PickRunJobs(PickRunView):
    """PATCH /api/pickruns/{id}/pickjobs"""

    access = {"PATCH": PICK}

    @operation(
        "patchPickRunJobs",
        "Take a job out of a run",
        body=run_wire.remove_patch,
        answers={200: run_wire.pick_run},
        errors=CHANGED,
        deprecated=True,
    )
    def patch(self, request, pk):
        data = validate(run_wire.remove_patch, request.data)
        run = self.run(pk)
        job_id = _job_id(data["actions"][0]["pickJobRef"], run)
        runs.remove_job(pk, job_id, version=data["version"], **self.who())
        return self.answer(pk)
