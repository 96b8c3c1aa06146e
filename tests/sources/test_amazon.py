"""What only Amazon has: a narrow rate, pages that go on in the next run, hidden addresses, parcels by reference."""

import json

import httpx
import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from fulfillment.demo.sources.base import Item
from orders import services
from orders.models import Order
from orders.sources import http, inbox
from orders.sources.models import Connection, Delivery, Report
from orders.sources.reading import NotOfThisSource, iso, time
from orders.sources.registry import KINDS, open_client
from tests.sources.conftest import arrive, join, poll, work_off
from tests.sources.test_reports import hand_over, label, miss, send_again, shipped

pytestmark = pytest.mark.django_db

KIND = KINDS["amazon"]
SEARCH = "/orders/2026-01-01/orders"


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("amazon"), monkeypatch)


def draft_of(order, **options):
    (draft,) = KIND.mapping.drafts(order, KIND.options(options))
    return draft


def outcome_of(order, **options):
    draft = draft_of(order, **options)
    return str(draft.action), draft.reason.code if draft.reason else None


def searches(shop):
    return [dict(call.url.params) for call in shop.requests if call.url.path == SEARCH]


def confirmed(shop):
    return [json.loads(call.content) for call in shop.requests if shop.is_write(call)]


# Mapping


def test_number_of_the_seller_stands_in_the_aliases(shop):
    order = shop.payload(shop.new_order())
    order["orderAliases"] = [
        {"aliasType": "OTHER", "aliasId": "X"},
        {"aliasType": "SELLER_ORDER_ID", "aliasId": "S-1"},
    ]

    assert draft_of(order).number == "S-1"
    assert draft_of({**order, "orderAliases": None}).number == order["orderId"]


@pytest.mark.parametrize(
    ("lines", "street", "number", "addition"),
    [
        (["Hauptstraße 12 a", "", ""], "Hauptstraße", "12 a", ""),
        (["c/o Meier", "Hauptstr. 1-3", "Hof"], "Hauptstr.", "1-3", "c/o Meier, Hof"),
        (
            ["Müller GmbH", "Abteilung Einkauf", "Straße des 17. Juni 135"],
            *("Straße des 17. Juni", "135"),
            "",
        ),
        (["Am Ring", "Haus Sonne", ""], "Am Ring", "", "Haus Sonne"),
    ],
)
def test_street_is_the_first_line_that_ends_in_a_number(shop, lines, street, number, addition):
    order = shop.payload(shop.new_order())
    given = order["recipient"]["deliveryAddress"]
    given |= {"companyName": "Müller GmbH", **dict(zip(KIND.mapping.LINES, lines, strict=True))}

    address = draft_of(order).address

    assert (address.street, address.house_number) == (street, number)
    assert address.addition == (addition or ("Abteilung Einkauf" if "Abteilung Einkauf" in lines else ""))
    assert address.company == "Müller GmbH"


def test_parted_street_wins_over_the_lines(shop):
    order = shop.payload(shop.new_order())
    order["recipient"]["deliveryAddress"] |= {
        "addressLine1": "Etage 3",
        "addressLine2": "12 Rue du Bac",
        "extendedFields": {"streetName": "Rue du Bac", "streetNumber": "12"},
    }

    address = draft_of(order).address

    assert (address.street, address.house_number, address.addition) == ("Rue du Bac", "12", "Etage 3")


def test_address_that_is_hidden_names_the_missing_role(shop):
    order = shop.payload(shop.new_order())
    order["recipient"]["deliveryAddress"] = {"city": "Berlin", "postalCode": "10119", "countryCode": "DE"}

    assert outcome_of(order) == ("park", "ADDRESS_HIDDEN")
    assert outcome_of({**order, "recipient": None}) == ("park", "ADDRESS_HIDDEN")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("UNSHIPPED", ("import", None)),
        ("PARTIALLY_SHIPPED", ("import", None)),
        ("PENDING", ("ignore", "NOT_RELEASED")),
        ("PENDING_AVAILABILITY", ("ignore", "NOT_RELEASED")),
        ("SHIPPED", ("ignore", "SHIPPED")),
        ("CANCELLED", ("cancel", "CANCELLED")),
        ("UNFULFILLABLE", ("ignore", "NOT_RELEASED")),
    ],
)
def test_only_what_waits_for_us_is_work(shop, status, outcome):
    order = shop.payload(shop.new_order())
    order["fulfillment"]["fulfillmentStatus"] = status

    assert outcome_of(order) == outcome


