"""A customer at the counter with a PIN, seen on the clerk's phone."""

import pytest
from playwright.sync_api import expect

from shipping import pickup
from shipping.models import HandoverJob, PickupSettings
from tests.browser.phone import PASSWORD
from tests.factories.core import staff
from tests.factories.shipping import collected, work

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

IS_UNCOVERED = """element => {
    const {left, top, width, height} = element.getBoundingClientRect();
    return document.elementFromPoint(left + width / 2, top + height / 2) === element;
}"""


def test_customer_collects_with_a_pin_and_signs(phone, facility):
    PickupSettings.objects.create(asks_for_id=True, asks_for_signature=True)
    job = collected(2, 1, facility=facility)
    HandoverJob.objects.update(
        is_paid=False, recipient_name="Annabelle van den Berg-Oosterhuis of the Harbour"
    )
    job.refresh_from_db()
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
    header, wrong = (
        phone.page.locator(".top").bounding_box(),
        phone.page.locator("main [role=alert]").bounding_box(),
    )
    assert header["y"] + header["height"] <= wrong["y"]
    assert (
        0 < field.bounding_box()["y"] - wrong["y"] - wrong["height"] < 60
    )  # beside the field, wherever the page begins
    phone.look("wrong-pin")
    field.fill(pin)
    phone.page.get_by_role("button", name="Check").click()
    expect(phone.page.locator("#who + .notice-good")).to_contain_text("This is the customer (PIN).")
    phone.inspect()
    phone.page.get_by_label("I have taken the payment").check()
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


def test_unpaid_goods_are_not_given_before_the_payment_is_confirmed(phone, facility):
    job = collected(2, facility=facility)
    HandoverJob.objects.update(is_paid=False)
    phone.sign_in(staff("supervisor", facility, password=PASSWORD))
    phone.open("shipping:handover-detail", "here", job.pk)
    give = phone.page.get_by_role("button", name="Hand over to the customer")
    give.click()
    job.refresh_from_db()
    assert job.status == HandoverJob.Status.OPEN
    box = phone.page.get_by_label("I have taken the payment")
    assert box.evaluate(IS_UNCOVERED)
    phone.look("unpaid")
    phone.inspect()
    box.focus()
    phone.page.keyboard.press("Space")
    give.press("Enter")

    expect(phone.page.locator("main .notice-good")).to_contain_text("is handed over.")
