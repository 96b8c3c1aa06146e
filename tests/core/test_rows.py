import datetime
import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from fulfillment.core import rows
from fulfillment.core.models import Article, IdempotencyKey, Listing, OutboxEntry, StatusChange
from orders.models import Order, OrderLine
from tests.factories.core import ArticleFactory, FacilityFactory
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db
TEXTS = ["", "plain", 'tab\tline\nback\\slash "quoted" \\N', "ü€🙂", "\\.", "null"]
JSON = [{}, [], {"a": [1, 2.5, None, True, "\\N\n\t"]}, "text", 0, None, [{}]]
AT = datetime.datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))


@pytest.mark.parametrize("count", [1, rows.FEW, 50])
def test_every_value_comes_back_as_it_was_written(count):
    made = [
        IdempotencyKey(
            caller="test",
            key=f"{number} {TEXTS[number % len(TEXTS)]}",
            digest="",
            status_code=None if number % 2 else number,
            answer=JSON[number % len(JSON)],
            created_at=AT,
        )
        for number in range(count)
    ]

    rows.insert(IdempotencyKey, made)

    found = list(IdempotencyKey.objects.order_by("pk"))
    names = ["caller", "key", "digest", "status_code", "location", "answer", "created_at"]
    assert [[getattr(row, name) for name in names] for row in found] == [
        [getattr(row, name) for name in names] for row in made
    ]
    assert not any(row._state.adding for row in made)


@pytest.mark.parametrize("count", [1, rows.FEW, rows.MANY])
def test_values_of_some_columns_come_back_with_defaults_for_the_others(count):
    ids = [uuid.uuid4() for _number in range(count)]

    rows.insert_values(
        OutboxEntry,
        ("event", "payload", "handler", "lane", "due_at"),
        [(f"Event {number}", {"id": str(one)}, "h", "l", AT) for number, one in enumerate(ids)],
    )
    rows.insert_values(
        StatusChange, ("entity", "entity_id", "action", "after"), [("x", one, "a", "b") for one in ids]
    )

    found = list(OutboxEntry.objects.order_by("pk"))
    assert [(row.event, row.payload) for row in found] == [
        (f"Event {number}", {"id": str(one)}) for number, one in enumerate(ids)
    ]
    assert {(row.state, row.attempts, row.last_error, row.due_at) for row in found} == {("DUE", 0, "", AT)}
    assert all(row.created_at > AT and row.leased_until is None for row in found)
    changes = StatusChange.objects.order_by("pk")
    assert [(row.entity_id, row.order_id, row.by, row.before) for row in changes] == [
        (one, None, None, "") for one in ids
    ]


@pytest.mark.parametrize("count", [2, rows.MANY])
def test_ids_of_values_are_told_in_the_order_of_the_rows(count):
    names = [f"key {number}" for number in range(count)]

    ids = rows.insert_values(
        IdempotencyKey, ("caller", "key", "digest"), [("t", name, "") for name in names], with_ids=True
    )

    assert [IdempotencyKey.objects.in_bulk(ids)[pk].key for pk in ids] == names


def test_ids_that_the_caller_leaves_out_are_each_their_own():
    names = [f"S-{number}" for number in range(rows.FEW)]

    rows.insert_values(Article, ("sku", "title"), [(name, "Mug") for name in names])

    assert list(Article.objects.values_list("sku", "tags", "version")) == [(name, [], 1) for name in names]


def test_unknown_column_is_an_error():
    with pytest.raises((LookupError, TypeError)):
        rows.insert_values(Article, ("sku", "titel"), [(f"S-{number}", "Mug") for number in range(rows.FEW)])


