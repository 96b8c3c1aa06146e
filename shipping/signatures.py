"""Signatures on a screen: pictures that are never kept as they came."""

import base64
import io

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from PIL import Image, UnidentifiedImageError

MOST_BYTES = 512 * 1024
MOST_PIXELS = 4_000_000
FORMATS = ("PNG", "JPEG")
SIZE = (800, 300)


def read_signature(file):
    """The bytes of a black and white PNG out of an uploaded picture. Refuses what is too large, empty or no picture."""
    if file.size > MOST_BYTES:
        raise ValidationError(_("The signature is larger than 512 kB. Sign again."), code="too_large")
    try:
        with Image.open(file, formats=FORMATS) as picture:
            picture.verify()
        with Image.open(file, formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:  # before it is unpacked
                raise ValidationError(_("The signature has too many pixels. Sign again."), code="too_large")
            picture.thumbnail(SIZE)
            drawn = picture.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValidationError(_("This is no PNG or JPEG picture."), code="no_picture") from error
    paper = Image.new("RGBA", drawn.size, "white")
    paper.alpha_composite(drawn)
    signature = paper.convert("L")
    darkest, lightest = signature.getextrema()
    if darkest == lightest:
        raise ValidationError(_("Nothing is written there. Sign, or choose the way without a signature."))
    target = io.BytesIO()
    signature.save(target, "PNG")
    return target.getvalue()


class SignatureField(forms.FileField):
    """A signature: drawn where there is JavaScript, else a picture of one."""

    widget = forms.FileInput(attrs={"accept": "image/png,image/jpeg", "data-signature": True})

    def clean(self, data, initial=None):
        file = super().clean(data, initial)
        return read_signature(file) if file else None


def keep_drawn(form, name="signature"):
    """Let a form that is shown again begin with what was signed: another field was wrong, not the signature."""
    if drawn := form.cleaned_data.get(name):
        form.fields[name].widget.attrs["data-drawn"] = base64.b64encode(drawn).decode()
