"""Scan fields: a scanner neither waits for the page nor takes back what it typed."""

import pytest
from playwright.sync_api import expect

from tests.browser.phone import PASSWORD
from tests.factories.core import staff
from tests.factories.picking import code_of, started_pick_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("address", ["picking:count-start", "picking:load-unit-list", "packing:job-list"])
def test_scan_after_a_wrong_one_is_read_by_itself(phone, facility, address):
    phone.sign_in(staff("supervisor", facility, password=PASSWORD))
    phone.open(address, "here")
    phone.scan("NOTHING-1")
    phone.page.wait_for_load_state("networkidle")
    field = phone.page.locator("input[autofocus]")
    expect(field).to_be_focused()

    phone.page.keyboard.type("NOTHING-2")

    expect(field).to_have_value("NOTHING-2")


def test_scan_into_a_field_that_was_just_hidden_is_read_whole(phone, picker, facility):
    job = started_pick_job(picker, 1, facility=facility)
    phone.sign_in(picker)
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")
    phone.page.evaluate(
        """() => {
            const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
            document.querySelector("#card").hidden = true; // the focus is still in its field
            press("7");
            requestAnimationFrame(() => requestAnimationFrame(() => [..."31958", "Enter"].forEach(press)));
        }"""
    )

    expect(phone.page.locator("#feedback")).to_contain_text("731958")


@pytest.mark.parametrize(
    ("opens", "field"), [("Missing", "select[name=reason]"), ("Units", "[name=quantity]")]
)
def test_scan_into_an_opened_panel_is_a_scan(phone, picker, facility, opens, field):
    job = started_pick_job(picker, 2, facility=facility)
    phone.sign_in(picker)
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")
    phone.page.get_by_role("button", name=opens, exact=True).click()
    expect(phone.page.locator(f"#card {field}").first).to_be_focused()
    before = phone.page.locator(f"#card {field}").first.input_value()

    phone.scan(code_of(job.lines.get()))

    phone.expect_feedback("ok")
    phone.expect_progress("1/2")
    if opens == "Missing":
        assert phone.page.locator(f"#card {field}").first.input_value() == before
