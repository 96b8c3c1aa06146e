"""What only Shopify has: signatures with two secrets, GraphQL that refuses with 200, fulfilment orders."""

import json

import httpx
import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import Item, to_json
from orders import services
from orders.models import Order
from orders.sources import inbox, polling, reports
from orders.sources import services as sources
from orders.sources.models import Connection, Delivery, Report
from orders.sources.registry import KINDS
from tests.sources.conftest import arrive, join, poll, work_off
from tests.sources.test_reports import hand_over, label, miss, send_again, shipped

pytestmark = pytest.mark.django_db

KIND = KINDS["shopify"]


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("shopify"), monkeypatch)


def draft_of(order, **options):
    (draft,) = KIND.mapping.drafts(order, KIND.options(options))
    return draft


def receive(connection, headers, body):
    return inbox.receive(connection.pk, httpx.Headers(headers), body, now=timezone.now())


# Mapping


def test_services_and_gift_cards_are_not_picked(shop):
    order = shop.payload(shop.new_order(Item("SKU-1"), Item("GIFT"), Item("SETUP")))
    order["line_items"][1]["gift_card"] = True
    order["line_items"][2]["requires_shipping"] = False

    assert [line.sku for line in draft_of(order).lines] == ["SKU-1"]


def test_open_quantity_falls_back_step_by_step(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 5, cancelled=1, shipped=1)))
    (line,) = order["line_items"]

    assert draft_of(order).lines[0].quantity == 3
    del line["fulfillable_quantity"]
    assert draft_of(order).lines[0].quantity == 4
    del line["current_quantity"]
    assert draft_of(order).lines[0].quantity == 5


@pytest.mark.parametrize(
    ("table", "method"),
    [({}, "ups_03"), ({"ups_03": "express"}, "ups_03"), ({"UPS Ground": "express"}, "UPS Ground")],
)
def test_delivery_method_is_known_by_its_code_or_its_title(shop, table, method):
    order = shop.payload(shop.new_order())
    order["shipping_lines"] = [{"code": "ups_03", "title": "UPS Ground"}]

    draft = draft_of(order, delivery_methods=table)

    assert draft.delivery_method == method
    assert draft.service == ("express" if table else "standard")


def test_everything_taken_out_is_a_cancellation(shop):
    assert str(draft_of(shop.payload(shop.new_order(Item("SKU-1", 2, cancelled=2)))).action) == "cancel"


def test_test_orders_only_where_they_are_allowed(shop):
    order = shop.payload(shop.new_order()) | {"test": True}

    assert draft_of(order).reason.code == "TEST_ORDER"
    assert str(draft_of(order, imports_test_orders=True).action) == "import"


def test_repeated_attributes_keep_all_values(shop):
    order = shop.payload(shop.new_order(note="Bitte klingeln")) | {
        "tags": "vip, gift",
        "note_attributes": [{"name": "slot", "value": "am"}, {"name": "slot", "value": "pm"}],
    }

    assert draft_of(order).attributes == {"note": "Bitte klingeln", "slot": "am, pm", "tags": "vip, gift"}


def test_order_on_hold_waits(shop):
    node = shop.page(shop.new_order())["data"]["orders"]["nodes"][0]
    node["fulfillmentOrders"]["nodes"][0]["status"] = "ON_HOLD"

    draft = draft_of(node)

    assert (str(draft.action), draft.reason.code) == ("ignore", "ON_HOLD")


# Webhooks


def test_headers_without_x_and_in_any_case_are_read(shop, connect):
    headers, body = shop.webhook(shop.new_order())
    headers = {name.removeprefix("X-").lower(): value for name, value in headers.items()}

    assert receive(connect(shop), headers, body).topic == "orders/create"


def test_previous_secret_counts_while_it_is_kept(shop, connect):
    connection = connect(shop)
    sent = shop.webhook(shop.new_order(), secret="before")
    with pytest.raises(KIND.inbound.BadSignature):
        receive(connection, *sent)

    connection.credentials = {**connection.credentials, "previous_secret": "before"}
    connection.save()

    assert receive(connection, *sent) is not None


