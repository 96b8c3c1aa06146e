"""Actions on an order and changes of it, through the API."""

import datetime

import pytest
from django.utils import timezone

from fulfillment.core.api.schema import validate
from fulfillment.core.errors import WrongStatus
from fulfillment.core.models import Listing, OutboxEntry, StatusChange
from orders import services, tasks, wire
from orders.events import OrderModified
from orders.models import Order
from picking import services as picking
from picking.models import PickJob, RestowItem
from routing import services as routing
from routing.models import Reservation, RoutingPlan
from tests.apiclient import Api, described
from tests.factories.core import (
    ArticleFactory,
    ChannelFactory,
    FacilityFactory,
    api_token,
    put_stock,
    staff,
)
from tests.factories.orders import ADDRESS, OrderFactory, wire_line

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def article():
    return ArticleFactory()


@pytest.fixture
def facility(article):
    facility = FacilityFactory()
    put_stock(facility, article, 10)
    return facility


def promised(*lines, until=HOUR, **fields):
    end = timezone.now() + until
    return OrderFactory(*lines, status="PROMISED", promisesOptions={"validUntil": end.isoformat()}, **fields)


def route(order):
    return routing.route_order(order.pk, by=None, now=timezone.now())


def act(api, order, name, version=1, **fields):
    return api.post(f"/api/orders/{order.pk}/actions", {"name": name, "version": version, **fields})


def change(api, order, version=1, **fields):
    return api.patch(f"/api/orders/{order.pk}", {"version": version, **fields})


def good(response):
    assert response.status_code == 200, response.content
    return validate(wire.order, response.json())


# Actions


def test_unlock_hands_the_order_to_picking(api, article, facility):
    order = OrderFactory((article, 2), status="LOCKED")
    route(order)

    answer = good(act(api, order, "UNLOCK", targetTime="2026-03-05T16:00:00Z"))

    assert (answer["status"], answer["version"]) == ("OPEN", 2)
    assert answer["deliveryPreferences"]["targetTime"].startswith("2026-03-05T16:00:00")
    assert PickJob.objects.get().target_time == datetime.datetime(2026, 3, 5, 16, tzinfo=datetime.UTC)


def test_unlock_of_an_open_order_is_refused(api):
    response = act(api, OrderFactory(), "UNLOCK")

    assert (response.status_code, response.json()[0]["summary"]) == (422, "WRONG_STATUS")


def test_cancel_cancels_with_the_reason_and_again_changes_nothing(api):
    order = OrderFactory()

    first = good(act(api, order, "CANCEL", reason="Found it elsewhere"))
    second = good(act(api, order, "CANCEL", version=1))

    assert (first["status"], first["version"]) == ("CANCELLED", 2)
    assert second == first
    assert StatusChange.objects.get(action="cancel").reason == "Found it elsewhere"


def test_cancel_too_late_is_400(api, article, facility):
    order = OrderFactory((article, 2))
    route(order)
    PickJob.objects.get().lines.update(picked=1)

    response = act(api, order, "CANCEL")

    assert (response.status_code, response.json()[0]["summary"]) == (400, "ALREADY_PICKED")
    assert Order.objects.get().status == "OPEN"


def test_cancel_of_an_ended_order_is_400(api):
    order = promised(until=HOUR)
    services.expire_promises(now=timezone.now() + 2 * HOUR)

    assert act(api, order, "CANCEL", version=2).status_code == 400


@pytest.mark.parametrize("name", ["UNLOCK", "CANCEL", "CONFIRM_PROMISE", "EXTEND_PROMISE"])
def test_an_old_version_is_409_with_both(api, name):
    response = act(api, OrderFactory(), name, version=7)

    error = response.json()[0]
    assert (response.status_code, error["requestVersion"], error["version"]) == (409, 7, 1)


