"""Printed codes: what a scanner reads of the sheets is what they say."""

import pypdfium2
import pytest
import zxingcpp
from django.urls import reverse

from fulfillment.core import sheets as core_sheets
from fulfillment.core.services import pairing
from picking import commands, sheets
from tests.factories.core import StorageLocationFactory, staff

pytestmark = [pytest.mark.django_db, pytest.mark.drawn]


def codes(pdf):
    """Every code of every page, as a printer of 203 dots per inch prints them in black and white."""
    found = []
    for page in pypdfium2.PdfDocument(pdf):
        image = page.render(scale=203 / 72).to_pil().convert("L")
        image = image.point(lambda light: 255 if light > 127 else 0)
        found += [(str(code.format), code.text) for code in zxingcpp.read_barcodes(image)]
    return sorted(found)


def code128(*texts):
    return sorted(("Code 128", text) for text in texts)


def test_command_sheet_has_every_command_and_the_reasons_of_the_facility(facility):
    facility.short_reasons = ["DAMAGED"]

    pdf = sheets.command_sheet(facility, "de")

    wanted = [*commands.CODES.values(), commands.REASON_CODES["DAMAGED"], sheets.LAYOUT_CODE]
    assert codes(pdf) == code128(*wanted)
    text = "".join(page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(pdf))
    assert "Fehlt" in text


def test_all_commands_are_on_one_page_and_fourteen_places_on_the_next(facility, client):
    for number in range(15):
        StorageLocationFactory(facility=facility, name=f"A-{number}")
    client.force_login(staff("supervisor", facility))

    commands_pdf = sheets.command_sheet(facility, "en")
    places_pdf = client.get(reverse("picking:location-labels", args=["here"])).content

    assert len(pypdfium2.PdfDocument(commands_pdf)) == 1
    assert len(pypdfium2.PdfDocument(places_pdf)) == 2


def test_location_labels_carry_what_finds_the_place(client, facility):
    named = StorageLocationFactory(facility=facility, name="A-1", scannable_codes=[])
    coded = StorageLocationFactory(facility=facility, name="A-2", scannable_codes=["LOC42"])
    supervisor = staff("supervisor", facility)
    client.force_login(supervisor)

    answer = client.get(reverse("picking:location-labels", args=["here"]))

    assert answer["Content-Type"] == "application/pdf"
    assert codes(answer.content) == code128("A-1", "LOC42")
    assert [core_sheets.code_of(place) for place in (named, coded)] == ["A-1", "LOC42"]


def test_badge_that_is_printed_opens_the_shared_device(client, facility, picker):
    client.force_login(picker)
    answer = client.post(reverse("core:badge-new", args=["here"]))
    device, _secret = pairing.pair(facility, "Handheld", lock_minutes=5, by=None, now=picker.created_at)

    [(_format, code)] = codes(answer.content)

    assert pairing.enter_by_badge(device, code) == picker


def test_scanner_page_shows_what_came_without_javascript(client, facility, picker):
    client.force_login(picker)

    page = client.get(reverse("picking:scanner", args=["here"]), {"code": "]C1LAYOUT\x1d"}).content.decode()

    assert "]C1" in page
    assert "GS" in page
