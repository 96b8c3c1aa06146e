"""Two workers, or two deliveries, at once with the same order of a source. Each has a database connection of its own."""

import threading

import httpx
import pytest
from django.db import connection as database
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from orders.models import Order
from orders.sources import buckets, importing, inbox, polling, reports
from orders.sources.events import ReportDue
from orders.sources.models import Connection, Delivery, ImportedOrder, Report
from orders.sources.registry import KINDS
from tests.factories.core import ChannelFactory
from tests.sources.conftest import join
from tests.sources.test_reports import hand_over

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("shopify"), monkeypatch)


@pytest.fixture
def connection(shop):
    made = Connection(
        kind=shop.kind, name="Shop", channel=ChannelFactory(), settings=shop.settings(), watermark=None
    )
    made.credentials = shop.credentials()
    made.save()
    return made


def at_once(*steps):
    """Run steps at the same moment; what they return, failures raised."""
    barrier, results, failures = threading.Barrier(len(steps)), [], []

    def run(step):
        try:
            barrier.wait()
            results.append(step())
        except Exception as failure:
            failures.append(failure)
        finally:
            database.close()

    threads = [threading.Thread(target=run, args=[step]) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return results


def test_delivery_that_comes_twice_at_once_is_stored_once(shop, connection):
    headers, body = shop.webhook(shop.new_order())

    stored = at_once(
        *[lambda: inbox.receive(connection.pk, httpx.Headers(headers), body, now=timezone.now())] * 3
    )

    assert [delivery is None for delivery in stored].count(False) == 1
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize("round_", range(3))
def test_two_workers_with_the_same_orders_import_each_once(shop, connection, round_):
    orders = [shop.new_order((f"SKU-{number}", 1)) for number in range(12)]
    kind = KINDS[shop.kind]
    options = kind.options(connection.settings)
    drafts = [draft for order in orders for draft in kind.mapping.drafts(shop.payload(order), options)]

    def bring(some):
        return lambda: importing.apply(connection, some, now=timezone.now())

    first, second = at_once(bring(drafts), bring(list(reversed(drafts[4:]))))

    assert Order.objects.count() == ImportedOrder.objects.count() == 12
    done = [outcome.done for outcomes in (first, second) for outcome in outcomes]
    assert done.count("imported") == 12
    assert done.count("parked") == 0


def test_two_deliveries_of_one_order_at_once_import_it_once(shop, connection, monkeypatch):
    order = shop.new_order()
    for headers, body in (shop.webhook(order), shop.webhook(order, "orders/paid")):
        inbox.receive(connection.pk, httpx.Headers(headers), body, now=timezone.now())

    monkeypatch.setattr(inbox, "BATCH", 1)
    at_once(inbox.work_due, inbox.work_due)

    assert Order.objects.count() == 1
    assert set(Delivery.objects.values_list("state", flat=True)) <= {"DONE", "IGNORED"}


def test_older_and_newer_at_once_leave_the_newer(shop, connection, monkeypatch):
    order = shop.new_order(("SKU-1", 1))
    polling.run(connection.pk, now=timezone.now())
    sent = []
    for units in (2, 3, 4):
        order.items[0].quantity = units
        shop.change(order)
        sent.append(shop.webhook(order))
    for headers, body in sent:
        inbox.receive(connection.pk, httpx.Headers(headers), body, now=timezone.now())

    monkeypatch.setattr(inbox, "BATCH", 1)
    at_once(inbox.work_due, inbox.work_due, inbox.work_due)

    assert Order.objects.get().lines.get().quantity == 4


def test_poll_and_webhook_at_once_import_once(shop, connection):
    orders = [shop.new_order() for _number in range(4)]
    for headers, body in map(shop.webhook, orders):
        inbox.receive(connection.pk, httpx.Headers(headers), body, now=timezone.now())

    at_once(lambda: polling.run(connection.pk, now=timezone.now()), inbox.work_due)

    assert Order.objects.count() == ImportedOrder.objects.count() == 4


def test_two_polls_at_once_are_one(shop, connection):
    for _number in range(4):
        shop.new_order()
    now = timezone.now()

    at_once(*[lambda: polling.run(connection.pk, now=now)] * 2)

    assert Order.objects.count() == 4
    assert sum(b"query Orders" in request.content for request in shop.requests) == 2


def test_two_workers_sign_in_once(shop, connection):
    def ask():
        mine = Connection.objects.get(pk=connection.pk)
        with KINDS[shop.kind].client.Client(mine, KINDS[shop.kind].options(mine.settings)) as client:
            return client.token()

    tokens = at_once(ask, ask, ask)

    assert set(tokens) == {"token-1"}


def test_two_workers_on_one_report_ship_once(shop, connection):
    order = shop.new_order(("SKU-1", 2))
    polling.run(connection.pk, now=timezone.now())
    hand_over(Order.objects.get(), (0, 1))
    report = Report.objects.get()

    def send():
        try:
            reports.send(ReportDue(report_id=report.pk))
        except reports.RetryLater:
            return "later"
        return "sent"

    at_once(send, send)

    report.refresh_from_db()
    assert report.state == "SENT"
    assert len(order.shipments) == 1


@pytest.mark.parametrize("is_cached", [False, True], ids=["database", "cache"])
def test_bucket_gives_no_token_twice(settings, is_cached):
    if is_cached and not settings.CACHE_URL:
        pytest.skip("There is no shared cache.")
    if not is_cached:
        settings.CACHE_URL = ""

    waits = at_once(*[lambda: buckets.take("test", rate=0.001, burst=3)] * 6)

    assert [wait == 0 for wait in waits].count(True) == 3
    assert all(wait > 100 for wait in waits if wait)
