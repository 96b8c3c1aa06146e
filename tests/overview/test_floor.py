import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Facility
from fulfillment.overview.floor import floor_of
from picking import assignments, services
from picking.models import PickingRules, PickJob, ScanEvent
from tests.factories.core import FacilityFactory, staff
from tests.factories.picking import act, book, code_of, pick_job, started_pick_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def facility():
    return Facility.objects.get(pk=FacilityFactory(slug="here").pk)


@pytest.fixture
def picker(facility):
    return staff("picker", facility)


def due(job, minutes):
    at = timezone.now() + datetime.timedelta(minutes=minutes)
    PickJob.objects.filter(pk=job.pk).update(target_time=at)
    return job


def look(facility):
    return floor_of(facility, timezone.now())


def test_shows_who_picks_what_and_how_far(facility, picker):
    job = started_pick_job(picker, 3, facility=facility)
    book(job, 2, by=picker)
    pick_job(1, facility=facility)

    [(user, [shown])] = look(facility).pickers

    assert (user, shown) == (picker, job)
    assert (shown.units_done, shown.units) == (3, 3)


def test_buffer_of_the_facility_says_what_is_at_risk(facility):
    Facility.objects.filter(pk=facility.pk).update(fulfillment_buffer=60)
    facility.refresh_from_db()
    overdue, at_risk = due(pick_job(facility=facility), -5), due(pick_job(facility=facility), 50)
    due(pick_job(facility=facility), 70)

    floor = look(facility)

    assert [(job, job.is_overdue) for job in floor.late] == [(overdue, True), (at_risk, False)]
    assert (floor.counts["overdue"], floor.counts["at_risk"], floor.counts["open"]) == (1, 1, 3)


def test_held_jobs_are_counted(facility):
    assignments.hold(pick_job(facility=facility).pk, by=None, now=timezone.now())

    assert look(facility).counts["held"] == 1


def test_units_are_counted_per_hour_without_those_taken_back(facility, picker):
    job = started_pick_job(picker, 5, facility=facility)
    code = code_of(job.lines.get())
    for _time in range(3):
        act(job, "scan", by=picker, code=code)
    act(job, "undo", by=picker)
    ScanEvent.objects.filter(pk=ScanEvent.objects.first().pk).update(
        received_at=timezone.now() - datetime.timedelta(hours=2)
    )

    floor = look(facility)

    assert floor.units_now == 1
    assert [hour.units for hour in floor.hours] == [0, 0, 0, 0, 0, 1, 0, 1]


def test_units_that_a_program_books_are_counted_and_no_screen_takes_them_back(facility, picker):
    job = started_pick_job(picker, 4, facility=facility)
    line = job.lines.get()
    PickingRules.objects.create(facility=facility, shows_people=True)

    for units in (3, 2):
        services.book(job.pk, [services.Count(line.pk, picked=units)], by=None, now=timezone.now())
    undone = act(job, "undo", by=picker)
    services.close(job.pk, is_rest_missing=True, by=picker, now=timezone.now())

    floor = look(facility)
    assert (floor.units_now, floor.people) == (2, [])
    assert [(row["units"], row["times"]) for row in floor.shorts] == [(2, 1)]
    assert undone.status_code == 422


def test_people_are_counted_only_where_that_is_switched_on(facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    book(job, 1, by=picker)

    before = look(facility).people
    PickingRules.objects.create(facility=facility, shows_people=True)

    assert before is None
    assert look(facility).people == [(str(picker), 1)]


def test_missing_units_are_summed_by_article_and_place(facility, picker):
    job = started_pick_job(picker, 3, 2, facility=facility)
    book(job, 1, 2, by=picker)
    line = job.lines.first()

    [row] = look(facility).shorts

    assert (row["sku"], row["units"], row["times"]) == (line.article.sku, 2, 1)
    assert row["place"] == line.allocations.get().stock.location.name


def test_what_was_taken_back_is_not_missing(facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    act(job, "short", by=picker, line=job.lines.get().pk, reason="NOT_FOUND")
    act(job, "undo", by=picker)

    assert look(facility).shorts == []


def test_other_facilities_are_not_shown(facility):
    there = FacilityFactory()
    job = due(started_pick_job(staff("picker", there), 1, facility=there), -5)
    book(job, 0, by=job.editor)

    floor = look(facility)

    assert (floor.pickers, floor.late, floor.shorts, floor.units_now) == ([], [], [], 0)


def test_page_needs_the_same_queries_for_one_and_for_three(client, facility, picker):
    client.force_login(staff("supervisor", facility))
    counts = []
    for more in (1, 2):
        for _number in range(more):
            due(started_pick_job(picker, 1, facility=facility), -5)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("overview:floor", args=["here"])).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 16


def test_page_renews_its_living_part_alone(client, facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    client.force_login(staff("supervisor", facility))

    page = client.get(reverse("overview:floor", args=["here"]), HTTP_HX_REQUEST="true").content.decode()

    assert "<html" not in page
    assert 'id="floor"' in page
    assert job.short_id in page
