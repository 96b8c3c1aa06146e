"""Orders of version 2026-01-01 become drafts."""

from orders.sources.addresses import Address, country, join, split_street
from orders.sources.drafts import Action, Draft, Line, complete
from orders.sources.reading import NotOfThisSource, attributes, first, items, money, part, text, time, whole

ORDER_CHANGE = "ORDER_CHANGE"
PICK_UP = "IN_STORE_PICK_UP"
OPEN = frozenset({"UNSHIPPED", "PARTIALLY_SHIPPED"})
CANCELLED = frozenset({"CANCELLED", "CANCELED"})
LINES = ("addressLine1", "addressLine2", "addressLine3")


def unwrap(payload):
    """The orders of a page, or a single order. A message gives what it says of an order: its id.

    Raises:
        NotOfThisSource
    """
    if not isinstance(payload, dict):
        raise NotOfThisSource
    named = field(payload, "Payload", "OrderChangeNotification", "AmazonOrderId")
    if isinstance(payload.get("payload"), dict):
        payload = payload["payload"]
    if named is not None:
        found = [{"orderId": named, "is_signal": True}]
    elif isinstance(payload.get("orders"), list):
        found = payload["orders"]
    elif isinstance(payload.get("order"), dict):
        found = [payload["order"]]
    else:
        found = [payload]
    if not all(isinstance(order, dict) and _is_order(order) for order in found):
        raise NotOfThisSource
    return found


def _is_order(order):
    is_known = isinstance(order.get("orderItems"), list) or isinstance(order.get("fulfillment"), dict)
    return bool(text(order.get("orderId"))) and (is_known or is_signal(order))


def is_signal(order):
    return order.get("is_signal") is True


def field(message, *path):
    """What stands at a path of a message; its names begin with a capital letter or not, by their version."""
    for name in path:
        names = (name, name[0].lower() + name[1:])
        message = next((found for found in (part(message, one) for one in names) if found is not None), None)
    return message


def identify(order):
    """(external id, number) of an order, whatever else is wrong with it."""
    identifier = text(order.get("orderId"))
    return identifier, first(_alias(order.get("orderAliases")), identifier)


def _alias(aliases):
    """The seller's own number, from a list of kinds and values."""
    for alias in items(aliases):
        if "SELLER_ORDER_ID" in map(text, alias.values()):
            return first(*(value for value in alias.values() if text(value) != "SELLER_ORDER_ID"))
    return text(part(aliases, "SELLER_ORDER_ID"))


def drafts(order, options):
    order_id, number = identify(order)
    if is_signal(order):
        return [Draft(order_id=order_id, number=number).but(Action.IGNORE, "SIGNAL")]
    given, fulfillment = order.get("orderItems"), order.get("fulfillment")
    programs = _texts(order.get("programs"))
    draft = Draft(
        order_id=order_id,
        number=number,
        created=time(order.get("createdTime")),
        updated_at=time(order.get("lastUpdatedTime")),
        currency=_currency(order),
        email=text(part(order, "buyer", "buyerEmail")),
        address=_address(part(order, "recipient", "deliveryAddress")),
        lines=tuple(map(_line, items(given))),
        delivery_method=PICK_UP if PICK_UP in programs else _service_level(order),
        deadline=time(part(fulfillment, "shipByWindow", "latestDateTime")),
        label_not_before=time(part(fulfillment, "labelPrintingWindow", "earliestDateTime")),
        attributes=attributes(
            ("programs", programs),
            ("labelNotBefore", part(fulfillment, "labelPrintingWindow", "earliestDateTime")),
        ),
        facts={
            "marketplaceId": text(part(order, "salesChannel", "marketplaceId")),
            "serviceLevel": _service_level(order),
        },
    )
    return [_judge(complete(draft, options), order)]


def _judge(draft, order):
    """What is to be done by the state of the order."""
    status = status_of(order)
    if text(part(order, "fulfillment", "fulfilledBy")).upper() == "AMAZON":
        return draft.but(Action.IGNORE, "NOT_OURS", why="Amazon ships it")
    if status in CANCELLED:
        return draft.but(Action.CANCEL, "CANCELLED")
    if status == "SHIPPED":
        return draft.but(Action.IGNORE, "SHIPPED")
    if status not in OPEN:
        return draft.but(Action.IGNORE, "NOT_RELEASED", status=status or "-")
    if draft.action in {Action.IGNORE, Action.CANCEL}:
        return draft
    if draft.delivery_method == PICK_UP and not draft.service.startswith("collect "):
        return draft.but(Action.PARK, "COLLECT_UNKNOWN", code=PICK_UP)
    if draft.reason and draft.reason.code == "CANCEL_ASKED":
        return draft
    is_hidden = draft.reason is not None and draft.reason.code in {"ADDRESS_MISSING", "ADDRESS_INCOMPLETE"}
    if is_hidden and not (draft.address and draft.address.street):
        return draft.but(Action.PARK, "ADDRESS_HIDDEN")
    return draft


def status_of(order):
    return text(part(order, "fulfillment", "fulfillmentStatus")).upper()


def _service_level(order):
    return text(part(order, "fulfillment", "fulfillmentServiceLevel"))


def _texts(value):
    return [word for word in map(text, value) if word] if isinstance(value, list) else []


def _line(line):
    ordered = whole(line.get("quantityOrdered"))
    open_, done = (
        whole(part(line, "fulfillment", name)) for name in ("quantityUnfulfilled", "quantityFulfilled")
    )
    product = line.get("product")
    return Line(
        line_id=text(line.get("orderItemId")),
        sku=text(part(product, "sellerSku")),
        title=text(part(product, "title")),
        quantity=ordered if open_ is None else open_,
        # What was cancelled is neither fulfilled nor unfulfilled.
        ordered=ordered if open_ is None or done is None else open_ + done,
        unit_price=money(part(product, "price", "unitPrice", "amount")),
        is_doubtful=bool(part(line, "cancellation", "cancellationRequest")),
        attributes=attributes(
            ("asin", part(product, "asin")),
            ("giftOption", part(line, "fulfillment", "packing", "giftOption")),
            ("giftOption", line.get("giftOption")),
            ("customization", part(product, "customization")),
            ("customization", line.get("customization")),
        ),
    )


def _currency(order):
    prices = (part(line, "product", "price", "unitPrice") for line in items(order.get("orderItems")))
    codes = (part(price, "currencyCode") for price in prices)
    return first(*codes, part(order, "proceeds", "grandTotal", "currencyCode"))


def _address(given):
    if not isinstance(given, dict) or not any(map(text, given.values())):
        return None
    company = text(given.get("companyName"))
    more = given.get("extendedFields")
    lines = [" ".join(text(given.get(name)).split()) for name in LINES]
    lines = [line for line in lines if line and line != company]
    street, number = text(part(more, "streetName")), text(part(more, "streetNumber"))
    if street:
        same = {f"{street} {number}".strip().casefold(), f"{number} {street}".strip().casefold()}
        lines = [line for line in lines if line.casefold() not in same]
    else:
        # Sellers in Germany often see a company or c/o in the first line.
        whole_line = next((line for line in lines if split_street(line)[1]), lines[0] if lines else "")
        if whole_line:
            lines.remove(whole_line)
        street, number = split_street(whole_line)
    return Address(
        name=text(given.get("name")),
        company=company,
        street=street,
        house_number=number,
        addition=join(*lines, part(more, "complement"), part(more, "neighborhood")),
        postal_code=text(given.get("postalCode")),
        city=text(given.get("city")),
        country=country(given.get("countryCode")),
        state=text(given.get("stateOrRegion")),
        phone=text(given.get("phone")),
    )
