"""Chromium as a phone at 360x640, a worker beside it, and a store with an order."""

import os
import shutil
import threading

import pytest
from django.core.signals import request_finished, request_started
from playwright.sync_api import expect

from tests.browser.phone import PASSWORD, Phone
from tests.factories.core import (
    ArticleFactory,
    FacilityCarrierFactory,
    FacilityFactory,
    StorageLocationFactory,
    put_stock,
    staff,
)
from tests.factories.orders import OrderFactory
from tests.factories.picking import ean

expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong


@pytest.fixture(scope="session", autouse=True)
def synchronous_django():
    """Playwright keeps an event loop in this thread; Django then refuses its database without this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    return {
        **browser_type_launch_args,
        "executable_path": shutil.which("chromium") or os.environ.get("CHROMIUM"),
        "args": [
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP lan.example 127.0.0.1",  # an address that is neither https nor this machine
        ],
    }


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    return {
        **browser_context_args,
        "viewport": {"width": 360, "height": 640},
        "has_touch": True,
        "is_mobile": True,
        "locale": "en-GB",
        "service_workers": "block",  # a test that takes requests away would not see those that the worker makes
    }


@pytest.fixture(autouse=True)
def answered(seeds):
    """The database is emptied when the last request has its answer: one under way would hold its tables."""
    under_way = []
    idle = threading.Condition()

    def begin(**_kwargs):
        with idle:
            under_way.append(True)

    def end(**_kwargs):
        with idle:
            under_way.pop()
            idle.notify()

    request_started.connect(begin)
    request_finished.connect(end)
    yield
    with idle:
        assert idle.wait_for(lambda: not under_way, timeout=20)
    request_started.disconnect(begin)
    request_finished.disconnect(end)


@pytest.fixture
def phone(page, live_server):
    phone = Phone(page, live_server.url)
    yield phone
    phone.put_down()


@pytest.fixture
def facility(live_server):
    facility = FacilityFactory(slug="here", name="Amsterdam Damrak")
    FacilityCarrierFactory(facility=facility)
    return facility


@pytest.fixture
def picker(facility):
    return staff("picker", facility, email="picker@example.com", password=PASSWORD)


@pytest.fixture
def packer(facility):
    return staff("packer", facility, email="packer@example.com", password=PASSWORD)


def stocked(facility, title):
    article = ArticleFactory(title=title, code=ean())
    put_stock(facility, article, 9, location=StorageLocationFactory(facility=facility))
    return article


@pytest.fixture
def articles(facility):
    return [stocked(facility, "Stoneware mug, sea blue"), stocked(facility, "Linen tea towel")]


@pytest.fixture
def order(facility, articles):
    """Two of the first article, one of the second; not routed yet."""
    return OrderFactory((articles[0], 2), (articles[1], 1))
