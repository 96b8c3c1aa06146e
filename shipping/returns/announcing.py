"""What customers send back: announced with the code of the slip, by a program, or at the counter."""

import dataclasses
import uuid
from collections import Counter

from django.db import transaction
from django.utils.translation import gettext_noop

from fulfillment.core.codes import parcel_codes
from fulfillment.core.events import emit
from fulfillment.core.ids import uuid7
from fulfillment.core.status import check_version, log_change, log_created, transit
from shipping.events import ReturnAnnounced, ReturnCancelled
from shipping.models import ItemReturn, ReturnedItem, ReturnJob, ReturnReason, Shipment

from .locks import begin, changed, lock, lock_job, words
from .refusals import (
    NothingWanted,
    NotInThisReturn,
    NotReturnable,
    ReturnNeedsHandover,
    TooManyItems,
    TooManyReturned,
)

Status = ItemReturn.Status
# Who acts with the code of a slip; the history shows it in the language of the reader.
CUSTOMER = gettext_noop("Customer")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Units of a line that a customer sends back."""

    line_id: uuid.UUID
    units: int
    reason: ReturnReason | None = None
    comment: str = ""
    # Of a single unit that is received by its id afterwards.
    item_id: uuid.UUID | None = None


@transaction.atomic
def announce(job_id, wanted, *, facility, codes=(), by, now, version=None):
    """Note what a customer sends back, and to which facility; returns the return.

    Refuses an old version, a job that takes no returns, and more units than are out and not announced yet.

    Args:
        wanted: ``[Wanted]``.
        codes: what a scan of the parcel may read.
    """
    job = lock_job(job_id)
    check_version(job, version)
    begin(job, by=by, now=now)
    return _announce(job, wanted, facility, list(codes), is_by_customer=False, by=by, now=now)


@transaction.atomic
def announce_by_customer(shipment_id, wanted, *, now):
    """``announce`` with the code of a return slip; a second time it replaces what was said, until the goods arrive.

    Nothing wanted takes the announcement back.
    """
    shipment = Shipment.objects.select_related("facility").get(pk=shipment_id)
    job = ReturnJob.objects.filter(order=shipment.order_id).first()
    if job is None:
        raise ReturnNeedsHandover
    job, who = lock_job(job.pk), CUSTOMER
    begin(job, by=who, now=now)
    before = job.item_returns.announced_by_customer().first()
    if before is None:
        codes = [shipment.return_code]
        return _announce(job, wanted, shipment.facility, codes, is_by_customer=True, by=who, now=now)
    if not any(one.units for one in wanted):
        transit(before.cancel, by=who, now=now)
        changed(job, by=who, now=now)
        emit(ReturnCancelled(item_return_id=before.pk), by=who, now=now)
        return before
    before.items.all().delete()
    _add_announced(job, before, wanted)
    log_change(before, "announce", by=who, now=now, reason=_contents(before))
    changed(job, by=who, now=now)
    emit(ReturnAnnounced(item_return_id=before.pk), by=who, now=now)
    return before


def _announce(job, wanted, facility, codes, *, is_by_customer, by, now):
    item_return = ItemReturn.objects.create(
        job=job,
        order_id=job.order_id,
        facility=facility,
        scannable_codes=codes,
        is_by_customer=is_by_customer,
        created_at=now,
    )
    _add_announced(job, item_return, wanted)
    log_created(item_return, by=by, now=now, reason=_contents(item_return))
    changed(job, by=by, now=now)
    emit(ReturnAnnounced(item_return_id=item_return.pk), by=by, now=now)
    return item_return


def _add_announced(job, item_return, wanted):
    wanted = [one for one in wanted if one.units]
    if not wanted:
        raise NothingWanted
    if sum(one.units for one in wanted) > ItemReturn.MOST_ITEMS:
        raise TooManyItems(most=ItemReturn.MOST_ITEMS)
    lines = {line.pk: line for line in job.lines.all()}
    on_the_way = Counter(
        ReturnedItem.objects.filter(
            item_return__job=job, item_return__status__in=ItemReturn.UNFINISHED, received_at=None
        ).values_list("line_id", flat=True)
    )
    free = {pk: line.left - on_the_way[pk] for pk, line in lines.items()}
    asked: Counter = Counter()
    items = []
    for one in wanted:
        line = lines.get(one.line_id)
        if line is None:
            raise NotInThisReturn(order=job.order)
        if not line.is_returnable:
            raise NotReturnable(title=line.title)
        asked[line.pk] += one.units
        if asked[line.pk] > free[line.pk]:
            raise TooManyReturned(left=max(free[line.pk], 0), title=line.title)
        items += [
            ReturnedItem(
                pk=one.item_id or uuid7(),
                item_return=item_return,
                line=line,
                is_announced=True,
                reason=one.reason,
                reason_comment=one.comment[:300],
            )
            for _unit in range(one.units)
        ]
    ReturnedItem.objects.bulk_create(items)


def _contents(item_return):
    return words(item_return.items.select_related("line"))


@transaction.atomic
def open_at(facility, job_id, *, code="", by, now, version=None):
    """The goods are at a facility: go on with its return of this job, take in the announced one, or make a new one.

    Refuses a job that takes no returns, and an old version.

    Args:
        code: what was scanned; of several returns it chooses the one that has it, also when another one is here.
    """
    job = lock_job(job_id)
    check_version(job, version)
    here = job.item_returns.filter(status__in=ItemReturn.HERE, facility=facility).order_by("pk")
    announced = job.item_returns.filter(status=Status.ANNOUNCED).lock_all()
    known, codes = [*here, *announced], set(filter(None, parcel_codes(code)))
    scanned = [one for one in known if codes & set(one.scannable_codes)]
    chosen = next(iter(scanned or known), None)
    if chosen is not None and chosen.status in ItemReturn.HERE:
        return chosen
    begin(job, by=by, now=now)
    if chosen is not None:
        return _open(job, chosen, facility, by=by, now=now)
    item_return = ItemReturn(
        job=job,
        order_id=job.order_id,
        facility=facility,
        status=Status.OPEN,
        opened_at=now,
        created_at=now,
    )
    item_return.save(force_insert=True)
    log_created(item_return, by=by, now=now)
    changed(job, by=by, now=now)
    return item_return


@transaction.atomic
def open_announced(item_return_id, *, facility=None, by, now, version=None):
    """An announced return arrived, perhaps at another facility than expected. Refuses an old version."""
    item_return = lock(item_return_id)
    check_version(item_return.job, version)
    return _open(item_return.job, item_return, facility or item_return.facility, by=by, now=now)


def _open(job, item_return, facility, *, by, now):
    transit(item_return.open, facility, now, by=by, now=now)
    changed(job, by=by, now=now)
    return item_return
