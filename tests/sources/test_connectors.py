"""What every connector must do, against a shop that behaves like the original: mapping, polls, webhooks."""

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.demo.sources.base import ANNA, Item
from orders.models import Order, OrderLine
from orders.sources import inbox, polling
from orders.sources.drafts import Action
from orders.sources.models import Connection, Delivery, ImportedOrder
from orders.sources.reading import NotOfThisSource
from orders.sources.registry import KINDS
from tests.factories.sources import parked
from tests.sources.conftest import kinds, work_off

pytestmark = pytest.mark.django_db
with_webhooks = kinds(lambda shop: shop.has_webhooks)


def previews(shop, *orders, as_page=False, **options):
    kind = KINDS[shop.kind]
    payload = shop.page(*orders) if as_page else shop.payload(orders[0])
    settings = kind.options({**shop.settings(), **options})
    return [
        draft.preview()
        for order in kind.mapping.unwrap(payload)
        for draft in inbox.mapped_orders(kind, order, settings)
    ]


# Mapping


@pytest.mark.parametrize("as_page", [False, True], ids=["single", "page"])
def test_plain_order_is_mapped_whole(shop, as_page):
    order = shop.new_order(Item("SKU-1", 2, "Große Tasse", "12.50"), Item("SKU-2", 1, "Teller", "8.00"))

    (found,) = previews(shop, order, as_page=as_page)

    assert (found["action"], found["reason"]) == ("import", None)
    assert found["order_id"] == order.id
    assert found["number"].endswith(order.number)
    assert (found["created"], found["currency"]) == ("2026-11-02T09:00:00Z", "EUR")
    assert found["email"] == "anna@example.com"
    assert found["address"] == {
        "name": "Anna Müller",
        "company": "",
        "street": "Schönhauser Allee",
        "house_number": "12a",
        "addition": "Hinterhaus",
        "postal_code": "10119",
        "city": "Berlin",
        "country": "DE",
        "state": "",
        "phone": "+49 30 123456",
    }
    assert [
        (line["sku"], line["title"], line["quantity"], line["unit_price"]) for line in found["lines"]
    ] == [("SKU-1", "Große Tasse", 2, "12.50"), ("SKU-2", "Teller", 1, "8.00")]
    assert found["delivery_method"] == "standard"


def test_order_without_number_has_its_id(shop):
    (found,) = previews(shop, shop.new_order(number=""))

    assert (found["action"], found["number"]) == ("import", found["order_id"])


def test_line_without_sku_parks_the_order(shop):
    (found,) = previews(shop, shop.new_order(Item("")))

    assert found["action"] == "park"
    assert "no SKU" in found["reason"]


def test_line_without_sku_gets_the_one_of_the_connection(shop):
    (found,) = previews(shop, shop.new_order(Item("")), fallback_sku="MISC")

    assert (found["action"], found["lines"][0]["sku"]) == ("import", "MISC")


def test_order_without_address_is_parked(shop):
    (found,) = previews(shop, shop.new_order(address=None))

    assert found["action"] == "park"
    assert "address" in found["reason"]


def test_address_without_postal_code_is_parked_with_its_name(shop):
    (found,) = previews(shop, shop.new_order(address={**ANNA, "postal_code": ""}))

    assert found["action"] == "park"
    assert "postal_code" in found["reason"]


def test_order_without_email_is_imported(shop):
    (found,) = previews(shop, shop.new_order(email=""))

    assert (found["action"], found["email"]) == ("import", "")


def test_company_stands_for_a_missing_name(shop):
    address = {**ANNA, "first_name": "", "last_name": "", "company": "Müller GmbH"}

    (found,) = previews(shop, shop.new_order(address=address))

    assert (found["action"], found["address"]["name"]) == ("import", "Müller GmbH")


def test_cancelled_units_are_not_picked(shop):
    order = shop.new_order(Item("SKU-1", 3, cancelled=1), Item("SKU-2", 1, cancelled=1))

    (found,) = previews(shop, order)

    assert [(line["sku"], line["quantity"]) for line in found["lines"]] == [("SKU-1", 2)]


def test_shipped_order_is_no_work(shop):
    (found,) = previews(shop, shop.new_order(Item("SKU-1", 2, shipped=2)))

    assert found["action"] == "ignore"