def test_the_whole_of_an_order_comes_back():
    article = ArticleFactory()
    pattern = OrderFactory((article, 2), customAttributes={"ü": "\t"})
    line = pattern.lines.get()
    orders, lines = [], []
    for number in range(rows.FEW):
        order = Order.objects.get(pk=pattern.pk)
        order.pk, order.process_id, order.tenant_order_id = uuid.uuid4(), uuid.uuid4(), f"copy-{number}"
        orders.append(order)
        lines.append(
            OrderLine(
                order=order, position=1, article=article, sku="x", title="y", quantity=2, wire=line.wire
            )
        )

    rows.insert(Order, orders)
    rows.insert(OrderLine, lines)

    skipped = {"id", "process_id", "tenant_order_id", "modified_at"}
    for copy in Order.objects.filter(tenant_order_id__startswith="copy-"):
        assert copy.modified_at >= pattern.modified_at
        assert copy.lines.get().article == article
        for field in Order._meta.concrete_fields:
            if field.attname not in skipped:
                assert getattr(copy, field.attname) == getattr(pattern, field.attname), field


def test_what_the_database_refuses_is_an_integrity_error_and_writes_nothing():
    many = [Article(sku=f"S-{number}", title="Mug") for number in range(rows.FEW)]

    with pytest.raises(IntegrityError), transaction.atomic():
        rows.insert(Article, [*many, Article(sku="S-0", title="Mug")])

    assert not Article.objects.exists()


def test_many_rows_take_one_statement_and_none_takes_none():
    changes = [StatusChange(entity="x", entity_id=uuid.uuid4(), action="a", after="b") for _n in range(60)]
    with CaptureQueriesContext(connection) as many:
        rows.insert(StatusChange, changes)
    with CaptureQueriesContext(connection) as none:
        rows.insert(StatusChange, [])

    assert (len(many), len(none)) == (1, 0)
    assert StatusChange.objects.count() == 60


def test_rows_with_pairs_of_values_are_found_in_key_order():
    article, other = ArticleFactory(), ArticleFactory()
    sites = [FacilityFactory() for _number in range(3)]
    listings = [
        Listing.objects.create(facility=site, article=one) for site in sites for one in (article, other)
    ]
    wanted = [listings[5], listings[0], listings[3]]

    with transaction.atomic():
        found = rows.lock_pairs(
            Listing,
            ("facility", "article"),
            {(str(one.facility_id), str(one.article_id)) for one in wanted},
            "status",
        )

    assert found == sorted((one.pk, one.facility_id, one.article_id, "ACTIVE") for one in wanted)


@pytest.mark.parametrize("count", [2, rows.FEW])
def test_values_come_back_and_the_other_fields_have_their_defaults(count):
    facility, articles = FacilityFactory(), [ArticleFactory() for _number in range(count)]
    names = ("id", "facility_id", "article_id", "extra", "created_at")
    made = [
        (uuid.uuid4(), facility.pk, article.pk, JSON[number % 3] or {}, AT)
        for number, article in enumerate(articles)
    ]

    rows.insert_values(Listing, names, made)

    assert sorted(Listing.objects.values_list(*names)) == sorted(made)
    untold = [
        field for field in Listing._meta.concrete_fields if field.attname not in {*names, "modified_at"}
    ]
    pattern = Listing()
    for listing in Listing.objects.all():
        assert listing.modified_at is not None
        assert [getattr(listing, field.attname) for field in untold] == [
            getattr(pattern, field.attname) for field in untold
        ]


@pytest.mark.parametrize("count", [2, rows.FEW])
def test_values_that_are_there_are_left_out(count):
    facility, articles = FacilityFactory(), [ArticleFactory() for _number in range(count)]
    there = Listing.objects.create(facility=facility, article=articles[0], title="first")
    pairs = [(facility.pk, article.pk) for article in articles]
    missing = rows.missing_pairs(Listing, ("facility", "article"), pairs)

    rows.insert_missing(
        Listing, ("id", "facility_id", "article_id"), [(uuid.uuid4(), *pair) for pair in pairs]
    )

    assert missing == sorted(pairs[1:])
    assert rows.missing_pairs(Listing, ("facility", "article"), pairs) == []
    assert Listing.objects.count() == count
    assert Listing.objects.get(article=articles[0]) == there


def test_row_that_is_there_is_not_written_again():
    key = {"caller": "test", "key": "k-1", "digest": ""}

    assert rows.insert_once(IdempotencyKey(**key)) is True
    assert rows.insert_once(IdempotencyKey(**key, status_code=200)) is False

    assert IdempotencyKey.objects.get().status_code is None
