import dataclasses

import pytest

from shipping import label_codes, labels
from shipping.carriers import Doc
from tests.carrierstub import PARCEL

pytestmark = pytest.mark.drawn


def test_codes_are_read_out_of_the_drawn_label():
    pdf = labels.render_label(PARCEL, "DEMO123456789012")

    assert set(label_codes.read_codes(Doc("label", "PDF", pdf))) == {"P0123456789A", "DEMO123456789012"}


def test_sscc_is_read_as_a_scanner_tells_it():
    parcel = dataclasses.replace(PARCEL, code="106141411234567897", is_sscc=True)

    found = label_codes.read_codes(Doc("label", "PDF", labels.render_label(parcel, "N1")))

    assert "(00)106141411234567897" in found


def test_file_that_cannot_be_drawn_has_no_codes():
    assert label_codes.read_codes(Doc("label", "PDF", b"%PDF-1.7 nothing")) == []
