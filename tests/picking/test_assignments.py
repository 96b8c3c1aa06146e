import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.errors import VersionConflict
from fulfillment.core.models import Role, StatusChange, User
from picking import assignments, runs
from picking import services as picking
from picking.assignments import HoldTooLate
from picking.models import PickingRules, PickJob, PickRun
from picking.services import InARun, JobHeld
from tests.factories.core import FacilityFactory, staff
from tests.factories.picking import pick_job, started_pick_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def supervisor(facility):
    return staff("supervisor", facility)


@pytest.fixture
def client(client, supervisor):
    client.force_login(supervisor)
    return client


def hold(job, **options):
    return assignments.hold(job.pk, **{"by": None, "now": timezone.now(), **options})


def last_change(job):
    return StatusChange.objects.filter(entity_id=job.pk).order_by("at", "pk").last()


def in_run(facility, *jobs):
    return runs.create(
        facility, [job.pk for job in jobs], "BATCH", is_by_rules=False, by=None, now=timezone.now()
    )


def left_alone(work, minutes):
    type(work).objects.filter(pk=work.pk).update(
        modified_at=timezone.now() - datetime.timedelta(minutes=minutes)
    )


# Who and how urgent


def test_plan_sets_people_and_priority_and_is_logged(facility, picker, supervisor):
    job = pick_job(facility=facility)

    assignments.plan(job.pk, users=[picker], priority=2, by=supervisor, now=timezone.now())

    before, job = job, PickJob.objects.get(pk=job.pk)
    assert list(job.assigned_users.all()) == [picker]
    assert (job.priority, job.version) == (PickJob.Priority.URGENT, before.version + 1)
    assert (last_change(job).action, last_change(job).by) == ("plan", supervisor)


def test_plan_refuses_what_changed_meanwhile(facility):
    job = pick_job(facility=facility)

    with pytest.raises(VersionConflict):
        assignments.plan(job.pk, users=[], priority=1, version=job.version - 1, by=None, now=timezone.now())


def test_pickers_are_those_who_may_pick_here(facility, picker, supervisor):
    everywhere, elsewhere = staff("supervisor"), staff("picker", FacilityFactory())
    packer = staff("packer", facility)
    Role.objects.filter(key="packer").update(permissions=["PACK"])
    owner = User.objects.create_superuser("owner@example.com", "a-long-password")
    gone = User.objects.create_superuser("gone@example.com", "a-long-password", is_active=False)

    found = set(assignments.pickers_at(facility))

    assert found == {picker, supervisor, everywhere, owner}
    assert not found & {elsewhere, packer, gone}


# Hold


def test_held_job_cannot_be_begun_nor_put_into_a_run(facility, picker):
    job = pick_job(facility=facility)

    hold(job, reason="The customer calls back")

    for step in (picking.start, picking.take_over):
        with pytest.raises(JobHeld):
            step(job.pk, by=picker, now=timezone.now())
    with pytest.raises(JobHeld):
        in_run(facility, job)
    job.refresh_from_db()
    assert (job.status, job.hold_reason) == (PickJob.Status.OPEN, "The customer calls back")
    assert (last_change(job).action, last_change(job).reason) == ("hold", "The customer calls back")


def test_hold_puts_a_job_in_progress_aside(facility, picker):
    job = started_pick_job(picker, facility=facility)

    hold(job)

    job.refresh_from_db()
    assert (job.status, job.is_held) == (PickJob.Status.PAUSED, True)


def test_hold_refuses_a_picked_job_and_one_in_a_run(facility, picker):
    picked = started_pick_job(picker, 1, facility=facility)
    count = picking.Count(picked.lines.get().pk, 1)
    picking.book(picked.pk, [count], by=picker, now=timezone.now())
    job = pick_job(facility=facility)
    in_run(facility, job)

    with pytest.raises(HoldTooLate):
        hold(picked)
    with pytest.raises(InARun):
        hold(job)
    assert not PickJob.objects.filter(is_held=True).exists()


def test_unhold_offers_it_again_once(facility, picker):
    job = pick_job(facility=facility)
    hold(job)

    for _time in range(2):
        assignments.unhold(job.pk, by=None, now=timezone.now())

    assert picking.start(job.pk, by=picker, now=timezone.now()).status == PickJob.Status.IN_PROGRESS
    assert StatusChange.objects.filter(entity_id=job.pk, action="unhold").count() == 1


# Abandoned work


def test_abandoned_job_is_put_aside_and_says_so(facility, picker):
    job = started_pick_job(picker, facility=facility)
    fresh = started_pick_job(picker, facility=facility)
    left_alone(job, 121)
    left_alone(fresh, 119)

    assert assignments.release_abandoned(now=timezone.now()) == 1

    job.refresh_from_db()
    fresh.refresh_from_db()
    assert (job.status, fresh.status) == (PickJob.Status.PAUSED, PickJob.Status.IN_PROGRESS)
    assert last_change(job).reason == "Nobody worked on it for 120 minutes"


