"""The files of the demo network fit together, however they are edited."""

import datetime
import re
from collections import Counter

import pytest
from biip.gtin import Gtin
from django.utils import timezone

from fulfillment.core.api.schema import validate
from fulfillment.demo import loader
from orders import wire

# Latitudes and longitudes within which a country lies.
BOXES = {
    "NL": (50.7, 53.6, 3.3, 7.3),
    "BE": (49.4, 51.6, 2.5, 6.5),
    "DE": (47.2, 55.1, 5.8, 15.1),
    "AT": (46.3, 49.1, 9.5, 17.2),
}


def column(file, name):
    return [row[name] for row in loader.rows(file)]


def twice(values):
    return [value for value, count in Counter(values).items() if count > 1]


def test_network_has_stores_and_warehouses_in_four_countries():
    types = Counter(column("facilities.csv", "type"))

    assert types["STORE"] >= 12
    assert types["WAREHOUSE"] >= 2
    assert set(column("facilities.csv", "country")) == set(BOXES)
    assert "PICKUP" in column("facilities.csv", "services")
    assert "SHIP_FROM_STORE" in column("facilities.csv", "services")


@pytest.mark.parametrize("site", loader.rows("facilities.csv"), ids=lambda site: site["number"])
def test_facility_lies_in_its_country(site):
    south, north, west, east = BOXES[site["country"]]

    assert south < float(site["latitude"]) < north
    assert west < float(site["longitude"]) < east
    assert site["open"] < site["close"]


def test_articles_have_valid_internal_numbers_of_their_own():
    articles = loader.rows("articles.csv")
    codes = [row["ean"] for row in articles]
    cartons = [row["carton_ean"] for row in articles if row["carton_ean"]]

    assert len(articles) >= 200
    assert cartons
    for code in codes + cartons:
        assert len(code) == 13
        assert code.startswith("2")
        Gtin.parse(code)
    assert twice(codes + cartons) == []
    assert twice(row["sku"] for row in articles) == []


def test_articles_have_both_titles_weight_and_size():
    for row in loader.rows("articles.csv"):
        assert row["title"]
        assert row["title_de"]
        assert all(int(row[name]) > 0 for name in ("weight_g", "length_mm", "width_mm", "height_mm")), row


def test_german_titles_write_nouns_with_capitals():
    texts = [path.read_text() for path in (loader.FOLDER / "orders").glob("*.json")]
    titles = [row["title_de"] for row in loader.rows("articles.csv")] + texts

    assert [found for text in titles for found in re.findall(r", (?:ton|moos|schnee|schiefer)\b", text)] == []
    assert [row["sku"] for row in loader.rows("articles.csv") if row["title_de"].endswith(", sand")] == []


def test_locations_have_a_code_and_a_place_in_the_walk_of_their_own():
    lines = loader.rows("locations.csv")

    assert twice(row["code"] for row in lines) == []
    assert twice((row["facility"], row["name"]) for row in lines) == []
    # In the two warehouses aisle and bay alone decide.
    walked = [row for row in lines if int(row["running_sequence"])]
    assert twice((row["facility"], row["running_sequence"]) for row in walked) == []
    assert {row["facility"] for row in lines} - {row["facility"] for row in walked} == {"NL-VEN", "DE-HAJ"}
    assert twice((row["facility"], row["aisle"], row["bay"]) for row in lines) == []


def test_stock_names_what_exists():
    sites, skus = set(column("facilities.csv", "number")), set(column("articles.csv", "sku"))
    places = {(row["facility"], row["name"]) for row in loader.rows("locations.csv")}
    lines = loader.rows("stock.csv")

    assert twice((row["facility"], row["location"], row["sku"]) for row in lines) == []
    for row in lines:
        assert (row["facility"], row["location"]) in places
        assert row["sku"] in skus
        assert int(row["units"]) > 0
    assert {row["facility"] for row in lines} == sites
    assert set(column("safety_stock.csv", "sku")) <= skus
    assert set(column("safety_stock.csv", "facility")) <= sites | {""}
    assert set(column("closing_days.csv", "facility")) <= sites


@pytest.mark.django_db
def test_orders_are_what_the_api_accepts():
    now = timezone.now()
    orders = loader.orders(now)
    skus = set(column("articles.csv", "sku"))

    assert len(orders) == 40
    assert twice(order["tenantOrderId"] for order in orders) == []
    assert [validate(wire.order_for_creation, order) for order in orders] == orders
    unknown = [
        order["tenantOrderId"]
        for order in orders
        if any(line["article"]["tenantArticleId"] not in skus for line in order["orderLineItems"])
    ]
    assert len(unknown) == 1
    preferences = [order.get("deliveryPreferences", {}) for order in orders]
    assert any("collect" in wanted for wanted in preferences)
    assert any("preselectedFacilities" in wanted.get("shipping", {}) for wanted in preferences)
    numbers = set(column("facilities.csv", "number"))
    for wanted in preferences:
        named = wanted.get("collect", []) + wanted.get("shipping", {}).get("preselectedFacilities", [])
        assert {reference["facilityRef"] for reference in named} <= numbers
    words = [str(order["consumer"]) for order in orders]
    assert any(re.search("[äöüßéèç]", word) for word in words)
    assert any("companyName" in word for word in words)


def test_moment_counts_from_now():
    now = datetime.datetime(2026, 3, 2, 9, tzinfo=datetime.UTC)

    assert loader.moment("-2h10m", now) == "2026-03-02T06:50:00+00:00"
    assert loader.moment("+1d00h", now) == "2026-03-03T09:00:00+00:00"
    assert loader.moment("2026-01-01T00:00:00Z", now) == "2026-01-01T00:00:00Z"
