"""Look-ups that several stages share."""

from django.db.models import F, Sum
from django.db.models.functions import Coalesce

from .codes import normalise, spellings
from .models import Article, ArticleCode, Stock


def find_article(text):
    """The article a scanned or typed code or SKU stands for, and its units: (article, units) or (None, 0)."""
    code = normalise(text)
    known = ArticleCode.objects.select_related("article").filter(code__in=spellings(code)).first()
    if known is not None:
        return known.article, known.units
    article = Article.objects.filter(sku=text.strip()).first()
    return (article, 1) if article else (None, 0)


def stock_off_the_ledger():
    """Stock rows whose value is not the sum of their movements, annotated with ``ledger``. Empty when all is well."""
    return (
        Stock.objects.annotate(ledger=Coalesce(Sum("movements__delta"), 0))
        .exclude(value=F("ledger"))
        .select_related("listing__facility", "listing__article", "location")
    )
