"""Listings: what a facility offers. Programs replace many at once; articles they name first come to be."""

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..events import FacilityChanged, emit
from ..models import Article, Listing
from ..status import check_version
from .stock import lock_listings

FIELDS = [
    "title",
    "attributes",
    "scannable_codes",
    "out_of_stock",
    "custom_attributes",
    "tags",
    "status",
    "extra",
]


class ListingInUse(Refused):
    text = _("%(listing)s has stock or work. Set it inactive instead of deleting it.")


@transaction.atomic
def replace(facility, rows, *, by, now):
    """Create or replace listings of a facility; queries do not depend on how many. Later rows of an article win.

    Args:
        rows: ``[(SKU, values of FIELDS, version the sender knows or None)]``.
    Returns:
        ``[(listing, "CREATED" | "UPDATED" | "FAILED")]`` in the order of the rows; FAILED is a version conflict.
    """
    skus = {sku for sku, _values, _version in rows}
    titles = {sku: values.get("title") or sku for sku, values, _version in rows}
    articles = {article.sku: article for article in Article.objects.filter(sku__in=skus)}
    Article.objects.bulk_create(
        (Article(sku=sku, title=titles[sku]) for sku in sorted(skus - articles.keys())), ignore_conflicts=True
    )
    if skus - articles.keys():
        articles = {article.sku: article for article in Article.objects.filter(sku__in=skus)}
    ids = Listing.objects.filter(facility=facility, article__sku__in=skus).values_list("pk", flat=True)
    known = {row.article_id: row for row in lock_listings(ids).values()}
    found, results, changed = dict(known), [], {}
    for sku, values, version in rows:
        article = articles[sku]
        listing = found.get(article.pk)
        if listing is not None and version is not None and version != listing.version:
            results.append((listing, "FAILED"))
            continue
        is_new = listing is None
        if is_new:
            listing = found[article.pk] = Listing(facility=facility, article=article, created_at=now)
        listing.article = article
        different = [name for name in FIELDS if name in values and getattr(listing, name) != values[name]]
        for name in different:
            setattr(listing, name, values[name])
        if different and not is_new:
            listing.version += 1
        if different or is_new:
            listing.modified_at = now
            changed[listing.pk] = listing
        results.append((listing, "UPDATED" if article.pk in known else "CREATED"))
    stored = {row.pk for row in known.values()}
    # Another program may have made the same one meanwhile: then it is replaced.
    _write([row for row in changed.values() if row.pk not in stored], ["facility", "article"])
    _write([row for row in changed.values() if row.pk in stored], ["id"])
    if changed:  # an article that became active may serve orders that wait
        emit(FacilityChanged(facility_id=facility.pk), by=by, now=now)
    return results


def _write(rows, unique_fields):
    Listing.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=unique_fields,
        update_fields=[*FIELDS, "version", "modified_at"],
    )


@transaction.atomic
def change(listing_id, values, *, by, now, version=None):
    """Change a listing. Refuses an old version. ``values`` are those of FIELDS that are given."""
    listing = lock_listings([listing_id])[listing_id]
    check_version(listing, version)
    if "extra" in values:
        values = {**values, "extra": {**listing.extra, **values["extra"]}}
    different = [name for name in FIELDS if name in values and getattr(listing, name) != values[name]]
    if different:
        for name in different:
            setattr(listing, name, values[name])
        listing.version += 1
        listing.save(update_fields=[*different, "version", "modified_at"])
        if "status" in different:
            emit(FacilityChanged(facility_id=listing.facility_id), by=by, now=now)
    return listing


@transaction.atomic
def delete(listing_id, *, by, now):
    """Delete a listing that was never in stock. Refuses one with stock rows, reservations or work."""
    listing = lock_listings([listing_id])[listing_id]
    try:
        with transaction.atomic():
            listing.delete()
    except ProtectedError as error:
        raise ListingInUse(listing=listing) from error
