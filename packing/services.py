"""The steps of packing: what was picked goes into packages, which are weighed and closed.

Lines, packages and weights change only under the lock of their job; steps that change the status lock the order first.
"""

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import new_code
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import User
from fulfillment.core.queries import find_article
from fulfillment.core.status import check_version, log_change, log_created, transit
from orders.models import Order
from picking.models import PickJob

from .events import PackJobCancelled, PackJobClosed, PackJobCreated, PackJobUpdated
from .models import Package, PackageItem, PackJob, PackLine
from .weights import USUAL_G, expected_weight, is_unlikely

PACKAGE_CODE_PREFIX = "P"
MOST_PACKAGES = 99
MOST_GRAMS = 1_000_000


class NotInProgress(Refused):
    text = _("%(job)s is %(status)s. Start it before you pack.")


class PackedBySomeoneElse(Refused):
    text = _("%(packer)s is packing %(job)s. Take it over if you want to go on with it.")


class UnknownCode(Refused):
    text = _("No article has the code %(code)s.")


class NotOnThisJob(Refused):
    text = _("%(article)s does not belong to this order. Put it aside.")


class TooManyUnits(Refused):
    text = _("Only %(left)s more of %(title)s can be packed.")


class NotInPackage(Refused):
    text = _("Only %(packed)s of %(title)s are in this package.")


class QuantityTooSmall(Refused):
    text = _("The quantity must be at least 1.")


class PackageNotEmpty(Refused):
    text = _("Package %(number)s is not empty. Take its units out first.")


class TooManyPackages(Refused):
    text = _("A pack job has at most %(most)s packages.")


class PackageEmpty(Refused):
    text = _("Package %(number)s is empty. Put something in before you weigh it.")


class WeightUnlikely(Refused):
    text = _(
        "%(grams)s g is far from the %(expected)s g its articles weigh. Check the package, or confirm the weight."
    )


class WeightOutOfRange(Refused):
    text = _("A weight is given in grams, from 1 to %(most)s.")


class UnitsLeft(Refused):
    text = _("%(units)s units are not packed yet.")


class WeightMissing(Refused):
    text = _("Package %(number)s has no weight yet.")


class PackingBegan(Refused):
    text = _("%(job)s is being packed or is packed; its picking can no longer be taken back.")


class PackJobNeedsPickJob(Refused):
    text = _("A pack job is opened when its pick job is closed. Name such a job in pickJobRef.")


class NotALine(Refused):
    text = _("%(line)s is not a line of %(job)s.")


class AlreadyPacked(Refused):
    text = _("%(job)s is packed already; the order can no longer be cancelled.")


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
        )
        for line in pick_job.lines.filter(picked__gt=0)
    )
    emit(announcement(pack_job_id=job.pk), by=by, now=now)


def on_pick_job_reopened(event, *, by, now):
    """Let go of goods that are picked again; refuses when their packing has begun."""
    for job in PackJob.objects.filter(pick_job_id=event.pick_job_id).lock_all():
        if job.status not in {PackJob.Status.OPEN, PackJob.Status.OBSOLETE, PackJob.Status.CANCELED}:
            raise PackingBegan(job=job)
        if job.status == PackJob.Status.OPEN:
            transit(job.make_obsolete, by=by, now=now)
            emit(PackJobCancelled(pack_job_id=job.pk), by=by, now=now)


def on_order_cancelled(event, *, by, now):
    """Cancel the order's pack jobs; refuses when one of them is packed already."""
    for job in PackJob.objects.filter(order_id=event.order_id).order_by("pk").lock_all():
        if job.status == PackJob.Status.CLOSED:
            raise AlreadyPacked(job=job)
        if job.status in PackJob.UNFINISHED:
            transit(job.cancel, by=by, now=now, reason=str(_("The order was cancelled.")))
            emit(PackJobCancelled(pack_job_id=job.pk), by=by, now=now)


def _lock_for_status(job_id, version=None):
    # The order is the mutex of everything that belongs to it, and comes before the job in the lock order.
    order_id = PackJob.objects.values_list("order_id", flat=True).get(pk=job_id)
    Order.objects.lock(pk=order_id)
    job = PackJob.objects.lock(pk=job_id)
    check_version(job, version)
    return job


def _check_packer(job, by):
    if job.status != PackJob.Status.IN_PROGRESS:
        raise NotInProgress(job=job, status=job.get_status_display())
    if isinstance(by, User) and job.editor_id != by.pk:
        raise PackedBySomeoneElse(job=job, packer=job.editor)


