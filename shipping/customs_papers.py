"""Customs papers, in English: CN22 or CN23 per parcel, a commercial invoice per shipment.

Forms CN 22 and CN 23 are those of the Universal Postal Union's Convention Regulations; the words stand in English and
French, as they ask.
"""

from fulfillment.core.pdf import render_pdf

VERSIONS = {"CN22": "cn22-1", "CN23": "cn23-1"}
INVOICE_VERSION = "commercial-invoice-1"


def render_declaration(snapshot):
    """A CN22 or CN23 as PDF.

    Args:
        snapshot: ``{"form", "code", "sender": [line], "sender_country", "recipient": [line], "country", "lines":
            [{"description", "quantity", "grams", "value", "hs_code", "origin"}], "currency", "total_value",
            "total_grams", "invoice_number", "vat_number", "eori_number", "signer", "date", "export_reason"}``.
    """
    return render_pdf(
        f"documents/{snapshot['form'].lower()}.html",
        snapshot,
        stylesheet="documents/customs.css",
        language="en",
    )


def render_invoice(snapshot):
    """The commercial invoice as PDF; the snapshot as for a declaration, with ``incoterm`` and the numbers of the buyer."""
    return render_pdf(
        "documents/commercial_invoice.html", snapshot, stylesheet="documents/paper.css", language="en"
    )
