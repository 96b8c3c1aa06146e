"""The lines of a pack job as such: parts of them go on as lines of their own, and what is recorded of their units."""

import dataclasses
import uuid

from django.db import transaction
from django.utils.translation import get_language

from fulfillment.core import attributes
from fulfillment.core.models.facility import ScanRule

from ..models import PackageItem, PackLine
from .contents import check_goes_on
from .locks import lock_kept, touch
from .refusals import LineNotToBeSplit, NotALine


@dataclasses.dataclass(frozen=True)
class Split:
    """Units that leave a line, and how many of them are packed: as few as can be when that is None."""

    line_id: uuid.UUID
    quantity: int
    packed: int | None = None


@transaction.atomic
def split(job_id, splits, *, package_id=None, by, now, version=None):
    """Let units of lines go on as lines of their own, with what is packed of them; all or nothing.

    The last packages hold the part that leaves, or the named one. Refuses a job that was given up, lines of other jobs,
    parts without a unit or with more packed than there is, and a job that another packer has in hand.
    """
    job = lock_kept(job_id, by, version)
    lines = {line.pk: line for line in job.lines.with_packed()}
    for one in splits:
        line = lines.get(one.line_id)
        if line is None:
            raise NotALine(line=one.line_id, job=job)
        _split_line(line, one, package_id, job.facility.pack_scan)
    return touch(job, "split", by=by, now=now)


def _split_line(line, one, package_id, rule):
    items = line.items.order_by("-package__number")
    if package_id is not None:
        items = items.filter(package=package_id)
    was_verified = line.verified > 0
    there = sum(item.quantity for item in items)
    packed = one.packed
    if packed is None:
        packed = one.quantity if package_id else max(0, one.quantity - (line.quantity - line.packed))
    left = line.quantity - one.quantity
    if left < 1 or not 0 <= packed <= min(one.quantity, there) or line.packed - packed > left:
        raise LineNotToBeSplit(title=line.title)
    other = PackLine(
        job_id=line.job_id,
        pick_line_id=line.pick_line_id,
        split_from=line,
        order_line_id=line.order_line_id,
        article_id=line.article_id,
        title=line.title,
        quantity=one.quantity,
        # Verified units stay packed ones, on both sides.
        verified=max(0, line.verified - (line.packed - packed)),
        recordable_attributes=attributes.copies(line.recordable_attributes),
    )
    line.quantity, line.packed = left, line.packed - packed
    line.verified -= other.verified
    if (
        was_verified and rule == ScanRule.FIRST
    ):  # one unit stands for the whole line, so it does for its parts
        line.verified = max(line.verified, min(1, line.packed))
        other.verified = max(other.verified, min(1, packed))
    line.save(update_fields=["quantity", "verified"])
    other.save(force_insert=True)
    for item in items:
        moved = min(packed, item.quantity)
        if not moved:
            break
        packed -= moved
        # The same units in the same package: what it weighs is not touched.
        if moved < item.quantity:
            check_goes_on(item, item.quantity - moved)
        if moved == item.quantity:
            item.line = other
            item.save(update_fields=["line"])
        else:
            item.quantity -= moved
            item.save(update_fields=["quantity"])
            PackageItem.objects.create(package_id=item.package_id, line=other, quantity=moved)


@transaction.atomic
def record(job_id, changes, *, by, now, version=None):
    """Keep what was recorded of the units of a job, also when it is packed.

    Args:
        changes: ``{attribute id: {"value", ...}}``.
    Refuses a job that was given up or that another packer has in hand, and attributes that none of its lines has.
    """
    job = lock_kept(job_id, by, version)
    attributes.record(job, "recordable_attributes", changes)
    return touch(job, "record", by=by, now=now)


def check_recorded(lines):
    """Refuse lines of which something must be recorded and is not."""
    language = get_language() or "en"
    words = [
        f"{attributes.name_of(one, language)} ({line.title})"
        for line in lines
        for one in attributes.missing(line.recordable_attributes)
    ]
    if words:
        raise attributes.AttributesMissing(missing=", ".join(words))
