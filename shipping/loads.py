"""Handing parcels to a carrier: a load is opened, each parcel is scanned onto it once, the driver signs.

Nothing counts as handed over before the driver has signed; then all of it does, in one step.
"""

import dataclasses
import datetime
import uuid

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import parcel_codes
from fulfillment.core.encryption import UnreadableSecret
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.exactly_once import BOOKED, REFUSED, STALE, Answer, once, stale
from fulfillment.core.models import Document, FacilityCarrier, User
from fulfillment.core.outbox import RetryLater
from fulfillment.core.services import documents
from fulfillment.core.status import check_version, log_change, log_created, transit
from fulfillment.core.target_time import cutoff_on
from orders.models import Order

from . import closing, manifests, services
from .carriers import CarrierError, UnknownAdapter, adapter_of
from .choosing import connection_of
from .events import LoadClosed
from .models import HandoverJob, Load, LoadedParcel, LoadScan, Parcel, Shipment


class ScanRefused(Refused):
    """A parcel that does not go onto the load; ``kind`` chooses picture and sound on the device."""

    kind = "unknown"


class WrongCarrier(ScanRefused):
    kind = "wrong_article"
    text = _("%(parcel)s goes with %(carrier)s. Put it aside.")


class ParcelIsCancelled(ScanRefused):
    kind = "wrong_article"
    text = _("%(parcel)s is cancelled. Do not hand it over; put it aside.")


class WaitsForDecision(ScanRefused):
    kind = "wrong_article"
    text = _("%(parcel)s needs a decision before it may leave. Put it aside.")


class AlreadyOnThisLoad(ScanRefused):
    kind = "too_many"
    text = _("%(parcel)s is on this load already.")


class AlreadyLoaded(ScanRefused):
    kind = "too_many"
    text = _("%(parcel)s is on another load already: %(load)s.")


class AlreadyGone(ScanRefused):
    kind = "too_many"
    text = _("%(parcel)s was handed over already.")


class LoadIsClosed(ScanRefused):
    kind = "stale"
    text = _("%(load)s has left. Open a new load.")


class NotOnTheLoad(Refused):
    text = _("This parcel is not on the load any more.")


class NothingLoaded(Refused):
    text = _("Nothing is loaded yet. Scan the parcels first.")


class CountDiffers(Refused):
    text = _("Counted by the driver: %(counted)s, scanned: %(loaded)s. Count again, or scan what is missing.")


class CancelledOnLoad(Refused):
    text = _("Take these parcels off the load first, they were cancelled meanwhile: %(parcels)s.")


class WaitingOnLoad(Refused):
    text = _(
        "Take these parcels off the load first, they need a decision before they may leave: %(parcels)s."
    )


class LoadChanged(Refused):
    text = _("Parcels were loaded or taken off meanwhile. Look at the load again.")


class DriverMissing(Refused):
    text = _("Enter the name of the driver.")


class SignatureMissing(Refused):
    text = _("The driver signs here, or on paper.")


class AnotherLoadOpen(Refused):
    text = _("Another load of %(carrier)s is open. Close it first.")


# Loading


@transaction.atomic
def open_load(facility, carrier, *, by, now):
    """The load of a carrier that is being loaded; a new one when there is none."""
    current = Load.objects.at(facility).open().filter(carrier=carrier).first()
    if current is not None:
        return current
    try:
        with transaction.atomic():
            load = Load.objects.create(
                facility=facility,
                carrier=carrier,
                cutoff_at=_cutoff(facility, carrier, now),
                created_at=now,
            )
    except IntegrityError:  # somebody else was faster
        return Load.objects.at(facility).open().get(carrier=carrier)
    log_created(load, by=by, now=now)
    return load


def _cutoff(facility, carrier, now):
    """When the carrier comes today, None when it does not say so."""
    link = FacilityCarrier.objects.filter(facility=facility, carrier=carrier).first()
    today = timezone.localtime(now, facility.tz).date()
    clock = cutoff_on(link.cutoffs, today) if link else None
    if not clock:
        return None
    return datetime.datetime.combine(today, datetime.time.fromisoformat(clock), facility.tz)


@dataclasses.dataclass(frozen=True)
class Scan:
    """One scan of a device, as it was sent."""

    id: uuid.UUID
    load: uuid.UUID
    code: str
    at: datetime.datetime | None = None


