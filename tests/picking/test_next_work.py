import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import StorageLocation
from picking import assignments, next_work, runs
from picking import services as picking
from picking.models import PickJob
from tests.factories.core import FacilityCarrierFactory, FacilityFactory, staff
from tests.factories.picking import code_of, pick_job, started_pick_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client, picker):
    client.force_login(picker)
    return client


def due(job, hours, *, age=0):
    """Give a job its target time and its age."""
    now = timezone.now()
    PickJob.objects.filter(pk=job.pk).update(
        target_time=now + datetime.timedelta(hours=hours), order_date=now - datetime.timedelta(hours=age)
    )
    return job


def in_zone(job, name):
    zone, _created = job.facility.zones.get_or_create(name=name)
    places = job.lines.values("allocations__stock__location")
    StorageLocation.objects.filter(pk__in=places).update(zone=zone)
    return job


def take(facility, user):
    return next_work.take(facility, by=user, now=timezone.now())


def plan(job, *, users=(), priority=0, by=None):
    return assignments.plan(job.pk, users=list(users), priority=priority, by=by, now=timezone.now())


def order_of_work(facility, user):
    return list(next_work.waiting(facility, user))


# Which job


def test_target_time_goes_before_age_and_age_before_zone(facility, picker):
    now = timezone.now()
    jobs = [
        in_zone(due(pick_job(1, facility=facility), hours), zone)
        for hours, zone in [(5, "A"), (2, "B"), (2, "A"), (2, "A")]
    ]
    PickJob.objects.filter(pk__in=[job.pk for job in jobs[1:]]).update(
        target_time=now + datetime.timedelta(hours=2), order_date=now
    )
    PickJob.objects.filter(pk=jobs[3].pk).update(order_date=now - datetime.timedelta(hours=1))

    assert order_of_work(facility, picker) == [jobs[3], jobs[2], jobs[1], jobs[0]]


def test_priority_goes_first(facility, picker):
    due(pick_job(1, facility=facility), 1)
    urgent = due(pick_job(1, facility=facility), 9)

    plan(urgent, priority=PickJob.Priority.URGENT)

    assert order_of_work(facility, picker)[0] == urgent


def test_what_is_meant_for_a_picker_goes_before_the_rest_and_not_to_colleagues(facility, picker, colleague):
    anybody = due(pick_job(1, facility=facility), 1)
    meant = due(pick_job(1, facility=facility), 9)

    plan(meant, users=[picker])

    assert order_of_work(facility, picker) == [meant, anybody]
    assert order_of_work(facility, colleague) == [anybody]


def test_what_a_picker_put_aside_comes_last_for_that_picker_alone(facility, picker, colleague):
    aside = due(started_pick_job(picker, 1, facility=facility), 1)
    other = due(pick_job(1, facility=facility), 9)

    picking.pause(aside.pk, by=picker, now=timezone.now())

    assert order_of_work(facility, picker) == [other, aside]
    assert order_of_work(facility, colleague) == [aside, other]


def test_jobs_in_a_run_held_jobs_and_jobs_elsewhere_are_not_offered(facility, picker):
    in_run, held = pick_job(1, facility=facility), pick_job(1, facility=facility)
    pick_job(1, facility=FacilityFactory())
    runs.create(facility, [in_run.pk], "BATCH", is_by_rules=False, by=None, now=timezone.now())
    assignments.hold(held.pk, by=None, now=timezone.now())

    assert order_of_work(facility, picker) == []


# Taking it


def test_taking_begins_the_best_job(facility, picker):
    pick_job(1, facility=facility)
    best = due(pick_job(1, facility=facility), -1)
    PickJob.objects.exclude(pk=best.pk).update(target_time=timezone.now())

    assert take(facility, picker) == best
    best.refresh_from_db()
    assert (best.status, best.editor) == (PickJob.Status.IN_PROGRESS, picker)


def test_taking_goes_on_with_the_job_in_hand(facility, picker):
    pick_job(1, facility=facility)
    mine = started_pick_job(picker, 1, facility=facility)

    assert take(facility, picker) == mine
    assert PickJob.objects.filter(status=PickJob.Status.IN_PROGRESS).count() == 1


def test_taking_goes_on_with_the_run_in_hand(facility, picker):
    job = pick_job(1, facility=facility)
    pick_job(1, facility=facility)
    run = runs.create(facility, [job.pk], "BATCH", is_by_rules=False, by=None, now=timezone.now())
    runs.start(run.pk, by=picker, now=timezone.now())

    assert take(facility, picker) == run


def put_aside(picker, *jobs):
    run = runs.create(
        jobs[0].facility, [job.pk for job in jobs], "BATCH", is_by_rules=False, by=None, now=timezone.now()
    )
    runs.start(run.pk, by=picker, now=timezone.now())
    runs.pause(run.pk, by=None, now=timezone.now())
    return run


def test_run_that_was_put_aside_is_taken_in_its_turn(client, facility, picker, colleague):
    soon, late, later = (due(pick_job(1, facility=facility), hours) for hours in (1, 5, 9))
    first = put_aside(colleague, later, soon)
    page = client.get(reverse("picking:job-list", args=["here"])).content.decode()

    assert take(facility, picker) == first
    assert "Next run" in page
    assert "2 orders" in page
    last = put_aside(colleague, pick_job(1, facility=facility))
    due(last.lines.get().job, 24)
    runs.pause(first.pk, by=None, now=timezone.now())
    assert [next_work.best(facility, user) for user in (picker, colleague)] == [late, first]
    assert take(facility, picker) == late
    picking.pause(late.pk, by=None, now=timezone.now())
    assert take(facility, picker) == last


