"""The steps of packing: what was picked goes into packages, which are weighed and closed.

Lines, packages and weights change only under the lock of their job; steps that change the status lock the order first.
"""

import re

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fulfillment.core.access import permissions_at
from fulfillment.core.codes import new_code
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import Permission, User
from fulfillment.core.models.facility import ScanRule
from fulfillment.core.queries import find_article
from fulfillment.core.status import check_version, log_change, log_created, transit
from orders.models import Order
from picking import load_units
from picking.models import PickJob

from . import customs, queries
from .events import PackJobCancelled, PackJobClosed, PackJobCreated, PackJobUpdated
from .models import BoxType, Package, PackageItem, PackJob, PackLine
from .weights import USUAL_G, is_unlikely

PACKAGE_CODE_PREFIX = "P"
LONGEST_CODE = 30
PACKAGE_CODE = re.compile(rf"[0-9A-Za-z][0-9A-Za-z._-]{{0,{LONGEST_CODE - 1}}}")
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


class NotInBatch(NotOnThisJob):
    text = _("%(article)s does not belong to this batch. Put it aside.")


class TooManyUnits(Refused):
    text = _("Only %(left)s more of %(title)s can be packed.")


class AllPacked(TooManyUnits):
    text = _("All units of %(title)s are packed. Put this one aside.")


class BatchComplete(TooManyUnits):
    text = _("No order of this batch misses %(article)s. Put this one aside.")


class NotInPackage(Refused):
    text = _("Only %(packed)s of %(title)s are in this package.")


class QuantityTooSmall(Refused):
    text = _("The quantity must be at least 1.")


class PackageNotEmpty(Refused):
    text = _("Package %(number)s is not empty. Take its units out first.")


class PackageGone(Refused):
    text = _("This package is not there any more. Choose another one.")


class TooManyPackages(Refused):
    text = _("A pack job has at most %(most)s packages.")


class CodeNotUsable(Refused):
    text = _("The code of a package has letters, digits, dots and dashes, %(most)s at most.")


class PackageCodeTaken(Refused):
    text = _("Another package has the code %(code)s.")


class PackageEmpty(Refused):
    text = _("Package %(number)s is empty. Put something in before you weigh it.")


class WeightUnlikely(Refused):
    text = _(
        "%(grams)s g is far from the %(expected)s g it should weigh. Check the package, or confirm the weight."
    )


class WeightOutOfRange(Refused):
    text = _("A weight is given in grams, from 1 to %(most)s.")


class OverBoxLimit(Refused):
    text = _("%(box)s takes at most %(most)s g. Take something out, or choose another box.")


class UnknownBox(Refused):
    text = _("This box is not used here. Choose another one.")


class SamePackage(Refused):
    text = _("Choose the package that it is moved to.")


class MustScan(Refused):
    text = _("Scan %(title)s before you pack it by hand.")


class MustScanEach(Refused):
    text = _("Scan each unit of %(title)s. A supervisor may pack without.")


class NotVerified(Refused):
    text = _("%(units)s units of %(title)s are not verified. Take them out and scan them.")


class CustomsDataMissing(Refused):
    text = _("Customs must know more of these articles: %(missing)s. Complete them in the administration.")


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
    """Cancel the order's pack jobs. Refuses when one of them is packed already; by force that one stays as it is."""
    for job in PackJob.objects.filter(order_id=event.order_id).order_by("pk").lock_all():
        if job.status == PackJob.Status.CLOSED and not event.is_forced:
            raise AlreadyPacked(job=job)
        if job.status in PackJob.UNFINISHED:
            transit(job.cancel, by=by, now=now, reason=str(_("The order was cancelled.")))
            emit(PackJobCancelled(pack_job_id=job.pk), by=by, now=now)


def lock_for_status(job_id, version=None):
    # The order is the mutex of everything that belongs to it, and comes before the job in the lock order.
    order_id = PackJob.objects.values_list("order_id", flat=True).get(pk=job_id)
    Order.objects.lock(pk=order_id)
    job = PackJob.objects.lock(pk=job_id)
    check_version(job, version)
    return job


def check_packer(job, by):
    """Refuse a job that is not being packed, or not by this person."""
    if job.status != PackJob.Status.IN_PROGRESS:
        raise NotInProgress(job=job, status=job.get_status_display())
    if isinstance(by, User) and job.editor_id != by.pk:
        raise PackedBySomeoneElse(job=job, packer=job.editor)


