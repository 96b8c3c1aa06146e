"""Look-ups that several stages share."""

from django.db.models import F, OuterRef, Prefetch, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Greatest

from .codes import normalise, of_a_scale, spellings
from .models import Article, ArticleCode, Listing, Membership, Stock, StorageLocation, User


def find_article(text):
    """The article a scanned or typed code or SKU stands for, and its units: (article, units) or (None, 0)."""
    known = find_code(text, ArticleCode.objects.select_related("article"))
    if known is not None:
        return known.article, known.units
    article = Article.objects.filter(sku=text.strip()).first()
    return (article, 1) if article else (None, 0)


def find_article_id(text):
    """``find_article`` with the id of the article alone: a scan loads it with its lines."""
    known = find_code(text, ArticleCode.objects)
    if known is not None:
        return known.article_id, known.units
    article_id = Article.objects.filter(sku=text.strip()).values_list("pk", flat=True).first()
    return (article_id, 1) if article_id else (None, 0)


def find_code(text, codes):
    """The row of a scanned or typed code, also of a scale's label, or None."""
    code = normalise(text)
    known = codes.filter(code__in=spellings(code)).first()
    if known is None and (label := of_a_scale(code)) is not None:
        known = codes.filter(code__startswith=f"{label[0]}00000", article__is_weighed=True).first()
    return known


def find_location(facility, text):
    """The storage location of a facility with this name or scannable code, or None."""
    text = text.strip()
    locations = StorageLocation.objects.filter(facility=facility)
    named = locations.filter(name__iexact=text).first()
    if named is not None or not text:
        return named
    # The text of the list narrows it down on every database; the exact code decides.
    coded = locations.filter(scannable_codes__icontains=text)
    return next((location for location in coded if text in location.scannable_codes), None)


def people_who_may(permission, facility):
    """The people with a permission at a facility, by name; a superuser has every one, see ``access``."""
    memberships = Membership.objects.filter(Q(facility=facility) | Q(facility=None), user__is_active=True)
    # Roles keep their permissions as JSON, which not every database can look into.
    users = {
        membership.user_id
        for membership in memberships.select_related("role")
        if permission in membership.role.permissions
    }
    everywhere = Q(is_superuser=True, is_active=True)
    return User.objects.filter(Q(pk__in=users) | everywhere).order_by("name", "email")


def sku_in_stock(today):
    """The SKU of some article that a facility could send now; None where there is nothing."""
    usable = Stock.objects.usable(today).filter(value__gt=0, listing__facility__status="ONLINE")
    # Plain ones only: it is shown inside a command to copy.
    plain = usable.filter(listing__article__sku__regex=r"^[A-Za-z0-9._-]+$")
    return plain.order_by("pk").values_list("listing__article__sku", flat=True).first()


def stock_at(facility, text, today):
    """Listings of a facility with ``on_hand``, ``usable``, ``safety`` and ``available``, their stock rows loaded.

    ``text`` narrows by SKU, title, article code or storage location; empty for all.
    """
    on_hand = (
        Stock.objects.filter(listing=OuterRef("pk"))
        .order_by()
        .values("listing")
        .annotate(units=Sum("value"))
        .values("units")
    )
    listings = Listing.objects.filter(facility=facility)
    text = text.strip()
    if text:
        codes = ArticleCode.objects.filter(code__in=spellings(normalise(text)))
        places = Stock.objects.filter(listing__facility=facility, location__name__istartswith=text)
        listings = listings.filter(
            Q(article__sku__icontains=text)
            | Q(article__title__icontains=text)
            | Q(article__in=codes.values("article"))
            | Q(pk__in=places.values("listing"))
        )
    return (
        listings.with_available(today)
        .annotate(
            on_hand=Coalesce(Subquery(on_hand), 0),
            uncovered=Greatest(F("reserved") - F("usable"), Value(0)),
        )
        .select_related("article")
        .prefetch_related(
            Prefetch(
                "stocks",
                Stock.objects.select_related("location").order_by(
                    F("location__running_sequence").asc(nulls_last=True), "expires_on", "pk"
                ),
            )
        )
        .order_by("-uncovered", "article__sku")  # what is promised and not there comes first
    )


def stock_off_the_ledger():
    """Stock rows whose value is not the sum of their movements, annotated with ``ledger``. Empty when all is well."""
    return (
        Stock.objects.annotate(ledger=Coalesce(Sum("movements__delta"), 0))
        .exclude(value=F("ledger"))
        .select_related("listing__facility", "listing__article", "location")
    )
