"""A pack job is begun, put aside, taken over and closed."""

from django.db import transaction
from django.utils.translation import gettext

from fulfillment.core.events import emit
from fulfillment.core.models import Facility, Permission, User
from fulfillment.core.models.facility import ScanRule
from fulfillment.core.queries import people_who_may
from fulfillment.core.status import transit
from picking import load_units

from .. import customs
from ..events import PackJobClosed, PackJobUpdated
from ..models import PackJob
from .lines import check_recorded
from .locks import check_packer, lock_for_status, touch
from .packages import open_packages
from .refusals import CustomsDataMissing, NotVerified, PackingEnded, UnitsLeft, WeightMissing
from .weighing import estimate_weights


@transaction.atomic
def start(job_id, *, by, now, version=None):
    """Begin or continue a pack job as its packer, with its packages ready.

    Refuses a running or finished job, and goods that cross a border while data for customs are missing.
    """
    return begin(lock_for_status(job_id, version), by, now)


def check_customs(job):
    missing = customs.missing(job)
    if missing:
        words = "; ".join(f"{title} ({', '.join(map(str, fields))})" for title, fields in missing)
        raise CustomsDataMissing(missing=words)


def begin(job, by, now):
    check_customs(job)
    transit(job.start, by if isinstance(by, User) else None, now, by=by, now=now)
    if not job.packages.exists():
        open_packages(job)
    emit(PackJobUpdated(pack_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def take_over(job_id, *, by, now):
    """Go on with a job that a colleague began; what is packed stays packed. Refuses a finished job."""
    job = lock_for_status(job_id)
    if job.status == PackJob.Status.IN_PROGRESS:
        transit(job.pause, by=by, now=now, reason=str(gettext("Taken over")))
    return begin(job, by, now)


@transaction.atomic
def pause(job_id, *, by, now, version=None):
    """Put a running pack job aside; anybody at the facility may, so that a colleague can take it over."""
    job = lock_for_status(job_id, version)
    transit(job.pause, by=by, now=now)
    emit(PackJobUpdated(pack_job_id=job.pk), by=by, now=now)
    return job


def release_lost(*, now):
    """Put aside the jobs of people who may not pack there any more; returns how many."""
    running = PackJob.objects.filter(status=PackJob.Status.IN_PROGRESS).exclude(editor=None)
    released = 0
    for facility in Facility.objects.filter(pk__in=running.values("facility")):
        lost = running.at(facility).exclude(editor__in=people_who_may(Permission.PACK, facility))
        for pk in list(lost.order_by("pk").values_list("pk", flat=True)):
            released += _release(pk, now)
    return released


@transaction.atomic
def _release(job_id, now):
    """Put a job aside when that is still due under its lock; whether it was."""
    job = lock_for_status(job_id)
    if job.status != PackJob.Status.IN_PROGRESS or job.editor is None:
        return False
    if people_who_may(Permission.PACK, job.facility).filter(pk=job.editor_id).exists():
        return False
    reason = gettext("%(packer)s may not pack here any more") % {"packer": job.editor}
    transit(job.pause, by=None, now=now, reason=reason)
    emit(PackJobUpdated(pack_job_id=job.pk), by=None, now=now)
    return True


@transaction.atomic
def modify(job_id, *, by, now, custom_attributes=None, target_time=None, version=None):
    """Replace the free attributes or the target time of a job; None leaves them as they are."""
    job = lock_for_status(job_id, version)
    job.custom_attributes = job.custom_attributes if custom_attributes is None else custom_attributes
    job.target_time = target_time or job.target_time
    return touch(job, "modify", "custom_attributes", "target_time", by=by, now=now)


@transaction.atomic
def assign(job_id, users, *, by, now, version=None):
    """Say whom a job is meant for, instead of who it was; nobody in particular when there are none.

    Refuses a job that is packed or given up.
    """
    job = lock_for_status(job_id, version)
    if job.status not in PackJob.UNFINISHED:
        raise PackingEnded(job=job, status=job.get_status_display())
    job.assigned_users.set(users)
    return touch(job, "assign", by=by, now=now)


@transaction.atomic
def close(job_id, *, by, now, version=None, is_weight_estimated=False):
    """Close a pack job and let its labels be made.

    Empty packages vanish. Refuses while units are not packed, are not verified by the scan rule of the facility, lack
    what must be recorded of them or what customs must know or, for parcels, a package has no weight, unless
    ``is_weight_estimated`` says that the weight of its articles will do.
    """
    job = lock_for_status(job_id, version)
    check_packer(job, by)
    lines = list(job.lines.with_packed())
    left = sum(line.quantity - line.packed for line in lines)
    if left:
        raise UnitsLeft(units=left)
    _check_verified(job, lines)
    check_recorded(lines)
    check_customs(job)
    job.packages.filter(items=None, parts=None).delete()
    if is_weight_estimated:
        estimate_weights(job)
    if job.needs_weights:
        unweighed = job.packages.filter(weight_g=None).first()
        if unweighed is not None:
            raise WeightMissing(number=unweighed.number)
    transit(job.close, now, by=by, now=now)
    load_units.free_packed(job.pick_job_id, by=by, now=now)
    emit(PackJobClosed(pack_job_id=job.pk), by=by, now=now)
    return job


def _check_verified(job, lines):
    """The rule of the scan screens once more, for whatever way the units came into their packages."""
    rule = job.facility.pack_scan
    for line in lines:
        wanted = {ScanRule.NOT_REQUIRED: 0, ScanRule.FIRST: 1, ScanRule.EACH: line.quantity}[rule]
        if line.verified < wanted:
            raise NotVerified(units=wanted - line.verified, title=line.title)
