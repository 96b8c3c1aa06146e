"""What a job that ends changes on the shelves."""

from collections import Counter

from django.utils.translation import gettext

from fulfillment.core.models import Stock, StockMovement
from fulfillment.core.services import stock

from .. import restow
from ..models import Allocation, PickJob, ShortReason


def put_goods_aside(job, lines, reason, *, by, now):
    """Take what is in the basket out of the stock: nobody finds it on its shelf until it is put back there."""
    if any(line.picked for line in lines):
        stock.lock_listings({line.listing_id for line in lines})
        take_picked(job, lines, by=by, now=now)
        restow.come_back(job, {line: line.picked for line in lines}, reason, by=by, now=now)


def take_picked(job, lines, *, by, now):
    """Lower the stock by what was picked: from the planned rows first, then from other usable ones of the listing.

    A picker may have found more than is booked; the difference is then booked in first, so that the ledger says so.
    """
    of_lines = Stock.objects.filter(listing_id__in={line.listing_id for line in lines})
    rows = {row.pk: row for row in of_lines}
    usable = {}
    for row in of_lines.usable(now.date()).order_by("pk"):
        usable.setdefault(row.listing_id, []).append(row.pk)
    left = {pk: row.value for pk, row in rows.items()}
    units = Counter()
    for line in lines:
        rest = line.picked
        planned = [allocation.stock_id for allocation in line.allocations.all()]
        places = list(dict.fromkeys([*planned, *usable.get(line.listing_id, [])]))
        for pk in places:
            taken = min(rest, left[pk])
            units[pk] += taken
            left[pk] -= taken
            rest -= taken
        if rest:
            reason = str(gettext("Picked more than was booked"))
            row = rows[places[0]] if places else _any_row(rows, line)
            if row is None:
                row = stock.receive(
                    job.facility,
                    line.listing.article.sku,
                    rest,
                    kind=StockMovement.Kind.CORRECTION,
                    reason=reason,
                    by=by,
                    now=now,
                )
                rows[row.pk], left[row.pk] = row, 0
            else:
                stock.correct(row.pk, row.value + rest, reason=reason, by=by, now=now)
                row.value += rest
            units[row.pk] += rest
    stock.take(
        [stock.Take(stock_id=pk, units=taken) for pk, taken in units.items()],
        order_id=job.order_id,
        by=by,
        now=now,
    )


def _any_row(rows, line):
    """Where units are booked that were found although no usable row is left; None when every row was removed meanwhile."""
    return rows.get(min((pk for pk, row in rows.items() if row.listing_id == line.listing_id), default=None))


def correct_places(line, *, is_emptied, by, now):
    """Set the stock of a short line's places: to what the picker counted there, the others to nothing if ``is_emptied``.

    The count was made with the picked units in the basket: they have left the stock by now. Those in the baskets of
    colleagues have not.
    """
    if line.left_at_id:
        in_baskets = sum(
            min(other.quantity, other.line.picked)
            for other in Allocation.objects.filter(
                stock=line.left_at_id, line__picked__gt=0, line__job__status__in=PickJob.UNFINISHED
            )
            .exclude(line__job=line.job_id)
            .select_related("line")
        )
        reason = gettext("Counted when units were missing")
        stock.correct(line.left_at_id, line.left + in_baskets, reason=reason, by=by, now=now)
    if is_emptied:
        reason = str(ShortReason(line.short_reason).label)
        for allocation in line.allocations.all():
            if allocation.stock_id != line.left_at_id:
                stock.correct(allocation.stock_id, 0, reason=reason, by=by, now=now)
