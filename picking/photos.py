"""Photos of what a picker found instead of the units."""

from django.db import transaction

from fulfillment.core.models import Document
from fulfillment.core.pictures import redraw
from fulfillment.core.services import documents

from .models import LinePhoto
from .refusals import NotALine

MOST_PHOTOS = 5  # of one line; more are not kept


@transaction.atomic
def keep(photo_id, lines, line_id, file, *, by, now):
    """Keep a photo of one of these lines, once; refuses what is no picture and any other line."""
    known = LinePhoto.objects.filter(pk=photo_id, line__in=lines.all()).first()
    if known is not None:
        return known
    line = lines.select_related("article", "job").filter(pk=line_id).first()
    if line is None or line.photos.count() >= MOST_PHOTOS:
        raise NotALine
    document = documents.store(
        redraw(file),
        facility_id=line.job.facility_id,
        category=Document.Category.PHOTO,
        format=Document.Format.JPEG,
        name=f"{line.job.short_id}-{line.article.sku}.jpg",
        now=now,
    )
    return LinePhoto.objects.create(pk=photo_id, line=line, document=document, by=by, taken_at=now)
