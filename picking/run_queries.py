"""What the screens of runs show: the runs there are, what could be the next one, and one run in the hand."""

import dataclasses

from django.db.models import Count, Prefetch, Q, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from fulfillment.core.models.facility import PickingMethod

from . import batches, floor, floor_map, queries, screen
from .models import Allocation, LoadUnit, PickJob, PickLine, PickRun, ScanEvent
from .rules import rules_of
from .stops import group

MOST_OFFERED = 60  # the most urgent jobs, among which a run is chosen
UNDOABLE = queries.UNDOABLE


def runs_at(facility):
    """The runs of a facility that are not over, with ``orders``, ``units`` and ``units_done``."""
    return (
        PickRun.objects.at(facility)
        .active()
        .annotate(
            orders=Count("lines__job", distinct=True),
            units=Coalesce(Sum("lines__quantity"), 0),
            units_done=Coalesce(Sum("lines__picked"), 0) + Coalesce(Sum("lines__short"), 0),
        )
        .for_list()
    )


# The next run


@dataclasses.dataclass
class Offer:
    """A job that could go along, and whether it is in the run that is suggested."""

    job: PickJob
    units: int
    places: list
    is_suggested: bool = False
    number: int = 0
    unit: LoadUnit | None = None


def offers(facility, method, zones=(), chosen=None):
    """Jobs for a run by this method, the most urgent first, those suggested marked.

    Args:
        zones: for picking by zones those of the picker: only what lies there counts.
        chosen: ids of jobs that somebody chose instead of the suggestion.
    """
    rules = rules_of(facility)
    jobs = [job for job in _free_jobs(facility, method) if method in rules.methods_of(job)][:MOST_OFFERED]
    lines = (
        PickLine.objects.filter(job__in=jobs)
        .pending()
        .exclude(run__status__in=PickRun.ACTIVE)
        .select_related("article")
    )
    places = floor.first_places(list(lines))
    wanted = {zone.pk for zone in zones}
    of_job: dict = {}
    for line, place in places.items():
        if method != PickingMethod.ZONE or place is None or place.zone_id is None or place.zone_id in wanted:
            of_job.setdefault(line.job_id, []).append((line, place))
    found = [
        Offer(
            job,
            sum(line.open_units for line, _place in of_job[job.pk]),
            [place for _line, place in of_job[job.pk] if place],
        )
        for job in jobs
        if job.pk in of_job
    ]
    candidates = [
        _candidate(offer, [line for line, _place in of_job[offer.job.pk]], method) for offer in found
    ]
    depth = floor.depths([facility.pk]).get(facility.pk)
    if chosen is None:
        suggested = {one.key for one in batches.build(candidates, rules.limits, depth=depth)}
    else:
        suggested = set(chosen)
    for offer in found:
        offer.is_suggested = offer.job.pk in suggested
    return found


def _free_jobs(facility, method):
    in_runs = PickRun.objects.active()
    if method == PickingMethod.ZONE:
        by_zone = Q(status=PickJob.Status.IN_PROGRESS, lines__run__in=in_runs.filter(method=method))
        jobs = PickJob.objects.filter(Q(status__in=["OPEN", "PAUSED"]) | by_zone)
        in_runs = in_runs.exclude(method=method)
    else:
        jobs = PickJob.objects.filter(status__in=["OPEN", "PAUSED"])
    busy = PickLine.objects.filter(run__in=in_runs).values("job")
    return jobs.at(facility).filter(is_held=False).exclude(pk__in=busy).distinct().for_list()


def _candidate(offer, lines, method):
    weight = sum(line.open_units * (line.article.weight_g or 0) for line in lines)
    volume = sum(line.open_units * _litres(line.article) for line in lines)
    return batches.Candidate(
        offer.job.pk,
        frozenset(floor.stop_at(place) for place in offer.places),
        frozenset(place.zone_id for place in offer.places if place.zone_id),
        totes=0 if method == PickingMethod.BATCH else 1,
        weight_g=weight,
        volume_l=volume,
    )


def _litres(article):
    sides = (article.length_mm, article.width_mm, article.height_mm)
    return sides[0] * sides[1] * sides[2] / 1_000_000 if all(sides) else 0


def with_totes(facility, found):
    """Number the jobs of a run to be, each with the tote it holds already, else with a free one."""
    held = {unit.job_id: unit for unit in LoadUnit.objects.filter(job__in=[offer.job for offer in found])}
    free = iter(
        LoadUnit.objects.at(facility).filter(status=LoadUnit.Status.FREE).order_by("modified_at")[:100]
    )
    for number, offer in enumerate(found, start=1):
        offer.number = number
        offer.unit = held.get(offer.job.pk) or next(free, None)
    return found


# One run


def lines_of(run):
    """The lines of a run in the order of the walk; equal places by article, then by the number of the order."""
    numbers = dict(run.run_jobs.values_list("job", "number"))
    lines = run.lines.select_related("article", "order_line", "listing", "job", "replaces__article")
    return sorted(
        lines, key=lambda line: (line.sequence, line.article_id, numbers.get(line.job_id, 0), line.pk)
    ), numbers


