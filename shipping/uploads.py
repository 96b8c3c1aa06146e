"""Labels that staff or programs bring: looked at for what they are, not for how they are called."""

import io

import pypdfium2
from django.utils.translation import gettext_lazy as _
from PIL import Image, UnidentifiedImageError

from fulfillment.core.errors import Refused

from .carriers import Doc

MOST_BYTES = 5 * 1024 * 1024
MOST_PAGES = 5
MOST_PIXELS = 20_000_000
DOTS_PER_INCH = 203
# Documents with this template came from outside: they are handed out as attachments only.
TEMPLATE = "upload"


class UploadTooLarge(Refused):
    text = _("The file has more than %(most)s MB.")


class NotALabel(Refused):
    text = _("The file is no label: a PDF of up to %(pages)s pages, a ZPL file, or a picture (PNG, JPEG).")


def read_label(data, kind="label"):
    """A ``Doc`` of an uploaded file; a picture becomes a PDF. Refuses what is too large, or no label by its content."""
    if len(data) > MOST_BYTES:
        raise UploadTooLarge(most=MOST_BYTES // 1024 // 1024)
    if data.startswith(b"%PDF-"):
        return Doc(kind, "PDF", _checked_pdf(data))
    if data.lstrip().startswith((b"^XA", b"~DG")):
        return Doc(kind, "ZPL", _checked_zpl(data))
    return Doc(kind, "PDF", _drawn(data))


def _refusal():
    return NotALabel(pages=MOST_PAGES)


def _checked_pdf(data):
    try:
        pdf = pypdfium2.PdfDocument(data)
        pages = len(pdf)
        pdf.close()
    except pypdfium2.PdfiumError as error:
        raise _refusal() from error
    if not 1 <= pages <= MOST_PAGES:
        raise _refusal()
    return data


def _checked_zpl(data):
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _refusal() from error
    if not text.rstrip().endswith("^XZ") or "\0" in text:
        raise _refusal()
    return data


def _drawn(data):
    """A picture as PDF: drawn anew, so that nothing but its pixels is kept."""
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF"))
        if image.width * image.height > MOST_PIXELS:
            raise _refusal()
        plain = image.convert("L")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise _refusal() from error
    target = io.BytesIO()
    plain.save(target, "PDF", resolution=DOTS_PER_INCH)
    return target.getvalue()
