import dataclasses
import uuid

from fulfillment.core.events import Event


@dataclasses.dataclass(frozen=True)
class ReturnOpened(Event):
    """A source opened a return that has no label yet."""

    order_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class ReportDue(Event):
    """Something has to be told to a source."""

    report_id: uuid.UUID
