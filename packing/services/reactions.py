"""What picking and orders mean for pack jobs."""

from django.utils.translation import gettext_lazy as _

from fulfillment.core import attributes
from fulfillment.core.events import emit
from fulfillment.core.status import log_created, transit
from picking import recordables
from picking.models import PickJob

from ..events import PackJobCancelled, PackJobCreated, PackJobUpdated
from ..models import PackJob, PackLine
from .refusals import AlreadyPacked, PackingBegan


def on_pick_job_closed(event, *, by, now):
    """Open a pack job with the units that were picked. Runs in the transaction that closes the pick job."""
    pick_job = PickJob.objects.get(pk=event.pick_job_id)
    job = PackJob.objects.filter(pick_job=pick_job).first()
    if job is None:
        job = PackJob.objects.create(
            facility_id=pick_job.facility_id,
            order_id=pick_job.order_id,
            pick_job=pick_job,
            kind=pick_job.kind,
            short_id=pick_job.short_id,
            target_time=pick_job.target_time,
            custom_attributes=pick_job.custom_attributes,
            tags=pick_job.tags,
        )
        log_created(job, by=by, now=now)
        announcement: type[PackJobCreated | PackJobUpdated] = PackJobCreated
    else:  # the picking was taken back and has ended again
        job = PackJob.objects.lock(pk=job.pk)
        job.lines.all().delete()
        transit(job.renew, by=by, now=now)
        announcement = PackJobUpdated
    PackLine.objects.bulk_create(
        PackLine(
            job=job,
            pick_line=line,
            order_line_id=line.order_line_id,
            article_id=line.article_id,
            title=line.title,
            quantity=line.picked,
            recordable_attributes=attributes.copies(recordables.passed_on(line)),
        )
        for line in pick_job.lines.filter(picked__gt=0)
    )
    emit(announcement(pack_job_id=job.pk), by=by, now=now)


def on_pick_job_reopened(event, *, by, now):
    """Let go of goods that are picked again; refuses when their packing has begun."""
    for job in PackJob.objects.filter(pick_job_id=event.pick_job_id).lock_all():
        if job.status not in {PackJob.Status.OPEN, PackJob.Status.OBSOLETE, PackJob.Status.CANCELED}:
            raise PackingBegan(job=job)
        job.lines.all().delete()  # built anew when the picking ends again; until then its lines may change
        if job.status == PackJob.Status.OPEN:
            transit(job.make_obsolete, by=by, now=now)
            emit(PackJobCancelled(pack_job_id=job.pk), by=by, now=now)


def on_order_cancelled(event, *, by, now):
    """Cancel the order's pack jobs. Refuses when one of them is packed already; by force that one stays as it is."""
    for job in PackJob.objects.filter(order_id=event.order_id).order_by("pk").lock_all():
        if job.status == PackJob.Status.CLOSED and not event.is_forced:
            raise AlreadyPacked(job=job)
        if job.status in PackJob.UNFINISHED:
            transit(job.cancel, by=by, now=now, reason=str(_("The order was cancelled.")))
            emit(PackJobCancelled(pack_job_id=job.pk), by=by, now=now)