def act(scan, *, facility, by, now):
    """Load what was scanned, or repeat the answer that this scan got before.

    Returns:
        An ``Answer``: 200 loaded, 422 refused, 409 when the load is gone or closed, or the id was used for something else.
    """
    load = Load.objects.at(facility).filter(pk=scan.load).first()
    if load is None:
        return stale(scan.id, _("This load is not here any more."))
    event = LoadScan(
        id=scan.id, load=load, user=by, code=scan.code[:200], scanned_at=scan.at, received_at=now
    )
    return once(
        event,
        is_same=lambda stored: (stored.user_id, stored.load_id, stored.code) == (by.pk, load.pk, event.code),
        work=lambda: _try(load, scan, by=by, now=now),
    )


def _try(load, scan, *, by, now):
    try:
        # The savepoint: a refusal takes back what was begun, but not the stored answer.
        with transaction.atomic():
            loaded = add(load.pk, scan.code, by=by, now=now)
    except Refused as refusal:
        kind = refusal.kind if isinstance(refusal, ScanRefused) else "unknown"
        return _answer(scan, STALE if kind == "stale" else REFUSED, kind, refusal.message)
    return _answer(scan, BOOKED, "ok", _("%(parcel)s is loaded.") % {"parcel": loaded.parcel.shown_number})


def _answer(scan, status_code, kind, text):
    return Answer(status_code, {"scan": str(scan.id), "kind": kind, "text": str(text)})


@transaction.atomic
def add(load_id, code, *, by, now):
    """Load the parcel with this code.

    Refuses an unknown code, a parcel of another carrier, one that is not labelled, waits for a decision, is cancelled,
    loaded or handed over already, and a load that has left.
    """
    load = Load.objects.select_related("facility", "carrier").get(pk=load_id)
    found = _find(load.facility, code)
    # Under the lock of the parcel: an order that is cancelled now cannot leave with the van.
    parcel = services.lock_parcel(found.parcel_id)
    load = Load.objects.lock(pk=load_id)
    if load.status != Load.Status.OPEN:
        raise LoadIsClosed(load=load)
    _refuse_other_than_ready(parcel, load, HandoverJob.objects.get(pk=found.pk))
    loaded = LoadedParcel.objects.create(
        load=load, parcel=parcel, by=by if isinstance(by, User) else None, loaded_at=now
    )
    log_change(parcel, "load", by=by, now=now, reason=str(load))
    return loaded


@transaction.atomic
def add_anywhere(facility, code, *, by, now):
    """Load the parcel with this code onto the load of its carrier, which is opened when there is none.

    Refuses what ``add`` refuses; a load is not opened for a parcel that does not go onto it.
    """
    # The order first: whoever opens a load again holds the orders of its parcels when it takes the carrier's open load.
    parcel = services.lock_parcel(_find(facility, code).parcel_id)
    return add(open_load(facility, parcel.carrier, by=by, now=now).pk, code, by=by, now=now)


def loaded_with(facility, code):
    """The parcel with this code as it stands on a load that is being loaded, None when it does not."""
    codes = parcel_codes(code)
    named = Q(code__in=codes) | Q(tracking_number__in=codes) | Q(codes__code__in=codes)
    parcels = Parcel.objects.at(facility).filter(named, loaded__load__status=Load.Status.OPEN)
    return LoadedParcel.objects.filter(parcel__in=parcels.values("pk")).select_related("parcel").first()


def _find(facility, code):
    """The handover of the parcel with this code. A label that was cancelled may still stick on a box: it is told."""
    try:
        return services.find_parcel(facility, code)
    except (services.UnknownParcel, services.ParcelNotReady):
        codes = parcel_codes(code)
        named = Q(code__in=codes) | Q(tracking_number__in=codes) | Q(codes__code__in=codes)
        given_up = Parcel.objects.at(facility).filter(named, status__in=Parcel.GIVEN_UP).first()
        if given_up is None:
            raise
        raise ParcelIsCancelled(parcel=given_up.shown_number) from None


