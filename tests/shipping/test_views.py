import re

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Document
from fulfillment.core.services import documents
from packing.models import PackJob
from shipping import services
from shipping.models import HandoverJob, Parcel
from tests.factories.core import FacilityCarrierFactory, FacilityFactory, staff
from tests.factories.packing import pack_job, started_pack_job
from tests.factories.shipping import collected, labelled, packed, parcel, shipment, work

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def client(client, packer):
    client.force_login(packer)
    return client


def address(name, *args):
    return reverse(f"shipping:{name}", args=["here", *args])


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def primaries(response):
    """The words of the primary buttons and links of the page."""
    found = re.findall(
        r"<(button|a)\b[^>]*class=\"btn[^\"]* ?btn-primary[^>]*>(.*?)</\1>",
        response.content.decode(),
        re.DOTALL,
    )
    return [" ".join(re.sub(r"<[^>]+>", "", words).split()) for _tag, words in found]


# After packing


def test_pack_done_waits_for_the_labels_and_then_offers_them(client, facility):
    waiting = parcel(facility=facility)
    page = address("pack-done", waiting.package.job_id)

    before = client.get(page)
    work()
    after = client.get(page, **HTMX)

    assert "The labels are being made" in text(before)
    assert 'hx-trigger="every 1s"' in before.content.decode()
    assert "The labels are ready" in text(after)
    assert "hx-trigger" not in after.content.decode()
    assert "<html" not in after.content.decode()
    for document in Document.objects.all():
        assert address("document", document.pk) in after.content.decode()


def test_pack_done_leads_to_the_next_job(client, facility):
    done = packed(facility=facility)
    assert primaries(client.get(address("pack-done", done.pk))) == ["To the pack jobs"]

    pack_job(facility=facility, number="1002")

    assert primaries(client.get(address("pack-done", done.pk))) == ["Pack next: AS1"]


def test_pack_done_does_not_lead_to_what_a_colleague_packs(client, facility, packer):
    done = packed(facility=facility)
    started_pack_job(staff("packer", facility), facility=facility, number="1002")
    assert primaries(client.get(address("pack-done", done.pk))) == ["To the pack jobs"]

    started_pack_job(packer, facility=facility, number="1003")

    assert primaries(client.get(address("pack-done", done.pk))) == ["Pack next: AS1"]


def test_pack_done_says_what_became_of_it(client, facility):
    rejected = parcel(facility=facility, address={"houseNumber": "REJECT"})
    work()
    job = collected(facility=facility, number="1002")
    pick_up = PackJob.objects.get(pick_job=job.pick_job_id)

    page = client.get(address("pack-done", rejected.package.job_id))

    assert "The address does not exist." in text(page)
    assert address("parcel-detail", rejected.pk) in page.content.decode()
    assert "Put it where customers collect" in text(client.get(address("pack-done", pick_up.pk)))


def test_all_documents_are_printed_at_once_as_they_are_stored(client, facility, read_pdf):
    done = shipment(facility=facility, packages=2)
    page = address("pack-done", done.pick_job.pack_job.pk)
    papers = address("pack-documents", done.pick_job.pack_job.pk)
    assert primaries(client.get(page)) == ["To the pack jobs"]
    assert client.get(papers).status_code == 404
    work()
    first, second = done.parcels.all()
    done.refresh_from_db()

    bar = client.get(page, **HTMX)
    answer = client.get(papers)

    assert primaries(bar) == ["Print all 5 documents"]
    assert f'data-print="{papers}"' in bar.content.decode()
    stored = [first.label, first.return_label, second.label, second.return_label, done.delivery_note]
    printed = [read_pdf(documents.read(paper)) for paper in stored]
    joined = read_pdf(answer.content)
    assert joined.pages == sum(paper.pages for paper in printed)
    assert joined.text == "\n".join(paper.text for paper in printed)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "no-store" in answer.headers["Cache-Control"]
    assert Document.objects.count() == 5


def test_papers_are_not_joined_before_the_last_label_is_there(client, facility):
    done = shipment(facility=facility, packages=2)
    work()
    Parcel.objects.filter(pk=done.parcels.last().pk).update(status="PROCESSING")

    page = client.get(address("pack-done", done.pick_job.pack_job.pk))

    assert primaries(page) == ["To the pack jobs"]


