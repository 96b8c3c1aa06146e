import base64
import io

import pypdf
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.api.schema import validate
from fulfillment.core.models import Facility, FacilityCarrier
from packing.models import PackJob
from shipping import labels
from shipping.models import HandoverJob, Parcel, Shipment
from shipping.wire import handovers, parcels, shipments
from tests.apiclient import Api, described
from tests.carrierstub import PARCEL
from tests.factories.core import CarrierFactory, FacilityCarrierFactory, FacilityFactory, api_token
from tests.factories.shipping import labelled, parcel, shipment, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


def foreign(client):
    """A caller that is limited to another facility."""
    return Api(client, api_token(facilities=[FacilityFactory()]))


# Shipments


def test_shipment_answers_in_the_wire_format(api):
    row = Parcel.objects.get(pk=labelled(2, 1).pk).shipment

    answer = api.get(f"/api/shipments/{row.pk}")

    assert answer.status_code == 200
    body = answer.json()
    validate(shipments.shipment, body)
    assert (body["status"], body["pickJobRef"]) == ("CONFIRMED", str(row.pick_job_id))
    assert body["parcels"] == [shipments.represent_stripped_parcel(row.parcels.get())]
    assert [item["quantity"] for item in body["lineItems"]] == [2, 1]
    assert body["hasActiveCarrier"] is True


def test_list_of_shipments_filters_and_pages(api):
    rows = [labelled(1, number=number).shipment for number in ("A-1", "A-2", "A-3")]
    waiting = shipment(1, carrier="", number="B-1")

    def found(**query):
        body = api.get("/api/shipments", query).json()
        validate(shipments.shipments, body)
        return [entry["id"] for entry in body["shipments"]]

    newest = [str(row.pk) for row in [waiting, *reversed(rows)]]
    assert found() == newest
    assert found(size=2) == newest[:2]
    assert found(size=2, startAfterId=newest[1]) == newest[2:]
    assert found(pickJobRef=str(rows[1].pick_job_id)) == [str(rows[1].pk)]
    assert found(tenantOrderId="A-3") == [str(rows[2].pk)]
    assert found(status="INITIAL,NONSENSE") == [str(waiting.pk)]
    assert found(facilityRef=str(waiting.facility_id)) == [str(waiting.pk)]
    urn = f"urn:fft:facility:tenantFacilityId:{waiting.facility.tenant_facility_id}"
    assert found(facilityRef=urn) == [str(waiting.pk)]
    assert found(carrierKeys=["demo"]) == newest[1:]
    assert found(parcelStatus="DONE") == newest[1:]
    assert found(searchTerm="a-2") == [str(rows[1].pk)]
    assert found(startTargetTime="2000-01-01T00:00:00.000Z", endTargetTime="2000-01-02T00:00:00Z") == []
    assert found(whatever="1", pickJobRef="no id") == []
    assert api.get("/api/shipments", {"endTargetTime": "yesterday"}).status_code == 400


@pytest.mark.parametrize("path", ["shipments", "parcels", "handoverjobs"])
def test_list_takes_the_same_number_of_queries_for_one_row_and_three(api, path):
    def queries():
        api.get(f"/api/{path}")
        with CaptureQueriesContext(connection) as context:
            assert api.get(f"/api/{path}").status_code == 200
        return len(context)

    labelled(1, number="1")
    one = queries()
    labelled(2, 1, number="2")
    labelled(1, number="3")

    assert queries() == one


def test_shipment_without_a_carrier_gets_address_carrier_and_labels_in_one_patch(api):
    row = shipment(1, carrier="")
    carrier = FacilityCarrierFactory(facility=row.facility, carrier=CarrierFactory(adapter="demo")).carrier
    patch = {
        "version": row.version,
        "actions": [
            {"action": "ModifyShipment", "targetAddress": {"city": "Delft"}},
            {"action": "ModifyShipment", "carrierRef": str(carrier.pk)},
        ],
    }

    answer = api.patch(f"/api/shipments/{row.pk}", patch)

    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["carrierKey"]) == ("REQUEST", carrier.key)
    assert body["targetAddress"]["city"] == "Delft"
    assert body["version"] > row.version
    assert api.patch(f"/api/shipments/{row.pk}", patch).status_code == 409


