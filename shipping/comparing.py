"""The morning after: what carriers booked the day before is compared with what is known here.

It finds what became of calls that lost their answer where the carrier cannot be asked for one booking, and bookings that
nobody here knows. Nothing is booked, entered or cancelled by it: a person decides, and sees here what to decide by.
"""

import datetime
import logging

from django.db import transaction

from fulfillment.core.encryption import UnreadableSecret

from . import services
from .carriers import CarrierError, Outcome, UnknownAdapter, adapter_of
from .models import BookingAttempt, CarrierConnection, Parcel, ParcelCode

logger = logging.getLogger(__name__)

FROM_HOUR = 6  # of the facility: by then the carriers have closed the day before
MOST_STRAYS = 200


def compare_all(*, now):
    """Compare yesterday at every connection where that is due; returns how many lists were read."""
    compared = 0
    connections = CarrierConnection.objects.select_related("link__facility", "link__carrier")
    for connection in connections.order_by("pk"):
        local = now.astimezone(connection.link.facility.tz)
        day = local.date() - datetime.timedelta(days=1)
        if local.hour < FROM_HOUR or (connection.compared_on and connection.compared_on >= day):
            continue
        compared += _compare(connection, day)
    return compared


def _compare(connection, day):
    """Whether the list was read. A carrier that is down is asked again an hour later."""
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
        return False
    strays = _unknown(listed)[:MOST_STRAYS]
    own = {number for parcel in _lost(connection, day) for number in _tell(parcel.pk, strays, day)}
    known = _unknown_numbers({stray["number"] for stray in connection.strays})
    kept = [stray for stray in connection.strays if stray["number"] in known]
    new = [
        {"number": one.number, "reference": one.reference, "day": day.isoformat()}
        for one in strays
        if one.number not in own
    ]
    numbers = {stray["number"] for stray in kept}
    CarrierConnection.objects.filter(pk=connection.pk).update(
        compared_on=day,
        strays=[*kept, *(stray for stray in new if stray["number"] not in numbers)][-MOST_STRAYS:],
    )
    return True


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
    connections = CarrierConnection.objects.filter(link__facility=facility).exclude(strays=[])
    return connections.select_related("link__carrier").order_by("link__carrier__name")


@transaction.atomic
def settle(connection_id, *, by):
    """A person looked at the bookings of a connection that nobody knew: they are not shown any more."""
    connection = CarrierConnection.objects.lock(pk=connection_id)
    numbers = ", ".join(stray["number"] for stray in connection.strays)
    connection.strays = []
    connection.save(update_fields=["strays"])
    logger.info("Bookings of %s that nobody knew are settled by %s: %s", connection, by, numbers)
    return connection
