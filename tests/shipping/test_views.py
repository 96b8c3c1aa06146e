import io
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from fulfillment.core.models import Document
from fulfillment.core.services import documents
from packing.models import PackJob
from picking.models import RestowItem
from shipping import booking, labels, loads, services, tracking
from shipping.carriers import Track
from shipping.events import ParcelRequested
from shipping.models import HandoverJob, Load, LoadedParcel, Parcel
from tests.carrierstub import PARCEL
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

    assert "Packed. The labels are being made" in text(before)
    assert 'hx-trigger="every 1s"' in before.content.decode()
    assert "Packed. The labels are ready" in text(after)
    waiting.refresh_from_db()
    assert f"{waiting.tracking_number} Parcel code {waiting.code}" in text(after)
    assert "hx-trigger" not in after.content.decode()
    assert "<html" not in after.content.decode()
    for document in Document.objects.all():
        assert address("document", document.pk) in after.content.decode()


def test_pack_done_leads_to_the_next_job(client, facility):
    done = packed(facility=facility)
    assert primaries(client.get(address("pack-done", done.pk))) == ["To the pack jobs"]

    pack_job(facility=facility, number="1002")

    assert primaries(client.get(address("pack-done", done.pk))) == ["Pack next: AS1"]
    assert (
        f'action="{reverse("packing:next-job", args=["here"])}"'
        in client.get(address("pack-done", done.pk)).content.decode()
    )


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

    assert primaries(bar) == ["Print all 8 documents"]
    assert address("pack-print", done.pick_job.pack_job.pk) in bar.content.decode()
    slips = [paper.document for paper in done.papers.all()]
    stored = [first.label, first.return_label, second.label, second.return_label, *slips]
    printed = [read_pdf(documents.read(paper)) for paper in stored]
    joined = read_pdf(answer.content)
    assert joined.pages == sum(paper.pages for paper in printed)
    assert joined.text == "\n".join(paper.text for paper in printed)
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "no-store" in answer.headers["Cache-Control"]
    assert Document.objects.count() == 8


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

    assert primaries(page) == ["Print all 4 documents"]
    assert read_pdf(answer.content).text.startswith(read_pdf(documents.read(done.return_label)).text)


def test_documents_of_another_facility_are_not_printed(client):
    done = labelled(facility=FacilityFactory(slug="there"))

    assert client.get(address("pack-documents", done.package.job_id)).status_code == 404


