import json

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import ANNA
from orders.models import Order
from orders.sources import polling
from orders.sources.drafts import repaired
from orders.sources.forms import ADDRESS
from orders.sources.models import Connection, Delivery, Report
from orders.sources.registry import KINDS
from tests.factories.core import staff
from tests.factories.sources import ConnectionFactory, parked, refused_report
from tests.sources.conftest import join, poll

pytestmark = pytest.mark.django_db


@pytest.fixture
def office(client):
    client.force_login(staff("administrator"))
    return client


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("shopify"), monkeypatch)


def test_list_shows_connections_parked_deliveries_and_refused_reports(office):
    connection = ConnectionFactory(name="Shop Berlin", last_error="The source does not answer.")
    parked(connection)
    refused_report(connection=connection)

    page = office.get(reverse("sources:source-list")).content.decode()

    for words in (
        "Shop Berlin",
        "does not answer",
        "1 order waits for",
        "#1007",
        "no delivery address",
        "Tracking number",
    ):
        assert words in page


def test_list_needs_as_many_queries_for_three_connections(office, django_assert_max_num_queries):
    for _number in range(3):
        parked()

    with django_assert_max_num_queries(12):
        office.get(reverse("sources:source-list"))


def test_parked_order_is_corrected_and_imported(office, shop, connect):
    order = shop.new_order(address=None)
    delivery = parked(connect(shop), json.dumps(shop.payload(order)).encode())
    right = {**shop.payload(order), "shipping_address": shop.payload(shop.new_order())["shipping_address"]}

    answer = office.post(
        reverse("sources:delivery-retry", args=[delivery.pk]), {"content": json.dumps(right, indent=2)}
    )

    assert answer.status_code == 302
    delivery.refresh_from_db()
    assert (delivery.state, Order.objects.get().shipping_address.city) == ("DONE", "Berlin")
    assert b'"shipping_address": null' in bytes(delivery.body)


def test_missing_parts_are_typed_in_and_hold_for_later_versions(office, shop, connect):
    connection = connect(shop)
    order = shop.new_order(("", 1), address={**ANNA, "postal_code": "", "house_number": ""})
    polling.run(connection.pk, now=timezone.now())
    delivery = Delivery.objects.get()
    page = office.get(reverse("sources:delivery-detail", args=[delivery.pk]))
    typed = {f"0-{name}": value for name, value in ANNA.items() if name in ADDRESS}
    (sku,) = (name for name in page.context["repair"].fields if "sku" in name)

    office.post(reverse("sources:delivery-retry", args=[delivery.pk]), {**typed, sku: "SKU-9"})

    placed = Order.objects.get()
    assert (placed.lines.get().sku, placed.shipping_address.postal_code) == ("SKU-9", "10119")
    shop.change(order, note="Bitte klingeln")
    Connection.objects.update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())
    placed.refresh_from_db()
    assert placed.custom_attributes == {"note": "Bitte klingeln"}
    assert not Delivery.objects.parked().exists()


def test_parts_typed_in_one_after_the_other_are_all_kept(office, shop, connect):
    connection = connect(shop)
    shop.new_order(("", 1), address={**ANNA, "postal_code": ""})
    polling.run(connection.pk, now=timezone.now())
    url = reverse("sources:delivery-retry", args=[Delivery.objects.get().pk])
    detail = reverse("sources:delivery-detail", args=[Delivery.objects.get().pk])

    office.post(url, {f"0-{name}": value for name, value in ANNA.items() if name in ADDRESS})
    assert Delivery.objects.get().reason_code == "SKU_MISSING"
    (sku,) = office.get(detail).context["repair"].fields
    office.post(url, {sku: "SKU-9"})

    assert Order.objects.get().lines.get().sku == "SKU-9"


@pytest.fixture
def asked(monkeypatch, connect):
    """An order of Amazon with two lines; the customer wants to cancel the second one."""
    shop = join(fake_of("amazon"), monkeypatch)
    order = shop.new_order(("SKU-1", 1), ("SKU-2", 2))
    order.items[1].is_unwanted = True
    connection = connect(shop)
    return shop, connection, order


def decide(office, decision):
    delivery = Delivery.objects.parked().get()
    page = office.get(reverse("sources:delivery-detail", args=[delivery.pk]))
    (name,) = page.context["repair"].fields
    return office.post(reverse("sources:delivery-retry", args=[delivery.pk]), {name: decision})


@pytest.mark.parametrize(("decision", "skus"), [("drop", ["SKU-1"]), ("keep", ["SKU-1", "SKU-2"])])
def test_line_the_customer_wants_to_cancel_is_decided_once(office, asked, decision, skus):
    shop, connection, order = asked
    poll(connection)
    assert Delivery.objects.get().reason_code == "CANCEL_ASKED"
    assert Order.objects.count() == 0

    decide(office, decision)
    shop.change(order)
    poll(connection)

    assert [line.sku for line in Order.objects.get().lines.all()] == skus
    assert not Delivery.objects.parked().exists()