def test_label_for_a_label_printer_is_left_out_of_the_pdf(client, facility, read_pdf):
    done = labelled(facility=facility)
    Document.objects.filter(pk=done.label_id).update(format="ZPL")

    page = client.get(address("pack-done", done.package.job_id))
    answer = client.get(address("pack-documents", done.package.job_id))

    assert primaries(page) == ["Print all 2 documents"]
    assert read_pdf(answer.content).text.startswith(read_pdf(documents.read(done.return_label)).text)


def test_documents_of_another_facility_are_not_printed(client):
    done = labelled(facility=FacilityFactory(slug="there"))

    assert client.get(address("pack-documents", done.package.job_id)).status_code == 404


def test_pack_done_without_a_carrier_says_so(client, facility):
    asked = shipment(facility=facility, carrier="")

    page = client.get(address("pack-done", asked.pick_job.pack_job.pk))

    assert "No carrier delivers there" in text(page)


# Shipments and parcels


def test_shipments_with_a_problem_come_first(client, facility):
    shipment(facility=facility, number="1001")
    failed = shipment(facility=facility, number="1002", address={"houseNumber": "REJECT"})
    work()

    page = client.get(address("shipment-list"))

    assert [row.order.tenant_order_id for row in page.context["page"]] == ["1002", "1001"]
    assert address("parcel-detail", failed.parcels.get().pk) in page.content.decode()


@pytest.mark.parametrize("search", ["1002", "tracking", "code", "Smit"])
def test_shipments_are_found(client, facility, search):
    labelled(facility=facility, number="1001")
    other = labelled(facility=facility, number="1002")
    other.order.recipient_name = "Bea Smit-Jansen"
    other.order.save(update_fields=["recipient_name"])
    words = {"tracking": other.tracking_number, "code": other.code, "Smit": "smit-jansen"}.get(search, search)

    page = client.get(address("shipment-list"), {"q": words})

    assert [row.pk for row in page.context["page"]] == [other.shipment_id]


def test_shipments_are_filtered_by_status(client, facility):
    labelled(facility=facility, number="1001")
    waiting = shipment(facility=facility, number="1002")

    page = client.get(address("shipment-list"), {"status": "REQUEST"})

    assert [row.pk for row in page.context["page"]] == [waiting.pk]
    assert "No shipments" in text(client.get(address("shipment-list"), {"status": "COMPLETED"}))


@pytest.mark.parametrize("name", ["shipment-list", "handover-list"])
def test_list_needs_the_same_queries_for_one_and_for_three(
    client, facility, name, django_assert_num_queries, django_assert_max_num_queries
):
    labelled(facility=facility, number="1")
    client.get(address(name))
    with django_assert_max_num_queries(12) as queries:
        client.get(address(name))
    labelled(facility=facility, number="2")
    labelled(facility=facility, number="3")

    with django_assert_num_queries(len(queries)):
        client.get(address(name))


def test_labels_are_requested_when_a_carrier_was_added(client, facility):
    asked = shipment(facility=facility, carrier="")

    refused = client.post(address("shipment-request", asked.pk), follow=True)
    FacilityCarrierFactory(facility=facility)
    client.post(address("shipment-request", asked.pk))

    assert "No active carrier" in text(refused)
    asked.refresh_from_db()
    assert asked.status == "REQUEST"


def test_rejected_parcel_shows_the_problem_beside_its_field_and_is_booked_again(client, facility):
    failed = parcel(facility=facility, address={"houseNumber": "REJECT"})
    work()

    page = client.get(address("parcel-detail", failed.pk))
    data = page.context["recipient_form"].initial | {"house_number": "100"}
    again = client.post(address("parcel-request", failed.pk), {key: data[key] or "" for key in data})
    work()

    assert "There is no such house." in text(page)
    assert primaries(page) == ["Book again"]
    assert again.url == address("parcel-detail", failed.pk)
    failed.refresh_from_db()
    assert failed.status == "DONE"
    assert "100" in text(client.get(address("parcel-detail", failed.pk)))


