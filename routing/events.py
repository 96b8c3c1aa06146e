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


@dataclasses.dataclass(frozen=True)
class RevisionPublished(Event):
    """From now on routing follows another configuration, so orders that wait may be served."""

    number: int
