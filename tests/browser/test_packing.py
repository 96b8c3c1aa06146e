"""The pack station under a fast scanner and a slow network: every scan is booked or told, none vanishes."""

import re

import pytest
from playwright.sync_api import expect

from fulfillment.core.models import Role
from packing import services as packing
from tests.browser.phone import PASSWORD
from tests.factories.core import ArticleFactory, staff
from tests.factories.packing import box, pack_job, started_pack_job
from tests.factories.picking import ean, started_pick_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 360, "height": 640}
DESK = {"width": 1280, "height": 800}
SCANS = "**/scans/"
SHOW_AGAIN = (
    """() => htmx.ajax("GET", location.pathname, { source: "#work", target: "#work", swap: "outerHTML" })"""
)


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


def test_last_scan_leads_to_the_weight_and_the_weight_to_the_end(phone, job, code):
    for scanned in (code, code, code, code_of(job.lines.all()[1])):
        phone.scan(scanned)
    weight = phone.page.locator("[data-weight]")

    expect(weight).to_be_focused()
    proposed = weight.input_value()
    phone.page.keyboard.type(proposed, delay=20)  # takes the place of what was proposed
    expect(weight).to_have_value(proposed)
    phone.page.keyboard.press("Enter")

    expect(phone.page.get_by_role("button", name="Close and get label")).to_be_focused()


def test_weight_that_is_typed_while_the_page_changes_is_whole(phone, job, code):
    for scanned in (code, code, code, code_of(job.lines.all()[1])):
        phone.scan(scanned)
    weight = phone.page.locator("[data-weight]")
    expect(weight).to_be_focused()
    phone.page.keyboard.type("12", delay=20)

    phone.page.evaluate(SHOW_AGAIN)
    phone.page.keyboard.type("00", delay=20)

    expect(weight).to_be_focused()
    expect(weight).to_have_value("1200")


def test_tap_beside_the_buttons_does_nothing(phone, job):
    phone.page.locator("#lines").click()

    assert phone.troubles == []


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

    phone.scan_beside_the_field(code)

    expect_packed(phone, 1)
    expect(phone.page.locator("[data-scan]")).to_be_focused()


def test_refused_scan_is_told_and_the_field_is_ready_again(phone, job, code):
    phone.scan("4006381333931")

    phone.expect_feedback("unknown")
    expect(phone.page.locator("#feedback")).to_contain_text("No article has the code 4006381333931.")
    expect(phone.page.locator("[data-scan]")).to_be_focused()
    phone.inspect()
    phone.scan(code)
    expect_packed(phone, 1)


def test_scan_whose_answer_is_lost_is_booked_once(phone, job, code):
    def lose(route):
        route.fetch()
        route.abort("connectionreset")

    phone.page.route(SCANS, lose, times=1)

    phone.scan(code)

    phone.expect_connection("waiting")
    expect_packed(phone, 1)
    expect(phone.page.locator("#connection [data-kind]")).to_have_count(0)
    assert packed(job) == [1, 0]


def test_scans_without_a_connection_are_kept_over_a_reload(phone, job, code):
    phone.page.route(SCANS, lambda route: route.abort("connectionreset"))
    phone.scan(code)
    phone.scan(code)
    expect(phone.page.locator("#connection")).to_contain_text("2 waiting")
    phone.page.reload()

    phone.page.unroute(SCANS)

    expect_packed(phone, 2)
    assert packed(job) == [2, 0]


def test_expired_login_is_told_and_the_scan_is_kept(phone, job, packer, code):
    cookies = phone.page.context.cookies()
    phone.page.context.clear_cookies(name="sessionid")

    phone.scan(code)

    phone.expect_connection("login")
    phone.inspect()
    phone.page.context.add_cookies(cookies)
    expect_packed(phone, 1)


def test_scan_that_is_refused_after_the_station_was_left_is_a_task(phone, job):
    phone.page.route(SCANS, lambda route: route.abort("connectionreset"))
    phone.scan("4006381333931")
    phone.expect_connection("waiting")
    phone.open("packing:job-list", "here")

    phone.page.unroute(SCANS)

    tasks = phone.page.locator("#tasks")
    expect(tasks).to_contain_text("No article has the code 4006381333931.")
    phone.inspect()
    tasks.get_by_role("button", name="Drop").click()
    expect(tasks).to_be_hidden()


def test_what_a_picker_scanned_and_no_server_takes_is_a_task_at_the_station_too(phone, job, facility, packer):
    facility.memberships.create(user=packer, role=Role.objects.get(key="picker"))
    picked = started_pick_job(packer, 1, facility=facility)
    phone.page.route(SCANS, lambda route: route.abort("connectionreset"))
    phone.open("picking:job-detail", "here", picked.pk)
    phone.scan("4006381333931")
    phone.expect_connection("waiting")
    phone.open("packing:job-detail", "here", job.pk)

    phone.page.route(SCANS, lambda route: route.fulfill(status=413, body="too large"))

    expect(phone.page.locator("#tasks")).to_contain_text(f"{picked.short_id}: 4006381333931")
    phone.page.reload()
    expect(phone.page.locator("#tasks li")).to_have_count(1)
    phone.inspect()


def test_last_scan_is_undone(phone, job, code):
    phone.scan(code)
    expect_packed(phone, 1)

    phone.page.locator("#undo button").click()

    expect_packed(phone, 0)
    assert packed(job) == [0, 0]


