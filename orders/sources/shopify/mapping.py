"""Orders of webhooks, REST and GraphQL become drafts. GraphQL is first brought to the names of webhooks."""

from orders.sources.addresses import Address, country, join, split_street
from orders.sources.drafts import Action, Draft, Line, complete
from orders.sources.reading import (
    NotOfThisSource,
    attributes,
    first,
    items,
    money,
    part,
    text,
    time,
    whole,
)

CLOSED = {"CLOSED", "CANCELLED", "INCOMPLETE"}
OPEN = "OPEN"
HELD_BY_US = "Not found when it was picked."  # the note of our own holds


def unwrap(payload):
    """The orders of a webhook body, a REST or GraphQL answer, or a single order.

    A webhook that is not about the order itself gives what it says of one, which may be nothing.

    Raises:
        NotOfThisSource
    """
    if not isinstance(payload, dict):
        raise NotOfThisSource
    if (signal := _signal(payload)) is not None:
        return [signal]
    inner = payload.get("data") if isinstance(payload.get("data"), dict) else payload
    if "orders" in inner:
        found = items(inner["orders"])
        if not found and inner["orders"] not in ([], {}) and not isinstance(inner["orders"], dict):
            raise NotOfThisSource
    elif isinstance(inner.get("order"), dict):
        found = [inner["order"]]
    else:
        found = [inner]
    if not all(_is_order(order) for order in found):
        raise NotOfThisSource
    return found


def _signal(payload):
    """What a webhook of fulfilment orders, edits or returns says of its order; None for others."""
    edit, found = payload.get("order_edit"), payload.get("fulfillment_order")
    if isinstance(edit, dict):
        return {"id": edit.get("order_id"), "is_signal": True}
    if isinstance(found, dict):
        return {"id": first(part(found, "order", "id"), found.get("order_id")), "is_signal": True}
    kind = text(payload.get("admin_graphql_api_id") or payload.get("id"))
    if "/Return/" in kind and isinstance(payload.get("order"), dict):
        return {"id": payload["order"].get("id"), "is_signal": True}
    return None


def _is_order(order):
    is_own_id = text(order.get("admin_graphql_api_id") or order.get("id")).startswith("gid://shopify/Order/")
    return bool(text(order.get("id"))) and (is_own_id or "line_items" in order or "lineItems" in order)


def identify(order):
    """(external id, number) of an order, whatever else is wrong with it."""
    identifier = text(order.get("legacyResourceId")) or _tail(order.get("id"))
    return identifier, first(order.get("name"), identifier)


def drafts(order, options):
    if order.get("is_signal") is True:
        order_id, number = identify(order)
        return [Draft(order_id=order_id, number=number).but(Action.IGNORE, "SIGNAL")]
    return [_draft(_as_webhook(order), options)]


def _draft(order, options):
    order_id, number = identify(order)
    currency = text(order.get("currency"))
    method = part(order, "shipping_lines", 0) or {}
    given = order.get("shipping_address")
    draft = complete(
        Draft(
            order_id=order_id,
            number=number,
            created=time(order.get("created_at")),
            updated_at=time(order.get("updated_at")),
            currency=currency,
            email=first(order.get("email"), order.get("contact_email")),
            address=_address(given, order) if isinstance(given, dict) else None,
            lines=tuple(_lines(order)),
            delivery_method=_method(method, options),
            awaits_return_label=bool(order.get("awaits_return_label")),
            attributes=attributes(
                ("note", order.get("note")),
                *((entry.get("name"), entry.get("value")) for entry in items(order.get("note_attributes"))),
                ("tags", order.get("tags")),
            ),
        ),
        options,
    )
    return _judge(draft, order, options)


def _judge(draft, order, options):
    """What is to be done, beyond what holds for every source."""
    if order.get("cancelled_at"):
        return draft.but(Action.CANCEL, "CANCELLED")
    if order.get("test") is True and not options["imports_test_orders"]:
        return draft.but(Action.IGNORE, "TEST_ORDER")
    if draft.action in {Action.IGNORE, Action.CANCEL}:
        return draft
    status = text(order.get("financial_status")).lower()
    if status not in options["financial_statuses"]:
        return draft.but(Action.IGNORE, "NOT_RELEASED", status=status or "-")
    if order.get("is_on_hold"):
        return draft.but(Action.IGNORE, "ON_HOLD")
    return draft


def _method(line, options):
    """The code of the shipping line; its title where the table of the connection only knows that."""
    code, title = text(line.get("code")), text(line.get("title"))
    table = options.get("delivery_methods") or {}
    return title if title in table and code not in table else code or title