def test_work_of_who_may_not_pick_any_more_is_put_aside_and_says_so(facility, picker, colleague):
    lost = started_pick_job(picker, facility=facility)
    run = in_run(facility, pick_job(facility=facility))
    runs.start(run.pk, by=picker, now=timezone.now())
    kept = started_pick_job(colleague, facility=facility)
    of_a_program = picking.start(pick_job(facility=facility).pk, by=None, now=timezone.now())
    PickingRules.objects.create(release_after_minutes=0)

    assert assignments.release_abandoned(now=timezone.now()) == 0
    picker.memberships.all().delete()
    assert assignments.release_abandoned(now=timezone.now()) == 2

    for work, status in (
        (lost, "PAUSED"),
        (run, "PAUSED"),
        (kept, "IN_PROGRESS"),
        (of_a_program, "IN_PROGRESS"),
    ):
        work.refresh_from_db()
        assert work.status == status
    assert last_change(lost).reason == f"{picker} may not pick here any more"


def test_work_stays_with_who_gets_the_permission_back_while_its_lock_is_waited_for(
    facility, picker, monkeypatch
):
    job = started_pick_job(picker, facility=facility)
    role = picker.memberships.get().role
    picker.memberships.all().delete()
    lock = picking.lock_for_status

    def lock_late(pk):
        locked = lock(pk)
        picker.memberships.create(facility=facility, role=role)
        return locked

    monkeypatch.setattr(picking, "lock_for_status", lock_late)

    assert assignments.release_abandoned(now=timezone.now()) == 0
    job.refresh_from_db()
    assert job.status == PickJob.Status.IN_PROGRESS


@pytest.mark.parametrize(("minutes", "released"), [(10, 1), (0, 0)])
def test_facility_says_how_long_it_waits(facility, picker, minutes, released):
    PickingRules.objects.create(release_after_minutes=60)
    PickingRules.objects.create(facility=facility, release_after_minutes=minutes)
    left_alone(started_pick_job(picker, facility=facility), 30)

    assert assignments.release_abandoned(now=timezone.now()) == released


def test_abandoned_run_is_put_aside_with_its_jobs(facility, picker):
    run = in_run(facility, pick_job(facility=facility), pick_job(facility=facility))
    runs.start(run.pk, by=picker, now=timezone.now())
    left_alone(run, 200)
    for job in PickJob.objects.all():
        left_alone(job, 200)

    assert assignments.release_abandoned(now=timezone.now()) == 1

    run.refresh_from_db()
    assert run.status == PickRun.Status.PAUSED
    assert set(PickJob.objects.values_list("status", flat=True)) == {"PAUSED"}
    assert last_change(run).reason == "Nobody worked on it for 120 minutes"


def test_job_of_a_run_in_work_is_left_alone(facility, picker):
    job = pick_job(facility=facility)
    run = in_run(facility, job)
    runs.start(run.pk, by=picker, now=timezone.now())
    left_alone(job, 200)

    assert assignments.release_abandoned(now=timezone.now()) == 0


# The page


def test_page_saves_people_and_priority(client, facility, picker):
    job = pick_job(facility=facility)
    data = {"users": [str(picker.pk)], "priority": "1", "version": job.version}

    answer = client.post(reverse("picking:job-assign", args=["here", job.pk]), data, follow=True)

    job.refresh_from_db()
    assert (job.priority, list(job.assigned_users.all())) == (1, [picker])
    assert f"{job}: saved." in answer.content.decode()


def test_page_does_not_assign_people_of_other_places(client, facility):
    stranger = staff("picker", FacilityFactory())
    job = pick_job(facility=facility)
    data = {"users": [str(stranger.pk)], "priority": "1", "version": job.version}

    client.post(reverse("picking:job-assign", args=["here", job.pk]), data)

    assert not job.assigned_users.exists()


def test_page_holds_and_offers_again(client, facility):
    job = pick_job(facility=facility)

    client.post(reverse("picking:job-hold", args=["here", job.pk]), {"reason": "Recall"})
    held = client.get(reverse("picking:job-plan", args=["here", job.pk])).content.decode()
    client.post(reverse("picking:job-unhold", args=["here", job.pk]))

    job.refresh_from_db()
    assert "Recall" in held
    assert "Offer it again" in held
    assert not job.is_held


def test_page_releases_a_job_from_its_picker(client, facility, picker, supervisor):
    job = started_pick_job(picker, facility=facility)

    client.post(reverse("picking:job-release", args=["here", job.pk]))

    job.refresh_from_db()
    assert job.status == PickJob.Status.PAUSED
    assert last_change(job).by == supervisor


def test_job_page_says_that_it_is_held(client, facility):
    job = pick_job(facility=facility)
    hold(job, reason="Recall")

    page = client.get(reverse("picking:job-detail", args=["here", job.pk])).content.decode()

    assert "This job is held: Recall" in page
    assert "Start picking" not in page
