"""Labels and papers on their way to a printer."""

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Document, PrintJob
from fulfillment.core.services import documents, printing
from shipping import papers
from tests.factories.shipping import labelled, shipment, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client, packer):
    client.force_login(packer)
    return client


def station(facility, label_format="PDF", client=None):
    made, _secret = printing.create_station(facility, "Bench 1", label_format, now=timezone.now())
    if client is not None:
        client.post(reverse("core:print-here", args=["here"]), {"station": made.pk})
    return made


def address(name, *args):
    return reverse(f"shipping:{name}", args=["here", *args])


def test_everything_is_printed_at_the_station_with_one_press(client, facility):
    done = labelled(facility=facility)
    bench = station(facility, client=client)

    page = client.post(address("pack-print", done.package.job_id), follow=True)

    assert "5 documents go to Bench 1." in page.content.decode()
    jobs = PrintJob.objects.order_by("pk").select_related("document")
    assert {job.station for job in jobs} == {bench}
    assert [job.document.category for job in jobs] == [
        "SENDLABEL",
        "RETURNLABEL",
        "EXTERNAL",
        "DELIVERYNOTE",
        "RETURNNOTE",
    ]
    assert "data-print-form" not in page.content.decode()


def test_without_a_station_the_browser_gets_one_pdf_and_the_print_is_noted(client, facility):
    done = labelled(facility=facility)

    answer = client.post(address("pack-print", done.package.job_id))
    again = client.post(address("pack-print", done.package.job_id))

    assert answer.url == again.url == address("pack-documents", done.package.job_id)
    prints = PrintJob.objects.order_by("pk")
    assert [(job.state, job.station, job.is_reprint) for job in prints] == [
        *[("DONE", None, False)] * 5,
        *[("DONE", None, True)] * 5,
    ]
    assert client.get(answer.url).content == client.get(again.url).content
    page = client.get(reverse("core:print-list", args=["here"])).content.decode()
    assert page.count("Opened for printing") == 10
    assert "Printed" not in page


def test_one_document_is_printed_and_noted(client, facility, packer):
    done = labelled(facility=facility)

    answer = client.post(address("document-print", done.label_id), {"job": done.package.job_id})

    assert answer.url == address("document", done.label_id)
    assert client.get(answer.url).content == documents.read(done.label)
    assert PrintJob.objects.get().asked_by == packer


def test_label_printer_gets_our_own_labels_as_zpl_and_a_reprint_is_the_same(client, facility):
    done = labelled(facility=facility)
    station(facility, "ZPL", client)

    client.post(address("pack-print", done.package.job_id))
    client.post(address("pack-print", done.package.job_id))

    jobs = list(PrintJob.objects.order_by("pk").select_related("document"))
    labels, again = jobs[:2], jobs[5:7]
    assert [(job.document.format, job.document.template) for job in labels] == [
        ("ZPL", papers.ZPL_VERSION)
    ] * 2
    assert [job.document_id for job in labels] == [job.document_id for job in again]
    assert [job.is_reprint for job in jobs] == [False] * 5 + [True] * 5
    send, back = (documents.read(job.document).decode() for job in labels)
    assert done.code in send
    assert done.return_tracking_number in back
    assert labels[0].document.snapshot["number"] == done.tracking_number
    assert [job.document.format for job in jobs[2:5]] == ["PDF"] * 3


def test_label_is_printed_as_zpl_though_data_for_the_customs_were_lost_meanwhile(client, facility):
    done = labelled(facility=facility)
    done.shipment.recipient |= {"country": "CH", "postal_code": "8001"}
    done.shipment.save(update_fields=["recipient"])
    station(facility, "ZPL", client)

    answer = client.post(address("document-print", done.label_id))

    assert (answer.status_code, PrintJob.objects.get().document.format) == (302, "ZPL")


def test_labels_of_a_carrier_are_printed_as_it_sent_them(client, facility):
    done = labelled(facility=facility)
    Document.objects.filter(pk=done.label_id).update(template="")
    station(facility, "ZPL", client)

    client.post(address("document-print", done.label_id))

    assert PrintJob.objects.get().document == done.label


def test_nothing_is_printed_before_there_is_something(client, facility):
    waiting = shipment(facility=facility)

    assert client.post(address("pack-print", waiting.pick_job.pack_job.pk)).status_code == 404
    work()
    assert client.post(address("pack-print", waiting.pick_job.pack_job.pk)).status_code == 302
