"""What subscribers hear: the public name of each event, and the entity that goes with it as it was at that moment."""

import functools
from collections.abc import Callable
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Max, Prefetch, prefetch_related_objects
from django.utils import timezone

from fulfillment.core import outbox
from orders import wire as orders_wire
from orders.events import OrderCancelled, OrderModified, OrderPlaced, OrderUnlocked
from orders.models import Order
from packing import wire as packing_wire
from packing.events import PackJobCancelled, PackJobClosed, PackJobCreated, PackJobUpdated
from packing.models import PackJob
from picking import wire as picking_wire
from picking.events import (
    PickJobAborted,
    PickJobCancelled,
    PickJobCreated,
    PickJobPaused,
    PickJobPicked,
    PickJobRerouted,
    PickJobReset,
    PickJobStarted,
    PickLinePicked,
)
from picking.models import PickJob
from routing import wire as routing_wire
from routing.events import PlanFellBack, PlanNotRoutable, PlanRouted, PlanSplit, PlanWaiting
from routing.models import DecisionLog, RoutingPlan
from shipping.events import (
    HandedOver,
    HandoverCancelled,
    HandoverCreated,
    HandoverReverted,
    ParcelBooked,
    ParcelCreated,
    ParcelFailed,
    ParcelRequested,
    ParcelTracked,
    RefundTriggered,
    ReturnAnnounced,
    ReturnCancelled,
    ReturnFinished,
    ReturnJobCreated,
    ReturnJobUpdated,
    ShipmentCreated,
    ShipmentUpdated,
)
from shipping.models import HandoverJob, ItemReturn, Parcel, ReturnJob, Shipment
from shipping.wire import handovers, parcels, shipments
from shipping.wire import returns as returns_wire

from .models import Subscription, WebhookDelivery, WebhookEvent, WebhookStream

LANE = "webhooks"
DELIVER = "fulfillment.overview.tasks.deliver_webhooks"


class Source(NamedTuple):
    """Where an entity comes from. ``load(ids)`` reads them with what ``represent(entity)`` needs."""

    field: str  # of the event
    load: Callable
    represent: Callable


class Publication(NamedTuple):
    name: str
    source: Source
    description: str


def _plans(ids):
    runs = DecisionLog.objects.only("order", "run")
    return (
        RoutingPlan.objects.filter(pk__in=ids)
        .select_related("order", "pick_job")
        .prefetch_related("lines__order_line", "successors", Prefetch("order__decisions", runs))
    )


def _represent_plan(plan):
    job = getattr(plan, "pick_job", None)
    return routing_wire.represent(plan, job and job.pk)


def _stage(field, model, represent):
    return Source(field, lambda ids: model.objects.for_api().filter(pk__in=ids), represent)


ORDER = Source(
    "order_id",
    lambda ids: Order.objects.filter(pk__in=ids).prefetch_related("lines"),
    lambda order: orders_wire.represent(order, order.lines.all()),
)
PLAN = Source("plan_id", _plans, _represent_plan)
PICK_JOB = _stage("pick_job_id", PickJob, picking_wire.represent)
PACK_JOB = _stage("pack_job_id", PackJob, packing_wire.represent)
SHIPMENT = _stage("shipment_id", Shipment, shipments.represent_shipment)
PARCEL = _stage("parcel_id", Parcel, parcels.represent_parcel)
HANDOVER = _stage("handover_job_id", HandoverJob, handovers.represent_handover)
RETURN_JOB = _stage("return_job_id", ReturnJob, returns_wire.represent_job)
RETURN = _stage("item_return_id", ItemReturn, returns_wire.represent_refund)
# Of the whole order: heard of at every facility that has a part of it.
OF_ORDERS = (ORDER, RETURN_JOB)

