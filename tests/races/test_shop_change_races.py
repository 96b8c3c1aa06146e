"""A shop changes or cancels an order while people work on it: one waits for the other, nobody in a circle."""

import contextlib
import dataclasses
import threading

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import ANNA
from orders import services
from orders.models import Order
from orders.sources import importing
from orders.sources.models import Connection, Delivery, ImportedOrder, Report
from packing import services as packing
from packing.models import PackJob
from picking.events import PickJobClosed
from shipping import services as shipping
from shipping.models import Parcel
from tests.factories.core import CarrierFactory, ChannelFactory, FacilityCarrierFactory, staff
from tests.factories.orders import ADDRESS
from tests.factories.packing import closed_pick_job
from tests.races.test_source_races import at_once, drafts_of, poll
from tests.sources.conftest import join
from tests.sources.test_reports import label

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("commercetools"), monkeypatch)


@pytest.fixture
def connection(shop):
    made = Connection(
        kind=shop.kind,
        name="Shop",
        channel=ChannelFactory(),
        settings={**shop.settings(), "reports_cancellations": True},
        watermark=None,
    )
    made.credentials = shop.credentials()
    made.save()
    return made


class Meeting:
    """Two steps meet in the middle, each with the lock that the other one wants next; one may be kept out."""

    def __init__(self):
        self.barrier = threading.Barrier(2)

    def wait(self):
        with contextlib.suppress(threading.BrokenBarrierError):
            self.barrier.wait(1)


@pytest.fixture
def packed(shop, connection):
    """An order of the shop whose pack job is ready to be closed by the packer."""
    now = timezone.now()
    job = closed_pick_job(2)
    job.order.consumer = {"addresses": [ADDRESS]}
    job.order.save(update_fields=["consumer"])
    line = job.order.lines.get()
    order = shop.new_order((line.sku, 2))
    (draft,) = drafts_of(shop, connection, order)
    line.wire = {**line.wire, "customAttributes": {"externalLineId": draft.lines[0].line_id}}
    line.save(update_fields=["wire"])
    importing._link(connection, draft, job.order, now).save(force_insert=True)
    packer = staff("packer", job.facility)
    FacilityCarrierFactory(facility=job.facility, carrier=CarrierFactory(adapter="demo"))
    with transaction.atomic():
        packing.on_pick_job_closed(PickJobClosed(job.pk), by=None, now=now)
        shipping.on_pick_job_closed(PickJobClosed(job.pk), by=None, now=now)
    mine = packing.start(PackJob.objects.get().pk, by=packer, now=now)
    packing.pack_all(mine.pk, mine.packages.get().pk, by=packer, now=now)
    packing.set_weight(mine.pk, mine.packages.get().pk, 1200, confirmed=True, by=packer, now=now)
    return order, mine, packer


def close(job, packer):
    client = Client()
    client.force_login(packer)
    url = reverse("packing:job-close", args=[job.facility.slug, job.pk])
    return lambda: client.post(url).status_code


@pytest.mark.parametrize("change", ["units", "cancelled"])
def test_pack_job_is_closed_while_the_shop_changes_its_order(shop, connection, packed, change):
    order, job, packer = packed
    order.items[0].quantity += change == "units"
    shop.change(order, is_cancelled=change == "cancelled")

    results = at_once(close(job, packer), poll(connection))

    assert 302 in results
    job.refresh_from_db()
    assert job.status == "CLOSED"
    assert Parcel.objects.count() == 1
    assert Delivery.objects.get().reason_code == (
        "CANCEL_TOO_LATE" if change == "cancelled" else "CHANGE_TOO_LATE"
    )


def note_second_attempts(monkeypatch):
    """Whichever of two that wait in a circle the database ends: the import would try again, a person gets an error."""
    seen, real = [], importing._apply_alone
    monkeypatch.setattr(importing, "_apply_alone", lambda *args: seen.append(1) or real(*args))
    return seen


