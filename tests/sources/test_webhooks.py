"""What every connector with webhooks must do with them, against a shop that behaves like the original."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from fulfillment.demo.sources.base import ANNA
from orders.models import Order
from orders.sources.models import Connection, Delivery, ImportedOrder
from tests.factories.sources import parked
from tests.sources.conftest import kinds, poll, work_off

pytestmark = pytest.mark.django_db
with_webhooks = kinds(lambda shop: shop.has_webhooks)


@with_webhooks
def test_echo_does_not_settle_what_a_person_has_to_decide(shop, hooked):
    order = shop.new_order()
    hooked.send(order)
    work_off()
    waiting = parked(hooked.connection, key="waits", external_id=order.id, reason_code="ON_HOLD")

    shop.change(order)
    hooked.send(order)
    work_off()

    waiting.refresh_from_db()
    assert waiting.state == "PARKED"


@pytest.fixture
def hooked(shop, connection):
    return Hooks(shop, connection)


class Hooks:
    def __init__(self, shop, connection):
        self.shop, self.connection = shop, connection
        self.url = reverse("sources:webhook", args=[connection.pk])

    def post(self, headers, body, client=None):
        answer = (client or Client()).post(self.url, body, content_type="application/json", headers=headers)
        return answer.status_code

    def send(self, order, **options):
        return self.post(*self.shop.webhook(order, **options))


@with_webhooks
def test_webhook_is_stored_before_the_answer_and_imported_after(shop, hooked):
    order = shop.new_order(("SKU-1", 2))

    assert hooked.send(order) == 200
    delivery = Delivery.objects.get()
    assert (delivery.state, Order.objects.count()) == ("RECEIVED", 0)
    work_off()

    delivery.refresh_from_db()
    assert (delivery.state, delivery.external_id) == ("DONE", order.id)
    assert Order.objects.get().lines.get().quantity == 2


@with_webhooks
def test_repeated_delivery_changes_nothing(shop, hooked):
    sent = shop.webhook(shop.new_order())

    assert [hooked.post(*sent), hooked.post(*sent)] == [200, 200]
    work_off()
    assert hooked.post(*sent) == 200
    work_off()

    assert Delivery.objects.count() == Order.objects.count() == 1


@with_webhooks
def test_older_after_newer_changes_nothing(shop, hooked):
    order = shop.new_order(("SKU-1", 1))
    old = shop.webhook(order)
    shop.change(order, address={**ANNA, "city": "Potsdam"})
    assert hooked.send(order) == 200
    work_off()

    assert hooked.post(*old) == 200
    work_off()

    assert Order.objects.get().shipping_address.city == "Potsdam"


@with_webhooks
def test_create_after_its_cancellation_stays_out(shop, hooked):
    order = shop.new_order()
    old = shop.webhook(order)
    shop.change(order, is_cancelled=True)
    hooked.send(order)
    work_off()

    hooked.post(*old)
    work_off()

    assert Order.objects.count() == 0


@with_webhooks
def test_bad_signature_stores_nothing(shop, hooked):
    order = shop.new_order()

    assert hooked.post(*shop.forged_webhook(order)) == 401
    assert hooked.post({}, shop.webhook(order)[1]) == 401
    assert Delivery.objects.count() == 0


def test_webhook_for_an_unknown_connection_is_401(client):
    assert client.post("/sources/01890000-0000-7000-8000-000000000000/").status_code == 401


@with_webhooks
def test_another_shop_is_refused(shop, hooked):
    assert hooked.post(*shop.foreign_webhook(shop.new_order())) == 401
    assert Delivery.objects.count() == 0


@with_webhooks
def test_signed_text_that_is_not_json_is_parked(shop, hooked):
    order = shop.new_order()

    assert hooked.send(order, body=b"\xff not json") == 200
    work_off()

    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason_code) == ("PARKED", "NOT_JSON")
    assert bytes(delivery.body) == b"\xff not json"


@with_webhooks
@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b'{"message": {"data": 7}}', b'{"order": []}'])
def test_odd_webhooks_are_settled_or_parked(shop, hooked, body):
    topics = {"shopify": ("orders/create", "orders/edited", "fulfillment_orders/placed_on_hold")}
    for number, topic in enumerate(topics.get(shop.kind, (None,))):
        options = {"topic": topic} if topic else {}
        sent = shop.webhook(shop.new_order(), body=body, key=f"odd-{number}", **options)
        assert hooked.post(*sent) == 200

    work_off()

    assert set(Delivery.objects.values_list("state", flat=True)) <= {"PARKED", "IGNORED"}


@with_webhooks
def test_message_of_an_order_that_is_gone_is_settled_with_the_reason(shop, hooked):
    order = shop.new_order()
    sent = shop.signal(order)
    del shop.orders[order.id]

    assert hooked.post(*sent) == 200
    work_off()

    assert (Delivery.objects.get().state, Delivery.objects.get().reason_code) == ("IGNORED", "NOT_FOUND")


@with_webhooks
def test_body_of_5_mb_is_taken(shop, hooked):
    order = shop.new_order(note="x" * 5_000_000)

    assert hooked.send(order) == 200
    work_off()

    assert Delivery.objects.get().state in {"DONE", "PARKED"}


@with_webhooks
def test_body_without_end_is_refused(shop, hooked):
    assert hooked.post({}, b"x" * (8 * 1024 * 1024 + 1)) == 413


@with_webhooks
def test_paused_connection_stores_and_waits(shop, hooked):
    Connection.objects.update(paused_at=timezone.now())

    assert hooked.send(shop.new_order()) == 200
    work_off()

    assert (Delivery.objects.get().state, Order.objects.count()) == ("RECEIVED", 0)


@with_webhooks
def test_several_deliveries_become_one_batch(shop, hooked):
    for number in range(20):
        hooked.send(shop.new_order((f"SKU-{number}", 1)))

    work_off()

    assert Order.objects.count() == 20
    assert set(Delivery.objects.values_list("state", flat=True)) == {"DONE"}


@with_webhooks
def test_poll_and_webhook_of_the_same_order_import_it_once(shop, hooked):
    order = shop.new_order()
    hooked.send(order)
    poll(hooked.connection)
    work_off()

    assert Order.objects.count() == ImportedOrder.objects.count() == 1
