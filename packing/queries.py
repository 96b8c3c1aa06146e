"""What the pack station shows."""

import dataclasses

from fulfillment.core.queries import find_article

from .models import Package, PackJob, PackLine
from .weights import expected_weight


@dataclasses.dataclass(frozen=True)
class Work:
    """A pack job with its lines, packages and what is to be done next."""

    job: PackJob
    lines: list[PackLine]
    packages: list[Package]
    current: Package | None

    @property
    def units(self):
        return sum(line.quantity for line in self.lines)

    @property
    def packed(self):
        return sum(line.packed for line in self.lines)

    @property
    def left(self):
        return self.units - self.packed

    @property
    def unweighed(self):
        """The first filled package without weight, when the job needs weights."""
        if not self.job.needs_weights:
            return None
        return next(
            (package for package in self.packages if package.units and package.weight_g is None), None
        )

    @property
    def next_step(self):
        if self.job.status in (PackJob.Status.OPEN, PackJob.Status.PAUSED):
            return "start"
        if self.job.status != PackJob.Status.IN_PROGRESS:
            return "none"
        if self.left:
            return "pack"
        return "weigh" if self.unweighed else "close"

    def last_step(self, line_pk, units):
        """The item that ``units`` of a line were just put into, to undo it; None when they are no longer there."""
        if not line_pk or not units or self.current is None:
            return None
        for item in self.current.items.all():
            if item.line_id == line_pk and item.quantity >= units:
                return {"item": item, "units": units}
        return None


def work(job, number=None):
    """The ``Work`` of a job; ``number`` names the current package, else it is the last one. Four queries."""
    lines = list(job.lines.with_packed().select_related("article"))
    for line in lines:
        line.left = line.quantity - line.packed
    packages = list(job.packages.prefetch_related("items__line__article"))
    for package in packages:
        contents = package.items.all()
        package.units = sum(item.quantity for item in contents)
        package.expected_g = expected_weight((item.quantity, item.line.article.weight_g) for item in contents)
    current = next((package for package in packages if package.number == number), None)
    return Work(job, lines, packages, current or (packages[-1] if packages else None))


def find_jobs(jobs, text):
    """Unfinished jobs for a scanned or typed short id, order number or package code, else for an article code."""
    found = list(jobs.open().matching(text).for_list()[:50])
    if found:
        return found
    article, _units = find_article(text)
    if article is None:
        return []
    return list(
        jobs.open().filter(pk__in=PackLine.objects.filter(article=article).values("job")).for_list()[:50]
    )
