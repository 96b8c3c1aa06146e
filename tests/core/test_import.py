import csv
import io
import json
import re

import pytest
import tablib
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Sum
from django.urls import reverse

from fulfillment.core import spreadsheets
from fulfillment.core.admin import base as core_admin
from fulfillment.core.models import (
    Article,
    ArticleCode,
    Facility,
    OutboxEntry,
    StatusChange,
    Stock,
    StockMovement,
    StorageLocation,
    Zone,
)
from fulfillment.core.resources import (
    ArticleResource,
    FacilityResource,
    LocationResource,
    StockResource,
)
from fulfillment.core.spreadsheets import escape, unescape
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock, staff

pytestmark = pytest.mark.django_db
FACILITY = {
    "tenant_facility_id": "NL-02",
    "slug": "utrecht",
    "name": "Utrecht",
    "status": "ONLINE",
    "services": "SHIP_FROM_STORE, PICKUP",
    "company_name": "Shop BV",
    "street": "Oudegracht",
    "postal_code": "3511 AB",
    "city": "Utrecht",
    "country": "NL",
    "latitude": "52.09",
    "longitude": "5.12",
    "time_zone": "Europe/Amsterdam",
}


def table(*rows):
    dataset = tablib.Dataset(headers=list(rows[0]))
    for row in rows:
        dataset.append(list(row.values()))
    return dataset


def load(resource, *rows, user=None):
    return resource().import_data(table(*rows), rollback_on_validation_errors=True, user=user)


def refusals(result):
    """[(row number, {column: [messages]})], or the words about the whole file."""
    if result.base_errors:
        return [str(error.error) for error in result.base_errors]
    assert not result.row_errors(), [
        error.traceback for _row, errors in result.row_errors() for error in errors
    ]
    return [(row.number, row.error_dict) for row in result.invalid_rows]


def test_cells_that_begin_like_a_formula_are_escaped_and_come_back():
    for text in ["=1+1", "+31 20 1", "-x", "@SUM(A1)", "\tx", "\rx", "'=x", "''"]:
        assert escape(text) == f"'{text}"
        assert unescape(escape(text)) == text
    for text in ["Lamp", "-3.7", "12", "", "'s-Hertogenbosch"[1:], None, 5]:
        assert escape(text) == text
    assert unescape("'s-Hertogenbosch") == "'s-Hertogenbosch"
    assert unescape(escape("'s-Hertogenbosch")) == "'s-Hertogenbosch"


# Facilities


def test_new_facility_is_created_by_the_service():
    user = staff("administrator")

    result = load(FacilityResource, FACILITY | {"status": "SUSPENDED"}, user=user)

    assert refusals(result) == []
    facility = Facility.objects.get()
    assert (facility.status, facility.services, facility.latitude) == (
        "SUSPENDED",
        ["SHIP_FROM_STORE", "PICKUP"],
        52.09,
    )
    assert {change.after for change in StatusChange.objects.filter(by=user)} == {"ONLINE", "SUSPENDED"}
    assert OutboxEntry.objects.filter(event="FacilityChanged").exists()


def test_known_facility_is_changed_and_an_unchanged_one_skipped():
    load(FacilityResource, FACILITY)
    first = Facility.objects.get()

    same = load(FacilityResource, FACILITY)
    changed = load(FacilityResource, {"tenant_facility_id": "NL-02", "city": "Zeist"})

    assert (same.totals["skip"], refusals(changed)) == (1, [])
    facility = Facility.objects.get()
    assert (facility.pk, facility.city, facility.version) == (first.pk, "Zeist", 2)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("slug", ""),
        ("slug", "not a slug"),
        ("country", "XX"),
        ("status", "GONE"),
        ("services", "FLY"),
        ("latitude", "north"),
        ("latitude", "91"),
        ("time_zone", "Mars/Base"),
        ("fulfillment_buffer", "-1"),
        ("name", ""),
        ("picking_times", '{"MONDAY": 5}'),
        ("picking_times", "always"),
    ],
)
def test_wrong_facility_value_names_row_and_column_and_nothing_is_written(column, value):
    good = FACILITY | {"fulfillment_buffer": "240", "picking_times": "{}"}
    bad = good | {"tenant_facility_id": "NL-03", "slug": "zeist", column: value}

    result = load(FacilityResource, good, bad)

    [(row, errors)] = refusals(result)
    assert (row, list(errors)) == (2, [column])
    assert not Facility.objects.exists()


