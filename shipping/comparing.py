"""The morning after: what carriers booked the day before is compared with what is known here.

It finds what became of calls that lost their answer where the carrier cannot be asked for one booking, and bookings that
nobody here knows. Nothing is booked, entered or cancelled by it: a person decides, and sees here what to decide by.
"""

import datetime
import logging

from django.db import transaction
from django.db.models import Q

from fulfillment.core.encryption import UnreadableSecret

from . import services
from .carriers import CarrierError, Outcome, UnknownAdapter, adapter_of
from .models import BookingAttempt, CarrierConnection, Parcel, ParcelCode

logger = logging.getLogger(__name__)

FROM_HOUR = 6  # of the facility: by then the carriers have closed the day before
MOST_STRAYS = 200  # that a screen shows; all of them are compared
MOST_DAYS = 7  # that are made up for after a fault: later the carrier's bill tells


def compare_all(*, now):
    """Compare yesterday, and the days that a fault left out, where that is due; returns how many lists were read."""
    compared = 0
    connections = CarrierConnection.objects.select_related("link__facility", "link__carrier")
    for connection in connections.order_by("pk"):
        local = now.astimezone(connection.link.facility.tz)
        if local.hour < FROM_HOUR:
            continue
        for day in _days_due(connection, local.date()):
            if not _compare(connection, day):
                break  # the days after it come when this one is known
            compared += 1
    return compared


def _days_due(connection, today):
    """The days to compare, the oldest first; the first time only yesterday."""
    most = 1
    if connection.compared_on:
        most = min(MOST_DAYS, (today - connection.compared_on).days - 1)
    return [today - datetime.timedelta(days=ago) for ago in range(most, 0, -1)]


def _compare(connection, day):
    """Whether the day is done with. A carrier that is down is asked again an hour later."""
    try:
        adapter = adapter_of(connection)
        if "list" not in adapter.capabilities:
            return False
        listed = adapter.listed(day)
    except (UnknownAdapter, UnreadableSecret) as error:
        logger.warning("The bookings of %s are not compared: %s", connection, error)
        return False
    except CarrierError as error:
        logger.warning("%s did not say what it booked on %s: %s", connection, day, error.message)
        if error.outcome is not Outcome.REJECTED or error.code in {"401", "403"}:
            return False
        _keep(connection.pk, [], day)  # it has no list of that day, and asking again gives none
        return True
    strays = _unknown(listed)
    own = {number for parcel in _lost(connection, day) for number in _tell(parcel.pk, strays, day)}
    _keep(connection.pk, [one for one in strays if one.number not in own], day)
    return True


@transaction.atomic
def _keep(connection_id, strays, day):
    """Add the strays of a day to those that are shown, and drop what is known by now."""
    # Locked only after the call: what was settled during it is settled.
    connection = CarrierConnection.objects.lock(pk=connection_id)
    if connection.compared_on and connection.compared_on >= day:
        return  # another worker was faster
    unknown = _unknown_numbers({stray["number"] for stray in connection.strays})
    kept = {stray["number"]: stray for stray in connection.strays if stray["number"] in unknown}
    for one in strays:
        new = {"number": one.number, "reference": one.reference, "day": day.isoformat()}
        kept.setdefault(one.number, new)
    connection.compared_on = day
    connection.strays = list(kept.values())[-MOST_STRAYS:]
    connection.strays_left_out += len(kept) - len(connection.strays)
    connection.save(update_fields=["compared_on", "strays", "strays_left_out"])


def _unknown_numbers(numbers):
    """Those of some numbers that no parcel here has, nor had."""
    known = set(Parcel.objects.filter(tracking_number__in=numbers).values_list("tracking_number", flat=True))
    known |= set(
        Parcel.objects.filter(return_tracking_number__in=numbers).values_list(
            "return_tracking_number", flat=True
        )
    )
    known |= set(ParcelCode.objects.filter(code__in=numbers).values_list("code", flat=True))
    # What was booked and cancelled, or came too late.
    known |= set(
        BookingAttempt.objects.filter(message__in=numbers, outcome=BookingAttempt.Outcome.BOOKED).values_list(
            "message", flat=True
        )
    )
    return set(numbers) - known


def _unknown(listed):
    unknown = _unknown_numbers({one.number for one in listed})
    return [one for one in listed if one.number in unknown]


def _lost(connection, day):
    """Parcels that wait for a person because a call of that day lost its answer."""
    zone = connection.link.facility.tz
    begin = datetime.datetime.combine(day, datetime.time.min, zone)
    return Parcel.objects.filter(
        facility_id=connection.link.facility_id,
        carrier_id=connection.link.carrier_id,
        status=Parcel.Status.WAITING_FOR_INPUT,
        problem__outcome=Outcome.UNKNOWN.value,
        attempts__started_at__gte=begin,
        attempts__started_at__lt=begin + datetime.timedelta(days=1),
    ).distinct()


@transaction.atomic
def _tell(parcel_id, strays, day):
    """Note beside a parcel what the list says of it: its number where the list names its reference, else those it may be.

    Returns the numbers that are certainly its own.
    """
    parcel = services.lock_parcel(parcel_id)
    if (
        parcel.status != Parcel.Status.WAITING_FOR_INPUT
        or parcel.problem.get("outcome") != Outcome.UNKNOWN.value
    ):
        return []  # somebody decided meanwhile
    # Carriers fill short references up with zeros.
    references = {text.lstrip("0") for text in parcel.attempts.values_list("reference", flat=True)}
    own = [one.number for one in strays if one.reference.lstrip("0") in references]
    maybe = own or [one.number for one in strays if not one.reference]
    parcel.problem |= {"listed": {"day": day.isoformat(), "numbers": maybe[:20], "is_certain": bool(own)}}
    parcel.version += 1
    parcel.save(update_fields=["problem", "version", "modified_at"])
    return own


def with_strays(facility):
    """The connections of a facility that have bookings nobody here knows."""
    connections = CarrierConnection.objects.filter(link__facility=facility)
    connections = connections.filter(~Q(strays=[]) | Q(strays_left_out__gt=0))
    return connections.select_related("link__carrier").order_by("link__carrier__name")


@transaction.atomic
def settle(connection_id, until, *, by):
    """A person looked at the bookings that nobody knew: they are not shown any more. Those of later days stay.

    Args:
        until: the day of the last comparison that the person saw.
    """
    connection = CarrierConnection.objects.lock(pk=connection_id)
    numbers = {stray["number"]: stray for stray in connection.strays if stray["day"] <= until.isoformat()}
    connection.strays = [stray for stray in connection.strays if stray["number"] not in numbers]
    if connection.compared_on <= until:
        connection.strays_left_out = 0
    connection.save(update_fields=["strays", "strays_left_out"])
    logger.info("Bookings of %s that nobody knew are settled by %s: %s", connection, by, ", ".join(numbers))
    return connection
