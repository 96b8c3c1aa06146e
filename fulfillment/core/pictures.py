"""Pictures that people send: judged by their content, made small, and drawn anew, so that nothing else comes with them."""

import io

from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import Refused

FORMATS = ["JPEG", "PNG", "WEBP"]
MOST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 40_000_000
LONGEST_SIDE = 1600


class NotAPicture(Refused):
    text = _("This is not a photo. Send a JPEG, PNG or WebP of at most 8 MB.")


def redraw(file):
    """A JPEG of an uploaded picture, upright, without what its file said beside (place, device, hidden parts).

    Refuses what is no picture, too large a file, and more pixels than a camera has.
    """
    if file.size > MOST_BYTES:
        raise NotAPicture
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NotAPicture
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            target = io.BytesIO()
            upright.convert("RGB").save(target, "JPEG", quality=80)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise NotAPicture from error
    return target.getvalue()
