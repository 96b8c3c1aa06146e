"""Two workers at once, on one bulk or on two with the same orders. Each has a database connection of its own."""

import io
import json
import threading

import pytest
from django.db import connection
from django.utils import timezone

from fulfillment.core.outbox import RetryLater
from orders import bulk
from orders.events import BulkReceived
from orders.models import BulkImport, BulkResult, Order
from tests.factories.core import ChannelFactory
from tests.factories.orders import wire_order

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_batches(settings, tmp_path, monkeypatch):
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(bulk, "BATCH", 3)


def receive(orders):
    received, _is_new = bulk.receive(
        io.BytesIO(json.dumps(orders).encode()),
        channel=ChannelFactory(),
        by=None,
        caller="test",
        key=None,
        facility_ids=None,
        is_dry_run=False,
        now=timezone.now(),
    )
    return received


def work_at_once(*imports):
    barrier, failures = threading.Barrier(len(imports)), []

    def work(pk):
        try:
            barrier.wait()
            bulk.work_off(BulkReceived(bulk_id=pk))
        except RetryLater:
            pass  # the other one is at it, and the outbox would call again
        except Exception as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[one.pk]) for one in imports]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_two_workers_on_one_bulk_write_each_order_once():
    received = receive([wire_order(tenantOrderId="") for _number in range(20)])

    work_at_once(received, received)
    bulk.work_off(BulkReceived(bulk_id=received.pk))

    assert Order.objects.count() == BulkResult.objects.count() == 20
    assert BulkImport.objects.get().counts == {"CREATED": 20}


def test_two_bulks_with_the_same_orders_write_each_order_once():
    orders = [wire_order() for _number in range(20)]

    work_at_once(receive(orders), receive(orders))

    assert Order.objects.count() == 20
    outcomes = BulkResult.objects.order_by("outcome").values_list("outcome", flat=True)
    assert list(outcomes) == ["CREATED"] * 20 + ["REPLAYED"] * 20
