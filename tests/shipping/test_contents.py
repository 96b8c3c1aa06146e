"""Lines of shipments, parcels and handovers that are split, what is recorded of them, and where parcels wait."""

import pytest
from django.utils import timezone

from fulfillment.core.attributes import copies
from packing.models import PackLine
from picking.models import LoadUnit, RestowItem
from shipping import papers
from shipping import services as shipping
from shipping.models import HandoverJob, HandoverLine, Parcel, Shipment
from shipping.services.contents import ParcelHasLeft
from tests.apiclient import Api
from tests.factories.core import FacilityFactory
from tests.factories.shipping import collected, labelled

pytestmark = pytest.mark.django_db
KEPT = {"key": "lot", "keyLocalized": {"en": "Lot"}, "recordingRule": "OPTIONAL"}


@pytest.fixture
def api(client):
    return Api(client)


def act(api, kind, row, name, **body):
    row.refresh_from_db()
    return api.post(f"/api/{kind}/{row.pk}/actions", {"name": name, "version": row.version, **body})


def asked(lines):
    """Let a line ask for a lot; the id of what is to be recorded."""
    line = lines.get()
    line.recordable_attributes = copies([KEPT])
    line.save()
    return line.recordable_attributes[0]["id"]


def test_parcel_and_shipment_show_split_lines_and_papers_do_not(api):
    row = labelled(3)
    line = str(PackLine.objects.get().pk)

    parcel = act(api, "parcels", row, "SPLIT_LINES_PARCEL", splitItemsInfo=[{"itemId": line, "quantity": 1}])
    shipment = act(
        api,
        "shipments",
        row.shipment,
        "SPLIT_LINE_LINES_SHIPMENT",
        splitLineItemsInfo=[{"lineItemId": line, "quantity": 1}],
    )

    assert [item["quantity"] for item in parcel.json()["items"]] == [2, 1]
    assert [item["quantity"] for item in shipment.json()["lineItems"]] == [1, 1, 1]
    contents = [(one, one.quantity) for one in PackLine.objects.select_related("order_line", "article")]
    assert [(printed["quantity"], printed["ordered"]) for printed in papers.rows_of(contents)] == [(3, 3)]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("parcels", "UPDATE_PARCEL_ITEM_RECORDABLE_ATTRIBUTES"),
        ("shipments", "UPDATE_SHIPMENT_LINE_ITEM_RECORDABLE_ATTRIBUTES"),
    ],
)
def test_parcels_and_shipments_record_for_the_lines_of_their_job(api, kind, name):
    row = labelled(1)
    row = row if kind == "parcels" else row.shipment
    changes = [{"recordableAttributeId": asked(PackLine.objects), "value": "L7"}]

    answer = act(api, kind, row, name, recordableAttributeUpdates=changes)

    items = answer.json()["items" if kind == "parcels" else "lineItems"]
    assert items[0]["recordableAttributes"][0]["value"] == "L7"
    stale = {"name": name, "version": 1, "recordableAttributeUpdates": changes}
    assert api.post(f"/api/{kind}/{row.pk}/actions", stale).status_code == 409


def test_handover_takes_what_was_recorded_along_and_records_more(api):
    job = collected(1)
    changes = [{"recordableAttributeId": asked(HandoverLine.objects), "value": "L7"}]
    name = "UPDATE_HANDOVER_LINE_ITEM_RECORDABLE_ATTRIBUTES"

    answer = act(api, "handoverjobs", job, name, recordableAttributeUpdates=changes)

    assert answer.json()["handoverJobLineItems"][0]["recordableAttributes"][0]["value"] == "L7"
    changes[0]["value"] = ""
    answer = act(api, "handoverjobs", job, name, recordableAttributeUpdates=changes)
    assert "value" not in answer.json()["handoverJobLineItems"][0]["recordableAttributes"][0]
    changes[0] = {"recordableAttributeId": "no", "value": "L7"}
    refused = act(api, "handoverjobs", job, name, recordableAttributeUpdates=changes)
    assert refused.json()[0]["summary"] == "UNKNOWN_ATTRIBUTE"


def test_split_lines_of_a_handover_are_decided_apart_and_what_is_refused_comes_back(api):
    job = collected(3)
    line = job.lines.get()

    body = [{"lineItemId": str(line.pk), "quantity": 2}]
    split = act(api, "handoverjobs", job, "SPLIT_LINES_HANDOVER_JOB", splitLineItemsInfo=body)
    shown = split.json()["handoverJobLineItems"]
    finished = act(
        api,
        "handoverjobs",
        job,
        "FINISH_HANDOVER_JOB",
        lineItems=[
            {"id": shown[0]["id"], "handedOverQuantity": 0, "refused": [{"quantity": 1, "reason": "red"}]},
            {"id": shown[1]["id"], "handedOverQuantity": 1, "refused": [{"quantity": 1, "reason": "wet"}]},
        ],
    )

    assert [item["quantity"] for item in shown] == [1, 2]
    assert [item["handedOverQuantity"] for item in finished.json()["handoverJobLineItems"]] == [0, 1]
    assert RestowItem.objects.get().quantity == 2


@pytest.mark.parametrize(
    ("line", "quantity", "code"),
    [(True, 3, "HANDOVER_LINE_NOT_TO_BE_SPLIT"), (False, 1, "NOT_A_LINE_OF_THE_HANDOVER")],
)
def test_handover_refuses_splits_that_cannot_be(api, line, quantity, code):
    job = collected(3)
    body = [{"lineItemId": str(job.lines.get().pk) if line else "no", "quantity": quantity}]

    answer = act(api, "handoverjobs", job, "SPLIT_LINES_HANDOVER_JOB", splitLineItemsInfo=body)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, code)
    assert HandoverLine.objects.count() == 1


def test_parcel_says_in_which_totes_it_waits(api):
    row = labelled(1)
    tote = LoadUnit.objects.create(code="TOTE1", facility=row.facility)
    LoadUnit.objects.create(code="TOTE2", facility=FacilityFactory())

    def put(*references):
        row.refresh_from_db()
        action = {"action": "ModifyParcelLoadUnit", "loadUnitRefs": list(references)}
        return api.patch(f"/api/parcels/{row.pk}", {"version": row.version, "actions": [action]})

    assert put("tote1").json()["loadUnitRefs"] == [str(tote.pk)]
    handover = HandoverJob.objects.get()
    assert api.get(f"/api/handoverjobs/{handover.pk}").json()["loadUnitRefs"] == [str(tote.pk)]
    refused = put("TOTE2")
    assert (refused.status_code, refused.json()[0]["summary"]) == (422, "UNKNOWN_LOAD_UNIT")
    assert put().json()["loadUnitRefs"] == []
    assert Parcel.objects.get().load_units.count() == 0
    assert Shipment.objects.count() == 1


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_parcel_that_is_gone_leaves_its_tote_and_is_put_into_none(is_cancelled):
    row, now = labelled(1), timezone.now()
    LoadUnit.objects.create(code="TOTE1", facility=row.facility)
    shipping.put_into_load_units(row.pk, ["TOTE1"], by=None, now=now)
    if is_cancelled:
        shipping.cancel_parcel(row.pk, by=None, now=now)
    else:
        shipping.hand_over(HandoverJob.objects.get().pk, by=None, now=now)

    assert row.load_units.count() == 0
    with pytest.raises(ParcelHasLeft):
        shipping.put_into_load_units(row.pk, ["TOTE1"], by=None, now=now)
    shipping.put_into_load_units(row.pk, [], by=None, now=now)
