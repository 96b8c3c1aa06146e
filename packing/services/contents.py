"""What is in packages: units are put in, moved, taken out and counted."""

from django.db import transaction

from fulfillment.core.access import permissions_at
from fulfillment.core.models import Permission, User
from fulfillment.core.models.facility import ScanRule

from .. import queries
from ..models import PackageItem
from .locks import lock_for_packing, lock_to_announce, raise_version, touch
from .packages import new_package, package_of
from .refusals import (
    GoesOnElsewhere,
    MustScan,
    MustScanEach,
    NotALine,
    NotInPackage,
    QuantityTooSmall,
    SamePackage,
    TooManyUnits,
)


def forget_weight(package):
    """What was weighed is no longer what is in the box."""
    if package.weight_g is not None:
        package.weight_g = None
        package.save(update_fields=["weight_g"])


def put_units(package, line, units, *, is_verified=True):
    item, created = PackageItem.objects.get_or_create(
        package=package, line=line, defaults={"quantity": units}
    )
    if not created:
        item.quantity += units
        item.save(update_fields=["quantity"])
    if is_verified:
        line.verified += units
        line.save(update_fields=["verified"])
    forget_weight(package)


def may_pack_by_hand(job, by):
    """Whether the scan rule does not hold: for other systems, which have rules of their own, and for supervisors."""
    if job.facility.pack_scan == ScanRule.NOT_REQUIRED or not isinstance(by, User):
        return True
    return Permission.SUPERVISE in permissions_at(by, job.facility)


def check_scan_rule(job, line, by):
    if may_pack_by_hand(job, by):
        return
    if job.facility.pack_scan == ScanRule.EACH:
        raise MustScanEach(title=line.title)
    if not line.verified:
        raise MustScan(title=line.title)


@transaction.atomic
def put(job_id, line_id, package_id, quantity, *, by, now):
    """Put ``quantity`` units of a line into a package; refuses more than were picked and are not packed yet."""
    job = lock_for_packing(job_id, by)
    line = job.lines.with_packed().get(pk=line_id)
    package = package_of(job, package_id)
    if quantity < 1:
        raise QuantityTooSmall()
    if quantity > line.quantity - line.packed:
        raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
    check_scan_rule(job, line, by)
    put_units(package, line, quantity)
    raise_version(job)
    return line


@transaction.atomic
def move(job_id, line_id, package_id, to_package_id, quantity, *, by, now):
    """Move units of a line from one package to another; refuses more than are in it."""
    job = lock_for_packing(job_id, by)
    line = job.lines.get(pk=line_id)
    package, target = package_of(job, package_id), package_of(job, to_package_id)
    if package == target:
        raise SamePackage
    take_units(package, line, quantity)
    put_units(target, line, quantity, is_verified=False)  # it is as verified as it was
    raise_version(job)
    return line


@transaction.atomic
def undo(job_id, moved, *, by, now):
    """Take back what one action moved: what went in comes out, what came out goes in. Refuses what is not so any more.

    Args:
        moved: ``[(line id, package id, units)]``, units below 0 were taken out.
    """
    job = lock_for_packing(job_id, by)
    lines = {line.pk: line for line in job.lines.with_packed()}
    # First what comes out: a move back leaves no moment with more units than there are.
    for line_id, package_id, units in sorted(moved, key=lambda part: -part[2]):
        line, package = lines[line_id], package_of(job, package_id)
        if units > 0:
            take_units(package, line, units)
            line.verified = max(0, line.verified - units)
            line.packed -= units
        elif -units > line.quantity - line.packed:
            raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
        else:
            put_units(package, line, -units)
            line.packed -= units
        line.save(update_fields=["verified"])
    raise_version(job)
    return lines[moved[0][0]]


@transaction.atomic
def take_out(job_id, line_id, package_id, quantity, *, by, now):
    """Take units of a line out of a package again; refuses more than are in it."""
    job = lock_for_packing(job_id, by)
    line = job.lines.get(pk=line_id)
    take_units(package_of(job, package_id), line, quantity)
    line.verified = max(0, line.verified - quantity)
    line.save(update_fields=["verified"])
    raise_version(job)
    return line


