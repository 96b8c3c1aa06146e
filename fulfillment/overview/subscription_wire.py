"""Subscriptions and their deliveries in the wire format."""

import re

from fulfillment.core.api.schema import Choice, Integer, List, Object, Text, boolean, moment
from orders.wire import short, text, time

from . import publications
from .models import WebhookDelivery
from .targets import LONGEST_URL

HIDDEN = "***"
url = Text(LONGEST_URL)
header = Object({"key": Text(100), "value": Text(8000)}, name="CallbackHeader", closed=True)
headers = List(header, most=50, least=1)
context = Object(
    {"type": Text(choices=["FACILITY", "FACILITY_GROUP"]), "values": List(short, most=500, least=1)},
    name="SubscriptionContext",
)
WEBHOOK = "WEBHOOK"
target = Choice(
    "type",
    {
        WEBHOOK: Object(
            {"type": Text(choices=[WEBHOOK]), "callbackUrl": url},
            {"headers": headers},
            closed=True,
            name="SubscriptionTargetWebhook",
        )
    },
)


def _creation_rule(data, prefix, errors):
    if "target" in data and ("callbackUrl" in data or "headers" in data):
        errors.append((f"{prefix}target", "give either target, or callbackUrl and headers"))
    if data["event"] not in publications.NAMES:
        errors.append((f"{prefix}event", "is not one of GET /api/supportedevents"))
    for index, entry in enumerate(data.get("contexts", ())):
        if entry["type"] != "FACILITY":
            errors.append((f"{prefix}contexts[{index}].type", "must be FACILITY: there are no groups"))


subscription_for_creation = Object(
    {"name": Text(200), "event": Text(60)},
    {"callbackUrl": url, "headers": headers, "target": target, "contexts": List(context, most=50)},
    closed=True,
    one_of=("target", "callbackUrl"),
    rule=_creation_rule,
    name="SubscriptionForCreation",
)
subscription = Object(
    {
        "id": short,
        "created": moment,
        "name": text,
        "event": Text(60),
        "callbackUrl": url,
        "target": target,
        "status": Text(choices=["ACTIVE", "PAUSED"]),
    },
    {"headers": headers, "contexts": List(context), "signingSecret": text, "paused": moment},
    name="Subscription",
)
subscriptions = Object({"subscriptions": List(subscription), "total": Integer(0)}, name="Subscriptions")
supported_event = Object({"event": Text(60), "description": text}, name="SupportedEvent")
supported_events = Object({"supportedEvents": List(supported_event)}, name="SupportedEvents")
replay = Object({"from": moment}, {"until": moment}, closed=True, name="SubscriptionReplay")
replayed = Object({"events": Integer(0)}, name="SubscriptionReplayResult")
nothing = Object({}, {}, closed=True, name="EmptyBody")

STATES = {"DUE": "PENDING", "DONE": "DELIVERED", "FAILED": "FAILED"}
attempt = Object(
    {"at": moment, "milliseconds": Integer(0)},
    {"statusCode": Integer(), "response": text, "error": text},
    name="SubscriptionDeliveryAttempt",
)
delivery = Object(
    {
        "id": short,
        "event": Text(60),
        "eventId": short,
        "orderRef": short,
        "entityRef": short,
        "sequence": Integer(1),
        "created": moment,
        "status": Text(choices=STATES.values()),
        "attemptCount": Integer(0),
        "hasGap": boolean,
        "attempts": List(attempt),
    },
    {"delivered": moment, "nextAttempt": moment},
    name="SubscriptionDelivery",
)
deliveries = Object({"deliveries": List(delivery), "total": Integer(0)}, name="SubscriptionDeliveries")
ID = re.compile(r"[0-9]{1,18}")


def represent(row, *, shows_values):
    """A subscription as ``Subscription``; the values of its headers for those who may set them."""
    sent = [{"key": name, "value": value if shows_values else HIDDEN} for name, value in row.headers]
    optional = {"headers": sent} if sent else {}
    body = {
        "id": str(row.pk),
        "created": time(row.created_at),
        "name": row.name,
        "event": row.event,
        "callbackUrl": row.callback_url,
        "target": {"type": WEBHOOK, "callbackUrl": row.callback_url, **optional},
        "status": "PAUSED" if row.paused_at else "ACTIVE",
        **optional,
    }
    if row.paused_at:
        body["paused"] = time(row.paused_at)
    if places := [str(facility.pk) for facility in row.facilities.all()]:
        body["contexts"] = [{"type": "FACILITY", "values": places}]
    return body


def represent_delivery(row, attempts):
    """A delivery with the calls that were made for it, as ``SubscriptionDelivery``."""
    body = {
        "id": str(row.pk),
        "event": row.event.event,
        "eventId": str(row.event.uuid),
        "orderRef": str(row.event.order_id),
        "entityRef": str(row.event.entity_id),
        "sequence": row.event.sequence,
        "created": time(row.event.created_at),
        "status": STATES[row.state],
        "attemptCount": row.tries,
        "hasGap": row.has_gap,
        "attempts": [_represent_attempt(one) for one in attempts],
    }
    if row.done_at:
        body["delivered"] = time(row.done_at)
    if row.state == WebhookDelivery.State.DUE:
        body["nextAttempt"] = time(row.due_at)
    return body


def _represent_attempt(row):
    optional = {"statusCode": row.status_code, "response": row.response, "error": row.error}
    return {
        "at": time(row.at),
        "milliseconds": row.milliseconds,
        **{name: value for name, value in optional.items() if value not in (None, "")},
    }
