"""Two workers, or two deliveries, at once with the same order of a source. Each has a database connection of its own."""

import contextlib
import datetime
import functools
import threading

import httpx
import pytest
from django.conf import settings
from django.db import connection as database
from django.utils import timezone

import shipping.services as shipping
from fulfillment.demo.sources import NAMES, fake_of
from orders.models import Order, OrderLine
from orders.sources import buckets, importing, inbox, polling, reports
from orders.sources.events import ReportDue
from orders.sources.models import Connection, Delivery, ImportedOrder, Report, ReportQuerySet
from orders.sources.registry import KINDS
from shipping.models import HandoverJob
from tests.factories.core import ChannelFactory, FacilityFactory
from tests.factories.shipping import shipment, work
from tests.shipping.test_wanted import come_from
from tests.sources.conftest import join, kinds
from tests.sources.test_otto_reports import CONDITIONS, give_back
from tests.sources.test_reports import hand_over

pytestmark = pytest.mark.django_db(transaction=True)
PLACES = ["database", *(["cache"] if settings.CACHE_URL else [])]  # of the tokens
with_webhooks = kinds(lambda shop: shop.has_webhooks)


@pytest.fixture(params=NAMES)
def shop(request, monkeypatch):
    return join(fake_of(request.param), monkeypatch)


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


def drafts_of(shop, connection, *orders):
    kind = KINDS[shop.kind]
    options = kind.options(connection.settings)
    raw = [one for order in orders for one in kind.mapping.unwrap(shop.payload(order))]
    return [draft for one in raw for draft in kind.mapping.drafts(one, options)]


def bring(connection, drafts):
    return lambda: importing.apply(connection, drafts, now=timezone.now())


def poll(connection):
    return lambda: polling.run(connection.pk, now=timezone.now())


def send(report):
    return lambda: reports.send(ReportDue(report_id=report.pk))


def receive(connection, headers, body):
    return inbox.receive(connection.pk, httpx.Headers(headers), body, now=timezone.now())


# The first layer: a delivery is stored once


@with_webhooks
def test_delivery_that_comes_twice_at_once_is_stored_once(shop, connection):
    sent = shop.webhook(shop.new_order())

    stored = at_once(*[lambda: receive(connection, *sent)] * 3)

    assert [delivery is None for delivery in stored].count(False) == 1
    assert Delivery.objects.count() == 1


# The second layer: an order is imported once


def test_two_workers_with_the_same_orders_import_each_once(shop, connection):
    drafts = drafts_of(shop, connection, *(shop.new_order((f"SKU-{number}", 1)) for number in range(8)))

    first, second = at_once(bring(connection, drafts), bring(connection, list(reversed(drafts[3:]))))

    assert Order.objects.count() == ImportedOrder.objects.count() == 8
    done = [outcome.done for outcomes in (first, second) for outcome in outcomes]
    assert done.count("imported") == 8
    assert done.count("parked") == 0


@with_webhooks
def test_two_deliveries_of_one_order_and_a_poll_at_once_import_it_once(shop, connection, monkeypatch):
    order = shop.new_order()
    for _delivery in range(2):
        receive(connection, *shop.webhook(order))

    monkeypatch.setattr(inbox, "BATCH", 1)
    at_once(inbox.work_due, inbox.work_due, poll(connection))

    assert Order.objects.count() == ImportedOrder.objects.count() == 1
    assert set(Delivery.objects.values_list("state", flat=True)) <= {"DONE", "IGNORED"}


# The third layer: newer stays


def test_older_and_newer_at_once_leave_the_newer(shop, connection):
    order = shop.new_order(("SKU-1", 1))
    versions = [drafts_of(shop, connection, order)]
    importing.apply(connection, versions[0], now=timezone.now())
    for units in (2, 3, 4):
        order.items[0].quantity = units
        shop.change(order)
        versions.append(drafts_of(shop, connection, order))

    at_once(*(bring(connection, drafts) for drafts in reversed(versions)))

    assert Order.objects.get().lines.get().quantity == 4


# A worker dies


