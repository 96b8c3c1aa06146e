import dataclasses

import pytest

from shipping import label_codes, labels, zpl
from shipping.carriers import Contact, Doc
from tests.carrierstub import PARCEL


def text_of(data):
    return data.decode("ascii")


def test_label_has_its_codes_and_address():
    data = labels.render_zpl(PARCEL, "DEMO123456789012")

    assert text_of(data).startswith("^XA^CI28\n^PW812^LL1218")
    assert text_of(data).endswith("^XZ")
    assert label_codes.read_codes(Doc("label", "ZPL", data)) == ["DEMO123456789012", "P0123456789A"]
    assert "Unter den Linden 77" in text_of(data)


def test_sscc_is_a_gs1_code():
    data = labels.render_zpl(dataclasses.replace(PARCEL, code="106141411234567897", is_sscc=True), "N1")

    assert "^BY4,3,260^FO54,840^BCN,260,N,N,N,D^FD(00)106141411234567897^FS" in text_of(data)


def test_return_label_carries_the_return_number_and_goes_back():
    data = labels.render_zpl(PARCEL, "DEMR123456789012", is_return=True)

    assert label_codes.read_codes(Doc("return_label", "ZPL", data)) == ["DEMR123456789012"]
    assert text_of(data).index("Anna Vries") < text_of(data).index("^FDShop GmbH")


@pytest.mark.parametrize(
    "name", ["^XZ^XA^FDevil^FS", "~JA", "a_5Eb", "new\nline\x00\x1b", "Zoë ^FS", "<b>", "^FX comment"]
)
def test_printer_commands_in_a_name_are_text(name):
    data = labels.render_zpl(
        dataclasses.replace(PARCEL, recipient=dataclasses.replace(PARCEL.recipient, name=name)), "N1"
    )

    text = text_of(data)
    assert text.count("^XA") == text.count("^XZ") == 1
    assert "~" not in text
    assert "evil^FS" not in text.replace("evil_5EFS", "")


def test_long_address_is_printed_whole_or_refused():
    long = Contact("W" * 50, "S" * 50, "1", "10117", "C" * 40, "DE", company="K" * 50, addition="A" * 50)
    data = labels.render_zpl(dataclasses.replace(PARCEL, recipient=long), "N1")

    plain = text_of(data).replace("^FS", "").replace("\n", "")
    assert plain.count("W") >= 50
    with pytest.raises(labels.DoesNotFit):
        labels.render_zpl(
            dataclasses.replace(PARCEL, recipient=dataclasses.replace(long, name="W " * 700)), "N1"
        )


def test_codes_of_a_label_printer_label_are_read_without_their_controls():
    data = b"^XA^BY3^FO1,1^BCN,100,N,N,N^FD>:00340001^FS^FO1,1^BQN,2,5^FDQA,HTTPS://X^FS^FH\\^FDno code^FS^XZ"

    assert zpl.barcodes(data) == ["00340001", "HTTPS://X"]
