"""Codes of our own that are printed and scanned: parcels, totes, locations, commands.

Only digits and A to X without I and O: keyboard layouts swap Y and Z, and eyes swap I, O with 1, 0.
"""

import dataclasses
import datetime
import secrets

from biip import ParseError
from biip.gs1_messages import GS1Message

ALPHABET = "0123456789ABCDEFGHJKLMNPQRSTUVWX"
RANDOM_CHARACTERS = 10


def check_character(text):
    """The Luhn check character over ``ALPHABET``: finds one wrong character and most swapped neighbours."""
    base, total = len(ALPHABET), 0
    for position, character in enumerate(reversed(text)):
        value = ALPHABET.index(character) * (1 if position % 2 else 2)
        total += value // base + value % base
    return ALPHABET[-total % base]


def new_code(prefix):
    """A new code: ``prefix`` (one per kind of thing), ten random characters, one check character."""
    body = prefix + "".join(secrets.choice(ALPHABET) for _character in range(RANDOM_CHARACTERS))
    return body + check_character(body)


def is_own_code(text, prefix):
    """Whether ``text`` is a code of this kind, as far as its characters tell."""
    return (
        len(text) == len(prefix) + RANDOM_CHARACTERS + 1
        and text.startswith(prefix)
        and set(text) <= set(ALPHABET)
        and check_character(text[:-1]) == text[-1]
    )


@dataclasses.dataclass(frozen=True)
class Scan:
    """What a scanned text says: the code that is stored, and what GS1 tells beside the GTIN."""

    code: str
    lot: str = ""
    serial: str = ""
    expires_on: datetime.date | None = None
    weight_g: int = 0


def read(text):
    """A ``Scan`` of what a scanner sent: without symbology prefix, a GS1 code in its parts.

    ``]C1`` and the like name the symbology; a group separator comes as the control character or as ``|``. GS1
    application identifiers: 01 GTIN, 10 lot, 17 expiry (15 best before when there is no 17), 21 serial number, 310n net
    weight in kg (GS1 General Specifications, section 3).
    """
    text = _without_symbology(text)
    gs1 = text.replace("(01)", "01", 1) if text.startswith("(01)") else text
    try:
        message = GS1Message.parse(gs1)
    except ParseError:
        message = None
    parts = {} if message is None else {one.ai.ai: one for one in reversed(message.element_strings)}
    if "01" in parts:
        expiry = parts.get("17") or parts.get("15")
        return Scan(
            parts["01"].value,
            parts["10"].value if "10" in parts else "",
            parts["21"].value if "21" in parts else "",
            expiry.date if expiry else None,
            next((int((one.decimal or 0) * 1000) for ai, one in parts.items() if ai.startswith("310")), 0),
        )
    # A code whose other parts cannot be read still has its GTIN in front.
    if gs1.startswith("01") and len(gs1) >= 16 and gs1[:16].isdigit():
        return Scan(gs1[2:16])
    return Scan(text)


def of_a_scale(code):
    """(first digits, grams) of a label that a scale in the store printed, else None.

    An EAN-13 that begins with 2, five digits of the article, five of the weight; the retailer's own use of the GS1 range
    for restricted circulation. The article carries the code with zeros as its weight.
    """
    if len(code) == 13 and code.isdigit() and code[0] == "2":
        return code[:7], int(code[7:12])
    return None


def normalise(text):
    """What a scanner sent, as it is stored, see ``read``."""
    return read(text).code


def _without_symbology(text):
    text = text.strip()
    if len(text) > 3 and text[0] == "]":
        text = text[3:]
    return text.replace("|", "\x1d").strip("\x1d")


def parcel_codes(text):
    """What a scan of a label may stand for: the text, our code in capitals, the SSCC alone out of its GS1 code."""
    plain = _without_symbology(text)
    found = [plain, plain.upper()]
    digits = plain.replace("(00)", "00", 1)
    if len(digits) == 20 and digits.isdigit() and digits.startswith("00"):
        found.append(digits[2:])
    return list(dict.fromkeys(found))


def spellings(code):
    """The ways one number is stored: a GTIN-14 with leading zeros is the same number as its EAN-13, UPC or EAN-8."""
    found = [code]
    if code.isdigit() and 8 <= len(code) <= 14:
        short = code.lstrip("0")
        found += [short.zfill(length) for length in (8, 12, 13, 14) if len(short) <= length]
    return list(dict.fromkeys(found))
