"""Stock: every change locks the listing first, writes the ledger and says what arrived."""

import dataclasses
import uuid

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..events import StockIncreased, emit
from ..models import Article, Listing, Stock, StockMovement


class NotEnoughStock(Refused):
    text = _("Only %(value)s units of %(sku)s are booked on that location.")


class UnknownArticle(Refused):
    text = _("There is no article %(sku)s. Create it first or correct the SKU.")


@dataclasses.dataclass(frozen=True)
class Take:
    """Units taken from (positive) or put back on (negative) a stock row."""

    stock_id: uuid.UUID
    units: int


def lock_listings(listing_ids):
    """Lock listings in key order: the global order that keeps two steps from waiting in a circle."""
    return {listing.pk: listing for listing in Listing.objects.filter(pk__in=listing_ids).lock_all()}


def _change(stock, delta, kind, *, by, now, reason="", order_id=None):
    # Called under the listing's lock, so reading the value and writing it back cannot lose a change.
    stock.value += delta
    stock.version += 1
    stock.save(update_fields=["value", "version", "modified_at"])
    StockMovement.objects.create(
        stock=stock,
        kind=kind,
        delta=delta,
        reason=reason,
        order_id=order_id,
        at=now,
        by=by,
    )


@transaction.atomic
def receive(facility, sku, units, *, location=None, expires_on=None, by, now, reason=""):
    """Book a goods receipt; creates listing and stock row where missing. Refuses an unknown article."""
    article = Article.objects.filter(sku=sku).first()
    if article is None:
        raise UnknownArticle(sku=sku)
    listing, _created = Listing.objects.get_or_create(facility=facility, article=article)
    lock_listings([listing.pk])
    stock, _created = Stock.objects.get_or_create(
        listing=listing, location=location, expires_on=expires_on, is_defective=False
    )
    _change(stock, units, StockMovement.Kind.RECEIPT, by=by, now=now, reason=reason)
    emit(StockIncreased(facility_id=facility.pk), by=by, now=now)
    return stock


@transaction.atomic
def correct(stock_id, value, *, reason, by, now, kind=StockMovement.Kind.CORRECTION):
    """Set the counted value of a stock row. A count below what is reserved is kept; routing looks at it again."""
    lock_listings(Stock.objects.filter(pk=stock_id).values_list("listing_id", flat=True))
    stock = Stock.objects.select_related("listing").get(pk=stock_id)
    delta = value - stock.value
    if delta:
        _change(stock, delta, kind, by=by, now=now, reason=reason)
    if delta > 0:
        emit(StockIncreased(facility_id=stock.listing.facility_id), by=by, now=now)
    return stock


def take(takes, *, kind=StockMovement.Kind.PICK, order_id=None, by, now, reason=""):
    """Lower (or with negative units raise) stock rows. Runs in the caller's transaction.

    The caller holds the listing locks (``lock_listings``) or lets this take them: listings come before stock.

    Raises:
        NotEnoughStock: a row holds fewer units than are to be taken; nothing is changed then.
    """
    takes = [item for item in takes if item.units]
    ids = sorted(item.stock_id for item in takes)
    lock_listings(Stock.objects.filter(pk__in=ids).values_list("listing_id", flat=True))
    stocks = Stock.objects.filter(pk__in=ids).select_related("listing__article").in_bulk()
    for item in sorted(takes, key=lambda item: item.stock_id):
        stock = stocks[item.stock_id]
        if stock.value < item.units:
            raise NotEnoughStock(value=stock.value, sku=stock.listing.article.sku)
    for item in sorted(takes, key=lambda item: item.stock_id):
        _change(
            stocks[item.stock_id],
            -item.units,
            kind,
            by=by,
            now=now,
            reason=reason,
            order_id=order_id,
        )
