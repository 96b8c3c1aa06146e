"""What happens to a scan when things go wrong around it: booked once, never lost, never doubled."""

import pytest
from playwright.sync_api import expect

from picking import services as picking
from picking.models import ScanEvent
from tests.browser.phone import PASSWORD, Phone
from tests.factories.core import staff
from tests.factories.picking import code_of, pick_job, route

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCANS = "**/scans/"


@pytest.fixture
def job(phone, order, picker):
    """In progress and on the screen."""
    job = picking.start(route(order).pk, by=picker, now=order.created_at)
    phone.sign_in(picker)
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")
    return job


@pytest.fixture
def code(job):
    return code_of(job.lines.all()[0])


def picked(job):
    return list(job.lines.values_list("picked", flat=True))


def test_wrong_article_is_told_and_the_field_is_ready_again(phone, job):
    other = pick_job(1).lines.get()

    phone.scan(code_of(other))

    phone.expect_feedback("wrong_article")
    expected = job.lines.all()[0].title
    expect(phone.page.locator("#feedback")).to_have_text(
        f"✗ This is {other.title}. Pick {expected}. Nothing is booked."
    )
    expect(phone.page.locator("[data-scan]")).to_be_focused()
    phone.inspect()
    assert picked(job) == [0, 0]


def test_one_scan_too_many_is_refused(phone, job, code):
    for progress in ("1/3", "2/3", "2/3"):
        phone.scan(code)
        phone.expect_progress(progress)

    phone.expect_feedback("too_many")
    phone.expect_sent()
    assert picked(job) == [2, 0]


def test_scans_faster_than_the_server_are_all_booked(phone, job, code):
    phone.page.route(SCANS, slowly)

    phone.scan(code)
    phone.scan(code)

    phone.expect_progress("2/3")
    phone.expect_sent()
    assert picked(job) == [2, 0]


def slowly(route):
    route.request.frame.page.wait_for_timeout(300)
    route.continue_()


def test_scanner_works_when_the_field_has_lost_the_focus(phone, job, code):
    phone.page.locator("[data-scan]").blur()

    phone.scan_beside_the_field(code)

    phone.expect_progress("1/3")


def test_text_that_android_inserts_without_keys_is_a_scan(phone, job, code):
    phone.page.locator("[data-scan]").focus()

    phone.page.keyboard.insert_text(code)

    phone.expect_progress("1/3")


def test_answer_that_got_lost_books_once(phone, job, code):
    lost = []

    def lose_first(route):
        if lost:
            return route.continue_()
        lost.append(route.fetch().status)
        return route.abort("connectionreset")

    phone.page.route(SCANS, lose_first)

    phone.scan(code)

    phone.expect_connection("waiting")
    phone.expect_progress("1/3")
    phone.expect_sent()
    assert lost == [200]
    assert picked(job) == [1, 0]
    assert ScanEvent.objects.count() == 1


def test_scan_without_network_is_kept_over_a_reload(phone, job, code):
    # Not offline emulation: that ends with the page, which then sends in its last moment.
    phone.page.context.route(SCANS, lambda route: route.abort("internetdisconnected"))
    phone.scan(code)
    phone.expect_connection("waiting")
    phone.page.goto("about:blank")
    assert picked(job) == [0, 0]

    phone.page.context.unroute(SCANS)
    phone.open("picking:job-detail", "here", job.pk)

    phone.expect_progress("1/3")
    phone.expect_sent()
    assert picked(job) == [1, 0]
    assert ScanEvent.objects.count() == 1


def test_device_that_goes_offline_sends_when_it_is_back(phone, job, code):
    phone.page.context.set_offline(True)
    phone.scan(code)
    phone.expect_connection("waiting")
    phone.scan(code)
    expect(phone.page.locator("#connection")).to_contain_text("2 waiting")
    assert picked(job) == [0, 0]

    phone.page.context.set_offline(False)

    phone.expect_progress("2/3")
    phone.expect_sent()
    assert ScanEvent.objects.count() == 2


PERMANENT = {
    "too large": {"status": 413, "content_type": "text/html", "body": "<h1>Request Entity Too Large</h1>"},
    "forbidden": {"status": 403, "content_type": "text/html", "body": "<h1>Forbidden</h1>"},
    "unreadable": {"status": 400, "json": {"scan": None, "kind": "unknown", "text": "This is not a scan."}},
}


