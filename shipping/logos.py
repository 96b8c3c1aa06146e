"""Logos for papers: pictures that somebody uploads are never kept as they came."""

import io

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from PIL import Image, UnidentifiedImageError

MOST_BYTES = 1024 * 1024
MOST_PIXELS = 4_000_000
FORMATS = ("PNG", "JPEG", "GIF")
SIZE = (800, 400)  # more than a printer shows


def read_logo(file):
    """The bytes of a PNG out of an uploaded file. Refuses what is too large or no picture."""
    if file.size > MOST_BYTES:
        raise ValidationError(_("The picture is larger than 1 MB."))
    try:
        with Image.open(file, formats=FORMATS) as picture:
            picture.verify()
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:  # before it is unpacked
                raise ValidationError(_("The picture has too many pixels: at most 4 million."))
            picture.thumbnail(SIZE)
            target = io.BytesIO()
            picture.convert("RGBA").save(target, "PNG")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValidationError(_("This is no PNG, JPEG or GIF picture.")) from error
    return target.getvalue()