def test_run_with_a_job_for_a_colleague_is_the_colleagues(facility, picker, colleague):
    jobs = [pick_job(1, facility=facility) for _job in range(2)]
    run = put_aside(picker, *jobs)
    plan(jobs[1], users=[colleague])

    assert take(facility, picker) is None
    assert take(facility, colleague) == run


def test_run_that_a_program_made_is_begun_by_the_button(client, facility):
    run = runs.create(
        facility, [pick_job(1, facility=facility).pk], "BATCH", is_by_rules=False, by=None, now=timezone.now()
    )

    answer = client.post(reverse("picking:next-job", args=["here"]))

    assert answer.url == reverse("picking:run-detail", args=["here", run.pk])
    run.refresh_from_db()
    assert run.status == "IN_PROGRESS"


def test_taking_gets_nothing_when_nothing_waits(facility, picker, colleague):
    started_pick_job(colleague, 1, facility=facility)

    assert take(facility, picker) is None


def test_button_opens_the_job_that_it_began(client, facility, picker):
    job = pick_job(1, facility=facility)

    answer = client.post(reverse("picking:next-job", args=["here"]))

    assert answer.url == reverse("picking:job-detail", args=["here", job.pk])
    job.refresh_from_db()
    assert job.editor == picker


def test_button_says_that_nothing_waits(client):
    answer = client.post(reverse("picking:next-job", args=["here"]), follow=True)

    assert "Nothing to pick now" in answer.content.decode()


# The list


def found(client, **query):
    page = client.get(reverse("picking:job-list", args=["here"]), query, HTTP_HX_REQUEST="true")
    assert page.status_code == 200
    return list(page.context["page"])


def test_list_filters_by_zone(client, facility):
    cold, warm = (
        in_zone(pick_job(1, facility=facility), "Cold"),
        in_zone(pick_job(1, facility=facility), "Warm"),
    )

    assert found(client, zone=facility.zones.get(name="Cold").pk) == [cold]
    assert set(found(client)) == {cold, warm}


def test_list_filters_by_kind(client, facility):
    shipped = pick_job(1, facility=facility)

    assert found(client, kind="SHIPPING") == [shipped]
    assert found(client, kind="COLLECT") == []


def test_list_filters_by_the_carrier_that_the_order_prefers(client, facility):
    carrier = FacilityCarrierFactory(facility=facility).carrier
    other = FacilityCarrierFactory(facility=facility, carrier__key="other").carrier
    wanted = pick_job(1, facility=facility)
    order = wanted.order
    order.delivery_preferences = {"shipping": {"preferredCarriers": [carrier.key]}}
    order.save(update_fields=["delivery_preferences"])
    pick_job(1, facility=facility)

    assert found(client, carrier=carrier.pk) == [wanted]
    assert found(client, carrier=other.pk) == []


def test_list_filters_by_who_it_is_for(client, facility, picker, colleague):
    mine, theirs, free = (pick_job(1, facility=facility) for _number in range(3))
    plan(mine, users=[picker])
    plan(theirs, users=[colleague])

    assert found(client, whose="mine") == [mine]
    assert found(client, whose="nobody") == [free]


def test_list_finds_an_article_by_its_scanned_code(client, facility):
    job = pick_job(1, facility=facility)
    pick_job(1, facility=facility)

    assert found(client, q=code_of(job.lines.get())) == [job]
    assert found(client, q=job.short_id) == [job]


def test_list_says_why_a_job_was_put_aside(client, facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    PickJob.objects.filter(pk=job.pk).update(modified_at=timezone.now() - datetime.timedelta(hours=3))
    assignments.release_abandoned(now=timezone.now())

    page = client.get(reverse("picking:job-list", args=["here"]))

    assert "Nobody worked on it for 120 minutes" in page.content.decode()


def test_list_refreshes_by_its_fragment_alone(client, facility):
    pick_job(1, facility=facility)

    page = client.get(reverse("picking:job-list", args=["here"]), HTTP_HX_REQUEST="true")

    assert b"<html" not in page.content
    assert b'id="jobs"' in page.content
    assert b'id="next-work" hx-swap-oob="true"' in page.content


def test_list_needs_the_same_queries_for_one_and_for_three_assigned_jobs(client, facility, picker):
    counts = []
    for more in (1, 2):
        for _number in range(more):
            plan(pick_job(1, facility=facility), users=[picker])
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("picking:job-list", args=["here"]))
        counts.append(len(queries))

    assert counts[0] == counts[1]


def test_colleagues_see_who_it_is_for_and_supervisors_may_plan(client, facility, picker, colleague):
    job = plan(pick_job(1, facility=facility), users=[colleague])
    address = reverse("picking:job-plan", args=["here", job.pk])

    page = client.get(reverse("picking:job-list", args=["here"])).content.decode()
    client.force_login(staff("supervisor", facility))
    of_supervisor = client.get(reverse("picking:job-list", args=["here"])).content.decode()

    assert f"for {colleague}" in page
    assert address not in page
    assert address in of_supervisor