def test_report_of_a_parcel_and_a_change_of_the_shop_do_not_wait_in_a_circle(shop, connection, monkeypatch):
    connection.settings |= {"report_at": "label"}
    connection.save()
    order = shop.new_order(("SKU-1", 2))
    poll(connection)()
    ours, meeting, real = Order.objects.get(), Meeting(), importing._change
    order.address["city"] = "Leiden"
    shop.change(order)

    def change(*args):
        meeting.wait()
        return real(*args)

    def ship():
        with transaction.atomic():
            Order.objects.lock(pk=ours.pk)
            meeting.wait()
            label(ours, (0, 2))

    monkeypatch.setattr(importing, "_change", change)
    second_attempts = note_second_attempts(monkeypatch)
    changed = drafts_of(shop, connection, order)
    at_once(ship, lambda: importing.apply(connection, changed, now=timezone.now()))

    assert second_attempts == []
    assert Report.objects.get().what == "SHIPPED"
    assert Order.objects.get().shipping_address.city == "Leiden"


def test_changes_of_several_orders_and_a_step_of_staff_do_not_wait_in_a_circle(shop, connection, monkeypatch):
    orders = [shop.new_order((f"SKU-{number}", 1)) for number in range(2)]
    # As they come: the one that is older here is later there.
    importing.apply(connection, drafts_of(shop, connection, orders[1]), now=timezone.now())
    importing.apply(connection, drafts_of(shop, connection, orders[0]), now=timezone.now())
    for order in orders:
        order.address = {**order.address, "city": "Leiden"}
        shop.change(order)
    changed, meeting, real = drafts_of(shop, connection, *orders), Meeting(), services.modify

    def modify(*args, **options):
        found = real(*args, **options)
        meeting.wait()
        return found

    def staff_step():
        with transaction.atomic():
            keys = sorted(Order.objects.values_list("pk", flat=True))
            Order.objects.lock(pk=keys[0])
            meeting.wait()
            Order.objects.lock(pk=keys[1])

    monkeypatch.setattr(services, "modify", modify)
    second_attempts = note_second_attempts(monkeypatch)
    (outcomes,) = filter(
        None, at_once(staff_step, lambda: importing.apply(connection, changed, now=timezone.now()))
    )

    assert second_attempts == []
    assert [outcome.done for outcome in outcomes] == ["updated", "updated"]


def test_order_that_is_divided_and_one_that_changes_do_not_meet_a_step_of_staff_in_a_circle(
    shop, connection, monkeypatch
):
    orders = {one.id: one for one in (shop.new_order((f"SKU-{n}", 1), ("SKU-9", 1)) for n in range(2))}
    importing.apply(connection, drafts_of(shop, connection, *orders.values()), now=timezone.now())
    links = ImportedOrder.objects.order_by("order")
    first, last = (link.order_id for link in links)
    changing, divided = (orders[link.external_id] for link in links)
    changing.address = {**changing.address, "city": "Leiden"}
    shop.change(changing)
    shop.change(divided, addresses=[ANNA, {**ANNA, "city": "Potsdam"}])
    changed, meeting, real = drafts_of(shop, connection, changing, divided), Meeting(), services.cancel

    def cancel(*args, **options):
        found = real(*args, **options)
        meeting.wait()
        return found

    def staff_step():
        with transaction.atomic():
            Order.objects.lock(pk=first)
            meeting.wait()
            Order.objects.lock(pk=last)

    monkeypatch.setattr(services, "cancel", cancel)
    second_attempts = note_second_attempts(monkeypatch)
    at_once(staff_step, lambda: importing.apply(connection, changed, now=timezone.now()))

    assert second_attempts == []
    assert sorted(order.shipping_address.city for order in Order.objects.live()) == [
        ANNA["city"],
        "Leiden",
        "Potsdam",
    ]


def test_order_is_locked_while_the_shop_opens_a_return_of_it(shop, connection, monkeypatch):
    order = shop.new_order(("SKU-1", 1))
    importing.apply(connection, drafts_of(shop, connection, order), now=timezone.now())
    ours, real = Order.objects.get(), importing.emit
    returned = [
        dataclasses.replace(draft, awaits_return_label=True) for draft in drafts_of(shop, connection, order)
    ]
    is_emitted, is_taken, taken = threading.Event(), threading.Event(), []

    def emit(*args, **options):
        real(*args, **options)
        is_emitted.set()
        taken.append(is_taken.wait(1))

    def staff_step():
        is_emitted.wait(20)
        with transaction.atomic():
            Order.objects.lock(pk=ours.pk)
            is_taken.set()

    monkeypatch.setattr(importing, "emit", emit)
    at_once(staff_step, lambda: importing.apply(connection, returned, now=timezone.now()))

    assert taken == [False]
