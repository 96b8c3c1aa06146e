"""Two requests at once with the same key or the same number. Each has a database connection of its own."""

import json
import threading

import pytest
from django.db import connection
from django.test import Client

from fulfillment.core.models import IdempotencyKey, OutboxEntry
from orders.models import Order, OrderLine
from tests.factories.core import api_token
from tests.factories.orders import wire_order

pytestmark = pytest.mark.django_db(transaction=True)


def post_twice(bodies, *, key=None):
    """The two responses of POST /api/orders, sent at the same moment."""
    headers = {"Authorization": f"Bearer {api_token()}"} | ({"Idempotency-Key": key} if key else {})
    barrier, responses = threading.Barrier(2), []

    def post(body):
        try:
            barrier.wait()
            responses.append(
                Client().post(
                    "/api/orders", json.dumps(body), content_type="application/json", headers=headers
                )
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=[body]) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return responses


def test_same_key_places_one_order_and_both_get_its_answer():
    body = wire_order(("SKU-1", 1), ("SKU-2", 2), tenantOrderId="A-1")

    first, second = post_twice([body, body], key="k-1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert Order.objects.count() == IdempotencyKey.objects.count() == OutboxEntry.objects.count() == 1
    assert OrderLine.objects.count() == 2


def test_same_key_with_other_bodies_places_one_order():
    first, second = post_twice([wire_order(), wire_order()], key="k-1")

    assert {first.status_code, second.status_code} == {201, 409}
    assert Order.objects.count() == 1


@pytest.mark.parametrize("round_", range(3))
def test_same_number_is_accepted_once(round_):
    first, second = post_twice([wire_order(tenantOrderId="A-1"), wire_order(tenantOrderId="A-1")])

    assert {first.status_code, second.status_code} == {201, 400}
    refusal = next(response for response in (first, second) if response.status_code == 400)
    order = Order.objects.get()
    assert refusal.json()[0]["summary"] == "NUMBER_TAKEN"
    assert str(order.pk) in refusal.json()[0]["description"]
    assert OrderLine.objects.count() == OutboxEntry.objects.count() == 1
