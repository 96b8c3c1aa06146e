"""The steps of a subscription's life. What it is told is written by ``publications``, and sent by ``delivering``."""

import datetime
import uuid

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.status import require_transaction

from . import publications, targets
from .models import Subscription, WebhookDelivery, WebhookEvent, WebhookStream

FORMER_SECRET_FOR = datetime.timedelta(hours=24)
MOST_REPLAYED = 10_000
State = WebhookDelivery.State


class TargetNotAllowed(Refused):
    status_code = 400
    text = _("%(path)s: %(reason)s")


class TooManyEvents(Refused):
    text = _("These are more than %(most)s events. Replay a shorter time.")


def check_target(url, headers, *, path="", header_path="headers"):
    """Refuse an address that is never called, and headers that cannot be sent."""
    try:
        targets.check_url(url)
    except targets.BadTarget as error:
        raise TargetNotAllowed(path=path or "callbackUrl", reason=str(error)) from error
    seen = set()
    for index, (name, value) in enumerate(headers):
        try:
            targets.check_header(name, value)
        except targets.BadTarget as error:
            raise TargetNotAllowed(path=f"{header_path}[{index}]", reason=str(error)) from error
        if name.lower() in seen:
            raise TargetNotAllowed(path=f"{header_path}[{index}]", reason=f"{name} is there twice")
        seen.add(name.lower())


def check_name(url):
    """Refuse an address whose name leads to a private network. A name without any address may get one later.

    Asks the network, so it runs before a transaction begins; each call checks again.
    """
    parts = targets.urlsplit(url)
    try:
        targets.resolve(parts.hostname, parts.port or 443)
    except targets.BadTarget as error:
        raise TargetNotAllowed(path="callbackUrl", reason=str(error)) from error
    except (OSError, UnicodeError):
        return


@transaction.atomic
def subscribe(*, name, event, callback_url, headers=(), channel=None, facilities=(), by, now):
    """Let an address hear of an event from now on: (subscription, secret for its signatures).

    The secret is in this answer only.
    """
    check_target(callback_url, headers)
    subscription = Subscription(
        name=name,
        event=event,
        callback_url=callback_url,
        channel=channel,
        created_at=now,
        created_by=str(by or "")[:120],
    )
    subscription.headers = headers
    secret = subscription.issue_secret()
    subscription.save(force_insert=True)
    subscription.facilities.set(facilities)
    return subscription, secret


def _lock(subscription_id):
    return Subscription.objects.select_for_update(of=("self",)).get(pk=subscription_id)


def _unblock(subscription_id):
    """What waits behind an event of this subscription is looked at anew."""
    streams = WebhookStream.objects.filter(
        pk__in=WebhookDelivery.objects.filter(subscription=subscription_id, state=State.DUE).values("stream")
    )
    ids = list(streams.order_by("pk").values_list("pk", flat=True))
    WebhookStream.objects.filter(pk__in=ids).update(blocked_until=None)
    publications.wake()


@transaction.atomic
def unsubscribe(subscription_id, *, now):
    """Call no more. The row stays for a day: a step that runs may still point to it."""
    subscription = _lock(subscription_id)
    if subscription.deleted_at is None:
        subscription.deleted_at = now
        subscription.save(update_fields=["deleted_at"])
        _unblock(subscription.pk)
    return subscription


@transaction.atomic
def pause(subscription_id, *, now):
    """Call no more for now; events are kept for it. Pausing twice changes nothing."""
    subscription = _lock(subscription_id)
    if subscription.paused_at is None:
        subscription.paused_at = now
        subscription.save(update_fields=["paused_at"])
        _unblock(subscription.pk)
    return subscription


@transaction.atomic
def resume(subscription_id, *, now):
    """Call again, what was kept first. Resuming what is not paused changes nothing."""
    subscription = _lock(subscription_id)
    if subscription.paused_at is not None:
        subscription.paused_at = None
        subscription.save(update_fields=["paused_at"])
        waiting = WebhookDelivery.objects.filter(subscription=subscription, state=State.DUE)
        waiting.update(due_at=now, queued_at=now, holds_until=None)
        _unblock(subscription.pk)
    return subscription


@transaction.atomic
def rotate_secret(subscription_id, *, now):
    """Sign with a new secret, and for a day with the former one as well: (subscription, secret)."""
    subscription = _lock(subscription_id)
    subscription.encrypted_former_secret = subscription.encrypted_secret
    subscription.former_secret_until = now + FORMER_SECRET_FOR
    secret = subscription.issue_secret()
    subscription.save(update_fields=["encrypted_secret", "encrypted_former_secret", "former_secret_until"])
    return subscription, secret


@transaction.atomic
def replay(subscription_id, *, since, until=None, now):
    """Tell a subscription again what happened since then; returns how many events. Refuses too many at once.

    Only events that somebody had subscribed to when they happened are kept, for 30 days.
    """
    subscription = _lock(subscription_id)
    events = WebhookEvent.objects.filter(event=subscription.event, created_at__gte=since)
    if until is not None:
        events = events.filter(created_at__lte=until)
    if subscription.channel_id is not None:
        events = events.filter(channel_id=subscription.channel_id)
    found = list(events.defer("payload").order_by("pk")[: MOST_REPLAYED + 1])
    if len(found) > MOST_REPLAYED:
        raise TooManyEvents(most=MOST_REPLAYED)
    heard = [event for event in found if subscription.hears_of(event.channel_id, _facilities(event))]
    _again(WebhookDelivery.objects.filter(subscription=subscription, event__in=heard), now)
    publications.queue([(event, [subscription]) for event in heard], now)
    _unblock(subscription.pk)
    return len(heard)


def _facilities(event):
    return {uuid.UUID(text) for text in event.facility_ids}


@transaction.atomic
def retry(delivery_ids, *, now):
    """Tell failed deliveries once more, because a person says so. Returns how many."""
    failed = WebhookDelivery.objects.filter(pk__in=delivery_ids, state=State.FAILED)
    streams = list(failed.values_list("stream_id", flat=True))
    count = _again(failed, now)
    WebhookStream.objects.filter(pk__in=streams).update(blocked_until=None)
    publications.wake()
    return count


def _again(deliveries, now):
    require_transaction()
    return deliveries.update(
        state=State.DUE, tries=0, due_at=now, queued_at=now, holds_until=None, done_at=None, has_gap=False
    )