def test_short_name_of_a_known_facility_is_not_changed_by_import():
    load(FacilityResource, FACILITY)

    result = load(FacilityResource, FACILITY | {"slug": "other"})

    assert [(row, list(errors)) for row, errors in refusals(result)] == [(1, ["slug"])]
    assert Facility.objects.get().slug == "utrecht"


# Articles


def test_articles_are_created_and_changed_with_their_codes():
    lamp = ArticleFactory(sku="LAMP", title="Lamp", code="4006381333931")

    result = load(
        ArticleResource,
        {"sku": "LAMP", "title": "Lamp", "weight_g": "450", "codes": "4006381333931, 14006381333938*6"},
        {"sku": "DESK", "title": "Desk", "weight_g": "", "codes": "8710398500014"},
    )

    assert refusals(result) == []
    lamp.refresh_from_db()
    assert (lamp.weight_g, lamp.version) == (450, 2)
    assert set(ArticleCode.objects.values_list("article__sku", "code", "units")) == {
        ("LAMP", "4006381333931", 1),
        ("LAMP", "14006381333938", 6),
        ("DESK", "8710398500014", 1),
    }


def test_articles_without_a_column_of_codes_keep_theirs():
    ArticleFactory(sku="LAMP", code="4006381333931")

    load(ArticleResource, {"sku": "LAMP", "title": "Desk lamp"})

    assert ArticleCode.objects.get().code == "4006381333931"
    assert Article.objects.get().title == "Desk lamp"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sku", ""),
        ("title", ""),
        ("weight_g", "heavy"),
        ("weight_g", "-1"),
        ("origin_country", "XX"),
        ("codes", "4006381333932"),
        ("codes", "X1*0"),
        ("codes", "X1, X1"),
        ("codes", "8710398500014"),
        ("image_url", "not an address"),
    ],
)
def test_wrong_article_value_names_row_and_column_and_nothing_is_written(column, value):
    ArticleFactory(sku="OWNER", code="8710398500014")
    good = {
        "sku": "A",
        "title": "A",
        "codes": "4006381333931",
        "weight_g": "5",
        "origin_country": "NL",
        "image_url": "",
    }

    result = load(ArticleResource, good, good | {"sku": "B", "codes": ""} | {column: value})

    assert [(row, list(errors)) for row, errors in refusals(result)] == [(2, [column])]
    assert Article.objects.count() == ArticleCode.objects.count() == 1


def test_one_code_for_two_new_articles_and_one_article_twice_are_refused():
    result = load(
        ArticleResource,
        {"sku": "A", "title": "A", "codes": "X1"},
        {"sku": "B", "title": "B", "codes": "X1"},
        {"sku": "A", "title": "A", "codes": ""},
    )

    assert [(row, list(errors)) for row, errors in refusals(result)] == [(2, ["codes"]), (3, ["sku"])]
    assert not Article.objects.exists()


def test_articles_need_the_same_queries_for_one_and_for_many(
    django_assert_max_num_queries, django_assert_num_queries
):
    with django_assert_max_num_queries(20) as queries:
        load(ArticleResource, {"sku": "A", "title": "A", "codes": "A1"})
    rows = [{"sku": f"B{number}", "title": "B", "codes": f"B1{number}"} for number in range(30)]

    with django_assert_num_queries(len(queries)):
        load(ArticleResource, *rows)


# Stock


@pytest.fixture
def place():
    facility = FacilityFactory(tenant_facility_id="NL-01")
    return StorageLocationFactory(facility=facility, name="A-01")


def count(**values):
    return {"facility": "NL-01", "sku": "LAMP", "location": "A-01", "units": "7"} | values


def test_stock_is_set_to_what_was_counted_with_a_movement_of_its_kind(place):
    user, lamp = staff("administrator"), ArticleFactory(sku="LAMP")
    row = put_stock(place.facility, lamp, 10, location=place)

    result = load(StockResource, count(), count(location="", units="2"), user=user)

    assert refusals(result) == []
    row.refresh_from_db()
    assert row.value == row.movements.aggregate(units=Sum("delta"))["units"] == 7
    assert Stock.objects.get(location=None).value == 2
    assert set(StockMovement.objects.filter(by=user).values_list("kind", "delta")) == {
        ("IMPORT", -3),
        ("IMPORT", 2),
    }