def test_patch_that_fails_in_the_middle_changes_nothing(api):
    row = shipment(1, carrier="")
    patch = {
        "version": row.version,
        "actions": [
            {"action": "ModifyShipment", "targetAddress": {"city": "Delft"}},
            {"action": "ModifyShipment", "status": "REQUEST"},
        ],
    }

    answer = api.patch(f"/api/shipments/{row.pk}", patch)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "NO_CARRIER")
    assert Shipment.objects.get(pk=row.pk).recipient == row.recipient


def test_shipment_is_not_booked_when_something_else_is_asked_for(api):
    row = shipment(1, carrier="")
    FacilityCarrierFactory(facility=row.facility, carrier=CarrierFactory(adapter="demo"))

    def patch(**changes):
        body = {"version": row.version, "actions": [{"action": "ModifyShipment", **changes}]}
        return api.patch(f"/api/shipments/{row.pk}", body)

    for changes in ({"status": "CANCELED"}, {"carrierProduct": "EXPRESS"}):
        assert (patch(**changes).status_code, patch(**changes).json()[0]["summary"]) == (
            422,
            "NOT_OFFERED",
        )
    unchanged = patch(status="INITIAL", carrierProduct="", paymentInformation={})
    assert (unchanged.status_code, unchanged.json()["status"]) == (200, "INITIAL")
    assert not Parcel.objects.exists()


def test_parcel_without_the_service_that_is_asked_for_is_not_booked(api):
    row = shipment(1, carrier="")
    FacilityCarrierFactory(facility=row.facility, carrier=CarrierFactory(adapter="demo", key="demo"))

    answer = api.post(
        f"/api/shipments/{row.pk}/parcels", {"carrierRef": "demo", "services": {"signature": True}}
    )

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "NOT_OFFERED")
    empty = {"services": {"signature": False}, "pickUpInformation": {}, "customAttributes": {"a": 1}}
    made = api.post(f"/api/shipments/{row.pk}/parcels", {"carrierRef": "demo", **empty})
    assert (made.status_code, made.json()["customAttributes"]["a"]) == (201, 1)


def test_unknown_action_names_those_there_are(api):
    answer = api.patch(
        f"/api/shipments/{shipment(1).pk}", {"version": 1, "actions": [{"action": "Explode"}, {"x": 1}]}
    )

    assert answer.status_code == 400
    assert described(answer) == [
        "actions[0].action: must be one of ModifyShipment",
        "actions[1].action: must be one of ModifyShipment",
    ]


def test_parcel_is_asked_for_once_per_key(api):
    row = shipment(1, carrier="")
    FacilityCarrierFactory(facility=row.facility, carrier=CarrierFactory(adapter="demo", key="demo"))
    body = {"carrierRef": "demo", "sender": {}, "result": {}, "dimensions": {"weight": 900, "length": 30.5}}

    first = api.post(f"/api/shipments/{row.pk}/parcels", body, **{"Idempotency-Key": "k"})
    second = api.post(f"/api/shipments/{row.pk}/parcels", body, **{"Idempotency-Key": "k"})

    assert (first.status_code, second.status_code) == (201, 201)
    validate(parcels.parcel, first.json())
    created = Parcel.objects.get()
    assert first["Location"] == f"/api/parcels/{created.pk}"
    assert second.json() == first.json()
    assert (created.weight_g, created.length_mm) == (900, 305)
    assert api.post(f"/api/shipments/{row.pk}/parcels", body).status_code == 422


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"weight": 0}, "weight: must be at least 1"),
        ({"weight": 0.4}, "weight: must be at least 1"),
        ({"weight": 1e12}, "weight: must be at most 1000000"),
        ({"length": 0}, "length: must be at least 0.1"),
        ({"height": 1e12}, "height: must be at most 10000"),
    ],
)
def test_parcel_without_weight_or_of_impossible_size_is_refused(api, given, words):
    row = shipment(1, carrier="")
    FacilityCarrierFactory(facility=row.facility, carrier=CarrierFactory(adapter="demo", key="demo"))

    created = api.post(f"/api/shipments/{row.pk}/parcels", {"carrierRef": "demo", "dimensions": given})

    assert (created.status_code, described(created)) == (400, [f"dimensions.{words}"])
    waiting = parcel(1, number="1002")
    action = {"action": "ModifyParcel", "dimensions": given}
    changed = api.patch(f"/api/parcels/{waiting.pk}", {"version": waiting.version, "actions": [action]})
    assert described(changed) == [f"actions[0].dimensions.{words}"]


