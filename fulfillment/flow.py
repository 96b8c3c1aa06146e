"""The whole pipeline on one screen: what follows from what.

    order source -> Order -> routing -> PickJob -> PackJob -> Shipment with Parcels -> HandoverJob -> ReturnJob

``react``: now, in the same transaction, database only, may refuse; ``react_together``: for several events at once.
``deliver``: after the commit, in a worker, retried, idempotent; the lane is its queue.
"""

import orders.bulk as bulk
import orders.sources.reports as reports
import packing.services as packing
import picking.jobs as jobs
import picking.runs as runs
import picking.services as picking
import routing.reroutes as reroutes
import routing.services as routing
import routing.trials as trials
import shipping.booking as booking
import shipping.loads as loads
import shipping.messages as messages
import shipping.papers as papers
import shipping.pickup as pickup
import shipping.pickup_papers as pickup_papers
import shipping.returns as returns
import shipping.services as shipping
from fulfillment.core.events import (
    FacilityChanged,
    StockDecreased,
    StockIncreased,
    deliver,
    observe,
    react,
    react_together,
)
from fulfillment.overview import publications
from orders.events import (
    BulkReceived,
    OrderCancelled,
    OrderModified,
    OrderPlaced,
    OrderUnlocked,
    ParcelDelivered,
    ParcelHandedOver,
    ParcelHandoverTakenBack,
    ParcelRecorded,
    ParcelWithdrawn,
    PromiseConfirmed,
    PromiseExpired,
    ReturnRecorded,
    ShortRecorded,
)
from orders.sources.events import ReportDue, ReturnOpened
from packing.events import PackJobClosed
from picking.events import (
    PickJobAborted,
    PickJobCancelled,
    PickJobClosed,
    PickJobRerouted,
    PickJobReset,
    PickJobRestarted,
)
from routing.events import (
    PlanCancelled,
    PlanReopened,
    PlanReplaced,
    PlanRouted,
    RetryAsked,
    RevisionPublished,
    TrialAsked,
)
from shipping.events import (
    GoodsReady,
    HandedOver,
    HandoverCreated,
    HandoverReverted,
    LoadClosed,
    ParcelCancelled,
    ParcelRequested,
    ShipmentConfirmed,
)

# An order comes in and finds its facilities; it is tried again when stock, a facility or the rules change.
deliver(BulkReceived, bulk.work_off, lane="bulk")
deliver(OrderPlaced, routing.route_placed_orders, lane="routing", batch=routing.BATCH)
deliver(StockIncreased, routing.retry_waiting, lane="routing")
deliver(FacilityChanged, routing.retry_waiting, lane="routing")
deliver(RevisionPublished, routing.retry_waiting, lane="routing")
deliver(RetryAsked, routing.retry_waiting, lane="routing")
deliver(PlanReopened, reroutes.route_reopened, lane="routing")
deliver(FacilityChanged, reroutes.reroute_from_offline, lane="routing")
deliver(StockDecreased, reroutes.reroute_uncovered, lane="routing")
deliver(TrialAsked, trials.work_off, lane="reports")

# Each routed part becomes a pick job; the parts of a held order when it is unlocked.
react_together(PlanRouted, jobs.on_plans_routed)
react(OrderUnlocked, routing.on_order_unlocked)
react(PromiseConfirmed, routing.on_order_unlocked)
react(PromiseExpired, routing.on_promise_expired)

# A changed order is placed anew, as long as nobody has begun with it.
react(OrderModified, picking.on_order_modified)
react(OrderModified, routing.on_order_modified)
deliver(OrderModified, routing.route_modified_order, lane="routing")
react(PlanReplaced, picking.on_plan_replaced)

# A run lets go of a job that ends or begins again, and ends with its last one.
react(PickJobCancelled, runs.on_job_left)
react(PickJobRerouted, runs.on_job_left)
react(PickJobAborted, runs.on_job_left)
react(PickJobReset, runs.on_job_left)
react(PickJobClosed, runs.on_job_closed)

# What was picked is packed and, unless the customer collects it, shipped.
react(PickJobClosed, packing.on_pick_job_closed)
react(PickJobClosed, shipping.on_pick_job_closed)

# A picking is taken back as long as nobody goes on with its goods.
react(PickJobReset, packing.on_pick_job_reopened)
react(PickJobReset, shipping.on_pick_job_reopened)
react(PickJobRestarted, packing.on_pick_job_reopened)
react(PickJobRestarted, shipping.on_pick_job_reopened)

# What is packed gets its labels, or waits for the customer.
react(PackJobClosed, shipping.on_pack_job_closed)
deliver(ParcelRequested, booking.book_parcel, lane="labels")
deliver(ShipmentConfirmed, papers.make_papers, lane="labels")
deliver(ParcelCancelled, booking.cancel_at_carrier, lane="labels")

# A customer comes with the PIN or code that the goods got, and takes a receipt along.
react(HandoverCreated, pickup.on_handover_created)
react(HandoverReverted, pickup.on_handover_reverted)
deliver(HandedOver, pickup.make_receipt, lane="labels")
deliver(GoodsReady, pickup_papers.make_papers, lane="labels")

# What left the house may come back.
react(HandedOver, returns.on_handed_over)
react(HandoverReverted, returns.on_handover_reverted)

# Customers are told: ready for pick-up, and shipped.
deliver(HandoverCreated, messages.announce_pickup, lane="reports")
deliver(HandedOver, messages.announce_shipped, lane="reports")

# A driver signed: the list is drawn, and the carrier hears which parcels it has.
deliver(LoadClosed, loads.make_manifest, lane="labels")
deliver(LoadClosed, loads.ask_carrier, lane="labels")

# A cancelled order stops everywhere; a stage that is too far refuses. Last stage first: it knows best.
react(OrderCancelled, shipping.on_order_cancelled)
react(OrderCancelled, packing.on_order_cancelled)
react(OrderCancelled, picking.on_order_cancelled)
react(OrderCancelled, routing.on_order_cancelled)
react(PlanCancelled, picking.on_plan_cancelled)

# What the shop or marketplace hears of an order that came from it.
react(ParcelRecorded, reports.on_parcel_recorded)
react(ParcelHandedOver, reports.on_parcel_handed_over)
react(ParcelHandoverTakenBack, reports.on_parcel_taken_back)
react(ParcelWithdrawn, reports.on_parcel_taken_back)
react(ParcelDelivered, reports.on_parcel_delivered)
react(ReturnRecorded, reports.on_return_recorded)
react(ReturnOpened, reports.on_return_opened)
react(ShortRecorded, reports.on_short_recorded)
react(OrderCancelled, reports.on_order_cancelled)
deliver(ReportDue, reports.send, lane="sources")

# What subscribers hear of it: each event with a public name is stored for them as it was, in the order it happened.
for event_type in publications.PUBLICATIONS.keys() - publications.LATER:
    observe(event_type, publications.publish)
for event_type in publications.LATER:
    deliver(event_type, publications.publish_later, lane="webhooks")
