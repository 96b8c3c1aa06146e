import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fulfillment.core.api import listing_wire, stock_wire
from fulfillment.core.api.schema import validate
from fulfillment.core.models import Article, Listing, SafetyStock, Stock, StockMovement
from tests.apiclient import Api, described
from tests.factories.core import (
    ArticleFactory,
    FacilityFactory,
    StorageLocationFactory,
    api_token,
    put_stock,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def facility():
    return FacilityFactory()


# Listings


def test_listings_are_made_with_their_articles_and_replaced(api, facility):
    ArticleFactory(sku="KNOWN", title="Known")
    path = f"/api/facilities/{facility.pk}/listings"
    rows = [
        {
            "tenantArticleId": "NEW",
            "title": "Mug",
            "scannableCodes": ["1"],
            "weight": 5,
            "imageUrl": "https://x/y.png",
        },
        {"tenantArticleId": "KNOWN", "title": "Here", "status": "INACTIVE"},
    ]

    first, second = api.put(path, {"listings": rows}), api.put(path, {"listings": rows})

    assert first.status_code == 200
    validate(listing_wire.listing_results, first.json())
    assert [row["status"] for row in first.json()] == ["CREATED", "CREATED"]
    assert [row["status"] for row in second.json()] == ["UPDATED", "UPDATED"]
    assert [row["listing"]["version"] for row in second.json()] == [1, 1]
    assert first.json()[0]["listing"]["weight"] == 5
    assert Article.objects.get(sku="NEW").title == "Mug"
    assert Listing.objects.get(article__sku="KNOWN").status == "INACTIVE"


def test_listing_of_an_old_version_fails_alone(api, facility):
    path = f"/api/facilities/{facility.pk}/listings"
    api.put(path, {"listings": [{"tenantArticleId": "A"}, {"tenantArticleId": "B"}]})

    rows = [
        {"tenantArticleId": "A", "title": "x", "version": 7},
        {"tenantArticleId": "B", "title": "y", "version": 1},
    ]
    answer = api.put(path, {"listings": rows})

    assert [row["status"] for row in answer.json()] == ["FAILED", "UPDATED"]
    assert [row["listing"]["version"] for row in answer.json()] == [1, 2]
    assert answer.json()[0]["errors"][0]["version"] == 1


def test_listing_that_is_no_listing_fails_alone(api, facility):
    rows = [{"tenantArticleId": "A", "status": "SOLD"}, {"tenantArticleId": "B"}, 7, {"title": "x"}]

    answer = api.put(f"/api/facilities/{facility.pk}/listings", {"listings": rows})

    validate(listing_wire.listing_results, answer.json())
    assert [row["status"] for row in answer.json()] == ["FAILED", "CREATED", "FAILED", "FAILED"]
    assert [row["errors"][0]["description"] for row in answer.json() if "errors" in row] == [
        "listings[0].status: must be one of ACTIVE, INACTIVE",
        "listings[2]: must be an object",
        "listings[3].tenantArticleId: is required",
    ]


def test_queries_do_not_depend_on_the_number_of_listings(api, facility):
    def queries(count):
        rows = [{"tenantArticleId": f"{count}-{number}", "title": "x"} for number in range(count)]
        with CaptureQueriesContext(connection) as context:
            assert api.put(f"/api/facilities/{facility.pk}/listings", {"listings": rows}).status_code == 200
        return len(context)

    queries(1)
    assert queries(2) == queries(30)


def test_listing_is_read_patched_and_deleted(api, facility):
    path = f"/api/facilities/{facility.pk}/listings"
    api.put(path, {"listings": [{"tenantArticleId": "A", "title": "x", "legal": {"a": 1}}]})
    listing = api.get(f"{path}/A").json()
    validate(listing_wire.listing, listing)
    patch = {"version": 1, "actions": [{"action": "ModifyListing", "title": "y", "price": 3}]}

    answer = api.patch(f"{path}/A", patch)

    assert (answer.json()["title"], answer.json()["price"], answer.json()["legal"]) == ("y", 3, {"a": 1})
    assert api.patch(f"{path}/A", patch).status_code == 409
    assert api.get(path, {"tenantArticleIds": "A,B"}).json()["listings"][0]["version"] == 2
    assert api.post("/api/listings/search", {"query": {"tenantArticleId": {"eq": "A"}}}).json()[
        "listings"
    ] == [answer.json()]
    assert api.delete(f"{path}/A").status_code == 200
    assert api.get(f"{path}/A").status_code == 404
    assert api.get(path).json() == {"listings": [], "total": 0}


def test_listing_in_stock_is_not_deleted(api, facility):
    put_stock(facility, ArticleFactory(sku="A"), 1)

    answer = api.delete(f"/api/facilities/{facility.pk}/listings/A")

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "LISTING_IN_USE")