def test_labels_of_goods_that_are_not_packed_yet_are_refused(api):
    row = shipment(1, carrier="")
    PackJob.objects.filter(pick_job=row.pick_job_id).delete()
    FacilityCarrierFactory(facility=row.facility, carrier=CarrierFactory(adapter="demo"))

    answer = api.post(f"/api/shipments/{row.pk}/parcels", {})

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "NOT_PACKED_YET")


def test_creation_of_a_shipment_leads_to_the_one_of_the_pick_job(api):
    row = shipment(1)

    answer = api.post("/api/shipments", {"pickJobRef": str(row.pick_job_id), "facilityRef": "any"})

    assert (answer.status_code, answer["Location"]) == (303, f"/api/shipments/{row.pk}")
    assert api.post("/api/shipments", {"pickJobRef": str(row.pk)}).status_code == 422


# Parcels


def test_parcel_answers_with_its_tracking_and_labels(api):
    row = labelled(2, 1)

    body = api.get(f"/api/parcels/{row.pk}").json()

    validate(parcels.parcel, body)
    assert body["result"]["carrierTrackingNumber"] == row.tracking_number
    assert [item["quantity"] for item in body["items"]] == [2, 1]
    for address in (body["result"]["sendLabelUrl"], body["result"]["returnLabelUrl"]):
        assert api.get(address).content.startswith(b"%PDF")


def test_all_labels_come_as_one_file(api):
    row = labelled(1)

    pages = {
        name: len(
            pypdf.PdfReader(io.BytesIO(api.get(f"/api/parcels/{row.pk}/labels/{name}.pdf").content)).pages
        )
        for name in ("send", "return", "all")
    }

    assert pages == {"send": 1, "return": 1, "all": 2}
    assert api.get(f"/api/parcels/{row.pk}/labels/other.pdf").status_code == 404
    assert api.get(f"/api/parcels/{row.pk}/deliverynote").content.startswith(b"%PDF")


def test_label_that_is_not_made_yet_is_refused(api):
    row = parcel(1)

    answer = api.get(f"/api/parcels/{row.pk}/labels/send.pdf")

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "PARCEL_NOT_READY")
    assert api.get(f"/api/parcels/{row.pk}/deliverynote").status_code == 404


def test_number_of_a_manual_carrier_is_entered_by_patch(api):
    row = parcel(1, carrier="manual")
    work()
    row.refresh_from_db()
    patch = {
        "version": row.version,
        "actions": [
            {"action": "ModifyParcel", "result": {"carrierTrackingNumber": "TR-77", "summary": "ok"}}
        ],
    }

    answer = api.patch(f"/api/parcels/{row.pk}", patch)

    assert (answer.status_code, answer.json()["status"]) == (200, "DONE")
    assert answer.json()["result"]["carrierTrackingNumber"] == "TR-77"
    assert HandoverJob.objects.get().parcel_id == row.pk


def test_dimensions_change_until_the_carrier_has_them(api):
    waiting = parcel(1)
    action = {
        "action": "ModifyParcel",
        "dimensions": {"height": 5.5},
        "customAttributes": {"a": 1},
    }

    answer = api.patch(f"/api/parcels/{waiting.pk}", {"version": waiting.version, "actions": [action]})

    assert (answer.json()["dimensions"]["height"], answer.json()["customAttributes"]["a"]) == (5.5, 1)
    done = labelled(1, number="2")
    refused = api.patch(f"/api/parcels/{done.pk}", {"version": done.version, "actions": [action]})
    assert (refused.status_code, refused.json()[0]["summary"]) == (422, "PARCEL_AT_CARRIER")


def test_label_is_cancelled_and_asked_for_again_from_another_carrier(api):
    row = labelled(1)
    other = CarrierFactory(key="other", name="Other", adapter="demo")
    FacilityCarrierFactory(facility=row.facility, carrier=other)
    cancel = {"version": row.version, "actions": [{"action": "ModifyParcel", "status": "CANCELED"}]}

    answer = api.patch(f"/api/parcels/{row.pk}", cancel)

    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELED")
    again = api.post(f"/api/shipments/{row.shipment_id}/parcels", {"carrierRef": "other"})
    assert (again.status_code, again.json()["status"]) == (201, "OPEN")
    assert again.json()["id"] != str(row.pk)
    assert api.get(f"/api/shipments/{row.shipment_id}").json()["carrierKey"] == "other"


