"""An order is let go or changed before it is picked: its address, attributes, times, lines."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_change, transit
from orders.events import OrderModified, OrderUnlocked
from orders.models import Address, Order, OrderLine

from .placing import build_lines, find_articles, moment, read_address

MOST_LINES = 500
# The columns that a shop can change later.
MODIFIABLE = [
    "consumer",
    "custom_attributes",
    "delivery_preferences",
    "extra",
    "recipient_name",
    "country",
    "latitude",
    "longitude",
    "target_time",
    "label_not_before",
]


class OrderEnded(Refused):
    text = _("Order %(order)s is %(status)s and can no longer be changed.")


class UnknownLine(Refused):
    status_code = 400
    text = _("orderLineItems[%(index)s].id: order %(order)s has no line %(line)s.")


class OtherArticle(Refused):
    status_code = 400
    text = _("orderLineItems[%(index)s].article: a line keeps its article. Add a line for another one.")


class LineNotRemovable(Refused):
    """A line stands in plans and their history, so it cannot go."""

    text = _(
        "orderLineItems[%(index)s].quantity: a line cannot be removed. Cancel the order and place it anew."
    )


class TooManyLines(Refused):
    status_code = 400
    text = _("orderLineItems: an order has at most %(most)s lines.")


@transaction.atomic
def unlock(order_id, *, target_time=None, by, now, version=None):
    """Let operations begin on a held order. Refuses any status but LOCKED, and an old version."""
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    if target_time is not None:
        _set_target_time(order, target_time)
        order.save(update_fields=["target_time", "delivery_preferences", "modified_at"])
    transit(order.unlock, by=by, now=now)
    emit(OrderUnlocked(order_id=order.pk), by=by, now=now)
    return order


def _set_target_time(order, moment):
    if moment == order.target_time:  # perhaps in other words: nothing changes
        return
    order.target_time = moment
    order.delivery_preferences = {**order.delivery_preferences, "targetTime": moment.isoformat()}


def _set_label_time(order, text):
    """From when on labels are made, as the shop says it: an order that is sent again is compared word by word."""
    if moment(text) == order.label_not_before:
        return
    order.label_not_before = moment(text)
    shipping = {**(order.delivery_preferences.get("shipping") or {}), "labelNotBefore": text}
    if text is None:
        del shipping["labelNotBefore"]
    order.delivery_preferences = {**order.delivery_preferences, "shipping": shipping}
    if not shipping:
        del order.delivery_preferences["shipping"]


@transaction.atomic
def modify(order_id, changes, *, by, now, version=None):
    """Change an order before it is picked; what changes nothing leaves it as it is.

    Other lines, units or another address let routing place the order anew. Refuses an order that has ended, an
    old version, and whatever a later stage refuses because it has begun.

    Args:
        changes: ``OrderForUpdate`` in wire form, validated. The consumer and the attributes are replaced as a
            whole, lines are changed one by one.
    """
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    return _modify(order, changes, by=by, now=now)


@transaction.atomic
def replace_addresses(order_id, addresses, *, only=None, by, now, version=None):
    """Replace the addresses of the consumer; with ``only`` those of one type. Refuses what ``modify`` refuses."""
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    kept = [
        address
        for address in order.consumer.get("addresses", [])
        if only is not None and address.get("addressType", "POSTAL_ADDRESS") != only
    ]
    consumer = {**order.consumer, "addresses": [*addresses, *kept]}
    return _modify(order, {"consumer": consumer}, by=by, now=now)


@transaction.atomic
def correct_address(order_id, fields, *, by, now, version=None):
    """Change parts of the address that the parcel goes to; what is left out stays. Refuses what ``modify`` refuses.

    The coordinates of the old address are forgotten: the new one is looked up.

    Args:
        fields: of the address in wire form, for example ``{"postalCode": "1012 LG"}``.
    """
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    address = order.shipping_address
    addresses = [
        {name: value for name, value in {**data, **fields}.items() if name != "coordinates"}
        if address is not None and Address.from_wire(data) == address
        else data
        for data in order.consumer.get("addresses", [])
    ]
    return _modify(order, {"consumer": {**order.consumer, "addresses": addresses}}, by=by, now=now)


def _modify(order, changes, *, by, now):
    if order.status not in Order.LIVE:
        raise OrderEnded(order=order, status=order.get_status_display())
    before = {name: getattr(order, name) for name in MODIFIABLE}
    address = order.shipping_address
    if "consumer" in changes:
        order.consumer = changes["consumer"]
        read_address(order)
    if "customAttributes" in changes:
        order.custom_attributes = changes["customAttributes"]
    if "pricing" in changes:
        order.extra = {**order.extra, "pricing": changes["pricing"]}
    if "preferredHandlingTime" in changes:
        _set_target_time(order, moment(changes["preferredHandlingTime"]))
    if "labelNotBefore" in changes:
        _set_label_time(order, changes["labelNotBefore"])
    has_other_lines = _change_lines(order, changes.get("orderLineItems") or [])
    changed = [name for name, value in before.items() if getattr(order, name) != value]
    if not changed and not has_other_lines:
        return order
    order.version += 1
    order.save(update_fields=[*changed, "version", "modified_at"])
    log_change(order, "modify", by=by, now=now, reason=changes.get("comment", ""))
    is_shipped_elsewhere = order.kind == Order.Kind.SHIPPING and order.shipping_address != address
    emit(
        OrderModified(
            order_id=order.pk,
            is_demand_changed=has_other_lines or is_shipped_elsewhere,
            is_time_changed="target_time" in changed,
        ),
        by=by,
        now=now,
    )
    return order


def _change_lines(order, items):
    """Other quantities for lines that are named by id, and new lines; returns whether anything differs."""
    if not items:
        return False
    lines = {str(line.pk): line for line in order.lines.all()}
    differs, new = False, []
    for index, item in enumerate(items):
        if "id" not in item:
            new.append(item)
            continue
        line = lines.get(item["id"].lower())
        if line is None:
            raise UnknownLine(index=index, order=order, line=item["id"])
        if item.get("article", {}).get("tenantArticleId", line.sku) != line.sku:
            raise OtherArticle(index=index)
        quantity = item.get("quantity", line.quantity)
        if quantity == 0:
            raise LineNotRemovable(index=index)
        if quantity != line.quantity:
            line.quantity, line.wire = quantity, {**line.wire, "quantity": quantity}
            line.save(update_fields=["quantity", "wire"])
            differs = True
    if len(lines) + len(new) > MOST_LINES:
        raise TooManyLines(most=MOST_LINES)
    last = max(line.position for line in lines.values())
    OrderLine.objects.bulk_create(build_lines(order, new, find_articles(new), start=last + 1))
    return differs or bool(new)
