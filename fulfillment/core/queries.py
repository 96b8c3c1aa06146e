"""Look-ups that several stages share."""

from .codes import normalise, spellings
from .models import Article, ArticleCode


def find_article(text):
    """The article a scanned or typed code or SKU stands for, and its units: (article, units) or (None, 0)."""
    code = normalise(text)
    known = ArticleCode.objects.select_related("article").filter(code__in=spellings(code)).first()
    if known is not None:
        return known.article, known.units
    article = Article.objects.filter(sku=text.strip()).first()
    return (article, 1) if article else (None, 0)
