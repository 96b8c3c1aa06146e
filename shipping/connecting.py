"""Carriers of the network, and how facilities use them: what the API and the demo write."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import FacilityChanged, emit
from fulfillment.core.models import Carrier, FacilityCarrier
from fulfillment.core.status import check_version

from .carriers import ADAPTERS
from .models import CarrierConnection


class CarrierExists(Refused):
    text = _("There is a carrier with the key %(key)s already.")


@transaction.atomic
def create_carrier(values):
    """A new carrier of the network; booked by the adapter of its key, by hand when there is none of that name.

    Refuses a key that is taken.

    Args:
        values: fields of ``Carrier``.
    """
    if Carrier.objects.filter(key=values["key"]).exists():
        raise CarrierExists(key=values["key"])
    return Carrier.objects.create(adapter=values["key"] if values["key"] in ADAPTERS else "manual", **values)


@transaction.atomic
def change_carrier(carrier_id, values, *, version=None):
    """Change a carrier. Refuses an old version."""
    carrier = Carrier.objects.lock(pk=carrier_id)
    check_version(carrier, version)
    _write(carrier, values)
    return carrier


@transaction.atomic
def connect(facility, carrier, values, connection_values, credentials, *, by, now):
    """Let a facility use a carrier.

    Args:
        values: fields of ``FacilityCarrier``; ``connection_values``: of ``CarrierConnection``.
        credentials: of the account, stored encrypted; None for none.
    """
    link = FacilityCarrier.objects.create(facility=facility, carrier=carrier, created_at=now, **values)
    _configure(link, connection_values, credentials)
    emit(FacilityChanged(facility_id=facility.pk), by=by, now=now)
    return link


@transaction.atomic
def reconnect(link_id, values, connection_values, credentials, *, by, now, version=None):
    """Change how a facility uses a carrier; what is not named stays, credentials too. Refuses an old version."""
    link = FacilityCarrier.objects.lock(pk=link_id)
    check_version(link, version)
    _write(link, values, touch=bool(connection_values or credentials))
    _configure(link, connection_values, credentials)
    emit(FacilityChanged(facility_id=link.facility_id), by=by, now=now)
    return link


def _configure(link, values, credentials):
    if not values and not credentials:
        return
    connection = CarrierConnection.objects.filter(link=link).first()
    if connection is None:
        connection = CarrierConnection(link=link, adapter=values.get("adapter", link.carrier.adapter))
        adapter = ADAPTERS.get(connection.adapter)
        connection.base_url = adapter.default_url if adapter else ""
    for name, value in values.items():
        setattr(connection, name, value)
    if credentials:
        connection.credentials = {**connection.credentials, **credentials}
    connection.version += not connection._state.adding
    connection.save()


def _write(row, values, *, touch=False):
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed or touch:
        row.version += 1
        row.save(update_fields=[*changed, "version", "modified_at"])
