"""The queue that Amazon writes its notifications to."""

import datetime

import pytest

from fulfillment.demo.sources import fake_of
from orders.models import Order
from orders.sources import queues
from orders.sources import services as sources
from orders.sources.amazon.queue import sign
from orders.sources.models import Delivery
from tests.sources.conftest import join, work_off

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("amazon"), monkeypatch)


@pytest.fixture
def queued(shop, connect):
    """A connection that names a queue."""
    connection = connect(shop, queue_url=f"{shop.base_url}/123456789012/orders")
    connection.credentials = {**connection.credentials, "queue_key": "AKIDFAKE", "queue_secret": "secret"}
    connection.save()
    return connection


def test_message_of_the_queue_brings_its_order_and_leaves_the_queue(shop, queued):
    order = shop.new_order()
    shop.queue(shop.webhook(order)[1])

    assert queues.due() == [queued.pk]
    queues.drain(queued.pk)
    work_off()

    delivery = Delivery.objects.get()
    assert (delivery.via, delivery.state, delivery.external_id) == ("QUEUE", "DONE", order.id)
    assert delivery.key.startswith("notification-")
    assert Order.objects.count() == 1
    assert shop.messages == {}


def test_message_that_comes_again_changes_nothing(shop, queued):
    body = shop.webhook(shop.new_order(), key="n-1")[1]
    shop.queue(body)
    queues.drain(queued.pk)
    shop.queue(body)
    queues.drain(queued.pk)
    work_off()

    assert Delivery.objects.count() == Order.objects.count() == 1


def test_every_message_is_taken_however_many_there_are(shop, queued):
    shop.queue(*(shop.webhook(shop.new_order())[1] for _number in range(25)))

    queues.drain(queued.pk)

    assert Delivery.objects.count() == 25
    assert shop.messages == {}


def test_message_stays_in_the_queue_until_it_is_stored(shop, queued, monkeypatch):
    shop.queue(shop.webhook(shop.new_order())[1])

    def fail(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr(queues.rows, "insert_once", fail)
    with pytest.raises(MemoryError):
        queues.drain(queued.pk)

    assert len(shop.messages) == 1


def test_text_in_the_queue_is_parked(shop, queued):
    shop.queue("not json")
    queues.drain(queued.pk)
    queued.refresh_from_db()
    print("ERR", queued.last_error, shop.requests)
    work_off()

    assert (Delivery.objects.get().state, Delivery.objects.get().reason_code) == ("PARKED", "NOT_JSON")


def test_queue_that_refuses_is_named(shop, queued):
    queued.credentials = {**queued.credentials, "queue_key": "other"}
    queued.save()

    queues.drain(queued.pk)

    queued.refresh_from_db()
    assert "security token is invalid" in queued.last_error
    assert "security token is invalid" in sources.check(queued)[0]


def test_call_is_signed_as_in_the_example_of_the_vendor():
    """The worked example of signature version 4."""
    headers = sign(
        "GET",
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        b"",
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        key="AKIDEXAMPLE",
        secret="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
        service="iam",
        now=datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC),
    )

    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )
