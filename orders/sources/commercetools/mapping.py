"""Orders of the HTTP API and of messages become drafts, one per shipping target."""

import base64
import binascii
import dataclasses

from orders.sources.addresses import Address, country, join, split_street
from orders.sources.drafts import Action, Draft, Line, complete
from orders.sources.reading import (
    NotOfThisSource,
    attributes,
    first,
    items,
    localized,
    minor_units,
    money,
    part,
    read_json,
    text,
    time,
    whole,
)

DELETED = "OrderDeleted"
# Messages that follow from our own reports, or say nothing of what is to be shipped.
NOT_NEEDED = (
    "Delivery",
    "Parcel",
    "OrderShipmentStateChanged",
    "OrderPaymentStateChanged",
    "OrderPaymentAdded",
    "OrderReturn",
    "ReturnInfo",
)


def unwrap(payload):
    """The orders of a page, of a pushed message, or a single order.

    A message without the order gives what it says of it: its id, version and state.

    Raises:
        NotOfThisSource
    """
    if not isinstance(payload, dict):
        raise NotOfThisSource
    if isinstance(payload.get("results"), list):
        found = payload["results"]
    elif (message := message_of(payload)) is not None:
        found = _of_message(message)
    else:
        found = [payload]
    if not all(isinstance(order, dict) and _is_order(order) for order in found):
        raise NotOfThisSource
    return found


def _is_order(order):
    return bool(text(order.get("id"))) and (isinstance(order.get("lineItems"), list) or "is_signal" in order)


def message_of(payload):
    """The message in a Pub/Sub push, a CloudEvents envelope, or bare; None when it is none."""
    if isinstance(part(payload, "message", "data"), str):
        try:
            payload = read_json(base64.b64decode(payload["message"]["data"], validate=True))
        except (ValueError, binascii.Error):
            raise NotOfThisSource from None
    if isinstance(payload, dict) and "specversion" in payload and isinstance(payload.get("data"), dict):
        payload = payload["data"]
    is_message = isinstance(payload, dict) and (
        "notificationType" in payload or isinstance(payload.get("resource"), dict)
    )
    return payload if is_message else None


def _of_message(message):
    if text(part(message, "resource", "typeId")) != "order":
        return []
    # A deleted order comes as it was before.
    if isinstance(message.get("order"), dict) and message.get("type") != DELETED:
        return [message["order"]]
    state = "Cancelled" if message.get("type") == DELETED else message.get("orderState")
    return [
        {
            "id": part(message, "resource", "id"),
            "orderNumber": part(message, "resourceUserProvidedIdentifiers", "orderNumber"),
            "version": message.get("resourceVersion"),
            "orderState": state,
            "is_signal": text(message.get("type")) or "-",
        }
    ]


def identify(order):
    """(external id, number) of an order, whatever else is wrong with it."""
    identifier = text(order.get("id"))
    return identifier, first(order.get("orderNumber"), identifier)


def drafts(order, options):
    order_id, number = identify(order)
    whole_order = Draft(
        order_id=order_id,
        number=number,
        created=time(order.get("createdAt")),
        version=whole(order.get("version")),
        updated_at=time(order.get("lastModifiedAt")),
        currency=_currency(order),
        email=first(order.get("customerEmail"), part(order, "shippingAddress", "email")),
        attributes=attributes(*_fields(order)),
    )
    if "is_signal" in order:
        topic = order["is_signal"]
        is_needed = not topic.startswith(NOT_NEEDED)
        said = ("SIGNAL", {}) if is_needed else ("OTHER_TOPIC", {"topic": topic})
        return [_judge(whole_order.but(Action.IGNORE, said[0], **said[1]), order, options)]
    shipped = _shipped(order)
    if text(order.get("shippingMode")) == "Multiple":
        groups = _groups(whole_order, order, shipped, options)
    else:
        groups = [
            dataclasses.replace(
                whole_order,
                address=_address(order.get("shippingAddress"), order),
                lines=tuple(
                    _line(line, options, shipped.get(text(line.get("id")), 0))
                    for line in items(order.get("lineItems"))
                ),
                delivery_method=_method(order.get("shippingInfo")),
            )
        ]
    return [_judge(complete(draft, options), order, options) for draft in groups]


def _judge(draft, order, options):
    """What is to be done by the state of the order."""
    state = text(order.get("orderState"))
    if state == "Cancelled":
        return draft.but(Action.CANCEL, "CANCELLED")
    if draft.action in {Action.IGNORE, Action.CANCEL}:
        return draft
    if state == "Complete" or text(order.get("shipmentState")) in {"Shipped", "Delivered"}:
        return draft.but(Action.IGNORE, "SHIPPED")
    if state not in options["order_states"]:
        return draft.but(Action.IGNORE, "NOT_RELEASED", status=state or "-")
    return draft


