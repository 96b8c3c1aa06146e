import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fulfillment.core.api import facility_wire as wire
from fulfillment.core.api.schema import validate
from fulfillment.core.models import ClosingDay, Facility, OutboxEntry
from tests.apiclient import Api, described
from tests.factories.core import (
    ArticleFactory,
    FacilityCarrierFactory,
    FacilityFactory,
    api_token,
    put_stock,
)

pytestmark = pytest.mark.django_db
BODY = {
    "type": "MANAGED_FACILITY",
    "name": "Damrak",
    "tenantFacilityId": "NL-1",
    "locationType": "STORE",
    "services": [{"type": "PICKUP"}],
    "address": {
        "street": "Damrak",
        "houseNumber": "1",
        "postalCode": "1012 LG",
        "city": "Amsterdam",
        "country": "NL",
        "companyName": "Store",
        "phoneNumbers": [{"type": "PHONE", "value": ""}],
        "resolvedCoordinates": {"lat": 52.37, "lon": 4.89},
        "additionalAddressInfo": "2nd floor",
    },
    "pickingTimes": {"monday": [{"start": {"hour": 9, "minute": 0}, "end": {"hour": 17, "minute": 30}}]},
    "closingDays": [{"date": "2026-12-25T00:00:00Z", "reason": "Christmas", "recurrence": "YEARLY"}],
    "contact": {"firstName": "Ada", "lastName": "L"},
    "customAttributes": {"a": 1},
}


@pytest.fixture
def api(client):
    return Api(client)


def test_facility_comes_back_as_it_was_sent(api):
    answer = api.post("/api/facilities", BODY)

    assert answer.status_code == 201
    row = Facility.objects.get()
    assert answer["Location"] == f"/api/facilities/{row.pk}"
    assert (row.slug, row.time_zone, row.status) == ("damrak", "Europe/Amsterdam", "ONLINE")
    assert row.picking_times == {"MONDAY": [{"start": "09:00", "end": "17:30"}]}
    assert ClosingDay.objects.get().covers(ClosingDay.objects.get().closed_on.replace(year=2030))
    body = api.get(answer["Location"]).json()
    validate(wire.facility, body)
    assert body == answer.json()
    for name in (
        "pickingTimes",
        "closingDays",
        "contact",
        "services",
        "tenantFacilityId",
        "customAttributes",
    ):
        assert body[name] == BODY[name]
    assert body["address"]["additionalAddressInfo"] == "2nd floor"
    assert OutboxEntry.objects.filter(event="FacilityChanged").exists()


def test_picking_methods_are_read_in_every_word_for_them(api):
    body = BODY | {"pickingMethods": ["BATCH_PICKING", "MULTI_ORDER", "BATCH"]}

    answer = api.post("/api/facilities", body)

    assert Facility.objects.get().picking_methods == ["BATCH", "MULTI_ORDER"]
    assert answer.json()["pickingMethods"] == ["BATCH", "MULTI_ORDER"]
    assert api.post("/api/facilities", BODY | {"pickingMethods": ["GUESS"]}).status_code == 400


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"colour": "red"}, "colour: is not a known property"),
        ({"type": "SUPPLIER"}, "type: must be one of MANAGED_FACILITY"),
        ({"address": {"street": "A"}}, "address.postalCode: is required"),
        ({"services": [{"type": "FLY"}]}, "services[0].type: must be one of SHIP_FROM_STORE, PICKUP"),
        (
            {"closingDays": [{"date": "soon", "reason": "x", "recurrence": "YEARLY"}]},
            "closingDays[0].date: must be a time",
        ),
        (
            {"address": {**BODY["address"], "resolvedTimeZone": {"timeZoneId": "Mars"}}},
            "address.resolvedTimeZone.timeZoneId: Mars is not a time zone",
        ),
        (
            {
                "pickingTimes": {
                    "monday": [{"start": {"hour": 9, "minute": 0}, "end": {"hour": 8, "minute": 0}}]
                }
            },
            "pickingTimes: The picking times of MONDAY overlap",
        ),
    ],
    ids=str,
)
def test_bad_facility_is_refused_with_the_field(api, change, problem):
    answer = api.post("/api/facilities", {**BODY, **change})

    assert answer.status_code == 400
    assert described(answer)[0].startswith(problem)
    assert not Facility.objects.exists()


def test_number_of_another_facility_is_refused(api):
    api.post("/api/facilities", BODY)

    answer = api.post("/api/facilities", BODY)

    assert (answer.status_code, answer.json()[0]["summary"]) == (400, "NUMBER_IN_USE")
    assert Facility.objects.count() == 1


def test_facility_without_a_number_gets_one(api):
    body = {name: value for name, value in BODY.items() if name != "tenantFacilityId"}

    first, second = api.post("/api/facilities", body), api.post("/api/facilities", body)

    assert (first.status_code, second.status_code) == (201, 201)
    assert {row.slug for row in Facility.objects.all()} == {"damrak", "damrak-1"}


@pytest.mark.parametrize("style", ["actions", "plain"])
def test_patch_changes_what_is_named_and_raises_the_version(api, style):
    row = FacilityFactory(custom_attributes={"keep": 1})
    fields = {
        "name": "New",
        "status": "SUSPENDED",
        "address": {"city": "Delft"},
        "fulfillmentProcessBuffer": 30,
    }
    body = {"version": row.version, "actions": [{"action": "ModifyFacility", **fields}]}
    if style == "plain":
        body = {"version": row.version, "type": "MANAGED_FACILITY", **fields}

    answer = api.patch(f"/api/facilities/urn:fft:facility:tenantFacilityId:{row.tenant_facility_id}", body)

    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["name"], changed["status"], changed["address"]["city"]) == ("New", "SUSPENDED", "Delft")
    assert (changed["fulfillmentProcessBuffer"], changed["customAttributes"]) == (30, {"keep": 1})
    assert changed["version"] > row.version
    stale = api.patch(f"/api/facilities/{row.pk}", body)
    assert stale.status_code == 409
    assert stale.json()[0]["version"] == changed["version"]


