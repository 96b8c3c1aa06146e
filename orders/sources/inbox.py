"""The inbox: a webhook is verified and stored before the answer, and worked off by a worker."""

import dataclasses
import datetime
import logging
import secrets
import time
import traceback
import uuid

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from fulfillment.core import outbox, rows
from fulfillment.core.outbox import RetryLater

from . import importing
from .drafts import Action, Draft, repaired
from .http import Rejected, SourceError, Throttled
from .kind import BadSignature, Gone
from .models import Connection, Delivery
from .reading import NotOfThisSource, Unmappable, read_json
from .reasons import Reason, reason
from .registry import KINDS, kind_of, open_client

logger = logging.getLogger(__name__)

State = Delivery.State
LEASE = datetime.timedelta(minutes=5)
BATCH = 100
KNOWN_FOR = 5  # seconds: a webhook may be checked by a secret that is so old
CALLED_EVERY = 1  # seconds
CALL = "inbox"

_known: dict[uuid.UUID, tuple[Connection, float]] = {}
_called_at = 0.0

# What our own code raises for a payload that nobody thought of.
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
STATES = {"parked": State.PARKED, "ignored": State.IGNORED}


def receive(connection_id, headers, body, *, now):
    """Verify and store a webhook, and wake a worker; a repeat changes nothing and gives None.

    The stored row is the work as well: nothing else is written before the answer.

    Raises:
        BadSignature: also for an unknown connection; nothing is stored.
    """
    connection = _connection(connection_id)
    kind = KINDS.get(connection.kind) if connection else None
    if kind is None or not kind.has_webhooks:
        raise BadSignature
    received = kind.inbound.verify(connection, headers, body)
    delivery = Delivery(
        connection=connection,
        key=received.key[:255],
        topic=received.topic[:100],
        body=body,
        received_at=now,
        due_at=now,
    )
    if not rows.insert_once(delivery):
        return None
    transaction.on_commit(wake)
    return delivery


def _connection(connection_id):
    """A connection as it was at most some seconds ago: a shop that sends much asks for it with every webhook."""
    found, until = _known.get(connection_id, (None, 0))
    if until < time.monotonic():
        found = Connection.objects.filter(pk=connection_id).first()
        if found is not None:
            _known[connection_id] = (found, time.monotonic() + KNOWN_FOR)
    return found


def wake():
    """Call a worker, unless one is called. Without a shared cache a process calls once in a while; beat does the rest."""
    global _called_at
    if not settings.CACHE_URL:
        if time.monotonic() - _called_at < CALLED_EVERY:
            return
        _called_at = time.monotonic()
    if outbox.is_first_call(CALL):
        outbox.send("orders.sources.tasks.work_inbox", "sources")


def work_due():
    """Work off what is stored until nothing is due; those of one connection together. Returns how many were tried."""
    outbox.forget_call(CALL)
    tried = 0
    while deliveries := _claim(timezone.now()):
        tried += len(deliveries)
        by_connection: dict[uuid.UUID, list[Delivery]] = {}
        for delivery in deliveries:
            by_connection.setdefault(delivery.connection_id, []).append(delivery)
        for batch in by_connection.values():
            _work_together(batch)
    return tried


def _claim(now):
    """Take some for ``LEASE``, committed before the work begins; the microseconds tell our claim from another."""
    lease = now + LEASE + datetime.timedelta(microseconds=secrets.randbelow(1_000_000))
    ids = list(Delivery.objects.due(now).order_by("pk").values_list("pk", flat=True)[:BATCH])
    taken = Delivery.objects.free(now).filter(pk__in=ids)
    if not ids or not taken.update(leased_until=lease, attempts=F("attempts") + 1):
        return []
    mine = Delivery.objects.filter(pk__in=ids, leased_until=lease).select_related("connection__channel")
    return list(mine.order_by("pk"))


def _work_together(deliveries):
    try:
        _work(deliveries[0].connection, deliveries, now=timezone.now())
    except Exception as error:
        if len(deliveries) == 1:
            _put_off(deliveries[0], error)
            return
        # One of them spoils it for the others: each on its own then.
        for delivery in deliveries:
            _work_together([delivery])


def _put_off(delivery, error):
    """Try again later; what fails for days is parked for a person."""
    now = timezone.now()
    seconds = error.seconds if isinstance(error, RetryLater) else None
    why = (
        reason("SOURCE_REFUSED", message=error)
        if isinstance(error, RetryLater)
        else _unreadable(delivery, error)
    )
    if now - delivery.received_at > outbox.GIVE_UP_AFTER:
        _close(delivery, State.PARKED, why, now)
        return
    delay = datetime.timedelta(seconds=outbox.backoff(delivery.attempts) if seconds is None else seconds)
    Delivery.objects.filter(pk=delivery.pk).update(due_at=now + delay, leased_until=None)


