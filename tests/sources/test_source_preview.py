import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import ANNA
from orders.sources import polling
from orders.sources.registry import KINDS
from tests.sources.conftest import kinds

pytestmark = pytest.mark.django_db

KEYS = {
    *("action", "reason", "order_id", "number", "created", "currency", "email", "address", "lines"),
    *("delivery_method", "attributes"),
}


@pytest.fixture
def preview(tmp_path, capsys):
    def run(kind, payload, **options):
        file = tmp_path / "payload.json"
        file.write_bytes(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
        call_command("source_preview", kind, str(file), **options)
        return json.loads(capsys.readouterr().out)

    return run


def test_single_order_page_and_webhook_are_read(shop, preview):
    first, second = shop.new_order(), shop.new_order()

    (single,) = preview(shop.kind, shop.payload(first))
    page = preview(shop.kind, shop.page(first, second))

    assert set(single) == KEYS
    assert [draft["order_id"] for draft in page] == [first.id, second.id]
    assert page[0] == single
    if shop.has_webhooks and not shop.sends_signals:
        assert preview(shop.kind, shop.webhook(first)[1]) == [single]


@kinds(lambda shop: shop.sends_signals)
def test_message_that_only_names_an_order_says_so(shop, preview):
    order = shop.new_order()

    (found,) = preview(shop.kind, shop.signal(order)[1])

    assert (found["action"], found["order_id"]) == ("ignore", order.id)
    assert found["reason"] == "The message only names the order; it is read from the source."


def test_commercetools_message_says_whether_its_order_is_read(preview):
    message = {"id": "m1", "resource": {"typeId": "order", "id": "o1"}, "resourceVersion": 2}

    (needed,) = preview("commercetools", {**message, "type": "OrderStateChanged", "orderState": "Confirmed"})
    (other,) = preview("commercetools", {**message, "type": "ParcelAddedToDelivery"})

    assert needed["reason"] == "The message only names the order; it is read from the source."
    assert other["reason"] == "Messages of the kind ParcelAddedToDelivery are not needed."


@pytest.mark.parametrize(
    ("payload", "order_id"),
    [
        ({"order_edit": {"id": 1, "order_id": 1001}}, "1001"),
        ({"fulfillment_order": {"id": "gid://shopify/FulfillmentOrder/5", "status": "open"}}, ""),
        (
            {
                "admin_graphql_api_id": "gid://shopify/Return/7",
                "id": 7,
                "order": {"id": 1001, "admin_graphql_api_id": "gid://shopify/Order/1001"},
            },
            "1001",
        ),
    ],
    ids=["edit", "fulfilment order", "return"],
)
def test_shopify_webhook_that_only_names_an_order_says_so(preview, payload, order_id):
    (found,) = preview("shopify", payload)

    assert (found["action"], found["order_id"]) == ("ignore", order_id)
    assert found["reason"] == "The message only names the order; it is read from the source."


def test_ship_groups_are_several_objects(preview):
    shop = fake_of("commercetools")
    order = shop.new_order(("SKU-1", 1), ("SKU-2", 1), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])

    found = preview(shop.kind, shop.payload(order))

    assert [set(draft) for draft in found] == [KEYS | {"group"}] * 2


def test_known_order_is_an_update_or_nothing(shop, connection, preview):
    order = shop.new_order()
    polling.run(connection.pk, now=timezone.now())

    (same,) = preview(shop.kind, shop.payload(order), connection="Shop")
    shop.change(order, address={**ANNA, "city": "Potsdam"})
    (other,) = preview(shop.kind, shop.payload(order), connection="Shop")

    assert (same["action"], other["action"]) == ("ignore", "update")


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize(
    ("payload", "words"),
    [(b"not json", "is not JSON"), (b"[1, 2]", "is not an order"), (b'{"a": 1}', "is not an order")],
)
def test_something_else_ends_with_code_2_and_a_sentence(preview, kind, payload, words):
    with pytest.raises(CommandError, match=words) as failure:
        preview(kind, payload)

    assert failure.value.returncode == 2


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_payload_of_another_source_is_refused(preview, kind):
    for other in set(KINDS) - {kind}:
        shop = fake_of(other)
        with pytest.raises(CommandError, match="is not an order"):
            preview(kind, shop.page(shop.new_order()))


def test_unknown_kind_and_connection_are_named(preview):
    with pytest.raises(CommandError, match="There is no source woo"):
        preview("woo", {})
    with pytest.raises(CommandError, match="named Nobody"):
        preview("shopify", {}, connection="Nobody")
