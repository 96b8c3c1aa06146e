"""Next work: the job a picker gets when asking for one, and the list to choose from instead."""

import datetime
from functools import partial

from django.db import transaction
from django.db.models import Case, Count, Exists, F, Max, Min, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce

from fulfillment.core.codes import normalise, spellings
from fulfillment.core.models import ArticleCode, StatusChange, User

from . import runs, services
from .models import Allocation, PickJob, PickLine, PickRun

EARLIEST = datetime.datetime.min.replace(tzinfo=datetime.UTC)  # without a target time: on top
MOST_TRIES = 50  # more colleagues than that do not ask in the same moment


def waiting(facility, user):
    """The jobs that a picker may be given, the best first.

    Priority, then what is meant for the picker, then target time, age and zone; last what the picker put aside. Not
    among them are held jobs, those meant for colleagues alone, and those in a run.
    """
    assigned = PickJob.assigned_users.through.objects.filter(pickjob=OuterRef("pk"))
    places = Allocation.objects.filter(line__job=OuterRef("pk")).order_by("line__sequence", "pk")
    return (
        PickJob.objects.at(facility)
        .filter(status__in=[PickJob.Status.OPEN, PickJob.Status.PAUSED], is_held=False)
        .filter(~Exists(_lines_in_runs()))
        .annotate(is_meant=Exists(assigned.filter(user=user)))
        .filter(Q(is_meant=True) | ~Exists(assigned))
        .select_related("order")
        .order_by(
            Case(When(status=PickJob.Status.PAUSED, editor=user, then=Value(1)), default=Value(0)),
            "-priority",
            "-is_meant",
            *PickJob.BY_URGENCY,
            Subquery(places.values("stock__location__zone__name")[:1]),
            "pk",
        )
    )


def _lines_in_runs():
    return PickLine.objects.filter(job=OuterRef("pk"), run__status__in=PickRun.ACTIVE)


def in_hand(facility, user):
    """What a picker works on: a run, else a job, else None."""
    runs = PickRun.objects.at(facility).filter(status=PickRun.Status.IN_PROGRESS, editor=user)
    jobs = PickJob.objects.at(facility).filter(status=PickJob.Status.IN_PROGRESS, editor=user)
    return runs.first() or jobs.filter(~Exists(_lines_in_runs())).for_list().first()


def waiting_runs(facility, user):
    """The runs that nobody picks now: made by a program, put aside or left alone. The most urgent of its jobs ranks a run;
    what the picker put aside comes last. Not among them are those with a job that is meant for colleagues alone."""
    meant = PickJob.objects.open().filter(runs=OuterRef("pk"), assigned_users__isnull=False)
    return (
        PickRun.objects.at(facility)
        .filter(~Exists(meant.exclude(assigned_users=user)))
        .filter(status__in=[PickRun.Status.OPEN, PickRun.Status.PAUSED])
        .annotate(
            priority=Max("lines__job__priority"),
            target_time=Min("lines__job__target_time"),
            units=Sum("lines__quantity"),
            orders=Count("lines__job", distinct=True),
        )
        .filter(orders__gt=0)
        .order_by(
            Case(When(status=PickRun.Status.PAUSED, editor=user, then=Value(1)), default=Value(0)),
            "-priority",
            F("target_time").asc(nulls_first=True),
            "pk",
        )
    )


def best(facility, user):
    """What ``take`` would begin: a job with its progress, or a run that is more urgent; None when nothing waits."""
    job = with_progress(waiting(facility, user)).first()
    run = waiting_runs(facility, user).first()
    if job is None or run is None:
        return job or run
    return min(job, run, key=partial(_urgency, user))


def _urgency(user, work):
    is_put_aside = work.status == "PAUSED" and work.editor_id == user.pk
    return is_put_aside, -work.priority, not getattr(work, "is_meant", False), work.target_time or EARLIEST


