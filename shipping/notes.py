"""The delivery note: what is in the shipment, in the customer's language, with a return slip on the same sheet."""

from django.utils.safestring import mark_safe

from fulfillment.core.barcodes import QR_CODE, code_svg
from fulfillment.core.pdf import render_pdf

VERSION = "delivery-note-2"


def render_delivery_note(snapshot):
    """The delivery note as PDF.

    Args:
        snapshot: ``{"language", "order_number", "order_date", "sender": [line], "recipient": [line], "country",
            "lines": [{"sku", "title", "quantity", "ordered"}], "parcels": [code], "return_number"}``.
    """
    context = {
        **snapshot,
        # Drawn by us out of the order number; the writer escapes nothing because it draws squares only.
        "qr_code": mark_safe(code_svg(snapshot["order_number"], QR_CODE, 26, 26)),
    }
    return render_pdf(
        "documents/delivery_note.html",
        context,
        stylesheet="documents/delivery_note.css",
        language=snapshot["language"],
    )