def test_what_amazon_ships_is_no_work(shop):
    order = shop.payload(shop.new_order())
    order["fulfillment"]["fulfilledBy"] = "AMAZON"

    assert outcome_of(order) == ("ignore", "NOT_OURS")


def test_open_quantity_is_what_is_unfulfilled(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", 5, shipped=2, cancelled=1)))

    (line,) = draft_of(order).lines
    del order["orderItems"][0]["fulfillment"]
    (whole,) = draft_of(order).lines

    assert (line.quantity, line.ordered) == (2, 4)
    assert (whole.quantity, whole.ordered) == (5, 5)


def test_gifts_and_customization_stay_with_the_line(shop):
    order = shop.payload(shop.new_order(Item("SKU-1", attributes={"customizedUrl": "https://x.example"})))
    order["orderItems"][0]["giftOption"] = {"giftMessage": "Alles Gute"}

    assert draft_of(order).lines[0].attributes == {
        "asin": "B000000001",
        "giftOption": '{"giftMessage": "Alles Gute"}',
        "customization": '{"customizedUrl": "https://x.example"}',
    }


def test_windows_become_the_deadline_and_the_earliest_label(shop):
    order = shop.payload(shop.new_order())
    order["fulfillment"]["labelPrintingWindow"] = {"earliestDateTime": "2026-11-04T08:00:00Z"}
    order["programs"] = ["PRIME", "AMAZON_BUSINESS"]

    draft = draft_of(order)

    assert draft.label_not_before.isoformat() == "2026-11-04T08:00:00+00:00"
    assert draft.deadline.isoformat() == "2026-11-06T22:59:59+00:00"
    assert draft.attributes == {
        "programs": "PRIME, AMAZON_BUSINESS",
        "labelNotBefore": "2026-11-04T08:00:00Z",
    }


def test_window_of_the_label_is_a_fact_of_the_order_and_follows_the_shop(shop, connect):
    connection, real = connect(shop), shop.payload
    windows = ["2026-11-04T08:00:00Z"]

    def payload(order):
        body = real(order)
        body["fulfillment"]["labelPrintingWindow"] = (
            {"earliestDateTime": windows[-1]} if windows[-1] else None
        )
        return body

    shop.payload = payload
    order = arrive(shop, connection)
    assert Order.objects.get().label_not_before == time(windows[-1])
    for window in ("2026-11-05T08:00:00Z", ""):
        windows.append(window)
        shop.change(order)
        poll(connection)
        assert Order.objects.get().label_not_before == time(window)

    assert Order.objects.get().status == "OPEN"


def test_pick_up_in_store_needs_its_facility(shop):
    order = shop.payload(shop.new_order())
    order["programs"] = ["IN_STORE_PICK_UP"]

    draft = draft_of(order, delivery_methods={"IN_STORE_PICK_UP": "collect F-1"})

    assert outcome_of(order) == ("park", "COLLECT_UNKNOWN")
    assert draft.body()["deliveryPreferences"]["collect"] == [{"tenantFacilityId": "F-1", "paid": True}]


def test_line_whose_customer_wants_to_cancel_waits_for_a_decision(shop):
    order = shop.payload(shop.new_order(Item("SKU-1"), Item("SKU-2")))
    order["orderItems"][1]["cancellation"] = {"cancellationRequest": {"requester": "BUYER"}}

    draft = draft_of(order)

    assert (str(draft.action), draft.reason.code) == ("park", "CANCEL_ASKED")
    assert draft.reason.params == {"lines": order["orderItems"][1]["orderItemId"]}


def test_single_order_is_read_in_every_wrapping(shop):
    order = shop.payload(shop.new_order())

    for payload in (order, {"order": order}, {"payload": {"order": order}}, {"payload": {"orders": [order]}}):
        assert KIND.mapping.unwrap(payload) == [order]


# Poll


def test_search_asks_for_what_we_ship(shop, connect):
    arrive(shop, connect(shop))

    assert searches(shop) == [
        {
            "lastUpdatedAfter": "2015-01-01T00:00:00Z",
            "marketplaceIds": "A1PA6795UKMFR9",
            "fulfilledBy": "MERCHANT",
            "fulfillmentStatuses": "UNSHIPPED,PARTIALLY_SHIPPED,CANCELLED",
            "includedData": "BUYER,RECIPIENT,PROCEEDS,FULFILLMENT,CANCELLATION,PACKAGES",
            "maxResultsPerPage": "100",
        }
    ]


def test_next_run_begins_where_the_answers_ended(shop, connect):
    connection = connect(shop)
    arrive(shop, connection)
    shop.tick()
    shop.requests.clear()

    poll(connection)

    assert searches(shop)[0]["lastUpdatedAfter"] == "2026-11-02T08:50:30Z"
    assert connection.watermark == shop.clock  # of an answer without orders too


def test_search_keeps_to_its_rate_and_goes_on_later(shop, connect, monkeypatch):
    monkeypatch.setattr(KIND.client, "SEARCH", ("search", 1 / 180, 2))
    connection = connect(shop)
    for number in range(5):
        shop.new_order((f"SKU-{number}", 1))

    poll(connection)

    assert (Order.objects.count(), len(searches(shop))) == (4, 2)
    assert connection.watermark is None
    assert 100 < (connection.poll_due_at - timezone.now()).total_seconds() <= 180

    monkeypatch.setattr(KIND.client, "SEARCH", ("search", 1000, 2))
    poll(connection)

    assert Order.objects.count() == 5
    assert searches(shop)[2]["paginationToken"] == "page-4"  # and not from the begin
    assert (connection.cursor, connection.watermark) == ({}, shop.clock)


@pytest.mark.parametrize("begun", ["2026-11-02T09:00:00Z", "odd"])
def test_old_token_is_not_gone_on_with(shop, connect, begun):
    connection = connect(shop)
    Connection.objects.update(cursor={"token": "page-2", "since": "2026-11-02T09:00:00Z", "begun": begun})

    arrive(shop, connection)

    assert "paginationToken" not in searches(shop)[0]
    assert Order.objects.count() == 1


def test_refused_token_lets_the_next_run_begin_anew(shop, connect):
    connection = connect(shop)
    place = {"token": "page-2", "since": "2026-11-02T09:00:00Z", "begun": iso(timezone.now())}
    Connection.objects.update(cursor=place)
    shop.fail(400, body=shop.refusal("The token has expired."))

    arrive(shop, connection)
    assert (Order.objects.count(), connection.cursor) == (0, {})
    assert "The token has expired" in connection.last_error

    poll(connection)

    assert Order.objects.count() == 1


def test_token_that_ended_is_renewed_after_403(shop, connect):
    with open_client(connect(shop)) as client:
        client.check()
        shop.expire_token()

        assert client.search("2015-01-01T00:00:00Z")["orders"] == []
    assert shop.token_number == 2


def test_missing_right_is_not_a_token_that_ended(shop, connect):
    with open_client(connect(shop)) as client:
        client.check()
        shop.fail(403, body=shop.refusal("Access to requested resource is denied."))

        with pytest.raises(http.SignInFailed, match="denied"):
            client.order("028-1")
    assert shop.token_number == 1


def test_check_names_the_missing_role(shop, connect):
    shop.new_order(address=None)

    with open_client(connect(shop)) as client:
        assert "Direct-to-Consumer Delivery" in client.check()[0]


# Messages


def receive(connection, headers, body):
    return inbox.receive(connection.pk, httpx.Headers(headers), body, now=timezone.now())


def test_message_is_a_signal_to_read_the_order(shop, connect):
    connection = connect(shop)
    order = shop.new_order(("SKU-1", 2))

    receive(connection, *shop.webhook(order, key="n-1"))
    receive(connection, *shop.webhook(order, key="n-1"))
    work_off()

    assert Delivery.objects.get().key == "n-1"
    assert Order.objects.get().lines.get().quantity == 2
    assert searches(shop) == []


def test_other_messages_are_taken_and_ignored(shop, connect):
    receive(connect(shop), *shop.webhook(shop.new_order(), "ORDER_STATUS_CHANGE"))
    work_off()

    assert (Delivery.objects.get().state, Order.objects.count()) == ("IGNORED", 0)


def test_message_in_older_spelling_is_read(shop):
    order = shop.new_order()
    message = {"payload": {"orderChangeNotification": {"amazonOrderId": order.id}}}

    (signal,) = KIND.mapping.unwrap(message)

    assert outcome_of(signal) == ("ignore", "SIGNAL")


def test_message_without_an_order_is_not_of_this_source(shop, connect):
    connection = connect(shop)
    with open_client(connection) as client, pytest.raises(NotOfThisSource):
        KIND.inbound.read(client, "ORDER_CHANGE", {"NotificationType": "ORDER_CHANGE"})


# Reports


def test_confirmation_says_everything_that_amazon_asks_for(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 2), method="Expedited")

    parcel_id = hand_over(Order.objects.get(), (0, 2))
    work_off()

    record = Order.objects.get().parcel_records.get(parcel_id=parcel_id)
    assert confirmed(shop) == [
        {
            "marketplaceId": "A1PA6795UKMFR9",
            "packageDetail": {
                "packageReferenceId": "1",
                "carrierCode": "Other",
                "carrierName": "Demo carrier",
                "shippingMethod": "Expedited",
                "trackingNumber": "TRACK-1",
                "shipDate": iso(record.handed_over_at),
                "orderItems": [{"orderItemId": order.items[0].id, "quantity": 2}],
            },
        }
    ]
    assert Report.objects.get().remote_id == "1"


