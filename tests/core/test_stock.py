import contextlib
import datetime
import random
import sqlite3
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Sum

from fulfillment.core.models import Article, Listing, OutboxEntry, Stock, StockMovement
from fulfillment.core.services import stock
from fulfillment.core.services.stock import Count, Take
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock, staff

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def ledger(row):
    return row.movements.aggregate(units=Sum("delta"))["units"] or 0


@pytest.fixture
def facility():
    return FacilityFactory()


@pytest.fixture
def article():
    return ArticleFactory()


def test_receive_books_into_the_ledger_and_says_that_stock_arrived(facility, article):
    location, user = StorageLocationFactory(facility=facility), staff("supervisor", facility)

    row = stock.receive(facility, article.sku, 5, location=location, by=user, now=NOON, reason="Delivery 7")
    stock.receive(facility, article.sku, 2, location=location, by=user, now=NOON)

    row.refresh_from_db()
    assert (row.value, ledger(row), row.version) == (7, 7, 3)
    movement = row.movements.last()
    assert (movement.kind, movement.delta, movement.reason, movement.by, movement.at) == (
        "RECEIPT",
        5,
        "Delivery 7",
        user,
        NOON,
    )
    assert OutboxEntry.objects.filter(event="StockIncreased").count() == 2


def test_receive_keeps_expiry_dates_apart(facility, article):
    for day in (1, 2):
        stock.receive(facility, article.sku, 1, expires_on=datetime.date(2027, 1, day), by=None, now=NOON)

    assert sorted(Stock.objects.values_list("expires_on__day", "value")) == [(1, 1), (2, 1)]


@pytest.mark.parametrize("units", [0, -1, stock.MOST_UNITS + 1])
def test_receive_refuses_units_out_of_range(facility, article, units):
    with pytest.raises(stock.UnitsOutOfRange):
        stock.receive(facility, article.sku, units, by=None, now=NOON)

    assert not Listing.objects.exists()


def test_receive_refuses_an_unknown_article_and_a_foreign_location(facility, article):
    with pytest.raises(stock.UnknownArticle):
        stock.receive(facility, "nothing", 1, by=None, now=NOON)
    with pytest.raises(stock.ForeignLocation):
        stock.receive(facility, article.sku, 1, location=StorageLocationFactory(), by=None, now=NOON)

    assert not Stock.objects.exists()


@pytest.mark.parametrize(("value", "delta", "announced"), [(12, 2, 1), (0, -10, 0)])
def test_correct_sets_the_counted_value(facility, article, value, delta, announced):
    row = put_stock(facility, article, 10)
    OutboxEntry.objects.all().delete()

    stock.correct(row.pk, value, reason="Count", by=None, now=NOON)

    row.refresh_from_db()
    assert (row.value, ledger(row)) == (value, value)
    assert row.movements.get(kind="CORRECTION").delta == delta
    assert OutboxEntry.objects.filter(event="StockIncreased").count() == announced


def test_correct_to_the_same_value_changes_nothing(facility, article):
    row = put_stock(facility, article, 10)

    stock.correct(row.pk, 10, reason="Count", by=None, now=NOON)

    assert row.movements.count() == 1
    assert Stock.objects.get().version == row.version


def test_correct_refuses_a_negative_count_and_one_that_was_overtaken(facility, article):
    row = put_stock(facility, article, 10)

    with pytest.raises(stock.UnitsOutOfRange):
        stock.correct(row.pk, -1, reason="Count", by=None, now=NOON)
    with pytest.raises(stock.CountedMeanwhile):
        stock.correct(row.pk, 8, seen=9, reason="Count", by=None, now=NOON)

    row.refresh_from_db()
    assert row.value == 10


def test_take_lowers_stock_with_the_order_in_the_ledger(facility, article):
    row = put_stock(facility, article, 10)

    with transaction.atomic():
        stock.take([Take(row.pk, 4)], by=None, now=NOON)

    row.refresh_from_db()
    assert (row.value, ledger(row)) == (6, 6)


def test_take_counts_several_takes_of_one_row_together(facility, article):
    row = put_stock(facility, article, 10)

    with pytest.raises(stock.NotEnoughStock), transaction.atomic():
        stock.take([Take(row.pk, 6), Take(row.pk, 6)], by=None, now=NOON)
    with transaction.atomic():
        stock.take([Take(row.pk, 6), Take(row.pk, 4)], by=None, now=NOON)

    row.refresh_from_db()
    assert (row.value, ledger(row)) == (0, 0)


