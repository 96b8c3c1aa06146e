"""What a scan at the pack station does: a unit goes into its package, or to its order of a batch."""

from django.db import transaction

from fulfillment.core.queries import find_article

from .. import queries
from .contents import put_units
from .locks import lock_for_packing, lock_for_status, raise_version
from .packages import new_package, package_of
from .refusals import (
    AllPacked,
    BatchComplete,
    NotInBatch,
    NotOnThisJob,
    PackedBySomeoneElse,
    TooManyUnits,
    UnknownCode,
)
from .work import begin


def _lines_of_code(job, code):
    lines = list(job.lines.with_packed().select_related("order_line", "article"))
    article, units = find_article(code)
    if article is None:
        # The shop may have sent codes of its own with the order.
        own = [line for line in lines if code.strip() in line.order_line.scannable_codes]
        if not own:
            raise UnknownCode(code=code.strip())
        article, units = own[0].article, 1
    wanted = [line for line in lines if line.article_id == article.pk]
    if not wanted:
        raise NotOnThisJob(article=article)
    return wanted, units


@transaction.atomic
def scan(job_id, code, package_id, *, by, now):
    """Put what a code stands for into a package: one unit, or a carton's units.

    Args:
        code: an article code as the scanner sent it, or a SKU.
        package_id: None for the package that was proposed for the article.
    Returns:
        ``(package, [(line, units)])``: an article may stand on several lines of an order.
    Raises:
        UnknownCode, NotOnThisJob, TooManyUnits: nothing is packed then.
    """
    job = lock_for_packing(job_id, by)
    lines, units = _lines_of_code(job, code)
    package = package_of(job, package_id) if package_id else _target(job, lines)
    left = sum(line.quantity - line.packed for line in lines)
    if units > left:
        raise (TooManyUnits if left else AllPacked)(left=left, title=lines[0].title)
    rest, booked = units, []
    for line in lines:  # filled in their order
        now_in = min(rest, line.quantity - line.packed)
        if now_in:
            put_units(package, line, now_in)
            line.packed += now_in
            rest -= now_in
            booked.append((line, now_in))
    raise_version(job)
    return package, booked


@transaction.atomic
def sort(run_id, code, *, by, now):
    """Put a scanned unit of a batch to the first of its orders that misses it; begins the job of that order.

    Returns:
        ``(pack job, its number in the run, package, [(line, units)])``.
    Raises:
        UnknownCode, NotInBatch, BatchComplete: nothing is packed then.
    """
    article, units = find_article(code)
    if article is None:
        raise UnknownCode(code=code.strip())
    wanted = queries.lines_of_batch(run_id, article)
    if not wanted:
        raise NotInBatch(article=article)
    missing = [line for line in wanted if line.quantity - line.packed >= units]
    if not missing:
        raise BatchComplete(article=article)
    # A job that a colleague packs gets its units there.
    line = next((line for line in missing if line.job.is_waiting or line.job.editor_id == by.pk), None)
    if line is None:
        raise PackedBySomeoneElse(job=missing[0].job, packer=missing[0].job.editor)
    job = lock_for_status(line.job_id)
    if job.is_waiting:
        begin(job, by, now)
    package, booked = scan(job.pk, code, None, by=by, now=now)
    return job, line.number, package, booked


def _target(job, lines):
    packages = list(job.packages.select_related("box_type").prefetch_related("items")) or [new_package(job)]
    line = next((line for line in lines if line.packed < line.quantity), lines[0])
    return queries.target_of(job, line, packages)
