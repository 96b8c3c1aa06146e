"""Several orders on one walk, at 360x640, with the scanner alone: from the list of runs to the closed run."""

import pytest
from django.utils import timezone
from PIL import Image
from playwright.sync_api import expect

from fulfillment.core.models import Substitute
from packing.models import PackJob
from picking import load_units
from picking.commands import CODES
from picking.models import LinePhoto, LoadUnit, PickLine, PickRun, ScanEvent
from tests.factories.runs import job_of, run_of, shelf

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def goods(facility):
    facility.picking_methods = ["MULTI_ORDER", "BATCH"]
    facility.save(update_fields=["picking_methods"])
    return (
        shelf(facility, "Stoneware mug, sea blue", aisle=1, bay=2),
        shelf(facility, "Linen tea towel", aisle=3, bay=4),
    )


@pytest.fixture
def jobs(facility, goods):
    mug, towel = goods
    return job_of(facility, (mug, 2)), job_of(facility, (towel, 1), (mug, 1))


def code(article):
    return article.codes.get().code


def feedback(phone):
    return phone.page.locator("#feedback")


def pick(phone, article, done):
    phone.scan(code(article))
    phone.expect_progress(done)


def answered(phone):
    """Wait until the server has answered everything."""
    expect(phone.page.locator("#work")).to_have_attribute("data-waiting", "0")


def expect_orders(phone, *progress):
    """The list of orders and totes says how far each is."""
    expect(phone.page.locator("[data-order] .progress-text")).to_have_text(progress)


def test_several_orders_are_picked_into_their_totes_with_the_scanner_alone(
    phone, facility, picker, jobs, goods
):
    mug, towel = goods
    totes = load_units.create(facility, number=2, by=None, now=timezone.now())
    phone.sign_in(picker)
    phone.open("picking:run-list", "here")
    phone.inspect()
    phone.scan(CODES["next"])
    phone.page.wait_for_url("**/runs/new/*")
    phone.inspect()
    phone.scan(CODES["next"])  # the preview with its totes
    phone.page.wait_for_url("**/runs/*-*/")
    phone.page.wait_for_load_state("networkidle")
    into = phone.page.locator("[data-slot=into]")
    expect(into).to_have_text(f"1 · {jobs[0].short_id}")
    phone.inspect()

    pick(phone, mug, "1/4")
    expect(feedback(phone)).to_contain_text(f"1 · {jobs[0].short_id}")
    answered(phone)
    held = {unit.job_id: unit for unit in LoadUnit.objects.all()}
    phone.scan(held[jobs[1].pk].code)
    expect(feedback(phone).locator("[data-kind=wrong_tote]")).to_be_visible()
    phone.scan(held[jobs[0].pk].code)
    expect(feedback(phone)).to_contain_text("Right")
    pick(phone, mug, "2/4")
    expect(into).to_have_text(f"2 · {jobs[1].short_id}")
    pick(phone, mug, "3/4")
    phone.scan(code(mug))
    expect(feedback(phone).locator("[data-kind=too_many]")).to_be_visible()
    pick(phone, towel, "4/4")
    answered(phone)
    phone.inspect()
    phone.scan(CODES["close"])
    phone.page.wait_for_url("**/runs/")

    assert PickRun.objects.get().status == "CLOSED"
    assert sorted(PickLine.objects.values_list("picked", "quantity")) == [(1, 1), (1, 1), (2, 2)]
    assert PackJob.objects.count() == 2
    assert len(totes) == LoadUnit.objects.in_use().count()


def test_batch_is_picked_as_one_with_the_scanner_alone(phone, facility, picker, jobs, goods):
    mug, _towel = goods
    (tote,) = load_units.create(facility, by=None, now=timezone.now())
    run_of(*jobs, method="BATCH", by=picker)
    phone.sign_in(picker)
    phone.open("picking:run-list", "here")
    phone.scan(CODES["next"])  # on with the run in hand
    phone.page.wait_for_load_state("networkidle")
    expect(phone.page.locator("[data-slot=open]")).to_have_text("3")
    phone.inspect()

    phone.scan(tote.code)
    expect(feedback(phone)).to_contain_text("goes along")
    expect(phone.page.locator("#work")).to_contain_text(f"…{tote.tail}")
    for done in ("1/4", "2/4", "3/4"):
        pick(phone, mug, done)
    phone.scan(CODES["undo"])
    phone.expect_progress("2/4")
    pick(phone, mug, "3/4")
    phone.scan(CODES["short"])
    phone.scan(CODES["short"])
    phone.expect_progress("4/4")
    phone.inspect()
    phone.scan(CODES["close"])

    expect(phone.page.locator("#fate")).to_contain_text(f"{jobs[1].short_id}: 1 unit will not come.")
    phone.inspect()
    phone.scan(CODES["next"])
    phone.page.wait_for_url("**/runs/")
    run = PickRun.objects.get()
    assert run.status == "CLOSED"
    assert sorted(PickLine.objects.values_list("picked", "quantity")) == [(0, 1), (1, 1), (2, 2)]
    assert LoadUnit.objects.get().run == run


