"""Orders become drafts. A unit is an item of its own; those of one article and price are a line."""

from orders.sources.addresses import Address, country, join, split_street
from orders.sources.drafts import Action, Draft, Line, complete
from orders.sources.reading import NotOfThisSource, attributes, first, items, money, part, text, time

OPEN, ANNOUNCED = "PROCESSABLE", "ANNOUNCED"
# Announced orders have no address; nothing is shipped to this one.
NOWHERE = Address(name="–", street="–", postal_code="–", city="–", country="DE")
CANCELLED = frozenset({"CANCELLED_BY_MARKETPLACE", "CANCELLED_BY_PARTNER"})


def unwrap(payload):
    """The orders of a page, or a single order.

    Raises:
        NotOfThisSource
    """
    if not isinstance(payload, dict):
        raise NotOfThisSource
    found = payload["resources"] if isinstance(payload.get("resources"), list) else [payload]
    if not all(isinstance(order, dict) and _is_order(order) for order in found):
        raise NotOfThisSource
    return found


def _is_order(order):
    return bool(text(order.get("salesOrderId"))) and isinstance(order.get("positionItems"), list)


def identify(order):
    """(external id, number) of an order, whatever else is wrong with it."""
    identifier = text(order.get("salesOrderId"))
    return identifier, first(order.get("orderNumber"), identifier)


def drafts(order, options):
    order_id, number = identify(order)
    units = items(order.get("positionItems"))
    given = order.get("deliveryAddress")
    states = {state_of(unit) for unit in units} - CANCELLED
    is_reserved = states == {ANNOUNCED} and options["announced"] == "reserve"
    draft = Draft(
        order_id=order_id,
        number=number,
        created=time(order.get("orderDate")),
        updated_at=time(order.get("lastModifiedDate")),
        currency=first(*(part(_price(unit), "currency") for unit in units)),
        email=text(part(given, "email")),
        address=(_address(given) or NOWHERE) if is_reserved else _address(given),
        is_reserved=is_reserved,
        lines=tuple(
            _line(key, own, ANNOUNCED if is_reserved else OPEN)
            for key, own in lines_of(units, with_announced=is_reserved).items()
        ),
        delivery_method=first(*(fee.get("name") for fee in items(order.get("initialDeliveryFees")))),
        deadline=_deadline(units),
    )
    return [_judge(complete(draft, options), units)]


def _judge(draft, units):
    """Announced units wait for the customer's money: they are not known before, or reserved only."""
    if draft.is_reserved:
        return draft.but(Action.IMPORT, "RESERVED") if draft.action == Action.IMPORT else draft
    if not draft.lines and any(state_of(unit) == ANNOUNCED for unit in units):
        return draft.but(Action.IGNORE, "NOT_RELEASED", status=ANNOUNCED)
    return draft


def state_of(unit):
    return text(unit.get("fulfillmentStatus"))


def lines_of(units, *, with_announced=False):
    """``{line id: its units}``. The id says article and price, so it stays the same whatever becomes of the units."""
    lines: dict[str, list[dict]] = {}
    for unit in units:
        if with_announced or state_of(unit) != ANNOUNCED:
            lines.setdefault(_key(unit), []).append(unit)
    return lines


def ids_of(units, state):
    return tuple(text(unit.get("positionItemId")) for unit in units if state_of(unit) == state)


def _key(unit):
    product = unit.get("product")
    names = ("sku", "ean", "articleNumber", "productTitle")
    return f"{first(*(part(product, name) for name in names))} @ {text(part(_price(unit), 'amount'))}"[:200]


def _price(unit):
    """What the customer pays: the reduced price where there is one."""
    reduced = unit.get("itemValueReducedGrossPrice")
    return reduced if money(part(reduced, "amount")) is not None else unit.get("itemValueGrossPrice")


def _line(key, units, state):
    ids = ids_of(units, state)
    return Line(
        line_id=key,
        line_ids=ids,
        sku=text(part(units[0], "product", "sku")),
        title=first(*(part(unit, "product", "productTitle") for unit in units)),
        quantity=len(ids),
        ordered=sum(state_of(unit) not in CANCELLED for unit in units),
        unit_price=money(part(_price(units[0]), "amount")),
        attributes=attributes(*(pair for unit in units for pair in _facts(unit))),
    )


def _facts(unit):
    product = unit.get("product")
    for name in ("ean", "articleNumber", "vatRate"):
        yield name, part(product, name)
    for dimension in items(part(product, "dimensions")):
        yield first(dimension.get("displayName"), dimension.get("type")), dimension.get("value")
    for name in ("vatRate", "expectedDeliveryDate", "weeePickup"):
        yield name, unit.get(name)


def _deadline(units):
    """The first day that something of it is expected."""
    days = (time(unit.get("expectedDeliveryDate")) for unit in units if state_of(unit) == OPEN)
    return min(filter(None, days), default=None)


def _address(given):
    if not isinstance(given, dict):
        return None
    first_name, last_name = text(given.get("firstName")), text(given.get("lastName"))
    company = text(given.get("companyName"))
    if text(given.get("salutation")).upper() == "COMPANY" and not company:
        company, first_name, last_name = f"{first_name} {last_name}".strip(), "", ""
    street, number = text(given.get("street")), text(given.get("houseNumber"))
    if not number:
        street, number = split_street(street)
    return Address(
        salutation=text(given.get("title")),
        first_name=first_name,
        last_name=last_name,
        company=company,
        street=street,
        house_number=number,
        addition=join(given.get("addition")),
        postal_code=text(given.get("zipCode")),
        city=text(given.get("city")),
        country=country(given.get("countryCode")),
        phone=text(given.get("phoneNumber")),
    )
