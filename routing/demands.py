"""An order as the rules see it."""

import zoneinfo
from collections import Counter

from fulfillment.core.models import Facility
from fulfillment.core.target_time import WEEKDAYS
from orders.models import Order
from routing import rules
from routing.places import locate_remembered
from routing.situations import tags


def demands_of(tasks, preselected, configuration, now):
    """For each task (what its order asks for, where its position comes from: ORDER, a place's precision or UNKNOWN).

    Args:
        tasks: with the order and ``{order line: units}`` that are wanted.
        preselected: ``{order id: {facility key}}``.
    """
    addresses = {task.order.pk: _address(task.order) for task in tasks if _must_be_found(task.order)}
    places = locate_remembered(list(set(addresses.values()))) if addresses else {}
    demands = []
    for task in tasks:
        order = task.order
        position, source = None, "ORDER"
        if order.pk in addresses:
            located = places[addresses[order.pk]]
            position, source = (located.position, located.precision) if located else (None, "UNKNOWN")
        elif order.latitude is not None and order.longitude is not None:
            position = (order.latitude, order.longitude)
        demands.append((_demand(task, position, preselected, configuration, now), source))
    return demands


def _must_be_found(order):
    return order.kind != Order.Kind.COLLECT and (order.latitude is None or order.longitude is None)


def _address(order):
    address = order.shipping_address
    return address.country, address.postal_code, address.city


def _demand(task, position, preselected, configuration, now):
    order = task.order
    units = Counter()
    for line, quantity in task.wanted.items():
        if line.article_id is not None:
            units[str(line.article_id)] += quantity
    is_collected = order.kind == Order.Kind.COLLECT
    service = Facility.Service.PICKUP if is_collected else Facility.Service.SHIP_FROM_STORE
    shipping = order.delivery_preferences.get("shipping") or {}
    return rules.Demand(
        service=str(service),
        country=order.country,
        position=position,
        lines=tuple(rules.Line(article, quantity) for article, quantity in units.items()),
        is_sameday=order.service_level == Order.ServiceLevel.SAMEDAY,
        preselected=frozenset(preselected.get(order.pk, ())),
        carriers=frozenset(shipping.get("preferredCarriers") or ()),
        blacklist=frozenset(task.waiting.blacklist if task.waiting else ()),
        prices=_prices(task.wanted) if "prices" in configuration.needs else {},
        attributes=attributes_of(order, task.wanted, configuration, now)
        if configuration.asks_of_orders
        else {},
    )


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


def settings_of(order, now, configuration):
    """What a configuration says of an order as a whole."""
    attributes = {}
    if configuration.asks_of_orders:
        wanted = {line: line.quantity for line in order.lines.all()}
        attributes = attributes_of(order, wanted, configuration, now)
    settings, _path = rules.choose(configuration.tree, attributes)
    return settings


def _prices(wanted):
    """The price of a unit as the shop sent it, by article; the highest where lines differ."""
    prices: dict[str, float] = {}
    for line in wanted:
        if line.article_id is not None:
            article, price = str(line.article_id), float(line.wire.get("shopPrice") or 0)
            prices[article] = max(prices.get(article, 0.0), price)
    return prices


def _value(wanted):
    """The price of the wanted units as the shop sent it, 0 for lines without one."""
    return round(sum(quantity * (line.wire.get("shopPrice") or 0) for line, quantity in wanted.items()), 4)
