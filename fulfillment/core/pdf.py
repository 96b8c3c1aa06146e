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


@functools.cache
def _stylesheet(name):
    return CSS(string=(TEMPLATES / name).read_text(), font_config=_fonts, url_fetcher=_fetcher)


def render_pdf(template, context, *, stylesheet, language):
    """Render a template to PDF bytes.

    Args:
        template: name of the HTML template.
        stylesheet: name of a CSS file beside it, without any other address in it.
        language: code of the language the document is written in, for example ``de``.
    """
    with translation.override(language):
        html = render_to_string(template, context)
    with _one_at_a_time:
        return HTML(string=html, url_fetcher=_fetcher).write_pdf(
            stylesheets=[_stylesheet(stylesheet)], font_config=_fonts
        )
