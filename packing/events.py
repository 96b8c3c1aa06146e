import dataclasses
import uuid

from fulfillment.core.events import Event


@dataclasses.dataclass(frozen=True)
class PackJobClosed(Event):
    """Everything picked is in a package."""

    pack_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PackJobCreated(Event):
    pack_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PackJobUpdated(Event):
    """It began, was put aside or changed; a scan of units says nothing of its own."""

    pack_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PackJobCancelled(Event):
    pack_job_id: uuid.UUID
