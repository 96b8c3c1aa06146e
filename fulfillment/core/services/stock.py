"""Stock: every change locks the listing first, writes the ledger and says what arrived."""

import dataclasses
import datetime
import uuid
from collections import Counter

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext_lazy as _

from .. import rows
from ..errors import Refused, VersionConflict
from ..events import StockDecreased, StockIncreased, emit
from ..models import Article, Listing, Stock, StockMovement, User
from ..status import check_version

DETAILS = ("custom_attributes", "extra")
MOST_UNITS = 1_000_000  # per booking: a scanned code in the quantity field is a mistake, not a delivery


class NotEnoughStock(Refused):
    text = _("Only %(value)s units of %(sku)s are booked on that location.")


class UnknownArticle(Refused):
    text = _("There is no article %(sku)s. Create it first or correct the SKU.")


class StockExists(Refused):
    status_code = 400
    text = _("%(sku)s has stock %(existing)s at this place already. Change that one.")


class StockInUse(Refused):
    text = _("A job has units of this stock of %(sku)s. Set its value to 0 instead of deleting it.")


class UnitsOutOfRange(Refused):
    text = _("A number of units is from %(least)s to %(most)s.")


class ForeignLocation(Refused):
    text = _("%(location)s is not a storage location of %(facility)s.")


class CountedMeanwhile(Refused):
    """The person looked at an older value than the stored one."""

    status_code = 409
    text = _("The stock changed meanwhile: it was %(seen)s and is now %(value)s units. Count again.")


@dataclasses.dataclass(frozen=True)
class Count:
    """Units counted of an article at a place; a missing listing or stock row is created."""

    facility_id: uuid.UUID
    article_id: uuid.UUID
    value: int
    location_id: uuid.UUID | None = None
    expires_on: datetime.date | None = None
    version: int | None = None  # of the stock row the count was meant for
    details: dict | None = None  # what else is known of the units: values of DETAILS


@dataclasses.dataclass(frozen=True)
class Take:
    """Units taken from (positive) or put back on (negative) a stock row."""

    stock_id: uuid.UUID
    units: int


def lock_listings(listing_ids):
    """Lock listings in key order: the global order that keeps two steps from waiting in a circle."""
    return {listing.pk: listing for listing in Listing.objects.filter(pk__in=listing_ids).lock_all()}


def _book(deltas, kind, *, by, now, reason="", order_id=None):
    # Called under the listings' locks. One ledger row per stock row that changes.
    deltas = {pk: delta for pk, delta in sorted(deltas.items()) if delta}
    rows.add(Stock, "value", deltas, changed_at=now)
    rows.insert(
        StockMovement,
        (
            StockMovement(
                stock_id=pk,
                kind=kind,
                delta=delta,
                reason=reason[:200],
                order_id=order_id,
                at=now,
                by=by if isinstance(by, User) else None,
            )
            for pk, delta in deltas.items()
        ),
    )


def _announce_increase(facility_ids, *, by, now):
    for facility_id in sorted(facility_ids):
        emit(StockIncreased(facility_id=facility_id), by=by, now=now)


def _announce_decrease(facility_ids, *, by, now):
    for facility_id in sorted(facility_ids):
        emit(StockDecreased(facility_id=facility_id), by=by, now=now)


def _check_units(units, least):
    if not least <= units <= MOST_UNITS:
        raise UnitsOutOfRange(least=least, most=MOST_UNITS)


@transaction.atomic
def receive(
    facility,
    sku,
    units,
    *,
    location=None,
    expires_on=None,
    is_defective=False,
    kind=StockMovement.Kind.RECEIPT,
    order_id=None,
    by,
    now,
    reason="",
):
    """Book a goods receipt, or what comes back; creates listing and stock row where missing; returns the stock row.

    Refuses an unknown article, a location of another facility and less than one unit.
    """
    _check_units(units, least=1)
    if location is not None and location.facility_id != facility.pk:
        raise ForeignLocation(location=location, facility=facility)
    article = Article.objects.filter(sku=sku).first()
    if article is None:
        raise UnknownArticle(sku=sku)
    listing, _created = Listing.objects.get_or_create(facility=facility, article=article)
    lock_listings([listing.pk])
    stock, _created = Stock.objects.get_or_create(
        listing=listing, location=location, expires_on=expires_on, is_defective=is_defective
    )
    _book({stock.pk: units}, kind, by=by, now=now, reason=reason, order_id=order_id)
    if not is_defective:
        _announce_increase([facility.pk], by=by, now=now)
    stock.refresh_from_db(fields=["value", "version", "modified_at"])
    return stock