def test_patch_that_the_model_refuses_names_the_action(api):
    row = FacilityFactory()
    body = {
        "version": row.version,
        "actions": [{"action": "ModifyFacility", "address": {"emailAddresses": [{"value": "x"}]}}],
    }

    answer = api.patch(f"/api/facilities/{row.pk}", body)

    assert answer.status_code == 400
    assert described(answer)[0].startswith("actions[0].address.emailAddresses:")


def test_unused_facility_is_deleted_and_a_used_one_is_not(api):
    unused, used = FacilityFactory(), FacilityFactory()
    put_stock(used, ArticleFactory(), 3)

    gone = api.delete(f"/api/facilities/{unused.pk}")
    refused = api.delete(f"/api/facilities/{used.pk}")

    assert (gone.status_code, gone["Content-Length"], gone.content) == (200, "0", b"")
    assert (refused.status_code, refused.json()[0]["summary"]) == (422, "FACILITY_IN_USE")
    assert list(Facility.objects.all()) == [used]


def test_list_filters_orders_and_pages(api):
    rows = [
        FacilityFactory(pk=uuid.UUID(int=number), name=name, tenant_facility_id=name)
        for number, name in enumerate(("C", "A", "B"))
    ]
    Facility.objects.filter(pk=rows[0].pk).update(status="OFFLINE")

    def found(**query):
        body = api.get("/api/facilities", query).json()
        validate(wire.facilities, body)
        return [entry["name"] for entry in body["facilities"]]

    assert found() == ["B", "A", "C"]
    assert found(orderBy="NAME") == ["A", "B", "C"]
    assert found(orderBy="NAME", size=1, startAfterId=str(rows[1].pk)) == ["B"]
    assert found(tenantFacilityId="A") == ["A"]
    assert found(**{"status[0]": "OFFLINE", "status[1]": "NONSENSE"}) == ["C"]
    assert found(type="SUPPLIER") == []
    assert found(tenantFacilityId="none") == []


def test_list_takes_the_same_number_of_queries_for_one_row_and_three(api):
    def queries(path):
        with CaptureQueriesContext(connection) as context:
            assert api.get(path).status_code == 200
        return len(context)

    FacilityFactory()
    api.get("/api/facilities")
    one = queries("/api/facilities")
    FacilityFactory()
    FacilityFactory()

    assert queries("/api/facilities") == one


def test_search_finds_by_address(api):
    FacilityFactory(city="Delft")
    FacilityFactory(city="Ghent", country="BE")

    body = api.post("/api/facilities/search", {"query": {"address": {"city": {"like": "gh"}}}}).json()

    validate(wire.facility_page, body)
    assert [row["address"]["city"] for row in body["facilities"]] == ["Ghent"]


def test_facility_of_others_is_not_found(client):
    own, other = FacilityFactory(), FacilityFactory()
    api = Api(client, api_token(facilities=[own]))

    assert api.get(f"/api/facilities/{own.pk}").status_code == 200
    assert api.get(f"/api/facilities/{other.pk}").status_code == 404
    assert api.get("/api/facilities/urn:fft:facility:tenantFacilityId:none").status_code == 404
    assert api.get("/api/facilities").json()["total"] == 1
    assert api.post("/api/facilities", BODY).status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        {"services": {"contains": {"type": {"eq": "PICKUP"}}}},
        {"services": {"contains": {"type": {"in": ["PICKUP", "X"]}}}},
        {"tags": {"contains": {"id": {"eq": "class"}, "value": {"eq": "A"}}}},
        {"contact": {"firstName": {"eq": "Eva"}}},
        {"customAttributes": {"size": {"gte": 3}}},
        {"referenced": {"facilityCarrierConnection": {"carrierKey": {"eq": "dhl"}}}},
        {"address": {"houseNumber": {"eq": "77b"}}},
    ],
    ids=str,
)
def test_search_finds_by_what_a_facility_offers(api, query):
    FacilityFactory(services=["SHIP_FROM_STORE"], custom_attributes={"size": 2})
    facility = FacilityFactory(
        services=["SHIP_FROM_STORE", "PICKUP"],
        tags=[{"id": "class", "value": "A"}],
        extra={"contact": {"firstName": "Eva"}},
        custom_attributes={"size": 3},
        house_number="77b",
    )
    FacilityCarrierFactory(facility=facility, carrier__key="dhl")

    body = api.post("/api/facilities/search", {"query": query}).json()

    assert [row["id"] for row in body["facilities"]] == [str(facility.pk)]


def test_search_sorts_by_parts_of_the_address(api):
    later, first = FacilityFactory(city="Zwolle"), FacilityFactory(city="Arnhem")

    body = api.post("/api/facilities/search", {"sort": [{"address": {"city": "ASC"}}]}).json()

    assert [row["id"] for row in body["facilities"]] == [str(first.pk), str(later.pk)]


def test_search_refuses_a_property_that_it_does_not_know(api):
    answer = api.post("/api/facilities/search", {"query": {}, "limit": 5})

    assert (answer.status_code, described(answer)) == (400, ["limit: is not a known property"])