def _lock_for_packing(job_id, by):
    job = PackJob.objects.lock(pk=job_id)
    check_packer(job, by)
    return job


def _add_package(job, box=None):
    number = (job.packages.aggregate(last=Max("number"))["last"] or 0) + 1
    if number > MOST_PACKAGES:
        raise TooManyPackages(most=MOST_PACKAGES)
    package = Package(job=job, number=number, code=new_code(PACKAGE_CODE_PREFIX))
    package.take_box(box)
    package.save(force_insert=True)
    return package


def _open_packages(job):
    """The first packages: as proposed for the articles, else one, in the only box there is or in none."""
    boxes = list(BoxType.objects.usable_at(job.facility_id))
    proposal = queries.proposal(job, boxes)
    if proposal is not None and not proposal.left and len(proposal.filled) <= MOST_PACKAGES:
        by_key = {box.pk: box for box in boxes}
        for filled in proposal.filled:
            _add_package(job, by_key[filled.box.key])
    else:
        _add_package(job, boxes[0] if len(boxes) == 1 else None)


def _forget_weight(package):
    # What was weighed is no longer what is in the box.
    if package.weight_g is not None:
        package.weight_g = None
        package.save(update_fields=["weight_g"])


def _put(package, line, units, *, is_verified=True):
    item, created = PackageItem.objects.get_or_create(
        package=package, line=line, defaults={"quantity": units}
    )
    if not created:
        item.quantity += units
        item.save(update_fields=["quantity"])
    if is_verified:
        line.verified += units
        line.save(update_fields=["verified"])
    _forget_weight(package)


def may_pack_by_hand(job, by):
    """Whether the scan rule does not hold: for other systems, which have rules of their own, and for supervisors."""
    if job.facility.pack_scan == ScanRule.NOT_REQUIRED or not isinstance(by, User):
        return True
    return Permission.SUPERVISE in permissions_at(by, job.facility)


def _check_scan_rule(job, line, by):
    if may_pack_by_hand(job, by):
        return
    if job.facility.pack_scan == ScanRule.EACH:
        raise MustScanEach(title=line.title)
    if not line.verified:
        raise MustScan(title=line.title)


@transaction.atomic
def start(job_id, *, by, now, version=None):
    """Begin or continue a pack job as its packer, with its packages ready.

    Refuses a running or finished job, and goods that cross a border while data for customs are missing.
    """
    return _start(lock_for_status(job_id, version), by, now)


def _check_customs(job):
    missing = customs.missing(job)
    if missing:
        words = "; ".join(f"{title} ({', '.join(map(str, fields))})" for title, fields in missing)
        raise CustomsDataMissing(missing=words)