def test_scan_of_a_package_takes_the_next_scans(phone, job, packer, code):
    second = packing.add_package(job.pk, by=packer, now=job.started_at)
    phone.page.reload()

    phone.scan(second.code)
    phone.scan(code)
    phone.scan(job.packages.first().code)
    phone.scan(code)

    expect_packed(phone, 2)
    assert [sum(item.quantity for item in package.items.all()) for package in job.packages.all()] == [1, 1]


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


@pytest.mark.parametrize("screen", [PHONE, DESK], ids=["phone", "desk"])
def test_order_of_two_boxes_is_packed_with_the_scanner_alone(phone, facility, packer, screen):
    facility.pack_scan = "MUST_SCAN_EACH"
    facility.save(update_fields=["pack_scan"])
    box("Large", 600, 400, 400, tare_g=700)
    box("Small", 250, 200, 150, tare_g=100)
    lamp = ArticleFactory(
        title="Floor lamp", code=ean(), length_mm=590, width_mm=390, height_mm=390, weight_g=4000
    )
    mug = ArticleFactory(title="Stoneware mug, sea blue", code=ean(), weight_g=300)
    job = pack_job(1, 2, facility=facility, articles=[lamp, mug], number="WEB-2026-10017")
    phone.page.set_viewport_size(screen)
    phone.sign_in(packer)
    phone.open("packing:job-list", "here")

    # Any article of the order opens its job, wherever the focus is.
    phone.page.locator("[data-scan]").blur()
    phone.scan_beside_the_field(mug.codes.get().code)
    phone.page.wait_for_url("**/pack/*-*/")
    phone.press_primary()
    expect(phone.page.locator("[data-package-number]")).to_have_count(2)
    expect(phone.page.locator(".btn-primary:visible")).to_be_disabled()
    phone.inspect()
    phone.look("two-boxes-proposed")

    phone.page.locator("[data-scan]").focus()
    phone.scan(mug.codes.get().code)
    expect(phone.page.locator("#feedback")).to_contain_text("1 × Stoneware mug, sea blue in package 2.")
    phone.scan(mug.codes.get().code)
    phone.scan(mug.codes.get().code)
    phone.expect_feedback("too_many")
    phone.look("too-many")
    phone.scan(lamp.codes.get().code)
    phone.expect_feedback("job_done")
    expect(phone.page.get_by_label("Weight in grams").first).to_be_focused()
    phone.inspect()

    # One unit more goes into no package, though the field of the weight has the focus.
    phone.scan(mug.codes.get().code)
    phone.expect_feedback("too_many")
    expect(phone.page.get_by_label("Weight in grams").first).to_be_focused()
    expect(phone.page.get_by_label("Weight in grams").first).not_to_have_value(mug.codes.get().code)

    # The scale types into the field that waits for it; a strange weight is asked about.
    phone.page.keyboard.press("Control+A")
    phone.scan("9.500 kg")
    expect(phone.page.get_by_text("It should weigh about 4700 g.")).to_be_visible()
    phone.look("strange-weight")
    phone.inspect()
    phone.page.get_by_label("Weight in grams").first.fill("4.720 kg")
    phone.page.keyboard.press("Enter")
    expect(phone.page.locator(".btn-primary:visible")).to_have_text("Save weight of package 2")
    phone.page.keyboard.press("Control+A")
    phone.scan("ST,GS,+  0.705kg")
    expect(phone.page.locator(".btn-primary:visible")).to_have_text("Close and get label")
    phone.look("ready")

    assert [package.weight_g for package in job.packages.all()] == [4720, 705]
    assert [package.box_type.name for package in job.packages.all()] == ["Large", "Small"]


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_unit_in_two_boxes_is_said_by_scanner_alone(phone, job, code, size):
    phone.page.set_viewport_size(size)
    phone.scan(code)
    expect_packed(phone, 1)
    phone.inspect()
    phone.look("pack-go-on")

    phone.scan("CMD097")

    expect(phone.page.locator("[data-package-number='2']")).to_contain_text("begun in package 1")
    phone.inspect()
    phone.page.locator("[data-package-number='1'] summary").first.click()
    phone.inspect()
    phone.look("pack-went-on")
    phone.scan("CMD01P")
    expect(phone.page.get_by_text("begun in package 1")).to_have_count(0)
    assert packed(job) == [1, 0]


def test_unit_in_two_boxes_is_the_one_that_was_scanned_though_the_server_is_slow(phone, job, code):
    phone.scan(code)
    expect_packed(phone, 1)
    phone.page.route(SCANS, slowly)

    phone.scan(code_of(job.lines.all()[1]))
    phone.scan("CMD097")

    expect(phone.page.locator("[data-package-number='2']")).to_contain_text(
        "1 × Linen tea towel, begun in package 1"
    )


def test_undo_by_command_takes_the_last_scan_back_though_the_server_is_slow(phone, job, code):
    phone.scan(code)
    expect_packed(phone, 1)
    phone.page.route(SCANS, slowly)

    phone.scan(code_of(job.lines.all()[1]))
    phone.scan("CMD01P")

    expect(phone.page.locator("#feedback")).to_contain_text("Taken back: Linen tea towel.")
    assert packed(job) == [1, 0]