def test_page_that_breaks_off_is_repeated_by_two_workers_and_imported_once(shop, connection, monkeypatch):
    for number in range(5):
        shop.new_order((f"SKU-{number}", 1))
    real, pages = inbox.park_polled, []

    def park_polled(*args, **options):
        pages.append(1)
        if len(pages) == 2:
            raise MemoryError  # in the middle of the transaction: the orders of this page are placed
        return real(*args, **options)

    monkeypatch.setattr(inbox, "park_polled", park_polled)
    with pytest.raises(MemoryError):
        poll(connection)()
    assert 0 < Order.objects.count() < 5
    # As a process leaves it that was killed, five minutes later.
    Connection.objects.update(poll_due_at=None, polling_until=timezone.now() - datetime.timedelta(seconds=1))

    at_once(poll(connection), poll(connection))

    assert Order.objects.count() == ImportedOrder.objects.count() == 5
    assert set(OrderLine.objects.values_list("order", flat=True)) == set(
        Order.objects.values_list("pk", flat=True)
    )


@with_webhooks
def test_deliveries_of_a_worker_that_died_are_worked_once_by_two_others(shop, connection):
    for _order in range(3):
        receive(connection, *shop.webhook(shop.new_order()))
    assert len(inbox._claim(timezone.now())) == 3  # and dies here
    Delivery.objects.update(leased_until=timezone.now() - datetime.timedelta(seconds=1))

    at_once(inbox.work_due, inbox.work_due)

    assert Order.objects.count() == 3
    assert set(Delivery.objects.values_list("state", flat=True)) == {"DONE"}


# Calls to the source


@kinds(lambda shop: shop.kind == "shopify")  # no connector has a part in it
def test_two_workers_sign_in_once(shop, connection):
    def ask():
        mine = Connection.objects.get(pk=connection.pk)
        with KINDS[shop.kind].client.Client(mine, KINDS[shop.kind].options(mine.settings)) as client:
            return client.token()

    tokens = at_once(ask, ask, ask)

    assert set(tokens) == {"token-1"}


def test_two_workers_on_one_report_ship_once(shop, connection):
    order = shop.new_order(("SKU-1", 2))
    poll(connection)()
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


@pytest.mark.parametrize("shop", ["otto"], indirect=True)
def test_two_returns_at_once_choose_other_units(shop, connection, monkeypatch):
    connection.settings |= CONDITIONS
    connection.save()
    shop.new_order(("SKU-1", 2))
    poll(connection)()
    hand_over(Order.objects.get(), (0, 2))
    send(Report.objects.get())()
    give_back((1, True, "new", ""))
    give_back((1, True, "new", ""))
    both, real = threading.Barrier(2), ReportQuerySet.spent_ids

    def spent_ids(self):
        found = real(self)
        with contextlib.suppress(threading.BrokenBarrierError):  # the other one waits for its turn
            both.wait(0.3)
        return found

    monkeypatch.setattr(ReportQuerySet, "spent_ids", spent_ids)

    at_once(*[send(report) for report in Report.objects.filter(what="RETURNED")])

    assert len({entry[1] for entry in shop.returns}) == 2


@pytest.mark.parametrize("place", PLACES)
def test_bucket_gives_no_token_twice(settings, place):
    if place == "database":
        settings.CACHE_URL = ""

    waits = at_once(*[lambda: buckets.take("test", rate=0.001, burst=3)] * 6)

    assert [wait == 0 for wait in waits].count(True) == 3
    assert all(wait > 100 for wait in waits if wait)


@pytest.mark.parametrize("shop", ["otto"], indirect=True)
def test_two_boxes_of_a_unit_that_leave_at_once_are_told_once(shop, settings, tmp_path):
    settings.DOCUMENT_DIR = tmp_path
    sent = shipment(1, facility=FacilityFactory(), goes_on=1)
    order = come_from(shop, sent.order)
    work()

    at_once(
        *(
            functools.partial(shipping.hand_over, job.pk, by=None, now=timezone.now())
            for job in HandoverJob.objects.all()
        )
    )
    report = Report.objects.get()
    at_once(send(report))

    report.refresh_from_db()
    assert report.state == "SENT"
    assert len(shop.numbers(order)) == 2
