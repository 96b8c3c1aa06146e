"""What was picked and is not wanted any more goes back on its shelf."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Listing, Stock, StockMovement
from picking import restow
from picking import services as picking
from picking.models import RestowItem
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock
from tests.factories.orders import OrderFactory
from tests.factories.picking import book, started_pick_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def item(facility, picker):
    """Two units of an aborted job: three are left on the shelf."""
    job = started_pick_job(picker, 3, facility=facility, spare=2)
    book(job, 2, by=picker)
    picking.abort(job.pk, by=picker, now=timezone.now())
    return RestowItem.objects.get()


@pytest.fixture
def client(client, picker):
    client.force_login(picker)
    return client


def act(client, item, **data):
    url = reverse("picking:restow-act", args=[item.facility.slug, item.pk])
    return client.post(url, data, follow=True).content.decode()


def units(location):
    return sum(Stock.objects.filter(location=location).values_list("value", flat=True))


def test_list_names_units_and_place(client, item):
    page = client.get(reverse("picking:restow-list", args=[item.facility.slug])).content.decode()
    pick_list = client.get(reverse("picking:job-list", args=[item.facility.slug])).content.decode()

    assert f"2 × {item.article.title}" in page
    assert item.location.name in page
    assert "1 article to put back" in pick_list


def test_units_go_back_where_they_lay(client, item, picker):
    assert units(item.location) == 3

    page = act(client, item)

    item.refresh_from_db()
    assert "back on" in page
    assert (item.status, item.editor, units(item.location)) == ("CLOSED", picker, 5)
    movement = StockMovement.objects.latest("pk")
    assert (movement.kind, movement.delta, movement.order_id) == ("RETURN", 2, item.order_id)


def test_units_go_on_another_place_by_its_code(client, item):
    other = StorageLocationFactory(facility=item.facility)

    act(client, item, code=f" {other.name} ")

    assert (units(item.location), units(other)) == (3, 2)
    item.refresh_from_db()
    assert item.location == other


def test_place_of_another_facility_is_not_known_here(client, item):
    elsewhere = StorageLocationFactory(facility=FacilityFactory())

    page = act(client, item, code=elsewhere.name)

    item.refresh_from_db()
    assert "No place here has the code" in page
    assert (item.status, units(elsewhere)) == ("OPEN", 0)


def test_twice_books_once(client, item):
    act(client, item)
    act(client, item)

    assert units(item.location) == 5


def test_what_is_broken_is_written_off_with_a_word_why(client, item):
    silent = act(client, item, write_off="", note=" ")
    act(client, item, write_off="", note="Dropped")

    item.refresh_from_db()
    assert "Say why the units are not put back." in silent
    assert (item.status, item.note, units(item.location)) == ("CANCELED", "Dropped", 3)


def test_work_is_taken_back_only_while_it_is_open(item, picker):
    restow.put_back(item.pk, by=picker, now=timezone.now())

    with pytest.raises(restow.AlreadyPutBack):
        restow.withdraw(item.order_id, item.facility_id, item.reason, by=picker, now=timezone.now())


def test_scanned_article_or_place_narrows_the_list(client, item):
    address = reverse("picking:restow-list", args=[item.facility.slug])

    def shown(code):
        return list(client.get(address, {"code": code}).context["page"])

    assert shown(item.article.sku) == [item]
    assert shown(item.location.name) == [item]
    assert shown("something else") == []


def test_place_must_be_scanned_where_the_facility_asks_for_it(client, item):
    facility = item.facility
    facility.location_scan = "MUST_SCAN_FIRST"
    facility.save(update_fields=["location_scan"])
    address = reverse("picking:restow-act", args=[facility.slug, item.pk])

    page = client.post(address, {"code": ""}, follow=True)
    item.refresh_from_db()
    before = item.status
    client.post(address, {"code": item.location.name})

    item.refresh_from_db()
    assert "Scan the place first" in page.content.decode()
    assert (before, item.status) == ("OPEN", "CLOSED")


# What a customer returned


def take_in(facility, order, article, units, *, is_defective=False):
    with transaction.atomic():
        (item,) = restow.take_in(
            facility, order.pk, [(article, units, is_defective)], by=None, now=timezone.now()
        )
    return item


def test_returned_units_go_to_a_facility_that_never_had_the_article(client, picker):
    here, article = FacilityFactory(), ArticleFactory()
    item = take_in(here, OrderFactory((article, 2)), article, 2)

    restow.put_back(item.pk, by=picker, now=timezone.now())

    listing = Listing.objects.with_available(timezone.localdate()).get(facility=here, article=article)
    assert listing.available == 2


def test_returned_units_lie_where_most_of_their_kind_lie(facility):
    article, shelf = ArticleFactory(), StorageLocationFactory(facility=facility)
    put_stock(facility, article, 1, location=StorageLocationFactory(facility=facility))
    put_stock(facility, article, 4, location=shelf)

    assert take_in(facility, OrderFactory((article, 1)), article, 1).location == shelf


def test_defective_units_are_never_available(client, facility, picker):
    article, shelf = ArticleFactory(), StorageLocationFactory(facility=facility)
    put_stock(facility, article, 1, location=shelf)
    item = take_in(facility, OrderFactory((article, 2)), article, 2, is_defective=True)
    page = client.get(reverse("picking:restow-list", args=[facility.slug])).content.decode()

    act(client, item, code=shelf.name)

    listing = Listing.objects.with_available(timezone.localdate()).get(facility=facility, article=article)
    assert "Defective" in page
    assert item.location is None
    assert (listing.available, Stock.objects.get(listing=listing, is_defective=True).value) == (1, 2)


def test_only_returned_units_have_no_pick_job(item):
    with pytest.raises(IntegrityError, match="restow_job"), transaction.atomic():
        RestowItem.objects.filter(pk=item.pk).update(job=None)
