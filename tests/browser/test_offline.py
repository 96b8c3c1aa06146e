"""A pick job without a connection: the page loads, the job is picked to the end, and all of it arrives once."""

import pytest
from playwright.sync_api import expect

from fulfillment.core.middleware import DEVICE_COOKIE
from fulfillment.core.services import pairing
from picking import load_units
from picking import services as picking
from picking.commands import CODES, REASON_CODES
from picking.models import ScanEvent
from tests.browser.phone import Phone
from tests.factories.core import staff
from tests.factories.picking import code_of, route
from tests.factories.runs import job_of, run_of, shelf

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CONTROLLED = """() => new Promise((resolve, reject) => {
    if (navigator.serviceWorker.controller) return resolve();
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve());
    setTimeout(() => reject(new Error("No service worker")), 20_000);
})"""


@pytest.fixture
def browser_context_args(browser_context_args):
    return {**browser_context_args, "service_workers": "allow"}


@pytest.fixture
def job(phone, order, picker):
    """In progress, on the screen, and kept on the device."""
    job = picking.start(route(order).pk, by=picker, now=order.created_at)
    phone.sign_in(picker)
    phone.open("picking:job-list", "here")
    phone.page.evaluate(CONTROLLED)
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")
    return job


def go_offline(phone, is_offline=True):
    phone.page.context.set_offline(is_offline)


def test_job_is_picked_to_the_end_without_a_connection(phone, job):
    first, _second = job.lines.all()
    phone.scan(code_of(first))
    phone.expect_sent()
    go_offline(phone)

    phone.page.reload()
    phone.expect_connection("offline")
    phone.expect_progress("1/3")
    phone.inspect()
    phone.scan(code_of(first))
    phone.expect_feedback("line_done")
    phone.scan("4006381333931")
    phone.expect_feedback("wrong_article")
    phone.page.get_by_role("button", name="Missing").click()
    phone.page.locator("select[name=reason]").select_option("DAMAGED")
    phone.page.get_by_role("button", name="Report missing").click()
    phone.expect_progress("3/3")
    phone.page.reload()
    phone.expect_progress("3/3")
    phone.press_primary()
    expect(phone.page.locator("#closing")).to_be_visible()
    expect(phone.page.locator("#connection")).to_contain_text("4 waiting")
    phone.inspect()
    assert not ScanEvent.objects.filter(kind="close").exists()
    go_offline(phone, False)

    expect(phone.page.locator("#fate")).to_contain_text("1 unit will not come.")
    job.refresh_from_db()
    assert job.status == "CLOSED"
    assert [(line.picked, line.short) for line in job.lines.all()] == [(2, 0), (0, 1)]
    assert [event.kind for event in ScanEvent.objects.order_by("received_at")] == [
        "scan",
        "scan",
        "scan",
        "short",
        "close",
    ]


def test_what_was_done_without_a_connection_is_sent_from_the_list_too(phone, job):
    first, _second = job.lines.all()
    go_offline(phone)
    phone.scan(code_of(first))
    phone.expect_feedback("ok")
    phone.expect_connection("waiting")
    phone.open("picking:job-list", "here")

    waiting = phone.page.locator("#waiting")
    expect(waiting).to_contain_text("Waiting to be sent: 1.")
    phone.inspect()
    phone.page.get_by_role("button", name="Search").click()
    expect(waiting).to_be_visible()
    assert phone.page.url.endswith("/f/here/pick/")
    go_offline(phone, False)

    expect(waiting).to_be_hidden()
    assert ScanEvent.objects.filter(kind="scan").count() == 1


def test_server_that_answers_without_a_network_is_no_server_that_is_gone(phone, job):
    """On the computer that the server runs on, or in a network that the browser does not know of."""
    phone.page.add_init_script("Object.defineProperty(navigator, 'onLine', { get: () => false })")
    phone.open("picking:job-detail", "here", job.pk)
    phone.scan(code_of(job.lines.first()))
    phone.expect_sent()
    expect(phone.page.locator("#connection")).to_be_empty()
    phone.open("picking:job-list", "here")
    expect(phone.page.locator("#waiting")).to_be_hidden()

    phone.page.locator(".btn-primary").first.click()

    phone.page.wait_for_url(lambda url: not url.endswith("/f/here/pick/"))