def test_edited_order_is_read_from_the_shop(shop, connect):
    order = shop.new_order(("SKU-1", 3))
    body = json.dumps({"order_edit": {"id": 1, "order_id": int(order.id)}}).encode()

    receive(connect(shop), *shop.webhook(order, "orders/edited", body=body))
    work_off()

    assert Order.objects.get().lines.get().quantity == 3


def test_routed_fulfilment_order_brings_its_order(shop, connect):
    order = shop.new_order()
    body = json.dumps({"fulfillment_order": {"id": f"gid://shopify/FulfillmentOrder/{order.id}"}}).encode()

    receive(connect(shop), *shop.webhook(order, "fulfillment_orders/order_routing_complete", body=body))
    work_off()

    assert Order.objects.count() == 1


def test_removed_app_pauses_the_connection(shop, connect):
    connection = connect(shop)

    receive(connection, *shop.webhook(shop.new_order(), "app/uninstalled", body=b'{"id": 1}'))
    work_off()

    connection.refresh_from_db()
    assert connection.is_paused
    assert "removed" in connection.last_error


def test_topic_nobody_needs_is_taken_and_ignored(shop, connect):
    receive(connect(shop), *shop.webhook(shop.new_order(), "products/update"))
    work_off()

    assert Delivery.objects.get().reason_code == "OTHER_TOPIC"


# Poll


def test_throttled_query_waits_as_the_bucket_says(shop, connect):
    shop.new_order()
    shop.throttle(seconds=2)

    polling.run(connect(shop).pk, now=timezone.now())

    assert Order.objects.count() == 1
    assert 2.0 in shop.sleeps


def test_query_that_costs_too_much_asks_for_less(shop, connect):
    shop.new_order()
    shop.fail(200, body={"errors": [{"message": "Too much", "extensions": {"code": "MAX_COST_EXCEEDED"}}]})

    polling.run(connect(shop).pk, now=timezone.now())

    sizes = [json.loads(request.content)["variables"].get("first") for request in shop.requests[1:]]
    assert sizes == [50, 25]
    assert Order.objects.count() == 1


def test_order_with_many_lines_is_read_to_its_last(shop, connect):
    shop.new_order(*((f"SKU-{number}", 1) for number in range(45)))

    polling.run(connect(shop).pk, now=timezone.now())

    assert Order.objects.get().lines.count() == 45


def test_refresh_token_is_used_once_and_the_new_one_kept(shop, connect):
    connection = connect(shop)
    connection.credentials = {**connection.credentials, "access_token": "old", "refresh_token": "r-1"}
    connection.save()
    seen, real = [], shop.answer

    def answer(request):
        if shop.is_sign_in(request):
            seen.append(
                dict(pair.split("=") for pair in request.content.decode().split("&"))["refresh_token"]
            )
            token = {
                "access_token": shop.new_token(),
                "expires_in": 3600,
                "refresh_token": f"r-{len(seen) + 1}",
            }
            return httpx.Response(200, json=token)
        return real(request)

    shop.answer = answer
    polling.run(connection.pk, now=timezone.now())
    shop.expire_token()
    Connection.objects.update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())

    assert seen == ["r-1", "r-2"]
    assert "r-3" not in Connection.objects.get().tokens


# Reports


def test_user_errors_are_a_refusal_despite_the_status(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 1))
    error = {"data": {"fulfillmentCreate": {"fulfillment": None, "userErrors": [{"message": "Not allowed"}]}}}
    shop.fail(200, body=error, match=shop.is_write)

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    report = Report.objects.get()
    assert (report.state, "Not allowed" in str(report.reason)) == ("PARKED", True)


def test_lines_are_always_listed(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2), ("SKU-2", 1))

    hand_over(Order.objects.get(), (1, 1))
    work_off()

    (request,) = (request for request in shop.requests if shop.is_write(request))
    (part,) = json.loads(request.content)["variables"]["fulfillment"]["lineItemsByFulfillmentOrder"]
    assert [line["quantity"] for line in part["fulfillmentOrderLineItems"]] == [1]
    assert order.shipments[0]["company"] == "Demo carrier"
    assert order.shipments[0]["url"] == "https://track.example/TRACK-1"