def test_pack_done_without_a_carrier_says_so(client, facility):
    asked = shipment(facility=facility, carrier="")

    page = client.get(address("pack-done", asked.pick_job.pack_job.pk))

    assert "Packed. No carrier delivers there" in text(page)


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
    data = page.context["correction_form"].data | {"house_number": "100"}
    again = client.post(address("parcel-request", failed.pk), data)
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
    assert set(answer.context["correction_form"].errors) >= {
        "weight_g",
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

    assert primaries(page) == [f"Save number and label {asked.shipment.short_id}"]
    assert refused.status_code == 422
    assert "up to 40 letters and digits" in text(refused)


def test_parcel_with_its_label_offers_to_print(client, facility):
    done = labelled(facility=facility)

    page = client.get(address("parcel-detail", done.pk))

    assert primaries(page) == ["Label"]
    assert done.tracking_number in text(page)
    assert "Booked" in text(page)


def test_warnings_of_a_label_are_told_in_the_language_of_the_reader(client, facility):
    done = labelled(facility=facility)
    done.warnings = ["No return label.", "100 % <b>full</b>"]
    done.save(update_fields=["warnings"])

    page = text(client.get(address("parcel-detail", done.pk), headers={"accept-language": "de"}))

    assert "Kein Retourenetikett." in page
    assert "100 % &lt;b&gt;full&lt;/b&gt;" in page


def test_name_with_markup_is_escaped_on_the_pages(client, facility):
    failed = parcel(facility=facility, address={"houseNumber": "REJECT", "lastName": "<script>x</script>"})
    work()

    assert "<script>x" not in client.get(address("parcel-detail", failed.pk)).content.decode()


# What carriers refuse


def test_problems_are_listed_with_the_words_of_the_carrier_beside_the_field(client, facility):
    failed = parcel(facility=facility, address={"houseNumber": "REJECT"})
    open_ = parcel(facility=facility, address={"houseNumber": "TIMEOUT"}, number="1002")
    work()
    parcel(facility=FacilityFactory(slug="there"), address={"houseNumber": "REJECT"}, number="1003")

    page = client.get(address("problem-list"))

    assert [problem["parcel"].pk for problem in page.context["problems"]] == [failed.pk, open_.pk]
    (bound,) = page.context["problems"][0]["form"].faulty
    assert (bound.name, bound.errors) == ("house_number", ["There is no such house."])
    assert "The carrier may have booked it" in text(page)
    assert "2 problems" in text(client.get(address("shipment-list")))


def test_problem_is_solved_in_the_list(client, facility):
    failed = parcel(facility=facility, address={"houseNumber": "REJECT"})
    work()
    form = client.get(address("problem-list")).context["problems"][0]["form"]

    answer = client.post(
        address("parcel-request", failed.pk),
        form.data | {"house_number": "100", "weight_g": "2500", "from_list": "1"},
    )
    work()

    assert answer.url == address("problem-list")
    failed.refresh_from_db()
    assert (failed.status, failed.weight_g, failed.shipment.recipient["house_number"]) == (
        "DONE",
        2500,
        "100",
    )
    assert "No problems" in text(client.get(address("problem-list")))


def test_list_of_problems_takes_the_same_queries_for_one_and_for_three(
    client, facility, django_assert_max_num_queries
):
    def fail(number):
        parcel(facility=facility, address={"houseNumber": "REJECT"}, number=number)
        work()

    fail("1")
    client.get(address("problem-list"))
    with django_assert_max_num_queries(30) as one:
        client.get(address("problem-list"))
    fail("2")
    fail("3")

    with django_assert_max_num_queries(len(one)):
        client.get(address("problem-list"))


@pytest.mark.parametrize("house_number", ["REJECT", "TIMEOUT"])
def test_second_booking_needs_the_click_of_a_person(client, facility, house_number):
    asked = parcel(facility=facility, address={"houseNumber": house_number})
    work()
    client.get(address("problem-list"))
    client.get(address("parcel-detail", asked.pk))
    work()

    assert asked.attempts.count() == 1
    data = client.get(address("parcel-detail", asked.pk)).context["correction_form"].data
    client.post(address("parcel-request", asked.pk), data | {"house_number": "1"})
    work()
    assert asked.attempts.count() == 2


def pdf_file(data=None, name="label.pdf"):
    return SimpleUploadedFile(name, data or labels.render_label(PARCEL, "3SABC"))


@pytest.mark.drawn
def test_label_of_the_carrier_is_uploaded_with_its_number_and_sent_as_attachment(client, facility):
    asked = parcel(facility=facility, carrier="manual")
    work()
    file = pdf_file()

    client.post(address("parcel-number", asked.pk), {"number": "3SABC", "label": file})

    asked.refresh_from_db()
    assert (asked.status, asked.tracking_number, asked.return_label) == ("DONE", "3SABC", None)
    assert set(asked.scan_codes) == {"P0123456789A", "3SABC"}
    answer = client.get(address("document", asked.label_id))
    assert answer["Content-Disposition"].startswith("attachment;")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer.content.startswith(b"%PDF")


def test_picture_of_a_label_becomes_a_pdf(client, facility):
    asked = parcel(facility=facility, carrier="manual")
    work()
    picture = io.BytesIO()
    Image.new("RGB", (800, 1200), "white").save(picture, "PNG")

    client.post(
        address("parcel-number", asked.pk),
        {"number": "3SABC", "label": pdf_file(picture.getvalue(), "x.png")},
    )

    asked.refresh_from_db()
    assert documents.read(asked.label).startswith(b"%PDF")


@pytest.mark.parametrize(
    "data",
    [b"<html><script>alert(1)</script>", b"%PDF-1.7 broken", b"MZ\x90", b"^XA no end", b"GIF89a nonsense"],
)
def test_upload_that_is_no_label_is_refused_by_its_content(client, facility, data):
    asked = parcel(facility=facility, carrier="manual")
    work()

    answer = client.post(
        address("parcel-number", asked.pk), {"number": "3SABC", "label": pdf_file(data, "label.pdf")}
    )

    assert answer.status_code == 422
    assert "The file is no label" in text(answer)
    asked.refresh_from_db()
    assert asked.status == "WAITING_FOR_INPUT"


def test_upload_that_is_too_large_is_refused(client, facility):
    asked = parcel(facility=facility, carrier="manual")
    work()

    answer = client.post(
        address("parcel-number", asked.pk),
        {"number": "3SABC", "label": pdf_file(b"%PDF-" + b"0" * (5 * 1024 * 1024))},
    )

    assert answer.status_code == 422
    assert "more than 5 MB" in text(answer)


def test_label_is_cancelled_on_its_page_until_the_day_is_closed(client, facility):
    done = labelled(facility=facility)
    assert "Cancel the label" in text(client.get(address("parcel-detail", done.pk)))

    answer = client.post(address("parcel-cancel", done.pk), follow=True)

    done.refresh_from_db()
    assert done.status == "CANCELED"
    assert "Request labels" in text(answer)
    closed = labelled(facility=facility, number="1002")
    Parcel.objects.filter(pk=closed.pk).update(manifested_at=timezone.now())
    page = text(client.get(address("parcel-detail", closed.pk)))
    assert "can no longer be cancelled" in page
    assert "The carrier is told" not in page
    refused = client.post(address("parcel-cancel", closed.pk), follow=True)
    assert "is closed at the carrier" in text(refused)


def test_way_of_a_parcel_is_shown(client, facility):
    done = labelled(facility=facility)
    tracks = [Track(done.tracking_number, "out_for_delivery", timezone.now(), description="On the van")]
    tracking.record(done.pk, tracks, "POLL", by=None, now=timezone.now())

    page = text(client.get(address("parcel-detail", done.pk)))

    assert "Out for delivery" in page
    assert "On the van" in page


def test_packer_sees_how_many_labels_are_ready(client, facility):
    asked = shipment(2, facility=facility, packages=2)
    first, _second = asked.parcels.order_by("package__number")
    booking.book_parcel(ParcelRequested(first.pk))
    pack_job = asked.pick_job.pack_job

    page = client.get(address("pack-done", pack_job.pk))

    assert "1 of 2" in text(page)
    assert "You can go on with the next job." in text(page)


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
    assert primaries(page) == ["Load or find"]


@pytest.mark.parametrize("what", ["code", "tracking_number"])
def test_scanned_parcel_goes_onto_the_load_of_its_carrier(client, facility, what):
    done = labelled(facility=facility)

    answer = client.post(address("handover-scan"), {"code": getattr(done, what)}, follow=True)

    load = Load.objects.get()
    assert answer.redirect_chain[-1][0] == address("load-detail", load.pk)
    assert f"{done.tracking_number} is loaded." in text(answer)
    assert (load.carrier, load.loaded.get().parcel) == (done.carrier, done)
    # Nothing has left before the driver signs for it.
    assert HandoverJob.objects.get().status == "OPEN"


def test_scanned_parcel_joins_the_load_that_is_open(client, facility, packer):
    done = labelled(facility=facility)
    load = loads.open_load(facility, done.carrier, by=packer, now=timezone.now())

    client.post(address("handover-scan"), {"code": done.code})

    assert load.loaded.get().parcel == done


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
    assert not Load.objects.exists()


def test_parcel_without_a_label_is_not_loaded(client, facility):
    waiting = parcel(facility=facility)

    answer = client.post(address("handover-scan"), {"code": waiting.code}, follow=True)

    assert "is not ready" in text(answer)


def test_no_load_is_opened_for_a_parcel_that_is_gone(client, facility, packer):
    done = labelled(facility=facility)
    services.hand_over(HandoverJob.objects.get().pk, by=packer, now=timezone.now())

    answer = client.post(address("handover-scan"), {"code": done.code}, follow=True)

    assert "was handed over already" in text(answer)
    assert not Load.objects.exists()


def test_parcel_scanned_twice_is_loaded_once(client, facility):
    done = labelled(facility=facility)
    client.post(address("handover-scan"), {"code": done.code})

    again = client.post(address("handover-scan"), {"code": done.code}, follow=True)

    assert "is on this load already" in text(again)
    assert again.redirect_chain[-1][0] == address("load-detail", Load.objects.get().pk)
    assert LoadedParcel.objects.count() == 1


def test_list_of_handovers_survives_any_question(client, facility):
    labelled(facility=facility)

    assert [client.get(address("handover-list"), {"q": text}).status_code for text in ("\0", "x" * 999)] == [
        200,
        200,
    ]


def test_list_says_what_is_loaded_already(client, facility):
    done = labelled(facility=facility)
    before = text(client.get(address("handover-list")))
    client.post(address("handover-scan"), {"code": done.code})

    after = text(client.get(address("handover-list")))

    assert ("Loaded" in before, "Loaded" in after) == (False, True)


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


def test_unpaid_goods_are_handed_over_with_a_confirmation_beside_the_price(client, facility):
    job = collected(2, facility=facility)
    HandoverJob.objects.update(is_paid=False)
    order = job.order
    order.extra = {"paymentInfo": {"currency": "EUR"}}
    order.save(update_fields=["extra"])
    order.lines.update(wire={"shopPrice": 19.95})

    page = text(client.get(address("handover-detail", job.pk)))
    without = client.post(address("handover-confirm", job.pk))
    client.post(address("handover-confirm", job.pk), {"is_payment_taken": "on"})

    assert "The goods cost 39.90 EUR" in page
    assert "I have taken the payment" in page
    assert without.status_code == 422
    assert "Take the payment and confirm it" in text(without)
    job.refresh_from_db()
    assert job.status == "HANDED_OVER"
    assert "Not paid yet" not in text(client.get(address("handover-detail", job.pk)))


def test_price_is_not_named_when_the_order_does_not_tell_it(client, facility):
    job = collected(2, facility=facility)
    HandoverJob.objects.update(is_paid=False)

    assert "The goods cost" not in text(client.get(address("handover-detail", job.pk)))


def test_page_of_a_handover_reads_its_lines_once(client, facility):
    job = collected(2, 1, facility=facility)

    with CaptureQueriesContext(connection) as queries:
        client.get(address("handover-detail", job.pk))

    assert sum('FROM "shipping_handoverline"' in query["sql"] for query in queries) == 1


def test_paid_goods_ask_for_no_payment(client, facility):
    job = collected(facility=facility)

    assert "I have taken the payment" not in text(client.get(address("handover-detail", job.pk)))


def test_handover_that_waits_for_a_decision_goes_on_by_a_click(client, facility, packer):
    job = collected(facility=facility)
    services.wait_for_input(job.pk, by=packer, now=timezone.now())

    page = client.get(address("handover-detail", job.pk))
    client.post(address("handover-go-on", job.pk))

    assert "This waits for a decision" in text(page)
    assert primaries(page) == []
    job.refresh_from_db()
    assert job.status == "OPEN"


def test_no_show_is_cancelled(client, facility):
    job = collected(facility=facility)

    client.post(address("handover-cancel", job.pk), {"reason": "CONSUMER_NO_SHOW"})

    job.refresh_from_db()
    assert (job.status, job.cancel_reason) == ("CANCELED", "CONSUMER_NO_SHOW")


def test_goods_that_nobody_collects_are_work_for_somebody(client, facility):
    job = collected(2, facility=facility)

    client.post(address("handover-cancel", job.pk), {"reason": "CONSUMER_NO_SHOW"})

    item = RestowItem.objects.get()
    assert (item.quantity, item.reason, item.facility) == (2, "NOT_COLLECTED", facility)


def test_goods_that_the_customer_refuses_come_back_until_the_handover_is_taken_back(facility, packer):
    job = collected(2, facility=facility)
    line = job.lines.get()
    services.hand_over(job.pk, refused={line.pk: (1, "Scratched")}, by=packer, now=timezone.now())
    item = RestowItem.objects.get()
    assert (item.quantity, item.reason, item.status) == (1, "REFUSED", "OPEN")

    services.revert(job.pk, reason="Wrong customer", by=packer, now=timezone.now())

    item.refresh_from_db()
    assert item.status == "CANCELED"


@pytest.mark.parametrize("name", ["handover-cancel", "handover-revert"])
def test_step_without_a_reason_is_asked_again(client, facility, packer, name):
    job = collected(facility=facility)
    if name == "handover-revert":
        services.hand_over(job.pk, by=packer, now=timezone.now())

    response = client.post(address(name, job.pk), {"reason": ""})

    assert response.status_code == 422
    assert "This field is required." in text(response)


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

    assert not Load.objects.exists()
    assert Parcel.objects.get().version == done.version


def test_picker_does_not_hand_over(client, facility):
    client.force_login(staff("picker", facility))

    assert client.get(address("handover-list")).status_code == 403


def test_supervisor_says_who_hands_over_and_the_list_shows_it(client, facility, packer):
    job = collected(1, facility=facility)
    assert "Who does this?" not in text(client.get(address("handover-detail", job.pk)))
    client.force_login(staff("supervisor", facility))
    page = text(client.get(address("handover-detail", job.pk)))

    client.post(address("handover-assign", job.pk), {"users": [packer.pk], "version": job.version})

    assert "Who does this?" in page
    assert list(job.assigned_users.all()) == [packer]
    assert f"for {packer}" in text(client.get(address("handover-list")))
