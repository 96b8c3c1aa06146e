"""What became of units that a picker did not find, in the words of the screen."""

import dataclasses
from collections import defaultdict

from django.db.models import Sum
from django.utils.translation import ngettext

from routing.models import RoutingPlan

from .models import PickJob, PickLine

Status = RoutingPlan.Status
SETTLED = {Status.ROUTED, Status.LOCKED, Status.PROMISED}
LOOKING = {Status.INITIAL, Status.ROUTING, Status.WAITING, Status.RETRYABLE, Status.FALLBACK_ROUTING}


@dataclasses.dataclass(frozen=True)
class Fate:
    """Some units, and where they are now; ``is_open`` while that is still being decided."""

    text: str
    tone: str
    icon: str
    is_open: bool = False


def fates(job):
    """What became of the missing units of a job that has ended; empty when none was missing."""
    return _fates_of([job])[job.pk]


def fates_of_run(run):
    """What became of the missing units of a run that is closed, each with the name of its job."""
    jobs = [one.job for one in run.run_jobs.select_related("job") if one.job.status not in PickJob.UNFINISHED]
    found = _fates_of(jobs)
    return [dataclasses.replace(fate, text=f"{job}: {fate.text}") for job in jobs for fate in found[job.pk]]


def _fates_of(jobs):
    """``{job id: [Fate]}``."""
    short = PickLine.objects.filter(job__in=jobs, short__gt=0).order_by().values_list("job")
    missing = dict(short.annotate(units=Sum("short")))
    concerned = [job for job in jobs if job.pk in missing or job.status == PickJob.Status.REROUTED]
    plans = defaultdict(list)
    orders = RoutingPlan.objects.filter(order__in=[job.order_id for job in concerned])
    for plan in (
        orders.select_related("facility").prefetch_related("lines").order_by("pk") if concerned else ()
    ):
        plans[plan.order_id].append(plan)
    found: dict = {job.pk: [] for job in jobs}
    for job in concerned:
        found[job.pk] = _fates(job, missing.get(job.pk, 0), plans[job.order_id])
    return found


def _fates(job, missing, plans):
    found = [fate for plan in _plans_after(job, plans) if (fate := _fate(plan)) is not None]
    if found:
        return found
    text = ngettext(
        "%(units)s unit will not come. The shop knows.",
        "%(units)s units will not come. The shop knows.",
        missing,
    )
    return [Fate(text % {"units": missing}, "warn", "circle-x")]


def _plans_after(job, plans):
    """The parts that took over from the part of a job, and from those that did not last, among those of its order."""
    followers = defaultdict(list)
    for plan in plans:
        if plan.predecessor_id or plan.parent_id:
            followers[plan.predecessor_id or plan.parent_id].append(plan)
    # What the part had to leave to others before it was picked is another story.
    waiting = [
        plan for plan in followers[job.plan_id] if plan.created_at >= (job.started_at or plan.created_at)
    ]
    while waiting:
        plan = waiting.pop(0)
        yield plan
        waiting += followers[plan.pk]


def _fate(plan):
    units = sum(line.quantity for line in plan.lines.all())
    if not units:
        return None
    words = {"units": units, "facility": plan.facility}
    if plan.status in SETTLED:
        text = ngettext(
            "%(units)s unit re-routed to %(facility)s.", "%(units)s units re-routed to %(facility)s.", units
        )
        return Fate(text % words, "good", "truck")
    if plan.status in LOOKING:
        text = ngettext(
            "%(units)s unit: another facility is still being looked for.",
            "%(units)s units: another facility is still being looked for.",
            units,
        )
        return Fate(text % words, "info", "loader", is_open=True)
    if plan.status == Status.NOT_ROUTABLE:
        text = ngettext(
            "%(units)s unit: no facility has it. The office decides.",
            "%(units)s units: no facility has them. The office decides.",
            units,
        )
        return Fate(text % words, "warn", "triangle-alert")
    return None
