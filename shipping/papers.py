"""The papers of a shipment: made once when its labels are there, in a worker; printed as often as wanted."""

import dataclasses
from decimal import Decimal

from django.db import transaction
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext

from fulfillment.core.codes import new_code
from fulfillment.core.customs import form_for
from fulfillment.core.models import Document
from fulfillment.core.outbox import RetryLater
from fulfillment.core.services import documents
from orders.models import Order
from packing import customs

from . import customs_papers, labels, notes
from .models import Paper, PaperSettings, Parcel, Shipment
from .models.papers import Kind
from .parcel_data import (
    is_sscc,
    language_of,
    parcel_data,
    passes_customs,
    recipient_of,
    returner_of,
    sender_of,
)
from .queries import not_available, packed_elsewhere

RETURN_CODE_PREFIX = "R"
# Adapters whose labels we draw ourselves; those of other carriers are printed as they came.
DRAWN = {"demo", "manual"}
ZPL_VERSION = "label-zpl-1"
CATEGORIES = {
    Kind.DELIVERY_NOTE: Document.Category.DELIVERYNOTE,
    Kind.PACKING_SLIP: Document.Category.EXTERNAL,
    Kind.RETURN_SLIP: Document.Category.RETURNNOTE,
    Kind.CUSTOMS_DECLARATION: Document.Category.CUSTOMS,
    Kind.INVOICE: Document.Category.CUSTOMS,
}


@dataclasses.dataclass(frozen=True)
class Draft:
    """A paper that is drawn but not stored yet."""

    kind: str
    parcel: Parcel | None
    data: bytes
    template: str
    snapshot: dict


def make_papers(event):
    """Draw and store the papers of a shipment that has all its labels. Called again, it does nothing."""
    shipment = (
        Shipment.objects.select_related("order__channel", "facility", "pick_job__pack_job")
        .filter(pk=event.shipment_id, papers_made_at=None, status__in=Shipment.LABELLED)
        .first()
    )
    if shipment is None:
        return
    shipment.return_code = shipment.return_code or new_code(RETURN_CODE_PREFIX)
    drafts = draw(shipment, settings_of(shipment.order))
    _store(shipment, drafts, now=timezone.now())


@transaction.atomic
def _store(shipment, drafts, *, now):
    Order.objects.lock(pk=shipment.order_id)
    locked = Shipment.objects.lock(pk=shipment.pk)
    if locked.papers_made_at is not None:
        return
    if locked.version != shipment.version:
        raise RetryLater("The shipment was changed while its papers were drawn.", seconds=0)
    for number, draft in enumerate(drafts, start=1):
        name = f"{draft.kind.lower().replace('_', '-')}-{draft.parcel.code if draft.parcel else shipment.order}.pdf"
        stored = documents.store(
            draft.data,
            facility_id=shipment.facility_id,
            category=CATEGORIES[draft.kind],
            name=name,
            order_id=shipment.order_id,
            template=draft.template,
            snapshot=draft.snapshot,
            now=now,
        )
        Paper.objects.create(
            shipment=locked, parcel=draft.parcel, kind=draft.kind, document=stored, number=number
        )
        if draft.kind == Kind.DELIVERY_NOTE:
            locked.delivery_note = stored
    locked.return_code, locked.papers_made_at = shipment.return_code, now
    locked.save(update_fields=["delivery_note", "return_code", "papers_made_at", "modified_at"])


def settings_of(order):
    """How the papers of an order's channel look; the usual ones when nobody said."""
    found = {one.channel_id: one for one in PaperSettings.objects.filter(channel=order.channel_id)}
    found |= {one.channel_id: one for one in PaperSettings.objects.filter(channel=None)}
    return found.get(order.channel_id) or found.get(None) or PaperSettings()


def kinds_of(settings, order):
    """Which papers an order gets: by the first rule that fits one of its tags, else those of its channel."""
    rules = settings.rules.all() if settings.pk else []
    return next((rule.kinds for rule in rules if rule.fits(order.tags)), settings.kinds)


