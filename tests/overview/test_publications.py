"""What subscribers hear on the way of an order, and what it costs when nobody listens."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core import events
from fulfillment.core.api.schema import validate
from fulfillment.core.models import Channel
from fulfillment.overview import delivering, publications
from fulfillment.overview.models import WebhookDelivery, WebhookEvent
from orders import services as orders
from orders import wire as orders_wire
from orders.events import OrderPlaced
from orders.models import Order
from packing import wire as packing_wire
from picking import services as picking
from picking import wire as picking_wire
from picking.models import PickJob
from routing import services as routing
from routing import wire as routing_wire
from shipping import returns
from shipping import services as shipping
from shipping.models import HandoverJob
from shipping.wire import handovers, parcels, shipments
from shipping.wire import returns as returns_wire
from tests.factories.core import ArticleFactory, ChannelFactory, FacilityFactory, staff
from tests.factories.orders import OrderFactory, wire_order
from tests.factories.overview import subscribe
from tests.factories.returns import finished, opened, taken
from tests.receiver import Receiver
from tests.test_flow import Shop, Store, stocked, store, work_off

pytestmark = pytest.mark.django_db

PARTS = {
    "ORDER": orders_wire.order,
    "ROUTING_PLAN": routing_wire.plan,
    "PICK_": picking_wire.pick_job,
    "PACK_JOB": packing_wire.pack_job,
    "SHIPMENT": shipments.shipment,
    "PARCEL": parcels.parcel,
    "HANDOVERJOB": handovers.handover,
    "ITEM_RETURN_JOB": returns_wire.return_job,
    "RETURN_": returns_wire.item_return,
    "REFUND_": returns_wire.item_return,
}


@pytest.fixture
def receiver():
    with Receiver().listening() as receiver:
        for name in publications.NAMES:
            subscribe(receiver.url, name)
        yield receiver


def told(receiver):
    """[(event, status)] as the receiver heard them; each payload is what its entity's answer promises."""
    delivering.run()
    for call in receiver.calls:
        prefix = next(name for name in PARTS if call.data["event"].startswith(name))
        validate(PARTS[prefix], call.data["payload"])
    return [(call.data["event"], call.data["payload"].get("status")) for call in receiver.calls]


def test_an_order_is_told_from_its_creation_to_its_handover(client, receiver):
    facility = store()
    mug = stocked(ArticleFactory(code="4006381333931"), 5, facility)
    order = Shop(client).place(wire_order((mug, 2), customAttributes={"commercetoolsId": "c-1"}))
    work_off("routing")
    job = PickJob.objects.get(order=order)
    people = Store(client, facility)
    people.pick(job)
    work_off("webhooks")
    people.pack(job.pack_job)
    work_off("labels")
    people.hand_over(HandoverJob.objects.get(order=order))

    assert told(receiver) == [
        ("ORDER_CREATED", "OPEN"),
        ("ROUTING_PLAN_ROUTED", "ROUTED"),
        ("PICK_JOB_CREATED", "OPEN"),
        ("PICK_JOB_PICKING_COMMENCED", "IN_PROGRESS"),
        ("PICK_JOB_PICKING_FINISHED", "PICKED"),
        ("PACK_JOB_CREATED", "OPEN"),
        ("SHIPMENT_CREATED", "INITIAL"),
        ("PICK_LINE_PICKED", "CLOSED"),  # by a worker, after what the job was closed for
        ("PACK_JOB_UPDATED", "IN_PROGRESS"),
        ("PACK_JOB_CLOSED", "CLOSED"),
        ("SHIPMENT_UPDATED", "REQUEST"),
        ("PARCEL_CARRIER_CREATED", "OPEN"),
        ("PARCEL_CARRIER_REQUESTED", "OPEN"),
        ("PARCEL_CARRIER_ACKNOWLEDGED", "DONE"),
        ("HANDOVERJOB_CREATED", "OPEN"),
        ("SHIPMENT_UPDATED", "CONFIRMED"),
        ("SHIPMENT_UPDATED", "COMPLETED"),
        ("HANDOVERJOB_HANDED_OVER", "HANDED_OVER"),
        ("ITEM_RETURN_JOB_CREATED", "OPEN"),
    ]
    assert receiver.sequences == list(range(1, 20))
    payloads = {call.data["event"]: call.data["payload"] for call in receiver.calls}
    assert payloads["PICK_JOB_CREATED"]["customAttributes"] == {"commercetoolsId": "c-1"}
    assert payloads["HANDOVERJOB_CREATED"]["tenantOrderId"] == order.tenant_order_id
    assert payloads["HANDOVERJOB_CREATED"]["shipmentRef"] == payloads["SHIPMENT_CREATED"]["id"]


