"""What the pack station shows."""

import dataclasses

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from fulfillment.core import attributes
from fulfillment.core.queries import find_article

from . import boxes as packer
from .models import BoxType, Package, PackagePart, PackJob, PackLine
from .weights import Tolerance, expected_weight


@dataclasses.dataclass(frozen=True)
class Work:
    """A pack job with its lines, packages and what is to be done next."""

    job: PackJob
    lines: list[PackLine]
    packages: list[Package]
    current: Package | None
    boxes: list[BoxType]
    # The packages are those that were proposed and nobody chose one: each line goes where it is proposed.
    is_auto: bool

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
        if any(attributes.missing(line.recordable_attributes) for line in self.lines):
            return "record"
        return "weigh" if self.unweighed else "close"


def work(job, number=None):
    """The ``Work`` of a job; ``number`` names the current package, else it is the first that is not full.

    Seven queries. Lines get ``left`` and ``planned``, packages ``units``, ``expected_g``, ``is_too_heavy`` and
    ``begun_elsewhere``: the parts of units that are counted in another one.
    """
    lines = list(job.lines.with_packed().select_related("article"))
    packages = list(
        job.packages.select_related("box_type").prefetch_related("items__line__article", "items__parts")
    )
    boxes = list(BoxType.objects.usable_at(job.facility_id))
    plan = planned(job, packages, lines=lines, boxes=boxes) if len(packages) > 1 else {}
    for line in lines:
        line.left = line.quantity - line.packed
        line.planned = _open_places(line, packages, plan)
    _know_parts(packages)
    for package in packages:
        with_weights(package, package.begun_elsewhere)
    chosen = next((package for package in packages if package.number == number), None)
    is_auto = bool(plan) and chosen is None
    last = packages[-1] if packages else None
    current = chosen or next((line.planned[0] for line in lines if line.planned), last)
    for line in lines:
        line.target = line.planned[0] if is_auto and line.planned else current
    return Work(job, lines, packages, current, boxes, is_auto)


def _know_parts(packages):
    by_id = {package.pk: package for package in packages}
    for package in packages:
        package.begun_elsewhere = []
    for package in packages:
        for item in package.items.all():
            for part in item.parts.all():
                part.item, part.package, item.package = item, by_id[part.package_id], package
                part.package.begun_elsewhere.append(part)


def target_of(job, line, packages):
    """The package that a unit of a line goes into when nobody chose one: by the proposal, else the last one."""
    places = _open_places(line, packages, planned(job, packages) if len(packages) > 1 else {})
    return places[0] if places else packages[-1]


def _open_places(line, packages, plan):
    """The packages that still miss units of a line, by the plan."""
    return [
        package
        for package in packages
        if line.quantity > line.packed
        and plan.get(package.pk, {}).get(line.pk, 0)
        > sum(item.quantity for item in package.items.all() if item.line_id == line.pk)
    ]


def with_weights(package, begun_elsewhere=None):
    """A package with ``units``, ``expected_g`` and ``is_too_heavy``: whether it should weigh more than its box takes.

    ``units`` are things in it, also those that began in another package. Nobody knows what a part of a unit weighs.
    """
    items = package.items.all()
    if "items" not in getattr(package, "_prefetched_objects_cache", {}):
        items = items.select_related("line__article").prefetch_related("parts")
    box = package.box_type
    parts = package.parts.all() if begun_elsewhere is None else begun_elsewhere
    contents = [(item.quantity, None if item.parts.all() else item.line.article.weight_g) for item in items]
    contents += [(part.quantity, None) for part in parts]
    package.units = sum(units for units, _grams in contents)
    package.expected_g = expected_weight(contents, box.tare_g if box else 0)
    package.is_too_heavy = bool(box and package.expected_g and package.expected_g > box.most_g)
    return package


def parts_with(package_id):
    """Units that ship in several boxes, this one among them: ``[{"line": order line id, "quantity", "begins",
    "goes_on"}]``; the last two are ids of packages.
    """
    parts = PackagePart.objects.filter(Q(package=package_id) | Q(item__package=package_id)).order_by("pk")
    names = ("item__line__order_line", "quantity", "item__package", "package")
    return [
        {"line": str(line_id), "quantity": units, "begins": str(begins), "goes_on": str(goes_on)}
        for line_id, units, begins, goes_on in parts.values_list(*names)
    ]


def tolerance_of(facility):
    return Tolerance(facility.weight_tolerance_percent, facility.weight_tolerance_g)


def proposal(job, boxes, lines=None):
    """The boxes that are proposed for a job; None when there are none or an article has no size."""
    lines = list(job.lines.select_related("article").order_by("pk")) if lines is None else lines
    units = []
    for line in lines:
        article = line.article
        sides = (article.length_mm, article.width_mm, article.height_mm)
        if not all(sides):
            return None
        units += [packer.Unit(line.pk, sides, article.weight_g or 0)] * min(
            line.quantity, packer.MOST_UNITS + 1
        )
    return packer.propose(units, [box.as_box() for box in boxes])


def planned(job, packages, *, lines=None, boxes=None):
    """``{package id: {line id: units}}`` by the proposal; empty when the packages are others than it has."""
    boxes = list(BoxType.objects.usable_at(job.facility_id)) if boxes is None else boxes
    found = proposal(job, boxes, lines)
    if found is None or [one.box.key for one in found.filled] != [one.box_type_id for one in packages]:
        return {}
    return {package.pk: filled.contents for package, filled in zip(packages, found.filled, strict=True)}


def find_jobs(jobs, text):
    """Unfinished jobs for a scanned or typed short id, order number or package code, else for an article code."""
    wanted = jobs.open().for_list().prefetch_related("assigned_users")
    found = list(wanted.matching(text)[:50])
    if found:
        return found
    article, _units = find_article(text)
    if article is None:
        return []
    return list(wanted.filter(pk__in=PackLine.objects.filter(article=article).values("job"))[:50])


def batch(run):
    """``[(number, pack job)]`` of a run: the boxes that its goods are sorted to."""
    jobs = {job.pick_job_id: job for job in PackJob.objects.filter(pick_job__run_jobs__run=run).for_list()}
    numbers = run.run_jobs.order_by("number").values_list("number", "job")
    return [(number, jobs[pick_job]) for number, pick_job in numbers if pick_job in jobs]


def lines_of_batch(run_id, article):
    """Lines of the unfinished jobs of a run that have an article, with ``packed`` and ``number``, in the order of the run."""
    return list(
        PackLine.objects.filter(
            job__pick_job__run_jobs__run=run_id, job__status__in=PackJob.UNFINISHED, article=article
        )
        .annotate(packed=Coalesce(Sum("items__quantity"), 0), number=F("job__pick_job__run_jobs__number"))
        .select_related("job")
        .order_by("number", "order_line__position", "pk")
    )