def split_over(shop, *locations):
    """Let the lines of an order wait at one location each."""
    real = shop._fulfillment_orders

    def split(order):
        (own,) = real(order)
        lines = own["lineItems"]["nodes"]
        return [
            own
            | {
                "id": f"{own['id']}?{number}",
                "assignedLocation": {"location": {"id": f"gid://shopify/Location/{location}"}},
                "lineItems": {"nodes": [line]},
            }
            for number, (location, line) in enumerate(zip(locations, lines, strict=True))
        ]

    shop._fulfillment_orders = split


def test_each_location_gets_a_call_of_its_own(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 1), ("SKU-2", 1), ("SKU-3", 1))
    split_over(shop, 1, 2, 1)

    hand_over(Order.objects.get(), (0, 1), (1, 1), (2, 1))
    work_off()

    first, second, third = (item.id for item in order.items)
    assert [one["lines"] for one in order.shipments] == [{first: 1, third: 1}, {second: 1}]
    assert {one["tracking"] for one in order.shipments} == {"TRACK-1"}
    assert Report.objects.get().state == "SENT"


def test_other_locations_are_left_alone(shop, connect):
    order = arrive(shop, connect(shop, locations=["1"]), ("SKU-1", 1), ("SKU-2", 1))
    split_over(shop, 1, 2)

    hand_over(Order.objects.get(), (0, 1), (1, 1))
    work_off()

    assert [one["lines"] for one in order.shipments] == [{order.items[0].id: 1}]
    assert (Report.objects.get().state, Report.objects.get().reason_code) == ("PARKED", "NOTHING_OPEN")


def test_lost_answer_without_tracking_number_is_seen_by_what_is_open(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 3))
    shop.lose_answer()

    hand_over(Order.objects.get(), (0, 1), tracking="")
    work_off()
    send_again()

    assert (Report.objects.get().state, len(order.shipments)) == ("SENT", 1)


def test_order_with_nothing_open_is_for_a_person(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 1))
    order.items[0].shipped = 1

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    assert Report.objects.get().reason_code == "NOTHING_OPEN"


def test_missing_units_are_held_with_the_reason(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True), ("SKU-1", 2))
    miss(Order.objects.get(), 1)
    work_off()

    assert [hold["reason"] for hold in shop.holds] == ["INVENTORY_OUT_OF_STOCK"]
    assert shop.held == {order.id: {order.items[0].id: 1}}
    assert Report.objects.get().state == "SENT"
    # What was found goes out all the same.
    hand_over(Order.objects.get(), (0, 1))
    work_off()
    assert order.shipments[0]["lines"] == {order.items[0].id: 1}


def test_missing_units_of_several_fulfilment_orders_are_all_held(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True), ("SKU-1", 3))
    real, (item,) = shop._fulfillment_orders, order.items

    def two(order):
        """Moved in the shop: the units of the line are in two fulfilment orders."""
        own, *held = real(order)
        units = own["lineItems"]["nodes"][0]["remainingQuantity"]
        line = own["lineItems"]["nodes"][0]
        parts = [
            own
            | {"id": f"{own['id']}?{number}", "lineItems": {"nodes": [line | {"remainingQuantity": part}]}}
            for number, part in enumerate((units - units // 2, units // 2))
        ]
        return [*parts, *held]

    shop._fulfillment_orders = two
    miss(Order.objects.get(), 3)
    work_off()

    assert shop.held == {order.id: {item.id: 3}}
    assert Report.objects.get().state == "SENT"


def test_our_own_hold_is_no_hold_of_the_shop(shop, connect):
    connection = connect(shop, reports_cancellations=True)
    arrive(shop, connection, ("SKU-1", 1))
    miss(Order.objects.get(), 1)
    work_off()

    Connection.objects.update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())

    assert not Delivery.objects.exists()


def test_parcel_that_is_only_partly_open_there_is_for_a_person(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2), ("SKU-2", 1))
    order.items[1].shipped = 1

    hand_over(Order.objects.get(), (0, 2), (1, 1))
    work_off()

    assert shipped(order) == {"TRACK-1": {order.items[0].id: 2}}
    assert (Report.objects.get().state, Report.objects.get().reason_code) == ("PARKED", "NOTHING_OPEN")


