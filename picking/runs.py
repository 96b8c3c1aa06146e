"""The steps of a pick run: several jobs on one walk, begun, picked, put aside and closed together.

Lock order: the orders of the jobs by key, then the run, then its jobs by key. While a run is active its lines are
picked in it and nowhere else, so whoever changes a line of it holds the run (see ``picking.run_scans``).
"""

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fulfillment.core.access import permissions_at
from fulfillment.core.errors import Refused
from fulfillment.core.models import Permission, User
from fulfillment.core.models.facility import PickingMethod
from fulfillment.core.status import check_version, log_change, log_created, transit
from orders.models import Order

from . import floor, jobs, load_units, services
from .models import LoadUnit, PickJob, PickLine, PickRun, PickRunJob, ShortReason
from .rules import MOST_JOBS, rules_of

STARTABLE = [PickJob.Status.OPEN, PickJob.Status.PAUSED]


class NoJobs(Refused):
    text = _("Choose at least one job for the run.")


class TooManyJobs(Refused):
    text = _("A run has at most %(most)s jobs.")


class JobNotThere(Refused):
    text = _("One of the jobs is not at this facility.")


class JobNotFree(Refused):
    text = _("%(job)s is %(status)s. Choose jobs that nobody is working on.")


class JobInAnotherRun(Refused):
    text = _("%(job)s is in run %(run)s already.")


class MethodNotForJob(Refused):
    text = _("%(job)s is not to be picked in this way.")


class ZonesMissing(Refused):
    text = _("Choose the zones that you pick in.")


class NothingInTheZones(Refused):
    text = _("There is nothing to pick in these zones.")


class RunNotStarted(Refused):
    text = _("Run %(run)s is %(status)s. Start it before you pick.")


class RunOfSomeoneElse(Refused):
    text = _("%(picker)s is picking run %(run)s. Take it over if you want to go on with it.")


class TakeOverDisabled(Refused):
    text = _("Runs are not taken over here. Ask a supervisor.")


class NotInThisRun(Refused):
    text = _("%(thing)s is not part of run %(run)s.")


class GoodsAreMixed(Refused):
    text = _("Goods of this batch are picked already and lie together. Pick the run to its end.")


class ToteMissing(Refused):
    text = _("%(job)s has no tote yet. Scan one before you close the run.")


# Locks and checks


def lock(run_id, version=None):
    """Lock the orders of a run's jobs, and the run."""
    orders = PickRunJob.objects.filter(run=run_id).values("job__order")
    Order.objects.filter(pk__in=orders).lock_all()
    run = PickRun.objects.lock(pk=run_id)
    check_version(run, version)
    return run


def _lock_jobs(run):
    return PickJob.objects.filter(pk__in=run.run_jobs.values("job")).lock_all()


def check_picker(run, by):
    """Refuse work on a run that is not in progress, or in the hands of another picker."""
    if run.status != PickRun.Status.IN_PROGRESS:
        raise RunNotStarted(run=run, status=run.get_status_display())
    if isinstance(by, User) and run.editor_id != by.pk:
        raise RunOfSomeoneElse(run=run, picker=run.editor)


def _busy_elsewhere(run):
    """Ids of the jobs that a colleague is picking in another zone right now."""
    others = PickLine.objects.filter(run__status=PickRun.Status.IN_PROGRESS).exclude(run=run.pk)
    return set(others.filter(job__run_jobs__run=run.pk).values_list("job", flat=True))


# The life of a run