def test_order_that_is_not_released_waits(shop):
    (found,) = previews(shop, shop.new_order(is_released=False))

    assert found["action"] == "ignore"


def test_cancelled_order_is_a_cancellation(shop):
    (found,) = previews(shop, shop.new_order(is_cancelled=True))

    assert found["action"] == "cancel"


def test_currency_without_decimals_keeps_its_price(shop):
    (found,) = previews(shop, shop.new_order(Item("SKU-1", 1, price="1500"), currency="JPY"))

    assert (found["currency"], found["lines"][0]["unit_price"]) == ("JPY", "1500")


@kinds(lambda shop: shop.has_ship_groups)
def test_several_addresses_become_several_groups(shop):
    order = shop.new_order(("SKU-1", 1), ("SKU-2", 2), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])

    found = previews(shop, order)

    assert [draft["order_id"] for draft in found] == [order.id, order.id]
    assert len({draft["group"] for draft in found}) == 2
    assert {(draft["address"]["city"], draft["lines"][0]["sku"]) for draft in found} == {
        ("Berlin", "SKU-1"),
        ("Potsdam", "SKU-2"),
    }


def test_known_delivery_method_becomes_ours(shop):
    kind = KINDS[shop.kind]
    order = kind.mapping.unwrap(shop.payload(shop.new_order(method="standard")))[0]
    options = kind.options({**shop.settings(), "delivery_methods": {"standard": "express"}})

    (draft,) = kind.mapping.drafts(order, options)

    assert draft.body()["deliveryPreferences"]["shipping"]["carrierProductCategory"] == "EXPRESS"
    assert draft.warnings == ()


def test_unknown_delivery_method_is_the_default_with_a_warning(shop):
    (found,) = previews(shop, shop.new_order(method="standard"), delivery_methods={"overnight": "express"})

    assert found["action"] == "import"
    assert "Unknown delivery method" in found["reason"]


@pytest.mark.parametrize("payload", [[], {}, {"orders": 3}, {"foo": {"bar": 1}}, "text", 7, None])
def test_something_else_is_not_of_this_source(shop, payload):
    with pytest.raises(NotOfThisSource):
        KINDS[shop.kind].mapping.unwrap(payload)


def test_odd_values_park_the_order_and_do_not_fail(shop):
    kind = KINDS[shop.kind]
    order = kind.mapping.unwrap(shop.payload(shop.new_order()))[0]

    for name, kept in order.items():
        for odd in (None, [], {}, "x", 7, [None], [[]], {"a": None}):
            drafts = inbox.mapped_orders(kind, {**order, name: odd}, kind.options(shop.settings()))
            assert drafts, (name, odd, kept)
            assert all(draft.action in Action for draft in drafts)


# Poll


def poll(connection):
    Connection.objects.filter(pk=connection.pk).update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())
    connection.refresh_from_db()


def test_poll_imports_every_page_once(shop, connection):
    for number in range(5):
        shop.new_order((f"SKU-{number}", 1))

    poll(connection)
    poll(connection)

    assert Order.objects.count() == ImportedOrder.objects.count() == 5
    assert connection.watermark == max(order.updated_at for order in shop.orders.values())
    assert connection.last_error == ""


def test_poll_of_an_empty_shop_is_well(shop, connection):
    poll(connection)

    assert connection.progress["orders"] == 0
    assert (connection.last_error, connection.watermark) == ("", None)


def test_token_that_ends_in_the_middle_is_renewed_once(shop, connection):
    for _number in range(5):
        shop.new_order()
    pages = 0
    real = shop.answer

    def answer(request):
        nonlocal pages
        pages += shop.is_call(request)
        if pages == 2:
            shop.expire_token()
            pages += 1
        return real(request)

    shop.answer = answer
    poll(connection)

    assert Order.objects.count() == 5
    assert shop.token_number == 2


def test_429_is_waited_for_as_told(shop, connection):
    shop.new_order()
    shop.fail(429, headers={"Retry-After": "2"})

    poll(connection)

    assert Order.objects.count() == 1
    assert 2.0 in shop.sleeps


