import io

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageDraw

from shipping.signatures import MOST_BYTES, read_signature


def picture(size=(400, 150), form="PNG", ink="black", mode="RGBA"):
    drawn = Image.new(mode, size, (255, 255, 255, 0)[: len(mode)])
    ImageDraw.Draw(drawn).line([(5, 5), (size[0] - 5, size[1] - 5)], fill=ink, width=5)
    target = io.BytesIO()
    drawn.save(target, form)
    return target.getvalue()


def uploaded(data, name="signature.png"):
    return SimpleUploadedFile(name, data, "image/png")


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGBA"), ("JPEG", "RGB")])
def test_signature_is_drawn_anew_in_black_and_white(form, mode):
    kept = Image.open(io.BytesIO(read_signature(uploaded(picture(form=form, mode=mode)))))

    assert (kept.format, kept.mode) == ("PNG", "L")
    assert kept.getpixel((0, 140)) > 200  # what was transparent is paper
    assert kept.getpixel((200, 75)) < 60


def test_what_hangs_on_a_picture_is_not_kept():
    assert b"<script>" not in read_signature(uploaded(picture() + b"<script>alert(1)</script>"))


def test_large_signature_becomes_small():
    kept = Image.open(io.BytesIO(read_signature(uploaded(picture((1600, 1200))))))

    assert max(kept.size) <= 800


def test_signature_of_10_mb_is_refused_unread():
    class Untouched(SimpleUploadedFile):
        def read(self, *args):
            raise AssertionError("It was read.")

    file = Untouched("signature.png", b"", "image/png")
    file.size = 10 * 1024 * 1024

    with pytest.raises(ValidationError, match="larger than 512 kB"):
        read_signature(file)
    assert file.size > MOST_BYTES


def test_signature_with_too_many_pixels_is_refused():
    with pytest.raises(ValidationError, match="too many pixels"):
        read_signature(uploaded(picture((4000, 2000))))


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7", b"<svg/>", picture()[:60], picture(form="GIF", mode="RGB")]
)
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ValidationError, match="no PNG or JPEG"):
        read_signature(uploaded(data))


def test_empty_field_is_no_signature():
    with pytest.raises(ValidationError, match="Nothing is written"):
        read_signature(uploaded(picture(ink=(255, 255, 255, 0))))