def test_take_changes_nothing_when_one_row_has_too_little(facility):
    full, empty = put_stock(facility, ArticleFactory(), 5), put_stock(facility, ArticleFactory(), 1)

    with pytest.raises(stock.NotEnoughStock), transaction.atomic():
        stock.take([Take(full.pk, 2), Take(empty.pk, 2)], by=None, now=NOON)

    assert list(Stock.objects.order_by("value").values_list("value", flat=True)) == [1, 5]


def test_take_with_negative_units_puts_back(facility, article):
    row = put_stock(facility, article, 1)

    with transaction.atomic():
        stock.take([Take(row.pk, -2)], kind=StockMovement.Kind.RETURN, by=None, now=NOON)

    row.refresh_from_db()
    assert (row.value, ledger(row)) == (3, 3)


def test_count_many_sets_values_and_creates_what_is_missing(facility, article):
    location = StorageLocationFactory(facility=facility)
    row, other = put_stock(facility, article, 10), ArticleFactory()
    OutboxEntry.objects.all().delete()

    counted = stock.count_many(
        [
            Count(facility.pk, article.pk, 4),
            Count(facility.pk, article.pk, 3, location.pk),
            Count(facility.pk, other.pk, 0),
        ],
        by=None,
        now=NOON,
    )

    row.refresh_from_db()
    assert [found.before for found in counted] == [10, None, None]
    assert (row.value, ledger(row)) == (4, 4)
    assert Stock.objects.get(location=location).value == 3
    assert Stock.objects.get(listing__article=other).value == 0
    assert set(StockMovement.objects.exclude(kind="RECEIPT").values_list("kind", "delta")) == {
        ("IMPORT", -6),
        ("IMPORT", 3),
    }
    assert OutboxEntry.objects.filter(event="StockIncreased").count() == 1


def test_count_many_takes_the_later_count_of_one_place(facility, article):
    stock.count_many(
        [Count(facility.pk, article.pk, 4), Count(facility.pk, article.pk, 6)], by=None, now=NOON
    )

    assert Stock.objects.get().value == ledger(Stock.objects.get()) == 6


def test_count_many_refuses_a_value_out_of_range_and_changes_nothing(facility, article):
    with pytest.raises(stock.UnitsOutOfRange):
        stock.count_many(
            [Count(facility.pk, article.pk, 4), Count(facility.pk, ArticleFactory().pk, -1)],
            by=None,
            now=NOON,
        )

    assert not Stock.objects.exists()


def test_count_many_needs_the_same_queries_for_one_and_for_many(
    facility, django_assert_max_num_queries, django_assert_num_queries
):
    articles = [ArticleFactory() for _number in range(21)]

    with django_assert_max_num_queries(12) as queries:
        stock.count_many([Count(facility.pk, articles[0].pk, 1)], by=None, now=NOON)
    with django_assert_num_queries(len(queries)):
        stock.count_many([Count(facility.pk, article.pk, 1) for article in articles[1:]], by=None, now=NOON)


def test_check_stock_finds_rows_that_left_the_ledger(facility, article, capsys):
    row = put_stock(facility, article, 5)
    call_command("check_stock")
    Stock.objects.filter(pk=row.pk).update(value=4)

    with pytest.raises(CommandError, match="1 stock rows differ from their movements, 1 listings"):
        call_command("check_stock")

    assert capsys.readouterr().err.splitlines() == [
        f"{facility.tenant_facility_id} {article.sku} -: 4 units, 5 by its movements",
        f"{facility.tenant_facility_id} {article.sku}: plain units 5, 4 by its stock rows",
    ]


@pytest.mark.parametrize(("kept", "counted"), [(None, 5), (6, 5)])
def test_check_stock_finds_listings_that_left_their_rows(facility, article, capsys, kept, counted):
    put_stock(facility, article, counted)
    Listing.objects.update(plain_units=kept)

    with pytest.raises(CommandError, match="0 stock rows differ from their movements, 1 listings"):
        call_command("check_stock")

    assert f"plain units {kept}, {counted} by its stock rows" in capsys.readouterr().err