def _groups(whole_order, order, shipped, options):
    """One draft per target: the lines say how many units go to which address by which method."""
    addresses = {text(entry.get("key")): entry for entry in items(order.get("itemShippingAddresses"))}
    methods = {text(entry.get("shippingKey")): entry for entry in items(order.get("shipping"))}
    lines: dict[tuple[str, str], list[Line]] = {}
    strays = []
    for line in items(order.get("lineItems")):
        left, rest = whole(line.get("quantity")) or 0, shipped.get(text(line.get("id")), 0)
        for target in items(part(line, "shippingDetails", "targets")):
            units = whole(target.get("quantity")) or 0
            key = text(target.get("shippingMethodKey")), text(target.get("addressKey"))
            done = (
                _shipped_of(methods.get(key[0]), text(line.get("id")))
                if key[0] in methods
                else min(rest, units)
            )
            rest, left = rest - done, left - units
            if units > 0:
                lines.setdefault(key, []).append(_line(line, options, done, units))
        if left:
            strays.append(_line(line, options, max(0, rest), left))
    if strays:  # they may go to any address of the order
        for key in addresses:
            if key not in {place[1] for place in lines}:
                lines[_method_for(methods, key), key] = []
    groups = []
    for (method_key, address_key), own in lines.items():
        method = methods.get(method_key) or methods.get(_method_for(methods, address_key)) or {}
        address = addresses.get(address_key) or method.get("shippingAddress") or order.get("shippingAddress")
        group = "/".join(filter(None, [method_key, address_key]))
        groups.append(
            dataclasses.replace(
                whole_order,
                group=group[:200],
                address=_address(address, order),
                lines=tuple(own),
                delivery_method=_method(method.get("shippingInfo")),
                facts={"shippingKey": text(method.get("shippingKey"))},
            )
        )
    if strays or not groups:
        names = ", ".join(line.line_id for line in strays) or "-"
        parts = tuple(complete(group, options) for group in groups)
        parked = dataclasses.replace(whole_order, strays=tuple(strays), parts=parts)
        return [parked.but(Action.PARK, "SEVERAL_ADDRESSES", lines=names)]
    return groups


def _method_for(methods, address_key):
    """The key of the shipping to an address; '' without one."""
    found = (
        key for key, entry in methods.items() if text(part(entry, "shippingAddress", "key")) == address_key
    )
    return next(found, "")


def _line(line, options, shipped, units=None):
    quantity = whole(line.get("quantity")) if units is None else units
    value = part(line, "price", "value") or {}
    return Line(
        line_id=text(line.get("id")),
        sku=text(part(line, "variant", "sku")),
        title=localized(line.get("name"), options.get("locales") or ()),
        quantity=None if quantity is None else max(0, quantity - shipped),
        ordered=quantity,
        unit_price=_price(value),
        attributes=attributes(*_fields(line)),
        facility=first(part(line, "supplyChannel", "obj", "key"), part(line, "supplyChannel", "id")),
    )


def _price(value):
    digits = whole(value.get("fractionDigits"))
    if text(value.get("type")) == "highPrecision" and money(value.get("preciseAmount")) is not None:
        return minor_units(value["preciseAmount"], "", digits)
    return minor_units(value.get("centAmount"), text(value.get("currencyCode")), digits)


def _currency(order):
    prices = [part(line, "price", "value", "currencyCode") for line in items(order.get("lineItems"))]
    return first(part(order, "totalPrice", "currencyCode"), *prices)


def _address(given, order):
    if not isinstance(given, dict):
        return None
    street, number = text(given.get("streetName")), text(given.get("streetNumber"))
    if not number:
        street, number = split_street(street)
    return Address(
        salutation=join(given.get("salutation"), given.get("title")),
        first_name=text(given.get("firstName")),
        last_name=text(given.get("lastName")),
        company=text(given.get("company")),
        street=street,
        house_number=number,
        addition=join(
            given.get("additionalStreetInfo"),
            given.get("additionalAddressInfo"),
            given.get("building"),
            given.get("apartment"),
            given.get("department"),
            given.get("pOBox"),
        ),
        postal_code=text(given.get("postalCode")),
        city=text(given.get("city")),
        country=country(given.get("country")),
        state=first(given.get("state"), given.get("region")),
        phone=first(given.get("phone"), given.get("mobile")),
    )


def _method(info):
    return first(part(info, "shippingMethod", "obj", "key"), part(info, "shippingMethodName"))


def _fields(owner):
    fields = part(owner, "custom", "fields")
    return fields.items() if isinstance(fields, dict) else ()


def deliveries(order):
    """All deliveries of an order, whichever shipping they belong to."""
    infos = [
        order.get("shippingInfo"),
        *(entry.get("shippingInfo") for entry in items(order.get("shipping"))),
    ]
    return [delivery for info in infos for delivery in items(part(info, "deliveries"))]


def _shipped(order):
    """{line id: units in deliveries}."""
    units: dict[str, int] = {}
    for delivery in deliveries(order):
        for item in items(delivery.get("items")):
            key = text(item.get("id"))
            units[key] = units.get(key, 0) + (whole(item.get("quantity")) or 0)
    return units


def _shipped_of(shipping, line_id):
    return sum(
        whole(item.get("quantity")) or 0
        for delivery in items(part(shipping, "shippingInfo", "deliveries"))
        for item in items(delivery.get("items"))
        if text(item.get("id")) == line_id
    )