@transaction.atomic
def change_contents(job_id, package_id, changes, *, by, now, version=None):
    """Change what is in a package, all or nothing.

    Args:
        changes: ``[(line id, units, is_absolute)]``: units that come in addition, or that are in it afterwards.
    Refuses an old version, lines of other jobs, and more units than were picked.
    """
    job = lock_to_announce(job_id, by, version)
    package = package_of(job, package_id)
    for line_id, units, is_absolute in changes:
        line = job.lines.with_packed().filter(pk=line_id).first()
        if line is None:
            raise NotALine(line=line_id, job=job)
        here = package.items.filter(line=line).first()
        more = units - (here.quantity if here and is_absolute else 0)
        if more > line.quantity - line.packed:
            raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
        if more > 0:
            check_scan_rule(job, line, by)
            put_units(package, line, more)
        elif more < 0:
            take_units(package, line, -more)
            line.verified = max(0, line.verified + more)
            line.save(update_fields=["verified"])
    return touch(job, "change contents", by=by, now=now)


@transaction.atomic
def move_many(job_id, moves, *, by, now, version=None):
    """Move units out of packages into another one, or without one out of all of them; all or nothing.

    Args:
        moves: ``[(package id, line id, units, id of the other package or None)]``.
    Refuses an old version, and more units than are in a package.
    """
    job = lock_to_announce(job_id, by, version)
    for package_id, line_id, units, target_id in moves:
        line, package = job.lines.filter(pk=line_id).first(), package_of(job, package_id)
        if line is None:
            raise NotALine(line=line_id, job=job)
        if package_id == target_id:
            raise SamePackage
        take_units(package, line, units)
        if target_id is not None:
            put_units(package_of(job, target_id), line, units, is_verified=False)
        else:
            line.verified = max(0, line.verified - units)
            line.save(update_fields=["verified"])
    return touch(job, "move", by=by, now=now)


def take_units(package, line, quantity):
    if quantity < 1:
        raise QuantityTooSmall()
    item = package.items.filter(line=line).first()
    if item is None or item.quantity < quantity:
        raise NotInPackage(packed=item.quantity if item else 0, title=line.title)
    _lower(item, quantity)


def _lower(item, units):
    check_goes_on(item, item.quantity - units)
    if item.quantity == units:
        item.delete()
    else:
        item.quantity -= units
        item.save(update_fields=["quantity"])
    forget_weight(item.package)


def check_goes_on(item, left):
    """Refuse to leave fewer units of an item than go on in another package: that box would hold a part of nothing."""
    part = item.parts.filter(quantity__gt=left).select_related("package").first()
    if part is not None:
        raise GoesOnElsewhere(title=item.line.title, number=part.package.number)


@transaction.atomic
def pack_all(job_id, package_id=None, *, by, now):
    """Put every unit that is left into one package: the named one, else the last, else a new one. Returns it."""
    job = lock_for_packing(job_id, by)
    package = package_of(job, package_id) if package_id else job.packages.last()
    if package is None:
        package = new_package(job)
    for line in job.lines.with_packed():
        if line.packed < line.quantity:
            check_scan_rule(job, line, by)
            put_units(package, line, line.quantity - line.packed)
    raise_version(job)
    return package


@transaction.atomic
def pack_as_proposed(job_id, *, by, now):
    """Put every unit that is left where the proposal has it; what it has nowhere goes into the last package."""
    job = lock_for_packing(job_id, by)
    packages = list(job.packages.prefetch_related("items"))
    plan = queries.planned(job, packages)
    for line in job.lines.with_packed():
        rest = line.quantity - line.packed
        if rest:
            check_scan_rule(job, line, by)
        for package in packages:
            here = sum(item.quantity for item in package.items.all() if item.line_id == line.pk)
            units = min(rest, max(0, plan.get(package.pk, {}).get(line.pk, 0) - here))
            if units:
                put_units(package, line, units)
                rest -= units
        if rest:
            put_units(packages[-1], line, rest)
    raise_version(job)
    return packages[-1]


@transaction.atomic
def count(job_id, packed, *, by, now, version=None):
    """Set how many units of some lines are packed in all: what is new goes into the last package, what is too many
    comes out of it first.

    Args:
        packed: ``{line id: units}``.
    Refuses a job that is not in progress or in another packer's hands, lines of other jobs, more than was picked.
    """
    job = lock_to_announce(job_id, by, version)
    lines = {line.pk: line for line in job.lines.with_packed()}
    for line_id, units in packed.items():
        line = lines.get(line_id)
        if line is None:
            raise NotALine(line=line_id, job=job)
        if units > line.quantity:
            raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
        if units > line.packed:
            check_scan_rule(job, line, by)
            put_units(job.packages.last() or new_package(job), line, units - line.packed)
        elif units < line.packed:
            _take_back(line, line.packed - units)
    return touch(job, "count", by=by, now=now)


def _take_back(line, units):
    for item in line.items.select_related("package").order_by("-package__number"):
        out = min(units, item.quantity)
        _lower(item, out)
        units -= out
        line.verified = max(0, line.verified - out)
    line.save(update_fields=["verified"])
