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


@dataclasses.dataclass(frozen=True)
class PickJobStarted(Event):
    """Somebody began to pick, or went on."""

    pick_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickJobPaused(Event):
    """The job was put aside."""

    pick_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickLinePicked(Event):
    """The last open unit of a line was picked."""

    pick_job_id: uuid.UUID
    pick_line_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickJobPicked(Event):
    """No unit is open any more; the stock is lowered when the job is closed."""

    pick_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickJobReset(Event):
    """Everything begins again: nothing is picked, and what had left the stock is back."""

    pick_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickJobRestarted(Event):
    """Picking goes on after it had ended; what had left the stock is back."""

    pick_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickJobCancelled(Event):
    """The job is not wanted any more."""

    pick_job_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PickJobRerouted(Event):
    """Its part is placed anew."""

    pick_job_id: uuid.UUID
