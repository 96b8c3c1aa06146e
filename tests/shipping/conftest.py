import pypdfium2
import pytest
import zxingcpp

from tests.factories.core import FacilityFactory, staff


@pytest.fixture(autouse=True)
def documents_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def facility(db):
    return FacilityFactory(slug="here", name="Amsterdam")


@pytest.fixture
def packer(facility):
    return staff("packer", facility)


@pytest.fixture
def read_pdf():
    return read


class Printed:
    """A PDF as a printer of 203 dots per inch and a scanner see it."""

    def __init__(self, pdf):
        document = pypdfium2.PdfDocument(pdf)
        self.pages = len(document)
        self.millimetres = tuple(round(points * 25.4 / 72) for points in document[0].get_size())
        texts = [page.get_textpage().get_text_bounded() for page in document]
        self.text = "\n".join(texts).replace("\r\n", "\n")
        self._image = document[0].render(scale=203 / 72).to_pil().convert("L")

    def codes(self, *, black_and_white=False):
        """{(format, text, symbology)} of what can be scanned."""
        image = self._image
        if black_and_white:
            image = image.point(lambda light: 255 if light > 127 else 0)
        return {
            (str(code.format), code.text, code.symbology_identifier) for code in zxingcpp.read_barcodes(image)
        }


def read(pdf):
    return Printed(pdf)