def test_each_parcel_has_a_reference_of_its_own(shop, connect):
    order = arrive(shop, connect(shop), ("SKU-1", 3))

    hand_over(Order.objects.get(), (0, 1), tracking="TRACK-1")
    work_off()
    hand_over(Order.objects.get(), (0, 2), tracking="TRACK-2")
    work_off()

    assert [body["packageDetail"]["packageReferenceId"] for body in confirmed(shop)] == ["1", "2"]
    assert shipped(order) == {"TRACK-1": {order.items[0].id: 1}, "TRACK-2": {order.items[0].id: 2}}


def test_reference_of_a_parcel_taken_back_is_given_to_no_other(shop, connect):
    order = arrive(shop, connect(shop, report_at="label"), ("SKU-1", 3))
    first, _second = (label(Order.objects.get(), (0, 1), tracking=f"TRACK-{name}") for name in "AB")
    work_off()
    with transaction.atomic():
        services.withdraw_parcel(first, now=timezone.now())

    label(Order.objects.get(), (0, 1), tracking="TRACK-C")
    work_off()

    assert {one["tracking"]: one["id"] for one in order.shipments} == {
        "TRACK-A": "1",
        "TRACK-B": "2",
        "TRACK-C": "3",
    }


@pytest.mark.parametrize(
    ("table", "sent"),
    [
        ({"demo": "DPD"}, {"carrierCode": "DPD"}),
        ({"demo": "dhl express"}, {"carrierCode": "dhl express"}),
        ({"other": "DPD"}, {"carrierCode": "Other", "carrierName": "Demo carrier"}),
    ],
)
def test_carrier_is_that_of_the_table_or_named_in_words(shop, connect, table, sent):
    arrive(shop, connect(shop, carriers=table))

    hand_over(Order.objects.get(), (0, 1))
    work_off()

    detail = confirmed(shop)[0]["packageDetail"]
    assert {name: value for name, value in detail.items() if name.startswith("carrier")} == sent


