"""The papers that lie in a parcel: delivery note, packing slip, return slip. In the customer's language.

Each is drawn from its snapshot alone, so that it can be drawn again.
"""

from django.utils.safestring import mark_safe

from fulfillment.core.barcodes import CODE_128, QR_CODE, code_svg
from fulfillment.core.pdf import png_address, render_pdf

VERSION = "delivery-note-3"
SLIP_VERSION = "packing-slip-1"
RETURN_VERSION = "return-slip-2"
PICKUP_VERSION = "pickup-slip-1"
QR_MM = (26, 26)
BARCODE_MM = (80, 18)


def render_delivery_note(snapshot, logo=None):
    """The delivery note as PDF.

    Args:
        snapshot: ``{"language", "order_number", "order_date", "sender": [line], "recipient": [line], "country",
            "lines": [{"sku", "title", "quantity", "ordered", "price", "remark"}], "parcels": [code], "greeting", "footer"}``;
            ``price`` and ``remark`` are texts, empty for none.
        logo: the PNG that ``logo_sha256`` of the snapshot names.
    """
    return _paper("delivery_note", snapshot, logo, qr_code=_qr(snapshot["order_number"]))


def render_packing_slip(snapshot, logo=None):
    """What is in one parcel, with its code.

    Args:
        snapshot: as for the delivery note, with ``code``, ``is_sscc``, ``number``, ``count`` of the parcel.
    """
    content = f"(00){snapshot['code']}" if snapshot["is_sscc"] else snapshot["code"]
    barcode = code_svg(content, CODE_128, *BARCODE_MM, gs1=snapshot["is_sscc"])
    return _paper("packing_slip", snapshot, logo, barcode=mark_safe(barcode))


def render_return_slip(snapshot, logo=None):
    """What a customer fills in to send something back, with the code that announces it.

    Args:
        snapshot: as for the delivery note, with ``return_code``, ``return_link`` (empty for none), ``return_number``,
            ``return_text``, ``reasons``.
    """
    return _paper(
        "return_slip", snapshot, logo, qr_code=_qr(snapshot.get("return_link") or snapshot["return_code"])
    )


def render_pickup_slip(snapshot, logo=None):
    """What is stuck on each package that a customer collects, a page per package.

    Args:
        snapshot: ``{"language", "order_number", "short_id", "recipient", "is_paid", "until", "packages": [{"number",
            "code"}], "logo_sha256"}``; ``until`` is a text, empty for none.
    """
    packages = [
        {**package, "barcode": mark_safe(code_svg(package["code"], CODE_128, *BARCODE_MM))}
        for package in snapshot["packages"]
    ]
    return _paper("pickup_slip", {**snapshot, "packages": packages}, logo, stylesheet="pickup_slip.css")


def _qr(text):
    # Drawn by us; the writer escapes nothing because it draws squares only.
    return mark_safe(code_svg(text, QR_CODE, *QR_MM))


def _paper(name, snapshot, logo, *, stylesheet="paper.css", **codes):
    return render_pdf(
        f"documents/{name}.html",
        {**snapshot, "logo": png_address(logo), **codes},
        stylesheet=f"documents/{stylesheet}",
        language=snapshot["language"],
    )
