import pytest

from fulfillment.core.api import paging
from fulfillment.core.models import Article
from tests.factories.core import ArticleFactory

pytestmark = pytest.mark.django_db


def test_count_is_exact_up_to_a_limit_and_a_minute_old_beyond(monkeypatch):
    monkeypatch.setattr(paging, "COUNTED", 2)
    rows = Article.objects.filter(sku__startswith="COUNT-")
    counts = []
    for number in range(5):
        ArticleFactory(sku=f"COUNT-{number}")
        counts.append(paging.count_rows(rows))

    assert counts == [1, 2, 3, 3, 3]
    monkeypatch.setattr(paging, "COUNT_KEPT", 0)
    assert paging.count_rows(rows.order_by("sku")) == 3
    assert paging.count_rows(rows.filter(sku__contains="COUNT")) == 5
