import dataclasses
import uuid

from fulfillment.core.events import Event


@dataclasses.dataclass(frozen=True)
class ParcelRequested(Event):
    """A package waits for its label."""

    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ShipmentConfirmed(Event):
    """All labels of a shipment are there."""

    shipment_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class HandedOver(Event):
    handover_job_id: uuid.UUID
