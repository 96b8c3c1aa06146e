import hashlib
import importlib
import io
import threading
import types
import uuid

import pypdf
import pytest
from django.apps import apps
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from fulfillment.core import outbox, pdf
from fulfillment.core.events import delivery_for
from fulfillment.core.models import Role
from fulfillment.core.services import tokens
from fulfillment.overview import delivering
from routing import places, situations

# How fast a busy machine makes up examples says nothing about the code.
hypothesis_settings.register_profile(
    "fulfillment", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("fulfillment")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What asks no database at all runs once, too."""
    for item in items:
        if item.get_closest_marker("django_db") is None and "db" not in item.fixturenames:
            item.add_marker("once")


SEEDS = [
    ("fulfillment.core", "0001_initial", "create_roles"),
    ("shipping", "0001_initial", "seed"),
    ("routing", "0001_initial", "seed"),
]


def sow():
    """Write what the migrations leave in a new database: roles, routing configuration, words of returns."""
    for app, name, seed in SEEDS:
        getattr(importlib.import_module(f"{app}.migrations.{name}"), seed)(apps, None)


EMPTY = """DO $$ BEGIN
    FOR attempt IN 1..10 LOOP
        BEGIN
            %s;
            SET CONSTRAINTS ALL IMMEDIATE;
            RETURN;
        EXCEPTION WHEN foreign_key_violation OR deadlock_detected THEN
            PERFORM pg_sleep(0.3);
        END;
    END LOOP;
    RAISE 'Somebody still writes into the database of the test.';
END $$"""


def delete_rows(operations, style, tables, *, reset_sequences=False, allow_cascade=False):
    """How a database is emptied after a test with real transactions, in place of ``DatabaseOperations.sql_flush``.

    TRUNCATE makes new files for every table and index and leaves the old ones to the next checkpoint. What a page asked
    for in the last moment may still be written: then once more.
    """
    return [EMPTY % "; ".join(f"DELETE FROM {operations.quote_name(table)}" for table in tables)]


@pytest.fixture(scope="session", autouse=True)
def quick_flush():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", delete_rows)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The tables are made from the models, in a twentieth of the time; ``test_migrations`` runs the migrations."""
    with django_db_blocker.unblock():
        if not Role.objects.exists():
            sow()


@pytest.fixture(autouse=True)
def seeds(request):
    """A test with real transactions empties all tables; the next one finds the seeds again."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None and "db" not in request.fixturenames:
        return
    has_transactions = marker is not None and marker.kwargs.get("transaction")
    request.getfixturevalue("transactional_db" if has_transactions else "db")
    if not Role.objects.exists():
        sow()


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


@pytest.fixture(autouse=True)
def known_tokens(monkeypatch):
    """A token once read stays known, so that the number of queries does not depend on how fast a test runs."""
    monkeypatch.setattr(tokens, "KNOWN_FOR", 3600)
    tokens.forget()


class BlankPress:
    """Draws nothing: a page that differs as its text does, in a hundredth of the time."""

    def render(self, html, stylesheet):
        writer = pypdf.PdfWriter()
        writer.add_blank_page(300, 400)
        writer.add_metadata({"/Title": hashlib.sha256(f"{stylesheet}:{html}".encode()).hexdigest()})
        target = io.BytesIO()
        writer.write(target)
        return types.SimpleNamespace(pages=[None], write_pdf=target.getvalue)


@pytest.fixture(autouse=True)
def blank_papers(request, monkeypatch):
    """Papers are drawn for the tests that read them (marked ``drawn``); the others need to have one."""
    if request.node.get_closest_marker("drawn") is None:
        monkeypatch.setattr(pdf, "_press", BlankPress)


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