def _start(job, by, now):
    _check_customs(job)
    transit(job.start, by if isinstance(by, User) else None, now, by=by, now=now)
    if not job.packages.exists():
        _open_packages(job)
    emit(PackJobUpdated(pack_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def take_over(job_id, *, by, now):
    """Go on with a job that a colleague began; what is packed stays packed. Refuses a finished job."""
    job = lock_for_status(job_id)
    if job.status == PackJob.Status.IN_PROGRESS:
        transit(job.pause, by=by, now=now, reason=str(gettext("Taken over")))
    return _start(job, by, now)


@transaction.atomic
def pause(job_id, *, by, now, version=None):
    """Put a running pack job aside; anybody at the facility may, so that a colleague can take it over."""
    job = lock_for_status(job_id, version)
    transit(job.pause, by=by, now=now)
    emit(PackJobUpdated(pack_job_id=job.pk), by=by, now=now)
    return job


@transaction.atomic
def add_package(job_id, *, box_id=None, by, now):
    """Open one more package for a running job, in the named box or the only one there is; returns it."""
    job = _lock_for_packing(job_id, by)
    if box_id is not None:
        return _add_package(job, _box(job, box_id))
    boxes = BoxType.objects.usable_at(job.facility_id)[:2]
    return _add_package(job, boxes[0] if len(boxes) == 1 else None)


def _box(job, box_id):
    box = BoxType.objects.usable_at(job.facility_id).filter(pk=box_id).first()
    if box is None:
        raise UnknownBox
    return box


@transaction.atomic
def choose_box(job_id, package_id, box_id, *, by, now):
    """Say which box a package is; None for one that is not in the list. Refuses a box that is not used here."""
    job = _lock_for_packing(job_id, by)
    package = _package(job, package_id)
    package.take_box(None if box_id is None else _box(job, box_id))
    package.weight_g = None  # it was weighed in another one
    package.save(update_fields=["box_type", "length_mm", "width_mm", "height_mm", "weight_g"])
    _raise_version(job)
    return package


@transaction.atomic
def remove_package(job_id, package_id, *, by, now):
    """Remove an empty package; refuses one with units in it."""
    job = _lock_for_packing(job_id, by)
    package = _package(job, package_id)
    if package.items.exists():
        raise PackageNotEmpty(number=package.number)
    package.delete()


@transaction.atomic
def put(job_id, line_id, package_id, quantity, *, by, now):
    """Put ``quantity`` units of a line into a package; refuses more than were picked and are not packed yet."""
    job = _lock_for_packing(job_id, by)
    line = job.lines.with_packed().get(pk=line_id)
    package = _package(job, package_id)
    if quantity < 1:
        raise QuantityTooSmall()
    if quantity > line.quantity - line.packed:
        raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
    _check_scan_rule(job, line, by)
    _put(package, line, quantity)
    _raise_version(job)
    return line


@transaction.atomic
def move(job_id, line_id, package_id, to_package_id, quantity, *, by, now):
    """Move units of a line from one package to another; refuses more than are in it."""
    job = _lock_for_packing(job_id, by)
    line = job.lines.get(pk=line_id)
    package, target = _package(job, package_id), _package(job, to_package_id)
    if package == target:
        raise SamePackage
    _take(package, line, quantity)
    _put(target, line, quantity, is_verified=False)  # it is as verified as it was
    _raise_version(job)
    return line


@transaction.atomic
def undo(job_id, moved, *, by, now):
    """Take back what one action moved: what went in comes out, what came out goes in. Refuses what is not so any more.

    Args:
        moved: ``[(line id, package id, units)]``, units below 0 were taken out.
    """
    job = _lock_for_packing(job_id, by)
    lines = {line.pk: line for line in job.lines.with_packed()}
    # First what comes out: a move back leaves no moment with more units than there are.
    for line_id, package_id, units in sorted(moved, key=lambda part: -part[2]):
        line, package = lines[line_id], _package(job, package_id)
        if units > 0:
            _take(package, line, units)
            line.verified = max(0, line.verified - units)
            line.packed -= units
        elif -units > line.quantity - line.packed:
            raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
        else:
            _put(package, line, -units)
            line.packed -= units
        line.save(update_fields=["verified"])
    _raise_version(job)
    return lines[moved[0][0]]


def _package(job, package_id):
    """A package of the job, which a colleague may have removed meanwhile."""
    package = job.packages.filter(pk=package_id).select_related("box_type").first()
    if package is None:
        raise PackageGone
    return package


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
    job = _lock_for_packing(job_id, by)
    lines, units = _lines_of_code(job, code)
    package = _package(job, package_id) if package_id else _target(job, lines)
    left = sum(line.quantity - line.packed for line in lines)
    if units > left:
        raise (TooManyUnits if left else AllPacked)(left=left, title=lines[0].title)
    rest, booked = units, []
    for line in lines:  # filled in their order
        now_in = min(rest, line.quantity - line.packed)
        if now_in:
            _put(package, line, now_in)
            line.packed += now_in
            rest -= now_in
            booked.append((line, now_in))
    _raise_version(job)
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
        _start(job, by, now)
    package, booked = scan(job.pk, code, None, by=by, now=now)
    return job, line.number, package, booked


def _target(job, lines):
    packages = list(job.packages.select_related("box_type").prefetch_related("items")) or [_add_package(job)]
    line = next((line for line in lines if line.packed < line.quantity), lines[0])
    return queries.target_of(job, line, packages)


@transaction.atomic
def take_out(job_id, line_id, package_id, quantity, *, by, now):
    """Take units of a line out of a package again; refuses more than are in it."""
    job = _lock_for_packing(job_id, by)
    line = job.lines.get(pk=line_id)
    _take(_package(job, package_id), line, quantity)
    line.verified = max(0, line.verified - quantity)
    line.save(update_fields=["verified"])
    _raise_version(job)
    return line


@transaction.atomic
def change_contents(job_id, package_id, changes, *, by, now, version=None):
    """Change what is in a package, all or nothing.

    Args:
        changes: ``[(line id, units, is_absolute)]``: units that come in addition, or that are in it afterwards.
    Refuses an old version, lines of other jobs, and more units than were picked.
    """
    job = _lock_for_packing(job_id, by)
    check_version(job, version)
    package = _package(job, package_id)
    for line_id, units, is_absolute in changes:
        line = job.lines.with_packed().filter(pk=line_id).first()
        if line is None:
            raise NotALine(line=line_id, job=job)
        here = package.items.filter(line=line).first()
        more = units - (here.quantity if here and is_absolute else 0)
        if more > line.quantity - line.packed:
            raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
        if more > 0:
            _check_scan_rule(job, line, by)
            _put(package, line, more)
        elif more < 0:
            _take(package, line, -more)
            line.verified = max(0, line.verified + more)
            line.save(update_fields=["verified"])
    return _touch(job, "change contents", by=by, now=now)


@transaction.atomic
def move_many(job_id, moves, *, by, now, version=None):
    """Move units out of packages into another one, or without one out of all of them; all or nothing.

    Args:
        moves: ``[(package id, line id, units, id of the other package or None)]``.
    Refuses an old version, and more units than are in a package.
    """
    job = _lock_for_packing(job_id, by)
    check_version(job, version)
    for package_id, line_id, units, target_id in moves:
        line, package = job.lines.filter(pk=line_id).first(), _package(job, package_id)
        if line is None:
            raise NotALine(line=line_id, job=job)
        if package_id == target_id:
            raise SamePackage
        _take(package, line, units)
        if target_id is not None:
            _put(_package(job, target_id), line, units, is_verified=False)
        else:
            line.verified = max(0, line.verified - units)
            line.save(update_fields=["verified"])
    return _touch(job, "move", by=by, now=now)


@transaction.atomic
def set_code(job_id, package_id, code, *, by, now, version=None):
    """Give a package the code that stands on it already. Refuses one that no label bears, or that another package has."""
    job = _lock_for_packing(job_id, by)
    check_version(job, version)
    package = _package(job, package_id)
    if not PACKAGE_CODE.fullmatch(code):
        raise CodeNotUsable(most=LONGEST_CODE)
    if Package.objects.filter(code=code).exclude(pk=package.pk).exists():
        raise PackageCodeTaken(code=code)
    package.code = code
    package.save(update_fields=["code"])
    return _touch(job, "set code", by=by, now=now)


def _take(package, line, quantity):
    if quantity < 1:
        raise QuantityTooSmall()
    item = package.items.filter(line=line).first()
    if item is None or item.quantity < quantity:
        raise NotInPackage(packed=item.quantity if item else 0, title=line.title)
    _lower(item, quantity)


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
    package = _package(job, package_id) if package_id else job.packages.last()
    if package is None:
        package = _add_package(job)
    for line in job.lines.with_packed():
        if line.packed < line.quantity:
            _check_scan_rule(job, line, by)
            _put(package, line, line.quantity - line.packed)
    _raise_version(job)
    return package


@transaction.atomic
def pack_as_proposed(job_id, *, by, now):
    """Put every unit that is left where the proposal has it; what it has nowhere goes into the last package."""
    job = _lock_for_packing(job_id, by)
    packages = list(job.packages.prefetch_related("items"))
    plan = queries.planned(job, packages)
    for line in job.lines.with_packed():
        rest = line.quantity - line.packed
        if rest:
            _check_scan_rule(job, line, by)
        for package in packages:
            here = sum(item.quantity for item in package.items.all() if item.line_id == line.pk)
            units = min(rest, max(0, plan.get(package.pk, {}).get(line.pk, 0) - here))
            if units:
                _put(package, line, units)
                rest -= units
        if rest:
            _put(packages[-1], line, rest)
    _raise_version(job)
    return packages[-1]


@transaction.atomic
def set_weight(job_id, package_id, grams, *, confirmed=False, by, now):
    """Store the weight of a package in grams, as the scale shows it.

    Refuses an empty package, less than 1 g, more than its box takes, and a weight that does not fit its articles
    unless ``confirmed``.
    """
    job = _lock_for_packing(job_id, by)
    package = queries.with_weights(_package(job, package_id), job.facility)
    if not package.units:
        raise PackageEmpty(number=package.number)
    if not 1 <= grams <= MOST_GRAMS:
        raise WeightOutOfRange(most=MOST_GRAMS)
    _check_limit(package, grams)
    if not confirmed and is_unlikely(
        grams,
        package.expected_g,
        queries.tolerance_of(job.facility),
        is_box_known=package.box_type is not None,
    ):
        raise WeightUnlikely(grams=grams, expected=package.expected_g)
    package.weight_g = grams
    package.save(update_fields=["weight_g"])
    return package


def _check_limit(package, grams):
    if package.box_type is not None and grams > package.box_type.most_g:
        raise OverBoxLimit(box=package.box_type, most=package.box_type.most_g)


@transaction.atomic
def count(job_id, packed, *, by, now, version=None):
    """Set how many units of some lines are packed in all: what is new goes into the last package, what is too many
    comes out of it first.

    Args:
        packed: ``{line id: units}``.
    Refuses a job that is not in progress or in another packer's hands, lines of other jobs, more than was picked.
    """
    job = lock_for_status(job_id, version)
    check_packer(job, by)
    lines = {line.pk: line for line in job.lines.with_packed()}
    for line_id, units in packed.items():
        line = lines.get(line_id)
        if line is None:
            raise NotALine(line=line_id, job=job)
        if units > line.quantity:
            raise TooManyUnits(left=line.quantity - line.packed, title=line.title)
        if units > line.packed:
            _check_scan_rule(job, line, by)
            _put(job.packages.last() or _add_package(job), line, units - line.packed)
        elif units < line.packed:
            _take_back(line, line.packed - units)
    return _touch(job, "count", by=by, now=now)


def _take_back(line, units):
    for item in line.items.select_related("package").order_by("-package__number"):
        out = min(units, item.quantity)
        _lower(item, out)
        units -= out
        line.verified = max(0, line.verified - out)
    line.save(update_fields=["verified"])


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
    job = lock_for_status(job_id, version)
    job.custom_attributes = job.custom_attributes if custom_attributes is None else custom_attributes
    job.target_time = target_time or job.target_time
    return _touch(job, "modify", "custom_attributes", "target_time", by=by, now=now)


@transaction.atomic
def close(job_id, *, by, now, version=None, is_weight_estimated=False):
    """Close a pack job and let its labels be made.

    Empty packages vanish. Refuses while units are not packed, are not verified by the scan rule of the facility, lack
    what customs must know or, for parcels, a package has no weight, unless ``is_weight_estimated`` says that the weight
    of its articles will do.
    """
    job = lock_for_status(job_id, version)
    check_packer(job, by)
    lines = list(job.lines.with_packed())
    left = sum(line.quantity - line.packed for line in lines)
    if left:
        raise UnitsLeft(units=left)
    _check_verified(job, lines)
    _check_customs(job)
    job.packages.filter(items=None).delete()
    if is_weight_estimated:
        _estimate_weights(job)
    if job.needs_weights:
        unweighed = job.packages.filter(weight_g=None).first()
        if unweighed is not None:
            raise WeightMissing(number=unweighed.number)
    transit(job.close, now, by=by, now=now)
    load_units.free_packed(job.pick_job_id, by=by, now=now)
    emit(PackJobClosed(pack_job_id=job.pk), by=by, now=now)
    return job


def _check_verified(job, lines):
    """The rule of the scan screens once more, for whatever way the units came into their packages."""
    rule = job.facility.pack_scan
    for line in lines:
        wanted = {ScanRule.NOT_REQUIRED: 0, ScanRule.FIRST: 1, ScanRule.EACH: line.quantity}[rule]
        if line.verified < wanted:
            raise NotVerified(units=wanted - line.verified, title=line.title)


def _estimate_weights(job):
    for package in job.packages.filter(weight_g=None).select_related("box_type"):
        queries.with_weights(package, job.facility)
        package.weight_g = min(package.expected_g or USUAL_G, MOST_GRAMS)
        _check_limit(package, package.weight_g)
        package.save(update_fields=["weight_g"])
