"""Counting a place: what lies there is set against what is booked there, and the difference is booked."""

import dataclasses
import uuid

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.models import Article, Listing, StockMovement
from fulfillment.core.services import stock

from . import holders


class ReasonMissing(Refused):
    text = _("Say why the stock is changed.")


class NothingCounted(Refused):
    text = _("Count at least one article first.")


class RowElsewhere(Refused):
    text = _("What was counted is not booked on %(location)s any more. Count again.")


@dataclasses.dataclass(frozen=True)
class Row:
    """What was counted of a stock row, and the version that was counted against."""

    stock_id: uuid.UUID
    units: int
    version: int


@dataclasses.dataclass(frozen=True)
class Difference:
    article: Article
    before: int
    after: int

    @property
    def delta(self):
        return self.after - self.before


@transaction.atomic
def book(location, rows, found, *, reason, by, now):
    """Book what was counted on a place; returns the ``Difference`` of each article that is not as it was booked.

    Units in the baskets of pickers are still booked on their place and do not lie there: they are added to the count.

    Args:
        found: ``{article: units}`` of what was not booked there.
    Refuses without a reason, nothing counted, and a row that changed since it was counted.
    """
    if not reason.strip():
        raise ReasonMissing
    if not rows and not found:
        raise NothingCounted
    here = Q(stocks__location=location) | Q(facility=location.facility_id, article__in=found)
    stock.lock_listings(set(Listing.objects.filter(here).values_list("pk", flat=True)))
    booked = {row.pk: row for row in holders.at_location(location)}
    baskets = holders.in_baskets(booked.values())
    differences = []
    for row in rows:
        old = booked.get(row.stock_id)
        if old is None:
            raise RowElsewhere(location=location)
        new = stock.correct(
            old.pk, row.units + baskets[old.pk], version=row.version, reason=reason.strip(), by=by, now=now
        )
        differences.append(Difference(old.listing.article, old.value, new.value))
    for article, units in found.items():
        stock.receive(
            location.facility,
            article.sku,
            units,
            location=location,
            kind=StockMovement.Kind.CORRECTION,
            reason=reason.strip(),
            by=by,
            now=now,
        )
        differences.append(Difference(article, 0, units))
    return [difference for difference in differences if difference.delta]
