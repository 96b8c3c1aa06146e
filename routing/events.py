import dataclasses
import uuid

from fulfillment.core.events import Event


@dataclasses.dataclass(frozen=True)
class PlanRouted(Event):
    """A part of an order found its facility and its units are reserved."""

    plan_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PlanCancelled(Event):
    plan_id: uuid.UUID
