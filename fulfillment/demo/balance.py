"""Nothing may get lost: what came in is on a shelf, or was handed over."""

from collections import Counter

from django.db.models import Sum

from fulfillment.core.models import Stock, StockMovement
from picking.models import RestowItem
from shipping.models import HandoverJob, HandoverLine

Kind = StockMovement.Kind


def difference(received, in_stock, handed_over):
    """Units per SKU that are missing (positive) or too many (negative); empty when the stock is balanced."""
    missing = Counter(received)
    missing.subtract(in_stock)
    missing.subtract(handed_over)
    return {sku: units for sku, units in sorted(missing.items()) if units}


def _sum(rows, sku, units):
    return dict(rows.order_by().values(sku).annotate(total=Sum(units)).values_list(sku, "total"))


def units_received():
    """Units per SKU that came in by receipt, count or import; picks are not counted."""
    rows = StockMovement.objects.exclude(kind__in=[Kind.PICK, Kind.RETURN])
    return _sum(rows, "stock__listing__article__sku", "delta")


def units_in_stock():
    return _sum(Stock.objects.all(), "listing__article__sku", "value")


def units_handed_over():
    """Units per SKU that a carrier or a customer took; neither what a customer refused nor what is back is counted."""
    rows = HandoverLine.objects.filter(job__status=HandoverJob.Status.HANDED_OVER)
    taken = Counter(_sum(rows, "order_line__article__sku", "handed_over"))
    back = RestowItem.objects.filter(reason=RestowItem.Reason.RETURNED, status=RestowItem.Status.CLOSED)
    taken.subtract(_sum(back, "article__sku", "quantity"))
    return dict(taken)