def refuse_first(phone, answer):
    refused = []

    def refuse(route):
        if refused:
            return route.continue_()
        refused.append(route.request.post_data_json["code"])
        return route.fulfill(**answer)

    phone.page.route(SCANS, refuse)
    return refused


@pytest.mark.parametrize("answer", PERMANENT.values(), ids=PERMANENT)
def test_scan_that_is_never_taken_becomes_a_task_and_the_rest_goes_on(phone, job, code, answer):
    refused = refuse_first(phone, answer)
    tasks = phone.page.locator("#tasks")

    phone.scan("4006381333931")
    phone.expect_feedback("rejected")
    expect(tasks).to_contain_text(f"{job.short_id}: 4006381333931")
    phone.inspect()
    phone.scan(code)

    phone.expect_progress("1/3")
    phone.page.reload()
    expect(tasks.locator("li")).to_have_count(1)
    assert refused == ["4006381333931"]
    assert picked(job) == [1, 0]


def test_task_is_sent_again_and_booked_once(phone, job, code):
    refuse_first(phone, PERMANENT["too large"])
    phone.scan(code)
    phone.expect_feedback("rejected")

    phone.page.get_by_role("button", name="Send again").click()

    phone.expect_progress("1/3")
    phone.expect_sent()
    expect(phone.page.locator("#tasks")).to_be_hidden()
    assert picked(job) == [1, 0]
    assert ScanEvent.objects.count() == 1


def test_task_is_dropped_and_nothing_is_booked(phone, job, code):
    refuse_first(phone, PERMANENT["too large"])
    phone.scan(code)
    phone.expect_feedback("rejected")

    phone.page.get_by_role("button", name="Drop").click()

    expect(phone.page.locator("#tasks")).to_be_hidden()
    expect(phone.page.locator("[data-scan]")).to_be_focused()
    phone.page.reload()
    expect(phone.page.locator("#tasks")).to_be_hidden()
    assert not ScanEvent.objects.exists()


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503, "content_type": "text/html", "body": "<h1>Unavailable</h1>"},
        {"status": 429, "content_type": "text/html", "body": "<h1>Too many</h1>"},
        {"status": 200, "content_type": "text/html", "body": "<h1>Welcome to our guest network</h1>"},
    ],
    ids=["down", "busy", "sign-in page of the network"],
)
def test_scan_waits_for_a_server_that_is_not_there_for_now(phone, job, code, answer):
    refuse_first(phone, answer)

    phone.scan(code)

    phone.expect_connection("waiting")
    expect(phone.page.locator("#tasks")).to_be_hidden()
    phone.expect_progress("1/3")
    phone.expect_sent()
    assert picked(job) == [1, 0]


def test_scan_after_the_session_ended_is_kept_until_the_sign_in(phone, job, code, picker):
    phone.page.context.clear_cookies()
    phone.scan(code)
    phone.expect_connection("login")
    phone.inspect()
    assert picked(job) == [0, 0]

    phone.page.locator("#connection a").click()
    phone.fill_sign_in(picker)

    phone.expect_progress("1/3")
    phone.expect_sent()
    assert picked(job) == [1, 0]


KEPT_FOR = """() => new Promise((resolve) => {
    const opening = indexedDB.open("scans");
    opening.onsuccess = () => {
        const asking = opening.result.transaction("jobs").objectStore("jobs").getAll();
        asking.onsuccess = () => { opening.result.close(); resolve(asking.result.map(({ user }) => user)); };
    };
})"""


def test_user_who_follows_finds_no_job_of_the_one_before_whose_scan_waits(phone, job, code, picker):
    phone.scan(code)
    phone.expect_sent()
    assert phone.page.evaluate(KEPT_FOR) == [str(picker.pk)]
    phone.page.context.clear_cookies()
    phone.scan(code)
    phone.expect_connection("login")
    colleague = staff("picker", job.facility, password=PASSWORD)
    phone.sign_in(colleague)
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_function(f"async () => !(await ({KEPT_FOR})()).length")
    assert picked(job) == [1, 0]
    assert ScanEvent.objects.count() == 1

    phone.page.context.clear_cookies()
    phone.sign_in(picker)
    phone.page.wait_for_load_state("networkidle")
    phone.open("picking:job-detail", "here", job.pk)

    phone.expect_progress("2/3")


