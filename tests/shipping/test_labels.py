import dataclasses

import pytest

from fulfillment.core.barcodes import new_sscc
from shipping import labels
from shipping.carriers import Contact, ParcelData

pytestmark = pytest.mark.drawn

SENDER = Contact("Shop BV", "Damrak", "1", "1012 LG", "Amsterdam", "NL")
RECIPIENT = Contact("Anna de Vries", "Keizersgracht", "100", "1015 CN", "Amsterdam", "NL")
PARCEL = ParcelData(
    reference="P0123456789A-1",
    code="P0123456789A",
    is_sscc=False,
    carrier_name="Demo",
    sender=SENDER,
    recipient=RECIPIENT,
    weight_g=1200,
    length_mm=200,
    width_mm=150,
    height_mm=50,
    order_number="T-1",
    number=1,
    count=2,
    language="en",
)
LONG = Contact(
    "Maximiliane Wilhelmine Gräfin von Hohenstein-Wm",
    "Donaudampfschifffahrtsgesellschaftskapitänsgasse",
    "100 b-c",
    "1015 CN",
    "Llanfairpwllgwyngyllgogerychwyrndrobwll",
    "AT",
    company="W" * 50,
    addition="Hinterhaus, 3. Stock rechts, bei Frau Müller",
)


def sent_to(recipient, **fields):
    return dataclasses.replace(PARCEL, recipient=recipient, **fields)


@pytest.mark.parametrize("black_and_white", [False, True])
def test_label_is_one_page_of_the_right_size_with_codes_that_scan(read_pdf, black_and_white):
    label = read_pdf(labels.render_label(PARCEL, "DEMO123456789012"))

    assert (label.pages, label.millimetres) == (1, (100, 150))
    assert label.codes(black_and_white=black_and_white) == {
        ("Code 128", "P0123456789A", "]C0"),
        ("QR Code", "DEMO123456789012", "]Q1"),
    }


def test_label_names_sender_recipient_order_and_parcel(read_pdf):
    text = read_pdf(labels.render_label(PARCEL, "DEMO123456789012")).text

    for part in (
        "Shop BV",
        "Anna de Vries",
        "Keizersgracht 100",
        "1015 CN Amsterdam",
        "T-1",
        "1/2",
        "DEMO123456789012",
    ):
        assert part in text


@pytest.mark.parametrize("black_and_white", [False, True])
def test_label_of_a_company_with_a_gs1_prefix_bears_the_sscc(read_pdf, black_and_white):
    code = new_sscc("0614141")

    label = read_pdf(labels.render_label(dataclasses.replace(PARCEL, code=code, is_sscc=True), "N1"))

    assert ("Code 128", f"(00){code}", "]C1") in label.codes(black_and_white=black_and_white)


def test_return_label_goes_back_to_the_sender_under_its_number(read_pdf):
    label = read_pdf(labels.render_label(PARCEL, "DEMR123456789012", is_return=True))

    assert ("Code 128", "DEMR123456789012", "]C0") in label.codes()
    assert label.text.index("Anna de Vries") < label.text.index("Shop BV")
    assert "RETURN" in label.text


@pytest.mark.parametrize("is_return", [False, True])
def test_long_address_is_printed_whole(read_pdf, is_return):
    label = read_pdf(
        labels.render_label(sent_to(LONG, order_number="O" * 255), "DEMO123456789012", is_return=is_return)
    )

    text = "".join(label.text.split())
    for part in (LONG.name, LONG.company, LONG.addition, LONG.street, LONG.house_number, LONG.city):
        assert "".join(part.split()) in text
    assert label.pages == 1
    assert len(label.codes()) == 2


def test_address_that_fits_in_no_size_is_refused():
    with pytest.raises(labels.DoesNotFit):
        labels.render_label(sent_to(dataclasses.replace(RECIPIENT, name="W" * 600)), "N1")


@pytest.mark.parametrize(
    "name",
    ["<b>Anna</b>", '"><script>alert(1)</script>', "^XA^FO0,0^FDx^FS^XZ", "<img src=http://127.0.0.1:9/>"],
)
def test_markup_and_printer_commands_in_a_name_are_text(read_pdf, name):
    label = read_pdf(labels.render_label(sent_to(dataclasses.replace(RECIPIENT, name=name)), "N1"))

    assert "".join(name.split()) in "".join(label.text.split())


@pytest.mark.parametrize(
    "name", ["محمد عبد الله", "דוד לוי", "Anna 😀👩‍👩‍👧", "李小龙", "Zoë\u0301 \u202eevil"]
)
def test_other_scripts_and_emoji_leave_the_codes_readable(read_pdf, name):
    label = read_pdf(labels.render_label(sent_to(dataclasses.replace(RECIPIENT, name=name)), "N1"))

    assert label.pages == 1
    assert len(label.codes()) == 2


def test_same_label_has_the_same_bytes():
    assert labels.render_label(PARCEL, "N1") == labels.render_label(PARCEL, "N1")
