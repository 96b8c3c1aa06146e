import base64
import io

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from PIL import Image

from fulfillment.core.codes import is_own_code
from fulfillment.core.models import Article, Channel, Document
from fulfillment.core.outbox import RetryLater
from fulfillment.core.services import documents
from orders.models import Order, OrderLine
from orders.services import records
from shipping import external, papers, services
from shipping.carriers import Doc
from shipping.events import ShipmentConfirmed
from shipping.models import Paper, PaperRule, PaperSettings, PaperText, Parcel, Shipment
from shipping.queries import papers_of, printable
from tests.factories.core import ArticleFactory
from tests.factories.shipping import labelled, parcel, shipment, work

pytestmark = pytest.mark.django_db
SWISS = {"country": "CH", "city": "Zürich", "postalCode": "8001"}


def png(size=(40, 20)):
    target = io.BytesIO()
    Image.new("RGB", size, "red").save(target, "PNG")
    return target.getvalue()


def declared(**fields):
    """An article that customs know everything of."""
    return ArticleFactory(
        **{
            "title": "Mug",
            "weight_g": 300,
            "customs_description": "Stoneware mug for hot drinks",
            "hs_code": "691200",
            "origin_country": "PT",
            "customs_value": "12.50",
            "customs_currency": "EUR",
            **fields,
        }
    )


def kinds(sent):
    return [(paper.kind, paper.parcel and paper.parcel.package.number) for paper in sent.papers.all()]


def text_of(sent, kind, read_pdf):
    return read_pdf(documents.read(sent.papers.filter(kind=kind).first().document)).text


def test_papers_are_made_when_the_last_label_is_there(facility):
    sent = shipment(2, 1, facility=facility, packages=2)
    assert not sent.papers.exists()

    work()

    sent.refresh_from_db()
    assert kinds(sent) == [
        ("PACKING_SLIP", 1),
        ("PACKING_SLIP", 2),
        ("DELIVERY_NOTE", None),
        ("RETURN_SLIP", None),
    ]
    assert sent.delivery_note == sent.papers.get(kind="DELIVERY_NOTE").document
    assert is_own_code(sent.return_code, "R")
    assert sent.papers_made_at is not None


def test_papers_are_made_once(facility):
    sent = labelled(facility=facility).shipment
    before = set(Document.objects.values_list("pk", "sha256"))

    papers.make_papers(ShipmentConfirmed(shipment_id=sent.pk))

    assert set(Document.objects.values_list("pk", "sha256")) == before
    with pytest.raises(IntegrityError), transaction.atomic():
        Paper.objects.create(shipment=sent, kind="DELIVERY_NOTE", document=sent.delivery_note)


def made_again(parcel):
    """The parcel that takes the place of this one when its label is cancelled and another is asked for."""
    who = {"by": None, "now": timezone.now()}
    services.cancel_parcel(parcel.pk, **who)
    services.correct_recipient(parcel.shipment_id, {"street": "Herengracht"}, **who)
    services.request_labels(parcel.shipment_id, **who)
    work()
    return Parcel.objects.live().get(package=parcel.package)


@pytest.mark.drawn
def test_label_that_is_made_again_gets_papers_that_name_it(facility, read_pdf):
    first = labelled(facility=facility)
    sent = Shipment.objects.get()
    note, code = sent.delivery_note, sent.return_code
    bytes_before = documents.read(note)

    second = made_again(first)

    sent.refresh_from_db()
    assert sent.delivery_note != note
    assert "Herengracht" in read_pdf(documents.read(sent.delivery_note)).text
    slip = papers_of(sent)[0]
    assert second.code in read_pdf(documents.read(slip.document)).text
    assert [(paper.kind, paper.parcel) for paper in papers_of(sent)] == [
        ("PACKING_SLIP", second),
        ("DELIVERY_NOTE", None),
        ("RETURN_SLIP", None),
    ]
    assert sent.return_code == code
    # What was printed before stays as it was.
    assert documents.read(note) == bytes_before
    assert "Keizersgracht" in read_pdf(bytes_before).text
    assert sent.papers.count() == 6


def test_cancelled_label_leaves_no_paper_to_print(facility):
    first = labelled(facility=facility)

    services.cancel_parcel(first.pk, by=None, now=timezone.now())

    sent = Shipment.objects.get()
    assert printable(sent, list(sent.parcels.live())) == []
    papers.make_papers(ShipmentConfirmed(shipment_id=sent.pk))
    assert papers_of(sent) == []