@transaction.atomic
def open_stock(
    facility,
    sku,
    value,
    *,
    location=None,
    expires_on=None,
    is_defective=False,
    details=None,
    by,
    now,
    reason="",
):
    """Book the first units of an article at a place; returns the new stock row. Creates the listing where missing.

    Refuses a place that has a row already, an unknown article, and a location of another facility.

    Args:
        details: values of DETAILS.
    """
    _check_units(value, least=0)
    if location is not None and location.facility_id != facility.pk:
        raise ForeignLocation(location=location, facility=facility)
    article = Article.objects.filter(sku=sku).first()
    if article is None:
        raise UnknownArticle(sku=sku)
    listing, _created = Listing.objects.get_or_create(facility=facility, article=article)
    lock_listings([listing.pk])
    place = {"listing": listing, "location": location, "expires_on": expires_on, "is_defective": is_defective}
    existing = Stock.objects.filter(**place).first()
    if existing is not None:
        raise StockExists(sku=sku, existing=existing.pk)
    stock = Stock.objects.create(**place, **(details or {}), created_at=now)
    _book({stock.pk: value}, StockMovement.Kind.RECEIPT, by=by, now=now, reason=reason)
    if value:
        _announce_increase([facility.pk], by=by, now=now)
    return stock


@transaction.atomic
def remove(stock_id, *, by, now):
    """Book a stock row out and delete it with its ledger. Refuses one that a job has units of."""
    lock_listings(Stock.objects.filter(pk=stock_id).values_list("listing_id", flat=True))
    stock = Stock.objects.select_related("listing__article").get(pk=stock_id)
    if stock.value:
        _announce_decrease([stock.listing.facility_id], by=by, now=now)
    try:
        with transaction.atomic():
            stock.movements.all().delete()
            stock.delete()
    except ProtectedError as error:
        raise StockInUse(sku=stock.listing.article.sku) from error


@transaction.atomic
def correct(
    stock_id,
    value,
    *,
    reason,
    by,
    now,
    seen=None,
    version=None,
    details=None,
    kind=StockMovement.Kind.CORRECTION,
):
    """Set the counted value of a stock row; returns the row.

    A count below what is reserved is kept; routing looks at it again. Refuses a negative count, an old version, and
    (with ``seen``, the value the person had before the eyes) a stock that changed meanwhile.
    """
    _check_units(value, least=0)
    lock_listings(Stock.objects.filter(pk=stock_id).values_list("listing_id", flat=True))
    stock = Stock.objects.select_related("listing").get(pk=stock_id)
    check_version(stock, version)
    if seen is not None and seen != stock.value:
        raise CountedMeanwhile(seen=seen, value=stock.value)
    delta = value - stock.value
    _book({stock.pk: delta}, kind, by=by, now=now, reason=reason)
    _describe({stock.pk: details} if details else {}, {stock.pk} if delta else set(), now=now)
    if delta > 0:
        _announce_increase([stock.listing.facility_id], by=by, now=now)
    if delta < 0:
        _announce_decrease([stock.listing.facility_id], by=by, now=now)
    stock.refresh_from_db(fields=["value", "version", "modified_at"])
    return stock


@dataclasses.dataclass(frozen=True)
class Counted:
    """What a count found: the stock row, and the units it had before (None when it is new)."""

    stock_id: uuid.UUID
    before: int | None
    version: int | None = None