def take(facility, *, by, now):
    """Give a picker the best job or run, begun; what is in hand when there is something, None when nothing waits.

    Each is tried in a transaction of its own: after a colleague who was faster comes the next one, and no order stays
    locked meanwhile.
    """
    jobs = [(PickJob, pk) for pk in waiting(facility, by).values_list("pk", flat=True)[:MOST_TRIES]]
    of_runs = [(PickRun, pk) for pk in waiting_runs(facility, by).values_list("pk", flat=True)[:MOST_TRIES]]
    first = [*of_runs, *jobs] if isinstance(best(facility, by), PickRun) else [*jobs, *of_runs]
    for kind, pk in first:
        if work := _try(facility, kind, pk, by=by, now=now):
            return work
    return in_hand(facility, by)


@transaction.atomic
def _try(facility, kind, pk, *, by, now):
    # Who taps twice asks twice at once, and must not get two jobs. Weak, because new rows refer to the user.
    User.objects.select_for_update(no_key=True).get(pk=by.pk)
    if work := in_hand(facility, by):
        return work
    if kind is PickRun:
        runs.lock(pk)
        return runs.start(pk, by=by, now=now) if waiting_runs(facility, by).filter(pk=pk).exists() else None
    job = services.lock_for_status(pk)
    if not waiting(facility, by).filter(pk=pk).exists():
        return None
    return services.begin(job, by=by, now=now)


def find_jobs(facility, *, text="", status="", kind="", zone=None, carrier=None, whose="", user=None):
    """Jobs of a facility for the list, as urgent as they are: open ones unless a status is asked for.

    Annotated with ``units``, ``units_done`` and ``put_aside_because``.

    Args:
        text: finds short id, order number, recipient, SKU, title and article code.
        zone: where some of the goods are.
        carrier: which the order prefers.
        whose: "mine" for what ``user`` picks or is meant to pick, "nobody" for what is meant for nobody.
    """
    jobs = PickJob.objects.at(facility)
    jobs = jobs.filter(status=status) if status else jobs.open()
    if kind:
        jobs = jobs.filter(kind=kind)
    if zone:
        places = Allocation.objects.filter(line__job=OuterRef("pk"), stock__location__zone=zone)
        jobs = jobs.filter(Exists(places))
    if carrier:
        jobs = jobs.preferring(carrier.key)
    assigned = PickJob.assigned_users.through.objects.filter(pickjob=OuterRef("pk"))
    if whose == "mine":
        jobs = jobs.filter(Q(editor=user) | Exists(assigned.filter(user=user)))
    if whose == "nobody":
        jobs = jobs.filter(~Exists(assigned), ~Q(status=PickJob.Status.IN_PROGRESS))
    if text := text.strip():
        jobs = jobs.filter(_matches(text))
    jobs = with_progress(jobs).for_list().prefetch_related("assigned_users")
    return jobs.order_by("-priority", *PickJob.BY_URGENCY, "pk")


def _matches(text):
    codes = ArticleCode.objects.filter(code__in=spellings(normalise(text)))
    lines = PickLine.objects.filter(
        Q(title__icontains=text) | Q(article__sku__iexact=text) | Q(article__in=codes.values("article"))
    )
    return (
        Q(short_id__iexact=text)
        | Q(order__tenant_order_id__icontains=text)
        | Q(order__recipient_name__icontains=text)
        | Q(pk__in=lines.values("job"))
    )


def with_progress(jobs):
    """Annotate ``units``, ``units_done`` and ``put_aside_because``: the reason with which a paused job was put aside."""
    lines = PickLine.objects.filter(job=OuterRef("pk")).order_by().values("job")
    pauses = StatusChange.objects.filter(
        entity=PickJob._meta.label_lower, entity_id=OuterRef("pk"), action="pause"
    )
    return jobs.annotate(
        units=Coalesce(Subquery(lines.annotate(n=Sum("quantity")).values("n")), 0),
        units_done=Coalesce(Subquery(lines.annotate(n=Sum(F("picked") + F("short"))).values("n")), 0),
        put_aside_because=Subquery(pauses.order_by("-at", "-pk").values("reason")[:1]),
    )
