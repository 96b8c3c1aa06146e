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
    """Later stages veto by refusing in the same transaction."""

    order_id: uuid.UUID
