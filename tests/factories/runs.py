"""Pick runs for tests."""

from django.utils import timezone

from picking import runs
from tests.factories.core import ArticleFactory, StorageLocationFactory, put_stock
from tests.factories.orders import OrderFactory
from tests.factories.picking import ean, route


def shelf(facility, title, *, units=50, **place):
    """An article with a code, and units of it on a place of its own."""
    article = ArticleFactory(title=title, code=ean())
    place = {"running_sequence": 0, **place} if "aisle" in place else place
    put_stock(facility, article, units, location=StorageLocationFactory(facility=facility, **place))
    return article


def job_of(facility, *lines, **order):
    """The open pick job of an order of ``(article, quantity)``."""
    return route(OrderFactory(*lines, preselected=[facility], **order))


def run_of(*jobs, method="MULTI_ORDER", by=None, **options):
    """A run of these jobs, in progress when somebody (``by``) picks it."""
    facility = jobs[0].facility
    facility.picking_methods = ["SINGLE_ORDER", "MULTI_ORDER", "BATCH", "ZONE"]
    facility.save(update_fields=["picking_methods"])
    run = runs.create(facility, [job.pk for job in jobs], method, by=by, now=timezone.now(), **options)
    return runs.start(run.pk, by=by, now=timezone.now()) if by else run