def test_what_is_refused_while_the_list_is_shown_is_told_there(phone, job, picker):
    go_offline(phone)
    phone.scan(code_of(job.lines.first()))
    phone.expect_connection("waiting")
    phone.open("picking:job-list", "here")
    picking.abort(job.pk, by=picker, now=job.created_at)

    go_offline(phone, False)

    tasks = phone.page.locator("#tasks")
    expect(tasks.locator("li")).to_have_count(1)
    expect(tasks).to_contain_text(job.short_id)
    phone.inspect()
    tasks.get_by_role("button", name="Drop").click()
    expect(tasks).to_be_hidden()


def test_job_in_hand_is_gone_on_with_from_the_list_and_its_end_is_told_there(phone, job):
    first, second = job.lines.all()
    phone.scan(code_of(first))
    phone.expect_sent()
    phone.open("picking:job-list", "here")
    go_offline(phone)
    phone.page.reload()
    expect(phone.page.locator("#waiting")).to_contain_text("No connection")

    phone.page.get_by_role("link", name="Continue picking").click()
    phone.expect_progress("1/3")
    phone.scan(code_of(first))
    phone.scan(code_of(second))
    phone.scan(CODES["undo"])
    phone.scan(CODES["short"])
    phone.scan(REASON_CODES["NOT_FOUND"])
    phone.scan(CODES["close"])
    expect(phone.page.get_by_role("link", name="To the list")).to_be_visible()
    phone.inspect()
    phone.scan(CODES["next"])
    phone.page.wait_for_url("**/pick/")
    expect(phone.page.locator("#waiting")).to_contain_text("No connection")
    expect(phone.page.locator("#waiting")).to_contain_text("Waiting to be sent: 5.")
    go_offline(phone, False)

    expect(phone.page.get_by_text(f"{job.short_id} is closed and goes to packing.")).to_be_visible()
    phone.inspect()
    phone.page.get_by_role("link", name="What becomes of the missing units").click()
    expect(phone.page.locator("#fate")).to_contain_text("1 unit will not come.")


def test_list_is_new_as_soon_as_everything_is_sent(phone, job):
    for line in job.lines.all():
        for _unit in range(line.quantity):
            phone.scan(code_of(line))
    phone.expect_sent()
    go_offline(phone)
    phone.scan(CODES["close"])
    expect(phone.page.get_by_role("link", name="To the list")).to_be_visible()
    phone.scan(CODES["next"])
    phone.page.wait_for_url("**/pick/")
    expect(phone.page.locator("#next-job")).to_contain_text("Continue picking")
    phone.page.evaluate("document.getElementById('jobs').setAttribute('hx-trigger', 'refresh')")
    phone.page.evaluate("htmx.process(document.getElementById('jobs'))")  # no clock refreshes it any more

    go_offline(phone, False)

    expect(phone.page.locator("#next-job")).to_have_count(0)
    expect(phone.page.locator("#jobs")).to_contain_text("Nothing to pick")


def test_code_that_only_the_server_knows_is_noted_and_answered_later(phone, job, facility):
    (tote,) = load_units.create(facility, by=None, now=job.created_at)
    go_offline(phone)

    phone.scan(tote.code)

    phone.expect_feedback("pending")
    expect(phone.page.locator("#feedback")).to_contain_text(tote.code)
    phone.inspect()
    go_offline(phone, False)
    phone.expect_feedback("tote")
    tote.refresh_from_db()
    assert tote.job_id == job.pk


def test_undo_works_without_a_connection(phone, job):
    first, _second = job.lines.all()
    phone.scan(code_of(first))
    phone.expect_sent()
    go_offline(phone)
    phone.scan(code_of(first))
    phone.expect_progress("2/3")

    phone.page.keyboard.press("F2")
    phone.page.keyboard.press("F2")

    phone.expect_progress("0/3")
    go_offline(phone, False)
    phone.expect_sent()
    assert [line.picked for line in job.lines.all()] == [0, 0]


def test_scan_that_is_refused_later_comes_back_as_a_task(phone, job, picker):
    first, _second = job.lines.all()
    go_offline(phone)
    phone.scan(code_of(first))
    phone.expect_feedback("ok")
    picking.pause(job.pk, by=picker, now=job.created_at)
    go_offline(phone, False)

    tasks = phone.page.locator("#tasks")

    expect(tasks.locator("li")).to_have_count(1)
    expect(tasks).to_contain_text("Start it before you pick")
    assert [line.picked for line in job.lines.all()] == [0, 0]