PUBLICATIONS = {
    OrderPlaced: Publication("ORDER_CREATED", ORDER, "An order came in."),
    OrderModified: Publication("ORDER_MODIFIED", ORDER, "The shop changed an order."),
    OrderUnlocked: Publication("ORDER_UNLOCKED", ORDER, "Work on a held order may begin."),
    OrderCancelled: Publication("ORDER_CANCELLED", ORDER, "An order was cancelled."),
    PlanRouted: Publication("ROUTING_PLAN_ROUTED", PLAN, "A part of an order found its facility."),
    PlanSplit: Publication("ROUTING_PLAN_SPLITTED", PLAN, "An order goes out in several parts."),
    PlanWaiting: Publication("ROUTING_PLAN_WAITING", PLAN, "A part of an order waits for a facility."),
    PlanFellBack: Publication("ROUTING_PLAN_FALLBACK", PLAN, "A fallback facility takes a part of an order."),
    PlanNotRoutable: Publication(
        "ROUTING_PLAN_NOT_ROUTABLE", PLAN, "No more facilities are tried by itself."
    ),
    PickJobCreated: Publication("PICK_JOB_CREATED", PICK_JOB, "A facility is to pick something."),
    PickJobStarted: Publication(
        "PICK_JOB_PICKING_COMMENCED", PICK_JOB, "Somebody began to pick, or went on."
    ),
    PickJobPaused: Publication("PICK_JOB_PICKING_PAUSED", PICK_JOB, "A pick job was put aside."),
    PickLinePicked: Publication("PICK_LINE_PICKED", PICK_JOB, "The last open unit of a line was picked."),
    PickJobPicked: Publication("PICK_JOB_PICKING_FINISHED", PICK_JOB, "Everything there is was picked."),
    PickJobAborted: Publication("PICK_JOB_ABORTED", PICK_JOB, "Picking ended with nothing picked."),
    PickJobReset: Publication("PICK_JOB_RESET", PICK_JOB, "Picking begins again from nothing."),
    PickJobRerouted: Publication("PICK_JOB_REROUTED", PICK_JOB, "The part was placed elsewhere."),
    PickJobCancelled: Publication("PICK_JOB_CANCELED", PICK_JOB, "A pick job is not wanted any more."),
    PackJobCreated: Publication("PACK_JOB_CREATED", PACK_JOB, "What was picked is to be packed."),
    PackJobUpdated: Publication(
        "PACK_JOB_UPDATED", PACK_JOB, "Packing began or was put aside, or the job changed."
    ),
    PackJobClosed: Publication("PACK_JOB_CLOSED", PACK_JOB, "Everything picked is in a package."),
    PackJobCancelled: Publication("PACK_JOB_CANCELED", PACK_JOB, "A pack job is not wanted any more."),
    ShipmentCreated: Publication("SHIPMENT_CREATED", SHIPMENT, "What was picked is to be sent."),
    ShipmentUpdated: Publication("SHIPMENT_UPDATED", SHIPMENT, "A shipment changed."),
    ParcelCreated: Publication("PARCEL_CARRIER_CREATED", PARCEL, "A package becomes a parcel of a carrier."),
    ParcelRequested: Publication("PARCEL_CARRIER_REQUESTED", PARCEL, "The carrier is asked for a label."),
    ParcelBooked: Publication("PARCEL_CARRIER_ACKNOWLEDGED", PARCEL, "The parcel has its label and number."),
    ParcelFailed: Publication("PARCEL_CARRIER_FAILED", PARCEL, "The carrier refused the parcel."),
    ParcelTracked: Publication(
        "PARCEL_TRACK_AND_TRACE_STATUS_UPDATED", PARCEL, "The carrier said where the parcel is."
    ),
    HandoverCreated: Publication("HANDOVERJOB_CREATED", HANDOVER, "Goods wait for carrier or customer."),
    HandedOver: Publication("HANDOVERJOB_HANDED_OVER", HANDOVER, "Carrier or customer has the goods."),
    HandoverReverted: Publication("HANDOVERJOB_REVERTED", HANDOVER, "A handover was taken back."),
    HandoverCancelled: Publication("HANDOVERJOB_CANCELED", HANDOVER, "The customer did not take the goods."),
    ReturnJobCreated: Publication(
        "ITEM_RETURN_JOB_CREATED", RETURN_JOB, "Goods of an order left the house and may come back."
    ),
    ReturnJobUpdated: Publication(
        "ITEM_RETURN_JOB_UPDATED", RETURN_JOB, "Goods were announced, came back or were judged."
    ),
    ReturnAnnounced: Publication("RETURN_ANNOUNCED", RETURN, "The customer sends something back."),
    ReturnFinished: Publication("RETURN_FINISHED", RETURN, "Every unit of a return is accepted or rejected."),
    ReturnCancelled: Publication("RETURN_CANCELED", RETURN, "Nothing of a return comes any more."),
    RefundTriggered: Publication(
        "REFUND_TRIGGERED", RETURN, "The customer is to get money back; once per return, with the amounts."
    ),
}
# A scan locks nothing but its job, and the number of an event is drawn under the lock of the order: a worker does that.
LATER = {PickLinePicked}
NAMES = {publication.name for publication in PUBLICATIONS.values()}


