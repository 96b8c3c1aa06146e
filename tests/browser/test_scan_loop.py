"""The whole loop of a scan screen with a scanner in the hand: what each code does, and that no touch is needed."""

import uuid

import pytest
from PIL import Image
from playwright.sync_api import expect

from fulfillment.core.models import ArticleCode, Stock
from picking import queries
from picking import services as picking
from picking.commands import CODES, REASON_CODES
from picking.models import LinePhoto, PickJob, ScanEvent
from tests.browser.phone import Phone
from tests.factories.picking import code_of, pick_job, started_pick_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def signed_in(phone, picker):
    phone.sign_in(picker)
    return phone


def show(phone, job):
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")


def figures(job):
    return [(line.picked, line.short, line.short_reason) for line in job.lines.all()]


def left_on_shelves(job):
    return [
        sum(Stock.objects.filter(listing=line.listing).values_list("value", flat=True))
        for line in job.lines.all()
    ]


def command(phone, name):
    phone.scan(CODES[name])


def test_twelve_lines_are_picked_by_scanner_alone(signed_in, facility):
    facility.location_scan = "MUST_SCAN_FIRST"
    facility.save()
    job = pick_job(*[2, 1] * 6, facility=facility, spare=3)
    lines = list(job.lines.all())
    signed_in.page.add_init_script(
        "addEventListener('pointerdown', () => sessionStorage.setItem('touched', 'yes'))"
    )
    signed_in.open("picking:job-list", "here")
    signed_in.page.wait_for_load_state("networkidle")

    signed_in.scan_beside_the_field(CODES["next"])
    signed_in.page.wait_for_url(f"**/pick/{job.pk}/")
    signed_in.page.wait_for_load_state("networkidle")
    for line in lines[:10]:
        signed_in.scan(queries.places_of(line)[0].codes[0])
        signed_in.expect_feedback("place")
        for _unit in range(line.quantity):
            signed_in.scan(code_of(line))
        signed_in.expect_feedback("line_done")
    command(signed_in, "undo")
    signed_in.expect_progress("14/18")
    signed_in.scan(queries.places_of(lines[9])[0].codes[0])
    signed_in.scan(code_of(lines[9]))
    command(signed_in, "short")
    signed_in.expect_feedback("ask")
    command(signed_in, "cancel")
    signed_in.expect_feedback("paused")
    command(signed_in, "short")
    signed_in.scan(REASON_CODES["DAMAGED"])
    signed_in.expect_progress("17/18")
    signed_in.scan(queries.places_of(lines[11])[0].codes[0])
    signed_in.scan(code_of(lines[11]))
    signed_in.expect_feedback("job_done")
    command(signed_in, "close")
    expect(signed_in.page.locator("#fate")).to_contain_text("2 units will not come.")
    signed_in.scan_beside_the_field(CODES["next"])

    signed_in.page.wait_for_url("**/pick/")
    assert signed_in.page.evaluate("sessionStorage.getItem('touched')") is None
    job.refresh_from_db()
    assert job.status == PickJob.Status.CLOSED
    assert figures(job) == [*[(2, 0, ""), (1, 0, "")] * 5, (0, 2, "DAMAGED"), (1, 0, "")]
    assert left_on_shelves(job) == [*[3] * 10, 5, 3]


def test_network_that_is_cut_in_the_middle_leaves_the_right_stock(signed_in, facility, picker):
    job = started_pick_job(picker, 2, 1, 1, facility=facility, spare=5)
    first, second, third = job.lines.all()
    show(signed_in, job)
    signed_in.scan(code_of(first))
    signed_in.expect_sent()

    signed_in.page.context.set_offline(True)
    for line in (first, second):
        signed_in.scan(code_of(line))
    command(signed_in, "short")
    signed_in.scan(REASON_CODES["NOT_FOUND"])
    signed_in.expect_progress("4/4")
    command(signed_in, "close")
    expect(signed_in.page.locator("#closing")).to_be_visible()
    signed_in.inspect()
    assert figures(job) == [(1, 0, ""), (0, 0, ""), (0, 0, "")]
    signed_in.page.context.set_offline(False)

    expect(signed_in.page.locator("#fate")).to_contain_text("1 unit will not come.")
    job.refresh_from_db()
    assert job.status == PickJob.Status.CLOSED
    assert figures(job) == [(2, 0, ""), (1, 0, ""), (0, 1, "NOT_FOUND")]
    assert left_on_shelves(job) == [5, 5, 6]
    assert third.short == 0


