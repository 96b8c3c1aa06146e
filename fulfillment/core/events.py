"""Events and what follows from them.

``emit`` runs the reactions at once, in the same transaction, and writes an outbox row per delivery.
All connections are made in ``fulfillment/flow.py``.
"""

import dataclasses
import functools
import uuid
from collections import defaultdict
from collections.abc import Callable

from django.db import transaction

from . import outbox, rows
from .models import OutboxEntry
from .status import require_transaction


@dataclasses.dataclass(frozen=True)
class Event:
    """Base of all events: past tense, ids only."""

    def payload(self):
        return {
            field.name: str(value) if isinstance(value := getattr(self, field.name), uuid.UUID) else value
            for field in dataclasses.fields(self)
        }

    @classmethod
    def from_payload(cls, payload):
        ids = {field.name for field in dataclasses.fields(cls) if field.type in (uuid.UUID, "uuid.UUID")}
        return cls(**{name: uuid.UUID(value) if name in ids else value for name, value in payload.items()})


@dataclasses.dataclass(frozen=True)
class FacilityChanged(Event):
    """Status, services or place of a facility changed."""

    facility_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class StockIncreased(Event):
    """Units arrived at a facility, so that orders that wait may be served."""

    facility_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class StockDecreased(Event):
    """A count found fewer units at a facility, perhaps fewer than are reserved."""

    facility_id: uuid.UUID


@dataclasses.dataclass(frozen=True)
class Delivery:
    event: type[Event]
    handler: Callable
    lane: str
    batch: int = 0

    @property
    def key(self):
        return f"{self.handler.__module__}.{self.handler.__qualname__}"


_observers = defaultdict(list)
_reactions = defaultdict(list)
_together: set[Callable] = set()
_deliveries = defaultdict(list)


def observe(event_type, handler):
    """Call ``handler([event, ...], by=..., now=...)`` before the reactions: it notes what happened and changes nothing."""
    if handler not in _observers[event_type]:
        _observers[event_type].append(handler)


def react(event_type, handler):
    """Call ``handler(event, by=..., now=...)`` in the emitting transaction; database only; it may refuse."""
    if handler not in _reactions[event_type]:
        _reactions[event_type].append(handler)


def react_together(event_type, handler):
    """``react``, called once with all events of a step: ``handler([event, ...], by=..., now=...)``."""
    _together.add(handler)
    react(event_type, handler)


def deliver(event_type, handler, *, lane, batch=0):
    """Call ``handler(event)`` in a worker after the commit; it is retried, so it must be idempotent.

    With a ``batch`` the handler takes lists of up to so many events; those of a list that failed come again one by one.
    """
    delivery = Delivery(event_type, handler, lane, batch)
    if delivery not in _deliveries[event_type]:
        _deliveries[event_type].append(delivery)


def connections():
    """All (event type, reactions, deliveries), for the flow picture and the dispatcher."""
    types = dict.fromkeys([*_reactions, *_deliveries])
    return [(event_type, list(_reactions[event_type]), list(_deliveries[event_type])) for event_type in types]


def delivery_for(key, event_name):
    """The delivery an outbox row names, or None when the code no longer has it."""
    for event_type, deliveries in _deliveries.items():
        for delivery in deliveries:
            if delivery.key == key and event_type.__name__ == event_name:
                return delivery
    return None


def emit(event, *, by, now):
    """Announce what happened: reactions run now and may refuse, deliveries are written to the outbox."""
    emit_all([event], by=by, now=now)


def emit_all(announced, *, by, now):
    """``emit`` for several events of one kind, with one query for the outbox."""
    require_transaction()
    if announced:
        for handler in _observers[type(announced[0])]:
            handler(announced, by=by, now=now)
        for handler in _reactions[type(announced[0])]:
            for events in [announced] if handler in _together else announced:
                handler(events, by=by, now=now)
    entries = [
        (type(event).__name__, event.payload(), delivery.key, delivery.lane, now, now)
        for event in announced
        for delivery in _deliveries[type(event)]
    ]
    if entries:
        names = ("event", "payload", "handler", "lane", "due_at", "created_at")
        rows.insert_values(OutboxEntry, names, entries)
        for lane in {delivery.lane for event in announced for delivery in _deliveries[type(event)]}:
            transaction.on_commit(functools.partial(outbox.wake, lane))
