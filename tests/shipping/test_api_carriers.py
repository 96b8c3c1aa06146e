import pytest

from fulfillment.core.api.schema import validate
from fulfillment.core.models import Carrier, FacilityCarrier
from shipping.models import CarrierConnection
from shipping.wire import carriers as wire
from tests.apiclient import Api, described
from tests.factories.core import CarrierFactory, FacilityCarrierFactory, FacilityFactory, api_token
from tests.factories.shipping import connected

pytestmark = pytest.mark.django_db

DHL = {
    "configuration": {
        "adapter": "dhl_parcel_de",
        "baseUrl": "https://api-eu.dhl.com",
        "labelFormat": "ZPL",
        "priority": 2,
        "products": [{"product": "V01PAK", "billingNumber": "33333333330101", "countries": ["DE"]}],
    },
    "credentials": {"client_id": "id", "password": "hunter2"},
    "cutoffTimes": {
        "weekdays": [{"day": "MONDAY", "cutoffConfigurations": [{"time": "9:30"}, {"time": "16:00"}]}],
        "overwrites": [{"date": "2026-12-25", "cutoffConfigurations": []}],
    },
    "deliveryAreas": [{"country": "DE", "postalCode": "10"}, {"country": "AT"}],
    "status": "ACTIVE",
    "name": "DHL here",
}


@pytest.fixture
def api(client):
    return Api(client)


def limited(client, *facilities):
    return Api(client, api_token(facilities=list(facilities)))


# Carriers of the network


def test_carrier_is_created_once_read_listed_and_changed(api):
    body = {
        "key": "dhl",
        "name": "DHL",
        "defaultParcelLengthInCm": 40.5,
        "logoUrl": "https://x.example/l.png",
    }

    created = api.post("/api/carriers", body)

    assert created.status_code == 201
    validate(wire.carrier, created.json())
    carrier = Carrier.objects.get()
    assert (carrier.adapter, carrier.parcel_length_mm) == ("manual", 405)
    assert created["Location"] == f"/api/carriers/{carrier.pk}"
    assert api.get(created["Location"]).json() == created.json()
    assert api.get("/api/carriers/dhl").json()["logoUrl"] == "https://x.example/l.png"
    again = api.post("/api/carriers", body)
    assert (again.status_code, again.json()[0]["summary"]) == (422, "CARRIER_EXISTS")
    listed = api.get("/api/carriers").json()
    validate(wire.carriers, listed)
    assert (listed["total"], listed["carriers"][0]["key"]) == (1, "dhl")
    patch = {
        "version": 1,
        "actions": [{"action": "ModifyCarrier", "status": "INACTIVE", "name": "DHL Paket"}],
    }
    changed = api.patch(f"/api/carriers/{carrier.pk}", patch)
    assert (changed.json()["status"], changed.json()["name"], changed.json()["version"]) == (
        "INACTIVE",
        "DHL Paket",
        2,
    )
    assert api.patch(f"/api/carriers/{carrier.pk}", patch).status_code == 409


def test_carrier_named_like_an_adapter_is_booked_by_it(api):
    api.post("/api/carriers", {"key": "easypost", "name": "EasyPost"})

    assert Carrier.objects.get().adapter == "easypost"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"key": "a b", "name": "x"}, "key"),
        ({"name": "x"}, "key: is required"),
        ({"key": "x", "name": "x", "credentials": {"key": "x"}}, "credentials: is not a known property"),
        (
            {"key": "x", "name": "x", "defaultParcelWidthInCm": 0},
            "defaultParcelWidthInCm: must be at least 1",
        ),
    ],
)
def test_bad_carrier_is_refused_by_its_field(api, body, problem):
    answer = api.post("/api/carriers", body)

    assert answer.status_code == 400
    assert described(answer)[0].startswith(problem)


def test_carriers_are_not_created_by_a_limited_caller(client):
    assert (
        limited(client, FacilityFactory()).post("/api/carriers", {"key": "x", "name": "x"}).status_code == 403
    )


# Carriers of a facility


def address(facility, carrier):
    return f"/api/facilities/{facility.pk}/carriers/{carrier.pk}"


