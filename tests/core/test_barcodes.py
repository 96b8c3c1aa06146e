import pypdfium2
import pytest
import zxingcpp
from weasyprint import HTML

from fulfillment.core.barcodes import CODE_128, QR_CODE, code_svg, gs1_check_digit, new_sscc


def scanned(svg):
    page = f"<style>@page {{ size: 100mm 60mm; margin: 4mm }}</style>{svg}"
    image = pypdfium2.PdfDocument(HTML(string=page).write_pdf())[0].render(scale=203 / 72).to_pil()
    [code] = zxingcpp.read_barcodes(image)
    return str(code.format), code.text, code.symbology_identifier


@pytest.mark.parametrize(
    ("body", "digit"), [("10614141123456789", "7"), ("400638133393", "1"), ("00000000000000000", "0")]
)
def test_check_digit_is_that_of_gs1(body, digit):
    assert gs1_check_digit(body) == digit


@pytest.mark.parametrize("prefix", ["0614141", "871234567890"])
def test_sscc_holds_the_company_prefix_and_its_check_digit(prefix):
    code = new_sscc(prefix)

    assert (len(code), code[1 : 1 + len(prefix)]) == (18, prefix)
    assert code[-1] == gs1_check_digit(code[:-1])


def test_sscc_has_a_serial_of_its_own():
    assert new_sscc("0614141") != new_sscc("0614141")


@pytest.mark.parametrize(
    ("content", "symbology", "options", "found"),
    [
        ("(00)106141411234567897", CODE_128, {"gs1": True}, ("Code 128", "(00)106141411234567897", "]C1")),
        ("P0123456789AX", CODE_128, {}, ("Code 128", "P0123456789AX", "]C0")),
        ("Bestellung 7 äöü", QR_CODE, {}, ("QR Code", "Bestellung 7 äöü", "]Q1")),
    ],
)
def test_printed_code_is_read_back(content, symbology, options, found):
    size = (26, 26) if symbology == QR_CODE else (88.1, 32)

    assert scanned(code_svg(content, symbology, *size, **options)) == found


def test_codes_on_one_page_share_no_id():
    assert " id=" not in code_svg("P1", CODE_128, 50, 20)
