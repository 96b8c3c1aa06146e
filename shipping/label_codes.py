"""What a scanner reads off a label: on the labels of carriers this differs from the tracking number."""

import logging

import pypdfium2
import zxingcpp

from . import zpl

logger = logging.getLogger(__name__)

SCALES = (203 / 72, 300 / 72)  # of a label printer, then finer
MOST_PAGES, MOST_CODES, LONGEST = 3, 20, 200


def read_codes(doc):
    """The texts of the codes on a label (``carriers.Doc``), each once. Raises nothing: a label without is no fault."""
    if doc.format == "ZPL":
        return _usable(zpl.barcodes(doc.data))
    try:
        return _usable(_read_pdf(doc.data))
    except pypdfium2.PdfiumError:
        logger.warning("A label cannot be drawn, so its codes are not known.", exc_info=True)
        return []


def _read_pdf(data):
    pdf = pypdfium2.PdfDocument(data)
    try:
        for scale in SCALES:
            found = [
                code.text
                for index in range(min(len(pdf), MOST_PAGES))
                for code in zxingcpp.read_barcodes(pdf[index].render(scale=scale).to_pil().convert("L"))
            ]
            if found:
                return found
    finally:
        pdf.close()
    return []


def _usable(texts):
    return [text for text in dict.fromkeys(texts) if text and len(text) <= LONGEST][:MOST_CODES]