@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "lost"])
def test_handover_taken_back_is_undone_in_the_shop(shop, connect, is_lost):
    order = arrive(shop, connect(shop), ("SKU-1", 2))
    parcel_id = hand_over(Order.objects.get(), (0, 2))
    work_off()
    if is_lost:
        shop.lose_answer(lambda call: b"fulfillmentCancel" in call.content)

    with transaction.atomic():
        services.record_handover_reverted(parcel_id, now=timezone.now())
    work_off()
    send_again()

    report = Report.objects.get()
    assert (report.state, report.reason_code) == ("SKIPPED", "TAKEN_BACK_THERE")
    assert (order.shipments, order.items[0].shipped) == ([], 0)
    # And out again, with the same number.
    with transaction.atomic():
        services.record_handed_over(parcel_id, now=timezone.now())
    work_off()
    assert shipped(order) == {"TRACK-1": {order.items[0].id: 2}}


@pytest.mark.parametrize("tracking", ["TRACK-1", ""], ids=["tracked", "untracked"])
def test_shipment_whose_answer_was_lost_is_not_said_to_be_undone_unless_it_is(shop, connect, tracking):
    order = arrive(shop, connect(shop), ("SKU-1", 2))
    shop.lose_answer()
    parcel_id = hand_over(Order.objects.get(), (0, 2), tracking=tracking)
    work_off()
    with transaction.atomic():
        services.record_handover_reverted(parcel_id, now=timezone.now())
    report = Report.objects.get()
    assert (report.reason_code, len(order.shipments)) == ("TAKEN_BACK_LATE", 1)

    reports.retry(report.pk, by=None, now=timezone.now())
    send_again()

    left = {"TRACK-1": ("TAKEN_BACK_THERE", 0), "": ("TAKEN_BACK_LATE", 1)}
    assert (Report.objects.get().reason_code, len(order.shipments)) == left[tracking]


def test_parcel_that_goes_out_again_while_it_is_undone_is_reported(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2))
    parcel_id = hand_over(Order.objects.get(), (0, 2))
    work_off()
    real, calls = shop.answer, []

    def answer(request):
        if b"fulfillmentCancel" in request.content:
            calls.append(request)
            with transaction.atomic():
                services.record_handed_over(parcel_id, now=timezone.now())
        return real(request)

    shop.answer = answer
    with transaction.atomic():
        services.record_handover_reverted(parcel_id, now=timezone.now())
    work_off()
    send_again()

    assert len(calls) == 1
    assert Report.objects.get().state == "SENT"
    assert shipped(order) == {"TRACK-1": {order.items[0].id: 2}}


# The return label


def return_of(shop, connection, *items, parcels=(((0, 1),),)):
    """An order whose parcels went out, with a return of the first one."""
    order = arrive(shop, connection, *items)
    for number, content in enumerate(parcels, start=1):
        hand_over(Order.objects.get(), *content, tracking=f"TRACK-{number}")
    work_off()
    return order, shop.returns.open(order, order.shipments[0])


def label_reports():
    reports = Report.objects.filter(what="RETURN_LABEL").order_by("created_at")
    return [(report.state, report.reason_code) for report in reports]


@pytest.mark.parametrize("way", ["poll", "webhook"])
def test_return_of_the_shop_gets_the_number_of_the_label_in_the_parcel(shop, connect, way):
    connection = connect(shop)
    order, found = return_of(shop, connection, ("SKU-1", 2), parcels=[[(0, 2)]])
    assert not label_reports()

    if way == "poll":
        poll(connection)
    else:
        body = to_json({"id": 1, "status": "open", "order": {"id": int(order.id)}})
        headers, body = shop.webhook(order, "returns/approve", body=body)
        receive(connection, headers, body)
    work_off()

    assert shop.returns.labels() == [("RETURN-TRACK-1", {found["lines"][0]["id"]: 2})]
    assert label_reports() == [("SENT", "")]
    # The echo of it asks for nothing more.
    poll(connection)
    work_off()
    assert len(shop.returns.labels()) == 1
    assert Report.objects.get(what="RETURN_LABEL").attempts == 1


