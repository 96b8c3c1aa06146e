"""What every connector must do, against a shop that behaves like the original: mapping, polls, webhooks."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.demo.sources.base import ANNA, Item
from orders.models import Order, OrderLine
from orders.sources import inbox, polling
from orders.sources.drafts import Action
from orders.sources.models import Connection, Delivery, ImportedOrder
from orders.sources.reading import NotOfThisSource
from orders.sources.registry import KINDS
from tests.sources.conftest import kinds, poll

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
    # Where orders name none, it is that of the connection.
    (found,) = previews(shop, shop.new_order(Item("SKU-1", 1, price="1500"), currency="JPY"), currency="JPY")

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


# Personal data


PERSONAL = ("Müller", "Schönhauser", "anna@example.com", "123456", "Hinterhaus")


def test_address_that_the_shop_hides_later_is_kept(shop, connection):
    order = shop.new_order()
    poll(connection)
    before = Order.objects.get().consumer

    shop.change(order, address=None, email="")
    poll(connection)

    assert Order.objects.get().consumer == before
    assert not Delivery.objects.parked().exists()


def test_no_error_text_and_no_log_line_names_a_customer(shop, connection, caplog):
    caplog.set_level("DEBUG")
    for fields in (
        {"address": {**ANNA, "postal_code": ""}},
        {"address": {**ANNA, "country": "XX"}},
        {"items": [Item("")]},
        {},
    ):
        order = shop.new_order(*fields.pop("items", [("SKU-1", 1)]))
        shop.change(order, **fields)
    shop.fail(400, body=shop.refusal("It is refused."))
    poll(connection)
    poll(connection)

    connection.refresh_from_db()
    assert Order.objects.exists()
    said = [caplog.text, connection.last_error, *(str(task.reason) for task in Delivery.objects.parked())]
    assert len(said) > 4
    assert [word for word in PERSONAL for text in said if word in text] == []
