"""Orders of B2C Commerce become drafts, one per shipment; those of Order Management in ``management``."""

import dataclasses
from decimal import Decimal

from orders.sources.addresses import Address, country, join, split_street
from orders.sources.drafts import Action, Draft, Line, complete
from orders.sources.reading import (
    NotOfThisSource,
    attributes,
    first,
    fraction_digits,
    items,
    money,
    part,
    text,
    time,
    whole,
)

from . import management

RELEASED = frozenset({"", "new", "open"})


def unwrap(payload):
    """The orders of a page or of a query, or a single order.

    Raises:
        NotOfThisSource
    """
    if not isinstance(payload, dict):
        raise NotOfThisSource
    lists = [payload[name] for name in ("data", "records") if isinstance(payload.get(name), list)]
    found = lists[0] if lists else [payload]
    if not all(isinstance(order, dict) and _is_order(order) for order in found):
        raise NotOfThisSource
    return found


def _is_order(order):
    return bool(text(order.get("orderNo"))) or management.is_order(order)


def identify(order):
    """(external id, number) of an order, whatever else is wrong with it."""
    if management.is_order(order):
        return management.identify(order)
    number = text(order.get("orderNo"))
    return number, number


def changed(order):
    return time(first(order.get("lastModified"), order.get("lastModifiedDate"), order.get("creationDate")))


def drafts(order, options):
    if management.is_order(order):
        return management.drafts(order, options)
    order_id, number = identify(order)
    currency, shipments = text(order.get("currency")), items(order.get("shipments"))
    whole_order = Draft(
        order_id=order_id,
        number=number,
        created=time(order.get("creationDate")),
        updated_at=changed(order),
        currency=currency,
        email=first(part(order, "customerInfo", "email"), part(order, "customerInfo", "customerEmail")),
    )
    lines, strays = _lines(order, shipments, currency, options)
    is_several = len(shipments) > 1
    found = []
    for position, shipment in enumerate(shipments or [{}]):
        if is_several and not lines.get(position) and not strays:
            continue  # nothing but vouchers
        identifier = text(shipment.get("shipmentId"))
        draft = dataclasses.replace(
            whole_order,
            group=(identifier or str(position + 1))[:200] if is_several else "",
            address=_address(shipment.get("shippingAddress"), order),
            lines=tuple(lines.get(position, ())),
            delivery_method=first(part(shipment, "shippingMethod", "id"), shipment.get("shippingMethod")),
            attributes=attributes(
                *_custom(order), ("giftMessage", shipment.get("giftMessage")), *_custom(shipment)
            ),
            facts={"siteId": text(order.get("siteId")), "shipmentId": identifier},
        )
        found.append(_judge(_complete(draft, shipment, options), order, options))
    if strays:
        names = ", ".join(line.line_id or "-" for line in strays)
        parked = dataclasses.replace(whole_order, strays=tuple(strays), parts=tuple(found))
        parked = complete(parked.but(Action.PARK, "SEVERAL_ADDRESSES", lines=names), options)
        return [_judge(parked, order, options)]
    return found or [_judge(complete(whole_order, options), order, options)]


def _judge(draft, order, options):
    """What is to be done by the states of the order."""
    status, site = text(order.get("status")).lower(), text(order.get("siteId"))
    if site and text(options.get("site_id")) not in {"", site}:
        return draft.but(Action.IGNORE, "NOT_OURS", why=f"siteId {site[:100]}")
    if status == "cancelled":
        return draft.but(Action.CANCEL, "CANCELLED")
    if status == "completed" or text(order.get("shippingStatus")).lower() == "shipped":
        return draft.but(Action.IGNORE, "SHIPPED")
    if status not in RELEASED:
        return draft.but(Action.IGNORE, "NOT_RELEASED", status=status)
    export = text(order.get("exportStatus")).lower()
    is_confirmed = text(order.get("confirmationStatus")).lower() == "confirmed"
    if export == "failed" or (
        export == "not_exported" and not (options.get("takes_not_exported") and is_confirmed)
    ):
        return draft.but(Action.IGNORE, "NOT_RELEASED", status=export)
    return draft


def _complete(draft, shipment, options):
    """The common rules; a shipment from a store is collected there, whatever its method is called."""
    store = text(shipment.get("c_fromStoreId"))
    methods = options.get("delivery_methods") or {}
    if not store or methods.get(draft.delivery_method, "").startswith("collect "):
        return complete(draft, options)
    facility = (options.get("facilities") or {}).get(store)
    if facility is None:
        return complete(draft.but(Action.PARK, "COLLECT_UNKNOWN", code=store[:100]), options)
    collect = f"collect {facility}"
    table = {draft.delivery_method: collect}
    return complete(draft, {**options, "delivery_methods": table, "default_method": collect})


def _lines(order, shipments, currency, options):
    """({position of the shipment: lines}, lines that name none of several)."""
    places = {text(entry.get("shipmentId")): position for position, entry in enumerate(shipments)}
    lines: dict[int, list[Line]] = {}
    strays = []
    for item in items(order.get("productItems")):
        place = places.get(text(item.get("shipmentId"))) if len(shipments) > 1 else 0
        parts = items(item.get("bundledProductItems")) if options.get("picks_bundle_parts", True) else []
        own = [_line(one, currency, item) for one in parts or [item]]
        if place is None:
            strays += own
        else:
            lines.setdefault(place, []).extend(own)
    return lines, strays


def _line(item, currency, owner):
    quantity = whole(item.get("quantity"))
    own = item if item is owner else {**item, "itemId": _part_id(item, owner)}
    return Line(
        line_id=first(own.get("itemId"), item.get("productId")),
        sku=text(item.get("productId")),
        title=first(item.get("productName"), item.get("itemText")),
        quantity=quantity,
        ordered=quantity,
        unit_price=_unit_price(item, currency),
        attributes=attributes(*_custom(item)),
    )


def _part_id(item, bundle):
    return first(item.get("itemId")) or f"{text(bundle.get('itemId'))}/{text(item.get('productId'))}"


def _unit_price(item, currency):
    """The price of a unit; some answers only have that of the line. JSON numbers lose the zeros at their end."""
    amount, units = money(item.get("basePrice")), whole(item.get("quantity"))
    total = money(item.get("price"))
    if amount is None and total is not None and units:
        amount = total / units
    if amount is None or abs(amount) > 10**15:
        return amount
    rounded = amount.quantize(Decimal(1).scaleb(-fraction_digits(currency)))
    is_guess = money(item.get("basePrice")) is None
    return rounded if is_guess or rounded == amount else amount


def _custom(owner):
    return [(name.removeprefix("c_"), value) for name, value in owner.items() if name.startswith("c_")]


def _address(given, order):
    if not isinstance(given, dict):
        return None
    street, number = split_street(given.get("address1"))
    company = text(given.get("companyName"))
    name = first(given.get("fullName"), "" if company else part(order, "customerInfo", "customerName"))
    return Address(
        salutation=join(given.get("salutation"), given.get("title")),
        first_name=text(given.get("firstName")),
        last_name=text(given.get("lastName")),
        name=name,
        company=company,
        street=street,
        house_number=number,
        addition=join(given.get("address2"), given.get("suite"), given.get("postBox")),
        postal_code=text(given.get("postalCode")),
        city=text(given.get("city")),
        country=country(given.get("countryCode")),
        state=text(given.get("stateCode")),
        phone=text(given.get("phone")),
    )
