"""What the pick screens show of a job. The number of queries does not grow with the lines."""

import dataclasses

from django.db.models import Prefetch, Q, Sum
from django.db.models.functions import Coalesce

from .models import Allocation, PickJob, PickLine


@dataclasses.dataclass
class Place:
    """Where units of a line are, and how many are to be taken there."""

    name: str
    zone: str
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
        return [line for line in self.lines if not line.open_units]

    @property
    def units(self):
        return sum(line.quantity for line in self.lines)

    @property
    def units_done(self):
        return sum(line.picked + line.short for line in self.lines)


def walk_of(job):
    """The lines of a job with article, codes and ``places``; ``current`` is the next one to pick."""
    lines = list(
        job.lines.select_related("article", "order_line").prefetch_related(
            "article__codes",
            Prefetch("allocations", Allocation.objects.select_related("stock__location__zone")),
        )
    )
    for line in lines:
        line.places = list(_places(line))
        line.codes = [code.code for code in line.article.codes.all() if code.units == 1]
    return Walk(lines, next((line for line in lines if line.open_units), None))


def _places(line):
    # Units picked so far came from the first places of the walk.
    gone = line.picked + line.short
    for allocation in line.allocations.all():
        here = max(allocation.quantity - gone, 0)
        gone = max(gone - allocation.quantity, 0)
        location = allocation.stock.location
        if here and location is not None:
            yield Place(location.name, location.zone.name if location.zone else "", here)


def jobs_at(facility, *, status="", text=""):
    """Jobs of a facility for the list: open ones unless a status is asked for; ``text`` finds short id, order
    number, recipient, SKU or title. Annotated with ``units`` and ``units_done``."""
    jobs = PickJob.objects.at(facility)
    jobs = jobs.filter(status=status) if status else jobs.open()
    text = text.strip()
    if text:
        lines = PickLine.objects.filter(Q(title__icontains=text) | Q(article__sku__iexact=text))
        jobs = jobs.filter(
            Q(short_id__iexact=text)
            | Q(order__tenant_order_id__icontains=text)
            | Q(order__recipient_name__icontains=text)
            | Q(pk__in=lines.values("job"))
        )
    return jobs.annotate(
        units=Coalesce(Sum("lines__quantity"), 0),
        units_done=Coalesce(Sum("lines__picked"), 0) + Coalesce(Sum("lines__short"), 0),
    ).for_list()


def next_job(facility, user):
    """The job a picker goes on with, else the most urgent one that nobody works on, or None."""
    jobs = jobs_at(facility)
    return (
        jobs.filter(status=PickJob.Status.IN_PROGRESS, editor=user).first()
        or jobs.filter(status=PickJob.Status.OPEN).first()
        or jobs.filter(status=PickJob.Status.PAUSED).first()
    )
