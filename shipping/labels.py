"""The labels we draw ourselves: 100 x 150 mm, for carriers that bring none of their own."""

from django.utils.safestring import mark_safe

from fulfillment.core.barcodes import CODE_128, QR_CODE, code_svg
from fulfillment.core.pdf import TooManyPages, render_pdf

from . import zpl

VERSION = "label-2"
BARCODE_MM = (88.1, 30)
RETURN_CODE_MM = (22, 22)
# The recipient's letters: as large as the address allows, smaller before anything is cut off.
LETTERS = ("large", "middle", "small", "tiny")


class DoesNotFit(Exception):
    """The address does not fit on a label, in the smallest letters either."""


def render_label(parcel, number, *, is_return=False):
    """A shipping label, or with sender and recipient exchanged a return label, as PDF. Raises DoesNotFit.

    Args:
        parcel: a ``ParcelData``.
        number: the tracking number, printed and, on a return label, encoded.
    """
    if is_return:
        barcode = code_svg(number, CODE_128, *BARCODE_MM)
    elif parcel.is_sscc:
        barcode = code_svg(f"(00){parcel.code}", CODE_128, *BARCODE_MM, gs1=True)
    else:
        barcode = code_svg(parcel.code, CODE_128, *BARCODE_MM)
    context = {
        "parcel": parcel,
        "number": number,
        "is_return": is_return,
        "sender": parcel.recipient if is_return else parcel.sender,
        "recipient": parcel.returns_to if is_return else parcel.recipient,
        # Drawn by us out of a checked alphabet, never user text.
        "barcode": mark_safe(barcode),
        "qr_code": mark_safe(code_svg(number, QR_CODE, *RETURN_CODE_MM)),
    }
    for letters in LETTERS:
        try:
            return render_pdf(
                "documents/label.html",
                {**context, "letters": letters},
                stylesheet="documents/label.css",
                language=parcel.language,
                max_pages=1,
            )
        except TooManyPages:
            continue
    raise DoesNotFit(f"The address of parcel {parcel.code} is too long.")


def render_zpl(parcel, number, *, is_return=False):
    """``render_label`` for a label printer, as ZPL. Raises DoesNotFit."""
    try:
        return zpl.label(parcel, number, is_return=is_return)
    except zpl.TextTooLong as error:
        raise DoesNotFit(str(error)) from error
