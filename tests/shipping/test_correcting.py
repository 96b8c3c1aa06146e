"""Another number for a finished parcel: it was mistyped, or the carrier changed it."""

import datetime

import pytest
from django.db.models import F
from django.utils import timezone

from fulfillment.core import events
from fulfillment.core.errors import VersionConflict
from fulfillment.core.models import StatusChange
from fulfillment.core.services import documents
from orders.models import ParcelRecord
from shipping import booking, correcting, external, services, tracking
from shipping.carriers import Doc, Track
from shipping.events import ParcelBooked
from shipping.models import Parcel, TrackEvent
from shipping.parcel_data import parcel_data
from tests.factories.core import staff
from tests.factories.shipping import labelled, parcel, work
from tests.shipping.test_views import address, pdf_file, text

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


@pytest.fixture
def done(facility, packer):
    waiting = parcel(facility=facility, carrier="manual")
    work()
    booking.enter_number(waiting.pk, "3SWRONG", by=packer, now=timezone.now())
    return Parcel.objects.get()


@pytest.fixture
def supervisor(facility):
    return staff("supervisor", facility)


def correct(done, number="3SRIGHT", *, by=None, reason="Mistyped", **fields):
    numbers = correcting.Numbers(number, **fields)
    return correcting.correct_numbers(done.pk, numbers, reason=reason, by=by, now=timezone.now())


def test_number_is_corrected_with_its_log_row_and_for_the_shop(done, supervisor):
    correct(done, return_number="BACK-1", by=supervisor)

    version = done.version
    done.refresh_from_db()
    assert (done.tracking_number, done.return_tracking_number, done.version) == (
        "3SRIGHT",
        "BACK-1",
        version + 1,
    )
    record = ParcelRecord.objects.get()
    assert (record.tracking_number, record.return_tracking_number) == ("3SRIGHT", "BACK-1")
    row = StatusChange.objects.filter(action="correct_numbers").get()
    assert (row.by, row.reason) == (supervisor, "Mistyped")


@pytest.mark.drawn
def test_label_of_our_own_is_drawn_anew_and_the_former_one_kept(done, read_pdf):
    former = done.label

    correct(done)

    done.refresh_from_db()
    assert ("QR Code", "3SRIGHT", "]Q1") in read_pdf(documents.read(done.label)).codes()
    assert ("QR Code", "3SWRONG", "]Q1") in read_pdf(documents.read(former)).codes()
    assert services.find_parcel(done.facility, "3SRIGHT").parcel == done
    with pytest.raises(services.UnknownParcel):
        services.find_parcel(done.facility, "3SWRONG")


@pytest.mark.drawn
def test_label_of_the_carrier_stays_with_what_is_printed_on_it(client, facility, packer):
    client.force_login(packer)
    waiting = parcel(facility=facility, carrier="manual")
    work()
    client.post(address("parcel-number", waiting.pk), {"number": "3SABC", "label": pdf_file()})
    done = Parcel.objects.get()
    label, codes = done.label_id, done.scan_codes

    correct(done)

    done.refresh_from_db()
    assert (done.label_id, done.scan_codes) == (label, [*codes, "3SRIGHT"])
    assert services.find_parcel(done.facility, "3SABC").parcel == done  # its label still says so


def test_tracking_page_follows_the_number(done):
    Parcel.objects.update(tracking_url="https://track.example/3SWRONG?lang=de")
    done.refresh_from_db()

    correct(done, tracking_url=done.tracking_url)

    done.refresh_from_db()
    assert done.tracking_url == "https://track.example/3SRIGHT?lang=de"


def test_tracking_page_that_does_not_name_the_number_is_forgotten(done):
    Parcel.objects.update(tracking_url="https://track.example/?id=77")
    done.refresh_from_db()

    correct(done, tracking_url=done.tracking_url)

    done.refresh_from_db()
    assert done.tracking_url == ""


def test_what_the_carrier_said_of_the_former_number_is_forgotten(done):
    track = Track("3SWRONG", "transit", timezone.now(), "T")
    tracking.record(done.pk, [track], TrackEvent.Source.POLL, by=None, now=timezone.now())
    assert ParcelRecord.objects.get().tracking_status == "transit"

    correct(done)

    done.refresh_from_db()
    assert (done.tracking_status, done.tracked_at, done.track_events.count()) == ("", None, 0)
    record = ParcelRecord.objects.get()
    assert (record.tracking_status, record.tracked_at) == ("", None)


