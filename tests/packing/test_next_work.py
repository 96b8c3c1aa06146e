import pytest
from django.urls import reverse
from django.utils import timezone

from packing import next_work
from packing import services as packing
from packing.models import PackJob
from picking.models import PickJob
from tests.factories.core import staff
from tests.factories.packing import pack_job, started_pack_job

pytestmark = pytest.mark.django_db


def take(facility, user):
    return next_work.take(facility, by=user, now=timezone.now())


def test_taking_begins_the_job_of_the_highest_priority(facility, packer):
    pack_job(1, facility=facility)
    urgent = pack_job(1, facility=facility, number="2")
    PickJob.objects.filter(pk=urgent.pick_job_id).update(priority=2)

    assert take(facility, packer) == urgent
    urgent.refresh_from_db()
    assert (urgent.status, urgent.editor) == (PackJob.Status.IN_PROGRESS, packer)


def test_taking_goes_on_with_the_job_in_hand(facility, packer):
    pack_job(1, facility=facility)
    mine = started_pack_job(packer, 1, facility=facility, number="2")

    assert take(facility, packer) == mine
    assert PackJob.objects.filter(status=PackJob.Status.IN_PROGRESS).count() == 1


def test_taking_passes_over_what_lacks_data_for_customs(facility, packer, monkeypatch):
    first, second = pack_job(1, facility=facility), pack_job(1, facility=facility, number="2")
    PickJob.objects.filter(pk=first.pick_job_id).update(priority=2)
    monkeypatch.setattr(
        "packing.customs.missing",
        lambda job: [("Mug", ["origin"])] if job.pk == first.pk else [],
    )

    assert take(facility, packer) == second
    first.refresh_from_db()
    assert first.status == PackJob.Status.OPEN


def test_what_a_packer_put_aside_comes_last(facility, packer):
    aside = started_pack_job(packer, 1, facility=facility)
    packing.pause(aside.pk, by=packer, now=timezone.now())
    other = pack_job(1, facility=facility, number="2")

    assert list(next_work.waiting(facility, packer)) == [other, aside]


def test_what_is_meant_for_a_packer_comes_first_and_is_nobody_elses(facility, packer):
    colleague = staff("packer", facility)
    theirs, anybodys, mine = (pack_job(1, facility=facility, number=str(number)) for number in range(3))
    packing.assign(theirs.pk, [colleague], by=packer, now=timezone.now())
    packing.assign(mine.pk, [packer, colleague], by=packer, now=timezone.now())

    assert list(next_work.waiting(facility, packer)) == [mine, anybodys]
    assert list(next_work.waiting(facility, colleague)) == [theirs, mine, anybodys]


def test_button_opens_the_job_or_says_that_nothing_waits(client, facility, packer):
    client.force_login(packer)
    address = reverse("packing:next-job", args=[facility.slug])

    nothing = client.post(address, follow=True)
    job = pack_job(1, facility=facility)
    answer = client.post(address)

    assert "Nothing to pack now" in nothing.content.decode()
    assert answer.url == reverse("packing:job-detail", args=[facility.slug, job.pk])
