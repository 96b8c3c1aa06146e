"""The scan loop with a made-up job on the phone: everything answers as in a real one, and nothing is sent."""

import pytest
from playwright.sync_api import expect

from fulfillment.core.models import StatusChange, StockMovement
from picking.commands import CODES, REASON_CODES
from picking.models import PickJob, PickLine, ScanEvent
from picking.practice import CARTON_CODE, SUBSTITUTE_CODE, TOTE_CODE, WRONG_CODE, practice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_practice_answers_like_a_real_job_and_sends_nothing(phone, facility, picker):
    facility.location_scan = "MUST_SCAN_FIRST"
    facility.counts_unknown_codes = True
    facility.save()
    mug, candles, towel = practice(facility).walk.lines
    phone.sign_in(picker)
    phone.open("picking:job-list", "here")
    phone.page.get_by_role("link", name="Practise").click()
    phone.page.wait_for_load_state("networkidle")
    expect(phone.page.locator("main")).to_contain_text("Practice: nothing is booked.")
    phone.inspect()
    asked = []
    phone.page.on("request", lambda request: "/f/" in request.url and asked.append(request.url))
    phone.page.context.set_offline(True)

    phone.scan(CODES["undo"])
    expect(phone.page.locator("#feedback")).to_contain_text("There is nothing to undo")
    phone.scan(mug.codes[0])
    phone.expect_feedback("wrong_location")
    phone.scan(mug.places[0].codes[0])
    phone.expect_feedback("place")
    phone.scan(WRONG_CODE)
    phone.expect_feedback("wrong_article")
    phone.scan(TOTE_CODE)
    expect(phone.page.locator("#feedback")).to_contain_text("every tote is right")
    phone.scan(mug.codes[0])
    phone.scan(mug.codes[0])
    phone.expect_feedback("line_done")
    phone.scan(mug.codes[0])
    phone.expect_feedback("too_many")
    phone.scan(CODES["undo"])
    phone.expect_progress("1/8")
    phone.scan(mug.codes[0])
    phone.scan(candles.places[0].codes[0])
    phone.scan(CARTON_CODE)
    phone.expect_progress("5/8")
    phone.scan(CODES["short"])
    phone.expect_feedback("ask")
    phone.scan(REASON_CODES["NOT_FOUND"])
    phone.expect_progress("6/8")
    phone.scan(towel.places[0].codes[0])
    phone.scan(SUBSTITUTE_CODE)
    expect(phone.page.locator("#feedback")).to_contain_text("may replace")
    phone.page.get_by_role("button", name="Missing", exact=True).tap()
    phone.page.get_by_role("button", name="Take it").tap()
    phone.scan("EX-3-1")
    phone.scan(SUBSTITUTE_CODE)
    phone.scan(SUBSTITUTE_CODE)
    phone.expect_feedback("job_done")
    phone.scan_beside_the_field(CODES["close"])

    expect(phone.page.locator("#closing")).to_contain_text("It was practice: nothing is booked.")
    expect(phone.page.locator("#done li:visible")).to_have_count(3)
    expect(phone.page.locator("#done")).to_contain_text("Tea towel, green")
    assert asked == []
    phone.page.context.set_offline(False)
    phone.inspect()
    for model in (ScanEvent, PickJob, PickLine, StatusChange, StockMovement):
        assert not model.objects.exists()
    phone.scan_beside_the_field(CODES["next"])
    phone.expect_progress("0/8")
