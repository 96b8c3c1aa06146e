"""PDF out of a template. What WeasyPrint builds anew for every document by default is built once here.

The fetcher answers for data addresses only: no document can reach the network or a file.
"""

import functools
import threading

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

TEMPLATES = settings.BASE_DIR / "templates"

_fetcher = URLFetcher(allowed_protocols={"data"})
_fonts = FontConfiguration()
_one_at_a_time = threading.Lock()  # the font configuration is shared and not safe between threads


class TooManyPages(Exception):
    """The content does not fit on the pages there are."""


@functools.cache
def _stylesheet(name):
    return CSS(string=(TEMPLATES / name).read_text(), font_config=_fonts, url_fetcher=_fetcher)


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
        document = HTML(string=html, url_fetcher=_fetcher).render(
            stylesheets=[_stylesheet(stylesheet)], font_config=_fonts
        )
        if max_pages is not None and len(document.pages) > max_pages:
            raise TooManyPages(f"{template} takes {len(document.pages)} pages.")
        return document.write_pdf()