def as_wanted(stored, parcels, station, *, now):
    """Documents as a station prints them: labels that we drew ourselves as ZPL where it wants that."""
    if station is None or station.label_format != Document.Format.ZPL:
        return stored
    ours = {}
    for parcel in parcels:
        ours |= {parcel.label_id: (parcel, False), parcel.return_label_id: (parcel, True)}
    return [
        _as_zpl(document, *ours[document.pk], now=now)
        if document.pk in ours and is_drawn_here(document, ours[document.pk][0])
        else document
        for document in stored
    ]


def is_drawn_here(label, parcel):
    """Whether we drew a label of a parcel ourselves, as labels are drawn now: then it can be drawn anew."""
    return (
        parcel.carrier.adapter in DRAWN
        and label.template == labels.VERSION
        and label.format == Document.Format.PDF
    )


def _as_zpl(label, parcel, is_return, *, now):
    """The same label for a label printer; made once and kept."""
    name = label.name.removesuffix(".pdf") + ".zpl"
    known = Document.objects.filter(
        order_id=label.order_id, name=name, template=ZPL_VERSION, created_at__gte=label.created_at
    ).first()
    if known is not None:
        return known
    number = parcel.return_tracking_number if is_return else parcel.tracking_number
    data = parcel_data(parcel, parcel.tracking_number, declares=False)
    number = number or parcel.tracking_number
    return documents.store(
        labels.render_zpl(data, number, is_return=is_return),
        facility_id=label.facility_id,
        category=label.category,
        name=name,
        order_id=label.order_id,
        format="ZPL",
        template=ZPL_VERSION,
        snapshot={"parcel": dataclasses.asdict(data), "number": number, "is_return": is_return},
        now=now,
    )


# Drawing


def draw(shipment, settings):
    """Every paper of a shipment, in the order they are printed: what goes outside first."""
    kinds = kinds_of(settings, shipment.order)
    lines = list(shipment.pick_job.pack_job.lines.select_related("article", "order_line__order"))
    parcels = list(
        shipment.parcels.exclude(status__in=[Parcel.Status.CANCELED, Parcel.Status.OBSOLETE])
        .select_related("carrier")
        .prefetch_related("package__items", "package__parts__item__line", "package__parts__item__package")
        .order_by("package__number")
    )
    base = snapshot_of(shipment, settings, parcels)
    logo = documents.kept(settings.logo_sha256) if settings.logo_sha256 else None
    drafts = []
    if passes_customs(shipment):
        drafts += _customs_drafts(shipment, settings, base, lines, parcels)
    if Kind.PACKING_SLIP in kinds:
        for number, parcel in enumerate(parcels, start=1):
            snapshot = base | {
                "lines": rows_of(_contents(parcel, lines)) + _begun(parcel, base["language"]),
                "code": parcel.code,
                "is_sscc": is_sscc(parcel.code),
                "number": number,
                "count": len(parcels),
            }
            data = notes.render_packing_slip(snapshot, logo)
            drafts.append(Draft(Kind.PACKING_SLIP, parcel, data, notes.SLIP_VERSION, snapshot))
    if Kind.DELIVERY_NOTE in kinds:
        snapshot = base | {
            "lines": note_rows(shipment.order, lines, settings, base["language"], packed_elsewhere(shipment)),
            "shows_prices": settings.shows_prices,
        }
        data = notes.render_delivery_note(snapshot, logo)
        drafts.append(Draft(Kind.DELIVERY_NOTE, None, data, notes.VERSION, snapshot))
    if Kind.RETURN_SLIP in kinds:
        returner = returner_of(shipment)
        snapshot = base | {
            "lines": rows_of([(line, line.quantity) for line in lines]),
            "recipient": returner.lines,
            "country": returner.country,
            "return_code": shipment.return_code,
            "return_link": f"{settings.returns_page.rstrip('/')}/{shipment.return_code}/"
            if settings.returns_page
            else "",
            "return_number": next((parcel.return_tracking_number for parcel in parcels), ""),
            **_return_words(settings, base["language"]),
        }
        data = notes.render_return_slip(snapshot, logo)
        drafts.append(Draft(Kind.RETURN_SLIP, None, data, notes.RETURN_VERSION, snapshot))
    return drafts