def test_papers_of_a_shipment_that_changed_while_they_were_drawn_are_not_kept(facility):
    first = labelled(facility=facility)
    services.cancel_parcel(first.pk, by=None, now=timezone.now())
    before = Shipment.objects.get()
    services.request_labels(before.pk, by=None, now=timezone.now())

    with pytest.raises(RetryLater):
        papers._store(before, [], now=timezone.now())

    assert Shipment.objects.get().papers_made_at is None


def test_every_paper_keeps_what_it_was_made_from(facility):
    PaperSettings.objects.create(logo_sha256=documents.keep(png()))
    sent = labelled(1, facility=facility, address=SWISS, articles=[declared()]).shipment

    for paper in sent.papers.all():
        assert paper.document.template
        assert papers.redraw(paper) == documents.read(paper.document), paper.kind
    assert sent.papers.count() == 5


def test_later_settings_change_no_paper(facility):
    settings = PaperSettings.objects.create()
    PaperText.objects.create(settings=settings, language="en", footer="Old foot")
    sent = labelled(facility=facility).shipment
    bytes_before = documents.read(sent.delivery_note)

    PaperText.objects.update(footer="New foot")

    assert documents.read(Shipment.objects.get(pk=sent.pk).delivery_note) == bytes_before
    assert papers.redraw(sent.papers.get(kind="DELIVERY_NOTE")) == bytes_before


@pytest.mark.drawn
def test_papers_of_a_channel_go_before_those_for_all(facility, read_pdf):
    first = labelled(facility=facility, number="1").shipment
    for_all = PaperSettings.objects.create(kinds=["DELIVERY_NOTE"])
    PaperText.objects.create(settings=for_all, language="en", greeting="Hello all")
    second = labelled(facility=facility, number="2").shipment
    own = PaperSettings.objects.create(channel=Channel.objects.get(), kinds=["RETURN_SLIP"])
    PaperText.objects.create(settings=own, language="en", return_reasons="Too red\n\nToo blue\n")
    third = labelled(facility=facility, number="3").shipment

    assert [kind for kind, _parcel in kinds(first)] == ["PACKING_SLIP", "DELIVERY_NOTE", "RETURN_SLIP"]
    assert [kind for kind, _parcel in kinds(second)] == ["DELIVERY_NOTE"]
    assert "Hello all" in text_of(second, "DELIVERY_NOTE", read_pdf)
    assert [kind for kind, _parcel in kinds(third)] == ["RETURN_SLIP"]
    assert third.delivery_note is None
    assert "Too blue" in text_of(third, "RETURN_SLIP", read_pdf)


def test_tag_of_the_order_chooses_other_papers(facility):
    settings = PaperSettings.objects.create()
    PaperRule.objects.create(settings=settings, tag="gift", value="yes", kinds=["PACKING_SLIP"])
    sent = shipment(facility=facility)
    Order.objects.update(tags=[{"id": "gift", "value": "no"}, {"id": "gift", "value": "yes"}])

    work()

    assert kinds(sent) == [("PACKING_SLIP", 1)]


def test_no_paper_at_all_is_a_choice_too(facility):
    PaperSettings.objects.create(kinds=[])
    sent = labelled(facility=facility).shipment

    assert kinds(sent) == []
    assert sent.papers_made_at is not None


def test_settings_for_all_channels_exist_once(db):
    PaperSettings.objects.create()

    with pytest.raises(IntegrityError), transaction.atomic():
        PaperSettings.objects.create()


@pytest.mark.drawn
def test_logo_stands_on_the_papers(facility):
    PaperSettings.objects.create(logo_sha256=documents.keep(png()), kinds=["DELIVERY_NOTE"])

    note = labelled(facility=facility).shipment.delivery_note

    assert b"/Subtype /Image" in documents.read(note)
    assert base64.b64encode(png()).decode() not in str(note.snapshot)


@pytest.mark.drawn
def test_papers_speak_german_to_a_german_customer(facility, read_pdf):
    sent = labelled(
        facility=facility, address={"country": "DE", "city": "Köln", "postalCode": "50667"}
    ).shipment

    assert "Lieferschein" in text_of(sent, "DELIVERY_NOTE", read_pdf)


# Customs


