"""Parts of one line of a pick job are put together again: the counterpart of a split."""

from collections import Counter

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused

from .. import queries, recordables
from ..models import Allocation, LinePhoto, PickLine, ScanEvent
from .lines import COUNTED
from .locks import touch
from .splits import lock_to_divide
from .work import NotOnThisJob


class NotToBeMerged(Refused):
    text = _(
        "These lines cannot be merged: only parts of one line that was split, of the same run, without substitutes, "
        "picked in the order of their places, and with no two values for the same thing to be recorded."
    )


@transaction.atomic
def merge(job_id, line_ids, *, by, now, version=None):
    """Let parts of one line of an order go on as one line, with the sum of their units and all of their places.

    Refuses a job whose picking has ended or is in another picker's hands, lines of other jobs, and lines that are no parts
    of one: see ``NotToBeMerged``.
    """
    job = lock_to_divide(job_id, by, version)
    own = {
        line.pk: line for line in job.lines.prefetch_related("allocations__stock__location", "substitutes")
    }
    for line_id in line_ids:
        if line_id not in own:
            raise NotOnThisJob(line=line_id, job=job)
    # The line that was split is there before its parts.
    parts = sorted({own[pk] for pk in line_ids}, key=lambda line: (line.split_from_id is not None, line.pk))
    _check(parts)
    recorded = recordables.together(parts)
    if recorded is None:
        raise NotToBeMerged
    line, *others = parts
    _move(line, others)
    PickLine.objects.filter(pk__in=[other.pk for other in others]).delete()
    line.quantity = sum(part.quantity for part in parts)
    short = next((part for part in parts if part.short), line)
    line.left, line.left_at = short.left, short.left_at
    line.recordables = recorded
    line.is_scanned = any(part.is_scanned for part in parts)
    line.count(sum(part.picked for part in parts), sum(part.short for part in parts), short.short_reason)
    line.save(update_fields=["quantity", "recordables", *COUNTED])
    return touch(job, "merge", by=by, now=now)


def _check(parts):
    kinds = {(part.plan_line_id, part.run_id, part.replaces_id) for part in parts}
    has_substitutes = any(list(part.substitutes.all()) for part in parts)
    if len(parts) < 2 or len(kinds) > 1 or parts[0].replaces_id or has_substitutes:
        raise NotToBeMerged
    # What is picked of a line came from its first places: of the parts it must have come from there, too.
    together = sorted((one for part in parts for one in part.allocations.all()), key=queries.in_the_walk)
    gone = Counter()
    for part in parts:
        gone += _taken(part.allocations.all(), part.picked + part.short)
    if gone != _taken(together, sum(part.picked + part.short for part in parts)):
        raise NotToBeMerged


def _taken(allocations, units):
    """How many units are gone from which stock row."""
    gone = Counter()
    for allocation in allocations:
        here = min(units, allocation.quantity)
        units -= here
        gone[allocation.stock_id] += here
    return +gone


def _move(line, others):
    """What hangs on the other lines, hangs on this one: places, what was booked, and photos."""
    own = {allocation.stock_id: allocation for allocation in line.allocations.all()}
    for other in others:
        for allocation in other.allocations.all():
            known = own.get(allocation.stock_id)
            if known is None:
                allocation.line = line
                allocation.save(update_fields=["line"])
                own[allocation.stock_id] = allocation
            else:
                known.quantity += allocation.quantity
                known.save(update_fields=["quantity"])
    for model in (ScanEvent, LinePhoto):
        model.objects.filter(line__in=others).update(line=line)
    PickLine.objects.filter(split_from__in=others).exclude(pk=line.pk).update(split_from=line)
    Allocation.objects.filter(line__in=others).delete()