def _address(given, order):
    street, number = split_street(given.get("address1"))
    return Address(
        first_name=text(given.get("first_name")),
        last_name=text(given.get("last_name")),
        name=text(given.get("name")),
        company=text(given.get("company")),
        street=street,
        house_number=number,
        addition=join(given.get("address2")),
        postal_code=text(given.get("zip")),
        city=text(given.get("city")),
        country=country(given.get("country_code")),
        state=first(given.get("province_code"), given.get("province")),
        phone=first(given.get("phone"), order.get("phone")),
    )


def _lines(order):
    for line in items(order.get("line_items")):
        if line.get("requires_shipping") is False or line.get("gift_card") is True:
            continue
        wanted = next(
            (line[name] for name in ("current_quantity", "quantity") if line.get(name) is not None), None
        )
        is_open = line.get("fulfillable_quantity")
        yield Line(
            line_id=_tail(line.get("id")),
            sku=text(line.get("sku")),
            title=first(line.get("title"), line.get("name")),
            quantity=whole(wanted if is_open is None else is_open),
            ordered=whole(wanted if wanted is not None else is_open),
            unit_price=money(line.get("price")),
            attributes=attributes(
                *((entry.get("name"), entry.get("value")) for entry in items(line.get("properties")))
            ),
        )


def _tail(identifier):
    """The number in a global id, or the id itself."""
    return text(identifier).rpartition("/")[2].partition("?")[0]


def _as_webhook(order):
    """A GraphQL order in the names of webhooks; any other as it is."""
    if "lineItems" not in order:
        return order
    address, method = order.get("shippingAddress"), order.get("shippingLine")
    states = {
        text(entry.get("status")).upper()
        for entry in items(order.get("fulfillmentOrders"))
        if not is_held_by_us(entry)
    } - CLOSED
    return {
        "id": order.get("id"),
        "legacyResourceId": order.get("legacyResourceId"),
        "name": order.get("name"),
        "created_at": order.get("createdAt"),
        "updated_at": order.get("updatedAt"),
        "cancelled_at": order.get("cancelledAt"),
        "test": order.get("test"),
        "currency": order.get("currencyCode"),
        "email": order.get("email"),
        "phone": order.get("phone"),
        "note": order.get("note"),
        "tags": order.get("tags"),
        "note_attributes": _pairs(order),
        "financial_status": order.get("displayFinancialStatus"),
        "is_on_hold": order.get("is_on_hold") or states == {"ON_HOLD"},
        "shipping_address": {
            "first_name": address.get("firstName"),
            "last_name": address.get("lastName"),
            "name": address.get("name"),
            "company": address.get("company"),
            "address1": address.get("address1"),
            "address2": address.get("address2"),
            "zip": address.get("zip"),
            "city": address.get("city"),
            "province_code": address.get("provinceCode"),
            "country_code": first(address.get("countryCodeV2"), address.get("countryCode")),
            "phone": address.get("phone"),
        }
        if isinstance(address, dict)
        else None,
        "shipping_lines": [method] if isinstance(method, dict) else [],
        "awaits_return_label": _awaits_label(order),
        "line_items": [
            {
                "id": line.get("id"),
                "sku": line.get("sku"),
                "title": first(line.get("title"), line.get("name")),
                "quantity": line.get("quantity"),
                "current_quantity": line.get("currentQuantity"),
                "fulfillable_quantity": line.get("unfulfilledQuantity"),
                "requires_shipping": line.get("requiresShipping"),
                "gift_card": line.get("isGiftCard"),
                "price": part(line, "originalUnitPriceSet", "shopMoney", "amount"),
                "properties": _pairs(line),
            }
            for line in items(order.get("lineItems"))
        ],
    }


def is_held_by_us(entry):
    """Whether a fulfilment order is on hold because we reported missing units of it."""
    holds = items(entry.get("fulfillmentHolds"))
    is_held = text(entry.get("status")).upper() == "ON_HOLD"
    return is_held and bool(holds) and all(hold.get("reasonNotes") == HELD_BY_US for hold in holds)


def _awaits_label(order):
    """Whether an order as the poll reads it has an open return that nothing says the way of."""
    return any(
        not items(entry.get("reverseDeliveries"))
        for found in items(order.get("returns"))
        for entry in open_ways(found)
    )


def open_ways(found):
    """What of a return is on its way back, or will be."""
    if text(found.get("status")) == OPEN:
        for entry in items(found.get("reverseFulfillmentOrders")):
            if text(entry.get("status")) == OPEN:
                yield entry


def _pairs(owner):
    return [
        {"name": entry.get("key"), "value": entry.get("value")}
        for entry in items(owner.get("customAttributes"))
    ]
