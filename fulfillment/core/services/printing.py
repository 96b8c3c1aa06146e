"""Printing without anybody's hands: jobs wait for the agent of their station, which says when it has printed them."""

import datetime
import uuid

from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..models import PrintJob, Station

# Longer than a printer takes to swallow a file; after that the job is handed out anew.
LEASE = datetime.timedelta(seconds=60)
MOST_ATTEMPTS = 5
SEEN_EVERY = datetime.timedelta(seconds=30)


class StationGone(Refused):
    text = _("This print station is not there any more. Choose another one.")


class NotToBeRetried(Refused):
    text = _("%(document)s is %(state)s and needs no second try.")


def create_station(facility, name, label_format, *, now):
    """A station and the secret of its agent: (station, secret). The secret is in this answer only."""
    station = Station(facility=facility, name=name, label_format=label_format, created_at=now)
    secret = station.issue()
    station.save(force_insert=True)
    return station, secret


@transaction.atomic
def renew_secret(station_id):
    """A new secret for the agent of a station; the old one ends at once. Refuses a station that was given up."""
    station = Station.objects.select_for_update().get(pk=station_id)
    if station.revoked_at is not None:
        raise StationGone
    secret = station.issue()
    station.save(update_fields=["digest"])
    return station, secret


@transaction.atomic
def give_up(station_id, *, now):
    """End a station: its agent is shut out, what waits for it fails and can be printed elsewhere."""
    Station.objects.filter(pk=station_id, revoked_at=None).update(revoked_at=now)
    PrintJob.objects.filter(station=station_id, state__in=["WAITING", "PRINTING"]).update(
        state=PrintJob.State.FAILED, error=gettext("The station was given up.")
    )


def find_station(secret, *, now):
    """The station of an agent's secret, None for a wrong one; notes now and then that it is alive."""
    station = Station.objects.filter(digest=Station.hash(secret), revoked_at=None).first()
    if station is not None and (station.seen_at is None or now - station.seen_at > SEEN_EVERY):
        Station.objects.filter(pk=station.pk).update(seen_at=now)
    return station


@transaction.atomic
def ask(documents, *, facility, station, by, now):
    """Have documents printed, in their order: at a station, or without one in the browser of who asks.

    Refuses a station that was given up or is of another facility.
    """
    if station is not None and (station.revoked_at is not None or station.facility_id != facility.pk):
        raise StationGone
    printed = set(PrintJob.objects.filter(document__in=documents).values_list("document_id", flat=True))
    jobs = [
        PrintJob(
            facility=facility,
            station=station,
            document=document,
            state=PrintJob.State.WAITING if station else PrintJob.State.DONE,
            is_reprint=document.pk in printed,
            asked_by=by,
            asked_at=now,
            done_at=None if station else now,
        )
        for document in documents
    ]
    return PrintJob.objects.bulk_create(jobs)


@transaction.atomic
def retry(job_id, *, now):
    """Let a failed job be printed after all. Refuses others, and a station that was given up."""
    job = (
        PrintJob.objects.select_for_update(of=("self",)).select_related("station", "document").get(pk=job_id)
    )
    if job.state != PrintJob.State.FAILED:
        raise NotToBeRetried(document=job.document, state=job.get_state_display())
    if job.station is None or job.station.revoked_at is not None:
        raise StationGone
    job.state, job.attempts, job.error, job.lease = PrintJob.State.WAITING, 0, "", None
    job.save(update_fields=["state", "attempts", "error", "lease"])
    return job


def claim(station, *, now):
    """The next job for the agent of a station, with a lease; None when there is nothing to print.

    A job that nobody answered for several times is not handed out any more.
    """
    while True:
        job = PrintJob.objects.claimable(now).filter(station=station).order_by("pk").first()
        if job is None:
            return None
        # Conditional on what was seen: of two agents one gets it.
        row = PrintJob.objects.claimable(now).filter(pk=job.pk, lease=job.lease)
        if job.attempts >= MOST_ATTEMPTS:
            row.update(state=PrintJob.State.FAILED, error=gettext("The agent took it and never answered."))
            continue
        lease = uuid.uuid4()
        taken = row.update(
            state=PrintJob.State.PRINTING,
            lease=lease,
            lease_until=now + LEASE,
            attempts=job.attempts + 1,
        )
        if taken:
            job.state, job.lease = PrintJob.State.PRINTING, lease
            return job


def finish(job_id, station, *, now):
    """The printer has it. Said twice, or after the lease ended, it is the same: it was printed."""
    handed_out = PrintJob.objects.filter(pk=job_id, station=station, attempts__gte=1)
    handed_out.exclude(state=PrintJob.State.DONE).update(state=PrintJob.State.DONE, done_at=now, error="")


def fail(job_id, station, lease, error):
    """The printer did not take it; only who holds the lease may say so. A person decides what then."""
    held = PrintJob.objects.filter(pk=job_id, station=station, lease=lease, state=PrintJob.State.PRINTING)
    held.update(state=PrintJob.State.FAILED, error=error[:300])
