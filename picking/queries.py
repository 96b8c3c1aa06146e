"""What the pick screens show of a job. The number of queries does not grow with the lines."""

import dataclasses
import uuid

from django.db.models import F, Prefetch

from . import recordables
from .models import Allocation, PickLine, ScanEvent

UNDOABLE = 50  # actions that a screen without connection can take back


@dataclasses.dataclass(frozen=True)
class Place:
    """Where units of a line are, and how many are to be taken there."""

    pk: uuid.UUID | None
    name: str
    zone: str
    codes: tuple[str, ...]
    quantity: int


@dataclasses.dataclass
class Walk:
    """A job's lines in the order of the walk."""

    lines: list
    current: PickLine | None

    @property
    def open(self):
        return [line for line in self.lines if line.open_units]

    @property
    def done(self):
        """With nothing left to do. Those without a unit, picked as something else, are kept for undo, and hidden."""
        return [line for line in self.lines if not line.open_units]

    @property
    def shown_done(self):
        return [line for line in self.done if line.quantity]

    @property
    def units(self):
        return sum(line.quantity for line in self.lines)

    @property
    def units_done(self):
        return sum(line.picked + line.short for line in self.lines)


def walk_of(job):
    """The lines of a job with article, codes and ``places``; ``current`` is the next one to pick."""
    lines = list(
        job.lines.select_related("article", "order_line", "listing", "replaces__article").prefetch_related(
            "article__codes",
            "photos",
            Prefetch("allocations", Allocation.objects.select_related("stock__location__zone")),
        )
    )
    for line in lines:
        prepare(line)
    return Walk(lines, next((line for line in lines if line.open_units), None))


def prepare(line):
    """Set ``places`` and ``codes`` of a line whose allocations and article codes are loaded."""
    line.places = list(places(line, line.allocations.all()))
    line.codes = [code.code for code in line.article.codes.all() if code.units == 1]
    line.attributes = recordables.shown(line)


def history_of(job):
    """What undo can take back, the last at the end: ``[[line, picked, short, moved]]``, as the screen keeps it."""
    if not job.started_at:
        return []
    events = [[event] for event in not_undone(ScanEvent.objects.filter(job=job), job)[:UNDOABLE]]
    return [
        [str(event.line_id), event.picked_delta, event.short_delta, event.moved]
        for [event] in reversed(list(one_by_one(events)))
    ]


def one_by_one(actions):
    """Those of some actions that undo takes back, the last first, when each is undone before the next is judged.

    What is not there any more, because another client counted, stays.

    Args:
        actions: the last first; each as its events, whose lines are loaded.
    """
    lines: dict = {}
    for parts in actions:
        left = {part.line_id: lines.get(part.line_id) or _Figures.of(part.line) for part in parts}
        after = [left[part.line_id].without(part) for part in parts]
        if all(figures.is_possible for figures in after):
            lines.update(zip(left, after, strict=True))
            yield parts


@dataclasses.dataclass(frozen=True)
class _Figures:
    """What a line had at some time. What its substitute took comes back to it, so its own quantity never stands in the way."""

    picked: int
    short: int
    quantity: int

    @classmethod
    def of(cls, line):
        return cls(line.picked, line.short, line.quantity)

    def without(self, event):
        return _Figures(
            self.picked - event.picked_delta, self.short - event.short_delta, self.quantity - event.moved
        )

    @property
    def is_possible(self):
        return min(self.picked, self.short, self.quantity - self.picked - self.short) >= 0


def in_the_walk(allocation):
    """The key that sorts allocations, loaded with their locations, as a line has them."""
    location = allocation.stock.location
    return (location is None, location.running_sequence if location else 0, allocation.pk)


def places_of(line):
    """Where the units of a line that are still open are, in the order of the walk."""
    return list(places(line, line.allocations.select_related("stock__location__zone")))


def open_stocks(line):
    """The stock rows of a line from which units are still to be taken, in the order of the walk."""
    gone = line.picked + line.short
    for allocation in line.allocations.select_related("stock"):
        if allocation.quantity > gone:
            yield allocation.stock
        gone = max(gone - allocation.quantity, 0)


def places(line, allocations, *, gone=None, with_unknown=False):
    # Units picked so far came from the first places of the walk.
    gone = line.picked + line.short if gone is None else gone
    for allocation in allocations:
        here = max(allocation.quantity - gone, 0)
        gone = max(gone - allocation.quantity, 0)
        location = allocation.stock.location
        if here and (location is not None or with_unknown):
            yield place_at(location, here)


def place_at(location, units):
    """A storage location (or None: nobody knows where) with so many units to take."""
    if location is None:
        return Place(None, "", "", (), units)
    zone = location.zone.name if location.zone else ""
    return Place(location.pk, location.name, zone, tuple(location.scannable_codes), units)


def undoable(job):
    """What undo would take back now, the last first, see ``one_by_one``. What was booked before a reset stays."""
    return not_undone(ScanEvent.objects.filter(job=job), job).filter(
        line__picked__gte=F("picked_delta"),
        line__short__gte=F("short_delta"),
        line__quantity__gte=F("moved")
        + F("line__picked")
        + F("line__short")
        - F("picked_delta")
        - F("short_delta"),
    )


def not_undone(events, work):
    """What was booked since a job or run began and not taken back, the last first."""
    return (
        events.filter(undone_by=None, undoes=None, received_at__gte=work.started_at)
        .exclude(picked_delta=0, short_delta=0, moved=0)
        .exclude(kind=ScanEvent.Kind.PROGRAM)
        .select_related("line")
        .order_by(F("received_at").desc(), F("pk").desc())
    )


def recorded(order_line):
    """The events whose units are picked for a line of an order, with lot, serial number and expiry date."""
    return ScanEvent.objects.filter(
        line__order_line=order_line, picked_delta__gt=0, undone_by=None, received_at__gte=F("job__started_at")
    )
