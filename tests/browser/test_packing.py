"""The pack station under a fast scanner and a slow network: every scan is booked or told, none vanishes."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.phone import PASSWORD
from tests.factories.core import ArticleFactory, staff
from tests.factories.packing import started_pack_job
from tests.factories.picking import ean

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCANS = "**/scan/"


@pytest.fixture
def job(phone, facility, packer):
    """In progress and on the screen: three of the first article, one of the second."""
    articles = [ArticleFactory(title=title, code=ean()) for title in ("Stoneware mug", "Linen tea towel")]
    job = started_pack_job(packer, 3, 1, facility=facility, articles=articles)
    phone.sign_in(packer)
    phone.open("packing:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")
    return job


@pytest.fixture
def code(job):
    return code_of(job.lines.all()[0])


def code_of(line):
    return line.article.codes.get().code


def packed(job):
    return [line.packed for line in job.lines.with_packed()]


def expect_packed(phone, units):
    expect(phone.page.locator("#work .progress")).to_have_text(re.compile(rf"^{units} \w+ 4$"))


def slowly(route):
    route.request.frame.page.wait_for_timeout(300)
    route.continue_()


def test_scans_faster_than_the_server_are_all_booked(phone, job, code):
    phone.page.route(SCANS, slowly)

    for scanned in (code, code, code_of(job.lines.all()[1])):
        phone.scan(scanned)

    expect_packed(phone, 3)
    assert packed(job) == [2, 1]


def test_scan_that_is_typed_while_the_page_changes_is_whole(phone, job, code):
    phone.page.route(SCANS, slowly)
    phone.scan(code)
    phone.page.keyboard.type(code[:6], delay=1)
    expect_packed(phone, 1)

    phone.page.keyboard.type(code[6:], delay=1)
    phone.page.keyboard.press("Enter")

    expect_packed(phone, 2)
    assert packed(job) == [2, 0]


def test_scanner_works_when_the_field_has_lost_the_focus(phone, job, code):
    phone.page.locator("[data-scan]").blur()

    phone.scan(code)

    expect_packed(phone, 1)
    expect(phone.page.locator("[data-scan]")).to_be_focused()


def test_refused_scan_is_told_and_the_field_is_ready_again(phone, job, code):
    phone.scan("4006381333931")

    expect(phone.page.locator("#refusal")).to_have_text("No article has the code 4006381333931.")
    expect(phone.page.locator("[data-scan]")).to_be_focused()
    phone.inspect()
    phone.scan(code)
    expect_packed(phone, 1)


def test_scan_without_an_answer_is_told(phone, job, code):
    phone.page.route(SCANS, lambda route: route.abort("connectionreset"))

    phone.scan(code)

    expect(phone.page.locator("#refusal")).to_contain_text("No answer. Compare the box with the list")
    expect(phone.page.locator("[data-scan]")).to_be_focused()
    phone.page.unroute(SCANS)
    phone.scan(code)
    expect_packed(phone, 1)
    assert packed(job) == [1, 0]


def test_colleague_takes_over_after_a_question(phone, job, facility):
    bea = staff("packer", facility, email="bea@example.com", password=PASSWORD)
    phone.page.context.clear_cookies()
    phone.sign_in(bea)
    phone.open("packing:job-detail", "here", job.pk)
    phone.inspect()

    phone.press_primary()
    expect(phone.page.locator("dialog")).to_contain_text("Take it over?")
    phone.page.locator("dialog .btn-danger").click()

    expect(phone.page.locator("[data-scan]")).to_be_focused()
    job.refresh_from_db()
    assert job.editor == bea