def test_slip_leads_to_the_page_of_the_settings(facility, read_pdf):
    PaperSettings.objects.create(returns_page="https://fulfillment.example/returns/")

    done = labelled(facility=facility)

    code = Shipment.objects.get(pk=done.shipment_id).return_code
    [paper] = Paper.objects.filter(kind="RETURN_SLIP")
    assert paper.document.snapshot["return_link"] == f"https://fulfillment.example/returns/{code}/"


@pytest.mark.drawn
def test_return_slip_bears_the_invoice_address_and_the_other_papers_where_it_goes(facility, read_pdf):
    sent = shipment(facility=facility)
    consumer = sent.order.consumer
    invoice = {**consumer["addresses"][0], "addressType": "INVOICE_ADDRESS", "street": "Prinsengracht"}
    consumer["addresses"] = [{**consumer["addresses"][0], "addressType": "POSTAL_ADDRESS"}, invoice]
    sent.order.save(update_fields=["consumer"])

    work()

    assert "Prinsengracht" in text_of(sent, "RETURN_SLIP", read_pdf)
    for kind in ("DELIVERY_NOTE", "PACKING_SLIP"):
        text = text_of(sent, kind, read_pdf)
        assert ("Keizersgracht" in text, "Prinsengracht" in text) == (True, False)


def corrected(facility, to, **shipment_options):
    """A parcel with its label whose address was corrected before it."""
    waiting = parcel(2, facility=facility, carrier="manual", **shipment_options)
    waiting.shipment.recipient |= to
    waiting.shipment.save(update_fields=["recipient"])
    brought = external.Brought((Doc("label", "ZPL", b"^XA^XZ"),), number="N1")
    external.add_labels(waiting.pk, brought, closes=True, by=None, now=timezone.now())
    return waiting.shipment


def test_customs_papers_follow_the_address_on_the_label(facility):
    abroad = corrected(facility, {"country": "CH", "postal_code": "8001"}, articles=[declared()])
    home = corrected(
        facility,
        {"country": "NL", "postal_code": "1012"},
        articles=[declared()],
        address=SWISS,
        number="1002",
    )

    work()

    assert "INVOICE" in [kind for kind, _parcel in kinds(abroad)]
    assert "INVOICE" not in [kind for kind, _parcel in kinds(home)]


def test_papers_wait_for_what_customs_must_know(facility):
    article = declared()
    sent = corrected(facility, {"country": "CH", "postal_code": "8001"}, articles=[article])
    Article.objects.filter(pk=article.pk).update(hs_code="")

    with pytest.raises(RetryLater, match=f"Customs must know more of {article.sku}"):
        papers.make_papers(ShipmentConfirmed(shipment_id=sent.pk))

    assert not sent.papers.exists()


def test_box_with_a_mere_part_declares_nothing_of_its_own(facility):
    sent = shipment(1, facility=facility, carrier="manual", articles=[declared()], goes_on=1)
    sent.recipient = {**sent.recipient, "country": "CH", "postal_code": "8001"}
    sent.save(update_fields=["recipient"])
    work()
    for one in sent.parcels.all():
        brought = external.Brought((Doc("label", "ZPL", b"^XA^XZ"),), number=f"N{one.package.number}")
        external.add_labels(one.pk, brought, closes=True, by=None, now=timezone.now())

    work()

    own = [number for kind, number in kinds(sent) if kind == "CUSTOMS_DECLARATION"]
    assert own == [1]


@pytest.mark.drawn
def test_small_parcel_across_the_border_gets_a_cn22_and_an_invoice(facility, read_pdf):
    PaperSettings.objects.create(
        vat_number="NL1B01", eori_number="NL123", signer="Mia Bos", kinds=["DELIVERY_NOTE"]
    )
    sent = labelled(2, facility=facility, address=SWISS, articles=[declared()]).shipment

    assert [kind for kind, _parcel in kinds(sent)] == ["CUSTOMS_DECLARATION", "INVOICE", "DELIVERY_NOTE"]
    form = sent.papers.get(kind="CUSTOMS_DECLARATION").document
    page = read_pdf(documents.read(form))
    assert (form.template, page.pages, page.millimetres) == ("cn22-1", 1, (74, 105))
    tracking = sent.parcels.get().tracking_number
    for part in ("CN 22", "2 × Stoneware mug", "691200", "PT", "0.600", "25.00", "EUR", "Mia Bos", tracking):
        assert part in page.text
    invoice = text_of(sent, "INVOICE", read_pdf)
    for part in (
        "Commercial invoice",
        "CI-1001-AS1",
        "VAT NL1B01",
        "EORI NL123",
        "DAP Zürich",
        "Sale of goods",
        "12.50",
        "25.00",
        "EUR",
        "Shop BV",
        "Mia Bos",
    ):
        assert part in invoice


