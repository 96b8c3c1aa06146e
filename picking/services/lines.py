"""The figures of a line whose job is locked."""

import contextlib
import dataclasses
import uuid

from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.ids import uuid7
from fulfillment.core.models import User

from ..events import PickLinePicked
from ..models import PickLine, ScanEvent, ShortReason

# What ``PickLine.count`` changes.
COUNTED = ["picked", "short", "status", "short_reason", "place", "is_scanned", "left", "left_at"]


class TooManyPicked(Refused):
    text = _("Only %(quantity)s of %(title)s are ordered.")


@dataclasses.dataclass(frozen=True)
class Count:
    """What a client says about a line: units picked in all (None: as before), and why the others are missing."""

    line_id: uuid.UUID
    picked: int | None = None
    missing: str = ""  # a ShortReason; empty while the rest may still be picked


def set_count(line, count, *, facility_id, by, now):
    """Set the figures of a line, whose job is locked, to what a client says. Refuses more than is ordered."""
    picked = line.picked if count.picked is None else count.picked
    if picked > line.quantity:
        raise TooManyPicked(quantity=line.quantity, title=line.title)
    with telling_of_line(line, by=by, now=now):
        _count_and_keep(line, picked, count.missing, facility_id=facility_id, by=by, now=now)


def report_rest(lines, *, facility_id, by, now):
    """Report missing whatever is open."""
    for line in lines:
        if line.open_units:
            _count_and_keep(line, line.picked, ShortReason.OTHER, facility_id=facility_id, by=by, now=now)


def _count_and_keep(line, picked, missing, *, facility_id, by, now):
    """Count, and keep by how many units: the figures of the floor come from these rows."""
    before = line.picked, line.short
    count_line(line, picked, missing)
    if (line.picked, line.short) != before:
        ScanEvent.objects.create(
            id=uuid7(),
            facility_id=facility_id,
            user=by if isinstance(by, User) else None,
            job_id=line.job_id,
            line=line,
            kind=ScanEvent.Kind.PROGRAM,
            picked_delta=line.picked - before[0],
            short_delta=line.short - before[1],
            received_at=now,
        )


@contextlib.contextmanager
def telling_of_line(line, *, by, now):
    """Announce the line when what happens inside picks its last open unit."""
    before = line.status, line.picked
    yield
    if line.status == PickLine.Status.CLOSED and line.picked and (line.status, line.picked) != before:
        emit(PickLinePicked(pick_job_id=line.job_id, pick_line_id=line.pk), by=by, now=now)


def count_line(line, picked, missing):
    line.count(picked, line.quantity - picked if missing else 0, missing)
    line.save(update_fields=COUNTED)