def _refuse_other_than_ready(parcel, load, job):
    if parcel.status in Parcel.GIVEN_UP:
        raise ParcelIsCancelled(parcel=parcel.shown_number)
    if parcel.carrier_id != load.carrier_id:
        raise WrongCarrier(parcel=parcel.shown_number, carrier=parcel.carrier)
    earlier = LoadedParcel.objects.filter(parcel=parcel).select_related("load__carrier").first()
    if earlier is not None:
        if earlier.load_id == load.pk:
            raise AlreadyOnThisLoad(parcel=parcel.shown_number)
        raise AlreadyLoaded(parcel=parcel.shown_number, load=earlier.load)
    if job.status == HandoverJob.Status.HANDED_OVER:
        raise AlreadyGone(parcel=parcel.shown_number)
    if job.status == HandoverJob.Status.WAITING_FOR_INPUT:
        raise WaitsForDecision(parcel=parcel.shown_number)
    if parcel.status != Parcel.Status.DONE or job.status != HandoverJob.Status.OPEN:
        raise services.ParcelNotReady(code=parcel.shown_number, status=parcel.get_status_display())


@transaction.atomic
def take_off(load_id, parcel_id, *, by, now):
    """Take a parcel off a load that has not left. Refuses one that is not on it."""
    parcel = services.lock_parcel(parcel_id)
    load = Load.objects.lock(pk=load_id)
    if load.status != Load.Status.OPEN:
        raise LoadIsClosed(load=load)
    gone, _kinds = LoadedParcel.objects.filter(load=load, parcel=parcel).delete()
    if not gone:
        raise NotOnTheLoad
    log_change(parcel, "take_off", by=by, now=now, reason=str(load))
    return parcel


# Leaving


def _lock_with_parcels(load_id):
    """Lock what belongs to a load, the load last. Refuses when parcels came or went meanwhile."""
    known = set(LoadedParcel.objects.filter(load=load_id).values_list("parcel_id", flat=True))
    parcels = Parcel.objects.filter(pk__any=known)
    Order.objects.filter(pk__in=parcels.values("order")).lock_all()
    Shipment.objects.filter(pk__in=parcels.values("shipment")).lock_all()
    locked = parcels.lock_all()
    jobs = HandoverJob.objects.filter(parcel__in=known).lock_all()
    load = Load.objects.lock(pk=load_id)
    if set(load.loaded.values_list("parcel_id", flat=True)) != known:
        raise LoadChanged
    return load, locked, jobs


@transaction.atomic
def close(load_id, *, driver_name, counted, signature=None, is_signed_on_paper=False, by, now, version=None):
    """Hand all parcels of a load to the carrier: the driver counted them and signed.

    Refuses an empty load, another count than was scanned, a parcel that was cancelled or waits for a decision
    meanwhile, a missing name or signature, and an old version.

    Args:
        signature: the PNG that ``signatures.read_signature`` drew.
    """
    if not driver_name.strip():
        raise DriverMissing
    if not signature and not is_signed_on_paper:
        raise SignatureMissing
    load, parcels, jobs = _lock_with_parcels(load_id)
    check_version(load, version)
    if load.status != Load.Status.OPEN:
        raise LoadIsClosed(load=load)
    if not parcels:
        raise NothingLoaded
    cancelled = [parcel.shown_number for parcel in parcels if parcel.status != Parcel.Status.DONE]
    if cancelled:
        raise CancelledOnLoad(parcels=", ".join(cancelled))
    waiting = {job.parcel_id for job in jobs if job.status == HandoverJob.Status.WAITING_FOR_INPUT}
    if waiting:
        raise WaitingOnLoad(
            parcels=", ".join(parcel.shown_number for parcel in parcels if parcel.pk in waiting)
        )
    if counted != len(parcels):
        raise CountDiffers(counted=counted, loaded=len(parcels))
    for job in jobs:
        if job.status == HandoverJob.Status.OPEN:
            services.hand_over(job.pk, by=by, now=now)
    sha256 = documents.keep(signature) if signature else ""
    transit(load.close, driver_name.strip(), sha256, now, by=by, now=now)
    emit(LoadClosed(load_id=load.pk), by=by, now=now)
    return load