def test_an_unknown_action_is_400_and_names_the_allowed(api):
    response = act(api, OrderFactory(), "EXPLODE")

    assert response.status_code == 400
    assert described(response) == [
        "name: must be one of UNLOCK, CANCEL, FORCE_CANCEL, CONFIRM_PROMISE, EXTEND_PROMISE, "
        "CHANGE_CONSUMER_ADDRESS, REPLACE_CONSUMER_ADDRESSES"
    ]


def test_an_action_needs_the_version(api):
    response = api.post(f"/api/orders/{OrderFactory().pk}/actions", {"name": "CANCEL"})

    assert (response.status_code, described(response)) == (400, ["version: is required"])


def test_an_action_is_done_once_per_key(api):
    order = promised()
    body = {"name": "EXTEND_PROMISE", "version": 1}

    answers = [
        api.post(f"/api/orders/{order.pk}/actions", body, **{"Idempotency-Key": "k"}) for _time in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert answers[1]["Idempotency-Replayed"] == "true"
    assert Order.objects.get().version == 2


def test_force_cancel_is_off_unless_the_installation_allows_it(api, settings, article, facility):
    order = OrderFactory((article, 2))
    route(order)

    off = act(api, order, "FORCE_CANCEL")
    settings.FORCE_CANCEL_ALLOWED = True
    PickJob.objects.get().lines.update(picked=1)
    mild = act(api, order, "CANCEL", version=1)
    old = act(api, order, "FORCE_CANCEL", version=9)
    done = good(act(api, order, "FORCE_CANCEL"))

    assert (off.status_code, off.json()[0]["summary"]) == (422, "FORCE_CANCEL_OFF")
    assert mild.json()[0]["summary"] == "ALREADY_PICKED"
    assert old.status_code == 409
    assert done["status"] == "CANCELLED"
    assert (RestowItem.objects.get().quantity, RestowItem.objects.get().reason) == (1, "CANCELLED")


# Promises


def test_a_confirmed_promise_is_picked_under_the_number_of_the_shop(api, article, facility):
    order = promised((article, 2), tenantOrderId="")
    route(order)
    assert RoutingPlan.objects.get().status == "PROMISED"

    answer = good(act(api, order, "CONFIRM_PROMISE", tenantOrderId="N-1"))

    assert (answer["status"], answer["tenantOrderId"]) == ("OPEN", "N-1")
    assert RoutingPlan.objects.get().status == "ROUTED"
    assert PickJob.objects.get().status == "OPEN"


def test_confirming_with_a_number_in_use_is_refused(api):
    OrderFactory(tenantOrderId="N-1")

    response = act(api, promised(), "CONFIRM_PROMISE", tenantOrderId="N-1")

    assert (response.status_code, response.json()[0]["summary"]) == (400, "NUMBER_TAKEN")


@pytest.mark.parametrize("name", ["CONFIRM_PROMISE", "EXTEND_PROMISE"])
def test_a_promise_action_needs_a_promise_that_has_not_ended(api, name):
    opened = act(api, OrderFactory(), name)
    late = promised()
    Order.objects.filter(pk=late.pk).update(promised_until=timezone.now())

    ended = act(api, late, name)

    assert (opened.status_code, opened.json()[0]["summary"]) == (422, "WRONG_STATUS")
    assert (ended.status_code, ended.json()[0]["summary"]) == (422, "PROMISE_ENDED")


def test_extending_moves_the_end_and_the_answer_says_so(api):
    order = promised()
    until = timezone.now() + 3 * HOUR

    answer = good(act(api, order, "EXTEND_PROMISE", validUntil=until.isoformat()))

    assert datetime.datetime.fromisoformat(answer["promisesOptions"]["validUntil"]) == until
    assert Order.objects.get().promised_until == until
    assert StatusChange.objects.filter(action="extend_promise").count() == 1


def test_extending_without_a_time_gives_an_hour_and_never_more_than_eight(api):
    order = promised(until=7.5 * HOUR)

    good(act(api, order, "EXTEND_PROMISE"))

    ahead = Order.objects.get().promised_until - timezone.now()
    assert 7.9 * HOUR < ahead <= 8 * HOUR


@pytest.mark.parametrize("ahead", [0.5 * HOUR, 9 * HOUR])
def test_extending_to_a_bad_end_is_refused(api, ahead):
    response = act(api, promised(), "EXTEND_PROMISE", validUntil=(timezone.now() + ahead).isoformat())

    assert (response.status_code, response.json()[0]["summary"]) == (400, "BAD_PROMISE_END")


def test_an_expired_promise_becomes_obsolete_and_gives_its_units_back(article, facility):
    order, kept = promised((article, 2)), promised((article, 3), until=3 * HOUR)
    route(order)
    route(kept)
    Order.objects.filter(pk=order.pk).update(promised_until=timezone.now())

    tasks.expire_promises()
    tasks.expire_promises()

    assert Order.objects.get(pk=order.pk).status == "OBSOLETE"
    assert Order.objects.get(pk=kept.pk).status == "PROMISED"
    assert RoutingPlan.objects.get(order=order).status == "CANCELED"
    assert Listing.objects.get().reserved == 3
    assert Reservation.objects.get().plan_line.plan.order == kept
    assert StatusChange.objects.filter(action="expire").count() == 1


# Changes


def test_patch_changes_notes_without_placing_anew(api, article, facility):
    order = OrderFactory((article, 2))
    route(order)

    answer = good(
        change(
            api,
            order,
            customAttributes={"gift": True},
            pricing={"fees": [{"name": "wrap", "value": {"currency": "EUR", "value": 200}}]},
            preferredHandlingTime="2026-03-05T16:00:00Z",
            comment="Asked by phone",
        )
    )

    assert answer["customAttributes"] == {"gift": True}
    assert answer["pricing"]["fees"][0]["name"] == "wrap"
    assert answer["version"] == 2
    assert PickJob.objects.get().target_time == datetime.datetime(2026, 3, 5, 16, tzinfo=datetime.UTC)
    assert [plan.status for plan in RoutingPlan.objects.all()] == ["ROUTED"]
    assert StatusChange.objects.get(action="modify").reason == "Asked by phone"


def test_patch_that_changes_nothing_leaves_the_version(api):
    order = OrderFactory()

    answer = good(change(api, order, customAttributes={}, consumer=order.consumer, orderLineItems=None))

    assert answer["version"] == 1
    assert not OutboxEntry.objects.filter(event="OrderModified").exists()


def test_other_lines_and_units_are_placed_anew(api, article, facility):
    other = ArticleFactory()
    put_stock(facility, other, 4)
    order = OrderFactory((article, 2))
    route(order)
    line = order.lines.get()

    answer = good(
        change(api, order, orderLineItems=[{"id": str(line.pk), "quantity": 5}, wire_line(other, 1)])
    )
    assert [item["quantity"] for item in answer["orderLineItems"]] == [5, 1]
    assert PickJob.objects.get().status == "REROUTED"
    assert Listing.objects.get(article=article).reserved == 0
    entry = OutboxEntry.objects.get(event="OrderModified")
    routing.route_modified_order(OrderModified.from_payload(entry.payload))
    routing.route_modified_order(OrderModified.from_payload(entry.payload))

    old, new = RoutingPlan.objects.order_by("pk")
    assert (old.status, old.reroute_reason) == ("REROUTED", "ORDER_MODIFIED")
    assert (new.status, new.predecessor, new.facility) == ("ROUTED", old, facility)
    assert sorted(new.lines.values_list("quantity", flat=True)) == [1, 5]
    assert [Listing.objects.get(article=item).reserved for item in (article, other)] == [5, 1]
    assert PickJob.objects.filter(status="OPEN").count() == 1


def test_another_address_is_placed_anew_and_read_again(api, article, facility):
    order = OrderFactory((article, 2))
    route(order)
    address = {**ADDRESS, "city": "Utrecht", "firstName": "Bea", "coordinates": None}

    answer = good(act(api, order, "REPLACE_CONSUMER_ADDRESSES", consumerAddresses=[address]))

    order.refresh_from_db()
    assert answer["consumer"]["addresses"][0]["city"] == "Utrecht"
    assert (order.recipient_name, order.latitude) == ("Bea de Vries", None)
    assert RoutingPlan.objects.filter(status="RETRYABLE", predecessor__status="REROUTED").count() == 1


def test_an_invoice_address_is_changed_alone(api, article, facility):
    order = OrderFactory((article, 2))
    route(order)

    answer = good(
        act(
            api,
            order,
            "CHANGE_CONSUMER_ADDRESS",
            addressType="INVOICE_ADDRESS",
            consumerAddress={**ADDRESS, "city": "Breda"},
        )
    )

    cities = {each["addressType"]: each["city"] for each in answer["consumer"]["addresses"]}
    assert cities == {"POSTAL_ADDRESS": "Amsterdam", "INVOICE_ADDRESS": "Breda"}
    assert RoutingPlan.objects.get().status == "ROUTED"


def test_lines_are_not_changed_once_picking_has_begun(api, article, facility):
    order = OrderFactory((article, 2))
    route(order)
    picking.start(PickJob.objects.get().pk, by=staff("picker", facility), now=timezone.now())
    line = order.lines.get()

    lines = change(api, order, orderLineItems=[{"id": str(line.pk), "quantity": 1}])
    notes = change(api, order, customAttributes={"gift": True})

    assert (lines.status_code, lines.json()[0]["summary"]) == (422, "PICKING_BEGUN")
    assert notes.status_code == 200
    line.refresh_from_db()
    assert line.quantity == 2


@pytest.mark.parametrize(
    ("item", "status", "code"),
    [
        ({"id": "nobody", "quantity": 1}, 400, "UNKNOWN_LINE"),
        ({"quantity": 0}, 422, "LINE_NOT_REMOVABLE"),
        ({"article": {"tenantArticleId": "OTHER", "title": "Other"}}, 400, "OTHER_ARTICLE"),
    ],
)
def test_patch_refuses_a_bad_line(api, item, status, code):
    order = OrderFactory()
    item = {"id": str(order.lines.get().pk), **item}

    response = change(api, order, orderLineItems=[item])

    assert (response.status_code, response.json()[0]["summary"]) == (status, code)
    assert described(response)[0].startswith("orderLineItems[0].")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"status": "OPEN"}, "status: is not a known property"),
        ({"orderLineItems": [{"quantity": 1}]}, "orderLineItems[0].article: is required for a new line"),
        (
            {"consumer": {"email": "a@b.example"}},
            "consumer.addresses: an order that is shipped needs an address.",
        ),
    ],
)
def test_patch_refuses_what_is_invalid(api, fields, message):
    response = change(api, OrderFactory(), **fields)

    assert (response.status_code, described(response)) == (400, [message])


def test_patch_of_a_cancelled_order_or_an_old_version_is_refused(api):
    order = OrderFactory()
    good(act(api, order, "CANCEL"))

    assert change(api, order, version=1, customAttributes={"a": 1}).status_code == 409
    assert change(api, order, version=2, customAttributes={"a": 1}).status_code == 422


def test_orders_of_others_are_not_found(client):
    order = OrderFactory(channel=ChannelFactory(key="other", name="Other"))
    elsewhere = OrderFactory.collect()
    stranger = Api(client, api_token(facilities=[FacilityFactory()]))

    assert act(Api(client), order, "CANCEL").status_code == 404
    assert change(Api(client), order).status_code == 404
    assert act(stranger, elsewhere, "CANCEL").status_code == 404


def test_a_method_that_does_not_exist_is_405(api):
    assert api.delete(f"/api/orders/{OrderFactory().pk}").status_code == 405


def test_expired_is_no_wrong_status_for_the_service():
    order = OrderFactory()

    with pytest.raises(WrongStatus):
        services.confirm_promise(order.pk, by=None, now=timezone.now())