@transaction.atomic
def create(facility, job_ids, method, *, zones=(), is_by_rules=True, by, now):
    """Make a run of jobs, in the order in which they are given; its lines are in the order of the walk.

    Args:
        zones: for picking by zones those whose lines are picked in this run.
        is_by_rules: whether the rules of the facility decide too, or only what a job itself says.
    Refuses jobs that somebody works on or that are in another run, and those not to be picked in this way.
    """
    job_ids = list(dict.fromkeys(job_ids))
    if not job_ids:
        raise NoJobs
    if len(job_ids) > MOST_JOBS:
        raise TooManyJobs(most=MOST_JOBS)
    chosen = PickJob.objects.filter(pk__in=job_ids)
    Order.objects.filter(pk__in=chosen.values("order")).lock_all()
    found = {job.pk: job for job in chosen.lock_all()}
    _check_jobs(facility, [found.get(pk) for pk in job_ids], method, is_by_rules=is_by_rules)
    if method == PickingMethod.ZONE and not zones:
        raise ZonesMissing
    run = PickRun.objects.create(
        facility=facility, method=method, short_id=jobs.next_run_id(facility), created_at=now
    )
    if method == PickingMethod.ZONE:
        run.zones.set(zones)
    lines = _lines_for(run, job_ids, zones)
    with_lines = {line.job_id for line in lines}
    if not lines:
        raise NothingInTheZones
    PickRunJob.objects.bulk_create(
        PickRunJob(run=run, job_id=pk, number=number)
        for number, pk in enumerate([pk for pk in job_ids if pk in with_lines], start=1)
    )
    _arrange(run, lines)
    log_created(run, by=by, now=now)
    return run


def _check_jobs(facility, chosen, method, *, is_by_rules):
    if any(job is None or job.facility_id != facility.pk for job in chosen):
        raise JobNotThere
    rules = rules_of(facility)
    by_zone = method == PickingMethod.ZONE
    for job in chosen:
        if method not in (rules.methods_of(job) if is_by_rules else job.picking_methods or [method]):
            raise MethodNotForJob(job=job)
        runs = list(PickRun.objects.active().of_jobs([job.pk]))
        others = [run for run in runs if not by_zone or run.method != PickingMethod.ZONE]
        if others:
            raise JobInAnotherRun(job=job, run=others[0])
        if job.is_held:
            raise services.JobHeld(job=job)
        if job.status not in STARTABLE and not (by_zone and runs and job.status == "IN_PROGRESS"):
            raise JobNotFree(job=job, status=job.get_status_display())


def _lines_for(run, job_ids, zones):
    """The lines that a run picks: all that are open; by zones those that begin there or at no known place."""
    lines = PickLine.objects.filter(job__in=job_ids).exclude(run__status__in=PickRun.ACTIVE)
    if run.method != PickingMethod.ZONE:
        return list(lines)
    places = floor.first_places(list(lines.pending()))
    wanted = {zone.pk for zone in zones}
    return [
        line
        for line, place in places.items()
        if place is None or place.zone_id is None or place.zone_id in wanted
    ]


def _arrange(run, lines):
    before = {line.pk: line.sequence for line in lines}
    depth = floor.depths([run.facility_id]).get(run.facility_id)
    floor.arrange(lines, floor.first_places(lines), depth=depth)
    PickLine.objects.filter(pk__in=before).update(run=run)
    floor.save(lines, before)


@transaction.atomic
def begin_new(facility, job_ids, method, *, zones=(), totes=None, by, now):
    """Make a run, give its orders their totes and begin it.

    Args:
        totes: ``{job id: load unit id}``. Refuses when one of them holds other goods by now.
    """
    run = create(facility, job_ids, method, zones=zones, by=by, now=now)
    run = start(run.pk, by=by, now=now)
    held = {job.pk: job for job in _lock_jobs(run)}
    chosen = {unit_id: held[job_id] for job_id, unit_id in (totes or {}).items() if job_id in held}
    for unit in LoadUnit.objects.filter(pk__in=chosen).select_related("job", "run").lock_all():
        load_units.take_along(unit, job=chosen[unit.pk], run=run, by=by, now=now)
    return run


@transaction.atomic
def start(run_id, *, by, now, version=None):
    """Begin or continue a run with its jobs. One's own that is in progress stays as it is."""
    run = lock(run_id, version)
    if run.status == PickRun.Status.IN_PROGRESS:
        check_picker(run, by)
        return run
    return _start(run, by, now)


def _start(run, by, now):
    picker = by if isinstance(by, User) else None
    for job in _lock_jobs(run):
        if job.status in STARTABLE:
            services.begin(job, by=by, now=now)
    return transit(run.start, picker, now, by=by, now=now)


@transaction.atomic
def pause(run_id, *, by, now, version=None, reason=""):
    """Put a run aside with its jobs; anybody at the facility may, so that a colleague can go on with it."""
    run = lock(run_id, version)
    transit(run.pause, by=by, now=now, reason=reason)
    _pause_jobs(run, by, now, reason)
    return run


