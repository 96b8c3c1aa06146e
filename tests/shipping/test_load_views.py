import base64
import html
import io
import re
import uuid
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from shipping import loads, services
from shipping.models import HandoverJob, Load, LoadedParcel
from tests.factories.core import staff
from tests.factories.shipping import labelled, work
from tests.shipping.test_loads import close, load_of, loaded, signature

pytestmark = pytest.mark.django_db
SIGNED = {"driver_name": "Jan Jansen", "counted": "1"}


@pytest.fixture
def client(client, packer):
    client.force_login(packer)
    return client


def address(name, *args):
    return reverse(f"shipping:{name}", args=["here", *args])


def text(response):
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.content.decode())).split())


def test_load_is_opened_from_the_list_of_handovers(client, facility):
    done = labelled(facility=facility)
    page = client.get(address("handover-list"))

    answer = client.post(address("load-open"), {"carrier": "demo"}, follow=True)

    assert "Load Demo" in text(page)
    assert Load.objects.get().carrier == done.carrier
    assert done.tracking_number in text(answer)
    assert "Labelled, not loaded" in text(answer)


@pytest.mark.parametrize("key", ["", "nobody"])
def test_load_of_no_carrier_is_not_opened(client, facility, key):
    answer = client.post(address("load-open"), {"carrier": key}, follow=True)

    assert "Choose a carrier." in text(answer)
    assert not Load.objects.exists()


def test_code_is_loaded_from_the_plain_form(client, facility):
    done = labelled(facility=facility)
    load = load_of(done)

    answer = client.post(address("load-add", load.pk), {"code": f" {done.code} "}, follow=True)

    assert f"{done.tracking_number} is loaded." in text(answer)
    assert f"{done.tracking_number} Parcel code {done.code}" in text(answer)
    assert "Everything that has a label is loaded." in text(answer)


@pytest.mark.parametrize(
    ("code", "words"), [("", "Scan or type a code."), ("P9", "No parcel here has the code P9.")]
)
def test_code_that_loads_nothing_says_why(client, facility, code, words):
    load = load_of(labelled(facility=facility))

    answer = client.post(address("load-add", load.pk), {"code": code}, follow=True)

    assert words in text(answer)
    assert not LoadedParcel.objects.exists()


def post(client, body):
    return client.post(address("load-scan"), body, content_type="application/json")


def test_device_is_answered_in_json_and_twice_the_same(client, facility):
    done = labelled(facility=facility)
    body = {"id": str(uuid.uuid4()), "load": str(load_of(done).pk), "code": done.code}

    first, again = post(client, body), post(client, body)

    assert (first.status_code, first.json()["kind"]) == (200, "ok")
    assert first.json() == again.json()
    assert again["Idempotent-Replay"] == "true"
    assert LoadedParcel.objects.count() == 1


def test_device_hears_what_is_refused_and_what_cannot_be_read(client, facility):
    load = load_of(labelled(facility=facility))

    refused = post(client, {"id": str(uuid.uuid4()), "load": str(load.pk), "code": "P9"})
    unreadable = post(client, {"id": "x", "load": str(load.pk), "code": "P9"})

    assert (refused.status_code, refused.json()["kind"]) == (422, "unknown")
    assert unreadable.status_code == 400


def test_parcel_is_taken_off(client, facility):
    done = labelled(facility=facility)
    load = loaded(done)

    client.post(address("load-take-off", load.pk, done.pk))

    assert not LoadedParcel.objects.exists()


def test_driver_signs_with_a_picture(client, facility):
    load = loaded(labelled(facility=facility))
    page = client.get(address("load-close", load.pk))

    answer = client.post(
        address("load-close", load.pk),
        {**SIGNED, "signature": SimpleUploadedFile("s.png", signature(), "image/png")},
        follow=True,
    )

    assert "1 parcel" in text(page)
    assert "1 parcel is handed over to Demo." in text(answer)
    load.refresh_from_db()
    assert (load.driver_name, bool(load.signature_sha256)) == ("Jan Jansen", True)
    assert HandoverJob.objects.get().status == "HANDED_OVER"


def test_driver_may_sign_on_paper(client, facility):
    load = loaded(labelled(facility=facility))

    client.post(address("load-close", load.pk), {**SIGNED, "is_signed_on_paper": "on"})

    load.refresh_from_db()
    assert (load.status, load.signature_sha256) == ("CLOSED", "")


