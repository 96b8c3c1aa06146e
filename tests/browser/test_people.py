"""The person at the screen: own settings, the shared device with its badge and its lock, and the test of the scanner."""

import pytest
from playwright.sync_api import expect

from fulfillment.core.models import PairedDevice
from fulfillment.core.services import pairing
from picking.sheets import LAYOUT_CODE
from tests.browser.phone import PASSWORD
from tests.factories.core import staff

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_settings_change_how_the_screens_are(phone, picker):
    phone.sign_in(picker)
    phone.open("core:preferences", "here")
    size = phone.page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)")

    phone.page.locator("select[name=theme]").select_option("dark")
    phone.page.locator("select[name=text_size]").select_option("150")
    phone.page.locator("select[name=language]").select_option("de")
    phone.page.locator("input[name=is_left_handed]").check()
    phone.press_primary()

    expect(phone.page.locator("html")).to_have_attribute("lang", "de")
    assert phone.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 21, 28)"
    assert phone.page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") > 1.4 * size
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_shared_device_lets_a_badge_in_and_locks_when_nobody_uses_it(phone, facility, picker):
    phone.sign_in(staff("supervisor", facility, password=PASSWORD))
    phone.open("core:device-list", "here")
    phone.page.locator("input[name=name]").fill("Handheld 1")
    phone.page.locator("input[name=lock_minutes]").fill("1")
    phone.press_primary()
    expect(phone.page.locator("main")).to_contain_text("Handheld 1")
    phone.inspect()
    assert PairedDevice.objects.get().lock_minutes == 1
    phone.page.locator("details.menu summary").click()
    phone.page.get_by_role("button", name="Sign out").click()
    phone.open("login")
    phone.inspect()

    expect(phone.page.locator("input[name=badge]")).to_be_focused()
    phone.scan(pairing.new_badge(picker))

    phone.page.wait_for_url("**/f/here/pick/")
    expect(phone.page.get_by_role("link", name="Stock")).to_have_count(0)
    phone.page.clock.install()
    phone.page.reload()
    phone.page.wait_for_load_state("load")
    phone.page.clock.fast_forward(62_000)
    phone.page.wait_for_url("**/login/")
    expect(phone.page.locator("input[name=badge]")).to_be_visible()


def test_scanner_page_tells_what_came_and_whether_the_layout_is_right(phone, picker):
    phone.sign_in(picker)
    phone.open("picking:scanner", "here")
    layout = phone.page.locator("[data-fact=layout]")

    phone.scan(f"]C1{LAYOUT_CODE}")
    expect(layout).to_have_text("right")
    expect(phone.page.locator("[data-fact=aim]")).to_have_text("]C1")
    expect(phone.page.locator("[data-fact=suffix]")).to_have_text("Enter")
    expect(phone.page.locator("[data-fact=gap]")).to_contain_text("ms")
    phone.scan(LAYOUT_CODE.replace("YZ", "ZY"))

    expect(layout).to_contain_text("wrong")
    phone.inspect()
