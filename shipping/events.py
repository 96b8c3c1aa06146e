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


@dataclasses.dataclass(frozen=True)
class ShipmentCreated(Event):
    shipment_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ShipmentUpdated(Event):
    """Its status or recipient changed."""

    shipment_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelCreated(Event):
    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelBooked(Event):
    """It has its label and number, or another number than before."""

    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelFailed(Event):
    """The carrier refused it."""

    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelCancelled(Event):
    """It is not wanted any more; what the carrier booked is to be taken back."""

    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelTracked(Event):
    """The carrier said where it is."""

    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class GoodsReady(Event):
    """Goods that a customer collects are packed."""

    handover_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class HandoverCreated(Event):
    handover_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class HandoverReverted(Event):
    handover_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class HandoverCancelled(Event):
    handover_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class LoadClosed(Event):
    """A driver signed for the parcels on a load."""

    load_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ReturnJobCreated(Event):
    """The first goods of an order left the house; from now on they may come back."""

    return_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ReturnJobUpdated(Event):
    """Goods were announced, came back or were judged, or more left the house."""

    return_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ReturnAnnounced(Event):
    item_return_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ReturnFinished(Event):
    """Every unit of a return is judged; what was accepted is on its way to a shelf."""

    item_return_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ReturnCancelled(Event):
    item_return_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class RefundTriggered(Event):
    """The customer is to get money back for what was accepted; once per return."""

    item_return_id: uuid.UUID
