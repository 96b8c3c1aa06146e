"""Taking another article instead on the phone, with and without a connection."""

import pytest
from playwright.sync_api import expect

from fulfillment.core.models import Substitute
from picking.commands import CODES
from tests.factories.core import ArticleFactory, StorageLocationFactory, put_stock
from tests.factories.picking import code_of, ean, started_pick_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def job(phone, facility, picker):
    """Two of an article that has a blue mug as its substitute, and one of another; on the screen."""
    job = started_pick_job(picker, 2, 1, facility=facility)
    article = ArticleFactory(title="Blue mug", code=ean())
    put_stock(facility, article, 5, location=StorageLocationFactory(facility=facility, name="Z-9"))
    Substitute.objects.create(article=job.lines.all()[0].article, substitute=article)
    phone.sign_in(picker)
    phone.open("picking:job-detail", "here", job.pk)
    phone.page.wait_for_load_state("networkidle")
    return job


def figures(job):
    return sorted((line.title, line.quantity, line.picked) for line in job.lines.all())


@pytest.mark.parametrize("is_offline", [False, True], ids=["online", "offline"])
def test_substitute_is_taken_picked_and_taken_back(phone, job, is_offline):
    page = phone.page
    first, second = job.lines.all()
    blue = Substitute.objects.get().substitute.codes.get().code
    phone.scan(code_of(first))
    phone.scan(blue)
    expect(page.locator("#feedback")).to_contain_text("Blue mug may replace")
    phone.expect_sent()
    page.context.set_offline(is_offline)

    page.get_by_role("button", name="Missing", exact=True).tap()
    expect(page.locator("[data-slot=ask_short]")).to_be_in_viewport(ratio=1)
    top = page.locator("[data-slot=ask_short]").bounding_box()["y"]
    assert top >= page.locator(".top").bounding_box()["height"]
    phone.inspect()
    expect(page.locator("#substitute-form option")).to_have_text("Blue mug · Z-9 · 5 free")
    page.get_by_role("button", name="Take it").tap()
    expect(page.locator("#card h2")).to_have_text("Blue mug")
    expect(page.locator("#card")).to_contain_text(f"instead of {first.title}")
    expect(page.locator("[data-slot=place]").first).to_have_text("Z-9")
    phone.scan(CODES["undo"])
    expect(page.locator("#card h2")).to_have_text(first.title)
    if not is_offline:
        phone.expect_sent()
        first.refresh_from_db()
        assert (first.quantity, first.picked) == (2, 1)
    page.get_by_role("button", name="Missing", exact=True).tap()
    page.get_by_role("button", name="Take it").tap()
    phone.scan(blue)
    phone.expect_progress("2/3")
    page.context.set_offline(False)

    phone.expect_sent()
    assert figures(job) == sorted([("Blue mug", 1, 1), (first.title, 1, 1), (second.title, 1, 0)])
    expect(page.locator("#done")).to_contain_text("Blue mug")
    phone.inspect()


def test_all_of_a_line_is_replaced_and_wanted_again(phone, job):
    page = phone.page
    first, second = job.lines.all()
    page.get_by_role("button", name="Missing", exact=True).tap()
    page.get_by_role("button", name="Take it").tap()
    phone.expect_sent()
    page.reload()
    expect(page.locator("#card h2")).to_have_text("Blue mug")
    expect(page.locator("#open li:visible")).to_have_count(1)

    phone.scan(CODES["undo"])

    expect(page.locator("#card h2")).to_have_text(first.title)
    phone.expect_sent()
    page.reload()
    page.context.set_offline(True)
    page.get_by_role("button", name="Missing", exact=True).tap()
    page.get_by_role("button", name="Take it").tap()
    page.get_by_role("button", name="Units", exact=True).tap()
    page.get_by_role("button", name="Book units").tap()
    phone.expect_progress("2/3")
    page.context.set_offline(False)
    phone.expect_sent()
    assert figures(job) == sorted([("Blue mug", 2, 2), (first.title, 0, 0), (second.title, 1, 0)])