def redraw(paper):
    """A paper drawn anew from what was kept of it; the same bytes as long as its template has this version."""
    document = paper.document
    logo_sha256 = document.snapshot.get("logo_sha256")
    logo = [documents.kept(logo_sha256) if logo_sha256 else None]
    render, more = {
        Kind.DELIVERY_NOTE: (notes.render_delivery_note, logo),
        Kind.PACKING_SLIP: (notes.render_packing_slip, logo),
        Kind.RETURN_SLIP: (notes.render_return_slip, logo),
        Kind.PICKUP_SLIP: (notes.render_pickup_slip, logo),
        Kind.CUSTOMS_DECLARATION: (customs_papers.render_declaration, []),
        Kind.INVOICE: (customs_papers.render_invoice, []),
    }[Kind(paper.kind)]
    return render(document.snapshot, *more)


def snapshot_of(shipment, settings, parcels):
    """What every paper says, in the customer's language."""
    language = language_of(shipment)
    text = text_in(settings, language)
    sender, recipient = sender_of(shipment.facility), recipient_of(shipment)
    order_date = date_of(shipment.order, shipment.facility, language)
    seller = [line.strip() for line in settings.seller.splitlines() if line.strip()]
    return {
        "language": language,
        "order_number": str(shipment.order),
        "order_date": order_date,
        "sender": seller or [*sender.lines, sender.country],
        "recipient": recipient.lines,
        "country": recipient.country,
        "parcels": [parcel.code for parcel in parcels],
        "logo_sha256": settings.logo_sha256,
        "greeting": text.greeting if text else "",
        "footer": text.footer if text else "",
    }


def date_of(order, facility, language):
    """When it was ordered, as it is read in a language."""
    with translation.override(language):
        return date_format(timezone.localtime(order.order_date, facility.tz), "DATE_FORMAT")


def text_in(settings, language):
    texts = {text.language: text for text in settings.texts.all()} if settings.pk else {}
    return texts.get(language) or texts.get("en")


def _return_words(settings, language):
    text = text_in(settings, language)
    with translation.override(language):
        usual = [
            gettext("Does not fit"),
            gettext("Changed my mind"),
            gettext("Is damaged"),
            gettext("Is not what was ordered"),
            gettext("Came too late"),
            gettext("Other reason"),
        ]
    own = [line.strip() for line in text.return_reasons.splitlines() if line.strip()] if text else []
    return {"return_text": text.return_text if text else "", "reasons": own or usual}


def _contents(parcel, lines):
    """[(pack line, units)] of a parcel, in the order of the order."""
    units = {item.line_id: item.quantity for item in parcel.package.items.all()}
    return [(line, units[line.pk]) for line in lines if line.pk in units]


def _begun(parcel, language):
    """Rows of units that are counted in another parcel and go on in this one."""
    with translation.override(language):
        words = gettext("Part of %(units)s × %(title)s, begun in package %(number)s")
    return [
        {
            "sku": part.item.line.sku,
            "title": words
            % {
                "units": part.quantity,
                "title": part.item.line.title,
                "number": part.item.package.number,
            },
            "quantity": "–",
        }
        for part in parcel.package.parts.all()
    ]


def rows_of(contents, settings=None):
    """What is printed of ``[(pack line, units)]``: one row per article of an order line, however it was split."""
    return [line_of(line, units, settings) for line, units in _together(contents)]


def _together(contents):
    together: dict = {}
    for line, units in contents:
        key = line.order_line_id, line.article_id
        first, before = together.get(key, (line, 0))
        together[key] = first, before + units
    return together.values()


def note_rows(order, lines, settings, language, elsewhere):
    """The rows of a delivery note: with a remark what became of units that are ordered and not here.

    Args:
        elsewhere: ``{order line id: units}`` in other shipments.
    """
    missing, rows, told = not_available(order), [], set()
    with translation.override(language):
        for line, units in _together((line, line.quantity) for line in lines):
            row, ordered = line_of(line, units, settings), line.order_line
            # A substitute has a row of its own; what is said of a line stands in its first.
            if ordered not in told:
                row["remark"] = _remark(missing.pop(ordered, 0), elsewhere.get(ordered.pk, 0))
            told.add(ordered)
            rows.append(row)
        for line, units in missing.items():
            row = {"sku": line.sku, "title": line.title, "quantity": 0, "ordered": line.quantity, "price": ""}
            rows.append({**row, "remark": _remark(units, elsewhere.get(line.pk, 0))})
    return rows


