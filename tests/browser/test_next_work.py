"""One tap for the next job, and a list that refreshes under the hand without taking the focus."""

import datetime

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from picking import services as picking
from picking.models import PickJob
from tests.factories.picking import pick_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

REFRESH = "name => htmx.trigger(name, 'refresh')"


def due(job, hours):
    at = timezone.now() + datetime.timedelta(hours=hours)
    PickJob.objects.filter(pk=job.pk).update(target_time=at)
    return job


def test_home_gives_the_most_urgent_job_with_one_tap(phone, facility, picker):
    due(pick_job(1, facility=facility), 9)
    urgent = due(pick_job(1, facility=facility), 1)
    phone.sign_in(picker)
    button = phone.page.get_by_role("button", name="Next job")

    expect(button).to_be_in_viewport()
    phone.inspect()
    button.click()

    expect(phone.page.locator("#focus-title")).to_contain_text(urgent.short_id)
    urgent.refresh_from_db()
    assert (urgent.status, urgent.editor) == (PickJob.Status.IN_PROGRESS, picker)


def test_list_refreshes_and_keeps_the_focus(phone, facility, picker):
    job = due(pick_job(1, facility=facility), 1)
    phone.sign_in(picker)
    phone.open("picking:job-list", facility.slug)
    link = phone.page.locator(f"#job-{job.pk}")
    link.focus()

    later = due(pick_job(1, facility=facility), 5)
    phone.page.evaluate(REFRESH, "#jobs")

    expect(phone.page.locator(f"#job-{later.pk}")).to_be_visible()
    expect(link).to_be_focused()
    search = phone.page.get_by_label("Scan or search")
    search.fill("half a wo")
    due(later, -1)
    phone.page.evaluate(REFRESH, "#jobs")
    expect(phone.page.locator("#next-work .huge")).to_have_text(later.short_id)
    expect(search).to_be_focused()
    expect(search).to_have_value("half a wo")


def test_take_over_asks_first(phone, facility, picker, packer):
    job = pick_job(1, facility=facility)
    picking.start(job.pk, by=packer, now=timezone.now())
    phone.sign_in(picker)
    phone.open("picking:job-detail", facility.slug, job.pk)

    phone.press_primary()
    expect(phone.page.get_by_role("dialog")).to_contain_text(f"{packer} is picking this job")
    phone.page.get_by_role("button", name="Go back").click()
    job.refresh_from_db()
    assert job.editor == packer

    phone.press_primary()
    phone.page.get_by_role("dialog").get_by_role("button", name="Take over").click()

    expect(phone.page.locator("#scan-form")).to_be_visible()
    job.refresh_from_db()
    assert job.editor == picker