# Stock


def test_first_units_of_an_article_are_booked_through_the_ledger(api, facility):
    ArticleFactory(sku="A")
    location = StorageLocationFactory(facility=facility)
    body = {
        "facilityRef": str(facility.pk),
        "tenantArticleId": "A",
        "value": 5,
        "locationRef": str(location.pk),
        "properties": {"expiry": "2030-01-31T00:00:00Z"},
    }

    answer = api.post("/api/stocks", body)

    assert answer.status_code == 201
    validate(stock_wire.stock, answer.json())
    row = Stock.objects.get()
    assert (row.value, row.location, row.expires_on) == (5, location, datetime.date(2030, 1, 31))
    assert row.movements.get().delta == 5
    assert answer["Location"] == f"/api/stocks/{row.pk}"
    assert api.get(answer["Location"]).json() == answer.json()
    again = api.post("/api/stocks", body)
    assert (again.status_code, again.json()[0]["summary"]) == (400, "STOCK_EXISTS")


@pytest.mark.parametrize(
    ("change", "status", "problem"),
    [
        ({"tenantArticleId": "NONE"}, 422, "There is no article NONE"),
        ({"facilityRef": "x"}, 400, "facilityRef: There is no facility 'x'"),
        ({"facility": {"tenantFacilityId": "x"}}, 400, "facility.tenantFacilityId: There is no facility 'x'"),
        ({"locationRef": "x"}, 400, "locationRef: There is no location 'x'"),
        ({"value": -1}, 400, "value: must be at least 0"),
        ({"properties": {"expiry": "soon"}}, 400, "properties.expiry: must begin with a day"),
    ],
    ids=str,
)
def test_bad_stock_is_refused_with_the_field(api, facility, change, status, problem):
    ArticleFactory(sku="A")

    answer = api.post(
        "/api/stocks", {"facilityRef": str(facility.pk), "tenantArticleId": "A", "value": 1, **change}
    )

    assert answer.status_code == status
    assert described(answer)[0].startswith(problem)
    assert not Stock.objects.exists()


def test_count_needs_the_version_when_it_names_one(api, facility):
    row = put_stock(facility, ArticleFactory(), 5)
    path = f"/api/stocks/{row.pk}"

    answer = api.put(path, {"value": 7, "version": row.version})

    assert (answer.status_code, answer.json()["value"]) == (200, 7)
    assert api.put(path, {"value": 9, "version": row.version}).status_code == 409
    assert api.put(path, {"value": 9}).json()["value"] == 9
    assert api.put(path, {"value": 9, "locationRef": "elsewhere"}).status_code == 400
    assert api.delete(path).status_code == 200
    assert api.get(path).status_code == 404


def test_bulk_answers_each_row_and_none_fails_the_others(api, facility):
    ArticleFactory(sku="A")
    counted = put_stock(facility, ArticleFactory(sku="B"), 5)
    own = {"facility": {"tenantFacilityId": facility.tenant_facility_id}}
    rows = [
        {**own, "tenantArticleId": "A", "value": 3},
        {"id": str(counted.pk), "value": 8, "version": counted.version},
        {"id": str(counted.pk), "value": 9, "version": 99},
        {**own, "tenantArticleId": "NONE", "value": 1},
        {"facilityRef": str(ArticleFactory().pk), "tenantArticleId": "A", "value": 1},
        {"id": "x", "value": 1},
        {**own, "tenantArticleId": "A", "value": -1, "colour": "red"},
        {**own, "tenantArticleId": "A", "value": 1, "properties": {"expiry": "soon"}},
        "no row",
    ]

    answer = api.put("/api/stocks", {"stocks": rows})

    assert answer.status_code == 200
    body = answer.json()
    validate(stock_wire.stock_results, body)
    assert [row["status"] for row in body] == ["CREATED", "UPDATED", *["FAILED"] * 7]
    assert [row["errors"][0]["summary"] for row in body[2:]] == [
        "VERSION_CONFLICT",
        "UNKNOWN_ARTICLE",
        "UNKNOWN_FACILITY",
        "NOT_FOUND",
        *["VALIDATION_FAILED"] * 3,
    ]
    assert [error["description"] for row in body[6:] for error in row["errors"]] == [
        "stocks[6].value: must be at least 0",
        "stocks[6].colour: is not a known property",
        "stocks[7].properties.expiry: must begin with a day like 2026-12-31",
        "stocks[8]: must be an object",
    ]
    assert [row["stock"]["value"] for row in body[:2]] == [3, 8]
    again = api.put("/api/stocks", {"stocks": rows[:1]}).json()
    assert again[0]["status"] == "UNCHANGED"