def _pause_jobs(run, by, now, reason=""):
    busy = _busy_elsewhere(run)
    for job in _lock_jobs(run):
        if job.status == PickJob.Status.IN_PROGRESS and job.pk not in busy:
            services.put_aside(job, by=by, now=now, reason=reason)


@transaction.atomic
def take_over(run_id, *, by, now, version=None):
    """Go on with a run that a colleague began. Refuses where the rules leave that to supervisors."""
    run = lock(run_id, version)
    if run.status != PickRun.Status.IN_PROGRESS:
        return _start(run, by, now)
    if isinstance(by, User) and run.editor_id != by.pk and not _may_take_over(run, by):
        raise TakeOverDisabled
    transit(run.pause, by=by, now=now, reason=gettext("Taken over"))
    _pause_jobs(run, by, now)
    return _start(run, by, now)


def _may_take_over(run, by):
    return rules_of(run.facility).may_take_over or Permission.SUPERVISE in permissions_at(by, run.facility)


@transaction.atomic
def remove_job(run_id, job_id, *, by, now, version=None):
    """Take a job out of a run; what is picked of it stays picked, and it is put aside.

    Refuses a job whose goods lie among those of the batch. A run that has no job left is obsolete.
    """
    run = lock(run_id, version)
    if not run.is_active or not run.run_jobs.filter(job=job_id).exists():
        raise NotInThisRun(thing=gettext("The job"), run=run)
    job = PickJob.objects.lock(pk=job_id)
    if run.method == PickingMethod.BATCH and job.lines.filter(run=run, picked__gt=0).exists():
        raise GoodsAreMixed
    if job.status == PickJob.Status.IN_PROGRESS and job.pk not in _busy_elsewhere(run):
        services.put_aside(job, by=by, now=now)
    _let_go(run, job, by=by, now=now)
    return run


def _let_go(run, job, *, by, now):
    job.lines.filter(run=run).update(run=None)
    run.run_jobs.filter(job=job).delete()
    for unit in LoadUnit.objects.filter(job=job, run=run).lock_all():
        unit.run = None  # it stays the job's
        unit.save(update_fields=["run", "modified_at"])
    run.version += 1
    run.save(update_fields=["version", "modified_at"])
    log_change(run, "remove_job", by=by, now=now, reason=str(job))
    if not run.run_jobs.exists():
        _end_empty(run, by=by, now=now)


def _end_empty(run, *, by, now):
    transit(run.make_obsolete, by=by, now=now)
    _free_units(run, by=by, now=now)


def _free_units(run, *, by, now):
    for unit in LoadUnit.objects.filter(run=run, job=None).select_related("run").lock_all():
        transit(unit.free, by=by, now=now, reason=str(run))


@transaction.atomic
def cancel(run_id, *, by, now, version=None):
    """Dissolve a run: its jobs are put aside and can be picked in another way. Refuses a batch with goods in it."""
    run = lock(run_id, version)
    if run.method == PickingMethod.BATCH and run.lines.filter(picked__gt=0).exists():
        raise GoodsAreMixed
    transit(run.cancel, by=by, now=now)
    _pause_jobs(run, by, now)
    run.lines.update(run=None)
    LoadUnit.objects.filter(run=run, job__isnull=False).update(run=None)
    _free_units(run, by=by, now=now)
    return run


# Picking


@transaction.atomic
def book(run_id, counts, *, by, now, version=None):
    """Set what is picked and missing of some lines of a run, as ``services.book`` does for a job.

    Refuses a run that is not in progress or in another picker's hands, lines of other runs, and more than is ordered.
    """
    run = lock(run_id, version)
    check_picker(run, by)
    lines = {line.pk: line for line in run.lines.all()}
    counts = list(counts)
    for count in counts:
        if count.line_id not in lines:
            raise NotInThisRun(thing=count.line_id, run=run)
    touched = PickJob.objects.filter(pk__in={lines[count.line_id].job_id for count in counts}).lock_all()
    for count in counts:
        services.set_count(lines[count.line_id], count, facility_id=run.facility_id, by=by, now=now)
    for job in touched:
        services.raise_version(job)
    raise_version(run)
    log_change(run, "book", by=by, now=now)
    return run


