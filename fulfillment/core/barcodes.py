"""Barcodes as pictures for documents, and the number of a logistic unit (SSCC).

Source of the formats: GS1 General Specifications. The Application Identifier stands in brackets in the input.
"""

import io
import re
import secrets

import zxingcpp
from PIL import Image

CODE_128, QR_CODE = zxingcpp.BarcodeFormat.Code128, zxingcpp.BarcodeFormat.QRCode
SSCC_DIGITS = 18
_SIZE = re.compile(r'<svg width="([\d.]+)" height="([\d.]+)"')


def gs1_check_digit(digits):
    """The check digit over the digits before it: weights 3 and 1 from the right, up to the next ten."""
    total = sum(int(digit) * (3 if index % 2 == 0 else 1) for index, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def new_sscc(company_prefix, extension="0"):
    """A Serial Shipping Container Code of 18 digits: extension digit, company prefix, random serial, check digit."""
    length = SSCC_DIGITS - 2 - len(company_prefix)
    serial = str(secrets.randbelow(10**length)).zfill(length)
    body = f"{extension}{company_prefix}{serial}"
    return body + gs1_check_digit(body)


def code_svg(content, symbology, width_mm, height_mm, *, gs1=False):
    """A barcode as an SVG element of this size, quiet zones included.

    Args:
        content: the text; with ``gs1`` application identifiers in brackets, for example ``(00)106141411234567897``.
        symbology: ``CODE_128`` or ``QR_CODE``.
    """
    barcode = zxingcpp.create_barcode(content, symbology, gs1=gs1)
    svg = zxingcpp.write_barcode_to_svg(barcode, scale=1, add_quiet_zones=True)
    width, height = _SIZE.search(svg).groups()
    opening = (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" '
        f'style="width:{width_mm}mm;height:{height_mm}mm" xmlns="http://www.w3.org/2000/svg">'
    )
    drawing = re.sub(r"<svg [^>]*>", opening, svg[svg.index("<svg") :], count=1)
    return drawing.replace(' id="barcode"', "")  # several codes stand on one page


def qr_png(content, *, scale=8):
    """A QR code as PNG bytes, for where an SVG is not shown: in e-mails."""
    barcode = zxingcpp.create_barcode(content, QR_CODE)
    drawn = zxingcpp.write_barcode_to_image(barcode, scale=scale, add_quiet_zones=True)
    target = io.BytesIO()
    Image.fromarray(drawn).save(target, "PNG")
    return target.getvalue()