@pytest.mark.parametrize(("decision", "skus"), [("drop", ["SKU-1"]), ("keep", ["SKU-1", "SKU-2"])])
def test_line_of_a_known_order_is_decided_once(office, asked, decision, skus):
    shop, connection, order = asked
    order.items[1].is_unwanted = False
    poll(connection)
    order.items[1].is_unwanted = True
    shop.change(order)
    poll(connection)

    decide(office, decision)
    shop.change(order)
    poll(connection)

    assert [line.sku for line in Order.objects.get(status="OPEN").lines.all()] == skus
    assert not Delivery.objects.parked().exists()


def test_order_without_a_line_left_is_cancelled(office, asked):
    shop, connection, order = asked
    order.items[0].cancelled = 1
    order.items[1].is_unwanted = False
    poll(connection)
    order.items[1].is_unwanted = True
    shop.change(order)
    poll(connection)

    decide(office, "drop")

    assert Order.objects.get().status == "CANCELLED"


def stray_line(kind, body):
    """The second line of an order of two addresses says no longer where it goes."""
    if kind == "commercetools":
        body["lineItems"][1]["shippingDetails"]["targets"] = []
    else:
        body["productItems"][1]["shipmentId"] = None
    return body


@pytest.mark.parametrize("kind", ["commercetools", "salesforce"])
def test_line_that_names_no_address_gets_one_and_keeps_it(office, monkeypatch, connect, kind):
    shop = join(fake_of(kind), monkeypatch)
    real = shop.payload
    shop.payload = lambda order: stray_line(kind, real(order))
    connection = connect(shop)
    order = shop.new_order(("SKU-1", 1), ("SKU-2", 2), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])
    poll(connection)
    delivery = Delivery.objects.get()
    assert (delivery.reason_code, Order.objects.count()) == ("SEVERAL_ADDRESSES", 0)
    page = office.get(reverse("sources:delivery-detail", args=[delivery.pk]))
    assert all(words in page.content.decode() for words in ("SKU-1", "SKU-2", "Berlin", "Potsdam"))
    (name,) = page.context["repair"].fields
    choices = dict(page.context["repair"].fields[name].choices)
    (potsdam,) = (group for group, words in choices.items() if "Potsdam" in str(words))

    office.post(reverse("sources:delivery-retry", args=[delivery.pk]), {name: ""})
    assert Order.objects.count() == 0
    office.post(reverse("sources:delivery-retry", args=[delivery.pk]), {name: potsdam})

    def placed():
        return {
            one.shipping_address.city: [(line.sku, line.quantity) for line in one.lines.all()]
            for one in Order.objects.filter(status="OPEN")
        }

    assert placed() == {"Berlin": [("SKU-1", 1)], "Potsdam": [("SKU-2", 2)]}
    shop.change(order, email="new@example.com")
    poll(connection)
    assert placed() == {"Berlin": [("SKU-1", 1)], "Potsdam": [("SKU-2", 2)]}
    assert not Delivery.objects.parked().exists()


@pytest.mark.parametrize("kind", ["commercetools", "salesforce"])
def test_order_cancelled_while_it_is_parked_is_not_placed_by_its_repair(office, monkeypatch, connect, kind):
    shop = join(fake_of(kind), monkeypatch)
    real = shop.payload
    shop.payload = lambda order: stray_line(kind, real(order))
    connection = connect(shop)
    order = shop.new_order(("SKU-1", 1), ("SKU-2", 2), addresses=[ANNA, {**ANNA, "city": "Potsdam"}])
    poll(connection)
    delivery = Delivery.objects.get()
    page = office.get(reverse("sources:delivery-detail", args=[delivery.pk]))
    (name,) = page.context["repair"].fields
    group = page.context["repair"].fields[name].choices[-1][0]

    shop.change(order, is_cancelled=True)
    poll(connection)
    assert not Delivery.objects.parked().exists()
    # A repair that began before finds it parked.
    Delivery.objects.update(state="PARKED", reason_code="SEVERAL_ADDRESSES")
    office.post(reverse("sources:delivery-retry", args=[delivery.pk]), {name: group})

    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason_code, Order.objects.count()) == ("IGNORED", "OLDER", 0)
    # Read anew, it is a cancellation whatever was typed in.
    (draft,) = KINDS[kind].mapping.drafts(shop.payload(order), KINDS[kind].options())
    assert delivery.corrections
    assert repaired(draft, delivery.corrections) == [draft]


