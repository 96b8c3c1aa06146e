"""Stock: every change locks the listing first, writes the ledger and says what arrived."""

import dataclasses
import datetime
import uuid
from collections import Counter
from typing import NamedTuple

from django.db import transaction
from django.db.models import F, ProtectedError
from django.utils.translation import gettext_lazy as _

from .. import rows
from ..errors import Refused, VersionConflict
from ..events import StockDecreased, StockIncreased, emit_all
from ..ids import uuid7
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


class Count(NamedTuple):
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
    # Called under the listings' locks.
    deltas = {pk: delta for pk, delta in deltas.items() if delta}
    rows.add(Stock, "value", deltas, changed_at=now)
    _note(deltas, kind, by=by, now=now, reason=reason, order_id=order_id)


def _note(deltas, kind, *, by, now, reason="", order_id=None):
    # One ledger row per stock row whose value changes.
    by_id = by.pk if isinstance(by, User) else None
    rows.insert_values(
        StockMovement,
        ("stock_id", "delta", "kind", "reason", "order_id", "at", "by_id"),
        [(pk, delta, kind, reason[:200], order_id, now, by_id) for pk, delta in deltas.items() if delta],
    )


def recount(listing_ids):
    """Set what listings say of their units where it differs; the caller holds their locks and has written the stock rows."""
    for batch in rows.batches(listing_ids):
        Listing.objects.filter(pk__any=batch).off_their_stock().update(plain_units=F("counted"))


def _announce(event, facility_ids, *, by, now):
    emit_all([event(facility_id=pk) for pk in sorted(facility_ids)], by=by, now=now)


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
    recount([listing.pk])
    if not is_defective:
        _announce(StockIncreased, [facility.pk], by=by, now=now)
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
    stock = Stock.objects.create(**place, **(details or {}), value=value, created_at=now)
    _note({stock.pk: value}, StockMovement.Kind.RECEIPT, by=by, now=now, reason=reason)
    recount([listing.pk])
    if value:
        _announce(StockIncreased, [facility.pk], by=by, now=now)
    return stock


@transaction.atomic
def remove(stock_id, *, by, now):
    """Book a stock row out and delete it with its ledger. Refuses one that a job has units of."""
    lock_listings(Stock.objects.filter(pk=stock_id).values_list("listing_id", flat=True))
    stock = Stock.objects.select_related("listing__article").get(pk=stock_id)
    if stock.value:
        _announce(StockDecreased, [stock.listing.facility_id], by=by, now=now)
    try:
        with transaction.atomic():
            stock.movements.all().delete()
            stock.delete()
            recount([stock.listing_id])
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
    noted = {stock.pk: details} if details and _differ(details, stock) else {}
    if delta or noted:
        rows.add(Stock, "value", {stock.pk: delta}, changed_at=now)
    if delta:
        recount([stock.listing_id])
    _note({stock.pk: delta}, kind, by=by, now=now, reason=reason)
    _describe(noted)
    if delta > 0:
        _announce(StockIncreased, [stock.listing.facility_id], by=by, now=now)
    if delta < 0:
        _announce(StockDecreased, [stock.listing.facility_id], by=by, now=now)
    stock.refresh_from_db(fields=["value", "version", "modified_at"])
    return stock


class Counted(NamedTuple):
    """A counted stock row as it is now, and the units it had before (None when it is new)."""

    stock_id: uuid.UUID
    before: int | None
    value: int
    version: int
    created_at: datetime.datetime
    modified_at: datetime.datetime
    custom_attributes: dict
    extra: dict
    reserved: int  # of its listing