def test_address_that_cannot_be_stays_in_the_form(client, facility):
    failed = parcel(facility=facility, address={"houseNumber": "REJECT"})
    work()

    answer = client.post(address("parcel-request", failed.pk), {"street": "S" * 51, "country": "XX"})

    assert answer.status_code == 422
    assert set(answer.context["recipient_form"].errors) >= {
        "street",
        "postal_code",
        "city",
        "country",
        "last_name",
    }
    failed.refresh_from_db()
    assert failed.status == "FAILED"


def test_unknown_outcome_warns_of_a_second_booking(client, facility):
    asked = parcel(facility=facility, address={"houseNumber": "TIMEOUT"})
    work()

    assert "The carrier may have booked it" in text(client.get(address("parcel-detail", asked.pk)))


@pytest.mark.parametrize("house_number", ["REJECT", "TIMEOUT"])
def test_number_is_typed_in_place_of_a_booking(client, facility, house_number):
    asked = parcel(facility=facility, address={"houseNumber": house_number})
    work()

    answer = client.post(address("parcel-number", asked.pk), {"number": "3SABC"})

    assert answer.url == address("parcel-detail", asked.pk)
    asked.refresh_from_db()
    assert (asked.status, asked.tracking_number) == ("DONE", "3SABC")


def test_manual_parcel_asks_for_its_number_only(client, facility):
    asked = parcel(facility=facility, carrier="manual")
    work()

    page = client.get(address("parcel-detail", asked.pk))
    refused = client.post(address("parcel-number", asked.pk), {"number": "Ü"})

    assert primaries(page) == ["Save number and make the label"]
    assert refused.status_code == 422
    assert "up to 40 letters and digits" in text(refused)


def test_parcel_with_its_label_offers_to_print(client, facility):
    done = labelled(facility=facility)

    page = client.get(address("parcel-detail", done.pk))

    assert primaries(page) == ["Label"]
    assert done.tracking_number in text(page)
    assert "Booked" in text(page)


def test_name_with_markup_is_escaped_on_the_pages(client, facility):
    failed = parcel(facility=facility, address={"houseNumber": "REJECT", "lastName": "<script>x</script>"})
    work()

    assert "<script>x" not in client.get(address("parcel-detail", failed.pk)).content.decode()


# Documents


def test_document_is_sent_as_stored_and_never_cached(client, facility):
    label = labelled(facility=facility).label

    first, second = (client.get(address("document", label.pk)) for _time in range(2))

    assert first.content == second.content == documents.read(label)
    assert first["Content-Type"] == "application/pdf"
    assert first["Content-Disposition"] == f'inline; filename="{label.name}"'
    assert first["Cache-Control"] == "private, no-store"
    assert first["X-Content-Type-Options"] == "nosniff"


def test_document_with_quotes_in_the_order_number_is_sent(client, facility):
    note = labelled(facility=facility, number='A"; x\r\nSet-Cookie: ä').shipment.delivery_note

    answer = client.get(address("document", note.pk))

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_document_of_another_facility_is_not_found(client):
    label = labelled(facility=FacilityFactory(slug="there")).label

    assert client.get(address("document", label.pk)).status_code == 404


# Handover


def test_handovers_are_grouped_by_carrier_and_for_customers(client, facility):
    done = labelled(facility=facility, number="1001")
    collected(facility=facility, number="1002")

    page = client.get(address("handover-list"))

    [(carrier, jobs)] = page.context["handovers"].by_carrier
    assert (carrier.key, [job.parcel for job in jobs]) == ("demo", [done])
    assert [str(job.order) for job in page.context["handovers"].to_customers] == ["1002"]
    assert primaries(page) == ["Hand over"]


@pytest.mark.parametrize("what", ["code", "tracking_number"])
def test_scanned_parcel_is_handed_over(client, facility, what):
    done = labelled(facility=facility)

    answer = client.post(address("handover-scan"), {"code": getattr(done, what)}, follow=True)

    assert "is handed over to the carrier" in text(answer)
    assert HandoverJob.objects.get().status == "HANDED_OVER"


