"""One unit, several boxes: units of an item go on in another package, where they are not counted again."""

from django.db import transaction

from .. import customs
from ..models import PackagePart
from .contents import forget_weight
from .locks import lock_for_packing, raise_version
from .packages import add_package, package_of
from .refusals import CustomsWantsWholeUnits, DoesNotGoOn, NotInPackage, QuantityTooSmall, SamePackage


@transaction.atomic
def go_on(job_id, line_id, package_id, to_package_id, quantity, *, by, now):
    """Say that units of a line that are in a package go on in another one, in a new one when none is named.

    Refuses more than are in the package and do not go on there yet, and goods that customs wants to see as a whole.

    Returns:
        (line, package where they go on)
    """
    job = lock_for_packing(job_id, by)
    line, package = job.lines.get(pk=line_id), package_of(job, package_id)
    if to_package_id == package_id:
        raise SamePackage
    if quantity < 1:
        raise QuantityTooSmall()
    if customs.is_needed(job):
        raise CustomsWantsWholeUnits(title=line.title)
    item = package.items.filter(line=line).first()
    if item is None:
        raise NotInPackage(packed=0, title=line.title)
    target = package_of(job, to_package_id) if to_package_id else add_package(job_id, by=by, now=now)
    part = item.parts.filter(package=target).first()
    there = part.quantity if part else 0
    if item.quantity < there + quantity:
        raise NotInPackage(packed=item.quantity - there, title=line.title)
    if part is None:
        PackagePart.objects.create(item=item, package=target, quantity=quantity)
    else:
        part.quantity += quantity
        part.save(update_fields=["quantity"])
    forget_weight(package)
    forget_weight(target)
    raise_version(job)
    return line, target


@transaction.atomic
def stay(job_id, line_id, package_id, other_package_id, quantity, *, by, now):
    """Take back ``go_on``. Refuses more units than go on there."""
    job = lock_for_packing(job_id, by)
    line, package, other = (
        job.lines.get(pk=line_id),
        package_of(job, package_id),
        package_of(job, other_package_id),
    )
    if quantity < 1:
        raise QuantityTooSmall()
    part = PackagePart.objects.filter(item__package=package, item__line=line, package=other).first()
    if part is None or part.quantity < quantity:
        raise DoesNotGoOn(title=line.title, number=other.number)
    if part.quantity == quantity:
        part.delete()
    else:
        part.quantity -= quantity
        part.save(update_fields=["quantity"])
    forget_weight(package)
    forget_weight(other)
    raise_version(job)
    return line
