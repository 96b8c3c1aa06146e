"""What happens on the floor of a facility now. The number of queries does not grow with the work."""

import dataclasses
import datetime
from itertools import groupby

from django.db.models import Count, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce, TruncHour

from picking.models import Allocation, PickJob, PickLine, PickRun, ScanEvent
from picking.next_work import with_progress
from picking.rules import rules_of

HOURS = 8
MOST = 50  # jobs in a list; the figures above count all


@dataclasses.dataclass(frozen=True)
class Hour:
    """Units that were picked in an hour, and their share of the best one in percent."""

    start: datetime.datetime
    units: int
    share: int


@dataclasses.dataclass(frozen=True)
class Floor:
    counts: dict  # open, in_progress, paused, held, overdue, at_risk
    pickers: list  # (user, [job])
    late: list
    hours: list
    units_now: int  # in the last sixty minutes
    people: list | None  # (name, units) in the last sixty minutes; None unless the facility shows people
    shorts: list


def floor_of(facility, now):
    """The ``Floor`` of a facility; its zone decides when today began, its buffer what is at risk."""
    soon = now + datetime.timedelta(minutes=facility.fulfillment_buffer)
    jobs = PickJob.objects.at(facility).open()
    to_do = jobs.exclude(status=PickJob.Status.PICKED)
    picked = ScanEvent.objects.filter(facility=facility).exclude(picked_delta=0)
    last_hour = picked.filter(received_at__gt=now - datetime.timedelta(hours=1))
    return Floor(
        counts=to_do.aggregate(
            open=Count("pk", filter=Q(status=PickJob.Status.OPEN)),
            in_progress=Count("pk", filter=Q(status=PickJob.Status.IN_PROGRESS)),
            paused=Count("pk", filter=Q(status=PickJob.Status.PAUSED)),
            held=Count("pk", filter=Q(is_held=True)),
            overdue=Count("pk", filter=Q(target_time__lt=now)),
            at_risk=Count("pk", filter=Q(target_time__gte=now, target_time__lt=soon)),
        ),
        pickers=_pickers(jobs),
        late=[_judged(job, now) for job in _late(to_do, soon)],
        hours=_hours(picked, facility, now),
        units_now=last_hour.aggregate(units=Coalesce(Sum("picked_delta"), 0))["units"],
        people=_people(last_hour) if rules_of(facility).shows_people else None,
        shorts=_shorts(facility, now),
    )


def _pickers(jobs):
    runs = PickLine.objects.filter(job=OuterRef("pk"), run__status__in=PickRun.ACTIVE)
    busy = (
        with_progress(jobs.filter(status=PickJob.Status.IN_PROGRESS))
        .annotate(run_name=Subquery(runs.values("run__short_id")[:1]))
        .select_related("order", "editor")
        .order_by("editor__name", "editor__email", *PickJob.BY_URGENCY, "pk")
    )
    return [(user, list(own)) for user, own in groupby(busy, key=lambda job: job.editor)]


def _late(jobs, soon):
    late = with_progress(jobs.filter(target_time__lt=soon)).select_related("order", "editor")
    return late.order_by(*PickJob.BY_URGENCY, "pk")[:MOST]


def _judged(job, now):
    job.is_overdue = job.target_time < now
    return job


def _hours(picked, facility, now):
    """Units per full hour, booked on the screens or through the API; hours without any count as none."""
    this_hour = now.astimezone(facility.tz).replace(minute=0, second=0, microsecond=0)
    starts = [this_hour - datetime.timedelta(hours=back) for back in reversed(range(HOURS))]
    rows = (
        picked.filter(received_at__gte=starts[0])
        .order_by()
        .annotate(hour=TruncHour("received_at", tzinfo=facility.tz))
        .values_list("hour")
        .annotate(units=Sum("picked_delta"))
    )
    units = {hour: max(number, 0) for hour, number in rows}
    most = max(units.values(), default=0)
    return [
        Hour(start, units.get(start, 0), round(100 * units.get(start, 0) / most) if most else 0)
        for start in starts
    ]


def _people(picked):
    """By name, not by units: it is no contest. What a token booked is nobody's."""
    rows = (
        picked.exclude(user=None)
        .order_by()
        .values("user__name", "user__email")
        .annotate(units=Sum("picked_delta"))
    )
    return sorted((row["user__name"] or row["user__email"], row["units"]) for row in rows)


def _shorts(facility, now):
    """Units that pickers did not find today, by article and the place where they should have been."""
    midnight = now.astimezone(facility.tz).replace(hour=0, minute=0, second=0, microsecond=0)
    places = Allocation.objects.filter(line=OuterRef("line")).order_by(
        "stock__location__running_sequence", "pk"
    )
    return list(
        ScanEvent.objects.filter(
            facility=facility,
            short_delta__gt=0,
            undone_by=None,
            undoes=None,
            received_at__gte=midnight,
        )
        .annotate(place=Coalesce("line__place__name", Subquery(places.values("stock__location__name")[:1])))
        .order_by()
        .values("place", title=F("line__title"), sku=F("line__article__sku"))
        .annotate(units=Sum("short_delta"), times=Count("pk"))
        .order_by("-units", "sku")[:MOST]
    )
