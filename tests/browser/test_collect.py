"""An order that the customer collects, in the hands of one person at the counter."""

import pytest
from playwright.sync_api import expect

from fulfillment.core.models import Stock
from shipping.models import HandoverJob, Parcel
from tests.browser.phone import PASSWORD
from tests.factories.core import staff
from tests.factories.orders import OrderFactory
from tests.factories.picking import code_of, route

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_collected_order_is_handed_to_the_customer(phone, facility, articles):
    job = route(OrderFactory((articles[0], 2), collect=facility))
    phone.sign_in(staff("supervisor", facility, password=PASSWORD))
    phone.open("picking:job-list", "here")
    phone.press_primary()
    expect(phone.page.locator("[data-scan]")).to_be_focused()
    for scanned in (1, 2):
        phone.scan(code_of(job.lines.get()))
        phone.expect_progress(f"{scanned}/2")
    phone.page.get_by_role("button", name="Close job").click()
    phone.page.wait_for_url("**/pick/")

    phone.open("packing:job-list", "here")
    phone.press_primary()
    phone.page.get_by_role("button", name="Pack everything into package 1").click()
    phone.page.get_by_role("button", name="Finish").click()
    expect(phone.page.locator("#labels")).to_contain_text("Put it where customers collect.")
    phone.inspect()

    phone.open("shipping:handover-list", "here")
    phone.page.get_by_role("link", name="Anna de Vries").click()
    expect(phone.page.locator("main")).not_to_contain_text("Not paid yet")
    phone.inspect()
    phone.page.get_by_role("button", name="Hand over to the customer").click()

    expect(phone.page.locator("main .notice-good")).to_contain_text(job.short_id)
    assert HandoverJob.objects.get().status == HandoverJob.Status.HANDED_OVER
    assert not Parcel.objects.exists()
    assert Stock.objects.get(listing__article=articles[0]).value == 7