def test_parcel_that_is_closed_at_the_carrier_is_not_cancelled(api):
    row = labelled(1)
    Parcel.objects.update(manifested_at=timezone.now())
    cancel = {"version": row.version, "actions": [{"action": "ModifyParcel", "status": "CANCELED"}]}

    answer = api.patch(f"/api/parcels/{row.pk}", cancel)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "PARCEL_CLOSED")


def test_product_changes_until_the_carrier_has_it(api):
    row = parcel(1)

    def change(version):
        actions = [{"action": "ModifyParcel", "carrierProduct": "EXPRESS"}]
        return api.patch(f"/api/parcels/{row.pk}", {"version": version, "actions": actions})

    assert change(row.version).json()["carrierProduct"] == "EXPRESS"
    work()
    row.refresh_from_db()
    Parcel.objects.update(product="STANDARD")
    assert change(row.version).json()[0]["summary"] == "PARCEL_AT_CARRIER"


# Labels of others


def brings(*labels, version, **fields):
    return {"name": "ADD_LABELS_TO_PARCEL", "version": version, "labels": list(labels), **fields}


def brought(data, kind="SEND_LABEL", form="PDF", number="EXT-1"):
    return {
        "labelType": kind,
        "labelFile": {"content": base64.b64encode(data).decode(), "type": form},
        "trackingNumber": number,
        "trackingUrl": f"https://track.example/{number}",
    }


@pytest.fixture
def external_parcel():
    """A parcel of a carrier that another program books."""
    row = parcel(1, carrier="manual")
    work()
    row.refresh_from_db()
    return row


@pytest.mark.drawn
def test_labels_of_another_program_finish_a_parcel(api, external_parcel):
    pdf = labels.render_label(PARCEL, "EXT-1")
    body = brings(
        brought(pdf),
        brought(pdf, "RETURN_LABEL", number="RET-1"),
        version=external_parcel.version,
        closeParcel=True,
        tenantParcelId="WMS-7",
    )

    answer = api.post(f"/api/parcels/{external_parcel.pk}/actions", body)

    assert (answer.status_code, answer.json()["status"]) == (200, "DONE")
    found = answer.json()
    validate(parcels.parcel, found)
    assert found["tenantParcelId"] == "WMS-7"
    assert found["result"]["carrierTrackingNumber"] == "EXT-1"
    assert found["result"]["trackingUrl"] == "https://track.example/EXT-1"
    assert api.get(found["result"]["sendLabelUrl"]).content == pdf
    row = Parcel.objects.get()
    assert (row.return_tracking_number, set(row.scan_codes)) == ("RET-1", {"P0123456789A", "EXT-1"})
    assert HandoverJob.objects.get().parcel == row
    assert Shipment.objects.get().status == "CONFIRMED"
    late = api.post(f"/api/parcels/{external_parcel.pk}/actions", brings(brought(pdf), version=row.version))
    assert (late.status_code, late.json()[0]["summary"]) == (422, "PARCEL_HAS_LABEL")


def test_labels_come_one_by_one_and_the_parcel_is_closed_with_the_last(api, external_parcel):
    address = f"/api/parcels/{external_parcel.pk}/actions"
    zpl = b"^XA^BY3^FO1,1^BCN,100,N,N,N^FDEXT-1^FS^XZ"

    empty = api.post(address, brings(version=external_parcel.version, closeParcel=True))
    first = api.post(address, brings(brought(zpl, form="ZPL"), version=external_parcel.version))
    last = api.post(address, brings(version=first.json()["version"], closeParcel=True))

    assert (empty.status_code, empty.json()[0]["summary"]) == (422, "LABEL_MISSING")
    assert (first.status_code, first.json()["status"]) == (200, "WAITING_FOR_INPUT")
    assert (last.status_code, last.json()["status"]) == (200, "DONE")
    assert api.get(f"/api/parcels/{external_parcel.pk}/labels/send.zpl").content == zpl
    assert api.get(f"/api/parcels/{external_parcel.pk}/labels/send.pdf").status_code == 404
    stale = api.post(address, brings(version=external_parcel.version))
    assert stale.status_code == 409