def _lock_for_packing(job_id, by):
    job = PackJob.objects.lock(pk=job_id)
    _check_packer(job, by)
    return job


def _add_package(job):
    number = (job.packages.aggregate(last=Max("number"))["last"] or 0) + 1
    if number > MOST_PACKAGES:
        raise TooManyPackages(most=MOST_PACKAGES)
    return Package.objects.create(job=job, number=number, code=new_code(PACKAGE_CODE_PREFIX))


def _forget_weight(package):
    # What was weighed is no longer what is in the box.
    if package.weight_g is not None:
        package.weight_g = None
        package.save(update_fields=["weight_g"])


def _put(package, line, units):
    item, created = PackageItem.objects.get_or_create(
        package=package, line=line, defaults={"quantity": units}
    )
    if not created:
        item.quantity += units
        item.save(update_fields=["quantity"])
    _forget_weight(package)


@transaction.atomic
def start(job_id, *, by, now, version=None):
    """Begin or continue a pack job as its packer, with a first package ready. Refuses a running or finished job."""
    return _start(_lock_for_status(job_id, version), by, now)


def _start(job, by, now):
    transit(job.start, by if isinstance(by, User) else None, now, by=by, now=now)
    if not job.packages.exists():
        _add_package(job)
    emit(PackJobUpdated(pack_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def take_over(job_id, *, by, now):
    """Go on with a job that a colleague began; what is packed stays packed. Refuses a finished job."""
    job = _lock_for_status(job_id)
    if job.status == PackJob.Status.IN_PROGRESS:
        transit(job.pause, by=by, now=now, reason=str(gettext("Taken over")))
    return _start(job, by, now)


@transaction.atomic
def pause(job_id, *, by, now, version=None):
    """Put a running pack job aside; anybody at the facility may, so that a colleague can take it over."""
    job = _lock_for_status(job_id, version)
    transit(job.pause, by=by, now=now)
    emit(PackJobUpdated(pack_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def add_package(job_id, *, by, now):
    """Open one more package for a running job; returns it."""
    return _add_package(_lock_for_packing(job_id, by))


@transaction.atomic
def remove_package(job_id, package_id, *, by, now):
    """Remove an empty package; refuses one with units in it."""
    job = _lock_for_packing(job_id, by)
    package = job.packages.get(pk=package_id)
    if package.items.exists():
        raise PackageNotEmpty(number=package.number)
    package.delete()


@transaction.atomic
def put(job_id, line_id, package_id, quantity, *, by, now):
    """Put ``quantity`` units of a line into a package; refuses more than were picked and are not packed yet."""
    job = _lock_for_packing(job_id, by)
    line = job.lines.with_packed().get(pk=line_id)
    package = job.packages.get(pk=package_id)
    if quantity < 1:
        raise QuantityTooSmall()
    if quantity > line.quantity - line.packed:
        raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
    _put(package, line, quantity)
    _raise_version(job)
    return line


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
    """Put what a code stands for into a package: one unit, or a carton's units. Returns (line, units).

    Args:
        code: an article code as the scanner sent it, or a SKU.
    Raises:
        UnknownCode, NotOnThisJob, TooManyUnits: nothing is packed then.
    """
    job = _lock_for_packing(job_id, by)
    package = job.packages.get(pk=package_id)
    lines, units = _lines_of_code(job, code)
    left = sum(line.quantity - line.packed for line in lines)
    if units > left:
        raise TooManyUnits(left=left, title=lines[0].title)
    # An article may stand on two lines of an order: fill them in their order.
    rest = units
    for line in lines:
        now_in = min(rest, line.quantity - line.packed)
        if now_in:
            _put(package, line, now_in)
            rest -= now_in
    _raise_version(job)
    return lines[0], units


@transaction.atomic
def take_out(job_id, line_id, package_id, quantity, *, by, now):
    """Take units of a line out of a package again; refuses more than are in it."""
    job = _lock_for_packing(job_id, by)
    line = job.lines.get(pk=line_id)
    package = job.packages.get(pk=package_id)
    if quantity < 1:
        raise QuantityTooSmall()
    item = package.items.filter(line=line).first()
    if item is None or item.quantity < quantity:
        raise NotInPackage(packed=item.quantity if item else 0, title=line.title)
    _lower(item, quantity)
    _raise_version(job)


def _lower(item, units):
    if item.quantity == units:
        item.delete()
    else:
        item.quantity -= units
        item.save(update_fields=["quantity"])
    _forget_weight(item.package)


@transaction.atomic
def pack_all(job_id, package_id=None, *, by, now):
    """Put every unit that is left into one package: the named one, else the last, else a new one. Returns it."""
    job = _lock_for_packing(job_id, by)
    package = job.packages.get(pk=package_id) if package_id else job.packages.last()
    if package is None:
        package = _add_package(job)
    for line in job.lines.with_packed():
        if line.packed < line.quantity:
            _put(package, line, line.quantity - line.packed)
    _raise_version(job)
    return package


@transaction.atomic
def set_weight(job_id, package_id, grams, *, confirmed=False, by, now):
    """Store the weight of a package in grams, as the scale shows it.

    Refuses an empty package, less than 1 g, and a weight that does not fit its articles unless ``confirmed``.
    """
    job = _lock_for_packing(job_id, by)
    package = job.packages.get(pk=package_id)
    items = package.items.select_related("line__article")
    if not items:
        raise PackageEmpty(number=package.number)
    if not 1 <= grams <= MOST_GRAMS:
        raise WeightOutOfRange(most=MOST_GRAMS)
    expected = expected_weight((item.quantity, item.line.article.weight_g) for item in items)
    if not confirmed and is_unlikely(grams, expected):
        raise WeightUnlikely(grams=grams, expected=expected)
    package.weight_g = grams
    package.save(update_fields=["weight_g"])
    return package


@transaction.atomic
def count(job_id, packed, *, by, now, version=None):
    """Set how many units of some lines are packed in all: what is new goes into the last package, what is too many
    comes out of it first.

    Args:
        packed: ``{line id: units}``.
    Refuses a job that is not in progress or in another packer's hands, lines of other jobs, more than was picked.
    """
    job = _lock_for_status(job_id, version)
    _check_packer(job, by)
    lines = {line.pk: line for line in job.lines.with_packed()}
    for line_id, units in packed.items():
        line = lines.get(line_id)
        if line is None:
            raise NotALine(line=line_id, job=job)
        if units > line.quantity:
            raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
        if units > line.packed:
            _put(job.packages.last() or _add_package(job), line, units - line.packed)
        elif units < line.packed:
            _take_back(line, line.packed - units)
    return _touch(job, "count", by=by, now=now)


def _take_back(line, units):
    for item in line.items.select_related("package").order_by("-package__number"):
        out = min(units, item.quantity)
        _lower(item, out)
        units -= out


def _raise_version(job, *changed):
    """Save what clients see of a locked job and changed without a transition."""
    job.version += 1
    job.save(update_fields=["version", "modified_at", *changed])


def _touch(job, action, *changed, by, now):
    """The same with a log row, for what no screen notes."""
    _raise_version(job, *changed)
    log_change(job, action, by=by, now=now)
    emit(PackJobUpdated(pack_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def modify(job_id, *, by, now, custom_attributes=None, target_time=None, version=None):
    """Replace the free attributes or the target time of a job; None leaves them as they are."""
    job = _lock_for_status(job_id, version)
    job.custom_attributes = job.custom_attributes if custom_attributes is None else custom_attributes
    job.target_time = target_time or job.target_time
    return _touch(job, "modify", "custom_attributes", "target_time", by=by, now=now)


@transaction.atomic
def close(job_id, *, by, now, version=None, is_weight_estimated=False):
    """Close a pack job and let its labels be made.

    Empty packages vanish. Refuses while units are not packed or, for parcels, a package has no weight, unless
    ``is_weight_estimated`` says that the weight of its articles will do.
    """
    job = _lock_for_status(job_id, version)
    _check_packer(job, by)
    left = sum(line.quantity - line.packed for line in job.lines.with_packed())
    if left:
        raise UnitsLeft(units=left)
    job.packages.filter(items=None).delete()
    if is_weight_estimated:
        _estimate_weights(job)
    if job.needs_weights:
        unweighed = job.packages.filter(weight_g=None).first()
        if unweighed is not None:
            raise WeightMissing(number=unweighed.number)
    transit(job.close, now, by=by, now=now)
    emit(PackJobClosed(pack_job_id=job.pk), by=by, now=now)
    return job


def _estimate_weights(job):
    for package in job.packages.filter(weight_g=None).prefetch_related("items__line__article"):
        contents = ((item.quantity, item.line.article.weight_g) for item in package.items.all())
        package.weight_g = min(expected_weight(contents) or USUAL_G, MOST_GRAMS)
        package.save(update_fields=["weight_g"])
