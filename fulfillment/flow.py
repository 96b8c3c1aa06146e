"""The whole pipeline on one screen: what follows from what.

    order source -> Order -> routing -> PickJob -> PackJob -> Shipment with Parcels -> HandoverJob

``react``: now, in the same transaction, database only, may refuse.
``deliver``: after the commit, in a worker, retried, idempotent; the lane is its queue.
"""

import packing.services as packing
import picking.services as picking
import routing.services as routing
import shipping.booking as booking
import shipping.services as shipping
from fulfillment.core.events import FacilityChanged, StockIncreased, deliver, react
from orders.events import OrderCancelled, OrderPlaced, OrderUnlocked
from packing.events import PackJobClosed
from picking.events import PickJobClosed
from routing.events import PlanCancelled, PlanRouted, RevisionPublished
from shipping.events import ParcelRequested

# An order comes in and finds its facilities; it is tried again when stock, a facility or the rules change.
deliver(OrderPlaced, routing.route_placed_order, lane="routing")
deliver(StockIncreased, routing.retry_waiting, lane="routing")
deliver(FacilityChanged, routing.retry_waiting, lane="routing")
deliver(RevisionPublished, routing.retry_waiting, lane="routing")

# Each routed part becomes a pick job; the parts of a held order when it is unlocked.
react(PlanRouted, picking.on_plan_routed)
react(OrderUnlocked, routing.on_order_unlocked)

# What was picked is packed and, unless the customer collects it, shipped.
react(PickJobClosed, packing.on_pick_job_closed)
react(PickJobClosed, shipping.on_pick_job_closed)

# What is packed gets its labels, or waits for the customer.
react(PackJobClosed, shipping.on_pack_job_closed)
deliver(ParcelRequested, booking.book_parcel, lane="labels")

# A cancelled order stops everywhere; a stage that is too far refuses. Last stage first: it knows best.
react(OrderCancelled, shipping.on_order_cancelled)
react(OrderCancelled, packing.on_order_cancelled)
react(OrderCancelled, picking.on_order_cancelled)
react(OrderCancelled, routing.on_order_cancelled)
react(PlanCancelled, picking.on_plan_cancelled)