@transaction.atomic
def reopen(load_id, *, reason, by, now, version=None):
    """Take back what a driver signed for, whenever it was. Refuses without a reason, and while another load is open."""
    if not reason.strip():
        raise services.ReasonMissing
    load, _parcels, jobs = _lock_with_parcels(load_id)
    check_version(load, version)
    if Load.objects.open().filter(facility=load.facility_id, carrier=load.carrier_id).exists():
        raise AnotherLoadOpen(carrier=load.carrier)
    transit(load.reopen, by=by, now=now, reason=reason)
    for job in jobs:
        if job.status == HandoverJob.Status.HANDED_OVER:
            services.take_back(job, reason=reason, by=by, now=now)
    return load


@transaction.atomic
def ask_carrier_again(load_id, *, by, now):
    """Have the carrier's own list made after all."""
    load = Load.objects.lock(pk=load_id)
    if load.status == Load.Status.CLOSED and load.carrier_problem:
        load.carrier_problem = ""
        load.save(update_fields=["carrier_problem", "modified_at"])
        emit(LoadClosed(load_id=load.pk), by=by, now=now)
    return load


# The list, in a worker


def make_manifest(event):
    """Draw the list of a load that has left. Called again, it does nothing."""
    load = _without("manifest", event)
    if load is None:
        return
    snapshot = manifests.snapshot_of(load)
    signature = documents.kept(load.signature_sha256) if load.signature_sha256 else None
    left_at = timezone.localtime(load.closed_at, load.facility.tz)
    stored = documents.store(
        manifests.render(snapshot, signature),
        facility_id=load.facility_id,
        category=Document.Category.EXTERNAL,
        name=f"load-{load.carrier.key}-{left_at:%Y%m%d-%H%M}.pdf",
        template=manifests.VERSION,
        snapshot=snapshot,
        now=timezone.now(),
    )
    _attach(load, "manifest", stored)


def ask_carrier(event):
    """Close the day at a carrier that wants it, and keep its own list. Called again, it does nothing.

    What the carrier refuses a person reads at the load; the parcels have left with the driver anyway.
    """
    load = _without("carrier_manifest", event)
    if load is None or load.carrier_problem:
        return
    try:
        if "manifest" not in adapter_of(connection_of(load.facility_id, load.carrier)).capabilities:
            return
        document = closing.close_day(
            load.facility_id,
            load.carrier,
            load.loaded.values("parcel"),
            day=timezone.localtime(load.closed_at, load.facility.tz).date(),
            by=None,
            now=timezone.now(),
        )
    except (closing.ClosingRefused, UnknownAdapter, UnreadableSecret) as problem:
        # A reopened load has problems of its own.
        Load.objects.filter(pk=load.pk, closed_at=load.closed_at).update(carrier_problem=str(problem)[:300])
        return
    except CarrierError as error:
        raise RetryLater(error.message, seconds=error.seconds) from error
    if document is not None:
        _attach(load, "carrier_manifest", document)


def _without(document, event):
    return (
        Load.objects.select_related("facility", "carrier")
        .filter(pk=event.load_id, status=Load.Status.CLOSED, **{document: None})
        .first()
    )


@transaction.atomic
def _attach(load, field, document):
    """Put a list at its load, unless the load was reopened meanwhile or has one."""
    locked = Load.objects.lock(pk=load.pk)
    if locked.closed_at == load.closed_at and getattr(locked, f"{field}_id") is None:
        setattr(locked, field, document)
        locked.save(update_fields=[field, "modified_at"])


# What the screens show


def left_behind(load):
    """Handovers of the carrier's parcels that have their label, may leave and are on no load."""
    return _not_loaded(load).filter(status=HandoverJob.Status.OPEN)


def undecided(load):
    """Those that may not leave before somebody decides something."""
    return _not_loaded(load).filter(status=HandoverJob.Status.WAITING_FOR_INPUT)


def _not_loaded(load):
    return (
        HandoverJob.objects.at(load.facility)
        .for_list()
        .filter(
            channel=HandoverJob.Channel.DELIVERY,
            parcel__carrier=load.carrier_id,
            parcel__status=Parcel.Status.DONE,
            parcel__loaded=None,
        )
    )


def screen_texts():
    """What the screen itself says, see ``static/js/load.js``."""
    said = {
        "waiting": _("No connection. {n} waiting, nothing is lost."),
        "rejected": _("The server did not take {what}. Scan it again."),
        "signIn": _("Sign in"),
    }
    return {name: str(text) for name, text in said.items()}