def test_bulk_answers_what_is_read_afterwards(api, facility):
    article, other = ArticleFactory(sku="A"), ArticleFactory(sku="B")
    places = [
        StorageLocationFactory(facility=facility, is_pickable=is_pickable) for is_pickable in (True, False)
    ]
    there = [put_stock(facility, article, 5, location=places[0]), put_stock(facility, other, 5)]
    Listing.objects.filter(article=article).update(reserved=4)
    own = {"facilityRef": str(facility.pk), "tenantArticleId": "A"}
    rows = [
        {"id": str(there[0].pk), "value": 5, "customAttributes": {"lot": 1}},
        {"id": str(there[1].pk), "value": 9, "receiptDate": "2026-03-02T09:00:00Z"},
        {**own, "value": 5, "locationRef": str(places[0].pk)},
        {
            **own,
            "value": 7,
            "locationRef": str(places[1].pk),
            "properties": {"expiry": "2026-12-31", "batch": "B1"},
        },
        {**own, "value": 2, "tenantStockId": "S-1", "properties": {"expiry": "2020-12-31"}},
        {**own, "value": 0, "properties": {"expiry": "2026-12-31"}},
    ]

    answer = api.put("/api/stocks", {"stocks": rows}).json()

    assert [row["status"] for row in answer] == ["UNCHANGED", "UPDATED", "UNCHANGED", *["CREATED"] * 3]
    assert [row["stock"]["version"] for row in answer[2:]] == [there[0].version + 1, 1, 1, 1]
    for row in answer:
        assert row["stock"] == api.get(f"/api/stocks/{row['stock']['id']}").json()
    ledger = StockMovement.objects.filter(kind="IMPORT").order_by("pk")
    assert list(ledger.values_list("delta", "reason")) == [(4, "API"), (7, "API"), (2, "API")]


def test_what_a_program_notes_of_its_stock_comes_back(api, facility):
    ArticleFactory(sku="A")
    noted = {
        "customAttributes": {"lot": 7},
        "tenantStockId": "S-1",
        "receiptDate": "2026-03-02T09:00:00Z",
        "properties": {"batch": "B1"},
    }
    place = {"facilityRef": str(facility.pk), "tenantArticleId": "A", "value": 5}

    made = api.post("/api/stocks", {**place, **noted}).json()

    assert {name: made[name] for name in noted} == noted
    assert made["serializedProperties"] == "batch=B1"
    path, version = f"/api/stocks/{made['id']}", made["version"]
    noted_only = api.put(path, {"value": 5, "customAttributes": {"lot": 8}}).json()
    assert noted_only["version"] == version + 1
    assert (noted_only["customAttributes"], noted_only["tenantStockId"]) == ({"lot": 8}, "S-1")
    both = api.put(path, {"value": 6, "version": version + 1, "customAttributes": {"lot": 9}}).json()
    assert (both["version"], both["value"], both["customAttributes"]) == (version + 2, 6, {"lot": 9})


def test_bulk_notes_what_a_program_says_of_its_stock(api, facility):
    ArticleFactory(sku="A")
    place = {"facilityRef": str(facility.pk), "tenantArticleId": "A"}
    (new,) = api.put(
        "/api/stocks", {"stocks": [{**place, "value": 6, "customAttributes": {"lot": 1}}]}
    ).json()
    version = new["stock"]["version"]
    rows = [{"id": new["stock"]["id"], "value": 6, "customAttributes": {"lot": 2}}, {**place, "value": 6}]

    answer = api.put("/api/stocks", {"stocks": rows}).json()

    assert new["stock"]["customAttributes"] == {"lot": 1}
    assert [(row["stock"]["version"], row["stock"]["customAttributes"]) for row in answer] == [
        (version + 1, {"lot": 2})
    ] * 2


