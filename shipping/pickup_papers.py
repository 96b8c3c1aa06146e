"""The papers of goods that a customer collects: what is stuck on each package, and the delivery note where wanted."""

from django.db import transaction
from django.utils import timezone, translation
from django.utils.formats import date_format

from fulfillment.core.models import Document
from fulfillment.core.services import documents

from . import notes, papers, services
from .models import HandoverJob, Paper, Pickup
from .models.papers import Kind
from .parcel_data import language_at, sender_of

CATEGORIES = {
    Kind.PICKUP_SLIP: Document.Category.EXTERNAL,
    Kind.DELIVERY_NOTE: Document.Category.DELIVERYNOTE,
}


def make_papers(event):
    """Draw and store the papers of goods that are ready. Called again or after a cancellation, it does nothing."""
    pickup = (
        Pickup.objects.select_related("job__order__channel", "job__facility", "job__pick_job__pack_job")
        .filter(job=event.handover_job_id, papers_made_at=None)
        .exclude(job__status__in=HandoverJob.GIVEN_UP)
        .first()
    )
    if pickup is None:
        return
    settings = papers.settings_of(pickup.job.order)
    logo = documents.kept(settings.logo_sha256) if settings.logo_sha256 else None
    base = snapshot_of(pickup, settings)
    drafts = []
    if Kind.PICKUP_SLIP in settings.kinds_to_collect:
        data = notes.render_pickup_slip(base, logo)
        drafts.append(papers.Draft(Kind.PICKUP_SLIP, None, data, notes.PICKUP_VERSION, base))
    if Kind.DELIVERY_NOTE in settings.kinds_to_collect:
        snapshot = base | _note_of(pickup, settings)
        data = notes.render_delivery_note(snapshot, logo)
        drafts.append(papers.Draft(Kind.DELIVERY_NOTE, None, data, notes.VERSION, snapshot))
    _store(pickup, drafts, now=timezone.now())


@transaction.atomic
def _store(pickup, drafts, *, now):
    job = services.lock_handover(pickup.job_id)
    locked = Pickup.objects.get(pk=pickup.pk)
    if locked.papers_made_at is not None or job.status in HandoverJob.GIVEN_UP:
        return
    for number, draft in enumerate(drafts, start=1):
        stored = documents.store(
            draft.data,
            facility_id=job.facility_id,
            category=CATEGORIES[draft.kind],
            name=f"{draft.kind.lower().replace('_', '-')}-{job.order}.pdf",
            order_id=job.order_id,
            template=draft.template,
            snapshot=draft.snapshot,
            now=now,
        )
        Paper.objects.create(pickup=locked, kind=draft.kind, document=stored, number=number)
    locked.papers_made_at = now
    locked.save(update_fields=["papers_made_at"])


def snapshot_of(pickup, settings):
    """What the papers say, in the language of the house."""
    job = pickup.job
    language = language_at(job.facility)
    with translation.override(language):
        until = pickup.collect_until and date_format(
            timezone.localtime(pickup.collect_until, job.facility.tz), "SHORT_DATE_FORMAT"
        )
    return {
        "language": language,
        "order_number": str(job.order),
        "order_date": papers.date_of(job.order, job.facility, language),
        "short_id": job.short_id,
        "recipient": [job.recipient_name],
        "is_paid": job.is_paid,
        "until": until or "",
        "packages": [
            {"number": one.package.number, "code": one.package.code}
            for one in pickup.packages.select_related("package")
        ],
        "logo_sha256": settings.logo_sha256,
    }


def _note_of(pickup, settings):
    """What the delivery note says beside that."""
    job, language = pickup.job, language_at(pickup.job.facility)
    text, sender = papers.text_in(settings, language), sender_of(job.facility)
    seller = [line.strip() for line in settings.seller.splitlines() if line.strip()]
    lines = job.pick_job.pack_job.lines.select_related("article", "order_line__order")
    return {
        "sender": seller or [*sender.lines, sender.country],
        "country": job.facility.country,
        "lines": papers.note_rows(job.order, lines, settings, language, {}),
        "parcels": [],
        "shows_prices": settings.shows_prices,
        "greeting": text.greeting if text else "",
        "footer": text.footer if text else "",
    }
