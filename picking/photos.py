"""Photos of what a picker found instead of the units."""

from django.db import transaction

from fulfillment.core.models import Document
from fulfillment.core.pictures import redraw
from fulfillment.core.services import documents

from .models import LinePhoto, PickLine
from .refusals import NotALine

MOST_PHOTOS = 5  # of one line; more are not kept


@transaction.atomic
def keep(photo_id, job, line_id, file, *, by, now):
    """Keep a photo of a line of a job, once; refuses what is no picture and a line of another job."""
    known = LinePhoto.objects.filter(pk=photo_id, line__job=job).first()
    if known is not None:
        return known
    line = PickLine.objects.filter(pk=line_id, job=job).first()
    if line is None or line.photos.count() >= MOST_PHOTOS:
        raise NotALine
    document = documents.store(
        redraw(file),
        facility_id=job.facility_id,
        category=Document.Category.PHOTO,
        format=Document.Format.JPEG,
        name=f"{job.short_id}-{line.article.sku}.jpg",
        now=now,
    )
    return LinePhoto.objects.create(pk=photo_id, line=line, document=document, by=by, taken_at=now)
