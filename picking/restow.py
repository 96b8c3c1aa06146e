"""What was picked and is not wanted any more goes back on its shelf: work for somebody, and out of the stock until then."""

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.models import Listing, Stock, StockMovement, User
from fulfillment.core.queries import find_article, find_location
from fulfillment.core.services import stock
from fulfillment.core.status import log_created, transit
from orders.models import Order

from . import load_units
from .models import PickLine, RestowItem


class NoteMissing(Refused):
    text = _("Say why the units are not put back.")


class AlreadyPutBack(Refused):
    text = _("%(item)s is on its shelf again already.")


def come_back(job, units, reason, *, by, now):
    """Make the work of putting units back that left the stock for a job; runs in the caller's transaction.

    Args:
        units: ``{pick line: units}``; a line without units is passed over.
    """
    items = []
    for line, quantity in units.items():
        if not quantity:
            continue
        allocation = line.allocations.select_related("stock").first()
        place = allocation.stock if allocation else None
        items.append(
            RestowItem(
                facility_id=job.facility_id,
                order_id=job.order_id,
                job=job,
                article_id=line.article_id,
                listing_id=line.listing_id,
                quantity=quantity,
                reason=reason,
                location_id=place and place.location_id,
                expires_on=place and place.expires_on,
                created_at=now,
            )
        )
    RestowItem.objects.bulk_create(items)
    if items:
        log_created(*items, by=by, now=now, reason=RestowItem.Reason(reason).label)
    return items


def come_back_later(units, reason, *, by, now):
    """``come_back`` for goods of a later stage, which knows them by their pick lines.

    Args:
        units: ``{pick line id: units}``.
    """
    coming: dict = {}
    for line in PickLine.objects.filter(pk__in=units).select_related("job").order_by("job", "pk"):
        coming.setdefault(line.job, {})[line] = units[line.pk]
    for job, lines in coming.items():
        come_back(job, lines, reason, by=by, now=now)


def take_in(facility, order_id, returned, *, by, now):
    """Make the work of putting away what a customer returned; runs in the caller's transaction.

    Defective units have places of their own: nothing of that stock is ever available.

    Args:
        returned: ``[(article, units, is defective)]``.
    """
    items = []
    for article, quantity, is_defective in returned:
        listing, _created = Listing.objects.get_or_create(facility=facility, article=article)
        shelves = Stock.objects.filter(listing=listing, is_defective=is_defective, location__isnull=False)
        shelf = shelves.order_by("-value", "location__running_sequence", "pk").first()
        items.append(
            RestowItem(
                facility=facility,
                order_id=order_id,
                article=article,
                listing=listing,
                quantity=quantity,
                reason=RestowItem.Reason.RETURNED,
                is_defective=is_defective,
                location_id=shelf and shelf.location_id,
                created_at=now,
            )
        )
    RestowItem.objects.bulk_create(items)
    if items:
        log_created(*items, by=by, now=now, reason=RestowItem.Reason.RETURNED.label)
    return items


def withdraw(order_id, facility_id, reason, *, by, now):
    """Take the work back: the goods are wanted after all. Refuses when some are on their shelf already."""
    items = RestowItem.objects.filter(order_id=order_id, facility_id=facility_id, reason=reason)
    for item in items.lock_all():
        if item.status == RestowItem.Status.CLOSED:
            raise AlreadyPutBack(item=item)
        if item.status == RestowItem.Status.OPEN:
            transit(item.write_off, "", None, now, by=by, now=now)


def find(facility, code=""):
    """What is to be put back at a facility: all of it, or the article or place that was scanned."""
    items = RestowItem.objects.at(facility).open()
    if not code:
        return items
    return items.filter(
        Q(article=find_article(code)[0]) | Q(location__isnull=False, location=find_location(facility, code))
    )


def _lock(item_id):
    order_id = RestowItem.objects.values_list("order_id", flat=True).get(pk=item_id)
    Order.objects.lock(pk=order_id)
    return RestowItem.objects.lock(pk=item_id)


@transaction.atomic
def put_back(item_id, *, location=None, by, now):
    """Book the units in where they lie now: on ``location``, else where they lay before.

    Refuses units that are put back already and, through the stock, a location of another facility.
    """
    item = _lock(item_id)
    location = location or item.location
    transit(item.put_back, location, by if isinstance(by, User) else None, now, by=by, now=now)
    stock.receive(
        item.facility,
        item.article.sku,
        item.quantity,
        location=location,
        expires_on=item.expires_on,
        is_defective=item.is_defective,
        kind=StockMovement.Kind.RETURN,
        order_id=item.order_id,
        by=by,
        now=now,
        reason=str(item.get_reason_display()),
    )
    if item.job_id:
        load_units.free_unless_waiting(item.job_id, by=by, now=now)
    return item


@transaction.atomic
def write_off(item_id, *, note, by, now):
    """End the work without booking the units in: they are broken or lost. Refuses without a word why."""
    if not note.strip():
        raise NoteMissing
    item = _lock(item_id)
    transit(
        item.write_off,
        note.strip()[:200],
        by if isinstance(by, User) else None,
        now,
        by=by,
        now=now,
        reason=note,
    )
    if item.job_id:
        load_units.free_unless_waiting(item.job_id, by=by, now=now)
    return item