def test_confirmed_parcel_is_not_confirmed_again(shop, connect):
    arrive(shop, connect(shop), ("SKU-1", 2))
    shop.lose_answer()
    hand_over(Order.objects.get(), (0, 1))
    work_off()

    send_again()

    assert len(confirmed(shop)) == 1
    assert (Report.objects.get().state, Report.objects.get().remote_id) == ("SENT", "1")


def test_missing_units_are_for_a_person(shop, connect):
    arrive(shop, connect(shop, reports_cancellations=True), ("SKU-1", 2))

    miss(Order.objects.get(), 1)
    work_off()

    assert (Report.objects.get().state, Report.objects.get().reason_code) == ("PARKED", "NO_ROUTE")


def test_cancellation_here_cancels_the_whole_order_there(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True, cancel_reason="PRICING_ERROR"))

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()

    call = shop.requests[-1]
    assert order.is_cancelled
    assert (call.method, call.url.path) == ("PUT", f"{SEARCH}/{order.id}/cancellation")
    assert json.loads(call.content) == {"cancelReasonCode": "PRICING_ERROR"}


def test_cancellation_whose_answer_is_lost_is_looked_for(shop, connect):
    order = arrive(shop, connect(shop, reports_cancellations=True))
    shop.is_write = lambda call: call.url.path.endswith("/cancellation")
    shop.lose_answer()

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()
    send_again()

    assert (Report.objects.get().state, order.is_cancelled) == ("SENT", True)
    assert len(confirmed(shop)) == 1


def test_cancellations_are_not_told_without_a_path(shop, connect):
    arrive(shop, connect(shop, reports_cancellations=True, cancel_path=""))

    services.cancel(Order.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert (Report.objects.get().state, Report.objects.get().reason_code) == ("SKIPPED", "SWITCHED_OFF")