def test_others_hear_of_the_new_number(done, monkeypatch):
    seen = []
    monkeypatch.setitem(
        events._reactions, ParcelBooked, [lambda event, *, by, now: seen.append(event.parcel_id)]
    )

    correct(done)

    assert seen == [done.pk]


def test_same_numbers_change_nothing(done):
    correct(done, "3SWRONG")

    version = done.version
    done.refresh_from_db()
    assert done.version == version
    assert not StatusChange.objects.filter(action="correct_numbers").exists()


@pytest.mark.parametrize(("number", "return_number"), [("", ""), ("Ü", ""), ("3S", "Ü"), ("9" * 41, "")])
def test_number_that_no_barcode_holds_is_refused(done, number, return_number):
    with pytest.raises(booking.NumberNotUsable):
        correct(done, number, return_number=return_number)


def test_parcel_without_a_label_is_refused(facility):
    waiting = parcel(facility=facility, carrier="manual")
    work()

    with pytest.raises(correcting.NotFinished):
        correct(waiting)


def test_old_version_is_refused(done):
    with pytest.raises(VersionConflict):
        correcting.correct_numbers(
            done.pk,
            correcting.Numbers("3SRIGHT"),
            reason="Mistyped",
            by=None,
            now=NOON,
            version=done.version - 1,
        )


def test_number_of_goods_that_customs_know_nothing_of_is_corrected(facility):
    waiting = parcel(facility=facility, carrier="manual")
    work()
    waiting.shipment.recipient = {**waiting.shipment.recipient, "country": "CH", "postal_code": "8001"}
    waiting.shipment.save(update_fields=["recipient"])
    brought = external.Brought((Doc("label", "ZPL", b"^XA^XZ"),), number="3SWRONG")
    external.add_labels(waiting.pk, brought, closes=True, by=None, now=timezone.now())

    correct(waiting)

    assert Parcel.objects.get().tracking_number == "3SRIGHT"


@pytest.mark.drawn
def test_label_that_the_address_does_not_fit_on_is_not_drawn_anew(done):
    done.shipment.recipient = {**done.shipment.recipient, "last_name": "W" * 600}
    done.shipment.save(update_fields=["recipient"])

    with pytest.raises(booking.AddressTooLong):
        correct(done)

    assert Parcel.objects.get().tracking_number == "3SWRONG"


def test_parcel_that_changes_while_its_label_is_drawn_is_left_alone(done, monkeypatch):
    def read(*args, **kwargs):
        Parcel.objects.update(version=F("version") + 1)
        return parcel_data(*args, **kwargs)

    monkeypatch.setattr(correcting, "parcel_data", read)

    with pytest.raises(VersionConflict):
        correct(done)

    assert Parcel.objects.get().tracking_number == "3SWRONG"


# The page


def test_supervisor_corrects_the_number_on_the_page_of_the_parcel(client, done, supervisor):
    client.force_login(supervisor)
    page = client.get(address("parcel-detail", done.pk))
    assert "Correct the numbers" in text(page)
    assert page.context["numbers_form"]["number"].value() == "3SWRONG"

    data = {"number": "3SRIGHT", "reason": "Mistyped"}
    answer = client.post(address("parcel-numbers", done.pk), data, follow=True)

    assert "The numbers of" in text(answer)
    assert "3SRIGHT" in text(answer)
    assert Parcel.objects.get().tracking_number == "3SRIGHT"


def test_faulty_number_is_shown_beside_its_field(client, done, supervisor):
    client.force_login(supervisor)

    answer = client.post(address("parcel-numbers", done.pk), {"number": "Ü", "reason": ""})

    assert answer.status_code == 422
    assert "up to 40 letters and digits" in text(answer)
    assert "This field is required." in text(answer)


def test_packer_is_not_offered_what_a_supervisor_does(client, done, packer):
    client.force_login(packer)

    assert "Correct the numbers" not in text(client.get(address("parcel-detail", done.pk)))
    data = {"number": "3SRIGHT", "reason": "Mistyped"}
    assert client.post(address("parcel-numbers", done.pk), data).status_code == 403


def test_parcel_that_waits_offers_no_correction(client, facility, supervisor):
    client.force_login(supervisor)
    waiting = parcel(facility=facility, carrier="manual")
    work()

    assert "Correct the numbers" not in text(client.get(address("parcel-detail", waiting.pk)))


def test_booked_parcel_of_another_carrier_can_be_corrected_too(facility, supervisor):
    done = labelled(facility=facility)

    correct(done, by=supervisor)

    assert Parcel.objects.get().tracking_number == "3SRIGHT"
