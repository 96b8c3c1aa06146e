import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.errors import VersionConflict
from fulfillment.core.models import Stock, StockMovement
from picking import counts, holders
from picking import services as picking
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock, staff
from tests.factories.picking import book, code_of, ean, pick_job, started_pick_job
from tests.races.test_stock_races import assert_ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(facility):
    return StorageLocationFactory(facility=facility, name="A-01", scannable_codes=["LOC-A01"])


@pytest.fixture
def client(client, facility):
    client.force_login(staff("supervisor", facility))
    return client


def stocked(facility, place, units, **fields):
    return put_stock(facility, ArticleFactory(code=ean(), **fields), units, location=place)


def count(place, rows=(), found=None, reason="Counted"):
    rows = [counts.Row(row.pk, units, row.version) for row, units in rows]
    return counts.book(place, rows, found or {}, reason=reason, by=None, now=timezone.now())


def value(row):
    return Stock.objects.get(pk=row.pk).value


# Booking


def test_count_books_the_differences_with_their_reason(facility, place):
    more, same = stocked(facility, place, 5), stocked(facility, place, 3)

    [difference] = count(place, [(more, 7), (same, 3)], reason="Yearly count")

    assert (difference.article, difference.before, difference.after) == (more.listing.article, 5, 7)
    assert (value(more), value(same)) == (7, 3)
    movement = StockMovement.objects.filter(stock=more).latest("pk")
    assert (movement.delta, movement.reason) == (2, "Yearly count")
    assert_ledger()


def test_units_in_a_basket_are_not_missed_on_the_shelf(facility, picker):
    job = started_pick_job(picker, 3, facility=facility, spare=2)
    row = job.lines.get().allocations.get().stock
    book(job, 2, by=picker)

    assert count(row.location, [(row, 3)]) == []
    assert value(row) == 5


def test_what_was_not_booked_there_is_booked_in(facility, place):
    article = ArticleFactory()

    [difference] = count(place, found={article: 4})

    assert (difference.before, difference.after) == (0, 4)
    row = Stock.objects.get(listing__article=article, location=place)
    assert (row.value, row.movements.get().kind) == (4, StockMovement.Kind.CORRECTION)


def test_count_refuses_what_changed_meanwhile_and_books_nothing(facility, place):
    first, second = stocked(facility, place, 5), stocked(facility, place, 3)
    old = Stock.objects.get(pk=second.pk)
    count(place, [(second, 2)])

    with pytest.raises(VersionConflict):
        count(place, [(first, 9), (old, 3)])
    assert (value(first), value(second)) == (5, 2)


def test_count_refuses_without_reason_without_units_and_for_other_places(facility, place):
    row = stocked(facility, place, 5)

    with pytest.raises(counts.ReasonMissing):
        count(place, [(row, 4)], reason=" ")
    with pytest.raises(counts.NothingCounted):
        count(place)
    with pytest.raises(counts.RowElsewhere):
        count(StorageLocationFactory(facility=facility), [(row, 4)])
    assert value(row) == 5


# The screen


def address(place, **query):
    return reverse("picking:count-location", args=["here", place.pk], query=query)


def filled(row, units="", **more):
    return {f"units-{row.pk}": units, f"version-{row.pk}": row.version, "reason": "Counted", **more}


def test_scanned_place_opens_its_count(client, place):
    start = reverse("picking:count-start", args=["here"])

    assert client.get(start, {"code": "LOC-A01"}).url == address(place)
    assert client.get(start, {"code": "A-01", "blind": "on"}).url == address(place, blind=1)
    assert client.get(start, {"code": "nowhere"}).status_code == 422


def test_each_scan_counts_one_more_and_books_nothing(client, facility, place):
    row = stocked(facility, place, 5)
    code = row.listing.article.codes.get().code

    page = client.post(address(place), filled(row, "2", code=code))

    assert page.context["form"][f"units-{row.pk}"].value() == "3"
    assert value(row) == 5


def test_scan_of_something_else_adds_a_field_for_it(client, facility, place):
    row, article = stocked(facility, place, 5), ArticleFactory(code=ean())
    code = article.codes.get().code

    page = client.post(address(place), filled(row, code=code))
    field = page.context["form"][f"found-{article.pk}"]
    client.post(address(place), filled(row, "5", **{f"found-{article.pk}": "1", "book": "1"}))

    assert field.value() == "1"
    assert Stock.objects.get(listing__article=article, location=place).value == 1


def test_unknown_code_counts_nothing(client, facility, place):
    row = stocked(facility, place, 5)

    page = client.post(address(place), filled(row, "2", code="NO-SUCH-CODE"))

    assert "Nobody knows this code" in page.content.decode()
    assert page.context["form"][f"units-{row.pk}"].value() == "2"


def test_empty_field_stays_as_it_is_unless_the_rest_is_gone(client, facility, place):
    first, second = stocked(facility, place, 5), stocked(facility, place, 3)
    data = {**filled(first, "4"), **filled(second), "book": "1"}

    client.post(address(place), data)
    assert (value(first), value(second)) == (4, 3)
    first.refresh_from_db()
    client.post(address(place), {**data, **filled(first, "4"), "is_rest_gone": "on"})

    assert (value(first), value(second)) == (4, 0)


def test_blind_count_does_not_show_what_is_booked(client, facility, place):
    stocked(facility, place, 73)

    assert "73" in client.get(address(place)).content.decode()
    assert "should be here" not in client.get(address(place, blind=1)).content.decode()


# Who holds this


def test_article_shows_its_places_and_for_whom_it_is_reserved(client, facility):
    job = pick_job(2, facility=facility, spare=3)
    line = job.lines.get()

    page = client.get(reverse("picking:look-up", args=["here"]), {"code": code_of(line)})

    held = page.context["held"]
    assert [(row.value, len(row.planned)) for row in held.listing.stocks.all()] == [(5, 1)]
    assert [(one.quantity, one.plan_line.plan.pick_job) for one in held.reservations] == [(2, job)]
    assert job.short_id in page.content.decode()


def test_place_shows_what_lies_there_and_who_gets_it(client, facility):
    job = pick_job(2, facility=facility, spare=3)
    place = job.lines.get().allocations.get().stock.location

    page = client.get(reverse("picking:look-up", args=["here"]), {"code": place.name})

    [row] = page.context["rows"]
    assert (row.value, [allocation.line.job for allocation in row.planned]) == (5, [job])
    assert job.short_id in page.content.decode()


def test_ended_jobs_hold_nothing(facility, picker):
    job = started_pick_job(picker, 1, facility=facility, spare=1)
    location = job.lines.get().allocations.get().stock.location

    picking.abort(job.pk, by=picker, now=timezone.now())

    [row] = holders.at_location(location)
    assert row.planned == []


def test_stock_of_other_facilities_is_not_shown(client, facility):
    job = pick_job(2, facility=FacilityFactory())

    page = client.get(reverse("picking:look-up", args=["here"]), {"code": code_of(job.lines.get())})

    assert page.context["held"].listing is None
    assert "This facility never had it" in page.content.decode()


def test_look_up_survives_a_code_that_nobody_knows(client):
    page = client.get(reverse("picking:look-up", args=["here"]), {"code": "\x1d?"})

    assert "Nothing found" in page.content.decode()
