"""A shop per kind, and a connection to it: a new kind joins every shared test with its name in ``KINDS``."""

import pytest
from django.utils import timezone

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.demo.sources import NAMES, fake_of
from orders.sources import http, inbox, polling
from orders.sources.models import Connection
from tests.factories.core import ChannelFactory


@pytest.fixture(autouse=True)
def fresh_connections(monkeypatch):
    """What a process knows of a connection is of the test before."""
    monkeypatch.setattr(inbox, "KNOWN_FOR", 0)


@pytest.fixture(params=NAMES)
def shop(request, monkeypatch):
    """A fake shop of each kind; what leaves the house reaches it, and nobody waits in vain."""
    return join(fake_of(request.param), monkeypatch)


def kinds(has):
    """Run a shared test only for the kinds of which this is true."""
    able = [name for name in NAMES if has(fake_of(name))]
    return pytest.mark.parametrize("shop", able, indirect=True)


def join(fake, monkeypatch):
    monkeypatch.setattr(http, "transport", fake.transport)
    monkeypatch.setattr(http, "_sleep", fake.sleeps.append)
    return fake


@pytest.fixture
def connect():
    """Make a connection to a shop."""

    def make(shop, /, name="Shop", channel="web", **settings):
        connection = Connection(
            kind=shop.kind,
            name=name,
            channel=ChannelFactory(key=channel),
            settings={**shop.settings(), **settings},
            watermark=None,
        )
        connection.credentials = shop.credentials()
        connection.save()
        return connection

    return make


@pytest.fixture
def connection(shop, connect):
    return connect(shop)


def work_off():
    """What the worker does with what is due now: the inbox, and the reports."""
    inbox.work_due()
    outbox.dispatch("sources", find=delivery_for)


def poll(connection):
    """Poll a connection now, whenever it is due."""
    Connection.objects.filter(pk=connection.pk).update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())
    connection.refresh_from_db()


def arrive(shop, connection, *items, **fields):
    """An order as the shop has it that came in by the poll."""
    order = shop.new_order(*items, **fields)
    poll(connection)
    return order