@pytest.mark.parametrize("make", [labelled, collected])
def test_short_id_opens_the_handover_without_doing_it(client, facility, make):
    make(facility=facility)
    job = HandoverJob.objects.get()

    answer = client.post(address("handover-scan"), {"code": "as1"})

    assert answer.url == address("handover-detail", job.pk)
    job.refresh_from_db()
    assert job.status == "OPEN"


def test_short_id_of_several_parcels_lists_them(client, facility):
    shipment(2, facility=facility, packages=2)
    work()

    answer = client.post(address("handover-scan"), {"code": "AS1"})

    assert answer.url == address("handover-list") + "?q=AS1"


@pytest.mark.parametrize(
    ("code", "words"), [("P999", "No parcel here has the code P999"), ("", "Scan or type a code")]
)
def test_code_nobody_knows_hands_nothing_over(client, facility, code, words):
    labelled(facility=facility)

    answer = client.post(address("handover-scan"), {"code": code}, follow=True)

    assert words in text(answer)
    assert HandoverJob.objects.get().status == "OPEN"


def test_parcel_without_a_label_is_not_handed_over(client, facility):
    waiting = parcel(facility=facility)

    answer = client.post(address("handover-scan"), {"code": waiting.code}, follow=True)

    assert "is not ready" in text(answer)


def test_parcel_scanned_twice_is_handed_over_once(client, facility):
    done = labelled(facility=facility)
    client.post(address("handover-scan"), {"code": done.code})

    again = client.post(address("handover-scan"), {"code": done.code}, follow=True)

    assert "Handed over" in text(again)
    assert HandoverJob.objects.get().version == 2


def test_parcel_is_handed_over_by_a_click(client, facility):
    labelled(facility=facility)
    job = HandoverJob.objects.get()

    page = client.get(address("handover-detail", job.pk))
    client.post(address("handover-confirm", job.pk))

    assert primaries(page) == ["Hand over to the carrier"]
    job.refresh_from_db()
    assert job.status == "HANDED_OVER"


def test_customer_refuses_with_a_reason(client, facility):
    job = collected(2, facility=facility)
    line = job.lines.get()

    without = client.post(address("handover-confirm", job.pk), {f"units-{line.pk}": "1"})
    client.post(
        address("handover-confirm", job.pk), {f"units-{line.pk}": "1", f"reason-{line.pk}": "scratched"}
    )

    assert without.status_code == 422
    assert "Say why." in text(without)
    line.refresh_from_db()
    assert line.handed_over == 1
    assert "scratched" in text(client.get(address("handover-detail", job.pk)))


def test_unpaid_order_says_so_before_it_is_handed_over(client, facility):
    job = collected(facility=facility)
    HandoverJob.objects.update(is_paid=False)

    assert "Not paid yet" in text(client.get(address("handover-detail", job.pk)))
    assert "Not paid" in text(client.get(address("handover-list")))


def test_no_show_is_cancelled(client, facility):
    job = collected(facility=facility)

    client.post(address("handover-cancel", job.pk), {"reason": "CONSUMER_NO_SHOW"})

    job.refresh_from_db()
    assert (job.status, job.cancel_reason) == ("CANCELED", "CONSUMER_NO_SHOW")


def test_handover_is_taken_back(client, facility, packer):
    labelled(facility=facility)
    job = HandoverJob.objects.get()
    services.hand_over(job.pk, by=packer, now=timezone.now())

    page = client.get(address("handover-detail", job.pk))
    client.post(address("handover-revert", job.pk), {"reason": "wrong lorry"})

    assert "Take back" in text(page)
    job.refresh_from_db()
    assert job.status == "OPEN"


def test_parcel_of_another_facility_is_not_touched(client):
    done = labelled(facility=FacilityFactory(slug="there"))

    for page in ("parcel-request", "parcel-number"):
        assert client.post(address(page, done.pk)).status_code == 404
    client.post(address("handover-scan"), {"code": done.code})

    assert HandoverJob.objects.get().status == "OPEN"
    assert Parcel.objects.get().version == done.version


def test_picker_does_not_hand_over(client, facility):
    client.force_login(staff("picker", facility))

    assert client.get(address("handover-list")).status_code == 403
