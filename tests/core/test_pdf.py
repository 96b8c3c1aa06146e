import threading

import pypdfium2
import pytest

from fulfillment.core import pdf

pytestmark = pytest.mark.drawn

CSS = "documents/paper.css"


@pytest.fixture
def page(tmp_path, settings):
    """Renders a template with this text."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]

    def render(html, **context):
        (tmp_path / "page.html").write_text("{% load i18n %}" + html)
        return pdf.render_pdf("page.html", context, stylesheet=CSS, language=context.get("language", "en"))

    return render


def text_of(data):
    document = pypdfium2.PdfDocument(data)
    return "".join(sheet.get_textpage().get_text_bounded() for sheet in document)


def pictures_of(data):
    return [
        item
        for sheet in pypdfium2.PdfDocument(data)
        for item in sheet.get_objects()
        if item.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE
    ]


def test_same_input_gives_the_same_bytes(page):
    assert page("<p>Hello</p>") == page("<p>Hello</p>")


def test_values_are_escaped(page):
    assert "<b>Anna</b>" in text_of(page("<p>{{ name }}</p>", name="<b>Anna</b>"))


def test_language_is_that_of_the_document(page):
    assert "Bestellung" in text_of(page('<p>{% translate "Order" %}</p>', language="de"))


def test_neither_files_nor_the_network_are_read(page, tmp_path):
    (tmp_path / "secret.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"><text>secret</text></svg>')

    data = page(
        f'<img src="file://{tmp_path}/secret.svg"><img src="http://127.0.0.1:9/x.png">'
        f'<link rel="attachment" href="file://{tmp_path}/secret.svg"><p>rest</p>'
    )

    assert "rest" in text_of(data)
    assert "secret" not in text_of(data)
    assert pictures_of(data) == []
    assert b"EmbeddedFile" not in data


def test_more_pages_than_allowed_are_refused(page):
    page("<p>one</p>")

    with pytest.raises(pdf.TooManyPages):
        pdf.render_pdf("page.html", {}, stylesheet=CSS, language="en", max_pages=0)


def test_threads_get_their_own_documents(page):
    page("<p>{{ name }}</p>")
    found = {}

    def render(name):
        data = pdf.render_pdf("page.html", {"name": name}, stylesheet=CSS, language="en")
        found[name] = text_of(data).strip()

    threads = [threading.Thread(target=render, args=[f"Number {n}"]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {name: text.split("\n")[0].strip() for name, text in found.items()} == {
        f"Number {n}": f"Number {n}" for n in range(4)
    }
