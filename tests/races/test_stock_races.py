import threading

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from fulfillment.core.errors import Refused
from fulfillment.core.models import Stock
from fulfillment.core.services import stock
from fulfillment.core.services.stock import Count, Take
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock

pytestmark = pytest.mark.django_db(transaction=True)


def race(*steps):
    """Run the steps at the same moment, each with its own connection; returns what each returned or refused."""
    barrier, outcomes = threading.Barrier(len(steps)), [None] * len(steps)

    def work(number, step):
        try:
            barrier.wait()
            outcomes[number] = step()
        except Refused as refusal:
            outcomes[number] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=item) for item in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def assert_ledger():
    for row in Stock.objects.annotate(ledger=Sum("movements__delta")):
        assert row.value == (row.ledger or 0)


def test_two_corrections_at_once_leave_the_ledger_equal_to_the_value():
    row = put_stock(FacilityFactory(), ArticleFactory(), 10)

    race(
        lambda: stock.correct(row.pk, 3, reason="Count", by=None, now=timezone.now()),
        lambda: stock.correct(row.pk, 8, reason="Count", by=None, now=timezone.now()),
    )

    row.refresh_from_db()
    assert row.value in {3, 8}
    assert_ledger()


def test_of_two_corrections_of_the_same_sight_one_is_refused():
    row = put_stock(FacilityFactory(), ArticleFactory(), 10)

    outcomes = race(
        lambda: stock.correct(row.pk, 3, seen=10, reason="Count", by=None, now=timezone.now()),
        lambda: stock.correct(row.pk, 8, seen=10, reason="Count", by=None, now=timezone.now()),
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CountedMeanwhile", "Stock"]
    assert_ledger()


def test_last_units_are_taken_once():
    row = put_stock(FacilityFactory(), ArticleFactory(), 5)

    def take():
        with transaction.atomic():
            stock.take([Take(row.pk, 3)], by=None, now=timezone.now())

    outcomes = race(take, take)

    row.refresh_from_db()
    assert row.value == 2
    assert [type(outcome).__name__ for outcome in outcomes if outcome] == ["NotEnoughStock"]
    assert_ledger()


def test_two_first_receipts_of_an_article_share_one_row():
    facility, article = FacilityFactory(), ArticleFactory()

    def receive():
        stock.receive(facility, article.sku, 4, by=None, now=timezone.now())

    race(receive, receive)

    assert Stock.objects.get().value == 8
    assert_ledger()


def test_import_and_receipts_at_once_keep_the_ledger():
    facility, articles = FacilityFactory(), [ArticleFactory() for _number in range(5)]
    now = timezone.now()

    race(
        lambda: stock.count_many(
            [Count(facility.pk, article.pk, 9) for article in articles], by=None, now=now
        ),
        lambda: [stock.receive(facility, article.sku, 2, by=None, now=now) for article in reversed(articles)],
        lambda: stock.count_many(
            [Count(facility.pk, article.pk, 7) for article in reversed(articles)], by=None, now=now
        ),
    )

    assert Stock.objects.count() == 5
    assert_ledger()
