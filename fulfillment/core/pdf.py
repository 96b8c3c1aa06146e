"""PDF out of a template. What WeasyPrint builds anew for every document by default is built once here.

The fetcher answers for data addresses only: no document can reach the network or a file.
"""

import base64
import functools
import importlib
import io
import threading

import pypdf
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

TEMPLATES = settings.BASE_DIR / "templates"

_one_at_a_time = threading.Lock()  # the font configuration is shared and not safe between threads


class TooManyPages(Exception):
    """The content does not fit on the pages there are."""


class _Press:
    """WeasyPrint with the objects that documents share."""

    def __init__(self):
        self.weasyprint = importlib.import_module("weasyprint")
        self.fonts = importlib.import_module("weasyprint.text.fonts").FontConfiguration()
        self.fetcher = importlib.import_module("weasyprint.urls").URLFetcher(allowed_protocols={"data"})
        self.stylesheets = {}

    def stylesheet(self, name):
        if name not in self.stylesheets:
            text = (TEMPLATES / name).read_text()
            self.stylesheets[name] = self.weasyprint.CSS(
                string=text, font_config=self.fonts, url_fetcher=self.fetcher
            )
        return self.stylesheets[name]

    def render(self, html, stylesheet):
        return self.weasyprint.HTML(string=html, url_fetcher=self.fetcher).render(
            stylesheets=[self.stylesheet(stylesheet)], font_config=self.fonts
        )


@functools.cache
def _press():
    # With the first document: loading WeasyPrint takes a second, and most processes never need it.
    return _Press()


def render_pdf(template, context, *, stylesheet, language, max_pages=None):
    """Render a template to PDF bytes. The same input gives the same bytes.

    Args:
        template: name of the HTML template.
        stylesheet: name of a CSS file beside it, without any other address in it.
        language: code of the language the document is written in, for example ``de``.
    Raises:
        TooManyPages: it takes more than ``max_pages``.
    """
    with translation.override(language):
        html = render_to_string(template, context)
    with _one_at_a_time:
        document = _press().render(html, stylesheet)
        if max_pages is not None and len(document.pages) > max_pages:
            raise TooManyPages(f"{template} takes {len(document.pages)} pages.")
        return document.write_pdf()


def png_address(data):
    """The address by which a template shows the bytes of a PNG; empty when there is none."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}" if data else ""


def join_pdfs(files):
    """One PDF with the pages of several, as bytes; a single one stays as it is, byte by byte."""
    if len(files) == 1:
        return files[0]
    joined = pypdf.PdfWriter()
    for data in files:
        joined.append(io.BytesIO(data))
    target = io.BytesIO()
    joined.write(target)
    return target.getvalue()