def test_facility_is_connected_with_account_products_and_cutoffs(api, facility):
    carrier = CarrierFactory(key="dhl", adapter="manual")

    answer = api.post(address(facility, carrier), DHL)

    assert answer.status_code == 201
    body = answer.json()
    validate(wire.connection, body)
    link, connection = FacilityCarrier.objects.get(), CarrierConnection.objects.get()
    assert link.cutoffs == {"MONDAY": "16:00", "2026-12-25": None}
    assert (link.priority, link.delivery_countries) == (2, ["AT", "DE"])
    assert (connection.adapter, connection.label_format) == ("dhl_parcel_de", "ZPL")
    assert connection.credentials == DHL["credentials"]
    assert "hunter2" not in answer.content.decode()
    assert "credentials" not in body
    assert body["configuration"] == DHL["configuration"]
    assert body["deliveryAreas"] == DHL["deliveryAreas"]
    assert body["cutoffTimes"]["weekdays"] == [{"day": "MONDAY", "cutoffConfigurations": [{"time": "16:00"}]}]
    assert (body["key"], body["name"]) == ("dhl", "DHL here")
    assert api.get(address(facility, carrier)).json() == body
    again = api.post(address(facility, carrier), DHL)
    assert (again.status_code, again["Location"]) == (303, address(facility, carrier))


def test_facility_is_connected_as_the_sdk_does_it(api, facility):
    CarrierFactory(key="dhl", adapter="manual")

    answer = api.post(
        f"/api/facilities/{facility.pk}/carriers/dhl",
        {"name": "DHL", "status": "ACTIVE", "cutoffTime": {"hour": 15, "minute": 30}},
    )

    assert (answer.status_code, answer.json()["key"]) == (201, "dhl")
    assert FacilityCarrier.objects.get().cutoffs["SUNDAY"] == "15:30"
    assert not CarrierConnection.objects.exists()


def test_change_keeps_what_is_not_named(api, facility):
    connection = connected(facility, "dhl_parcel_de", credentials={"password": "old", "username": "me"})
    where = address(facility, connection.link.carrier)
    version = connection.link.version

    answer = api.put(where, {"version": version, "credentials": {"password": "new"}, "status": "INACTIVE"})

    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (
        200,
        "INACTIVE",
        version + 1,
    )
    assert CarrierConnection.objects.get().credentials == {"password": "new", "username": "me"}
    assert api.put(where, {"version": version}).status_code == 409


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"configuration": {"adapter": "karl"}}, "configuration.adapter: must be one of"),
        (
            {"configuration": {"baseUrl": "http://evil.example"}},
            "configuration.baseUrl: The base URL must begin",
        ),
        ({"configuration": {"secret": "x"}}, "configuration.secret: is not a known property"),
        ({"credentials": {"pin": "1"}}, "credentials.pin: is not one of"),
        (
            {"cutoffTimes": {"weekdays": [], "overwrites": [{"date": "soon", "cutoffConfigurations": []}]}},
            "cutoffTimes",
        ),
        (
            {
                "cutoffTimes": {
                    "weekdays": [{"day": "MONDAY", "cutoffConfigurations": [{"time": "25:00"}]}],
                    "overwrites": [],
                }
            },
            "cutoffTimes",
        ),
        ({"deliveryAreas": [{"country": "XX"}]}, "deliveryAreas[0].country"),
        (
            {"configuration": {"adapter": "demo", "products": [{"product": "A"}, {"product": "A"}]}},
            "configuration.products",
        ),
    ],
)
def test_bad_connection_is_refused_by_its_field(api, facility, body, problem):
    answer = api.post(address(facility, CarrierFactory()), body)

    assert answer.status_code == 400
    assert described(answer)[0].startswith(problem)
    assert not FacilityCarrier.objects.exists()


def test_carriers_of_a_facility_are_listed_with_their_status_there(api, facility):
    FacilityCarrierFactory(facility=facility, carrier=CarrierFactory(key="a"), priority=2)
    FacilityCarrierFactory(facility=facility, carrier=CarrierFactory(key="b"), status="INACTIVE")
    FacilityCarrierFactory(carrier=CarrierFactory(key="c"))

    found = api.get(f"/api/facilities/{facility.pk}/carriers").json()

    validate(wire.carriers, found)
    assert [(row["key"], row["status"]) for row in found["carriers"]] == [("b", "INACTIVE"), ("a", "ACTIVE")]


def test_connection_of_another_facility_is_not_found(client, facility):
    carrier = CarrierFactory()
    FacilityCarrierFactory(facility=facility, carrier=carrier)
    api = limited(client, FacilityFactory())

    assert api.get(address(facility, carrier)).status_code == 404
    assert api.post(address(facility, CarrierFactory(key="other")), {}).status_code == 404
