"""A customer at the counter with a PIN, seen on the clerk's phone."""

import pytest
from playwright.sync_api import expect

from shipping import pickup
from shipping.models import HandoverJob, PickupSettings
from tests.browser.phone import PASSWORD
from tests.factories.core import staff
from tests.factories.shipping import collected, work

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_customer_collects_with_a_pin_and_signs(phone, facility):
    PickupSettings.objects.create(asks_for_id=True, asks_for_signature=True)
    job = collected(2, 1, facility=facility)
    pin = pickup.pin_of(job.pickup)
    phone.sign_in(staff("supervisor", facility, password=PASSWORD))
    phone.open("shipping:handover-list", "here")
    phone.page.get_by_role("link", name=job.recipient_name).click()
    expect(phone.page.locator(".action-bar")).to_contain_text("Check who collects first.")
    phone.look("pickup-1")
    phone.inspect()

    field = phone.page.get_by_label("PIN, or scan the QR code")
    field.fill(f"{(int(pin) + 1) % 10**6:06d}")
    phone.page.get_by_role("button", name="Check").click()
    expect(phone.page.locator("main [role=alert]")).to_contain_text("Tries left: 4")
    field.fill(pin)
    phone.page.get_by_role("button", name="Check").click()
    expect(phone.page.locator("#who + .notice-good")).to_contain_text("This is the customer (PIN).")
    phone.inspect()
    phone.page.get_by_label("I have seen the identity card").check()
    pad = phone.page.locator("canvas")
    pad.evaluate("pad => pad.scrollIntoView({block: 'center'})")  # not behind the bar
    box = pad.bounding_box()
    phone.page.mouse.move(box["x"] + 20, box["y"] + 40)
    phone.page.mouse.down()
    phone.page.mouse.move(box["x"] + 150, box["y"] + 60, steps=4)
    phone.page.mouse.up()
    phone.look("pickup-2")
    phone.page.get_by_role("button", name="Hand over to the customer").click()

    expect(phone.page.locator("main .notice-good")).to_contain_text("is handed over.")
    work()
    phone.open("shipping:handover-detail", "here", job.pk)
    expect(phone.page.get_by_role("link", name="Print the receipt")).to_be_visible()
    phone.look("pickup-3")
    assert HandoverJob.objects.get().status == HandoverJob.Status.HANDED_OVER
    assert job.pickup.__class__.objects.get().signature_sha256
