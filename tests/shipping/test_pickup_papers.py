"""What is printed for goods that the customer collects."""

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Document
from fulfillment.core.services import documents
from shipping import notes, papers, pickup_papers, services
from shipping.events import GoodsReady
from shipping.models import Paper, PaperSettings
from tests.apiclient import Api
from tests.factories.core import staff
from tests.factories.shipping import collected, work

pytestmark = pytest.mark.django_db


def kinds(job):
    return [paper.kind for paper in job.pickup.papers.all()]


@pytest.mark.drawn
def test_slip_of_each_package_bears_its_code(facility, read_pdf):
    job = collected(2, facility=facility, packages=2)

    work()

    slip = job.pickup.papers.get(kind="PICKUP_SLIP")
    printed = read_pdf(documents.read(slip.document))
    first, second = job.pick_job.pack_job.packages.order_by("number")
    assert (printed.pages, printed.millimetres) == (2, (100, 150))
    assert printed.codes() == printed.codes(black_and_white=True) == {("Code 128", first.code, "]C0")}
    assert second.code in printed.text
    assert job.recipient_name in printed.text
    assert papers.redraw(slip) == documents.read(slip.document)


@pytest.mark.drawn
def test_unpaid_goods_say_so_and_a_long_name_stays_on_its_page(facility, read_pdf):
    job = collected(1, facility=facility)
    job.is_paid, job.recipient_name = False, "Annabelle " * 20
    job.save(update_fields=["is_paid", "recipient_name"])

    work()

    printed = read_pdf(documents.read(job.pickup.papers.get().document))
    assert printed.pages == 1
    assert "Not paid yet" in printed.text


def test_channel_chooses_what_is_printed(facility):
    slip = collected(1, facility=facility, number="1")
    work()
    chosen = PaperSettings.objects.create(kinds_to_collect=["PICKUP_SLIP", "DELIVERY_NOTE"])
    both = collected(1, facility=facility, number="2")
    work()
    chosen.kinds_to_collect = []
    chosen.save()
    none = collected(1, facility=facility, number="3")
    work()

    assert [kinds(job) for job in (slip, both, none)] == [
        ["PICKUP_SLIP"],
        ["PICKUP_SLIP", "DELIVERY_NOTE"],
        [],
    ]


@pytest.mark.drawn
def test_delivery_note_of_collected_goods_names_them(facility, read_pdf):
    PaperSettings.objects.create(kinds_to_collect=["DELIVERY_NOTE"])
    job = collected(2, facility=facility)
    work()

    note = job.pickup.papers.get().document

    assert note.category == Document.Category.DELIVERYNOTE
    text = read_pdf(documents.read(note)).text
    assert job.lines.get().title in text
    assert job.recipient_name in text


def test_papers_are_made_once(facility):
    job = collected(1, facility=facility)
    work()

    pickup_papers.make_papers(GoodsReady(job.pk))

    assert (Paper.objects.count(), Document.objects.count()) == (1, 1)


def cancel(job):
    services.cancel_handover(job.pk, "CONSUMER_NO_SHOW", by=None, now=timezone.now())


def test_no_papers_are_made_for_goods_that_nobody_will_collect(facility):
    job = collected(1, facility=facility)
    cancel(job)

    work()

    assert not Paper.objects.exists()


def test_papers_drawn_while_the_handover_is_cancelled_are_dropped(facility, monkeypatch):
    job = collected(1, facility=facility)
    draw = notes.render_pickup_slip
    monkeypatch.setattr(notes, "render_pickup_slip", lambda *given: (cancel(job), draw(*given))[1])

    work()

    assert not Paper.objects.exists()


def test_packer_prints_the_slip_and_the_clerk_prints_it_again(client, facility):
    client.force_login(staff("supervisor", facility))
    job = collected(1, facility=facility)
    pack_job = job.pick_job.pack_job
    done = reverse("shipping:pack-done", args=["here", pack_job.pk])

    waiting = client.get(done)
    work()
    ready = client.get(done)
    counter = client.get(reverse("shipping:handover-detail", args=["here", job.pk]))

    assert (waiting.context["is_waiting"], waiting.context["printable"]) == (True, [])
    slip = job.pickup.papers.get().document
    assert (ready.context["is_waiting"], ready.context["printable"]) == (False, [slip])
    assert reverse("shipping:document", args=["here", slip.pk]) in counter.content.decode()


def test_delivery_note_of_collected_goods_is_served(client, facility):
    PaperSettings.objects.create(kinds_to_collect=["DELIVERY_NOTE"])
    job = collected(1, facility=facility)
    api = Api(client)
    assert api.get(f"/api/pickjobs/{job.pick_job_id}/deliverynote").status_code == 404

    work()

    note = job.pickup.papers.get().document
    assert api.get(f"/api/pickjobs/{job.pick_job_id}/deliverynote").content == documents.read(note)