def test_what_is_collected_and_what_goes_wrong_is_told_too(client, receiver):
    facility = store()
    mug = stocked(ArticleFactory(code="4006381333931"), 5, facility)
    step = {"by": None, "now": timezone.now()}
    aborted = OrderFactory((mug, 2))
    routing.route_order(aborted.pk, **step)
    job = PickJob.objects.get(order=aborted)
    picking.start(job.pk, **step)
    picking.pause(job.pk, **step)
    picking.abort(job.pk, **step)
    order = Shop(client).place(
        wire_order((mug, 1), deliveryPreferences={"collect": [{"facilityRef": str(facility.pk)}]})
    )
    work_off("routing")
    people = Store(client, facility)
    job = PickJob.objects.get(order=order)
    people.pick(job)
    people.pack(job.pack_job)
    handover = HandoverJob.objects.get(order=order)
    people.hand_over(handover)
    shipping.revert(handover.pk, reason="Wrong person", **step)
    shipping.cancel_handover(handover.pk, HandoverJob.CancelReason.CONSUMER_NO_SHOW, **step)
    nowhere = OrderFactory(("SKU-NOBODY", 1))
    routing.route_order(nowhere.pk, **step)
    orders.cancel(nowhere.pk, **step)

    heard = dict(told(receiver))

    for name, status in {
        "PICK_JOB_PICKING_PAUSED": "PAUSED",
        "PICK_JOB_ABORTED": "ABORTED",
        "HANDOVERJOB_HANDED_OVER": "HANDED_OVER",
        "HANDOVERJOB_REVERTED": "OPEN",
        "HANDOVERJOB_CANCELED": "CANCELED",
        "ROUTING_PLAN_WAITING": "RETRYABLE",
        "ORDER_CANCELLED": "CANCELLED",
    }.items():
        assert heard.get(name) == status, name


def test_what_is_rolled_back_is_never_told(receiver):
    with transaction.atomic():
        OrderFactory()
        assert WebhookEvent.objects.exists()
        transaction.set_rollback(True)

    assert told(receiver) == []
    assert not WebhookEvent.objects.exists()


def test_each_event_that_is_published_is_connected():
    for event_type in publications.PUBLICATIONS.keys() - publications.LATER:
        assert events._observers[event_type] == [publications.publish]
    for event_type in publications.LATER:
        assert [one.handler for one in events._deliveries[event_type]] == [publications.publish_later]
    assert len(publications.NAMES) == len(publications.PUBLICATIONS)


def test_nobody_listening_costs_one_query_whatever_the_number():
    placed = [OrderPlaced(order_id=OrderFactory().pk) for _number in range(3)]
    subscribe(event="ORDER_CANCELLED")

    with CaptureQueriesContext(connection) as queries:
        publications.publish(placed, by=None, now=timezone.now())

    assert len(queries) == 1


def test_many_orders_cost_as_many_queries_as_one():
    subscribe(event="ORDER_CREATED")
    placed = [OrderPlaced(order_id=OrderFactory().pk) for _number in range(3)]
    WebhookEvent.objects.all().delete()
    counts = []
    for some in (placed[:1], placed[1:]):
        with CaptureQueriesContext(connection) as queries:
            publications.publish(some, by=None, now=timezone.now())
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert WebhookDelivery.objects.count() == 3


def test_a_subscription_of_a_facility_hears_of_no_other():
    here, there = FacilityFactory(), FacilityFactory()
    subscription = subscribe(event="ORDER_CREATED", facilities=[here])
    OrderFactory()
    OrderFactory(collect=there)
    order = OrderFactory(collect=here)

    assert list(WebhookDelivery.objects.values_list("subscription", "event__order_id")) == [
        (subscription.pk, order.pk)
    ]


def test_a_subscription_of_a_channel_hears_of_no_other():
    mine, other = ChannelFactory(), ChannelFactory(key="other", name="Other")
    subscribe(event="ORDER_CREATED", channel=mine)
    OrderFactory(channel=other)
    order = OrderFactory(channel=mine)

    assert WebhookEvent.objects.get().order_id == order.pk
    assert Channel.objects.count() == Order.objects.count() == 2


def test_the_payload_is_the_entity_as_it_was_then(receiver):
    order = OrderFactory()
    orders.cancel(order.pk, by=staff("administrator"), now=timezone.now())

    assert told(receiver) == [("ORDER_CREATED", "OPEN"), ("ORDER_CANCELLED", "CANCELLED")]


def test_a_return_is_told_from_its_announcement_to_its_refund(receiver):
    job = taken(2)
    store = FacilityFactory()
    line = job.lines.get()
    announced = returns.announce(
        job.pk, [returns.Wanted(line.pk, 1)], facility=store, by=None, now=timezone.now()
    )
    finished(job, facility=store)
    returns.cancel(opened(job, store).pk, by=None, now=timezone.now())

    heard = [event for event in told(receiver) if "RETURN" in event[0] or "REFUND" in event[0]]
    updates = ("ITEM_RETURN_JOB_UPDATED", "IN_PROGRESS")
    assert [event for event in heard if event != updates] == [
        ("ITEM_RETURN_JOB_CREATED", "OPEN"),
        ("RETURN_ANNOUNCED", "ANNOUNCED"),
        ("RETURN_FINISHED", "FINISHED"),
        ("REFUND_TRIGGERED", "FINISHED"),
        ("RETURN_CANCELED", "CANCELED"),
    ]
    assert heard.count(updates) == 6
    (refund,) = [call.data["payload"] for call in receiver.calls if call.data["event"] == "REFUND_TRIGGERED"]
    assert refund["id"] == str(announced.pk)
    assert refund["refunds"] == [{"currency": "EUR", "value": 19.9}]
    assert refund["tenantOrderId"] == job.order.tenant_order_id
