"""Who holds this: the stock of an article or a place, and the jobs and orders for which it is kept."""

import dataclasses

from django.db.models import F, Prefetch

from fulfillment.core.models import Listing, Stock
from routing.models import Reservation

from .models import Allocation, PickJob


@dataclasses.dataclass(frozen=True)
class ArticleStock:
    """An article at a facility; ``listing`` is None where nobody ever had it."""

    listing: Listing | None
    reservations: list


def _planned():
    """Allocations of jobs that are still to be picked; those of ended ones hold nothing."""
    return (
        Allocation.objects.filter(line__job__status__in=PickJob.UNFINISHED)
        .select_related("line__job__order", "line__job__editor")
        .order_by("line__job__target_time", "pk")
    )


def of_article(facility, article, today):
    """The places of an article with ``planned`` allocations, and the reservations of its units, the oldest first."""
    rows = (
        Stock.objects.select_related("location")
        .prefetch_related(Prefetch("allocations", _planned(), to_attr="planned"))
        .order_by(F("location__running_sequence").asc(nulls_last=True), "expires_on", "pk")
    )
    listing = (
        Listing.objects.filter(facility=facility, article=article)
        .with_available(today)
        .prefetch_related(Prefetch("stocks", rows))
        .first()
    )
    if listing is None:
        return ArticleStock(None, [])
    reservations = Reservation.objects.filter(listing=listing).select_related(
        "plan_line__plan__order", "plan_line__plan__pick_job"
    )
    return ArticleStock(listing, list(reservations))


def at_location(location):
    """The stock rows of a place with ``planned`` allocations."""
    return list(
        Stock.objects.filter(location=location)
        .select_related("listing__article")
        .prefetch_related(Prefetch("allocations", _planned(), to_attr="planned"))
        .order_by("listing__article__sku", "expires_on", "pk")
    )


def in_baskets(rows):
    """``{stock id: units}`` that are booked on rows with ``planned`` but already lie in a picker's basket."""
    return {
        row.pk: sum(min(allocation.quantity, allocation.line.picked) for allocation in row.planned)
        for row in rows
    }