def test_two_tabs_book_each_scan_once(phone, job, code, live_server):
    other = Phone(phone.page.context.new_page(), live_server.url)
    other.open("picking:job-detail", "here", job.pk)
    other.page.wait_for_load_state("networkidle")

    phone.scan(code)
    phone.expect_progress("1/3")
    other.page.bring_to_front()
    other.scan(code)

    other.expect_progress("2/3")
    other.expect_sent()
    assert picked(job) == [2, 0]


def test_units_are_booked_and_reported_missing_without_a_scanner(phone, job):
    page = phone.page
    page.locator("details.more summary").click()
    phone.inspect()
    page.locator("input[name=quantity]").fill("1")
    page.get_by_role("button", name="Book units").click()
    phone.expect_progress("1/3")
    page.locator("details.more summary").click()
    page.locator("select[name=reason]").select_option("DAMAGED")
    page.get_by_role("button", name="Report missing").click()

    phone.expect_progress("2/3")
    phone.expect_sent()
    phone.inspect()
    assert [(line.picked, line.short) for line in job.lines.all()] == [(1, 1), (0, 0)]


def test_keyboard_alone_reaches_the_undo(phone, job, code):
    phone.scan(code)
    phone.expect_progress("1/3")
    undo = phone.page.get_by_role("button", name="Undo")
    for _step in range(20):
        phone.page.keyboard.press("Tab")
        if undo.evaluate("button => button === document.activeElement"):
            break

    phone.page.wait_for_timeout(100)
    phone.page.keyboard.press("Enter")

    phone.expect_progress("0/3")
    phone.expect_sent()


def test_scan_that_is_typed_while_the_page_changes_is_whole(phone, job, code):
    phone.page.route(f"**/pick/{job.pk}/", slowly)
    phone.scan(code)
    phone.page.keyboard.type(code[:6], delay=1)
    phone.expect_progress("1/3")

    phone.page.keyboard.type(code[6:], delay=1)
    phone.page.keyboard.press("Enter")

    phone.expect_progress("2/3")


def test_answer_is_seen_wherever_the_page_was_scrolled_to(phone, job, code):
    page = phone.page
    page.locator("details.more summary").click()
    page.mouse.wheel(0, 2000)
    page.locator("[data-scan]").evaluate("field => field.focus({preventScroll: true})")

    phone.scan(code)

    phone.expect_progress("1/3")
    expect(page.locator("#feedback")).to_be_in_viewport()


def test_job_is_picked_with_the_keyboard_alone(phone, order, picker):
    first, _second = route(order).lines.all()
    phone.sign_in(picker)
    phone.open("picking:job-list", "here")

    tab_to(phone, phone.page.get_by_role("button", name="Next job"))
    phone.page.keyboard.press("Enter")
    phone.page.wait_for_url(f"**/pick/{first.job_id}/")
    phone.page.wait_for_load_state("networkidle")
    type_by_hand(phone, code_of(first))
    phone.expect_progress("1/3")
    tab_to(phone, phone.page.locator("details.more summary"))
    phone.page.keyboard.press("Enter")
    tab_to(phone, phone.page.get_by_role("button", name="Book units"))
    phone.page.keyboard.press("Enter")
    phone.expect_progress("2/3")
    tab_to(phone, phone.page.locator("details.more summary"))
    phone.page.keyboard.press("Enter")
    tab_to(phone, phone.page.locator("select[name=reason]"))
    phone.page.keyboard.type("Dam")
    tab_to(phone, phone.page.get_by_role("button", name="Report missing"))
    phone.page.keyboard.press("Enter")
    phone.expect_feedback("job_done")
    tab_to(phone, phone.page.get_by_role("button", name="Close job"))
    phone.page.keyboard.press("Enter")

    expect(phone.page.locator("#fate")).to_contain_text("1 unit will not come.")
    first.job.refresh_from_db()
    assert first.job.status == "CLOSED"
    assert [(line.picked, line.short, line.short_reason) for line in first.job.lines.all()] == [
        (2, 0, ""),
        (0, 1, "DAMAGED"),
    ]


def tab_to(phone, control):
    """Press Tab, as a person does who has no mouse, until the control has the focus."""
    expect(control).to_be_visible()
    for _step in range(30):
        if control.evaluate("control => control === document.activeElement"):
            return phone.page.wait_for_timeout(100)
        phone.page.keyboard.press("Tab", delay=80)
    raise AssertionError(f"{control} is not reached with the keyboard.")


def type_by_hand(phone, code):
    phone.page.keyboard.type(code, delay=80)
    phone.page.keyboard.press("Enter")
