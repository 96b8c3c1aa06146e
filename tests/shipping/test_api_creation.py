"""Parcels that a program asks for one by one, with what it knows of each."""

import pytest

from fulfillment.core.api.schema import validate
from fulfillment.core.services import documents
from shipping.models import Parcel
from shipping.wire import parcels, shipments
from tests.apiclient import Api, described
from tests.factories.core import CarrierFactory, FacilityCarrierFactory, FacilityFactory
from tests.factories.shipping import shipment, work

pytestmark = pytest.mark.django_db
SENDER = {
    "companyName": "Brand GmbH",
    "street": "Ring",
    "houseNumber": "1",
    "postalCode": "50667",
    "city": "Köln",
    "country": "DE",
}
RETURNS = {**SENDER, "companyName": "Returns GmbH", "street": "Hof", "city": "Bonn"}


@pytest.fixture
def api(client):
    return Api(client)


@pytest.fixture
def sent():
    """Packed in two packages, and no carrier was there: the first holds one unit of each line, the second one more."""
    row = shipment(2, 1, carrier="", packages=2)
    FacilityCarrierFactory(facility=row.facility, carrier=CarrierFactory(adapter="demo", key="demo"))
    return row


def items(package):
    return [
        {"article": {"tenantArticleId": item.line.sku}, "quantity": item.quantity}
        for item in package.items.all()
    ]


def create(api, row, **body):
    return api.post(f"/api/shipments/{row.pk}/parcels", {"carrierRef": "demo", **body})


def test_parcels_are_asked_for_one_by_one_with_their_contents_and_sizes(api, sent):
    first, second = sent.pick_job.pack_job.packages.order_by("number")

    one = create(api, sent, items=items(second), dimensions={"length": 40, "weight": 700})
    work()
    sent.refresh_from_db()
    assert (sent.status, sent.papers_made_at) == ("REQUEST", None)  # a package has no label yet
    two = create(api, sent, items=items(first), dimensions={"length": 50}, tenantParcelId="T-1")
    work()

    validate(parcels.parcel, one.json())
    made = {row.package: row for row in Parcel.objects.all()}
    assert (made[second].length_mm, made[second].weight_g) == (400, 700)
    assert (made[first].length_mm, made[first].weight_g) == (500, first.weight_g)
    assert one["Location"] == f"/api/parcels/{made[second].pk}"
    assert two.json()["tenantParcelId"] == "T-1"
    sent.refresh_from_db()
    assert sent.status == "CONFIRMED"


def test_package_is_named_by_its_code_or_is_the_next_one(api, sent):
    first, second = sent.pick_job.pack_job.packages.order_by("number")

    create(api, sent, loadUnitRefs=[second.code])
    create(api, sent, dimensions={"length": 50})

    assert [row.package for row in Parcel.objects.order_by("created_at")] == [second, first]


def test_package_that_is_not_there_is_refused(api, sent):
    first, _second = sent.pick_job.pack_job.packages.order_by("number")
    create(api, sent, items=items(first))

    for body in (
        {"items": items(first)},
        {"items": [{**items(first)[0], "quantity": 9}]},
        {"loadUnitRefs": ["X"]},
    ):
        answer = create(api, sent, **body)
        assert (answer.status_code, answer.json()[0]["summary"]) == (422, "NO_SUCH_PACKAGE")
    assert described(create(api, sent, items=[{"quantity": 1}])) == [
        "items[0].article.tenantArticleId: is required"
    ]
    assert Parcel.objects.count() == 1


@pytest.mark.drawn
def test_sender_and_return_address_stand_on_the_labels(api, sent, read_pdf):
    answer = create(api, sent, sender=SENDER, returnAddress=RETURNS)
    work()

    made = Parcel.objects.get()
    assert answer.json()["sender"] == SENDER
    assert answer.json()["returnAddress"] == RETURNS
    label = read_pdf(documents.read(made.label)).text
    assert "Brand GmbH" in label
    assert "Parcel 1/2" in label
    assert "Returns GmbH" in read_pdf(documents.read(made.return_label)).text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"city": ""}, "sender.city: is required"),
        ({"country": "XX"}, "sender.country: must be an ISO 3166-1 alpha-2 code"),
        ({"street": "x" * 201}, "sender: must hold texts of up to 200 characters"),
    ],
)
def test_sender_that_cannot_be_is_refused(api, sent, change, words):
    assert described(create(api, sent, sender={**SENDER, **change})) == [words]
    assert not Parcel.objects.exists()


# Without the address of a shipment


def directly(api, row, **body):
    recipient = {"lastName": "de Vries", "city": "Amsterdam"}
    wanted = {"facilityRef": str(row.facility_id), "recipient": recipient, "sender": SENDER}
    return api.post("/api/shipments/parcels", {"carrierRef": "demo", **wanted, **body})


@pytest.mark.parametrize("name", ["shipmentRef", "processRef", "tenantOrderId"])
def test_parcel_is_asked_for_by_what_names_its_shipment(api, sent, name):
    values = {
        "shipmentRef": str(sent.pk),
        "processRef": str(sent.order.process_id),
        "tenantOrderId": sent.order.tenant_order_id,
    }

    answer = directly(api, sent, **{name: values[name]})

    assert answer.status_code == 201, answer.json()
    assert answer.json()["shipmentRef"] == str(sent.pk)
    assert Parcel.objects.count() == 1


def test_parcel_without_a_shipment_is_refused(api, sent):
    elsewhere = FacilityFactory()

    nothing = directly(api, sent)
    there = directly(api, sent, facilityRef=str(elsewhere.pk), shipmentRef=str(sent.pk))

    assert (nothing.status_code, nothing.json()[0]["summary"]) == (422, "PARCEL_NEEDS_SHIPMENT")
    assert there.status_code == 404
    assert not Parcel.objects.exists()


# Actions of shipments


def act(api, row, name, **data):
    row.refresh_from_db()
    return api.post(f"/api/shipments/{row.pk}/actions", {"name": name, "version": row.version, **data})


def test_target_time_of_a_shipment_is_set(api, sent):
    answer = act(api, sent, "ADD_TARGET_TIME", targetTime="2026-03-02T15:00:00Z")

    validate(shipments.shipment, answer.json())
    assert answer.json()["targetTime"] == "2026-03-02T15:00:00Z"
    stale = {"name": "ADD_TARGET_TIME", "version": sent.version, "targetTime": "2026-03-02T16:00:00Z"}
    assert api.post(f"/api/shipments/{sent.pk}/actions", stale).status_code == 409


# What is known of a parcel afterwards


def patch(api, parcel, **action):
    parcel.refresh_from_db()
    actions = [{"action": "ModifyParcel", **action}]
    return api.patch(f"/api/parcels/{parcel.pk}", {"version": parcel.version, "actions": actions})


def test_own_id_of_a_parcel_is_kept_beside_its_attributes(api, sent):
    create(api, sent, customAttributes={"a": 1}, dimensions={"length": 40})
    parcel = Parcel.objects.get()

    named = patch(api, parcel, tenantParcelId="T-9")
    assert (named.json()["tenantParcelId"], named.json()["customAttributes"]["a"]) == ("T-9", 1)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "ModifyParcel", "status": "DONE"},
        {"action": "ModifyParcel", "services": {"signature": True}},
    ],
)
def test_change_of_a_parcel_without_a_mechanism_says_so(api, sent, body):
    create(api, sent, dimensions={"length": 40})
    parcel = Parcel.objects.get()

    answer = api.patch(f"/api/parcels/{parcel.pk}", {"version": parcel.version, "actions": [body]})

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "NOT_OFFERED")
