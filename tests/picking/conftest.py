import pytest

from fulfillment.core import events
from picking.events import PickJobAborted, PickJobClosed, PickJobCreated
from tests.factories.core import FacilityFactory, staff


@pytest.fixture
def facility(db):
    return FacilityFactory(slug="here", name="Amsterdam")


@pytest.fixture
def picker(facility):
    return staff("picker", facility)


@pytest.fixture
def colleague(facility):
    return staff("picker", facility)


@pytest.fixture
def announced(monkeypatch):
    """What picking announced, as (event, pick job id); the stages behind picking stay out of it."""
    seen = []

    def note(event, *, by, now):
        seen.append((type(event).__name__, event.pick_job_id))

    for event_type in (PickJobCreated, PickJobClosed, PickJobAborted):
        monkeypatch.setitem(events._reactions, event_type, [note])
    return seen
