"""Lines of pack jobs that are split, and what is recorded of them."""

import re

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.attributes import AttributesMissing, copies, missing
from fulfillment.core.models.facility import ScanRule
from orders.models import Order
from packing import services as packing
from packing.models import PackJob
from picking import recordables
from picking.events import PickJobClosed
from tests.apiclient import Api
from tests.factories.core import FacilityFactory, staff
from tests.factories.packing import closed_pick_job, pack_job, started_pack_job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("closings")]
SERIAL = {"key": "serial", "keyLocalized": {"en_GB": "Serial number", "de_DE": "Seriennummer"}}


@pytest.fixture
def api(client):
    return Api(client)


def act(api, job, name, **body):
    version = PackJob.objects.get(pk=job.pk).version
    return api.post(f"/api/packjobs/{job.pk}/actions", {"name": name, "version": version, **body})


def asking(*attributes, units=1, facility=None, by=None):
    """A started pack job whose article has these to be recorded."""
    facility = facility or FacilityFactory()
    job = pack_job(units, facility=facility)
    line = job.lines.get()
    line.recordable_attributes = copies(attributes)
    line.save()
    return packing.start(job.pk, by=by, now=timezone.now())


def rows(job):
    """(units, packed units, verified units) of each line."""
    lines = PackJob.objects.get(pk=job.pk).lines.with_packed()
    return [(line.quantity, line.packed, line.verified) for line in lines]


def test_split_takes_packed_units_along_and_leaves_weights(api):
    job = started_pack_job(None, 5)
    line, package = job.lines.get(), job.packages.get()
    packing.put(job.pk, line.pk, package.pk, 4, by=None, now=timezone.now())
    packing.set_weight(job.pk, package.pk, 900, confirmed=True, by=None, now=timezone.now())

    body = [{"lineItemId": str(line.pk), "quantity": 2, "packed": 1}]
    answer = act(api, job, "SPLIT_LINES_PACK_JOB", splitLineItemsInfo=body)

    assert [(item["quantity"], item["packed"]) for item in answer.json()["lineItems"]] == [(3, 3), (2, 1)]
    assert {item["originId"] for item in answer.json()["lineItems"]} == {str(line.pick_line_id)}
    assert rows(job) == [(3, 3, 3), (2, 1, 1)]
    package.refresh_from_db()
    assert package.weight_g == 900
    assert sorted(item.quantity for item in package.items.all()) == [1, 3]


def test_split_without_a_count_leaves_packed_units_where_they_are():
    job = started_pack_job(None, 5)
    line = job.lines.get()
    packing.put(job.pk, line.pk, job.packages.get().pk, 4, by=None, now=timezone.now())

    packing.split(job.pk, [packing.Split(line.pk, 2)], by=None, now=timezone.now())

    assert rows(job) == [(3, 3, 3), (2, 1, 1)]


@pytest.mark.parametrize(("quantity", "packed"), [(5, 0), (2, 3), (2, 0), (4, 4)])
def test_split_refuses_parts_that_cannot_be(api, quantity, packed):
    job = started_pack_job(None, 5)
    line, package = job.lines.get(), job.packages.get()
    packing.put(job.pk, line.pk, package.pk, 3 if packed == 4 else 4, by=None, now=timezone.now())

    body = [{"lineItemId": str(line.pk), "quantity": quantity, "packed": packed}]
    answer = act(api, job, "SPLIT_LINES_PACK_JOB", splitLineItemsInfo=body)

    assert (answer.status_code, answer.json()[0]["summary"]) == (422, "LINE_NOT_TO_BE_SPLIT")
    assert len(rows(job)) == 1


def test_split_of_a_line_verified_by_its_first_unit_leaves_both_parts_verified(closings):
    packer = staff("packer", facility := FacilityFactory(pack_scan=ScanRule.FIRST))
    job = started_pack_job(packer, 5, facility=facility, kind=Order.Kind.COLLECT)
    line, package = job.lines.get(), job.packages.get()
    packing.pack_all(job.pk, package.pk, by=None, now=timezone.now())
    job.lines.update(verified=1)  # one unit stands for all of them by this rule

    packing.split(job.pk, [packing.Split(line.pk, 2)], by=packer, now=timezone.now())
    packing.close(job.pk, by=packer, now=timezone.now())

    assert rows(job) == [(3, 3, 1), (2, 2, 1)]


def test_lines_in_the_hands_of_another_packer_are_neither_split_nor_recorded(facility, packer):
    job = started_pack_job(packer, 5, facility=facility)
    colleague = staff("packer", facility, email="colleague@example.com")

    for step in (
        lambda by: packing.split(job.pk, [packing.Split(job.lines.first().pk, 2)], by=by, now=timezone.now()),
        lambda by: packing.record(job.pk, {}, by=by, now=timezone.now()),
    ):
        with pytest.raises(packing.PackedBySomeoneElse):
            step(colleague)
        step(packer)


