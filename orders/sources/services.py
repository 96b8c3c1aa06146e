"""Steps of an operator: test, pause and go on, correct what is parked."""

import json

from django.db import transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment.core.encryption import UnreadableSecret
from fulfillment.core.errors import Refused
from fulfillment.core.outbox import RetryLater

from . import http, inbox
from .drafts import repaired
from .models import Connection, Delivery
from .reading import NotOfThisSource, read_json, text, time
from .reasons import reason
from .registry import KINDS, open_client


class NotParked(Refused):
    text = gettext_lazy("This delivery is not parked any more.")


class SourceNotReady(Refused):
    text = gettext_lazy("The order has to be read from the source, which does not answer now: %(why)s")


def check(connection):
    """What is wrong with a connection, as sentences; a call is made. Empty when all is well."""
    try:
        with open_client(connection) as client:
            return client.check()
    except UnreadableSecret as failure:
        return [_("The credentials cannot be read: %(why)s Type them in again.") % {"why": failure}]
    except http.SignInFailed as failure:
        return [_("The credentials are refused or lack a right: %(why)s") % {"why": failure}]
    except http.Throttled as failure:
        return [_("The source is busy: %(why)s") % {"why": failure}]
    except http.SourceError as failure:
        return [_("The source does not answer as it should: %(why)s") % {"why": failure}]


def set_paused(ids, is_paused, *, now):
    """Pause connections or let them go on: webhooks are still stored, everything else waits. Returns how many."""
    rows = Connection.objects.filter(pk__in=list(ids), paused_at__isnull=is_paused)
    return rows.update(paused_at=now if is_paused else None, poll_due_at=None if is_paused else now)


def progress_words(connection):
    """How far the poll is, in one sentence."""
    progress = connection.progress
    if not progress.get("started"):
        return _("Never polled.")
    moment = time(progress.get("finished") or progress["started"])
    words = (
        _(
            "Last asked %(time)s: %(new)s new orders, %(changed)s changed, %(parked)s parked, %(known)s known already."
        )
        if progress.get("finished")
        else _(
            "Being asked since %(time)s: %(new)s new orders, %(changed)s changed, %(parked)s parked, %(known)s known already."
        )
    )
    return words % {
        "time": date_format(localtime(moment), "SHORT_DATETIME_FORMAT"),
        "new": progress.get("imported", 0),
        "changed": progress.get("updated", 0) + progress.get("cancelled", 0),
        "parked": progress.get("parked", 0),
        "known": progress.get("ignored", 0),
    }


def readable(delivery):
    """The content of a delivery for people: JSON with line breaks, anything else as the text it is."""
    content = delivery.content
    try:
        return json.dumps(read_json(content), ensure_ascii=False, indent=2, default=text)
    except ValueError:
        return content.decode(errors="replace").replace("\0", "")


def read_drafts(delivery):
    """What mapping makes of a delivery now, without a call to the source; empty when it cannot be read."""
    connection = delivery.connection
    kind = KINDS.get(connection.kind)
    try:
        orders = kind.mapping.unwrap(read_json(delivery.content)) if kind else []
    except (ValueError, NotOfThisSource):
        return []
    options = kind.options(connection.settings)
    drafts = (draft for order in orders for draft in inbox.mapped_orders(kind, order, options))
    return [one for draft in drafts for one in repaired(draft, delivery.corrections)]


@transaction.atomic
def set_tables(connection_id, tables):
    """Change the tables of a connection; other settings stay as they are."""
    connection = Connection.objects.lock(pk=connection_id)
    connection.settings = {**connection.settings, **tables}
    connection.save(update_fields=["settings"])


@transaction.atomic
def correct(delivery_id, correction, corrections):
    """Store what an operator made of a parked delivery. Refuses one that is settled.

    Args:
        correction: the whole content, '' to leave it.
        corrections: what was typed in beside it, as of ``drafts.repair``.
    """
    delivery = Delivery.objects.lock(pk=delivery_id)
    _check_parked(delivery)
    if correction:
        # A text field sends other line breaks; what means the same is no correction.
        is_same = _means(correction.encode()) == _means(bytes(delivery.body))
        delivery.correction = "" if is_same else correction
    delivery.corrections = {
        **delivery.corrections,
        **{
            group: _merged(delivery.corrections.get(group, {}), typed) for group, typed in corrections.items()
        },
    }
    delivery.save(update_fields=["correction", "corrections"])


def _merged(before, typed):
    """What was typed now beside what was typed before."""
    return before | {name: {**before.get(name, {}), **values} for name, values in typed.items()}


def _means(content):
    try:
        return read_json(content)
    except ValueError:
        return content.replace(b"\r\n", b"\n")


def retry(delivery_id, *, now):
    """Map a parked delivery again; returns it with what became of it. Refuses one that is settled."""
    delivery = Delivery.objects.select_related("connection__channel").get(pk=delivery_id)
    _check_parked(delivery)
    try:
        inbox.work_again(delivery, now=now)
    except RetryLater as later:
        raise SourceNotReady(why=later) from later
    return delivery


@transaction.atomic
def close(delivery_id, *, by, now):
    """Settle a parked delivery without an order. Refuses one that is settled."""
    delivery = Delivery.objects.lock(pk=delivery_id)
    _check_parked(delivery)
    delivery.state, delivery.worked_at = Delivery.State.IGNORED, now
    delivery.because(reason("CLOSED", person=by))
    delivery.save(update_fields=["state", "worked_at", "reason_code", "reason_params"])
    return delivery


def _check_parked(delivery):
    if delivery.state != Delivery.State.PARKED:
        raise NotParked
