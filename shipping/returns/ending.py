"""How a return goes on, and how it ends: only then goods go to a shelf, and the refund is asked for, once."""

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.utils.translation import gettext

import orders.services as orders
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_change, transit
from picking import restow
from shipping.events import RefundTriggered, ReturnCancelled, ReturnFinished
from shipping.models import ItemReturn, ReturnedItem

from .locks import changed, let_go, lock
from .refusals import NothingReceived, SomethingReceived, Undecided

CENT = Decimal("0.01")
Status, Verdict = ItemReturn.Status, ReturnedItem.Verdict


@transaction.atomic
def finish(item_return_id, *, by, now, version=None):
    """End a return for good: accepted goods go to their places, the refund is asked for, rejected ones go back.

    Refuses an old version, a return of nothing, and one with an undecided unit.
    """
    item_return = lock(item_return_id)
    job = item_return.job
    check_version(job, version)
    items = item_return.items.exclude(received_at=None)
    received = list(items.select_related("line__order_line", "line__article", "condition", "reason"))
    if item_return.status == Status.IN_PROGRESS and not received:
        raise NothingReceived
    for item in received:
        if not item.verdict:
            raise Undecided(title=item.line.title)
    transit(item_return.finish, now, by=by, now=now, reason=_verdicts(received))
    accepted = [item for item in received if item.verdict == Verdict.ACCEPTED]
    let_go([item for item in received if item.verdict == Verdict.REJECTED])
    for item in accepted:
        _price(item, job.order)
    _put_away(item_return, accepted, by=by, now=now)
    if not any(line.left for line in job.lines.all()) and not job.item_returns.unfinished().exists():
        transit(job.finish, now, by=by, now=now)
    changed(job, by=by, now=now)
    _record(item_return, received, now)
    emit(ReturnFinished(item_return_id=item_return.pk), by=by, now=now)
    if accepted:
        log_change(item_return, "refund", by=by, now=now, reason=_refunds(accepted))
        emit(RefundTriggered(item_return_id=item_return.pk), by=by, now=now)
    return item_return


def _verdicts(items):
    """How many units got which decision, for the history."""
    count = Counter(Verdict(item.verdict).label for item in items)
    return ", ".join(f"{label}: {units}" for label, units in count.items())


def _record(item_return, items, now):
    """Note for the shop what became of each unit."""
    units = Counter(
        (
            str(item.line.order_line_id),
            item.verdict == Verdict.ACCEPTED,
            item.condition.key if item.condition else "",
            item.reason.key if item.reason else "",
        )
        for item in items
    )
    names = ("line", "is_accepted", "condition", "reason")
    records = [dict(zip(names, facts, strict=True), quantity=count) for facts, count in units.items()]
    orders.record_return(item_return.pk, order_id=item_return.order_id, items=records, now=now)


def _price(item, order):
    item.line.order_line.order = order
    price, currency = item.line.order_line.price
    if price is not None:
        item.refund_amount = (price * item.refund_percent / 100).quantize(CENT, ROUND_HALF_UP)
        item.refund_currency = currency
        item.save(update_fields=["refund_amount", "refund_currency"])


def _refunds(items):
    """What the customer gets back, for the history."""
    totals: dict = {}
    for item in items:
        if item.refund_amount is None:
            return str(gettext("Refund of an amount that is not known here."))
        totals[item.refund_currency] = totals.get(item.refund_currency, 0) + item.refund_amount
    amounts = ", ".join(f"{amount} {currency}" for currency, amount in totals.items())
    return str(gettext("Refund: %(amounts)s.") % {"amounts": amounts})


def _put_away(item_return, accepted, *, by, now):
    articles = {item.line.article_id: item.line.article for item in accepted}
    units = Counter((item.line.article_id, item.place == ReturnedItem.Place.DEFECTIVE) for item in accepted)
    # In key order: listings are made where there are none.
    returned = [(articles[pk], count, is_defective) for (pk, is_defective), count in sorted(units.items())]
    restow.take_in(item_return.facility, item_return.order_id, returned, by=by, now=now)


@transaction.atomic
def pause(item_return_id, *, by, now, version=None):
    """Go on later."""
    return _simply(item_return_id, "pause", by=by, now=now, version=version)


@transaction.atomic
def wait_for_input(item_return_id, *, reason="", by, now, version=None):
    """Somebody else has to decide."""
    return _simply(item_return_id, "wait_for_input", by=by, now=now, version=version, reason=reason)


@transaction.atomic
def start(item_return_id, *, by, now, version=None):
    """Begin to look at the goods, or go on."""
    return _simply(item_return_id, "start", by=by, now=now, version=version)


@transaction.atomic
def await_again(item_return_id, *, by, now, version=None):
    """A return is not here after all. Refuses when something of it was received."""
    return _simply(item_return_id, "announce", by=by, now=now, version=version, is_empty=True)


def _simply(item_return_id, action, *, by, now, version, reason="", is_empty=False):
    item_return = lock(item_return_id)
    check_version(item_return.job, version)
    if is_empty and item_return.items.exclude(received_at=None).exists():
        raise SomethingReceived
    transit(getattr(item_return, action), by=by, now=now, reason=reason)
    changed(item_return.job, by=by, now=now)
    return item_return


@transaction.atomic
def cancel(item_return_id, *, reason="", by, now, version=None):
    """The customer keeps the goods. Refuses when some of them were received: they are here."""
    item_return = _simply(
        item_return_id, "cancel", by=by, now=now, version=version, reason=reason, is_empty=True
    )
    emit(ReturnCancelled(item_return_id=item_return.pk), by=by, now=now)
    return item_return