def publish(announced, *, by, now):
    """Store events of one kind for those who subscribed to it, in the transaction of the change.

    Costs one query when nobody did.
    """
    publication = PUBLICATIONS[type(announced[0])]
    subscriptions = list(Subscription.objects.raw(*_subscribed(connection.vendor, publication.name)))
    if not subscriptions:
        return
    prefetch_related_objects(subscriptions, "facilities")
    source = publication.source
    entities = {
        entity.pk: entity for entity in source.load([getattr(event, source.field) for event in announced])
    }
    rows, hearers = [], []
    asks_where = any(subscription.facilities.all() for subscription in subscriptions)
    orders = {_order_of(entity) for entity in entities.values()}
    is_of_order = source in OF_ORDERS
    places = _facilities_of(orders) if asks_where and is_of_order else {}
    last: dict = dict(
        WebhookEvent.objects.filter(order_id__in={order.pk for order in orders})
        .values_list("order_id")
        .annotate(Max("sequence"))
        .order_by()
    )
    for event in announced:
        entity = entities[getattr(event, source.field)]
        order = _order_of(entity)
        facilities = places.get(order.pk, set()) if is_of_order else {entity.facility_id} - {None}
        hearing = [one for one in subscriptions if one.hears_of(order.channel_id, facilities)]
        if not hearing:
            continue
        last[order.pk] = last.get(order.pk, 0) + 1
        hearers.append(hearing)
        rows.append(
            WebhookEvent(
                event=publication.name,
                order_id=order.pk,
                sequence=last[order.pk],
                channel_id=order.channel_id,
                facility_ids=sorted(map(str, facilities)),
                entity_id=entity.pk,
                payload=source.represent(entity),
                created_at=now,
            )
        )
    if rows:
        WebhookEvent.objects.bulk_create(rows)
        queue(zip(rows, hearers, strict=True), now)


@functools.cache
def _subscribed(vendor, name):
    """SQL and parameters of who subscribed to an event: asked for every event, built once."""
    return Subscription.objects.live().filter(event=name).query.sql_with_params()


@transaction.atomic
def publish_later(event):
    """``publish`` for an event whose transaction did not hold the order. Called again, it is told again."""
    source = PUBLICATIONS[type(event)].source
    entity = source.load([getattr(event, source.field)]).get()
    Order.objects.lock(pk=_order_of(entity).pk)
    publish([event], by=None, now=timezone.now())


def _order_of(entity):
    return entity if isinstance(entity, Order) else entity.order


def _facilities_of(orders):
    """{order id: facilities that have to do with it}."""
    places = {order.pk: {order.collect_facility_id} - {None} for order in orders}
    plans = RoutingPlan.objects.filter(order__in=places).exclude(facility=None)
    for order_id, facility_id in plans.order_by().values_list("order_id", "facility_id"):
        places[order_id].add(facility_id)
    return places


def queue(pairs, now):
    """Let each event of ``(event, its subscriptions)`` be delivered; wakes a worker after the commit."""
    streams, deliveries = set(), []
    for event, subscriptions in pairs:
        for subscription in subscriptions:
            key = WebhookStream.key(event.order_id, subscription.callback_url)
            streams.add(key)
            deliveries.append(
                WebhookDelivery(
                    event=event, subscription=subscription, stream_id=key, due_at=now, queued_at=now
                )
            )
    WebhookStream.objects.bulk_create(
        [WebhookStream(pk=key) for key in sorted(streams)], ignore_conflicts=True
    )
    WebhookDelivery.objects.bulk_create(deliveries, ignore_conflicts=True)
    wake()


def wake():
    """Let a worker deliver what is due, after the commit."""
    transaction.on_commit(functools.partial(outbox.send, DELIVER, LANE))