def stops_of(run):
    """The stops of a run, to pick them: ``into`` says where the units go."""
    lines, numbers = lines_of(run)
    return name_targets(run, group(lines, is_batch=run.method == PickingMethod.BATCH), numbers)


def name_targets(run, stops, numbers):
    for stop in stops:
        stop.into = (
            ""
            if run.method == PickingMethod.BATCH
            else _("%(number)s · %(job)s") % {"number": numbers.get(stop.job_id, 0), "job": stop.job}
        )
    return stops


def walk_of(run):
    """A run as ``queries.Walk``, with what its screen shows of each stop."""
    lines, numbers = lines_of(run)
    by_id = {line.pk: line for line in lines}
    loaded = PickLine.objects.filter(pk__in=by_id).prefetch_related(
        "article__codes",
        "photos",
        Prefetch("allocations", Allocation.objects.select_related("stock__location__zone")),
    )
    for line in loaded.select_related("article"):
        by_id[line.pk].article = line.article
        by_id[line.pk]._prefetched_objects_cache = line._prefetched_objects_cache
    stops = name_targets(run, group(lines, is_batch=run.method == PickingMethod.BATCH), numbers)
    for stop in stops:
        queries.prepare(stop)
        stop.places = _merged(stop.places)
    return queries.Walk(stops, next((stop for stop in stops if stop.open_units), None))


def _merged(places):
    """Places in the order of the walk; several lines of a batch take units from the same one."""
    found: dict = {}
    for place in places:
        known = found.get(place.pk)
        found[place.pk] = (
            dataclasses.replace(known, quantity=known.quantity + place.quantity) if known else place
        )
    return list(found.values())


def undoable(run):
    """Actions of a run that undo takes back, the last first, see ``queries.one_by_one``: [[event, *its parts]].

    What is of a job that left the run stays.
    """
    events = (
        queries.not_undone(ScanEvent.objects.filter(run=run, part_of=None), run).prefetch_related(
            Prefetch("parts", ScanEvent.objects.select_related("line"))
        )
    )[:UNDOABLE]
    actions = [[event, *event.parts.all()] for event in events]
    return queries.one_by_one(parts for parts in actions if all(part.line.run_id == run.pk for part in parts))


def history_of(run, stops):
    """What undo can take back, the last at the end: ``[[stop, picked, short, moved]]``, as the screen keeps it."""
    stop_of = {line.pk: str(stop.pk) for stop in stops for line in stop.lines}
    return [
        [
            stop_of[parts[0].line_id],
            sum(part.picked_delta for part in parts),
            sum(part.short_delta for part in parts),
            sum(part.moved for part in parts),
        ]
        for parts in reversed(list(undoable(run)))
    ]


def screen_data(walk, run, *, may_override, choices):
    """A run as ``static/js/pickjob.js`` keeps a job: each stop is a line."""
    history = history_of(run, walk.lines)
    data = screen.screen_data(walk, run, may_override=may_override, history=history, choices=choices)
    stop_of = {line.pk: str(stop.pk) for stop in walk.lines for line in stop.lines}
    for shown, stop in zip(data["lines"], walk.lines, strict=True):
        shown["into"] = stop.into
        shown["orders"] = [[str(line.job_id), line.quantity] for line in stop.lines]
        shown["replaces"] = stop_of.get(stop.replaces_id, "")
        merged: dict = {}
        for place in shown["places"]:
            known = merged.setdefault(place["id"], {**place, "quantity": 0})
            known["quantity"] += place["quantity"]
        shown["places"] = list(merged.values())
    return data


@dataclasses.dataclass
class Target:
    """An order of a run: its number, and the totes that its goods go into."""

    number: int
    job: PickJob
    units: list
    quantity: int
    done: int


def targets_of(run, lines):
    """The orders of a run with their totes and how far they are."""
    units: dict = {}
    for unit in LoadUnit.objects.filter(job__run_jobs__run=run):
        units.setdefault(unit.job_id, []).append(unit)
    found = []
    for one in run.run_jobs.select_related("job__order"):
        mine = [line for line in lines if line.job_id == one.job_id]
        found.append(
            Target(
                one.number,
                one.job,
                units.get(one.job_id, []),
                sum(line.quantity for line in mine),
                sum(line.picked + line.short for line in mine),
            )
        )
    return found


def map_of(walk, facility):
    """The map of a walk, or None where nobody said where the places are."""
    return floor_map.draw(marks_of(walk), floor.aisles(facility))


def marks_of(walk):
    """The places of a walk for the map: where each stop is begun, or for one that is done, was."""
    marks = []
    for stop in walk.lines:
        locations = [one.stock.location for one in stop.allocations.all() if one.stock.location]
        here = {place.pk: place for place in locations}
        place = here.get(stop.places[0].pk) if stop.places else next(iter(locations), None)
        if place is not None and place.aisle is not None and stop.quantity:
            keys = (str(stop.pk),)
            marks.append(floor_map.Mark(place.aisle, place.bay, place.name, keys, not stop.open_units))
    return marks