@transaction.atomic
def count_many(counts, *, kind=StockMovement.Kind.IMPORT, by, now, reason=""):
    """Set many counted values at once; queries per batch, not per row.

    A later count of the same place wins, its details too. Refuses a value out of range; nothing is changed then.

    Returns:
        Per count a ``Counted``, or a ``VersionConflict`` when it was meant for another version.
    """
    for count in counts:
        _check_units(count.value, least=0)
    listings = _lock_counted({(count.facility_id, count.article_id) for count in counts})
    places = [
        (listings[count.facility_id, count.article_id][0], count.location_id, count.expires_on)
        for count in counts
    ]
    before = _sound_stock(listings.values())
    conflicts: list[VersionConflict | None] = []
    wanted, details = {}, {}
    for count, place in zip(counts, places, strict=True):
        there = before.get(place)
        if there is None or count.version in (None, there.version):
            wanted[place] = count.value
            if count.details:
                details[place] = count.details
            conflicts.append(None)
        else:
            conflicts.append(VersionConflict(requested=count.version, current=there.version))
    reserved = dict(listings.values())
    after = {
        place: _recounted(before[place], value, details.get(place, {}), now)
        if place in before
        else _first_counted(value, details.get(place, {}), reserved[place[0]], now)
        for place, value in wanted.items()
    }
    _write_counted(before, after, details, kind, by=by, now=now, reason=reason)
    recount({place[0] for place, row in after.items() if row.value != (row.before or 0)})
    facility_of = {pk: facility for (facility, _article), (pk, _reserved) in listings.items()}
    more = {facility_of[place[0]] for place, row in after.items() if row.value > (row.before or 0)}
    less = {facility_of[place[0]] for place, row in after.items() if row.value < (row.before or 0)}
    _announce(StockIncreased, more, by=by, now=now)
    _announce(StockDecreased, less, by=by, now=now)
    return [conflict or after[place] for conflict, place in zip(conflicts, places, strict=True)]


def _first_counted(value, details, reserved, now):
    kept = {name: details.get(name, {}) for name in DETAILS}
    return Counted(uuid7(), None, value, 1, now, now, reserved=reserved, **kept)


def _recounted(row, value, details, now):
    """A row with the counted value and details; its version rises once when one of them is another."""
    if value == row.value and not _differ(details, row):
        return row
    return row._replace(value=value, version=row.version + 1, modified_at=now, **details)


def _differ(details, row):
    return any(getattr(row, name) != value for name, value in details.items())


def _write_counted(before, after, details, kind, *, by, now, reason):
    """Write the rows that are new or other than before, and the ledger."""
    rows.insert_values(
        Stock,
        ("id", "listing_id", "location_id", "expires_on", "value", *DETAILS, "created_at", "modified_at"),
        [
            (row.stock_id, *place, row.value, row.custom_attributes, row.extra, now, now)
            for place, row in after.items()
            if row.before is None
        ],
    )
    deltas = {row.stock_id: row.value - (row.before or 0) for row in after.values()}
    changed = [row.stock_id for place, row in before.items() if after.get(place, row) is not row]
    rows.add(Stock, "value", {pk: deltas[pk] for pk in changed}, changed_at=now)
    _note(deltas, kind, by=by, now=now, reason=reason)
    _describe(
        {
            row.stock_id: details[place]
            for place, row in before.items()
            if place in details and _differ(details[place], row)
        }
    )


def _describe(details):
    """Set the details of stock rows, ``{stock id: values of DETAILS}``; their version has been raised."""
    changed = list(Stock.objects.filter(pk__any=details)) if details else []
    for row in changed:
        for name, value in details[row.pk].items():
            setattr(row, name, value)
    Stock.objects.bulk_create(changed, update_conflicts=True, unique_fields=["id"], update_fields=DETAILS)


def _lock_counted(pairs):
    """Lock the listings of (facility id, article id), creating what is missing: ``{pair: (listing id, reserved)}``."""
    fields = ("facility", "article")
    if missing := rows.missing_pairs(Listing, fields, pairs):
        rows.insert_missing(
            Listing, ("id", "facility_id", "article_id"), [(uuid7(), *pair) for pair in missing]
        )
    return {
        (facility, article): (pk, reserved)
        for pk, facility, article, reserved in rows.lock_pairs(Listing, fields, pairs, "reserved")
    }


def _sound_stock(listings):
    """``{(listing id, location id, expires on): Counted}`` of what is there of these (listing id, reserved)."""
    reserved, found = dict(listings), {}
    for batch in rows.batches(reserved):
        sound = Stock.objects.filter(listing__any=batch, is_defective=False).order_by()
        for (
            pk,
            listing,
            location,
            expires_on,
            value,
            version,
            created_at,
            modified_at,
            attributes,
            extra,
        ) in sound.values_list(
            *("pk", "listing_id", "location_id", "expires_on", "value"),
            *("version", "created_at", "modified_at", "custom_attributes", "extra"),
        ):
            found[listing, location, expires_on] = Counted(
                pk, value, value, version, created_at, modified_at, attributes, extra, reserved[listing]
            )
    return found


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
    recount({stock.listing_id for stock in stocks.values()})
