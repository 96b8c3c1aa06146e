import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import ArticleCode, Listing, SafetyStock, Stock
from fulfillment.core.services import stock
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def facility():
    return FacilityFactory(slug="here", name="Amsterdam")


@pytest.fixture
def location(facility):
    return StorageLocationFactory(facility=facility, name="A-01", scannable_codes=["LOC-7"])


@pytest.fixture
def lamp():
    return ArticleFactory(sku="LAMP", title="Desk lamp", code="4006381333931")


@pytest.fixture
def user(facility):
    return staff("supervisor", facility)


@pytest.fixture
def client(client, user):
    client.force_login(user)
    return client


def address(name, *args):
    return reverse(f"core:{name}", args=["here", *args])


def test_list_shows_the_figures_of_each_article(client, facility, location, lamp):
    put_stock(facility, lamp, 20, location=location)
    back = StorageLocationFactory(facility=facility, name="BACK", is_pickable=False)
    put_stock(facility, lamp, 5, location=back)
    SafetyStock.objects.create(article=lamp, facility=facility, value=3)

    [listing] = client.get(address("stock-list")).context["page"].object_list

    assert (listing.on_hand, listing.reserved, listing.safety, listing.available) == (25, 0, 3, 17)


def test_article_of_which_more_is_promised_than_there_comes_first_and_is_marked(client, facility, lamp):
    put_stock(facility, ArticleFactory(sku="A-FIRST"), 9)
    put_stock(facility, lamp, 2)
    Listing.objects.filter(article=lamp).update(reserved=5)

    response = client.get(address("stock-list"))

    assert response.context["page"].object_list[0].article == lamp
    assert "3 not there" in " ".join(response.content.decode().split())
    assert response.content.decode().count("not there") == 1


@pytest.mark.parametrize("text", ["lam", "desk", "4006381333931", "]E04006381333931", "a-01"])
def test_search_finds_by_sku_title_code_and_location(client, facility, location, lamp, text):
    put_stock(facility, lamp, 1, location=location)
    put_stock(facility, ArticleFactory(sku="OTHER", title="Chair"), 1)

    page = client.get(address("stock-list"), {"q": text})

    assert [listing.article for listing in page.context["page"]] == [lamp]


def test_search_without_a_hit_says_so(client):
    page = client.get(address("stock-list"), {"q": "<nothing>"})

    assert "Nothing found" in page.content.decode()
    assert "&lt;nothing&gt;" in page.content.decode()


def test_list_shows_only_this_facility(client, lamp):
    put_stock(FacilityFactory(), lamp, 1)

    assert not client.get(address("stock-list")).context["page"].object_list


def test_list_needs_the_same_queries_for_one_and_for_three(
    client, facility, django_assert_num_queries, django_assert_max_num_queries
):
    put_stock(facility, ArticleFactory(), 1)
    client.get(address("stock-list"))
    with django_assert_max_num_queries(12) as queries:
        client.get(address("stock-list"))
    put_stock(facility, ArticleFactory(), 1)
    put_stock(facility, ArticleFactory(), 1)

    with django_assert_num_queries(len(queries)):
        client.get(address("stock-list"))


@pytest.mark.parametrize("permission", ["picker", "packer"])
def test_stock_needs_its_permission(client, facility, permission):
    client.force_login(staff(permission, facility))

    assert client.get(address("stock-list")).status_code == 403
    assert client.post(address("goods-receipt"), {}).status_code == 403


def test_receipt_is_booked_by_scanned_codes(client, user, facility, location, lamp):
    tomorrow = timezone.localdate() + datetime.timedelta(days=1)

    response = client.post(
        address("goods-receipt"),
        {
            "article": "]E04006381333931",
            "units": "5",
            "location": "LOC-7",
            "expires_on": tomorrow.isoformat(),
            "reason": "Delivery 7",
        },
        follow=True,
    )

    row = Stock.objects.get()
    assert (row.listing.facility, row.location, row.value, row.expires_on) == (
        facility,
        location,
        5,
        tomorrow,
    )
    assert (row.movements.get().by, row.movements.get().reason) == (user, "Delivery 7")
    assert "5 × LAMP Desk lamp booked." in response.content.decode()


