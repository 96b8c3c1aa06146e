"""One order through the store, in the hands of a picker and a packer."""

import re

import pytest
from playwright.sync_api import expect

from picking.models import PickJob
from routing import services as routing
from shipping.models import HandoverJob, LoadedParcel, Parcel
from tests.browser.phone import Phone
from tests.factories.picking import code_of, route

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


IN_GERMAN = pytest.mark.browser_context_args(locale="de-DE")


@pytest.mark.parametrize("language", ["en", pytest.param("de", marks=IN_GERMAN)])
def test_order_is_picked_packed_and_loaded(new_context, live_server, worker, order, picker, packer, language):
    phone = Phone(new_context().new_page(), live_server.url)
    routing.route_order(order.pk, by=None, now=order.created_at)
    job = PickJob.objects.get(order=order)

    pick(phone, job, picker)
    pack(Phone(new_context().new_page(), live_server.url), job, packer)

    job.refresh_from_db()
    assert job.status == "CLOSED"
    assert LoadedParcel.objects.get().parcel == HandoverJob.objects.get().parcel
    assert [stock.value for line in job.lines.all() for stock in line.listing.stocks.all()] == [7, 8]


def pick(phone, job, picker):
    first, second = job.lines.all()
    phone.open("login")
    phone.inspect()
    phone.sign_in(picker)
    phone.inspect()
    phone.open("picking:job-list", "here")
    phone.inspect()
    phone.press_primary()
    expect(phone.page.locator("#card .huge")).to_contain_text(first.allocations.get().stock.location.name)
    phone.inspect()

    phone.scan(code_of(second))
    phone.expect_feedback("ok" if second.quantity > 1 else "line_done")
    phone.expect_progress("1/3")
    phone.page.keyboard.press("F2")
    phone.expect_feedback("ok")
    phone.expect_progress("0/3")
    phone.scan("4006381333931")
    phone.expect_feedback("wrong_article")
    phone.inspect()
    for scanned in (1, 2):
        phone.scan(code_of(first))
        phone.expect_progress(f"{scanned}/3")
    phone.expect_feedback("line_done")
    phone.inspect()
    phone.scan(code_of(second))
    phone.expect_feedback("job_done")
    phone.inspect()
    phone.press_primary()
    phone.page.wait_for_url("**/pick/")
    phone.inspect()


def pack(phone, job, packer):
    phone.sign_in(packer)
    phone.inspect()
    phone.open("packing:job-list", "here")
    phone.inspect()
    phone.press_primary()
    phone.page.wait_for_url("**/pack/*/")
    phone.inspect()
    scanned = 0
    for line in job.lines.all():
        for _unit in range(line.quantity):
            phone.scan(code_of(line))
            scanned += 1
            expect(phone.page.locator("#work .progress")).to_have_text(re.compile(rf"^{scanned} \w+ 3$"))
    phone.inspect()
    phone.page.locator("input[name=grams]").fill("1000")
    phone.press_primary()
    phone.page.wait_for_load_state("load")
    phone.inspect()
    phone.press_primary()
    phone.page.wait_for_url("**/packed/**")
    expect(phone.page.locator("#labels [data-print-form]").first).to_be_visible(timeout=15_000)
    phone.inspect()

    parcel = Parcel.objects.get()
    phone.open("shipping:handover-list", "here")
    phone.inspect()
    phone.open("shipping:handover-detail", "here", parcel.handover_job.pk)
    phone.inspect()
    phone.open("shipping:handover-list", "here")
    phone.page.locator("input[name=code]").focus()
    phone.scan(parcel.code)
    phone.page.wait_for_url("**/handover/loads/**")
    expect(phone.page.locator("main .notice-good").first).to_contain_text(parcel.tracking_number)
    phone.inspect()


def test_job_is_picked_without_javascript(new_context, live_server, order, picker):
    page = new_context(java_script_enabled=False).new_page()
    phone = Phone(page, live_server.url)
    job = route(order)
    first, second = job.lines.all()
    phone.sign_in(picker)
    phone.open("picking:job-list", "here")
    phone.press_primary()

    for scanned in (1, 2):
        page.locator("input[name=code]").fill(code_of(first))
        page.locator("input[name=code]").press("Enter")
        phone.expect_progress(f"{scanned}/3")
    page.locator("details.more summary").click()
    page.locator("select[name=reason]").select_option("NOT_FOUND")
    page.get_by_role("button", name="Report missing").click()
    phone.expect_progress("3/3")
    phone.press_primary()

    expect(page.locator("main .notice-good")).to_contain_text("goes to packing")
    job.refresh_from_db()
    assert (job.status, job.sub_status) == ("CLOSED", "SHORT_PICKED")
    assert [(line.picked, line.short) for line in job.lines.all()] == [(2, 0), (0, 1)]
    second.refresh_from_db()
    assert second.short_reason == "NOT_FOUND"
