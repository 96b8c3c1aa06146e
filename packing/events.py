import dataclasses
import uuid

from fulfillment.core.events import Event


@dataclasses.dataclass(frozen=True)
class PackJobClosed(Event):
    """Everything picked is in a package."""

    pack_job_id: uuid.UUID
