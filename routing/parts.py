"""What several steps do with the parts of an order. Runs in their transactions, under the lock of the order."""

from collections import Counter

from fulfillment.core import rows
from fulfillment.core.models import Listing
from fulfillment.core.services.stock import lock_listings
from fulfillment.core.status import log_created
from routing.models import Reservation, RoutingPlan, RoutingPlanLine


def give_back(plan):
    """Delete the reservations of a plan and lower the counters of their listings, under the listings' locks.

    Returns whether there were any.
    """
    reservations = Reservation.objects.filter(plan_line__plan=plan)
    units = Counter()
    for listing_id, quantity in reservations.values_list("listing_id", "quantity"):
        units[listing_id] += quantity
    if not units:
        return False
    lock_listings(units)
    rows.add(Listing, "reserved", {pk: -quantity for pk, quantity in units.items()})
    reservations.delete()
    return True


def wait_for_facility(before, units, reason, *, run=None, blacklist=(), by, now):
    """A new part with ``{order line id: units}`` that waits for its facility, after one that ended or shrank."""
    plan = RoutingPlan.objects.create(
        status=RoutingPlan.Status.RETRYABLE,
        order_id=before.order_id,
        predecessor=before,
        run=before.run if run is None else run,
        blacklist=list(blacklist),
        reason=reason,
        created_at=now,
    )
    RoutingPlanLine.objects.bulk_create(
        RoutingPlanLine(plan=plan, order_line_id=line_id, quantity=quantity)
        for line_id, quantity in units.items()
    )
    log_created(plan, by=by, now=now, reason=reason)
    return plan
