import datetime

import pytest

from fulfillment.core.codes import (
    ALPHABET,
    check_character,
    is_own_code,
    new_code,
    normalise,
    parcel_codes,
    read,
    spellings,
)


def test_new_code_is_recognised_and_has_no_letter_that_keyboards_or_eyes_swap():
    code = new_code("P")

    assert is_own_code(code, "P")
    assert not set(code) & set("IOYZ")


def test_one_wrong_character_is_noticed():
    code = new_code("P")

    for place in range(1, len(code)):
        other = ALPHABET[(ALPHABET.index(code[place]) + 1) % len(ALPHABET)]
        assert not is_own_code(code[:place] + other + code[place + 1 :], "P")


def test_check_character_completes_a_code():
    assert is_own_code("P0123456789" + check_character("P0123456789"), "P")


@pytest.mark.parametrize(
    ("scanned", "code"),
    [
        ("4006381333931", "4006381333931"),
        (" ]E04006381333931\r", "4006381333931"),
        ("]C10104006381333931", "04006381333931"),
        ("(01)04006381333931", "04006381333931"),
        ("]d201040063813339311726123110ABC", "04006381333931"),
        ("]d2010400638133393110ABC|21XYZ", "04006381333931"),
        ("SHOP-7", "SHOP-7"),
    ],
)
def test_normalise_finds_the_number_in_what_a_scanner_sends(scanned, code):
    assert normalise(scanned) == code


def test_spellings_cover_the_lengths_of_one_gtin():
    assert "4006381333931" in spellings("04006381333931")
    assert spellings("SHOP-7") == ["SHOP-7"]


@pytest.mark.parametrize(
    ("scanned", "code"),
    [
        ("]C100106141411234567897", "106141411234567897"),
        ("(00)106141411234567897", "106141411234567897"),
        ("106141411234567897", "106141411234567897"),
        (" p0123456789a ", "P0123456789A"),
        ("]C000340434161094042557", "00340434161094042557"),
    ],
)
def test_parcel_codes_hold_what_stands_on_the_label(scanned, code):
    assert code in parcel_codes(scanned)


@pytest.mark.parametrize(
    ("scanned", "lot", "serial", "expires_on"),
    [
        ("]C1010400638133393117271231|10LOT7", "LOT7", "", datetime.date(2027, 12, 31)),
        ("010400638133393110LOT7\x1d21A-1", "LOT7", "A-1", None),
        ("010400638133393115270600", "", "", datetime.date(2027, 6, 30)),
        ("4006381333931", "", "", None),
        ("0104006381333931999999", "", "", None),
    ],
    ids=["lot and expiry", "lot and serial", "best before, end of the month", "no GS1", "unreadable rest"],
)
def test_gs1_code_tells_lot_serial_and_expiry(scanned, lot, serial, expires_on):
    scan = read(scanned)

    assert (scan.lot, scan.serial, scan.expires_on) == (lot, serial, expires_on)
    assert scan.code.endswith("4006381333931")