@pytest.mark.parametrize(
    ("signed", "words"),
    [
        ({}, "The driver signs here, or on paper."),
        ({"signature": b"no picture"}, "This is no PNG or JPEG picture."),
        ({"signature": bytes(10 * 1024 * 1024)}, "The signature is larger than 512 kB."),
    ],
)
def test_load_without_a_usable_signature_stays(client, facility, signed, words):
    load = loaded(labelled(facility=facility))
    files = {name: SimpleUploadedFile("s.png", data, "image/png") for name, data in signed.items()}

    answer = client.post(address("load-close", load.pk), {**SIGNED, **files})

    assert answer.status_code == 422
    assert words in text(answer)
    load.refresh_from_db()
    assert load.status == "OPEN"


def test_wrong_count_is_told_on_the_page(client, facility):
    load = loaded(labelled(facility=facility))

    signed = SimpleUploadedFile("s.png", signature(), "image/png")

    answer = client.post(address("load-close", load.pk), {**SIGNED, "counted": "2", "signature": signed})

    assert answer.status_code == 422
    assert "Counted by the driver: 2, scanned: 1." in text(answer)
    page = answer.content.decode()
    assert 'value="Jan Jansen"' in page  # what was right need not be said and signed again
    [drawn] = re.findall(r'data-drawn="([^"]+)"', page)
    assert Image.open(io.BytesIO(base64.b64decode(drawn))).format == "PNG"
    load.refresh_from_db()
    assert load.status == "OPEN"


def test_driver_signs_only_when_something_is_loaded(client, facility):
    done = labelled(facility=facility)
    load = load_of(done)
    empty = text(client.get(address("load-detail", load.pk)))

    loads.add(load.pk, done.code, by=None, now=timezone.now())

    assert "Scan the first parcel." in empty
    assert "The driver signs" not in empty
    assert "The driver signs" in text(
        client.get(address("load-detail", load.pk), headers={"HX-Request": "true"})
    )


def test_load_says_when_it_leaves_with_its_day_when_that_is_not_today(client, facility):
    load = loaded(labelled(facility=facility))

    for cutoff, words in [
        (timezone.now(), "leaves at"),
        (timezone.now() - timedelta(days=2), "was to leave on"),
    ]:
        Load.objects.update(cutoff_at=cutoff)
        assert words in text(client.get(address("load-detail", load.pk)))


def test_parcel_that_waits_for_a_decision_is_not_left_behind(client, facility):
    load = loaded(labelled(facility=facility))
    waiting = labelled(facility=facility, number="1002").handover_job
    services.wait_for_input(waiting.pk, by=None, now=timezone.now())

    page = client.get(address("load-detail", load.pk))

    assert "Not before somebody decides:" in text(page)
    assert address("handover-detail", waiting.pk) in page.content.decode()
    assert "Labelled, not loaded" not in text(page)
    assert "stays here" not in text(client.get(address("load-close", load.pk)))


def test_closed_load_offers_its_list_when_it_is_drawn(client, facility):
    load = close(loaded(labelled(facility=facility)))

    before = client.get(address("load-detail", load.pk))
    work()
    after = client.get(address("load-detail", load.pk))

    assert "Jan Jansen took it along" in text(before)
    assert "The handover list is being prepared." in text(before)
    assert "Print the list" in text(after)
    load.refresh_from_db()
    assert client.get(address("document", load.manifest_id)).content.startswith(b"%PDF")


def test_only_a_supervisor_reopens(client, facility):
    load = close(loaded(labelled(facility=facility)))
    body = {"reason": "One is missing"}

    assert client.post(address("load-reopen", load.pk), body).status_code == 403
    assert "Reopen" not in text(client.get(address("load-detail", load.pk)))
    client.force_login(staff("supervisor", facility))
    without = client.post(address("load-reopen", load.pk), {"reason": ""})
    client.post(address("load-reopen", load.pk), body)

    assert without.status_code == 422
    load.refresh_from_db()
    assert load.status == "OPEN"


def test_carrier_is_asked_again_from_the_page(client, facility):
    load = close(loaded(labelled(facility=facility)))
    Load.objects.update(carrier_problem="Demo does not close the day: Too late.")

    page = client.get(address("load-detail", load.pk))
    client.post(address("load-ask-again", load.pk))

    assert "Demo does not close the day: Too late." in text(page)
    load.refresh_from_db()
    assert load.carrier_problem == ""


def test_pages_ask_the_database_the_same_for_one_and_three_parcels(client, facility):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as asked:
            client.get(address("load-detail", Load.objects.get().pk))
            client.get(address("load-list"))
        return len(asked)

    for number in ("1001", "1002"):
        labelled(facility=facility, number=number)
    first = HandoverJob.objects.first().parcel
    load = loaded(first)
    one = queries()
    for number in ("1003", "1004", "1005", "1006"):
        done = labelled(facility=facility, number=number)
        if number < "1005":
            loads.add(load.pk, done.code, by=None, now=timezone.now())

    assert queries() == one