@pytest.mark.parametrize(
    "fields", [{"customs_value": "400"}, {"weight_g": 2_100}, {"customs_currency": "JPY"}]
)
@pytest.mark.drawn
def test_larger_parcel_gets_a_cn23(facility, read_pdf, fields):
    article = declared(**fields)

    sent = labelled(1, facility=facility, address=SWISS, articles=[article], grams=2_200).shipment

    form = sent.papers.get(kind="CUSTOMS_DECLARATION").document
    page = read_pdf(documents.read(form))
    assert (form.template, page.pages, page.millimetres) == ("cn23-1", 1, (210, 148))
    for part in ("CN 23", "Stoneware mug", "691200", "PT"):
        assert part in page.text


@pytest.mark.drawn
def test_price_of_the_order_goes_before_that_of_the_article(facility, read_pdf):
    sent = shipment(1, facility=facility, address=SWISS, articles=[declared()])
    Order.objects.update(extra={"paymentInfo": {"currency": "CHF"}})
    line = sent.order.lines.get()
    line.wire = {"shopPrice": 19.9}
    line.save(update_fields=["wire"])

    work()

    text = text_of(sent, "CUSTOMS_DECLARATION", read_pdf)
    assert "19.90" in text
    assert "CHF" in text


@pytest.mark.drawn
def test_delivery_note_says_what_is_not_available_and_what_is_in_another_shipment(facility, read_pdf):
    sent = shipment(2, 1, facility=facility)
    first, second = sent.order.lines.all()
    sent.order.lines.update(quantity=5)
    gone = OrderLine.objects.create(order=sent.order, position=3, sku="GONE", title="Gone", quantity=4)
    other = shipment(1, facility=facility, number="1002")
    with transaction.atomic():
        for line, units, reason in ((first, 2, "NOT_FOUND"), (second, 1, "REFUSED"), (gone, 4, "ABORTED")):
            records.record_short(line.pk, facility.pk, units, reason, now=timezone.now())
    Shipment.objects.filter(pk=other.pk).update(order=sent.order)
    other.pick_job.pack_job.lines.update(order_line=second)

    work()

    note = sent.papers.get(kind="DELIVERY_NOTE").document
    assert [(row["quantity"], row["remark"]) for row in note.snapshot["lines"]] == [
        (2, "2 not available"),
        (1, "1 in another shipment"),
        (0, "4 not available"),
    ]
    text = text_of(sent, "DELIVERY_NOTE", read_pdf)
    assert "2 not available" in text
    assert "1 in another shipment" in text


def test_what_is_missing_of_a_line_stands_once_beside_its_substitute(facility):
    sent = shipment(2, 1, facility=facility)
    first, second = sent.pick_job.pack_job.lines.all()
    second.order_line = first.order_line  # picked in its place
    second.save(update_fields=["order_line"])
    with transaction.atomic():
        records.record_short(first.order_line_id, facility.pk, 2, "NOT_FOUND", now=timezone.now())

    elsewhere = {first.order_line_id: 3}
    rows = papers.note_rows(sent.order, [first, second], PaperSettings(), "en", elsewhere)

    remarks = [(row["sku"], row["quantity"], row.get("remark", "")) for row in rows]
    assert remarks == [
        (first.sku, 2, "2 not available, 3 in another shipment"),
        (second.sku, 1, ""),
    ]


def test_there_are_no_customs_papers_inside_the_area(facility):
    sent = labelled(1, facility=facility, articles=[declared()]).shipment

    assert not sent.papers.filter(kind__in=["CUSTOMS_DECLARATION", "INVOICE"]).exists()


def test_each_parcel_declares_what_is_in_it(facility, read_pdf):
    sent = shipment(3, facility=facility, packages=2, address=SWISS, articles=[declared()])

    work()

    forms = sent.papers.filter(kind="CUSTOMS_DECLARATION").order_by("parcel__package__number")
    totals = [form.document.snapshot["total_value"] for form in forms]
    assert totals == ["25.00", "12.50"]
    assert sent.papers.get(kind="INVOICE").document.snapshot["total_value"] == "37.50"
