"""The whole pipeline on one screen: what follows from what.

    order source -> Order -> routing -> PickJob -> PackJob -> Shipment with Parcels -> HandoverJob

``react``: now, in the same transaction, database only, may refuse; ``react_together``: for several events at once.
``deliver``: after the commit, in a worker, retried, idempotent; the lane is its queue.
"""

import orders.bulk as bulk
import packing.services as packing
import picking.jobs as jobs
import picking.services as picking
import routing.services as routing
import routing.trials as trials
import shipping.booking as booking
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
    PromiseConfirmed,
    PromiseExpired,
)
from packing.events import PackJobClosed
from picking.events import PickJobClosed, PickJobReset, PickJobRestarted
from routing.events import (
    PlanCancelled,
    PlanReopened,
    PlanReplaced,
    PlanRouted,
    RetryAsked,
    RevisionPublished,
    TrialAsked,
)
from shipping.events import ParcelRequested

# An order comes in and finds its facilities; it is tried again when stock, a facility or the rules change.
deliver(BulkReceived, bulk.work_off, lane="bulk")
deliver(OrderPlaced, routing.route_placed_orders, lane="routing", batch=routing.BATCH)
deliver(StockIncreased, routing.retry_waiting, lane="routing")
deliver(FacilityChanged, routing.retry_waiting, lane="routing")
deliver(RevisionPublished, routing.retry_waiting, lane="routing")
deliver(RetryAsked, routing.retry_waiting, lane="routing")
deliver(PlanReopened, routing.route_reopened, lane="routing")
deliver(FacilityChanged, routing.reroute_from_offline, lane="routing")
deliver(StockDecreased, routing.reroute_uncovered, lane="routing")
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

# A cancelled order stops everywhere; a stage that is too far refuses. Last stage first: it knows best.
react(OrderCancelled, shipping.on_order_cancelled)
react(OrderCancelled, packing.on_order_cancelled)
react(OrderCancelled, picking.on_order_cancelled)
react(OrderCancelled, routing.on_order_cancelled)
react(PlanCancelled, picking.on_plan_cancelled)

# What subscribers hear of it: each event with a public name is stored for them as it was, in the order it happened.
for event_type in publications.PUBLICATIONS:
    observe(event_type, publications.publish)