def _unreadable(thing, error):
    """The reason of an error in our own code; the log says where, and not what: its words may name a customer."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    logger.error("%s: %s in %s, line %s.", thing, type(error).__name__, where.filename, where.lineno)
    return reason("UNREADABLE", error=type(error).__name__)


def work_again(delivery, *, now):
    """Map a parked delivery once more, after its content or the tables of the connection were corrected."""
    Delivery.objects.filter(pk=delivery.pk).update(attempts=F("attempts") + 1)
    _work(delivery.connection, [delivery], now=now)


def _work(connection, deliveries, *, now):
    kind = kind_of(connection)
    options = kind.options(connection.settings)
    drafts: list[Draft] = []
    early: list[tuple[Delivery, State, Reason]] = []
    with open_client(connection) as client:
        for delivery in deliveries:
            try:
                orders = _orders_of(kind, client, delivery)
            except Unmappable as failure:
                early.append((delivery, State.PARKED, failure.reason))
                continue
            except Gone:
                early.append((delivery, State.IGNORED, reason("NOT_FOUND")))
                continue
            except Throttled as failure:
                raise RetryLater(str(failure), seconds=failure.seconds) from failure
            except Rejected as failure:
                early.append((delivery, State.PARKED, reason("SOURCE_REFUSED", message=failure)))
                continue
            except SourceError as failure:
                raise RetryLater(str(failure)) from failure
            mapped = [draft for order in orders for draft in mapped_orders(kind, order, options)]
            if not mapped:
                early.append((delivery, State.IGNORED, reason("OTHER_TOPIC", topic=delivery.topic)))
            drafts += [
                dataclasses.replace(one, origin=delivery.pk)
                for draft in mapped
                for one in repaired(draft, delivery.corrections)
            ]

    def note(outcomes):
        results: dict[uuid.UUID, list[importing.Outcome]] = {}
        for outcome in outcomes:
            results.setdefault(outcome.draft.origin, []).append(outcome)
        for delivery in deliveries:
            if own := results.get(delivery.pk):
                _finish(delivery, own, now)
        for delivery, state, why in early:
            _close(delivery, state, why, now)

    importing.apply(connection, drafts, now=now, also=note)


def _orders_of(kind, client, delivery):
    """The orders of a delivery; reads them from the source when it is only a signal."""
    try:
        payload = read_json(delivery.content)
    except ValueError:
        raise Unmappable("NOT_JSON") from None
    if delivery.via == Delivery.Via.POLL:
        return kind.mapping.unwrap(payload)
    try:
        return kind.inbound.read(client, delivery.topic, payload)
    except NotOfThisSource:
        raise Unmappable("NOT_OF_THIS_SOURCE", source=kind.label) from None
    except UNEXPECTED as error:
        why = _unreadable(delivery, error)
        raise Unmappable(why.code, **why.params) from error


def mapped_orders(kind, order, options):
    """Drafts of one order. What a mapping does not expect parks this order and nobody else's."""
    try:
        return kind.mapping.drafts(order, options)
    except Unmappable as failure:
        why = failure.reason
    except UNEXPECTED as error:
        why = _unreadable(kind.key, error)
    order_id, number = kind.mapping.identify(order)
    return [Draft(order_id=order_id, number=number, action=Action.PARK, reason=why)]


def _finish(delivery, outcomes, now):
    """A delivery is parked as long as one of its ship groups is; else what happened to the first counts."""
    worst = next((outcome for outcome in outcomes if outcome.is_parked), None)
    shown = worst or next((outcome for outcome in outcomes if outcome.done != "ignored"), outcomes[0])
    delivery.external_id, delivery.number = shown.draft.order_id[:255], shown.draft.number[:255]
    _close(delivery, STATES.get(shown.done, State.DONE), shown.reason, now)
    if worst is None and any(outcome.settles for outcome in outcomes):
        close_parked(delivery.connection, {outcome.draft.order_id for outcome in outcomes}, now=now)


def _close(delivery, state, why, now):
    delivery.state, delivery.worked_at, delivery.leased_until = state, now, None
    delivery.because(why)
    delivery.save(
        update_fields=[
            *("state", "worked_at", "leased_until", "reason_code", "reason_params", "external_id", "number")
        ]
    )


def close_parked(connection, order_ids, *, now):
    """Deliveries that wait for a person are settled when something newer of the same order went well."""
    parked = Delivery.objects.parked().filter(connection=connection, external_id__in=order_ids - {""})
    for delivery in parked.defer("body"):
        delivery.state, delivery.worked_at = State.IGNORED, now
        delivery.because(reason("OLDER"))
        delivery.save(update_fields=["state", "worked_at", "reason_code", "reason_params"])


def park_polled(connection, orders, outcomes, *, now):
    """Store the orders of a poll that have to be looked at, each version of them once.

    Args:
        orders: ``{(order id): raw bytes}`` of the page.
    """
    parked: dict[str, importing.Outcome] = {}
    for outcome in outcomes:
        if outcome.is_parked:
            parked.setdefault(outcome.draft.order_id, outcome)
    for order_id, outcome in parked.items():
        draft = outcome.draft
        how_new = draft.version if draft.version is not None else draft.updated_at
        delivery, is_new = Delivery.objects.get_or_create(
            connection=connection,
            key=f"poll:{order_id}:{how_new or ''}"[:255],
            defaults={
                "via": Delivery.Via.POLL,
                "topic": "poll",
                "body": orders[order_id],
                "external_id": order_id[:255],
                "number": draft.number[:255],
                "received_at": now,
                "worked_at": now,
                "state": State.PARKED,
                "reason_code": outcome.reason.code,
                "reason_params": outcome.reason.params,
            },
        )
        if not is_new and delivery.state == State.PARKED:
            delivery.because(outcome.reason)
            delivery.save(update_fields=["reason_code", "reason_params"])
