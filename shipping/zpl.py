"""Labels in the language of label printers (ZPL II), 812 x 1218 dots: 4 x 6 inches at 203 dots per inch.

Source of the commands: Zebra, ZPL II Programming Guide. All text of others goes through ``^FH``, byte by byte, so
that no address can print a label of its own.
"""

import re
import string
import textwrap

WIDTH, HEIGHT, MARGIN = 812, 1218, 18
# (height of the letters, letters per line, most lines): 14 points first, smaller before anything is cut off.
SIZES = ((40, 38, 9), (32, 48, 12), (24, 62, 16))
PLAIN = set(string.ascii_letters + string.digits + " .,:;/()+-'&")
BARCODE_FIELD = re.compile(r"\^B(?:[0-9A-FI-SU-XZ]|R)[^^]*(?:\^FH(.)?)?\^FD(.*?)\^FS", re.DOTALL)


class TextTooLong(Exception):
    """The address does not fit in the smallest letters either."""


def field(text):
    """Text of others as the data of a field: everything that could be a command is its byte in hex."""
    encoded = "".join(
        letter if letter in PLAIN else "".join(f"_{byte:02X}" for byte in letter.encode())
        for letter in "".join(letter for letter in text if letter.isprintable())
    )
    return f"^FH_^FD{encoded}^FS"


def label(parcel, number, *, is_return=False):
    """A shipping or return label as ZPL bytes; arguments as for ``labels.render_label``. Raises TextTooLong."""
    sender, recipient = (
        (parcel.recipient, parcel.returns_to) if is_return else (parcel.sender, parcel.recipient)
    )
    above = f"{parcel.carrier_name}{' · RETURN' if is_return else ''}"
    parts = ["^XA^CI28", f"^PW{WIDTH}^LL{HEIGHT}^LH0,0", _line(20, 36, above)]
    from_lines = textwrap.wrap(", ".join([*sender.lines, sender.country]), 70)[:3]
    parts += [_line(70 + 26 * index, 22, line) for index, line in enumerate(from_lines)]
    parts.append(f"^FO{MARGIN},156^GB{WIDTH - 2 * MARGIN},3,3^FS")
    parts += _address(recipient)
    parts.append(f"^FO{MARGIN},600^GB{WIDTH - 2 * MARGIN},3,3^FS")
    facts = [number, parcel.order_number[:40], f"{parcel.number}/{parcel.count}"]
    if not is_return:
        facts.append(f"{parcel.weight_g} g")
    parts += [_line(620 + 34 * index, 28, fact) for index, fact in enumerate(facts)]
    # The QR code keeps the width of the barcode before it unless it has its own.
    parts.append(f"^BY2^FO600,612^BQN,2,5^FH_^FDQA,{_escaped(number)}^FS")
    parts += _barcode(number if is_return else parcel.code, is_gs1=parcel.is_sscc and not is_return)
    parts.append("^XZ")
    return "\n".join(parts).encode()


def _escaped(text):
    return field(text).removeprefix("^FH_^FD").removesuffix("^FS")


def _line(y, height, text):
    return f"^FO{MARGIN},{y}^A0N,{height},{height}{field(text)}"


def _address(contact):
    for height, letters, most in SIZES:
        lines = [
            part
            for line in [*contact.lines, contact.country]
            for part in textwrap.wrap(line, letters, break_long_words=True) or [""]
        ]
        if len(lines) <= most:
            return [_line(172 + index * (height + 6), height, line) for index, line in enumerate(lines)]
    raise TextTooLong(f"The address of {contact.name} is too long.")


def _barcode(code, *, is_gs1):
    modules = 11 * (len(code) + 4) + 13
    dots = max(1, min(4, (WIDTH - 2 * MARGIN) // modules))
    if is_gs1:
        return [f"^BY4,3,260^FO54,840^BCN,260,N,N,N,D^FD(00){code}^FS", _line(1120, 32, f"(00) {code}")]
    return [f"^BY{dots},3,260^FO54,840^BCN,260,N,N,N,A{field(code)}", _line(1120, 32, code)]


def barcodes(data):
    """What the barcodes of a ZPL label say, in their order: a scanner reads these."""
    found = []
    for sign, content in BARCODE_FIELD.findall(data.decode("utf-8", "replace")):
        text = _unescaped(content, sign) if sign else content
        # Control codes of Code 128 (>8 is FNC1) and the switches of a QR code are not part of what is read.
        text = re.sub(r">[0-9:;<=>]", "", text)
        text = re.sub(r"^[HLMQ][AM],", "", text)
        if text and text not in found:
            found.append(text)
    return found


def _unescaped(content, sign):
    parts = re.split(re.escape(sign) + r"([0-9A-Fa-f]{2})", content)
    raw = b"".join(bytes.fromhex(part) if index % 2 else part.encode() for index, part in enumerate(parts))
    return raw.decode("utf-8", "replace")
