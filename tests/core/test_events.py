import dataclasses
import uuid

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.core import events
from fulfillment.core.models import OutboxEntry

pytestmark = pytest.mark.django_db


@dataclasses.dataclass(frozen=True)
class Rang(events.Event):
    bell_id: uuid.UUID


def answer(event):
    """A delivery: module-level, because the outbox finds it by name."""
    ANSWERED.append(event)


ANSWERED = []


@pytest.fixture(autouse=True)
def fresh_connections(monkeypatch):
    monkeypatch.setattr(events, "_reactions", events.defaultdict(list))
    monkeypatch.setattr(events, "_deliveries", events.defaultdict(list))
    ANSWERED.clear()


def test_reactions_run_in_order_inside_the_transaction():
    heard = []
    events.react(Rang, lambda event, *, by, now: heard.append("first"))
    events.react(Rang, lambda event, *, by, now: heard.append("second"))

    with transaction.atomic():
        events.emit(Rang(bell_id=uuid.uuid4()), by=None, now=timezone.now())

    assert heard == ["first", "second"]


def test_a_refusing_reaction_undoes_the_step():
    def refuse(event, *, by, now):
        raise ValueError

    events.deliver(Rang, answer, lane="routing")
    events.react(Rang, refuse)

    with pytest.raises(ValueError), transaction.atomic():  # noqa: PT011
        events.emit(Rang(bell_id=uuid.uuid4()), by=None, now=timezone.now())

    assert not OutboxEntry.objects.exists()


def test_delivery_is_written_and_its_lane_woken_after_the_commit(
    monkeypatch, django_capture_on_commit_callbacks
):
    woken = []
    monkeypatch.setattr(events.outbox, "wake", woken.append)
    events.deliver(Rang, answer, lane="labels")
    bell_id = uuid.uuid4()

    with django_capture_on_commit_callbacks(execute=True):
        events.emit(Rang(bell_id=bell_id), by=None, now=timezone.now())
        assert woken == []

    entry = OutboxEntry.objects.get()
    assert (entry.event, entry.lane, entry.payload) == ("Rang", "labels", {"bell_id": str(bell_id)})
    assert woken == ["labels"]


def test_event_survives_the_way_through_the_outbox():
    event = Rang(bell_id=uuid.uuid4())

    assert Rang.from_payload(event.payload()) == event


@pytest.mark.django_db(transaction=True)
def test_emit_refuses_without_a_transaction():
    with pytest.raises(RuntimeError):
        events.emit(Rang(bell_id=uuid.uuid4()), by=None, now=timezone.now())