def test_walk_is_shown_anew_when_units_are_missing(phone, facility, picker, goods):
    far, near, middle = (
        shelf(facility, title, aisle=aisle, bay=5)
        for title, aisle in (("Far", 9), ("Near", 1), ("Middle", 5))
    )
    run = run_of(job_of(facility, (near, 1), (middle, 1), (far, 1)), by=picker)
    phone.sign_in(picker)
    phone.open("picking:run-detail", "here", run.pk)
    phone.page.wait_for_load_state("networkidle")
    for article, done in ((far, "1/3"),):
        pick(phone, article, done)
    expect(phone.page.locator("#card h2")).to_have_text("Near")
    expect(phone.page.locator(".map-mark.is-next text")).to_have_text("1")

    phone.scan(CODES["undo"])
    phone.expect_progress("0/3")
    answered(phone)
    assert ScanEvent.objects.filter(run=run).count() == 2


def test_run_without_a_connection_is_picked_and_sent_later(phone, picker, jobs, goods):
    mug, towel = goods
    run = run_of(*jobs, method="BATCH", by=picker)
    phone.sign_in(picker)
    phone.open("picking:run-detail", "here", run.pk)
    phone.page.wait_for_load_state("networkidle")

    phone.page.context.set_offline(True)
    pick(phone, mug, "1/4")
    expect_orders(phone, "1 of 2", "0 of 2")
    for done in ("2/4", "3/4"):
        pick(phone, mug, done)
    expect_orders(phone, "2 of 2", "1 of 2")
    phone.scan(CODES["undo"])
    expect_orders(phone, "2 of 2", "0 of 2")
    pick(phone, mug, "3/4")
    pick(phone, towel, "4/4")
    expect_orders(phone, "2 of 2", "2 of 2")
    phone.scan(CODES["close"])
    assert not ScanEvent.objects.exists()
    phone.page.context.set_offline(False)

    phone.page.wait_for_url("**/runs/")
    assert PickRun.objects.get().status == "CLOSED"
    assert sorted(PickLine.objects.values_list("picked", "quantity")) == [(1, 1), (1, 1), (2, 2)]


@pytest.mark.parametrize("is_offline", [False, True], ids=["online", "offline"])
def test_batch_with_a_substitute_a_count_and_a_photo(
    phone, facility, picker, jobs, goods, tmp_path, is_offline
):
    facility.counts_on_short_pick = True
    facility.save(update_fields=["counts_on_short_pick"])
    mug, _towel = goods
    green = shelf(facility, "Stoneware mug, green", aisle=2, bay=1)
    Substitute.objects.create(article=mug, substitute=green)
    Image.new("RGB", (400, 300), "red").save(tmp_path / "shelf.png")
    run = run_of(*jobs, method="BATCH", by=picker)
    phone.sign_in(picker)
    phone.open("picking:run-detail", "here", run.pk)
    phone.page.wait_for_load_state("networkidle")
    pick(phone, mug, "1/4")
    answered(phone)
    phone.page.context.set_offline(is_offline)
    missing = phone.page.get_by_role("button", name="Missing", exact=True)
    take = phone.page.get_by_role("button", name="Take it")

    missing.tap()
    take.tap()
    expect(phone.page.locator("#card h2")).to_have_text("Stoneware mug, green")
    phone.scan(CODES["undo"])
    expect(phone.page.locator("#card h2")).to_have_text(mug.title)
    missing.tap()
    take.tap()
    pick(phone, green, "2/4")
    missing.tap()
    phone.page.locator("select[name=reason]").select_option("DAMAGED")
    phone.page.locator("input[name=left]").fill("7")
    phone.page.locator("input[name=photo]").set_input_files(tmp_path / "shelf.png")
    phone.inspect()
    phone.page.get_by_role("button", name="Report missing").tap()
    phone.expect_progress("3/4")
    expect_orders(phone, "2 of 2", "1 of 2")
    phone.page.context.set_offline(False)

    answered(phone)
    lines = PickLine.objects.filter(article=green).order_by("picked")
    assert [(line.quantity, line.picked, line.short, line.left) for line in lines] == [
        (1, 0, 1, 7),
        (1, 1, 0, None),
    ]
    assert LinePhoto.objects.get().line.article == green