def test_listing_says_its_units_while_they_have_neither_place_nor_date(facility, article):
    def said():
        return Listing.objects.get().plain_units

    plain = put_stock(facility, article, 5)
    stock.receive(facility, article.sku, 9, is_defective=True, by=None, now=NOON)
    assert said() == 5
    dated = put_stock(facility, article, 2, expires_on=datetime.date(2027, 1, 1))
    assert said() is None
    stock.correct(dated.pk, 0, reason="Gone", by=None, now=NOON)
    assert said() == 5
    placed = put_stock(facility, article, 1, location=StorageLocationFactory(facility=facility))
    assert said() is None
    stock.remove(placed.pk, by=None, now=NOON)
    assert said() == 5
    with transaction.atomic():
        stock.take([Take(plain.pk, 2)], by=None, now=NOON)
    assert said() == 3
    stock.remove(plain.pk, by=None, now=NOON)
    assert said() == 0


@pytest.mark.parametrize("seed", range(20))
def test_listing_agrees_with_its_rows_after_every_change(facility, seed):
    draw = random.Random(seed)
    articles = [ArticleFactory() for _number in range(2)]
    places = [None, StorageLocationFactory(facility=facility)]
    days = [None, datetime.date(2027, 1, 1)]

    def place():
        return {"location": draw.choice(places), "expires_on": draw.choice(days)}

    def receive():
        is_defective = draw.random() < 0.2
        sku = draw.choice(articles).sku
        stock.receive(facility, sku, 2, **place(), is_defective=is_defective, by=None, now=NOON)

    def open_stock():
        sku, value = draw.choice(articles).sku, draw.randint(0, 3)
        with contextlib.suppress(stock.StockExists):
            stock.open_stock(facility, sku, value, **place(), by=None, now=NOON)

    def count():
        counts = [
            Count(facility.pk, article.pk, draw.randint(0, 3), draw.choice(places) and places[1].pk, day)
            for article in articles
            for day in draw.sample(days, draw.randint(1, 2))
        ]
        stock.count_many(counts, by=None, now=NOON)

    def correct():
        stock.correct(row().pk, draw.randint(0, 3), reason="Count", by=None, now=NOON)

    def take():
        with contextlib.suppress(stock.NotEnoughStock), transaction.atomic():
            stock.take([Take(row().pk, draw.randint(-1, 2)), Take(row().pk, 1)], by=None, now=NOON)

    def remove():
        stock.remove(row().pk, by=None, now=NOON)

    def row():
        return draw.choice(list(Stock.objects.order_by("pk")))

    receive()
    for _step in range(25):
        draw.choice(
            [receive, open_stock, count, correct, take, remove] if Stock.objects.exists() else [receive]
        )()
        assert list(Listing.objects.off_their_stock()) == []


@pytest.fixture
def few_parameters(db):
    """SQLite as it is built on some machines, with few parameters of a statement."""
    if connection.vendor != "sqlite":
        yield
        return
    limit = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
    before = connection.connection.setlimit(limit, connection.features.max_query_params)
    yield
    connection.connection.setlimit(limit, before)


@pytest.mark.usefixtures("few_parameters")
def test_import_of_more_listings_than_a_statement_may_name_is_counted(facility):
    articles = Article.objects.bulk_create(Article(sku=f"A-{number}", title="A") for number in range(1100))

    stock.count_many([Count(facility.pk, article.pk, 3) for article in articles], by=None, now=NOON)

    assert Listing.objects.filter(plain_units=3).count() == 1100


def test_migration_counts_the_units_that_are_there(facility):
    plain, dated, damaged = articles = [ArticleFactory() for _number in range(3)]
    stock.count_many([Count(facility.pk, article.pk, 3) for article in articles[:2]], by=None, now=NOON)
    put_stock(facility, dated, 1, expires_on=datetime.date(2027, 1, 1))
    stock.receive(facility, damaged.sku, 2, is_defective=True, by=None, now=NOON)
    Listing.objects.update(plain_units=0)

    import_module("fulfillment.core.migrations.0022_plain_units").count_plain_units(apps, None)

    said = dict(Listing.objects.values_list("article", "plain_units"))
    assert said == {plain.pk: 3, dated.pk: None, damaged.pk: 0}