def test_failure_of_another_program_is_a_problem_of_the_parcel(api, external_parcel):
    error = {"labelType": "SEND_LABEL", "errorCode": "E7", "errorDescription": "No such street."}

    answer = api.post(
        f"/api/parcels/{external_parcel.pk}/actions", brings(error, version=external_parcel.version)
    )

    assert (answer.status_code, answer.json()["status"]) == (200, "FAILED")
    assert answer.json()["result"]["errors"] == {"labelError": "No such street."}
    assert Parcel.objects.get().problem["code"] == "E7"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"<script>alert(1)</script>", "The file is no label"),
        (b"%PDF-1.7 nothing", "The file is no label"),
        (b"^XA^FDno end", "The file is no label"),
        (b"\x89PNG\r\n\x1a\n but no picture", "The file is no label"),
    ],
)
def test_file_that_is_no_label_is_refused_by_its_content(api, external_parcel, data, problem):
    body = brings(brought(data), version=external_parcel.version)

    answer = api.post(f"/api/parcels/{external_parcel.pk}/actions", body)

    assert answer.status_code == 400
    assert described(answer)[0].startswith(f"labels[0].labelFile.content: {problem}")


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "track.example/1", "https://", "https://x.example/a b"]
)
def test_page_that_no_browser_should_open_is_refused(api, external_parcel, link):
    body = brings({**brought(b"%PDF"), "trackingUrl": link}, version=external_parcel.version)

    answer = api.post(f"/api/parcels/{external_parcel.pk}/actions", body)

    assert answer.status_code == 400
    assert described(answer)[0].startswith("labels[0].trackingUrl: must be an address like https://")


@pytest.mark.parametrize("number", ["1" * 41, "^XA~JA", "<b>"])
@pytest.mark.parametrize("kind", ["SEND_LABEL", "RETURN_LABEL"])
def test_number_that_no_barcode_holds_is_refused(api, external_parcel, kind, number):
    data = b"^XA^FO1,1^BCN,100,N,N,N^FDX^FS^XZ"
    body = brings(brought(data, kind, "ZPL", number), version=external_parcel.version)

    answer = api.post(f"/api/parcels/{external_parcel.pk}/actions", body)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "NUMBER_NOT_USABLE")


def test_product_with_a_name_that_is_too_long_is_refused(api):
    waiting = parcel(1)
    action = {"action": "ModifyParcel", "carrierProduct": "x" * 61}

    answer = api.patch(f"/api/parcels/{waiting.pk}", {"version": waiting.version, "actions": [action]})

    assert described(answer) == ["actions[0].carrierProduct: must not be longer than 60 characters"]


def test_label_needs_file_number_and_page_or_an_error(api, external_parcel):
    body = brings({"labelType": "SEND_LABEL"}, version=external_parcel.version)
    answer = api.post(f"/api/parcels/{external_parcel.pk}/actions", body)

    assert described(answer) == [
        "labels[0].labelFile: is required",
        "labels[0].trackingNumber: is required",
        "labels[0].trackingUrl: is required",
    ]


def test_program_says_where_a_parcel_is(api):
    row = labelled(1)
    entry = {"status": "DELIVERED", "trackingNumber": row.tracking_number, "type": "SEND_LABEL"}
    body = {"name": "UPDATE_TRACKING_DATA", "version": row.version, "trackingData": [entry]}

    answer = api.post(f"/api/parcels/{row.pk}/actions", body)

    assert answer.json()["result"]["trackingStatus"] == "delivered"
    wrong = {**body, "version": row.version + 1, "trackingData": [{**entry, "trackingNumber": "X"}]}
    assert described(api.post(f"/api/parcels/{row.pk}/actions", wrong))[0].startswith(
        "trackingData[0].trackingNumber: is not"
    )


# Search