def test_receipt_of_a_carton_counts_its_units(client, lamp):
    ArticleCode.objects.create(article=lamp, code="14006381333938", units=6)

    client.post(address("goods-receipt"), {"article": "14006381333938", "units": "2"})

    assert Stock.objects.get().value == 12


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("article", "NOTHING", "No article has the SKU or code NOTHING."),
        ("article", "", "This field is required."),
        ("units", "0", "greater than or equal to 1"),
        ("units", "4006381333931", "less than or equal to"),
        ("units", "x", "whole number"),
        ("location", "Z-99", "Amsterdam has no storage location Z-99."),
        ("expires_on", "2020-01-01", "This day is in the past."),
        ("expires_on", "soon", "valid date"),
    ],
)
def test_wrong_receipt_is_refused_at_its_field(client, lamp, location, field, value, words):
    response = client.post(address("goods-receipt"), {"article": "LAMP", "units": "1", field: value})

    assert response.status_code == 422
    assert words in str(response.context["form"].errors[field])
    assert response.context["form"].fields[field].widget.attrs["autofocus"]
    assert not Stock.objects.exists()


def test_location_of_another_facility_is_refused(client, lamp):
    StorageLocationFactory(name="B-01")

    response = client.post(address("goods-receipt"), {"article": "LAMP", "units": "1", "location": "B-01"})

    assert "location" in response.context["form"].errors


def test_correction_sets_the_counted_value(client, user, facility, lamp):
    row = put_stock(facility, lamp, 10)
    form = client.get(address("stock-correct", row.pk)).context["form"]

    response = client.post(
        address("stock-correct", row.pk),
        {"value": "8", "reason": "Damaged", "seen": form.initial["seen"]},
        follow=True,
    )

    row.refresh_from_db()
    assert row.value == 8
    assert response.redirect_chain[0][0] == address("stock-movements", row.pk)
    movement = row.movements.first()
    assert (movement.delta, movement.reason, movement.by) == (-2, "Damaged", user)
    assert "Damaged" in response.content.decode()


@pytest.mark.parametrize(("field", "value"), [("value", ""), ("value", "-1"), ("value", "x"), ("reason", "")])
def test_wrong_correction_is_refused_at_its_field(client, facility, lamp, field, value):
    row = put_stock(facility, lamp, 10)

    response = client.post(
        address("stock-correct", row.pk), {"value": "8", "reason": "Count", "seen": "10", field: value}
    )

    assert (response.status_code, list(response.context["form"].errors)) == (422, [field])
    row.refresh_from_db()
    assert row.value == 10


def test_correction_of_an_older_sight_is_refused(client, facility, lamp):
    row = put_stock(facility, lamp, 10)
    stock.correct(row.pk, 9, reason="Count", by=None, now=timezone.now())

    response = client.post(
        address("stock-correct", row.pk),
        {"value": "8", "reason": "Count", "seen": "10"},
        headers={"referer": f"http://testserver{address('stock-correct', row.pk)}"},
        follow=True,
    )

    assert "is now 9 units" in response.content.decode()
    row.refresh_from_db()
    assert row.value == 9


def test_stock_of_another_facility_is_not_found(client, lamp):
    row = put_stock(FacilityFactory(), lamp, 10)

    assert client.get(address("stock-movements", row.pk)).status_code == 404
    assert client.post(address("stock-correct", row.pk), {"value": "1"}).status_code == 404


def test_movements_show_every_change_the_latest_first(client, facility, lamp):
    row = put_stock(facility, lamp, 10)
    stock.correct(row.pk, 7, reason="Lost", by=None, now=timezone.now())

    page = client.get(address("stock-movements", row.pk))

    assert [movement.delta for movement in page.context["page"]] == [-3, 10]