def test_long_429_gives_the_worker_back(shop, connection):
    shop.new_order()
    shop.fail(429, headers={"Retry-After": "120"})

    poll(connection)

    assert Order.objects.count() == 0
    assert 110 < (connection.poll_due_at - timezone.now()).total_seconds() < 121
    assert "wait 120" in connection.last_error


def test_crash_after_the_first_page_is_repeated(shop, connection, monkeypatch):
    for _number in range(5):
        shop.new_order()
    real, calls = polling.store_page, []

    def store_page(*args, **options):
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return real(*args, **options)

    monkeypatch.setattr(polling, "store_page", store_page)
    with pytest.raises(MemoryError):
        poll(connection)
    connection.refresh_from_db()
    assert Order.objects.count() == 2
    assert connection.poll_failures == 1

    poll(connection)

    assert Order.objects.count() == ImportedOrder.objects.count() == 5
    assert connection.poll_failures == 0


def test_paused_connection_is_not_polled(shop, connection):
    shop.new_order()
    Connection.objects.update(paused_at=timezone.now())

    poll(connection)

    assert shop.requests == []


def test_refused_credentials_are_named(shop, connection):
    connection.credentials = dict.fromkeys(shop.credentials(), "wrong")
    connection.save()

    poll(connection)

    assert "refused" in connection.last_error


def test_change_in_the_shop_changes_the_order(shop, connection):
    order = shop.new_order(("SKU-1", 2))
    poll(connection)
    shop.change(order, address={**ANNA, "city": "Potsdam"})
    order.items[0].quantity = 3

    poll(connection)

    stored = Order.objects.get()
    assert stored.shipping_address.city == "Potsdam"
    assert stored.lines.get().quantity == 3


def test_line_taken_out_places_the_order_anew(shop, connection):
    order = shop.new_order(("SKU-1", 1), ("SKU-2", 1))
    poll(connection)
    order.items[1].cancelled = 1
    shop.change(order)

    poll(connection)

    old, new = Order.objects.order_by("pk")
    assert (old.status, new.status) == ("CANCELLED", "OPEN")
    assert [line.sku for line in new.lines.all()] == ["SKU-1"]
    assert ImportedOrder.objects.get().order == new


def test_cancellation_in_the_shop_cancels_the_order(shop, connection):
    order = shop.new_order()
    poll(connection)
    shop.change(order, is_cancelled=True)

    poll(connection)

    assert Order.objects.get().status == "CANCELLED"


def test_poll_parks_what_it_cannot_map_once(shop, connection):
    shop.new_order(Item(""))
    shop.new_order(("SKU-1", 1))

    poll(connection)
    poll(connection)

    parked = Delivery.objects.get()
    assert (parked.state, parked.reason_code, parked.via) == ("PARKED", "SKU_MISSING", "POLL")
    assert Order.objects.count() == 1


def test_parked_order_is_settled_by_the_next_good_version(shop, connection):
    order = shop.new_order(Item(""))
    poll(connection)
    order.items[0].sku = "SKU-1"
    shop.change(order)

    poll(connection)

    assert Order.objects.count() == 1
    assert Delivery.objects.get().state == "IGNORED"


# Webhooks


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


# A page at once


def test_page_of_250_orders_needs_no_query_per_order(shop, connection):
    kind = KINDS[shop.kind]

    def count(number):
        orders = [shop.payload(shop.new_order((f"SKU-{n}", 1))) for n in range(number)]
        orders = [order for payload in orders for order in kind.mapping.unwrap(payload)]
        with CaptureQueriesContext(database) as queries:
            polling.store_page(
                connection, kind, kind.inbound.Page(orders), {"pages": 0, "orders": 0}, now=timezone.now()
            )
        return len(queries)

    few, many = count(5), count(250)

    assert OrderLine.objects.count() == 255
    assert many - few < 50  # a statement has a most number of values, and nothing else grows


def test_poll_of_250_orders_needs_no_query_per_order(shop, connection):
    """From the first call to the last, with the limits, tokens and pages of the source; the echo as well."""
    shop.page_size = 250
    for number in range(250):
        shop.new_order((f"SKU-{number}", 1))

    counts = []
    for _run in range(2):
        with CaptureQueriesContext(database) as queries:
            poll(connection)
        counts.append(len(queries))

    assert Order.objects.count() == 250
    assert max(counts) < 125, counts
