import dataclasses
import uuid

from fulfillment.core.events import Event


@dataclasses.dataclass(frozen=True)
class OrderPlaced(Event):
    order_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class OrderUnlocked(Event):
    order_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class OrderCancelled(Event):
    """Later stages veto by refusing in the same transaction; by force only when goods have left the building."""

    order_id: uuid.UUID
    is_forced: bool = False


@dataclasses.dataclass(frozen=True)
class OrderModified(Event):
    """The shop changed an order. A stage that is too far refuses what it can no longer do."""

    order_id: uuid.UUID
    is_demand_changed: bool  # lines, units, or where they go: its parts are placed anew
    is_time_changed: bool


@dataclasses.dataclass(frozen=True)
class PromiseConfirmed(Event):
    order_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PromiseExpired(Event):
    order_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class BulkReceived(Event):
    """Many orders are stored and wait for a worker."""

    bulk_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelRecorded(Event):
    """A parcel of an order has its label, or another one."""

    order_id: uuid.UUID
    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelHandedOver(Event):
    """A parcel of an order left the house."""

    order_id: uuid.UUID
    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelHandoverTakenBack(Event):
    order_id: uuid.UUID
    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ShortRecorded(Event):
    """Units of an order line will not come."""

    order_id: uuid.UUID
    order_line_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelDelivered(Event):
    """The carrier says that a parcel of an order is with the customer."""

    order_id: uuid.UUID
    parcel_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ReturnRecorded(Event):
    """Units that a customer returned were taken back or refused."""

    order_id: uuid.UUID
    return_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ParcelWithdrawn(Event):
    """The label of a parcel was cancelled before it left the house."""

    order_id: uuid.UUID
    parcel_id: uuid.UUID