@transaction.atomic
def split(run_id, splits, *, by, now, version=None):
    """Let units of lines of a run go on as lines of their own, as ``services.split`` does for a job."""
    run = lock(run_id, version)
    if run.status == PickRun.Status.IN_PROGRESS:
        check_picker(run, by)
    elif not run.is_active:
        raise services.SplitTooLate(job=run, status=run.get_status_display())
    lines = {line.pk: line for line in run.lines.prefetch_related("allocations__stock")}
    for one in splits:
        if one.line_id not in lines:
            raise NotInThisRun(thing=one.line_id, run=run)
    touched = PickJob.objects.filter(pk__in={lines[one.line_id].job_id for one in splits}).lock_all()
    for one in splits:
        services.split_line(lines[one.line_id], one.quantity, one.picked)
    for job in touched:
        services.raise_version(job)
    raise_version(run)
    log_change(run, "split", by=by, now=now)
    return run


def raise_version(run):
    """Save that what clients see of a locked run has changed."""
    run.version += 1
    run.save(update_fields=["version", "modified_at"])


@transaction.atomic
def close(run_id, *, by, now, version=None, is_rest_missing=False, is_tote_needed=False):
    """Close a run and its jobs. A job with lines in other zones is closed with the last of its runs.

    Refuses a run that is not in progress or is another picker's, and units neither picked nor missing, unless
    ``is_rest_missing`` says that these are missing; with ``is_tote_needed`` also an order's goods without a tote.
    """
    run = lock(run_id, version)
    check_picker(run, by)
    held = _lock_jobs(run)
    lines = list(run.lines.all())
    if is_rest_missing:
        for line in lines:
            if line.open_units:
                missing = services.Count(line.pk, missing=ShortReason.OTHER)
                services.set_count(line, missing, facility_id=run.facility_id, by=by, now=now)
    elif pending := sum(line.open_units for line in lines):
        raise services.LinesPending(units=pending)
    if is_tote_needed and run.method == PickingMethod.MULTI_ORDER:
        _check_totes(held, lines)
    # First the run: what its jobs announce when they are closed finds it closed.
    transit(run.close, now, by=by, now=now)
    busy = _busy_elsewhere(run)
    elsewhere = PickLine.objects.filter(job__in=held, run__status__in=PickRun.ACTIVE)
    in_other_runs = set(elsewhere.values_list("job", flat=True))  # the last of them closes it
    for job in held:
        if job.pk not in in_other_runs and not job.lines.pending().exists():
            _close_job(job, by=by, now=now)
        elif job.status == PickJob.Status.IN_PROGRESS and job.pk not in busy:
            services.put_aside(job, by=by, now=now)  # another zone is still to be picked
    return run


def _close_job(job, *, by, now):
    if job.status == PickJob.Status.PAUSED:
        services.begin(job, by=by, now=now)
    if job.status in PickJob.UNFINISHED:
        services.finish_off(job, by=by, now=now)


def _check_totes(held, lines):
    picked = {line.job_id for line in lines if line.picked}
    with_tote = set(LoadUnit.objects.filter(job__in=picked).values_list("job", flat=True))
    for job in held:
        if job.pk in picked - with_tote:
            raise ToteMissing(job=job)


# What happens to its jobs elsewhere


def on_job_left(event, *, by, now):
    """Let go of a job that ended or begins again: a run has only what is still to be picked in it.

    Its locks are held: a step that ends a job locks the job's runs before it.
    """
    job = PickJob.objects.get(pk=event.pick_job_id)
    for run in PickRun.objects.active().of_jobs([job.pk]).lock_all():
        _let_go(run, job, by=by, now=now)
    if job.status not in load_units.HOLDING:
        load_units.free_unless_waiting(job.pk, by=by, now=now)


def on_job_closed(event, *, by, now):
    """Close a run of which another program closed the last job."""
    for run in PickRun.objects.active().of_jobs([event.pick_job_id]).lock_all():
        unfinished = run.run_jobs.filter(job__status__in=PickJob.UNFINISHED)
        if run.status == PickRun.Status.IN_PROGRESS and not unfinished.exists():
            transit(run.close, now, by=by, now=now)