def test_search_finds_by_conditions_and_pages_by_cursor(api):
    rows = [labelled(1, number=f"A-{number}") for number in range(3)]
    query = {"query": {"tenantOrderId": {"like": "a-"}, "or": [{"status": {"eq": "DONE"}}]}, "size": 2}

    first = api.post("/api/parcels/search", {**query, "options": {"withTotal": True}}).json()
    second = api.post("/api/parcels/search", {**query, "after": first["pageInfo"]["endCursor"]}).json()

    validate(parcels.parcel_page, first)
    assert first["total"] == 3
    assert [row["id"] for row in first["parcels"] + second["parcels"]] == [
        str(row.pk) for row in reversed(rows)
    ]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    back = api.post(
        "/api/parcels/search", {**query, "before": second["pageInfo"]["startCursor"], "last": 1}
    ).json()
    assert [row["id"] for row in back["parcels"]] == [first["parcels"][1]["id"]]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"query": {"colour": {"eq": 1}}}, "query.colour: cannot be searched"),
        ({"query": {"status": {"near": 1}}}, "query.status.near: is no operator"),
        ({"query": {"status": {"eq": 1}}}, "query.status.eq: must be a text"),
        ({"query": {"id": {"eq": "x"}}}, "query.id.eq: must be an id"),
        ({"query": {"created": {"gt": "x"}}}, "query.created.gt: must be a time"),
        ({"query": {"id": {"like": "x"}}}, "query.id.like: is for texts only"),
        ({"query": {"and": {}}}, "query.and: must be a list"),
        ({"query": {"status": {"in": "DONE"}}}, "query.status.in: must be a list"),
        ({"sort": [{"status": "ASC"}]}, "sort[0].status: sort by created"),
        ({"size": 251}, "size: must be at most 250"),
        ({"after": "bm90aGluZw=="}, "after: must be a cursor"),
        (
            {"after": "WyJ4IiwgIjAxOWE1ZDVkLTAwMDAtNzAwMC04MDAwLTAwMDAwMDAwMDAwMCJd"},
            "after: must be a cursor",
        ),
    ],
    ids=str,
)
def test_search_names_what_it_cannot_read(api, body, problem):
    answer = api.post("/api/parcels/search", {"query": {}, **body})

    assert answer.status_code == 400
    assert described(answer)[0].startswith(problem)


@pytest.mark.parametrize(("path", "name"), [("shipments", "shipments"), ("handoverjobs", "handoverJobs")])
def test_search_answers_whole_entities(api, path, name):
    labelled(1)

    body = api.post(f"/api/{path}/search", {"query": {}, "sort": [{"created": "ASC"}]}).json()

    assert len(body[name]) == 1
    validate({"shipments": shipments.shipment_page, "handoverJobs": handovers.handover_page}[name], body)


# Access


def test_what_is_at_another_facility_is_not_found(client):
    row, other = labelled(1), foreign(client)
    job = HandoverJob.objects.get()

    for path in (
        f"shipments/{row.shipment_id}",
        f"parcels/{row.pk}",
        f"parcels/{row.pk}/labels/all.pdf",
        f"parcels/{row.pk}/deliverynote",
        f"handoverjobs/{job.pk}",
    ):
        assert other.get(f"/api/{path}").status_code == 404
    for path in ("shipments", "parcels", "handoverjobs"):
        assert other.get(f"/api/{path}").json()["total"] == 0
    actions = [{"action": "ModifyHandoverjob", "status": "HANDED_OVER"}]
    body = {"version": 1, "actions": actions}
    assert other.patch(f"/api/handoverjobs/{job.pk}", body).status_code == 404


def test_reading_scope_changes_nothing(client):
    labelled(1)
    job, reader = HandoverJob.objects.get(), Api(client, api_token("READ"))
    actions = [{"action": "ModifyHandoverjob", "status": "HANDED_OVER"}]

    answer = reader.patch(f"/api/handoverjobs/{job.pk}", {"version": 1, "actions": actions})

    assert answer.status_code == 403
    assert Facility.objects.count() == FacilityCarrier.objects.count() == 1


def test_search_looks_at_recipients_goods_and_parcels(api):
    parcel = labelled(2, number="A-1")
    line = parcel.package.items.select_related("line__order_line").first().line
    sku, name = line.order_line.sku, parcel.shipment.recipient["last_name"]
    article = {"contains": {"article": {"tenantArticleId": {"eq": sku}}}}

    def found(path, query, part):
        answer = api.post(f"/api/{path}/search", {"query": query})
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()[part]]

    assert found("parcels", {"recipient": {"lastName": {"eq": name}}, "items": article}, "parcels") == [
        str(parcel.pk)
    ]
    assert found("parcels", {"recipient": {"lastName": {"eq": "Nobody"}}}, "parcels") == []
    assert found("parcels", {"items": {"exists": False}}, "parcels") == []
    assert found("shipments", {"parcels": {"contains": {"status": {"eq": "DONE"}}}}, "shipments") == [
        str(parcel.shipment_id)
    ]
    info = {"carrierTrackingNumber": {"eq": parcel.tracking_number}}
    (handover,) = found(
        "handoverjobs", {"handoverJobParcelInfo": info, "handoverJobLineItems": article}, "handoverJobs"
    )
    query = {"id": {"eq": handover}, "recipientAddress": {"lastName": {"like": name[:3]}}}
    assert found("handoverjobs", query, "handoverJobs") == [handover]
    assert found("handoverjobs", {"invoiceAddress": {"lastName": {"like": name}}}, "handoverJobs") == []
