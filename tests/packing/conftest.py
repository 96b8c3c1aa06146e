import pytest

from fulfillment.core import events
from packing.events import PackJobClosed
from tests.factories.core import FacilityFactory, staff


@pytest.fixture
def facility(db):
    return FacilityFactory(slug="here", name="Amsterdam")


@pytest.fixture
def packer(facility):
    return staff("packer", facility)


@pytest.fixture
def closings(monkeypatch):
    """The pack jobs whose closing was announced; the stages behind packing stay out of it."""
    seen = []
    monkeypatch.setitem(
        events._reactions, PackJobClosed, [lambda event, *, by, now: seen.append(event.pack_job_id)]
    )
    return seen