def test_split_job_is_packed_and_closed(closings):
    job = started_pack_job(None, 3)
    packing.split(job.pk, [packing.Split(job.lines.get().pk, 1)], by=None, now=timezone.now())
    package = packing.pack_all(job.pk, by=None, now=timezone.now())
    packing.set_weight(job.pk, package.pk, 900, confirmed=True, by=None, now=timezone.now())

    packing.close(job.pk, by=None, now=timezone.now())

    assert closings == [job.pk]


def test_pack_job_has_what_the_picker_recorded_and_asks_for_the_rest(api):
    pick_job = closed_pick_job(2)
    line = pick_job.lines.get()
    gift = {"keyLocalized": {"en_US": "gift card"}, "recordingRule": "MANDATORY"}
    line.recordables = recordables.of_line([{**SERIAL, "recordingRule": "MANDATORY"}, gift])
    recordables.keep([line], line.recordables[0]["id"], "SN-1")

    with transaction.atomic():
        packing.on_pick_job_closed(PickJobClosed(pick_job.pk), by=None, now=timezone.now())

    job = PackJob.objects.get()
    shown = api.get(f"/api/packjobs/{job.pk}").json()["lineItems"][0]["recordableAttributes"]
    assert [(one["key"], one["recordingRule"], one.get("value", "absent")) for one in shown] == [
        ("Serial number", "MANDATORY", "SN-1"),
        ("gift card", "MANDATORY", "absent"),
    ]
    assert [one["key"] for one in missing(job.lines.get().recordable_attributes)] == ["gift card"]


def test_program_records_values_each_part_its_own(api):
    job = asking({**SERIAL, "recordingRule": "OPTIONAL"}, units=2)
    packing.split(job.pk, [packing.Split(job.lines.get().pk, 1)], by=None, now=timezone.now())
    ids = [line.recordable_attributes[0]["id"] for line in job.lines.all()]

    changes = [{"recordableAttributeId": ids[1], "value": "SN-2"}]
    answer = act(api, job, "UPDATE_PACK_LINE_ITEM_RECORDABLE_ATTRIBUTES", recordableAttributeUpdates=changes)

    shown = [item["recordableAttributes"][0] for item in answer.json()["lineItems"]]
    assert [one.get("value") for one in shown] == [None, "SN-2"]
    assert shown[1]["originId"] == shown[0]["id"] != shown[1]["id"]
    changes[0]["value"] = None
    answer = act(api, job, "UPDATE_PACK_LINE_ITEM_RECORDABLE_ATTRIBUTES", recordableAttributeUpdates=changes)
    assert "value" not in answer.json()["lineItems"][1]["recordableAttributes"][0]
    unknown = [{"recordableAttributeId": "no", "value": "x"}]
    refused = act(api, job, "UPDATE_PACK_LINE_ITEM_RECORDABLE_ATTRIBUTES", recordableAttributeUpdates=unknown)
    assert (refused.status_code, refused.json()[0]["summary"]) == (422, "UNKNOWN_ATTRIBUTE")


def test_package_records_for_its_job(api):
    job = asking({**SERIAL, "recordingRule": "OPTIONAL"})
    packing.pack_all(job.pk, by=None, now=timezone.now())
    attribute = job.lines.get().recordable_attributes[0]["id"]
    action = "UpdatePackingTargetContainerLineItemRecordableAttributes"

    answer = api.patch(
        f"/api/packjobs/{job.pk}/targetcontainers/{job.packages.get().pk}",
        {
            "version": PackJob.objects.get().version,
            "actions": [
                {
                    "action": action,
                    "recordableAttributeUpdates": [{"recordableAttributeId": attribute, "value": "7"}],
                }
            ],
        },
    )

    assert answer.json()["lineItems"][0]["recordableAttributes"][0]["value"] == "7"


def test_packer_records_what_must_be_before_the_weight(client, facility, packer):
    job = asking({**SERIAL, "recordingRule": "MANDATORY"}, facility=facility, by=packer)
    package = packing.pack_all(job.pk, by=packer, now=timezone.now())
    packing.set_weight(job.pk, package.pk, 900, confirmed=True, by=packer, now=timezone.now())
    with pytest.raises(AttributesMissing):
        packing.close(job.pk, by=packer, now=timezone.now())
    client.force_login(packer)
    page = reverse("packing:job-detail", args=["here", job.pk])
    before = client.get(page).content.decode()
    attribute = job.lines.get().recordable_attributes[0]["id"]

    client.post(reverse("packing:job-record", args=["here", job.pk]), {attribute: "SN-1"})

    assert re.search(r"Save what is recorded", before)
    assert f"Serial number · {job.lines.get().title}" in before
    assert job.lines.get().recordable_attributes[0]["value"] == "SN-1"
    assert "Close and get label" in client.get(page).content.decode()