def _remark(missing, elsewhere):
    words = []
    if missing:
        words.append(gettext("%(n)s not available") % {"n": missing})
    if elsewhere:
        words.append(gettext("%(n)s in another shipment") % {"n": elsewhere})
    return ", ".join(words)


def line_of(line, units, settings=None):
    price = ""
    if settings and settings.shows_prices:
        goods = customs.goods_of(line)
        price = f"{goods.value:.2f} {goods.currency}" if goods.value is not None else ""
    return {
        "sku": line.sku,
        "title": line.title,
        "quantity": units,
        "ordered": line.order_line.quantity,
        "price": price,
    }


# Customs


def _customs_drafts(shipment, settings, base, lines, parcels):
    if missing := [line.sku for line in lines if customs.goods_of(line).missing]:
        raise RetryLater(f"Customs must know more of {', '.join(missing)}.")
    drafts = []
    facts = base | _customs_facts(shipment, settings)
    for parcel in parcels:
        contents = _contents(parcel, lines)
        if not contents:  # a part of what the papers of another parcel declare
            continue
        snapshot = facts | _goods([customs.goods_of(line, units) for line, units in contents])
        form = form_for(
            Decimal(snapshot["total_value"]), snapshot["currency"], parcel.weight_g, settings.sdr_values
        )
        snapshot |= {
            "form": form,
            "code": parcel.tracking_number,
            "gross_kilograms": _kilograms(parcel.weight_g),
        }
        data = customs_papers.render_declaration(snapshot)
        version = customs_papers.VERSIONS[form]
        drafts.append(Draft(Kind.CUSTOMS_DECLARATION, parcel, data, version, snapshot))
    snapshot = facts | _goods([customs.goods_of(line) for line in lines])
    data = customs_papers.render_invoice(snapshot)
    drafts.append(Draft(Kind.INVOICE, None, data, customs_papers.INVOICE_VERSION, snapshot))
    return drafts


def _customs_facts(shipment, settings):
    sender = sender_of(shipment.facility)
    attributes = shipment.order.custom_attributes
    numbers = [f"{name} {attributes[key]}" for name, key in BUYER_NUMBERS.items() if attributes.get(key)]
    today = timezone.localtime(timezone=shipment.facility.tz).date()
    seller = [line.strip() for line in settings.seller.splitlines() if line.strip()]
    return {
        "language": "en",
        "sender": seller or sender.lines,
        "sender_country": sender.country,
        "recipient_city": shipment.recipient["city"],
        "buyer_numbers": ", ".join(numbers),
        "invoice_number": f"CI-{shipment.order}-{shipment.short_id}",
        "date": today.isoformat(),
        "vat_number": settings.vat_number,
        "eori_number": settings.eori_number,
        "signer": settings.signer or shipment.facility.company_name,
        "incoterm": settings.incoterm,
        "export_reason": settings.export_reason,
    }


# Where a shop says how customs know the buyer, among the custom attributes of an order.
BUYER_NUMBERS = {"VAT": "buyerVatNumber", "EORI": "buyerEoriNumber"}


def _goods(goods):
    lines = [
        {
            "description": one.customs_description,
            "quantity": one.quantity,
            "kilograms": _kilograms(one.weight_g * one.quantity),
            "value": f"{one.value:.2f}",
            "total": f"{one.value * one.quantity:.2f}",
            "hs_code": one.hs_code,
            "origin": one.origin_country,
        }
        for one in goods
    ]
    return {
        "lines": lines,
        "currency": goods[0].currency,
        "total_value": f"{sum(one.value * one.quantity for one in goods):.2f}",
        "total_kilograms": _kilograms(sum(one.weight_g * one.quantity for one in goods)),
    }


def _kilograms(grams):
    return f"{Decimal(grams) / 1000:.3f}"
