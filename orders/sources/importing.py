"""Drafts become orders, once. What is known already is compared, and only something newer changes it.

Three constraints hold under any number of workers: a delivery is stored once, an order of a source is linked once,
and a number is live once per channel. Look-ups only spare the way there.
"""

import dataclasses
import itertools

from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import Case, Value, When
from django.db.models.functions import Cast
from rest_framework.exceptions import ValidationError

from fulfillment.core import rows
from fulfillment.core.api.errors import errors_of
from fulfillment.core.api.schema import validate
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from orders import services, wire
from orders.models import Order

from . import regrouping
from .drafts import Action, Draft, repaired
from .events import ReturnOpened
from .models import ImportedOrder
from .reading import iso
from .reasons import UNDECIDED, Reason, reason, refused


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a draft: imported, updated, cancelled, ignored or parked."""

    draft: Draft
    done: str
    reason: Reason | None = None

    @property
    def is_parked(self):
        return self.done == "parked"

    @property
    def settles(self):
        """Whether earlier deliveries of the order need nobody any more. An echo that changes nothing settles nothing:
        what somebody has to decide is still undecided.
        """
        is_cancelled = self.draft.action == Action.CANCEL and self.reason.code == "CANCELLED_BEFORE"
        return is_cancelled or self.done in {"imported", "updated", "cancelled"}


def apply(connection, drafts, *, now, also=None):
    """Bring drafts of one connection to our orders, all in one transaction; returns an ``Outcome`` for each.

    Two workers with the same order meet at a constraint: the second one looks again. An order that the database
    refuses is parked and keeps nobody else out.

    Args:
        also: called with the outcomes in the same transaction, for what must not be stored without the orders.
    """
    # In one order everywhere, so that two batches never wait for each other in a circle.
    drafts = sorted(drafts, key=_order)
    try:
        return _apply(connection, drafts, now, also)
    except (IntegrityError, OperationalError, DataError):
        # Somebody was faster with one of them, or the database refuses one: each order on its own then, with all its
        # ship groups: one that is not among the drafts is one that the shop gave up.
        outcomes = [
            outcome
            for _order_id, own in itertools.groupby(drafts, key=lambda draft: draft.order_id)
            for outcome in _apply_alone(connection, list(own), now)
        ]
    if also is not None:
        with transaction.atomic():
            also(outcomes)
    return outcomes


def _order(draft):
    return draft.key, draft.version or 0, draft.updated_at.timestamp() if draft.updated_at else 0


def _apply_alone(connection, drafts, now):
    """Apply the drafts of one order."""
    for attempt in range(3):
        try:
            return _apply(connection, drafts, now, None)
        except (IntegrityError, OperationalError):
            if attempt == 2:
                raise
        except DataError as error:
            why = reason("REFUSED", why=type(error).__name__)
            return [Outcome(draft, "parked", why) for draft in drafts]
    raise AssertionError


@transaction.atomic
def _apply(connection, drafts, now, also):
    keys = {draft.order_id for draft in drafts}
    links = {
        link.key: link
        for link in ImportedOrder.objects.filter(connection=connection, external_id__in=keys).lock_all()
    }
    drafts = [one for draft in drafts for each in _all_groups(draft, links) for one in _repaired(each, links)]
    gone = regrouping.gone(drafts, links)
    ended = _ended(
        [links[draft.key] for draft in drafts if draft.action == Action.CANCEL and draft.key in links]
    )
    locked = _lock_orders(drafts, links, gone, ended)
    new, seen = [], set()
    outcomes = _let_go(connection, drafts, gone, now)
    for index, draft in enumerate(drafts):
        if index in outcomes or draft.key in links or draft.key in seen:
            continue
        if why := _cancelled_as_whole(draft, links):
            outcomes[index] = Outcome(draft, "ignored", why)
            continue
        outcome, body = _judge(draft)
        if body is not None:
            new.append((index, draft, body))
            seen.add(draft.key)
        elif draft.action == Action.CANCEL:
            # So that a "create" that comes late is seen to be older.
            links[draft.key] = _link(connection, draft, None, now)
            links[draft.key].save(force_insert=True)
            outcomes[index] = Outcome(draft, "ignored", reason("CANCELLED_BEFORE"))
        else:
            outcomes[index] = outcome
    _place(connection, new, links, outcomes, now)
    newer = []
    for index, draft in enumerate(drafts):
        if index not in outcomes:
            link = links.get(draft.key)
            if link is None:  # an earlier one of the same batch was not placed
                outcomes[index] = Outcome(draft, "ignored", reason("OLDER"))
                continue
            outcomes[index] = _compare(connection, link, draft, newer, ended, now)
    _note_freshness(newer)
    opened = _returning(drafts, links)
    if placed := set(opened) - locked:  # by this import, or anew
        Order.objects.filter(pk__in=placed).lock_all()
    for order_id in opened:
        emit(ReturnOpened(order_id=order_id), by=connection, now=now)
    found = [outcomes[index] for index in range(len(drafts))]
    if also is not None:
        also(found)
    return found


def _let_go(connection, drafts, gone, now):
    """Cancel what an order no longer has as a ship group; outcomes of the drafts that must wait because it has begun."""
    parked = {}
    for current, lost in gone:
        try:
            with transaction.atomic():
                regrouping.let_go(connection, lost, now=now)
        except Refused as refusal:
            why = refused("GROUPS_TOO_LATE", refusal)
            parked |= {
                index: Outcome(draft, "parked", why)
                for index, draft in enumerate(drafts)
                if any(draft is one for one in current)
            }
    return parked


def _repaired(draft, links):
    """What an operator typed in for an order holds for its later versions as well."""
    link = links.get(draft.key)
    if draft.strays:  # it is known by its ship groups
        link = next((one for key, one in links.items() if key[0] == draft.order_id), None)
    return repaired(draft, link.facts["corrections"]) if link and "corrections" in link.facts else [draft]


def _all_groups(draft, links):
    """A cancellation that knows no ship groups is one of each."""
    if draft.action != Action.CANCEL or draft.group:
        return [draft]
    groups = [group for order_id, group in links if order_id == draft.order_id]
    return [dataclasses.replace(draft, group=group) for group in groups] or [draft]


def _cancelled_as_whole(draft, links):
    """Why a ship group is not placed whose order was cancelled before its groups were known; None when it may be."""
    link = links.get((draft.order_id, "")) if draft.group else None
    if link is None or link.order_id is not None:
        return None
    if draft.is_older_than(link.version, link.source_updated_at):
        return reason("OLDER")
    is_newer = (draft.version, draft.updated_at) != (link.version, link.source_updated_at)
    return None if is_newer else reason("CANCELLED_BEFORE")


def _judge(draft):
    """(outcome, None), or (None, the validated body) of a draft that is to become an order."""
    if draft.action == Action.PARK:
        return Outcome(draft, "parked", draft.reason), None
    if draft.action != Action.IMPORT:
        return Outcome(draft, "ignored", draft.reason), None
    try:
        return None, validate(wire.order_for_creation, draft.body())
    except ValidationError as failure:
        words = "; ".join(error["description"] for error in errors_of(failure))
        return Outcome(draft, "parked", reason("INVALID", errors=words[:900])), None


def _place(connection, new, links, outcomes, now):
    """Place the new orders with the same few queries for any number of them, and link them."""
    if not new:
        return
    placed = services.place_many(
        [body for _index, _draft, body in new], channel=connection.channel, by=connection, now=now
    )
    made = []
    for (index, draft, _body), result in zip(new, placed, strict=True):
        if isinstance(result, Refused):
            outcomes[index] = Outcome(draft, "parked", refused("REFUSED", result))
            continue
        order, _is_new = result
        link = _link(connection, draft, order, now)
        links[draft.key] = link
        made.append(link)
        outcomes[index] = Outcome(draft, "imported", draft.warnings[0] if draft.warnings else None)
    rows.insert(ImportedOrder, made)


def _link(connection, draft, order, now):
    return ImportedOrder(
        connection=connection,
        external_id=draft.order_id,
        group=draft.group,
        number=draft.number[:255],
        order=order,
        version=draft.version,
        source_updated_at=draft.updated_at,
        digest=draft.digest if order else "",
        lines=_lines_of(draft),
        facts=_facts_of(draft),
        warnings=[[warning.code, warning.params] for warning in draft.warnings],
        created_at=now,
    )


def _facts_of(draft):
    return {**draft.facts, **({"reserved": True} if draft.is_reserved else {})}


def _lines_of(draft):
    ids = {line.line_id: list(line.line_ids) for line in draft.lines}
    return {key: {"ordered": units, "ids": ids.get(key, [])} for key, units in draft.ordered.items()}


def _ended(links):
    """Ids of orders that are cancelled here already, with one query: a poll may bring their cancellation for days."""
    ids = [link.order_id for link in links if link.order_id]
    return set(Order.objects.filter(pk__in=ids, status=Order.Status.CANCELLED).values_list("pk", flat=True))


def _lock_orders(drafts, links, gone, ended):
    """Lock the orders that change, end or have a return, all at once and by key, as every step with several orders
    does, not in the order of the shop; returns their ids.
    """
    changing = {
        link.order_id
        for draft in drafts
        if (link := links.get(draft.key)) is not None
        and link.order_id is not None
        and not draft.is_older_than(link.version, link.source_updated_at)
        and _same(link, draft, ended) is None
    }
    lost = {link.order_id for _current, links_lost in gone for link in links_lost}
    returning = set(_returning(drafts, links))
    ids = changing | lost | returning
    if len(ids) > 1 or returning:  # a single one that changes or ends is locked by its step
        Order.objects.filter(pk__in=ids).lock_all()
    return ids


def _returning(drafts, links):
    """Ids of the orders to which the shop opened a return that has no label."""
    found = [links.get(draft.key) for draft in drafts if draft.awaits_return_label]
    return [link.order_id for link in found if link is not None and link.order_id is not None]


def _compare(connection, link, draft, newer, ended, now):
    """Bring a draft of a known order to it, when it is newer."""
    if draft.is_older_than(link.version, link.source_updated_at):
        return Outcome(draft, "ignored", reason("OLDER"))
    is_newer = (draft.version, draft.updated_at) != (link.version, link.source_updated_at)
    if link.order_id is None:
        return _revive(connection, link, draft, is_newer, now)
    if outcome := _same(link, draft, ended):
        if is_newer:
            link.version, link.source_updated_at = draft.version, draft.updated_at
            newer.append(link)
        return outcome
    try:
        # Its own savepoint: what a later stage refuses leaves the rest of the batch as it is.
        with transaction.atomic():
            outcome = _change(connection, link, draft, now)
    except Refused as refusal:
        code = "CANCEL_TOO_LATE" if draft.action == Action.CANCEL else "CHANGE_TOO_LATE"
        outcome = Outcome(draft, "parked", refused(code, refusal))
    if is_newer and draft.action != Action.PARK:
        link.version, link.source_updated_at = draft.version, draft.updated_at
        newer.append(link)
    return outcome


def _same(link, draft, ended):
    """The outcome of a draft that says nothing new, told without a query: most of what a poll brings is such an echo."""
    if draft.action == Action.CANCEL and link.order_id in ended:
        return Outcome(draft, "ignored", reason("UNCHANGED"))
    if draft.action == Action.IGNORE and draft.reason.code not in UNDECIDED:
        return Outcome(draft, "ignored", draft.reason)
    is_decided = draft.facts.get("corrections") == link.facts.get("corrections")
    if draft.action == Action.IMPORT and draft.digest == link.digest and is_decided:
        return Outcome(draft, "ignored", reason("UNCHANGED"))
    return None


def _revive(connection, link, draft, is_newer, now):
    """Of an order we never had and that was cancelled: only something newer makes it one."""
    outcome, body = _judge(draft)
    if body is None:
        return outcome
    if not is_newer:
        return Outcome(draft, "ignored", reason("CANCELLED_BEFORE"))
    return _replace(connection, link, draft, body, now, "imported")


def _change(connection, link, draft, now):
    if regrouping.LEFT in link.facts and draft.action == Action.IMPORT:  # the shop has the group again
        outcome, body = _judge(draft)
        return outcome if body is None else _replace(connection, link, draft, body, now, "imported")
    order = Order.objects.lock(pk=link.order_id)
    if draft.action == Action.CANCEL:
        services.cancel(order.pk, by=connection, now=now, reason=str(reason("CANCELLED").english))
        return Outcome(draft, "cancelled", reason("CANCELLED"))
    if draft.reason and draft.reason.code in UNDECIDED:
        return Outcome(draft, "parked", draft.reason)
    if order.status not in Order.LIVE:
        return Outcome(draft, "ignored", draft.reason or reason("UNCHANGED"))
    # A shop that hides an address later, or a line we cannot read, does not take back what we know.
    if draft.action == Action.PARK:
        is_hidden = draft.reason.code in {"ADDRESS_MISSING", "ADDRESS_INCOMPLETE", "ADDRESS_HIDDEN"}
        return Outcome(draft, *(("ignored", reason("UNCHANGED")) if is_hidden else ("parked", draft.reason)))
    if draft.digest == link.digest:
        link.facts = _facts_of(draft)  # what somebody decided holds for later versions
        link.save(update_fields=["facts"])
        return Outcome(draft, "ignored", reason("UNCHANGED"))
    outcome, body = _judge(draft)
    return outcome if body is None else _update(connection, link, order, draft, body, now)


def _update(connection, link, order, draft, body, now):
    """Change address, attributes and units; an order that loses a line is placed anew, which later stages may veto."""
    ours = {link.line_of(line)[0]: line for line in order.lines.all()}
    before = {key: entry["ordered"] for key, entry in link.lines.items()}
    items = [item for item in body["orderLineItems"] if _id_of(item) not in before]
    loses_line = False
    for key, own in ours.items():
        # By how many units the shop changed it; what is shipped meanwhile is open no longer and no change.
        units = own.quantity + draft.ordered.get(key, 0) - before.get(key, own.quantity)
        if units < 1:
            loses_line = True
        elif units != own.quantity:
            items.append({"id": str(own.pk), "quantity": units})
    if loses_line:
        services.cancel(order.pk, by=connection, now=now, reason="The shop took lines out of the order.")
        return _replace(connection, link, draft, body, now, "updated")
    changes = {
        "consumer": body["consumer"],
        "customAttributes": body.get("customAttributes", {}),
        "orderLineItems": items,
        "labelNotBefore": draft.label_not_before and iso(draft.label_not_before),
    }
    services.modify(order.pk, changes, by=connection, now=now)
    if link.facts.get("reserved") and not draft.is_reserved and order.status == Order.Status.LOCKED:
        services.unlock(order.pk, by=connection, now=now)
    _remember(link, draft)
    return Outcome(draft, "updated")


def _replace(connection, link, draft, body, now, done):
    """Place the order of a link anew; the earlier one is cancelled."""
    (result,) = services.place_many([body], channel=connection.channel, by=connection, now=now)
    if isinstance(result, Refused):
        raise result
    link.order = result[0]
    _remember(link, draft)
    return Outcome(draft, done)


def _remember(link, draft):
    link.digest, link.lines, link.facts = draft.digest, _lines_of(draft), _facts_of(draft)
    link.version, link.source_updated_at = draft.version, draft.updated_at
    link.save(update_fields=["order", "digest", "lines", "facts", "version", "source_updated_at"])


def _id_of(item):
    return item["customAttributes"]["externalLineId"]


def _note_freshness(links):
    """Note how new the known is, in one statement: an echo of a page costs no query per order."""
    if not links:
        return
    for batch in rows.batches(links, 200):
        known = ImportedOrder.objects.filter(pk__in=[link.pk for link in batch])
        known.update(version=_each(batch, "version"), source_updated_at=_each(batch, "source_updated_at"))


def _each(links, name):
    """Another value for each row, cast because PostgreSQL takes a list of NULLs for text."""
    field = ImportedOrder._meta.get_field(name)
    whens = [When(pk=link.pk, then=Value(getattr(link, name), field)) for link in links]
    return Cast(Case(*whens, output_field=field), field)