def test_line_is_left_for_later_by_scanner(signed_in, facility, picker):
    job = started_pick_job(picker, 1, 1, facility=facility)
    first, second = job.lines.all()
    facility.location_scan = "MUST_SCAN_FIRST"
    facility.save()
    show(signed_in, job)

    command(signed_in, "next")

    expect(signed_in.page.locator("#current")).to_have_text(second.title)
    signed_in.inspect()
    signed_in.scan(queries.places_of(second)[0].codes[0])
    signed_in.expect_feedback("place")
    signed_in.scan(code_of(second))
    signed_in.expect_feedback("line_done")
    expect(signed_in.page.locator("#current")).to_have_text(first.title)
    signed_in.expect_sent()
    assert [line.picked for line in job.lines.all()] == [0, 1]


def test_job_is_put_aside_by_scanner(signed_in, facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    show(signed_in, job)

    command(signed_in, "pause")

    signed_in.page.wait_for_url("**/pick/")
    job.refresh_from_db()
    assert job.status == PickJob.Status.PAUSED


def test_close_with_open_lines_says_how_many(signed_in, facility, picker):
    job = started_pick_job(picker, 2, 1, facility=facility)
    show(signed_in, job)

    command(signed_in, "close")

    signed_in.expect_feedback("unknown")
    expect(signed_in.page.locator("#feedback")).to_contain_text(
        "3 units are neither picked nor reported missing"
    )
    assert not ScanEvent.objects.exists()


def test_nobody_is_asked_why_where_the_facility_does_not_want_to_know(signed_in, facility, picker):
    facility.short_reasons = []
    facility.save()
    job = started_pick_job(picker, 1, 1, facility=facility)
    show(signed_in, job)

    command(signed_in, "short")
    signed_in.expect_feedback("ask")
    command(signed_in, "short")
    signed_in.expect_progress("1/2")
    signed_in.page.get_by_role("button", name="Missing", exact=True).click()
    expect(signed_in.page.locator("select[name=reason]")).to_have_count(0)
    signed_in.page.get_by_role("button", name="Report missing").click()

    signed_in.expect_feedback("job_done")
    signed_in.expect_sent()
    assert figures(job) == [(0, 1, "OTHER"), (0, 1, "OTHER")]


def test_unknown_code_says_what_is_expected(signed_in, facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    show(signed_in, job)

    signed_in.scan("NOBODY-KNOWS-THIS")

    expected = job.lines.get().title
    expect(signed_in.page.locator("#feedback")).to_contain_text("NOBODY-KNOWS-THIS")
    signed_in.expect_sent()
    expect(signed_in.page.locator("#feedback")).to_contain_text(expected)
    assert ScanEvent.objects.get().status_code == 422
    assert figures(job) == [(0, 0, "")]


def test_carton_books_all_its_units_and_never_too_many(signed_in, facility, picker):
    job = started_pick_job(picker, 5, facility=facility)
    ArticleCode.objects.create(article=job.lines.get().article, code="CARTON-3", units=3)
    show(signed_in, job)

    signed_in.scan("CARTON-3")
    signed_in.expect_progress("3/5")
    signed_in.scan("CARTON-3")

    signed_in.expect_feedback("too_many")
    signed_in.expect_sent()
    assert figures(job) == [(3, 0, "")]


SEND_TWICE = """async ({ url, body, token }) => Promise.all([1, 2, 3, 4].map(() => fetch(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-CSRFToken": token, "Idempotency-Key": body.id },
}).then(async (answer) => [answer.status, (await answer.json()).kind])))"""


def test_same_key_sent_at_once_is_one_booking(signed_in, facility, picker):
    job = started_pick_job(picker, 3, facility=facility)
    show(signed_in, job)
    body = {"id": str(uuid.uuid4()), "job": str(job.pk), "kind": "scan", "code": code_of(job.lines.get())}
    token = signed_in.page.locator("input[name=csrfmiddlewaretoken]").first.input_value()

    answers = signed_in.page.evaluate(SEND_TWICE, {"url": "/f/here/scans/", "body": body, "token": token})

    assert answers == [[200, "ok"]] * 4
    assert figures(job) == [(1, 0, "")]


def test_number_keys_enter_units(signed_in, facility, picker):
    job = started_pick_job(picker, 15, facility=facility)
    show(signed_in, job)

    signed_in.page.get_by_role("button", name="Units").tap()
    signed_in.inspect()
    for key in ("1", "3", "Delete the last digit", "2"):
        signed_in.page.get_by_role("button", name=key, exact=True).tap()
    signed_in.page.get_by_role("button", name="Book units").tap()

    signed_in.expect_progress("12/15")
    signed_in.expect_sent()
    assert figures(job) == [(12, 0, "")]


# Weighed goods


@pytest.fixture
def cheese(signed_in, facility, picker):
    """Three pieces of about 500 g, give or take a tenth, on the screen."""
    job = started_pick_job(picker, 3, facility=facility)
    article = job.lines.get().article
    article.is_weighed, article.weight_g = True, 500
    article.save()
    ArticleCode.objects.create(article=article, code="2812345000004")
    show(signed_in, job)
    return job


def weights():
    return list(
        ScanEvent.objects.exclude(weight_g=None).order_by("received_at").values_list("weight_g", flat=True)
    )


def test_label_of_the_scale_books_its_weight(signed_in, cheese):
    expect(signed_in.page.locator("#card")).to_contain_text("One weighs 450 to 550 g.")

    signed_in.scan("2812345005120")
    signed_in.expect_feedback("ok")
    signed_in.scan(f"010{code_of_plain(cheese)}3103000498")
    signed_in.expect_progress("2/3")
    signed_in.scan("2812345006201")

    signed_in.expect_feedback("too_many")
    expect(signed_in.page.locator("#feedback")).to_contain_text("weighs 620 g. Right are 450 to 550 g.")
    signed_in.expect_sent()
    assert weights() == [512, 498]


def code_of_plain(job):
    return job.lines.get().article.codes.exclude(code__startswith="2").get().code


def test_weight_is_typed_where_no_label_says_it(signed_in, cheese):
    signed_in.scan(code_of_plain(cheese))
    expect(signed_in.page.locator("#feedback")).to_contain_text("needs: weight")
    signed_in.page.get_by_role("button", name="Units").tap()
    signed_in.page.locator("input[name=quantity]").fill("2")
    signed_in.page.locator("input[name=weight]").fill("1030")
    signed_in.page.get_by_role("button", name="Book units").tap()

    signed_in.expect_progress("2/3")
    signed_in.expect_sent()
    assert weights() == [1030]


# Without https


def test_address_without_https_books_by_plain_forms_and_says_so(
    browser, browser_context_args, live_server, settings, facility, picker
):
    settings.ALLOWED_HOSTS = ["*"]
    job = started_pick_job(picker, 1, 1, facility=facility)
    first, second = job.lines.all()
    base_url = live_server.url.replace("localhost", "lan.example").replace("127.0.0.1", "lan.example")
    context = browser.new_context(**browser_context_args)
    phone = Phone(context.new_page(), base_url)
    phone.sign_in(picker)
    phone.open("picking:job-detail", "here", job.pk)
    assert not phone.page.evaluate("isSecureContext")

    def scan(code):
        expect(phone.page.locator("[data-scan]")).to_be_focused()  # each scan brings a new page
        phone.scan(code)

    expect(phone.page.locator("#insecure")).to_be_visible()
    scan(code_of(first))
    phone.expect_progress("1/2")
    command(phone, "undo")
    phone.expect_progress("0/2")
    scan("NOBODY-KNOWS-THIS")
    expect(phone.page.locator(".notice-bad")).to_contain_text("NOBODY-KNOWS-THIS")
    scan(code_of(first))
    phone.expect_progress("1/2")
    scan(REASON_CODES["DAMAGED"])
    phone.expect_progress("2/2")
    # Chromium says of every page that headers for https are of no use without it.
    phone.troubles = [trouble for trouble in phone.troubles if "Cross-Origin-Opener-Policy" not in trouble]
    phone.inspect()
    phone.put_down()
    context.close()
    assert figures(job) == [(1, 0, ""), (0, 1, "DAMAGED")]
    assert second.pk
    picking.close(job.pk, by=picker, now=job.created_at)


# A photo


def test_photo_without_a_connection_arrives_later(signed_in, facility, picker, tmp_path):
    job = started_pick_job(picker, 1, 1, facility=facility)
    Image.new("RGB", (3000, 2000), "red").save(tmp_path / "shelf.png")
    show(signed_in, job)
    page = signed_in.page
    page.context.set_offline(True)

    page.get_by_role("button", name="Missing", exact=True).tap()
    page.locator("select[name=reason]").select_option("DAMAGED")
    page.locator("input[name=photo]").set_input_files(tmp_path / "shelf.png")
    signed_in.inspect()
    page.get_by_role("button", name="Report missing").tap()
    signed_in.expect_progress("1/2")
    expect(page.locator("#connection")).to_contain_text("2 waiting")
    page.context.set_offline(False)

    signed_in.expect_sent()
    kept = LinePhoto.objects.get()
    assert (kept.line.short, kept.by) == (1, picker)


CHANGED_ROWS = """() => {
    window.changed = new Set();
    const watch = { attributes: true, childList: true, characterData: true, subtree: true };
    for (const row of document.querySelectorAll("[data-line]")) {
        new MutationObserver(() => window.changed.add(row.dataset.line)).observe(row, watch);
    }
}"""


def test_scan_paints_the_rows_that_changed_and_no_others(signed_in, facility, picker):
    job = started_pick_job(picker, 2, 1, 1, 1, facility=facility)
    first, second, _third, _fourth = job.lines.all()
    show(signed_in, job)
    signed_in.page.evaluate(CHANGED_ROWS)

    signed_in.scan(code_of(first))
    signed_in.expect_sent()
    once = signed_in.page.evaluate("() => [...window.changed]")
    signed_in.scan(code_of(first))
    signed_in.expect_sent()

    assert once == [str(first.pk)]
    assert set(signed_in.page.evaluate("() => [...window.changed]")) == {str(first.pk), str(second.pk)}


LISTEN = """() => {
    window.heard = [];
    navigator.vibrate = (pattern) => window.heard.push(pattern.join());
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
        window.heard.push(this.frequency.value);
        return start.apply(this, when);
    };
}"""


def heard(phone):
    return phone.page.evaluate("() => window.heard.splice(0)")


def test_answers_are_heard_and_felt_and_an_obstacle_only_once(signed_in, facility, picker):
    job = started_pick_job(picker, 2, 1, facility=facility)
    first, _second = job.lines.all()
    show(signed_in, job)
    signed_in.page.keyboard.press("Shift")  # browsers let a page sound after the first key
    signed_in.page.evaluate(LISTEN)

    signed_in.scan(code_of(first))
    signed_in.expect_feedback("ok")
    assert heard(signed_in) == [880, "40"]
    signed_in.scan("4006381333931")
    signed_in.expect_feedback("wrong_article")
    assert heard(signed_in) == [220, 220, 220, "200,80,200"]
    signed_in.expect_sent()
    signed_in.page.context.route("**/scans/", lambda route: route.abort("internetdisconnected"))
    signed_in.scan(code_of(first))
    signed_in.expect_connection("waiting")
    signed_in.page.wait_for_timeout(3500)  # until it is tried again

    assert heard(signed_in) == [660, 990, "40,40,40", 1200, 1200, "20,20"]
    signed_in.page.context.unroute("**/scans/")
    signed_in.expect_sent()
    picker.has_sound = False
    picker.save()
    signed_in.page.reload()
    signed_in.page.keyboard.press("Shift")
    signed_in.page.evaluate(LISTEN)
    command(signed_in, "undo")
    signed_in.expect_progress("1/3")
    assert heard(signed_in) == ["40"]
