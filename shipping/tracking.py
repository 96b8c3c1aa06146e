"""Where parcels are on their way: asked for by a poll, told by the carrier, or told by a program."""

import datetime
import logging
from collections import defaultdict

from django.db import transaction
from django.db.models import F, Q

import orders.services as orders
from fulfillment.core.encryption import UnreadableSecret
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_change

from . import services
from .carriers import CarrierError, UnknownAdapter, adapter_of
from .choosing import connection_of
from .events import ParcelTracked
from .models import HandoverJob, Parcel, TrackEvent, TrackingStatus

logger = logging.getLogger(__name__)

POLL_EVERY = datetime.timedelta(minutes=30)
IN_FLIGHT = datetime.timedelta(days=30)  # after that nobody waits for news any more
PER_RUN, PER_CALL = 500, 50
AHEAD = datetime.timedelta(days=1)  # that the clock of a carrier may be


def poll(*, now):
    """Ask the carriers about the parcels in flight that were not asked for lately; returns how many were asked for.

    A parcel counts as asked for before the call: a carrier that is down is not asked again and again.
    """
    groups = defaultdict(list)
    for parcel in _due(now):
        groups[parcel.facility_id, parcel.carrier].append(parcel)
    asked = 0
    for (facility_id, carrier), parcels in groups.items():
        Parcel.objects.filter(pk__in=[parcel.pk for parcel in parcels]).update(tracked_at=now)
        try:
            adapter = adapter_of(connection_of(facility_id, carrier))
        except (UnknownAdapter, UnreadableSecret) as error:
            logger.warning("Parcels of %s are not tracked: %s", carrier, error)
            continue
        if "track" not in adapter.capabilities:
            continue
        for start in range(0, len(parcels), PER_CALL):
            part = parcels[start : start + PER_CALL]
            asked += len(part)
            try:
                tracks = adapter.track([parcel.tracking_number for parcel in part])
            except CarrierError as error:
                logger.warning("%s did not say where its parcels are: %s", carrier, error.message)
                break
            _record_all(part, tracks, TrackEvent.Source.POLL, now=now)
    return asked


def _due(now):
    return (
        Parcel.objects.filter(
            Q(tracked_at=None) | Q(tracked_at__lt=now - POLL_EVERY),
            status=Parcel.Status.DONE,
            created_at__gte=now - IN_FLIGHT,
        )
        .exclude(tracking_status__in=TrackingStatus.final())
        .select_related("carrier")
        .order_by(F("tracked_at").asc(nulls_first=True), "pk")[:PER_RUN]
    )


def told(connection, tracks, *, now):
    """Keep what a carrier told unasked; parcels that it did not book through this connection are left out."""
    numbers = {track.number for track in tracks}
    parcels = Parcel.objects.filter(
        facility_id=connection.link.facility_id,
        carrier_id=connection.link.carrier_id,
        status=Parcel.Status.DONE,
        tracking_number__in=numbers,
    )
    _record_all(parcels, tracks, TrackEvent.Source.WEBHOOK, now=now)


def _record_all(parcels, tracks, source, *, now):
    by_number = defaultdict(list)
    for track in tracks:
        by_number[track.number].append(track)
    for parcel in parcels:
        if parcel.tracking_number in by_number:
            record(parcel.pk, by_number[parcel.tracking_number], source, by=None, now=now)


@transaction.atomic
def record(parcel_id, tracks, source, *, by, now, version=None):
    """Keep what is new of what a carrier said of a parcel; the latest says where it is, and whether it has left.

    Refuses an old version.
    """
    parcel = services.lock_parcel(parcel_id)
    check_version(parcel, version)
    known = set(parcel.track_events.values_list("happened_at", "status", "carrier_status"))
    new = {}
    for track in tracks:
        status = track.status if track.status in TrackingStatus.values else TrackingStatus.UNKNOWN
        key = (track.at, str(status), track.carrier_status[:60])
        if key not in known and track.at <= now + AHEAD:
            new[key] = TrackEvent(
                parcel=parcel,
                happened_at=track.at,
                status=status,
                carrier_status=track.carrier_status[:60],
                description=track.description[:300],
                location=track.location[:200],
                source=source,
                recorded_at=now,
            )
    if not new:
        return parcel
    TrackEvent.objects.bulk_create(new.values())
    latest = parcel.track_events.last()
    if latest.status != parcel.tracking_status:
        parcel.tracking_status = latest.status
        parcel.version += 1
        parcel.save(update_fields=["tracking_status", "version", "modified_at"])
        orders.record_tracking(parcel.pk, latest.status, at=latest.happened_at, now=now)
        emit(ParcelTracked(parcel_id=parcel.pk), by=by, now=now)
        if latest.status in TrackingStatus.with_the_carrier():
            _has_left(parcel, latest, now=now)
    return parcel


def _has_left(parcel, event, *, now):
    """What the carrier has is handed over, also when nobody scanned it out."""
    job = HandoverJob.objects.open().filter(parcel=parcel).first()
    if job is not None:
        job = services.hand_over(job.pk, by=None, now=now)
        log_change(job, "seen_by_carrier", by=None, now=now, reason=event.get_status_display())
