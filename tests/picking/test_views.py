import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from picking import services as picking
from picking.models import PickJob, PickLine
from tests.factories.core import FacilityFactory, staff
from tests.factories.picking import book, code_of, pick_job, started_pick_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client, picker):
    client.force_login(picker)
    return client


def address(name, *args):
    return reverse(f"picking:{name}", args=["here", *args])


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def primary(response):
    """The words of the one primary button of the page; a hidden one is for later."""
    button = r"<(?:button|a)\b[^>]*class=\"btn btn-primary[^>]*(?<!hidden)>(.*?)</(?:button|a)>"
    [words] = re.findall(button, response.content.decode(), re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", "", words).split())


def open_job(client, job):
    return client.get(address("job-detail", job.pk))


def press(client, job, kind, **fields):
    data = {"id": str(uuid.uuid4()), "kind": kind, **fields}
    return client.post(address("job-act", job.pk), data, follow=True)


# The list


def test_list_offers_the_next_job_as_its_one_action(client, facility):
    job = pick_job(facility=facility)

    page = client.get(address("job-list"))

    assert page.context["next_job"] == job
    assert primary(page) == "Next job"


def test_list_offers_the_job_in_hand_first(client, facility, picker):
    pick_job(facility=facility)
    mine = started_pick_job(picker, facility=facility)

    page = client.get(address("job-list"))

    assert page.context["in_hand"] == mine
    assert primary(page) == "Continue picking"


def test_list_does_not_offer_what_a_colleague_picks(client, facility, colleague):
    started_pick_job(colleague, facility=facility)

    page = client.get(address("job-list"))

    assert page.context["next_job"] is None
    assert len(page.context["page"]) == 1


def test_list_is_empty_without_jobs(client):
    assert "Nothing to pick" in text(client.get(address("job-list")))


def test_list_shows_jobs_of_this_facility_alone(client, facility):
    pick_job(facility=FacilityFactory())

    assert list(client.get(address("job-list")).context["page"]) == []


def test_list_filters_by_status(client, facility, picker):
    pick_job(facility=facility)
    started = started_pick_job(picker, facility=facility)

    page = client.get(address("job-list"), {"status": "IN_PROGRESS"})

    # One job of a status is not a find: the list stays.
    assert list(page.context["page"]) == [started]


def test_search_opens_the_only_job_it_finds(client, facility):
    job = pick_job(facility=facility)
    pick_job(facility=facility)

    response = client.get(address("job-list"), {"q": job.short_id.lower()})

    assert response.url == address("job-detail", job.pk)


@pytest.mark.parametrize("query", [{"page": "x"}, {"status": "NONSENSE"}, {"q": "A" * 300}, {"q": "%"}])
def test_list_survives_odd_queries(client, facility, query):
    pick_job(facility=facility)

    assert client.get(address("job-list"), query).status_code == 200


def queries_of(client, url):
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_list_needs_the_same_queries_for_one_and_for_three(client, facility):
    pick_job(facility=facility)
    one = queries_of(client, address("job-list"))
    pick_job(facility=facility)
    pick_job(1, facility=facility)

    assert queries_of(client, address("job-list")) == one <= 17


# One job


def test_open_job_can_be_started(client, facility):
    job = pick_job(facility=facility)

    assert primary(open_job(client, job)) == "Start picking"
    page = client.post(address("job-start", job.pk), follow=True)

    assert page.redirect_chain[-1][0] == address("job-detail", job.pk)
    assert PickJob.objects.get().status == "IN_PROGRESS"


def test_job_in_hand_shows_the_place_the_article_and_how_many(client, facility, picker):
    job = started_pick_job(picker, 2, 1, facility=facility)
    line = job.lines.all()[0]

    words = text(open_job(client, job))

    assert line.allocations.get().stock.location.name in words
    assert line.title in words
    assert f"{line.article.sku} · …{code_of(line)[-4:]}" in words
    assert "2 ×" in words
    assert "0 of 2 picked" in words


def test_job_of_a_colleague_can_be_taken_over(client, facility, picker, colleague):
    job = started_pick_job(colleague, facility=facility)

    page = open_job(client, job)
    assert primary(page) == "Take over"
    assert f"{colleague} is picking this job." in text(page)
    client.post(address("job-take-over", job.pk))

    assert PickJob.objects.get().editor == picker


def test_starting_a_colleagues_job_is_refused_with_his_name(client, facility, colleague):
    job = started_pick_job(colleague, facility=facility)

    page = client.post(address("job-start", job.pk), follow=True)

    assert f"{colleague} is picking {job}" in text(page)
    assert PickJob.objects.get().editor == colleague


def test_job_is_put_aside(client, facility, picker):
    job = started_pick_job(picker, facility=facility)

    page = client.post(address("job-pause", job.pk), follow=True)

    assert page.redirect_chain[-1][0] == address("job-list")
    assert PickJob.objects.get().status == "PAUSED"


def test_supervisor_puts_a_pickers_job_aside(client, facility, picker):
    job = started_pick_job(picker, facility=facility)
    client.force_login(staff("supervisor", facility))

    page = open_job(client, job)
    assert "Put aside" in text(page)
    client.post(address("job-pause", job.pk))

    assert PickJob.objects.get().status == "PAUSED"


def test_job_of_another_facility_is_not_found(client):
    job = pick_job()

    assert open_job(client, job).status_code == 404
    assert client.post(address("job-start", job.pk)).status_code == 404


def test_job_page_needs_the_same_queries_for_one_and_for_three_lines(client, facility, picker):
    counts = [
        queries_of(client, address("job-detail", started_pick_job(picker, *units, facility=facility).pk))
        for units in [(1,), (1, 1, 1)]
    ]

    assert counts[0] == counts[1] <= 14


def test_htmx_gets_the_working_area_alone(client, facility, picker):
    job = started_pick_job(picker, facility=facility)

    part = client.get(address("job-detail", job.pk), headers={"hx-request": "true"}).content.decode()

    assert 'id="work"' in part
    assert 'id="next-step" hx-swap-oob="true"' in part
    assert "<html" not in part


# Without JavaScript


def test_plain_forms_pick_and_close_a_job(client, facility, picker):
    job = started_pick_job(picker, 2, 1, facility=facility)
    one, two = job.lines.all()

    assert "1 of 2" in text(press(client, job, "scan", code=code_of(one)))
    assert "Taken back" in text(press(client, job, "undo"))
    press(client, job, "quantity", line=one.pk, quantity=2)
    page = press(client, job, "short", line=two.pk, reason="NOT_FOUND")
    assert primary(page) == "Close job"
    page = press(client, job, "close")

    assert page.redirect_chain[-1][0] == address("job-detail", job.pk)
    assert "1 unit will not come. The shop knows." in text(page)
    assert f"{job} is closed and goes to packing." in text(page)
    assert PickJob.objects.get().sub_status == "SHORT_PICKED"


def test_form_sent_twice_books_once(client, facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    page = open_job(client, job)
    action = {"id": str(page.context["action_ids"]["scan"]), "kind": "scan", "code": code_of(job.lines.get())}

    for _time in range(2):
        client.post(address("job-act", job.pk), action)

    assert PickLine.objects.get().picked == 1


def test_wrong_scan_is_told_on_the_page(client, facility, picker):
    job = started_pick_job(picker, facility=facility)

    assert "Nothing here has the code XYZ." in text(press(client, job, "scan", code="XYZ"))


@pytest.mark.parametrize(
    "fields", [{"kind": "scan"}, {"kind": "steal"}, {"id": "x"}, {"kind": "quantity", "quantity": "many"}]
)
def test_form_that_makes_no_sense_is_told_on_the_page(client, facility, picker, fields):
    job = started_pick_job(picker, facility=facility)
    line = job.lines.all()[0]

    page = press(client, job, **{"kind": "scan", "line": line.pk, **fields})

    assert "notice-bad" in page.content.decode()
    assert not PickLine.objects.filter(picked__gt=0).exists()


def test_finished_job_shows_what_was_picked_and_leads_to_the_next(client, facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 1, by=picker)
    press(client, job, "close")

    page = open_job(client, job)

    assert primary(page) == "To the next job"
    assert "1 missing: Not found" in text(page)


# Administration


def test_administration_shows_jobs_and_changes_none(client, facility, picker):
    job = started_pick_job(picker, facility=facility)
    book(job, 2, 1, by=picker)
    administrator = staff("administrator")
    administrator.is_superuser = True
    administrator.save(update_fields=["is_superuser"])
    client.force_login(administrator)

    found = client.get(
        reverse("admin:picking_pickjob_changelist"), {"q": job.short_id, "status__exact": "IN_PROGRESS"}
    )
    page = client.get(reverse("admin:picking_pickjob_change", args=[job.pk]))

    assert found.context["cl"].result_count == 1
    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert client.get(reverse("admin:picking_pickjob_add")).status_code == 403
    assert (
        client.get(reverse("admin:picking_scanevent_changelist"), {"q": job.short_id})
        .context["cl"]
        .result_count
        == 2
    )


def test_job_that_a_program_picked_is_closed_on_the_screen(client, facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    picking.book(job.pk, [picking.Count(job.lines.get().pk, picked=1)], by=picker, now=timezone.now())

    assert "Close job" in text(open_job(client, job))
    press(client, job, "close")

    job.refresh_from_db()
    assert job.status == "CLOSED"
