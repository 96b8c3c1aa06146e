"""The units of a return: received, and taken back or not. All of it can be changed until the return is finished."""

from django.db import transaction
from django.db.models import F
from django.utils.translation import ngettext

from fulfillment.core.status import log_change, transit
from shipping.models import ItemReturn, ReturnCondition, ReturnedItem, ReturnJobLine
from shipping.services import ReasonMissing

from .locks import changed, let_go, lock_open
from .refusals import NothingReceived, NotInThisReturn, NotReturnable, TooManyItems, TooManyReturned

Status, Verdict, Outcome = ItemReturn.Status, ReturnedItem.Verdict, ReturnCondition.Outcome


@transaction.atomic
def receive(
    item_return_id,
    line_id,
    units,
    condition,
    *,
    item_ids=None,
    reason=None,
    comment="",
    action=None,
    by,
    now,
    version=None,
):
    """Note units that are here, and their condition, which proposes what becomes of them; returns them.

    Announced units come first; without a condition somebody has to decide about them. Refuses an old version, a return
    that has ended, a line of another order, and more units than were handed over and are not back yet.

    Args:
        item_ids: the announced units that are here; None when nobody can tell them from others of their line.
        action: id of the press of a button; the second time nothing is received, and the same units are returned.
    """
    item_return = lock_open(item_return_id, version)
    job = item_return.job
    if action and (known := list(item_return.items.filter(received_in=action))):
        return known
    line = job.lines.filter(pk=line_id).first()
    if line is None:
        raise NotInThisReturn(order=job.order)
    if not line.is_returnable:
        raise NotReturnable(title=line.title)
    if not 1 <= units <= line.left:
        raise TooManyReturned(left=line.left, title=line.title)
    if item_return.status != Status.IN_PROGRESS:
        transit(item_return.start, by=by, now=now)
    awaited = item_return.items.filter(line=line, received_at=None)
    if item_ids is not None:
        awaited = awaited.filter(pk__in=item_ids)
    items = list(awaited.order_by("pk")[:units])
    new = [ReturnedItem(item_return=item_return, line=line) for _unit in range(units - len(items))]
    if item_return.items.count() + len(new) > ItemReturn.MOST_ITEMS:
        raise TooManyItems(most=ItemReturn.MOST_ITEMS)
    facts = {
        "received_at": now,
        "received_in": action,
        "condition": condition,
        "condition_comment": comment.strip()[:300],
        **_proposal(condition),
    } | ({"reason": reason} if reason else {})
    ReturnedItem.objects.filter(pk__in=[item.pk for item in items]).update(**facts)
    for item in new:
        for name, value in facts.items():
            setattr(item, name, value)
    ReturnedItem.objects.bulk_create(new)
    ReturnJobLine.objects.filter(pk=line.pk).update(returned=F("returned") + units)
    words = f"{units} × {line.title}" + (f": {condition}" if condition else "")
    log_change(item_return, "receive", by=by, now=now, reason=f"{words}. {comment}" if comment else words)
    changed(job, by=by, now=now)
    return list(item_return.items.filter(pk__in=[item.pk for item in [*items, *new]]))


def _proposal(condition):
    """What becomes of goods in a condition, unless somebody decides otherwise."""
    if condition is None:
        return {}
    if condition.outcome == Outcome.REJECT:
        return {"verdict": Verdict.REJECTED, "decision_reason": str(condition)}
    return {
        "verdict": Verdict.ACCEPTED,
        "place": ReturnedItem.Place(condition.outcome),
        "refund_percent": condition.refund_percent,
    }


def _chosen(item_return, item_ids):
    items = list(item_return.items.filter(pk__in=item_ids).select_related("line", "condition"))
    if not items or len(items) != len(set(item_ids)):
        raise NotInThisReturn(order=item_return.order)
    if any(item.received_at is None for item in items):
        raise NothingReceived
    return items


@transaction.atomic
def accept(item_return_id, item_ids, place, *, percent=None, reason="", by, now, version=None):
    """Decide that received units are taken back, and where they go. Refuses an old version and what is not received.

    Args:
        percent: of the price that the customer gets back; None for what the condition says, all without one that accepts.
    """
    item_return = lock_open(item_return_id, version)
    for item in _chosen(item_return, item_ids):
        rejects = item.condition is None or item.condition.outcome == Outcome.REJECT
        usual = 100 if rejects else item.condition.refund_percent
        item.verdict, item.place, item.decision_reason = Verdict.ACCEPTED, place, reason.strip()[:300]
        item.refund_percent = usual if percent is None else percent
        item.save(update_fields=["verdict", "place", "decision_reason", "refund_percent"])
    _decided(item_return, "accept", item_ids, reason, by=by, now=now)
    return item_return


@transaction.atomic
def reject(item_return_id, item_ids, *, reason, by, now, version=None):
    """Decide that received units go back to the customer. Refuses without a reason, and as ``accept`` does."""
    if not reason.strip():
        raise ReasonMissing
    item_return = lock_open(item_return_id, version)
    chosen = [item.pk for item in _chosen(item_return, item_ids)]
    ReturnedItem.objects.filter(pk__in=chosen).update(
        verdict=Verdict.REJECTED, decision_reason=reason.strip()[:300], place="", refund_percent=None
    )
    _decided(item_return, "reject", item_ids, reason, by=by, now=now)
    return item_return


def _decided(item_return, action, item_ids, reason, *, by, now):
    units = len(set(item_ids))
    words = ngettext("%(units)s unit", "%(units)s units", units) % {"units": units}
    log_change(item_return, action, by=by, now=now, reason=f"{words}. {reason}" if reason else words)
    changed(item_return.job, by=by, now=now)


@transaction.atomic
def take_out(item_return_id, item_ids, *, by, now, version=None):
    """Undo ``receive``: these units are not here. Announced ones are awaited again."""
    item_return = lock_open(item_return_id, version)
    items = _chosen(item_return, item_ids)
    awaited = [item.pk for item in items if item.is_announced]
    ReturnedItem.objects.filter(pk__in=awaited).update(
        received_at=None,
        received_in=None,
        condition=None,
        condition_comment="",
        verdict="",
        decision_reason="",
        place="",
        refund_percent=None,
    )
    ReturnedItem.objects.filter(pk__in=[item.pk for item in items if not item.is_announced]).delete()
    let_go(items)
    _decided(item_return, "take_out", item_ids, "", by=by, now=now)
    return item_return