def test_stock_keeps_expiry_dates_apart(place):
    ArticleFactory(sku="LAMP")

    load(StockResource, count(expires_on="2027-01-31"), count(expires_on="", units="1"))

    assert set(Stock.objects.values_list("expires_on__year", "value")) == {(2027, 7), (None, 1)}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("facility", "XX-99"),
        ("facility", ""),
        ("sku", "NOTHING"),
        ("location", "Z-99"),
        ("units", "-1"),
        ("units", "1.5"),
        ("units", "many"),
        ("units", ""),
        ("units", "99999999"),
        ("expires_on", "31.01.2027"),
    ],
)
def test_wrong_stock_value_names_row_and_column_and_nothing_is_written(place, column, value):
    ArticleFactory(sku="LAMP")
    ArticleFactory(sku="DESK")

    result = load(StockResource, count(expires_on=""), count(sku="DESK", expires_on="") | {column: value})

    assert [(row, list(errors)) for row, errors in refusals(result)] == [(2, [column])]
    assert not Stock.objects.exists()
    assert not OutboxEntry.objects.exists()


def test_location_of_another_facility_is_unknown_here(place):
    ArticleFactory(sku="LAMP")
    FacilityFactory(tenant_facility_id="NL-02")

    result = load(StockResource, count(facility="NL-02"))

    assert [(row, list(errors)) for row, errors in refusals(result)] == [(1, ["location"])]


def test_one_place_counted_twice_is_refused(place):
    ArticleFactory(sku="LAMP")

    result = load(StockResource, count(), count(units="8"))

    assert [(row, list(errors)) for row, errors in refusals(result)] == [(2, ["sku"])]
    assert not Stock.objects.exists()


@pytest.mark.parametrize(
    ("row", "named"), [({"facility": "NL-01", "sku": "LAMP"}, "units"), (count(colour="red"), "colour")]
)
def test_missing_and_unknown_columns_are_named(place, row, named):
    [words] = refusals(load(StockResource, row))

    assert named in words


def test_file_with_too_many_rows_is_refused(place, monkeypatch):
    monkeypatch.setattr(spreadsheets, "MOST_ROWS", 1)
    ArticleFactory(sku="LAMP")

    [words] = refusals(load(StockResource, count(), count(location="")))

    assert "2 rows" in words
    assert not Stock.objects.exists()


def test_stock_needs_the_same_queries_for_one_and_for_many(
    place, django_assert_max_num_queries, django_assert_num_queries
):
    for number in range(31):
        ArticleFactory(sku=f"S{number}")
    with django_assert_max_num_queries(25) as queries:
        load(StockResource, count(sku="S0"))

    with django_assert_num_queries(len(queries)):
        load(StockResource, *(count(sku=f"S{number}") for number in range(1, 31)))


# Export, and the way through the administration


def rows_of(response):
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


