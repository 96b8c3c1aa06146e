"""A packer at the door with a scanner: parcels onto the van, the driver signs on the phone."""

import re

import pytest
from playwright.sync_api import expect

from fulfillment.core.models import PrintJob
from shipping.models import HandoverJob, Load, LoadedParcel
from tests.browser.phone import PASSWORD
from tests.factories.core import staff
from tests.factories.shipping import labelled, shipment, work

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def open_load(phone, facility):
    phone.sign_in(staff("supervisor", facility, password=PASSWORD))
    phone.open("shipping:handover-list", "here")
    phone.page.get_by_role("button", name="Load Demo").click()
    phone.page.wait_for_url(re.compile("/handover/loads/[0-9a-f-]{36}/$"))  # the list has a scan field, too
    expect(phone.page.locator("[data-scan]")).to_be_focused()


def test_what_was_loaded_before_is_not_said_beside_a_refusal(phone, facility):
    parcel = labelled(facility=facility)
    phone.sign_in(staff("supervisor", facility, password=PASSWORD))
    phone.open("shipping:handover-list", "here")
    phone.page.locator("[data-scan], input[name=code]").first.focus()
    phone.scan(parcel.code)
    phone.page.wait_for_url(re.compile("/handover/loads/[0-9a-f-]{36}/$"))
    expect(phone.page.locator("#content > .notice-good")).to_contain_text("is loaded.")
    expect(phone.page.locator("[data-scan]")).to_be_focused()

    phone.scan("P9999")

    phone.expect_feedback("unknown")
    expect(phone.page.locator("#content > .notice-good")).to_have_count(0)


def test_parcels_are_scanned_out_and_the_driver_signs(phone, facility):
    first, second, third = (
        labelled(2, facility=facility, number=number) for number in ("1001", "1002", "1003")
    )
    open_load(phone, facility)
    phone.inspect()

    phone.scan(first.code)
    phone.scan(second.tracking_number)
    expect(phone.page.locator(".huge")).to_have_text("2 parcels")
    phone.expect_feedback("ok")
    expect(phone.page.locator("#left-behind")).to_contain_text("1")
    phone.scan(first.code)
    phone.expect_feedback("too_many")
    phone.scan("P9999")
    phone.expect_feedback("unknown")
    phone.look("load")
    phone.inspect()
    assert LoadedParcel.objects.count() == 2

    phone.press_primary()
    expect(phone.page.locator("main .notice-warn")).to_contain_text("stays here")
    phone.page.get_by_label("Name of the driver").fill("Jan Jansen")
    phone.page.get_by_label("Parcels that the driver counted").fill("3")
    pad = phone.page.locator("canvas")
    pad.evaluate("pad => pad.scrollIntoView({block: 'center'})")  # not behind the bar
    box = pad.bounding_box()
    phone.page.mouse.move(box["x"] + 20, box["y"] + 60)
    phone.page.mouse.down()
    phone.page.mouse.move(box["x"] + 120, box["y"] + 20, steps=4)
    phone.page.mouse.move(box["x"] + 200, box["y"] + 80, steps=4)
    phone.page.mouse.up()
    expect(phone.page.locator("[data-signature]")).to_have_value(re.compile(r"signature\.png$"))
    phone.look("load-sign")
    phone.inspect()
    phone.press_primary()
    # Counted wrong: name and signature are still there.
    expect(phone.page.locator("main")).to_contain_text("Counted by the driver: 3, scanned: 2.")
    expect(phone.page.get_by_label("Name of the driver")).to_have_value("Jan Jansen")
    expect(phone.page.locator("[data-signature]")).to_have_value(re.compile(r"signature\.png$"))
    phone.look("load-sign-again")
    phone.inspect()
    phone.page.get_by_label("Parcels that the driver counted").fill("2")
    phone.press_primary()

    expect(phone.page.locator("main .notice-good")).to_contain_text(
        "2 parcels are handed over to Demo carrier."
    )
    work()
    expect(phone.page.get_by_role("link", name="Print the list")).to_be_visible()
    phone.look("load-closed")
    phone.inspect()
    load = Load.objects.get()
    assert (load.status, bool(load.signature_sha256)) == ("CLOSED", True)
    assert HandoverJob.objects.get(parcel=third).status == "OPEN"
    assert HandoverJob.objects.get(parcel=first).status == "HANDED_OVER"


def test_scans_without_a_connection_are_kept_and_loaded_once(phone, facility):
    parcels = [labelled(1, facility=facility, number=number) for number in ("1001", "1002")]
    open_load(phone, facility)

    phone.page.context.set_offline(True)
    for one in parcels:
        phone.scan(one.code)
    phone.expect_connection("waiting")
    phone.page.context.set_offline(False)

    expect(phone.page.locator(".huge")).to_have_text("2 parcels")
    expect(phone.page.locator("#connection [data-kind]")).to_have_count(0)
    assert LoadedParcel.objects.count() == 2


def test_order_of_two_boxes_is_printed_and_loaded(phone, facility):
    """From the finished packing to the van, as the packer walks."""
    sent = shipment(2, 1, facility=facility, packages=2)
    phone.sign_in(staff("supervisor", facility, password=PASSWORD))
    phone.open("shipping:pack-done", "here", sent.pick_job.pack_job.pk)
    expect(phone.page.locator("#labels .notice-info")).to_be_visible()
    work()
    print_all = phone.page.locator("#next-step [data-print-form] button")
    expect(print_all).to_contain_text("Print all", timeout=15_000)
    phone.inspect()
    with phone.page.expect_response(lambda answer: "/documents/" in answer.url) as printed:
        print_all.click()
    assert printed.value.headers["content-type"] == "application/pdf"

    phone.open("shipping:handover-list", "here")
    phone.page.locator("input[name=code]").focus()
    for number, parcel in enumerate(sent.parcels.order_by("package__number"), start=1):
        phone.scan(parcel.code)
        expect(phone.page.locator("#work .huge")).to_contain_text(f"{number} parcel")
    phone.press_primary()
    phone.page.get_by_label("Name of the driver").fill("Jan Jansen")
    phone.page.get_by_label("Parcels that the driver counted").fill("2")
    phone.page.get_by_label("on paper").check()
    phone.press_primary()

    expect(phone.page.locator("main .notice-good")).to_contain_text("2 parcels are handed over")
    sent.refresh_from_db()
    assert sent.status == "COMPLETED"
    # Two labels, two return labels, two packing slips, a delivery note and a return slip.
    assert PrintJob.objects.count() == 8