@transaction.atomic
def count_many(counts, *, kind=StockMovement.Kind.IMPORT, by, now, reason=""):
    """Set many counted values at once; queries per batch, not per row.

    A later count of the same place wins, its details too. Refuses a value out of range; nothing is changed then.

    Returns:
        Per count a ``Counted``, or a ``VersionConflict`` when it was meant for another version.
    """
    for count in counts:
        _check_units(count.value, least=0)
    listing_ids = _lock_counted({(count.facility_id, count.article_id) for count in counts})
    places = [
        (listing_ids[count.facility_id, count.article_id], count.location_id, count.expires_on)
        for count in counts
    ]
    found = _sound_stock(listing_ids.values())
    answers: list[VersionConflict | None] = []
    wanted, details = {}, {}
    for count, place in zip(counts, places, strict=True):
        there = found.get(place)
        if there is None or count.version in (None, there.version):
            wanted[place] = count.value
            if count.details:
                details[place] = count.details
            answers.append(None)
        else:
            answers.append(VersionConflict(requested=count.version, current=there.version))
    new = {
        place: Stock(
            listing_id=place[0],
            location_id=place[1],
            expires_on=place[2],
            created_at=now,
            modified_at=now,
            **details.pop(place, {}),
        )
        for place in wanted
        if place not in found
    }
    rows.insert(Stock, new.values())
    found |= {place: Counted(row.pk, None) for place, row in new.items()}
    deltas = {place: value - (found[place].before or 0) for place, value in wanted.items()}
    _book(
        {found[place].stock_id: delta for place, delta in deltas.items()}, kind, by=by, now=now, reason=reason
    )
    booked = {found[place].stock_id for place, delta in deltas.items() if delta}
    _describe({found[place].stock_id: values for place, values in details.items()}, booked, now=now)
    facility_of = {pk: facility for (facility, _article), pk in listing_ids.items()}
    more = {facility_of[place[0]] for place, delta in deltas.items() if delta > 0}
    less = {facility_of[place[0]] for place, delta in deltas.items() if delta < 0}
    _announce_increase(more, by=by, now=now)
    _announce_decrease(less, by=by, now=now)
    return [answer or found[place] for answer, place in zip(answers, places, strict=True)]


def _describe(details, booked, *, now):
    """Set the details of stock rows; the version rises once, also when the value changed with them.

    Args:
        details: ``{stock id: values of DETAILS}``.
        booked: ids of those whose version rose with their value already.
    """
    changed = []
    for row in Stock.objects.filter(pk__any=sorted(details)) if details else ():
        values = details[row.pk]
        if any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            row.version, row.modified_at = row.version + (row.pk not in booked), now
            changed.append(row)
    Stock.objects.bulk_create(
        changed,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=[*DETAILS, "version", "modified_at"],
    )


def _lock_counted(pairs):
    """Lock the listings of (facility id, article id), creating what is missing: ``{pair: listing id}``."""
    listing_ids = _listing_ids(pairs)
    if missing := pairs - listing_ids.keys():
        rows.insert_missing(
            Listing,
            (Listing(facility_id=facility, article_id=article) for facility, article in sorted(missing)),
        )
        listing_ids = _listing_ids(pairs)
    # Key order over all batches: the batches are slices of the sorted keys. Only the locks are wanted here.
    for batch in rows.batches(sorted(listing_ids.values())):
        list(Listing.objects.filter(pk__any=batch).select_for_update().order_by("pk").values_list("pk"))
    return listing_ids


def _listing_ids(pairs):
    """``{(facility id, article id): listing id}`` of those that exist."""
    facilities = {facility for facility, _article in pairs}
    return {
        (facility, article): pk
        for batch in rows.batches(sorted({article for _facility, article in pairs}))
        for pk, facility, article in Listing.objects.filter(facility__in=facilities, article__any=batch)
        .order_by()
        .values_list("pk", "facility_id", "article_id")
        if (facility, article) in pairs
    }


def _sound_stock(listing_ids):
    """``{(listing id, location id, expires on): Counted}`` of the listings."""
    return {
        (listing, location, expires_on): Counted(pk, value, version)
        for batch in rows.batches(sorted(listing_ids))
        for pk, listing, location, expires_on, value, version in Stock.objects.filter(
            listing__any=batch, is_defective=False
        )
        .order_by()
        .values_list("pk", "listing_id", "location_id", "expires_on", "value", "version")
    }


def take(takes, *, kind=StockMovement.Kind.PICK, order_id=None, by, now, reason=""):
    """Lower (or with negative units raise) stock rows. Runs in the caller's transaction.

    The caller holds the listing locks (``lock_listings``) or lets this take them: listings come before stock.
    Several takes of one row count together.

    Raises:
        NotEnoughStock: a row holds fewer units than are to be taken; nothing is changed then.
    """
    units = Counter()
    for item in takes:
        units[item.stock_id] += item.units
    lock_listings(Stock.objects.filter(pk__in=units).values_list("listing_id", flat=True))
    stocks = Stock.objects.filter(pk__in=units).select_related("listing__article").in_bulk()
    for stock_id in sorted(units):
        stock = stocks[stock_id]
        if stock.value < units[stock_id]:
            raise NotEnoughStock(value=stock.value, sku=stock.listing.article.sku)
    _book(
        {stock_id: -taken for stock_id, taken in units.items()},
        kind,
        by=by,
        now=now,
        reason=reason,
        order_id=order_id,
    )
