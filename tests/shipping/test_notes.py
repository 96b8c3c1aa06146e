import pytest

from fulfillment.core.barcodes import new_sscc
from shipping import notes

pytestmark = pytest.mark.drawn

SNAPSHOT = {
    "language": "en",
    "order_number": "T-1",
    "order_date": "2 March 2026",
    "sender": ["Shop BV", "NL"],
    "recipient": ["Anna de Vries", "Keizersgracht 100", "1015 CN Amsterdam"],
    "country": "NL",
    "lines": [
        {"sku": "MUG-1", "title": "Mug <b>blue</b>", "quantity": 2, "ordered": 3, "price": "12.50 EUR"}
    ],
    "parcels": ["P0123456789A"],
    "greeting": "",
    "footer": "",
}


def note(**fields):
    return notes.render_delivery_note({**SNAPSHOT, **fields})


def slip(**fields):
    parcel = {"code": "P0123456789A", "is_sscc": False, "number": 1, "count": 2}
    return notes.render_packing_slip({**SNAPSHOT, **parcel, **fields})


def return_slip(**fields):
    more = {
        "return_code": "R0123456789A",
        "return_link": "",
        "return_number": "DEMR1",
        "return_text": "",
        "reasons": ["Too small"],
    }
    return notes.render_return_slip({**SNAPSHOT, **more, **fields})


@pytest.mark.parametrize("black_and_white", [False, True])
def test_delivery_note_lists_the_goods_and_bears_the_order_as_code(read_pdf, black_and_white):
    page = read_pdf(note())

    assert (page.pages, page.millimetres) == (1, (210, 297))
    assert page.codes(black_and_white=black_and_white) == {("QR Code", "T-1", "]Q1")}
    for part in ("Anna de Vries", "MUG-1", "Mug <b>blue</b>"):
        assert part in page.text


def test_delivery_note_has_prices_only_when_the_channel_wants_them(read_pdf):
    assert "12.50" not in read_pdf(note()).text
    assert "12.50 EUR" in read_pdf(note(shows_prices=True)).text


def test_delivery_note_of_many_lines_takes_more_pages(read_pdf):
    lines = [{"sku": f"SKU{n}", "title": "Mug " * 20, "quantity": 1, "ordered": 1} for n in range(120)]

    page = read_pdf(note(lines=lines))

    assert page.pages > 1
    assert "SKU119" in page.text


def test_papers_speak_the_language_of_the_customer(read_pdf):
    assert "Delivery note" in read_pdf(note()).text
    assert "Lieferschein" in read_pdf(note(language="de")).text
    assert "Packschein" in read_pdf(slip(language="de")).text
    assert "Retourenschein" in read_pdf(return_slip(language="de")).text


@pytest.mark.parametrize("black_and_white", [False, True])
def test_packing_slip_bears_the_code_of_its_parcel(read_pdf, black_and_white):
    page = read_pdf(slip())

    assert page.pages == 1
    assert page.codes(black_and_white=black_and_white) == {("Code 128", "P0123456789A", "]C0")}
    for part in ("MUG-1", "1/2", "T-1", "P0123456789A"):
        assert part in page.text


def test_packing_slip_of_a_company_with_a_gs1_prefix_bears_the_sscc(read_pdf):
    code = new_sscc("0614141")

    assert read_pdf(slip(code=code, is_sscc=True)).codes() == {("Code 128", f"(00){code}", "]C1")}


@pytest.mark.parametrize("black_and_white", [False, True])
def test_return_slip_bears_the_code_that_announces_it_and_the_reasons(read_pdf, black_and_white):
    page = read_pdf(return_slip())

    assert page.codes(black_and_white=black_and_white) == {("QR Code", "R0123456789A", "]Q1")}
    for part in ("DEMR1", "Too small", "MUG-1", "Mark what you send back"):
        assert part in page.text


def test_return_slip_opens_the_page_that_announces_it(read_pdf):
    link = "https://fulfillment.example/returns/R0123456789A/"

    page = read_pdf(return_slip(return_link=link))

    assert page.codes(black_and_white=True) == {("QR Code", link, "]Q1")}
    assert link in page.text.replace("\n", "")


def test_words_of_the_channel_stand_on_its_papers(read_pdf):
    page = read_pdf(note(greeting="Thank you!\n<b>Really</b>", footer="Shop BV, KvK 1"))

    assert "Thank you!\n<b>Really</b>" in page.text
    assert "KvK 1" in page.text
    assert "Within 30 days" in read_pdf(return_slip(return_text="Within 30 days")).text