def test_other_pages_say_that_there_is_no_connection(phone, job):
    go_offline(phone)

    phone.open("picking:restow-list", "here")

    expect(phone.page.get_by_role("heading", name="No connection")).to_be_visible()
    phone.inspect()


def test_pages_are_kept_for_one_person_alone(phone, job):
    phone.page.context.clear_cookies()
    phone.open("login")
    go_offline(phone)

    phone.open("picking:job-detail", "here", job.pk)

    expect(phone.page.get_by_role("heading", name="No connection")).to_be_visible()


def test_two_phones_never_exceed_a_line(phone, job, picker, browser, browser_context_args, live_server):
    other = Phone(browser.new_context(**browser_context_args).new_page(), live_server.url)
    other.sign_in(picker)
    other.open("picking:job-detail", "here", job.pk)
    other.page.wait_for_load_state("networkidle")
    first, _second = job.lines.all()
    for device in (phone, other):
        go_offline(device)
        device.scan(code_of(first))
        device.scan(code_of(first))
        device.expect_progress("2/3")

    for device in (phone, other):
        go_offline(device, False)
        device.expect_sent()

    assert [line.picked for line in job.lines.all()] == [2, 0]
    expect(other.page.locator("#tasks li")).to_have_count(2)
    other.page.context.close()


def test_run_is_loaded_and_picked_without_a_connection(phone, facility, picker):
    mug = shelf(facility, "Stoneware mug", aisle=1, bay=2)
    run = run_of(*[job_of(facility, (mug, 1)) for _number in range(2)], method="BATCH", by=picker)
    phone.sign_in(picker)
    phone.open("picking:job-list", "here")
    phone.page.evaluate(CONTROLLED)
    phone.open("picking:run-detail", "here", run.pk)
    phone.page.wait_for_load_state("networkidle")
    go_offline(phone)

    phone.page.reload()
    phone.expect_connection("offline")
    code = mug.codes.get().code
    phone.scan(code)
    phone.expect_progress("1/2")
    phone.page.reload()
    phone.scan(code)
    phone.expect_progress("2/2")
    go_offline(phone, is_offline=False)

    phone.expect_sent()
    assert [line.picked for line in run.lines.all()] == [1, 1]


def test_shared_device_locks_without_a_connection_and_the_same_badge_opens_it(
    phone, order, facility, picker, live_server
):
    _device, secret = pairing.pair(facility, "Handheld 1", lock_minutes=1, by=None, now=order.created_at)
    phone.page.context.add_cookies([{"name": DEVICE_COOKIE, "value": secret, "url": live_server.url}])
    job = picking.start(route(order).pk, by=picker, now=order.created_at)
    badge, other = pairing.new_badge(picker), pairing.new_badge(staff("picker", facility))
    phone.open("login")
    phone.page.locator("input[name=badge]").focus()
    phone.scan(badge)
    phone.page.wait_for_url("**/f/here/pick/")
    phone.page.evaluate(CONTROLLED)
    phone.page.clock.install()
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")
    cover = phone.page.get_by_role("dialog", name="Locked")
    code = code_of(job.lines.first())
    go_offline(phone)

    phone.page.clock.fast_forward(62_000)
    expect(cover).to_be_visible()
    phone.inspect()
    phone.scan(code)
    expect(cover).to_contain_text("not the badge")
    phone.page.keyboard.press("Escape")
    phone.page.keyboard.press("Escape")
    expect(cover).to_be_visible()
    phone.page.reload()
    expect(cover).to_be_visible()
    phone.scan(other)
    expect(cover).to_contain_text("not the badge")
    phone.scan(badge)
    expect(cover).to_be_hidden()
    phone.scan(code)
    phone.expect_progress("1/3")
    phone.page.clock.fast_forward(62_000)
    expect(cover).to_be_visible()
    go_offline(phone, is_offline=False)

    phone.page.wait_for_url("**/login/")
    expect(phone.page.locator("input[name=badge]")).to_be_visible()
    assert phone.page.evaluate("localStorage.getItem('locked')") is None