def test_each_parcel_comes_back_with_its_own_label(shop, connect):
    connection = connect(shop)
    order, _found = return_of(
        shop, connection, ("SKU-1", 2), ("SKU-2", 1), parcels=[[(0, 1)], [(0, 1), (1, 1)]]
    )
    second = shop.returns.open(order, order.shipments[1])

    poll(connection)
    work_off()

    labels = dict(shop.returns.labels())
    assert labels["RETURN-TRACK-2"] == {line["id"]: 1 for line in second["lines"]}
    assert set(labels) == {"RETURN-TRACK-1", "RETURN-TRACK-2"}
    assert label_reports() == [("SENT", ""), ("SENT", "")]


def attaches(call):
    return b"reverseDeliveryCreateWithShipping" in call.content


@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "never arrived"])
def test_return_label_without_an_answer_is_attached_once(shop, connect, is_lost):
    connection = connect(shop)
    return_of(shop, connection, ("SKU-1", 1))
    shop.lose_answer(attaches) if is_lost else shop.fail(502, match=attaches)

    poll(connection)
    work_off()
    assert label_reports() == [("UNKNOWN", "")]
    send_again()

    assert [number for number, _lines in shop.returns.labels()] == ["RETURN-TRACK-1"]
    assert label_reports() == [("SENT", "")]


def test_label_of_the_merchant_stays(shop, connect):
    connection = connect(shop)
    _order, found = return_of(shop, connection, ("SKU-1", 1))
    poll(connection)
    found["deliveries"].append(
        {"id": "gid://shopify/ReverseDelivery/9", "number": "MINE", "lines": {found["lines"][0]["id"]: 1}}
    )

    work_off()

    assert [number for number, _lines in shop.returns.labels()] == ["MINE"]
    assert label_reports() == [("SKIPPED", "NO_RETURN")]


def test_second_return_gets_its_label_too(shop, connect):
    connection = connect(shop)
    order = arrive(shop, connection, ("SKU-1", 2))
    hand_over(Order.objects.get(), (0, 2))
    work_off()
    line = order.items[0].id
    for _number in range(2):
        shop.returns.open(order, order.shipments[0], {line: 1})
        poll(connection)
        work_off()

    assert [number for number, _lines in shop.returns.labels()] == ["RETURN-TRACK-1"] * 2
    assert label_reports() == [("SENT", "")]


def test_corrected_number_of_a_return_label_is_changed(shop, connect):
    connection = connect(shop)
    return_of(shop, connection, ("SKU-1", 1))
    poll(connection)
    work_off()
    parcel_id = Report.objects.get(what="RETURN_LABEL").subject_id

    label(Order.objects.get(), (0, 1), tracking="TRACK-9", parcel_id=parcel_id)
    work_off()

    assert [number for number, _lines in shop.returns.labels()] == ["RETURN-TRACK-9"]
    assert label_reports() == [("SENT", "")]


def test_app_without_the_right_does_not_look_at_returns(shop, connect):
    connection = connect(shop, reports_return_labels=False)
    return_of(shop, connection, ("SKU-1", 1))

    poll(connection)
    work_off()

    assert shop.returns.labels() == []
    assert not label_reports()


# Cancelling


def test_cancelling_there_is_off_by_default(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True))

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert not order.is_cancelled
    assert Report.objects.get().state == "SKIPPED"


def test_cancelling_there_where_it_is_wanted(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True, cancels_orders=True))

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert order.is_cancelled


# Test of the connection


def test_check_names_another_shop(shop, connect):
    assert sources.check(connect(shop)) == []

    connection = connect(shop, name="Other", shop="other.myshopify.com")

    assert sources.check(connection) == ["The token belongs to the shop fake.myshopify.com."]


def test_check_names_refused_credentials(shop, connect):
    connection = connect(shop)
    connection.credentials = {"client_id": "fake", "client_secret": "wrong"}
    connection.save()

    (problem,) = sources.check(connection)

    assert "invalid_client" in problem
