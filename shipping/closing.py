"""The daily closing: a carrier is told which parcels it will get. Their labels can no longer be cancelled then."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.models import Document
from fulfillment.core.services import documents
from fulfillment.core.status import log_change

from . import services
from .carriers import CarrierError, Outcome, adapter_of
from .choosing import connection_of
from .models import Parcel


class ClosingRefused(Refused):
    text = _("%(carrier)s does not close the day: %(why)s")


def close_day(facility_id, carrier, parcel_ids, *, day, by, now):
    """Close the day at a carrier for parcels with a label; returns its own list for the driver, None without one.

    The carrier is called with no transaction open; called again, only parcels that are not closed yet are told. A
    carrier without a closing of its own closes here alone. Refuses when the carrier does; ``CarrierError`` when it
    cannot be reached, so that a delivery tries again.
    """
    parcels = list(
        Parcel.objects.filter(
            pk__in=parcel_ids,
            facility_id=facility_id,
            carrier=carrier,
            status=Parcel.Status.DONE,
            manifested_at=None,
        ).order_by("pk")
    )
    if not parcels:
        return None
    adapter = adapter_of(connection_of(facility_id, carrier))
    data = None
    if "manifest" in adapter.capabilities:
        numbers = [parcel.carrier_reference or parcel.tracking_number for parcel in parcels]
        try:
            data = adapter.manifest(numbers, day)
        except CarrierError as error:
            if error.outcome is Outcome.REJECTED:
                raise ClosingRefused(carrier=carrier, why=error.message) from error
            raise
    for parcel in parcels:
        _mark_closed(parcel.pk, by=by, now=now)
    if data is None:
        return None
    return documents.store(
        data,
        facility_id=facility_id,
        category=Document.Category.EXTERNAL,
        name=f"manifest-{carrier.key}-{day.isoformat()}.pdf",
        template="carrier",
        now=now,
    )


@transaction.atomic
def _mark_closed(parcel_id, *, by, now):
    """In a transaction of its own: each parcel has its own order to lock."""
    parcel = services.lock_parcel(parcel_id)
    if parcel.manifested_at is not None:
        return
    parcel.manifested_at = now
    parcel.version += 1
    parcel.save(update_fields=["manifested_at", "version", "modified_at"])
    log_change(parcel, "close_day", by=by, now=now)
