import pytest

from fulfillment.core.services import documents
from packing.models import PackJob
from tests.apiclient import Api
from tests.factories.core import FacilityFactory, api_token
from tests.factories.shipping import collected, labelled, shipment

pytestmark = pytest.mark.django_db


def addresses(pick_job):
    pack_job = PackJob.objects.get(pick_job=pick_job)
    return [
        f"/api/pickjobs/{pick_job.pk}/deliverynote",
        f"/api/packjobs/{pack_job.pk}/deliverynote",
        f"/api/packjobs/{pack_job.pk}/returnnote",
    ]


def test_notes_are_the_stored_bytes(client):
    sent = labelled(1).shipment

    slip = sent.papers.get(kind="RETURN_SLIP").document

    for address, stored in zip(
        addresses(sent.pick_job), [sent.delivery_note, sent.delivery_note, slip], strict=True
    ):
        response = Api(client).get(address)
        assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
        assert response.content == documents.read(stored)


def test_note_of_another_facility_is_not_found(client):
    foreign = Api(client, api_token(facilities=[FacilityFactory()]))

    for address in addresses(labelled(1).shipment.pick_job):
        assert foreign.get(address).status_code == 404
        assert client.get(address).status_code == 401


def test_there_is_no_note_before_the_labels_or_for_collection(client):
    for pick_job in (shipment(1).pick_job, collected(1, number="1002").pick_job):
        for address in addresses(pick_job):
            assert Api(client).get(address).status_code == 404
