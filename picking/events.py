import dataclasses
import uuid

from fulfillment.core.events import Event


@dataclasses.dataclass(frozen=True)
class PickJobCreated(Event):
    pick_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickJobClosed(Event):
    """Picking ended with at least one unit; its stock is consumed."""

    pick_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickJobAborted(Event):
    """Picking ended with nothing picked."""

    pick_job_id: uuid.UUID