@pytest.mark.parametrize(
    "part",
    [{"traitConfig": [{"trait": "PICKABLE", "enabled": False}]}, {"availableUntil": "2030-01-01T00:00:00Z"}],
)
def test_what_would_change_what_may_be_sold_is_not_dropped(api, facility, part):
    ArticleFactory(sku="A")
    body = {"facilityRef": str(facility.pk), "tenantArticleId": "A", "value": 5, **part}

    single, (row,) = api.post("/api/stocks", body), api.put("/api/stocks", {"stocks": [body]}).json()

    assert (single.status_code, single.json()[0]["summary"]) == (422, "NOT_OFFERED")
    assert (row["status"], row["errors"][0]["summary"]) == ("FAILED", "NOT_OFFERED")
    assert not Stock.objects.exists()


def test_queries_do_not_depend_on_the_number_of_rows(api, facility):
    articles = [ArticleFactory() for _ in range(20)]

    def queries(count, value):
        rows = [
            {"facilityRef": str(facility.pk), "tenantArticleId": article.sku, "value": value}
            for article in articles[:count]
        ]
        with CaptureQueriesContext(connection) as context:
            assert api.put("/api/stocks", {"stocks": rows}).status_code == 200
        return len(context)

    queries(20, 1)
    assert queries(2, 2) == queries(20, 3)


def test_list_filters_in_all_forms_and_pages(api, facility):
    a, b = ArticleFactory(sku="A"), ArticleFactory(sku="B")
    other = FacilityFactory()
    rows = [put_stock(facility, a, 1), put_stock(facility, b, 2), put_stock(other, a, 3)]

    def found(**query):
        body = api.get("/api/stocks", query).json()
        validate(stock_wire.stocks, body)
        return [entry["value"] for entry in body["stocks"]]

    assert found() == [3, 2, 1]
    assert found(tenantArticleId=["A", "B"], facilityRef=str(facility.pk)) == [2, 1]
    assert found(tenantArticleId="A,C") == [3, 1]
    assert found(tenantFacilityId=other.tenant_facility_id) == [3]
    assert found(size=1, startAfterId=str(rows[1].pk)) == [1]
    assert (
        api.post("/api/stocks/search", {"query": {"value": {"gt": 1}}}).json()["pageInfo"]["hasNextPage"]
        is False
    )


def test_summary_has_the_figures_of_the_example(api, facility):
    """20 pickable and 5 in a back room, 4 reserved, safety 3: 25 on hand, 18 on stock, 13 for picking."""
    article = ArticleFactory(sku="A")
    put_stock(facility, article, 20, location=StorageLocationFactory(facility=facility))
    put_stock(facility, article, 5, location=StorageLocationFactory(facility=facility, is_pickable=False))
    Listing.objects.update(reserved=4)
    SafetyStock.objects.create(article=article, facility=facility, value=3)

    body = api.get("/api/stocks/summaries").json()

    validate(stock_wire.summaries, body)
    (summary,) = body["stockSummaries"]
    details = summary["details"]
    assert (details["stockOnHand"], details["availableOnStock"], details["availableForPicking"]) == (
        25,
        18,
        13,
    )
    assert (details["reserved"], details["safetyStock"]) == (4, 3)
    assert details["byTrait"] == {"ACCESSIBLE": 25, "PICKABLE": 20}
    assert summary["includedFacilityRefs"] == [str(facility.pk)]
    assert api.get("/api/stocks/summaries", {"facilityStatus": "OFFLINE"}).json()["total"] == 0
    assert api.get("/api/stocks/summaries", {"facilityServiceTypes": ["PICKUP"]}).json()["total"] == 1
    assert api.get("/api/stocks/summaries", {"tenantArticleIds": "B"}).json()["total"] == 0


def test_stock_of_another_facility_is_not_found(client, facility):
    row = put_stock(facility, ArticleFactory(sku="A"), 1)
    api = Api(client, api_token(facilities=[FacilityFactory()]))

    assert api.get(f"/api/stocks/{row.pk}").status_code == 404
    assert api.get("/api/stocks").json()["total"] == 0
    assert api.get("/api/stocks/summaries").json()["total"] == 0
    assert (
        api.put("/api/stocks", {"stocks": [{"id": str(row.pk), "value": 9}]}).json()[0]["status"] == "FAILED"
    )
    assert api.get(f"/api/facilities/{facility.pk}/listings").status_code == 404
    row.refresh_from_db()
    assert row.value == 1
