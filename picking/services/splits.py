"""Lines of a pick job are split: a part of the units goes on as a line of its own."""

import dataclasses
import uuid

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core import attributes
from fulfillment.core.errors import Refused

from ..models import Allocation, PickJob, PickLine
from .lines import COUNTED
from .locks import check_picker, lock_for_status, touch
from .work import NotOnThisJob


class SplitTooLate(Refused):
    text = _("%(job)s is %(status)s; only lines that are still to be picked can be split or merged.")


class NotToBeSplit(Refused):
    text = _(
        "%(title)s cannot be split like this: each part has at least one unit, and no more is picked than it has."
    )


@dataclasses.dataclass(frozen=True)
class Split:
    """Units that leave a line, and how many of them are picked already."""

    line_id: uuid.UUID
    quantity: int
    picked: int = 0


@transaction.atomic
def split(job_id, splits, *, by, now, version=None):
    """Let units of lines go on as lines of their own, with their places.

    Refuses a job whose picking has ended or is in another picker's hands, lines of other jobs and of substitutes, and
    parts without a unit or with more picked than there is.
    """
    job = lock_to_divide(job_id, by, version)
    lines = {line.pk: line for line in job.lines.prefetch_related("allocations__stock")}
    for one in splits:
        line = lines.get(one.line_id)
        if line is None:
            raise NotOnThisJob(line=one.line_id, job=job)
        split_line(line, one.quantity, one.picked)
    return touch(job, "split", by=by, now=now)


def lock_to_divide(job_id, by, version):
    """Lock a job whose lines are to be split or merged; refuses one that is picked by others or to the end."""
    job = lock_for_status(job_id, version)
    if job.status == PickJob.Status.IN_PROGRESS:
        check_picker(job, by)
    elif job.status not in {PickJob.Status.OPEN, PickJob.Status.PAUSED}:
        raise SplitTooLate(job=job, status=job.get_status_display())
    return job


def split_line(line, quantity, picked):
    """Split a line whose job is locked; returns the new one. What is short stays where it was reported."""
    left = line.quantity - quantity, line.picked - picked
    is_possible = quantity >= max(picked, 1) and left[1] >= 0 and left[0] >= max(left[1] + line.short, 1)
    if not is_possible or line.replaces_id:
        raise NotToBeSplit(title=line.title)
    other = PickLine(
        job_id=line.job_id,
        plan_line_id=line.plan_line_id,
        split_from=line,
        order_line_id=line.order_line_id,
        article_id=line.article_id,
        listing_id=line.listing_id,
        title=line.title,
        sequence=line.sequence,
        run_id=line.run_id,
        quantity=quantity,
        recordables=attributes.copies(line.recordables),
    )
    line.quantity -= quantity
    line.count(line.picked - picked, line.short, line.short_reason)
    line.save(update_fields=["quantity", *COUNTED])
    other.count(picked, 0, "")
    other.save(force_insert=True)
    _share_places(line, other)
    return other


def _share_places(line, other):
    """The last places of the line become those of the other: what is picked of it came from the first ones."""
    wanted, moved = other.quantity, []
    for allocation in reversed(line.allocations.all()):
        units = min(wanted, allocation.quantity)
        if not units:
            break
        moved.append(Allocation(line=other, stock_id=allocation.stock_id, quantity=units))
        wanted -= units
        allocation.quantity -= units
        if allocation.quantity:
            allocation.save(update_fields=["quantity"])
        else:
            allocation.delete()
    Allocation.objects.bulk_create(reversed(moved))