@pytest.fixture
def office(client, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    client.force_login(staff("administrator"))
    return client


def export(client, model):
    return client.get(reverse(f"admin:core_{model}_export"))


def test_exports_are_escaped_and_can_be_imported_again(office, place):
    ArticleFactory(sku="=EVIL", title="@SUM(A1)", code="4006381333931")
    put_stock(place.facility, Article.objects.get(), 5, location=place)

    articles = rows_of(export(office, "article"))
    stocks = rows_of(export(office, "stock"))
    facilities = rows_of(export(office, "facility"))

    assert (articles[0]["sku"], articles[0]["title"], articles[0]["codes"]) == (
        "'=EVIL",
        "'@SUM(A1)",
        "4006381333931",
    )
    assert stocks == [
        {"facility": "NL-01", "sku": "'=EVIL", "location": "A-01", "expires_on": "", "units": "5"}
    ]
    assert json.loads(facilities[0]["picking_times"])["MONDAY"]
    for resource, rows in [
        (ArticleResource, articles),
        (StockResource, stocks),
        (FacilityResource, facilities),
    ]:
        result = load(resource, *rows)
        assert refusals(result) == []
        assert result.totals["skip"] == 1, resource


def upload(client, model, text):
    file = SimpleUploadedFile("count.csv", text.encode("utf-8-sig"), "text/csv")
    return client.post(
        reverse(f"admin:core_{model}_import"), {"import_file": file, "format": "0", "resource": "0"}
    )


def test_import_is_previewed_and_written_after_the_confirmation(office, place):
    ArticleFactory(sku="LAMP")

    preview = upload(office, "stock", "facility,sku,location,units\nNL-01,LAMP,A-01,7\n")
    assert not Stock.objects.exists()
    confirm = preview.context["confirm_form"].initial | {"resource": "0"}
    response = office.post(reverse("admin:core_stock_process_import"), confirm)

    assert response.status_code == 302
    assert Stock.objects.get().value == 7


def test_preview_shows_row_and_column_of_an_error_and_offers_no_confirmation(office, place):
    ArticleFactory(sku="LAMP")

    preview = upload(office, "stock", "facility,sku,location,units\nNL-01,LAMP,A-01,7\nXX-99,LAMP,,1\n")

    words = " ".join(re.sub(r"<[^>]+>", " ", preview.content.decode()).split())
    assert "2 facility There is no facility XX-99." in words
    assert "confirm_form" not in preview.context
    assert not Stock.objects.exists()


def test_confirmed_import_that_no_longer_fits_writes_nothing(office, place):
    lamp = ArticleFactory(sku="LAMP")
    ArticleFactory(sku="DESK")
    preview = upload(office, "stock", "facility,sku,location,units\nNL-01,DESK,,1\nNL-01,LAMP,A-01,7\n")
    confirm = preview.context["confirm_form"].initial | {"resource": "0"}
    lamp.delete()

    response = office.post(reverse("admin:core_stock_process_import"), confirm, follow=True)

    assert "Nothing was imported" in response.content.decode()
    assert not Stock.objects.exists()


def test_preview_says_what_is_wrong_with_the_file_and_shows_no_traceback(office):
    preview = upload(office, "stock", "facility,sku,colour\nNL-01,LAMP,red\n")

    page = preview.content.decode()
    assert "The column units is missing." in page
    assert "Traceback" not in page


def test_file_that_is_too_large_is_refused(office, monkeypatch):
    monkeypatch.setattr(core_admin, "LARGEST_IMPORT", 10)

    response = upload(office, "stock", "facility,sku,location,units\n")

    assert "larger than" in str(response.context["form"].errors["import_file"])


def test_file_that_is_not_text_is_refused(office):
    file = SimpleUploadedFile("x.csv", b"\xff\xfe\x00\x81", "text/csv")

    response = office.post(
        reverse("admin:core_article_import"), {"import_file": file, "format": "0", "resource": "0"}
    )

    assert response.context["form"].errors["import_file"]


# Storage locations


def shelf(**columns):
    return {
        "facility": "NL-02",
        "name": "B-02-1",
        "zone": "Home",
        "running_sequence": "20",
        "aisle": "2",
        "bay": "1",
        "level": "3",
        "scannable_codes": "LNLB021, 8712345678906",
    } | columns


@pytest.fixture
def utrecht():
    return FacilityFactory(tenant_facility_id="NL-02")


def test_locations_are_made_with_their_zone_and_changed_by_their_name(utrecht):
    first = load(LocationResource, shelf(), shelf(name="B-02-2", bay="2", scannable_codes=""))
    again = load(
        LocationResource, shelf(), shelf(name="B-02-2", bay="", aisle="", scannable_codes="", zone="")
    )
    few = load(LocationResource, {"facility": "NL-02", "name": "B-02-2", "zone": "Toys"})

    assert [first.totals["new"], again.totals["skip"], again.totals["update"]] == [2, 1, 1]
    assert few.totals["update"] == 1
    one, two = StorageLocation.objects.order_by("name")
    assert (one.facility, one.zone.name, one.running_sequence, one.version) == (utrecht, "Home", 20, 2)
    assert (one.aisle, one.bay, one.level) == (2, 1, 3)
    assert one.scannable_codes == ["LNLB021", "8712345678906"]
    assert (two.zone.name, two.aisle, two.bay, two.level, two.running_sequence) == ("Toys", None, None, 3, 20)
    assert Zone.objects.count() == 2


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"facility": "NL-99"}, "facility"),
        ({"bay": ""}, "aisle"),
        ({"aisle": "0"}, "aisle"),
        ({"type": "CUPBOARD"}, "type"),
        ({"scannable_codes": "1,2,3,4,5,6"}, "scannable_codes"),
        ({"zone": "Z" * 51}, "zone"),
        ({"name": "a-name-far-too-long"}, "name"),
        ({"name": "A-01-1"}, "name"),
    ],
)
def test_location_that_is_wrong_is_refused_with_its_column(utrecht, columns, named):
    good = shelf(name="A-01-1", type="BULK_STORAGE")

    result = load(LocationResource, good, shelf(type="BULK_STORAGE") | columns)

    ((number, errors),) = refusals(result)
    assert (number, list(errors)) == (2, [named])
    assert not StorageLocation.objects.exists()


def test_locations_come_out_as_they_go_in(utrecht):
    load(LocationResource, shelf())

    rows = LocationResource().export(StorageLocation.objects.all()).dict

    assert rows == [
        {
            **shelf(),
            "type": "BULK_STORAGE",
            "scannable_codes": "LNLB021, 8712345678906",
            "is_pickable": "1",
            "is_accessible": "1",
        }
    ]
    assert load(LocationResource, rows[0]).totals["skip"] == 1
