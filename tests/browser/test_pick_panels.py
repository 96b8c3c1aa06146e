"""What a picker sees and presses on a phone without a scanner: panels, messages, the next job."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from picking import recordables
from picking import services as picking
from picking.models import PickJob
from tests.factories.picking import code_of, pick_job, started_pick_job
from tests.factories.runs import job_of, shelf

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ON_SCREEN = """element => {
    const { top, bottom } = element.getBoundingClientRect();
    const header = document.querySelector(".top").getBoundingClientRect().bottom;
    const bar = document.querySelector(".action-bar, .nav")?.getBoundingClientRect().top ?? innerHeight;
    return header <= top && bottom <= bar;
}"""
SHOW_AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def signed_in(phone, picker):
    phone.sign_in(picker)
    return phone


def show(phone, job):
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")


def is_on_screen(locator):
    return locator.evaluate(ON_SCREEN)


def test_panels_name_article_and_units_and_have_their_button_on_the_screen(signed_in, facility, picker):
    facility.counts_on_short_pick = True
    facility.save()
    job = started_pick_job(picker, 3, facility=facility)
    title = job.lines.get().title
    show(signed_in, job)
    page = signed_in.page

    page.locator("[data-open=units]").tap()
    expect(page.locator("[data-slot=ask_units]")).to_have_text(f"{title}: 3 to pick")
    assert is_on_screen(page.locator("[data-slot=ask_units]"))
    assert is_on_screen(page.get_by_role("button", name="Book units"))
    signed_in.inspect()
    page.locator("[data-open=missing]").tap()
    expect(page.locator("[data-slot=ask_short]")).to_have_text(f"{title}: 3 missing?")
    assert is_on_screen(page.locator("[data-slot=ask_short]"))
    assert is_on_screen(page.get_by_role("button", name="Report missing"))
    expect(page.get_by_role("button", name="Book units")).to_be_hidden()
    signed_in.inspect()


def test_end_of_the_code_is_enough_when_a_person_types_it(signed_in, facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    code = code_of(job.lines.get())
    show(signed_in, job)

    signed_in.page.evaluate("document.activeElement.blur()")
    signed_in.scan_beside_the_field(code[-4:])
    expect(signed_in.page.locator("#feedback [data-kind]")).to_be_visible()
    signed_in.expect_sent()
    assert job.lines.get().picked == 0
    signed_in.page.locator("#id_code").press_sequentially(code[-4:], delay=300)
    signed_in.page.keyboard.press("Enter")
    signed_in.expect_progress("1/2")
    signed_in.page.locator("#id_code").press_sequentially(code[-4:])
    signed_in.page.get_by_role("button", name="Book", exact=True).tap()
    signed_in.expect_progress("2/2")

    signed_in.expect_sent()
    assert job.lines.get().picked == 2


def test_closed_job_is_told_once_and_the_next_one_is_a_tap_away(signed_in, facility, picker):
    job, urgent = started_pick_job(picker, 1, facility=facility), pick_job(1, facility=facility)
    show(signed_in, job)
    signed_in.scan(code_of(job.lines.get()))
    signed_in.expect_feedback("job_done")

    signed_in.page.locator("#close-form button").tap()
    signed_in.page.wait_for_url("**/pick/")
    expect(signed_in.page.locator("[data-told]")).to_have_text(f"{job} is closed and goes to packing.")
    signed_in.inspect()
    show(signed_in, job)
    expect(signed_in.page.locator("[data-told]")).to_have_count(0)
    signed_in.page.get_by_role("button", name="To the next job").tap()

    signed_in.page.wait_for_url(f"**/pick/{urgent.pk}/")
    urgent.refresh_from_db()
    assert urgent.status == PickJob.Status.IN_PROGRESS


def test_run_is_begun_without_scrolling(signed_in, facility):
    facility.picking_methods = ["MULTI_ORDER", "BATCH", "ZONE"]
    facility.save(update_fields=["picking_methods"])
    mug = shelf(facility, "Mug", aisle=1, bay=2)
    for _order in range(3):
        job_of(facility, (mug, 1))
    signed_in.open("picking:run-list", "here")

    assert is_on_screen(signed_in.page.get_by_role("button", name="Show the run"))
    signed_in.inspect()
    signed_in.press_primary()

    start = signed_in.page.get_by_role("button", name="Start with these totes")
    expect(start).to_be_in_viewport(ratio=1)


def test_page_that_is_seen_again_shows_what_another_device_picked(signed_in, facility, picker):
    job = started_pick_job(picker, 2, 1, facility=facility)
    first, second = job.lines.all()
    show(signed_in, job)
    other = picking.Count(first.pk, 2)
    picking.book(job.pk, [other], by=picker, now=timezone.now())

    signed_in.page.evaluate(SHOW_AGAIN)

    signed_in.expect_progress("2/3")
    expect(signed_in.page.locator("#current")).to_have_text(second.title)


def test_panel_stays_open_while_the_page_wants_to_load_anew(signed_in, facility, picker):
    job = started_pick_job(picker, 2, 1, facility=facility)
    first, second = job.lines.all()
    show(signed_in, job)
    picking.book(job.pk, [picking.Count(second.pk, 1)], by=picker, now=timezone.now())
    signed_in.page.locator("[data-open=units]").tap()

    signed_in.page.evaluate(SHOW_AGAIN)
    expect(signed_in.page.get_by_role("button", name="Book units")).to_be_visible()
    signed_in.page.locator("#card summary").tap()

    signed_in.expect_progress("1/3")
    assert first.picked == 0


@pytest.mark.parametrize("is_offline", [False, True], ids=["online", "offline"])
def test_value_that_must_be_recorded_is_asked_for_before_the_last_unit(
    signed_in, facility, picker, is_offline
):
    job = pick_job(1, 1, facility=facility)
    first, second = job.lines.all()
    asked = {"keyLocalized": {"en_US": "Temperature"}, "recordingRule": "MANDATORY"}
    first.recordables = recordables.of_line([asked])
    first.save()
    picking.start(job.pk, by=picker, now=timezone.now())
    show(signed_in, job)
    field = signed_in.page.get_by_label("Temperature")
    expect(field).to_be_visible()
    signed_in.inspect()
    signed_in.look("recorded")
    signed_in.page.context.set_offline(is_offline)

    signed_in.scan(code_of(first))
    expect(signed_in.page.locator("#feedback")).to_contain_text("needs: Temperature")
    field.fill("3.5")
    signed_in.page.get_by_role("button", name="Keep").tap()
    signed_in.expect_feedback("ok")
    expect(field).to_have_value("3.5")
    signed_in.scan(code_of(first))
    signed_in.expect_feedback("line_done")
    expect(field).to_be_hidden()
    signed_in.page.context.set_offline(False)

    signed_in.expect_sent()
    first.refresh_from_db()
    assert (first.picked, first.recordables[0]["value"], second.picked) == (1, "3.5", 0)
    assert signed_in.page.locator("#tasks").is_hidden()
