import importlib
import threading
import uuid

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import Role
from fulfillment.overview import delivering
from routing import places, situations


@pytest.fixture(autouse=True)
def seeds(request):
    """Roles and routing configuration come with the migrations; a test with real transactions empties all tables."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None:
        return
    request.getfixturevalue("transactional_db" if marker.kwargs.get("transaction") else "db")
    if not Role.objects.exists():
        importlib.import_module("fulfillment.core.migrations.0002_roles").create_roles(apps, None)
        importlib.import_module("routing.migrations.0002_seed").seed(apps, None)


@pytest.fixture(autouse=True)
def own_network():
    """What this process knows of the facilities was in the database of another test."""
    situations.forget_network()
    places.forget_places()


@pytest.fixture(autouse=True)
def own_cache(settings):
    """What a test counts or keeps in the cache is seen by no other test; nothing of others is deleted for it."""
    own = uuid.uuid4().hex
    default = settings.CACHES["default"]
    prefix = default.get("KEY_PREFIX", "")
    settings.CACHES = {"default": {"LOCATION": own, **default, "KEY_PREFIX": f"{prefix}{own}"}}


@pytest.fixture
def worker(live_server):
    """What Celery does elsewhere: works off the outbox until the test ends."""
    ended = threading.Event()

    def work():
        try:
            while not ended.wait(0.1):
                for lane in outbox.lanes_due(timezone.now()):
                    outbox.dispatch(lane, find=delivery_for)
                delivering.run()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()
