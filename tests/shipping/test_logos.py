import io

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from fulfillment.core.services import documents
from shipping.logos import MOST_BYTES, read_logo
from shipping.models import PaperSettings
from tests.factories.core import staff


def picture(form="PNG", size=(1200, 300), **options):
    target = io.BytesIO()
    Image.new("RGB", size, "red").save(target, form, **options)
    return target.getvalue()


def upload(data, name="logo.png"):
    return SimpleUploadedFile(name, data, "image/png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF"])
def test_picture_is_drawn_anew_as_a_png_of_print_size(form):
    kept = read_logo(upload(picture(form)))

    with Image.open(io.BytesIO(kept)) as image:
        assert (image.format, image.size) == ("PNG", (800, 200))


FORM = {
    "kinds": ["DELIVERY_NOTE"],
    "incoterm": "DAP",
    "export_reason": "Sale of goods",
    "sdr_values": '{"EUR": "1.2"}',
    "texts-TOTAL_FORMS": 0,
    "texts-INITIAL_FORMS": 0,
    "rules-TOTAL_FORMS": 0,
    "rules-INITIAL_FORMS": 0,
}


def test_what_hangs_behind_the_picture_is_gone():
    assert b"<script>" not in read_logo(upload(picture() + b"<script>alert(1)</script>"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no PNG"),
        (b"\x89PNG\r\n\x1a\n broken", "no PNG"),
        (picture()[:60], "no PNG"),
        (picture("BMP", (10, 10)), "no PNG"),
        (b"x" * (MOST_BYTES + 1), "larger"),
        (picture(size=(3000, 2000)), "pixels"),
    ],
    ids=["svg", "broken", "cut off", "other format", "too large", "too many pixels"],
)
def test_what_is_no_small_picture_is_refused(data, words):
    with pytest.raises(ValidationError, match=words):
        read_logo(upload(data))


@pytest.mark.django_db
def test_logo_is_uploaded_in_the_administration_and_taken_away_again(client):
    client.force_login(staff("administrator"))

    refused = client.post("/admin/shipping/papersettings/add/", FORM | {"logo": upload(b"<svg/>")})
    client.post("/admin/shipping/papersettings/add/", FORM | {"logo": upload(picture())})

    settings = PaperSettings.objects.get()
    assert "no PNG" in refused.content.decode()
    assert documents.kept(settings.logo_sha256).startswith(b"\x89PNG")
    client.post(f"/admin/shipping/papersettings/{settings.pk}/change/", FORM)
    settings.refresh_from_db()
    assert settings.logo_sha256
    client.post(f"/admin/shipping/papersettings/{settings.pk}/change/", FORM | {"without_logo": "on"})
    settings.refresh_from_db()
    assert settings.logo_sha256 == ""


@pytest.mark.django_db
def test_page_of_returns_is_https_when_nobody_says(client):
    client.force_login(staff("administrator"))

    client.post("/admin/shipping/papersettings/add/", FORM | {"returns_page": "shop.example/returns/"})

    assert PaperSettings.objects.get().returns_page == "https://shop.example/returns/"
