"""Photos of missing units: judged by their content, drawn anew, kept once, served as files."""

import io
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from fulfillment.core import pictures
from fulfillment.core.models import Document
from fulfillment.core.services import documents
from picking.models import LinePhoto
from tests.factories.core import FacilityFactory, staff
from tests.factories.picking import started_pick_job

pytestmark = pytest.mark.django_db


def picture(size=(40, 20), format="PNG", **options):  # noqa: A002
    target = io.BytesIO()
    Image.new("RGB", size, "red").save(target, format, **options)
    return target.getvalue()


@pytest.fixture
def job(facility, picker):
    return started_pick_job(picker, 2, facility=facility)


@pytest.fixture
def device(client, picker):
    client.force_login(picker)
    return client


def send(client, job, data, *, photo_id=None, line=None):
    return client.post(
        reverse("picking:photo-keep", args=["here", job.pk]),
        {
            "id": str(photo_id or uuid.uuid4()),
            "line": str(line or job.lines.get().pk),
            "photo": SimpleUploadedFile("shelf.png", data),
        },
    )


def test_photo_is_kept_small_and_without_what_the_camera_said(device, job):
    exif = Image.Exif()
    exif[0x010F] = "Secret camera"
    data = picture((4000, 1000), "JPEG", exif=exif)

    answer = send(device, job, data)

    assert (answer.status_code, answer.json()["kind"]) == (200, "photo")
    kept = LinePhoto.objects.get()
    stored = documents.read(kept.document)
    with Image.open(io.BytesIO(stored)) as image:
        assert (image.format, image.size) == ("JPEG", (1600, 400))
        assert not image.getexif()
    assert b"Secret camera" not in stored
    assert (kept.document.category, kept.document.facility) == ("PHOTO", job.facility)


def test_photo_sent_twice_is_kept_once(device, job):
    photo_id = uuid.uuid4()

    answers = [send(device, job, picture(), photo_id=photo_id) for _time in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert LinePhoto.objects.count() == Document.objects.count() == 1


@pytest.mark.parametrize(
    "data",
    [b"GIF89a...", b"<svg xmlns='http://www.w3.org/2000/svg'/>", picture(format="GIF"), picture()[:30]],
    ids=["named so", "drawing with script", "other format", "cut off"],
)
def test_what_is_no_photo_is_refused(device, job, data):
    answer = send(device, job, data)

    assert answer.status_code == 422
    assert not LinePhoto.objects.exists()


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_PIXELS"])
def test_too_large_a_photo_is_refused(device, job, monkeypatch, limit):
    monkeypatch.setattr(pictures, limit, 10)

    assert send(device, job, picture()).status_code == 422


def test_line_of_another_job_gets_no_photo(device, job, facility):
    other = started_pick_job(staff("picker", facility), 1, facility=facility)

    assert send(device, job, picture(), line=other.lines.get().pk).status_code == 422


def test_device_without_a_session_hears_that_it_must_sign_in(client, job):
    answer = send(client, job, picture())

    assert (answer.status_code, answer.json()["kind"]) == (401, "login")


def test_photo_is_served_as_a_file_and_to_this_facility_alone(device, client, job):
    send(device, job, picture())
    address = reverse("picking:photo", args=["here", LinePhoto.objects.get().pk])

    answer = device.get(address)

    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    stranger = FacilityFactory(slug="there")
    client.force_login(staff("picker", stranger))
    elsewhere = reverse("picking:photo", args=["there", LinePhoto.objects.get().pk])
    assert client.get(elsewhere).status_code == 404


def test_plain_form_reports_missing_with_a_photo(device, job):
    device.post(
        reverse("picking:job-act", args=["here", job.pk]),
        {
            "id": str(uuid.uuid4()),
            "kind": "short",
            "line": str(job.lines.get().pk),
            "reason": "DAMAGED",
            "photo": SimpleUploadedFile("shelf.png", picture()),
        },
    )

    assert LinePhoto.objects.get().line.short == 2
    page = device.get(reverse("picking:job-detail", args=["here", job.pk])).content.decode()
    assert reverse("picking:photo", args=["here", LinePhoto.objects.get().pk]) in page
