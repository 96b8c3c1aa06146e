"""What a picker does at one place of a run: a line of an order, or of a batch all lines of one article there together."""

import itertools

from .models import Allocation, PickLine
from .queries import in_the_walk


def _sum(name):
    return property(lambda stop: sum(getattr(line, name) for line in stop.lines))


def _of_all(name):
    """An attribute that is read from one line and set on all that have open units."""

    def read(stop):
        return getattr(stop.current, name)

    def write(stop, value):
        for line in stop.lines:
            if line.open_units:
                setattr(line, name, value)

    return property(read, write)


class Stop:
    """Lines of a run that are picked together. It looks like a line, with the sums of their figures.

    What it does not know itself it knows from the line that gets the next unit.
    """

    def __init__(self, lines):
        self.lines = lines

    def __getattr__(self, name):
        if name == "lines":  # not there yet
            raise AttributeError(name)
        return getattr(self.current, name)

    def __str__(self):
        return f"{self.picked}/{self.quantity} {self.current.title}"

    @property
    def current(self):
        """The line that gets the next unit; the last one when all are done."""
        return next((line for line in self.lines if line.open_units), self.lines[-1])

    @property
    def pk(self):
        return self.lines[0].pk

    quantity = _sum("quantity")
    picked = _sum("picked")
    short = _sum("short")
    open_units = _sum("open_units")
    place = _of_all("place")
    is_scanned = _of_all("is_scanned")
    short_reason = _of_all("short_reason")
    left = _of_all("left")
    left_at = _of_all("left_at")

    @property
    def status(self):
        return PickLine.Status.IN_PROGRESS if self.open_units and self.picked else self.current.status

    @property
    def allocations(self):
        return _Allocations(self.lines)

    @property
    def photos(self):
        return _Photos(self.lines)

    def save(self, *, update_fields):
        for line in self.lines:
            line.save(update_fields=update_fields)

    def shares(self, picked, short):
        """[(line, picked, short)]: how units that are booked now go to the lines, in their order."""
        for line in self.lines:
            mine = min(picked, line.open_units)
            missing = min(short, line.open_units - mine)
            picked, short = picked - mine, short - missing
            if mine or missing:
                yield line, mine, missing


class _Allocations:
    """The allocations of several lines, in the order of the walk."""

    def __init__(self, lines):
        self.lines = lines

    def all(self):
        """Those that are loaded already."""
        found = itertools.chain.from_iterable(line.allocations.all() for line in self.lines)
        return sorted(found, key=in_the_walk)

    def select_related(self, *names):
        return Allocation.objects.filter(line__in=self.lines).select_related(*names)


class _Photos:
    """The photos of several lines, loaded already."""

    def __init__(self, lines):
        self.lines = lines

    def all(self):
        return [photo for line in self.lines for photo in line.photos.all()]


def group(lines, *, is_batch):
    """The stops of lines that are in the order of the walk; of a batch equal articles of one place are one stop."""
    if not is_batch:
        return [Stop([line]) for line in lines]
    found: dict = {}
    for line in lines:
        instead_of = line.replaces.article_id if line.replaces_id else None
        found.setdefault((line.sequence, line.article_id, instead_of), []).append(line)
    return [Stop(members) for members in found.values()]
