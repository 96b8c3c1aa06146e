"""What a supervisor decides about a job: who picks it, how urgent it is, whether it waits, and that nobody has it any more."""

import datetime
from functools import partial

from django.db import transaction
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.models import Facility, Permission
from fulfillment.core.queries import people_who_may
from fulfillment.core.status import log_change

from . import runs, services
from .models import PickJob, PickRun
from .rules import rules_of


class HoldTooLate(Refused):
    text = _("%(job)s is %(status)s; only work that is still to be picked can be held.")


def pickers_at(facility):
    """The people who may pick at a facility, by name."""
    return people_who_may(Permission.PICK, facility)


@transaction.atomic
def plan(job_id, *, users, priority, by, now, version=None):
    """Say whom a job is meant for (nobody in particular when there are none) and how urgent it is."""
    job = services.lock_for_status(job_id, version)
    job.assigned_users.set(users)
    job.priority = priority
    services.raise_version(job, "priority")
    log_change(job, "plan", by=by, now=now)
    return job


@transaction.atomic
def hold(job_id, *, reason="", by, now, version=None):
    """Keep a job from being offered and begun until it is released; one in progress is put aside.

    Refuses a job that is picked already, and one that is in a run.
    """
    job = services.lock_for_status(job_id, version)
    services.check_alone(job)
    if job.status == PickJob.Status.IN_PROGRESS:
        services.put_aside(job, by=by, now=now, reason=str(gettext("Held")))
    if job.status not in {PickJob.Status.OPEN, PickJob.Status.PAUSED}:
        raise HoldTooLate(job=job, status=job.get_status_display())
    job.is_held, job.hold_reason = True, reason.strip()[:200]
    services.raise_version(job, "is_held", "hold_reason")
    log_change(job, "hold", by=by, now=now, reason=job.hold_reason)
    return job


@transaction.atomic
def unhold(job_id, *, by, now, version=None):
    """Offer a held job again. One that is not held stays as it is."""
    job = services.lock_for_status(job_id, version)
    if job.is_held:
        job.is_held, job.hold_reason = False, ""
        services.raise_version(job, "is_held", "hold_reason")
        log_change(job, "unhold", by=by, now=now)
    return job


def release_abandoned(*, now):
    """Put aside the jobs and runs of people who may not pick there any more, and those on which nobody worked for longer
    than their facility waits; returns how many."""
    released = 0
    for facility in Facility.objects.filter(pick_jobs__status=PickJob.Status.IN_PROGRESS).distinct():
        minutes = rules_of(facility).release_after_minutes
        before = now - datetime.timedelta(minutes=minutes)
        for kind in (PickRun, PickJob):
            found = kind.objects.at(facility).filter(status="IN_PROGRESS").order_by("pk")
            lost = found.exclude(editor=None).exclude(editor__in=pickers_at(facility))
            for pk in list(lost.values_list("pk", flat=True)):
                released += _release(kind, pk, _why_lost, now=now)
            idle = found.filter(modified_at__lt=before) if minutes else found.none()
            for pk in list(idle.values_list("pk", flat=True)):
                released += _release(kind, pk, partial(_why_idle, minutes, before), now=now)
    return released


def _why_lost(work):
    """Why a job or run is taken from its picker when that person may not pick there any more; empty when it is not."""
    if work.editor is None or pickers_at(work.facility).filter(pk=work.editor_id).exists():
        return ""
    return gettext("%(picker)s may not pick here any more") % {"picker": work.editor}


def _why_idle(minutes, before, work):
    if work.modified_at >= before:
        return ""
    return ngettext(
        "Nobody worked on it for %(minutes)s minute", "Nobody worked on it for %(minutes)s minutes", minutes
    ) % {"minutes": minutes}


@transaction.atomic
def _release(kind, pk, why, *, now):
    """Put a job or run aside when there is still a reason for it under its lock; whether it was."""
    work = runs.lock(pk) if kind is PickRun else services.lock_for_status(pk)
    if work.status != "IN_PROGRESS" or not (reason := why(work)):
        return False
    if kind is PickRun:
        runs.pause(pk, by=None, now=now, reason=reason)
        return True
    if PickRun.objects.active().of_jobs([pk]).exists():  # a run has its own turn
        return False
    services.put_aside(work, by=None, now=now, reason=reason)
    return True
