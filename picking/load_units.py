"""The steps of load units: totes and boxes with a code, that hold what is picked until it is packed.

A load unit is locked after its run and its job; what is assigned or freed is a row of the log.
"""

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import is_own_code, new_code, parcel_codes
from fulfillment.core.errors import Refused
from fulfillment.core.services.stock import ForeignLocation
from fulfillment.core.status import check_version, log_change, log_created, transit

from .models import LoadUnit, PickJob, PickRun, PickRunJob, RestowItem

CODE_PREFIX = "T"
MOST_AT_ONCE = 200
HOLDING = [*PickJob.UNFINISHED, PickJob.Status.CLOSED]  # jobs whose goods are in a tote


class LoadUnitInUse(Refused):
    text = _("%(unit)s holds the goods of %(holder)s. Take another one.")


class LoadUnitElsewhere(Refused):
    text = _("%(unit)s belongs to another facility. Take another one.")


class LoadUnitRetired(Refused):
    text = _("%(unit)s is retired. Take another one.")


class NothingToHold(Refused):
    text = _("%(job)s is %(status)s: there is nothing to put into a tote.")


class CodeTaken(Refused):
    text = _("The code %(code)s is in use already.")


def is_tote_code(text):
    """Whether a text is a code that we print on load units."""
    return is_own_code(text.strip().upper(), CODE_PREFIX)


def find(facility, text):
    """The load unit of a facility with a scanned or typed code, or None."""
    return LoadUnit.objects.at(facility).filter(code__in=parcel_codes(text)).for_list().first()


@transaction.atomic
def create(facility, *, number=1, type=LoadUnit.Type.TOTE, by, now):  # noqa: A002 - the word of the domain
    """Make a series of load units with new codes."""
    units = LoadUnit.objects.bulk_create(
        LoadUnit(facility=facility, type=type, code=new_code(CODE_PREFIX), created_at=now)
        for _number in range(number)
    )
    log_created(*units, by=by, now=now)
    return units


@transaction.atomic
def register(facility, code, *, by, now):
    """A load unit with a code that stands on it already; the one there is when the facility knows it.

    Refuses a code of another facility's.
    """
    known = LoadUnit.objects.filter(code=code).first()
    if known is not None:
        if known.facility_id != facility.pk:
            raise CodeTaken(code=code)
        return known
    unit = LoadUnit.objects.create(facility=facility, code=code, created_at=now)
    log_created(unit, by=by, now=now)
    return unit


@transaction.atomic
def assign(unit_id, job_id, *, by, now, version=None):
    """Let a load unit hold the goods of a job. Refuses one that holds others, and a job without goods to come."""
    job = PickJob.objects.lock(pk=job_id)
    unit = LoadUnit.objects.lock(pk=unit_id)
    check_version(unit, version)
    return take_along(unit, job=job, run=None, by=by, now=now)


@transaction.atomic
def take_batch(unit_id, run_id, *, by, now):
    """Let a load unit hold the goods of all jobs of a batch. Refuses one that holds others."""
    run = PickRun.objects.lock(pk=run_id)
    unit = LoadUnit.objects.lock(pk=unit_id)
    return take_along(unit, job=None, run=run, by=by, now=now)


def take_along(unit, *, job, run, by, now):
    """``assign`` for locked rows: to a job (in a run, perhaps), or without a job to all jobs of a batch."""
    holder = job or run
    if unit.facility_id != holder.facility_id:
        raise LoadUnitElsewhere(unit=unit)
    if job is not None and job.status not in HOLDING:
        raise NothingToHold(job=job, status=job.get_status_display())
    if unit.status == LoadUnit.Status.IN_USE:
        if unit.job_id == job.pk if job else (unit.job_id, unit.run_id) == (None, run.pk):
            return unit
        raise LoadUnitInUse(unit=unit, holder=unit.job or unit.run)
    if unit.status == LoadUnit.Status.RETIRED:
        raise LoadUnitRetired(unit=unit)
    return transit(unit.take, job, run, by=by, now=now, reason=str(holder))


@transaction.atomic
def put(unit_id, location, *, by, now, version=None):
    """Note where a load unit stands; None when it stands nowhere in particular."""
    unit = LoadUnit.objects.lock(pk=unit_id)
    check_version(unit, version)
    if unit.status == LoadUnit.Status.RETIRED:
        raise LoadUnitRetired(unit=unit)
    if location is not None and location.facility_id != unit.facility_id:
        raise ForeignLocation(location=location, facility=unit.facility)
    unit.location = location
    unit.version += 1
    unit.save(update_fields=["location", "version", "modified_at"])
    log_change(unit, "put", by=by, now=now, reason=location.name if location else "")
    return unit


@transaction.atomic
def free(unit_id, *, by, now, version=None):
    """Say that a load unit is empty."""
    unit = LoadUnit.objects.lock(pk=unit_id)
    check_version(unit, version)
    return _free(unit, "", by=by, now=now)


def _free(unit, reason, *, by, now):
    holder = unit.job or unit.run
    return transit(unit.free, by=by, now=now, reason=reason or str(holder or ""))


@transaction.atomic
def retire(unit_id, *, by, now, version=None):
    """Take a load unit out of use for good; refuses one with goods in it."""
    unit = LoadUnit.objects.lock(pk=unit_id)
    check_version(unit, version)
    return transit(unit.retire, by=by, now=now)


def free_packed(job_id, *, by, now):
    """The goods of a job are packed: its load units are free, and those of a batch after its last job.

    For packing, in its transaction.
    """
    PickRunJob.objects.filter(job=job_id, packed_at=None).update(packed_at=now)
    _free_of_job(job_id, gettext("Packed"), by=by, now=now)


def _free_of_job(job_id, reason, *, by, now):
    held = LoadUnit.objects.filter(Q(job=job_id) | Q(job=None, run__in=_emptied_runs(job_id)))
    for unit in held.select_related("job", "run").lock_all():
        _free(unit, reason, by=by, now=now)


def _emptied_runs(job_id):
    """Runs of a job of which no other job's goods are left in the totes."""
    waiting = PickRunJob.objects.filter(packed_at=None, job__status__in=HOLDING)
    return (
        PickRun.objects.filter(run_jobs__job=job_id)
        .exclude(pk__in=waiting.values("run"))
        .exclude(status__in=PickRun.ACTIVE)
        .values("pk")
    )


def free_unless_waiting(job_id, *, by, now):
    """A job is not packed: its load units are free as soon as none of its goods has to go back on a shelf."""
    if not RestowItem.objects.filter(job=job_id).open().exists():
        _free_of_job(job_id, "", by=by, now=now)
