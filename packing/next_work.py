"""Next work: the job a packer gets when asking for one."""

from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When

from fulfillment.core.models import User

from . import services
from .models import PackJob

MOST_TRIES = 50  # more colleagues than that do not ask in the same moment


def waiting(facility, user):
    """The jobs that a packer may be given, the best first.

    Priority, then what is meant for the packer, then target time and age; last what the packer put aside. Not among
    them are those meant for colleagues alone.
    """
    assigned = PackJob.assigned_users.through.objects.filter(packjob=OuterRef("pk"))
    return (
        PackJob.objects.at(facility)
        .filter(status__in=[PackJob.Status.OPEN, PackJob.Status.PAUSED])
        .annotate(is_meant=Exists(assigned.filter(user=user)))
        .filter(Q(is_meant=True) | ~Exists(assigned))
        .for_list()
        .order_by(
            Case(When(status=PackJob.Status.PAUSED, editor=user, then=Value(1)), default=Value(0)),
            "-pick_job__priority",
            "-is_meant",
            F("target_time").asc(nulls_first=True),
            "pick_job__order_date",
            "pk",
        )
    )


def in_hand(facility, user):
    """The job a packer works on, or None."""
    jobs = PackJob.objects.at(facility).filter(status=PackJob.Status.IN_PROGRESS, editor=user)
    return jobs.for_list().first()


def take(facility, *, by, now):
    """Give a packer the best job, begun; the one in hand when there is one, None when nothing waits.

    Each job is tried in a transaction of its own, so that no order stays locked while the next one is looked at.
    """
    for job_id in list(waiting(facility, by).values_list("pk", flat=True)[:MOST_TRIES]):
        try:
            job = _try(facility, job_id, by=by, now=now)
        except services.CustomsDataMissing:
            continue  # it says so in the list; others can be packed
        if job:
            return job
    return in_hand(facility, by)


@transaction.atomic
def _try(facility, job_id, *, by, now):
    # Who taps twice asks twice at once, and must not get two jobs. Weak, because new rows refer to the user.
    User.objects.select_for_update(no_key=True).get(pk=by.pk)
    if job := in_hand(facility, by):
        return job
    services.lock_for_status(job_id)
    if not waiting(facility, by).filter(pk=job_id).exists():
        return None
    return services.start(job_id, by=by, now=now)
