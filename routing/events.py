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
class PlanReplaced(Event):
    """The part is placed anew, perhaps elsewhere; what its facility had begun for it is not wanted any more.

    A job that somebody has begun with ends too when it ``may_be_begun``; else it refuses.
    """

    plan_id: uuid.UUID
    reason: str = ""
    may_be_begun: bool = False


@dataclasses.dataclass(frozen=True)
class PlanReopened(Event):
    """Units of an order look for another facility: a new part waits for it."""

    order_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class RetryAsked(Event):
    """Somebody wants every part without a facility tried again."""

    asked_at: str


@dataclasses.dataclass(frozen=True)
class RevisionPublished(Event):
    """From now on routing follows another configuration, so orders that wait may be served."""

    number: int


@dataclasses.dataclass(frozen=True)
class TrialAsked(Event):
    """Somebody wants to know what the draft would have made of the last orders."""

    trial_id: int


@dataclasses.dataclass(frozen=True)
class PlanSplit(Event):
    """An order goes out in several parts; this is the first."""

    plan_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PlanWaiting(Event):
    """A part found no facility for now."""

    plan_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PlanFellBack(Event):
    """A fallback facility takes a part that no other may or can serve."""

    plan_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class PlanNotRoutable(Event):
    """A part waited too long: staff decide."""

    plan_id: uuid.UUID