def test_units_that_name_no_address_join_their_line(shop):
    kind = KINDS["commercetools"]
    fake = fake_of("commercetools")
    order = fake.payload(fake.new_order(("SKU-1", 3), addresses=[ANNA]))
    order["lineItems"][0]["shippingDetails"]["targets"][0]["quantity"] = 2
    (draft,) = kind.mapping.drafts(order, kind.options())
    (stray,) = draft.strays

    (whole,) = repaired(draft, {"": {"places": {stray.line_id: draft.parts[0].group}}})

    assert (str(whole.action), stray.quantity) == ("import", 1)
    assert [(line.quantity, line.ordered) for line in whole.lines] == [(3, 3)]


def test_parked_change_leads_to_its_order(office, asked):
    shop, connection, order = asked
    order.items[1].is_unwanted = False
    poll(connection)
    order.items[1].is_unwanted = True
    shop.change(order)
    poll(connection)

    page = office.get(reverse("sources:delivery-detail", args=[Delivery.objects.get().pk])).content.decode()

    assert reverse("overview:order-detail", args=[Order.objects.get().pk]) in page
    assert "Decide below for each line" in page


def test_undecided_line_still_waits(office, asked):
    _shop, connection, _order = asked
    poll(connection)

    decide(office, "")

    assert Delivery.objects.get().reason_code == "CANCEL_ASKED"


def test_units_that_are_no_number_are_typed_in(office, monkeypatch, connect):
    shop = join(fake_of("salesforce"), monkeypatch)
    order = shop.new_order(("SKU-1", 2))
    delivery = parked(
        connect(shop),
        json.dumps(
            {**shop.payload(order), "productItems": [{"itemId": "1", "productId": "A", "quantity": 1.5}]}
        ).encode(),
        external_id=order.id,
        via=Delivery.Via.POLL,
    )
    page = office.get(reverse("sources:delivery-detail", args=[delivery.pk]))
    (name,) = page.context["repair"].fields

    office.post(reverse("sources:delivery-retry", args=[delivery.pk]), {name: "2"})

    assert Order.objects.get().lines.get().quantity == 2


def test_still_wrong_order_says_why(office, shop, connect):
    delivery = parked(connect(shop), json.dumps(shop.payload(shop.new_order(address=None))).encode())
    detail = reverse("sources:delivery-detail", args=[delivery.pk])
    content = office.get(detail).context["form"]["content"].value()

    answer = office.post(
        reverse("sources:delivery-retry", args=[delivery.pk]), {"content": content}, follow=True
    )

    assert answer.redirect_chain[0][0] == detail
    assert "still parked" in answer.content.decode()
    delivery.refresh_from_db()
    assert delivery.correction == ""


def test_table_that_was_missing_lets_the_order_in(office, shop, connect):
    connection = connect(shop)
    order = shop.new_order(("", 1))
    delivery = parked(connection, json.dumps(shop.payload(order)).encode())

    office.post(
        reverse("sources:connection-tables", args=[connection.pk]),
        {"default_method": "standard", "delivery_methods": "dhl = carrier DHL", "fallback_sku": "MISC"},
    )
    office.post(reverse("sources:delivery-retry", args=[delivery.pk]))

    connection.refresh_from_db()
    assert connection.settings["delivery_methods"] == {"dhl": "carrier DHL"}
    assert connection.settings["shop"] == "fake.myshopify.com"
    assert Order.objects.get().lines.get().sku == "MISC"


def test_table_with_an_unknown_word_is_refused(office):
    connection = ConnectionFactory()

    answer = office.post(
        reverse("sources:connection-tables", args=[connection.pk]),
        {"default_method": "teleport", "delivery_methods": "a = b"},
    )

    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {"default_method", "delivery_methods"}


def test_delivery_is_settled_without_an_order(office):
    delivery = parked()

    office.post(reverse("sources:delivery-close", args=[delivery.pk]))

    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason_code) == ("IGNORED", "CLOSED")


def test_settled_delivery_is_not_worked_again(office):
    delivery = parked(state=Delivery.State.DONE)

    answer = office.post(reverse("sources:delivery-retry", args=[delivery.pk]), follow=True)

    assert "not parked any more" in answer.content.decode()
    assert Order.objects.count() == 0


def test_refused_report_is_sent_again_from_the_order(office):
    report = refused_report()

    page = office.get(reverse("overview:order-detail", args=[report.imported.order_id])).content.decode()
    assert "Tracking number is not valid" in page
    office.post(reverse("sources:report-retry", args=[report.pk]))

    assert Report.objects.get().state == "UNKNOWN"


def test_refused_report_is_settled_by_who_told_the_shop(office):
    report = refused_report()

    page = office.get(reverse("sources:source-list")).content.decode()
    assert reverse("sources:report-close", args=[report.pk]) in page
    office.post(reverse("sources:report-close", args=[report.pk]))

    report.refresh_from_db()
    assert (report.state, report.reason_code) == ("SKIPPED", "CLOSED")
    assert not Report.objects.failed().exists()
