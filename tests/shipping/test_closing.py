import datetime

import pytest
from django.utils import timezone

from fulfillment.core.models import StatusChange
from fulfillment.core.services import documents
from shipping import closing, services
from shipping.carriers import CarrierError, Outcome
from shipping.carriers.demo import Demo
from shipping.models import Parcel
from tests.carrierstub import EasyPostStub
from tests.factories.shipping import connected, labelled, parcel

pytestmark = pytest.mark.django_db
DAY = datetime.date(2026, 3, 2)


def close(done, *others):
    ids = [one.pk for one in (done, *others)]
    return closing.close_day(done.facility_id, done.carrier, ids, day=DAY, by=None, now=timezone.now())


def answers(monkeypatch, answer):
    """Let the demo carrier close days; returns the numbers it was told, call by call."""
    told = []

    def manifest(adapter, numbers, day):
        told.append((numbers, day))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(Demo, "capabilities", Demo.capabilities | {"manifest"})
    monkeypatch.setattr(Demo, "manifest", manifest)
    return told


def test_carrier_is_told_once_and_its_list_is_kept(facility, packer, monkeypatch):
    done = labelled(facility=facility)
    told = answers(monkeypatch, b"%PDF list")

    listed = close(done)
    again = close(done)

    assert told == [([done.tracking_number], DAY)]
    assert (documents.read(listed), again) == (b"%PDF list", None)
    done.refresh_from_db()
    assert done.manifested_at is not None
    assert StatusChange.objects.filter(entity_id=done.pk, action="close_day").count() == 1
    with pytest.raises(services.ParcelClosed):
        services.cancel_parcel(done.pk, by=packer, now=timezone.now())


def test_carrier_without_a_closing_of_its_own_closes_here(facility):
    done = labelled(facility=facility)

    assert close(done) is None
    assert Parcel.objects.get().manifested_at is not None


def test_parcel_without_a_label_is_not_told(facility, monkeypatch):
    told = answers(monkeypatch, None)

    assert close(parcel(facility=facility)) is None
    assert told == []


@pytest.mark.parametrize(
    ("outcome", "raised"), [(Outcome.REJECTED, closing.ClosingRefused), (Outcome.RETRY, CarrierError)]
)
def test_day_stays_open_when_the_carrier_does_not_close_it(facility, monkeypatch, outcome, raised):
    done = labelled(facility=facility)
    answers(monkeypatch, CarrierError(outcome, "No."))

    with pytest.raises(raised):
        close(done)

    assert Parcel.objects.get().manifested_at is None


def test_carrier_hears_its_own_reference(facility):
    with EasyPostStub().listening() as stub:
        connected(facility, "easypost", stub.url, credentials={"api_key": "KEY"})
        done = labelled(facility=facility)

        listed = close(done)

    (form,) = [asked.json for asked in stub.asked if asked.path.endswith("/scan_forms")]
    assert form == {"scan_form": {"shipments": [{"id": "shp_1"}]}}
    assert documents.read(listed).startswith(b"%PDF")
