"""An order as the rules see it."""

import zoneinfo
from collections import Counter

from fulfillment.core.models import Facility
from fulfillment.core.target_time import WEEKDAYS
from orders.models import Order
from routing import rules
from routing.places import locate
from routing.situations import tags


def demand_of(task, preselected, configuration, now, places):
    """(what an order asks for, where its position comes from: ORDER, a place's precision or UNKNOWN).

    Args:
        task: with the order and ``{order line: units}`` that are wanted.
        places: what was looked up already: ``{(country, postal code, city): place}``.
    """
    order = task.order
    units = Counter()
    for line, quantity in task.wanted.items():
        if line.article_id is not None:
            units[str(line.article_id)] += quantity
    is_collected = order.kind == Order.Kind.COLLECT
    position, source = _position(order, is_collected, places)
    service = Facility.Service.PICKUP if is_collected else Facility.Service.SHIP_FROM_STORE
    demand = rules.Demand(
        service=str(service),
        country=order.country,
        position=position,
        lines=tuple(rules.Line(article, quantity) for article, quantity in units.items()),
        is_sameday=order.service_level == Order.ServiceLevel.SAMEDAY,
        preselected=frozenset(preselected),
        carriers=frozenset(_preferred_carriers(order)),
        blacklist=frozenset(task.waiting.blacklist if task.waiting else ()),
        attributes=attributes_of(order, task.wanted, configuration, now)
        if configuration.asks_of_orders
        else {},
    )
    return demand, source


def _position(order, is_collected, places):
    if order.latitude is not None and order.longitude is not None:
        return (order.latitude, order.longitude), "ORDER"
    if is_collected:
        return None, "ORDER"
    address = order.shipping_address
    key = (address.country, address.postal_code, address.city)
    if key not in places:
        places[key] = locate(*key)
    located = places[key]
    return (located.position, located.precision) if located else (None, "UNKNOWN")


def _preferred_carriers(order):
    shipping = order.delivery_preferences.get("shipping") or {}
    return shipping.get("preferredCarriers") or ()


def attributes_of(order, wanted, configuration, now):
    """What conditions and own rules may ask of an order, see ``rules.custom.PATHS``."""
    local = now.astimezone(zoneinfo.ZoneInfo(configuration.revision.data.get("time_zone", "UTC")))
    address = None if order.kind == Order.Kind.COLLECT else order.shipping_address
    return {
        "channel": order.channel.key,
        "kind": order.kind,
        "serviceLevel": order.service_level,
        "country": order.country,
        "postalCode": address.postal_code if address else "",
        "city": address.city if address else "",
        "units": sum(wanted.values()),
        "lines": len(wanted),
        "value": _value(wanted),
        "weekday": WEEKDAYS[local.weekday()],
        "time": local.strftime("%H:%M"),
        "tags": tags(order.tags),
        "customAttributes": order.custom_attributes,
    }


def _value(wanted):
    """The price of the wanted units as the shop sent it, 0 for lines without one."""
    return round(sum(quantity * (line.wire.get("shopPrice") or 0) for line, quantity in wanted.items()), 4)
