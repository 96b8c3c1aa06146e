"""Labels of load units, as PDF: one to a page, for a roll of 100 x 50 mm."""

from django.utils.safestring import mark_safe

from fulfillment.core.barcodes import CODE_128, QR_CODE, code_svg
from fulfillment.core.pdf import render_pdf

CODE_MM = (70.2, 20)  # 187 modules of 3 dots at 203 dpi
SQUARE_MM = 22


def load_unit_labels(units, *, language):
    """The labels of load units as PDF bytes, a page each; the same units give the same bytes."""
    labels = [
        {
            "unit": unit,
            "code": mark_safe(code_svg(unit.code, CODE_128, *CODE_MM)),
            "square": mark_safe(code_svg(unit.code, QR_CODE, SQUARE_MM, SQUARE_MM)),
        }
        for unit in units
    ]
    return render_pdf(
        "documents/load_unit_label.html",
        {"labels": labels},
        stylesheet="documents/load_unit_label.css",
        language=language,
    )
