"""Fulfillment orders of Order Management become drafts."""

from django_countries.data import COUNTRIES

from orders.sources.addresses import Address, country, join, split_street
from orders.sources.drafts import Action, Draft, Line, complete
from orders.sources.reading import attributes, first, items, money, part, text, time, whole

COLUMNS = (
    "Id, FulfillmentOrderNumber, Status, CreatedDate, LastModifiedDate, DeliveryMethodId, FulfilledToName, "
    "FulfilledToStreet, FulfilledToCity, FulfilledToPostalCode, FulfilledToState, FulfilledToCountry, "
    "FulfilledToEmailAddress, FulfilledToPhone, (SELECT Id, Quantity, UnitPrice, Product2Id, "
    "Product2.StockKeepingUnit, Product2.Name FROM FulfillmentOrderLineItems)"
)
CANCELLED = frozenset({"Cancelled", "Canceled"})
DONE = frozenset({"Fulfilled", "Closed"})
NAMES = {str(name).lower(): code for code, name in COUNTRIES.items()}


def is_order(order):
    return bool(text(order.get("Id"))) and "FulfillmentOrderNumber" in order


def identify(order):
    identifier = text(order.get("Id"))
    return identifier, first(order.get("FulfillmentOrderNumber"), identifier)


def drafts(order, options):
    order_id, number = identify(order)
    lines = part(order, "FulfillmentOrderLineItems", "records")
    draft = Draft(
        order_id=order_id,
        number=number,
        created=time(order.get("CreatedDate")),
        updated_at=time(order.get("LastModifiedDate")),
        currency=first(order.get("CurrencyIsoCode"), options.get("currency")),
        email=text(order.get("FulfilledToEmailAddress")),
        address=_address(order),
        lines=tuple(_line(line) for line in items(lines) if _is_product(line)),
        delivery_method=text(order.get("DeliveryMethodId")),
        attributes=attributes(*((name, value) for name, value in order.items() if name.endswith("__c"))),
    )
    status, draft = text(order.get("Status")), complete(draft, options)
    if status in CANCELLED:
        return [draft.but(Action.CANCEL, "CANCELLED")]
    if status in DONE:
        return [draft.but(Action.IGNORE, "SHIPPED")]
    if status not in (options.get("open_statuses") or ()):
        return [draft.but(Action.IGNORE, "NOT_RELEASED", status=status[:100] or "-")]
    return [draft]


def _is_product(line):
    """Lines without a product are charges."""
    return bool(text(line.get("Product2Id")) or isinstance(line.get("Product2"), dict))


def _line(line):
    quantity = whole(line.get("Quantity"))
    return Line(
        line_id=text(line.get("Id")),
        sku=text(part(line, "Product2", "StockKeepingUnit")),
        title=text(part(line, "Product2", "Name")),
        quantity=quantity,
        ordered=quantity,
        unit_price=money(line.get("UnitPrice")),
        attributes=attributes(*((name, value) for name, value in line.items() if name.endswith("__c"))),
    )


def _address(order):
    """The street may have several lines: the first that ends in a number is the street."""
    lines = [line.strip() for line in text(order.get("FulfilledToStreet")).splitlines() if line.strip()]
    if not lines and not text(order.get("FulfilledToCity")):
        return None
    chosen = next((line for line in lines if split_street(line)[1]), lines[0] if lines else "")
    street, number = split_street(chosen)
    code = text(order.get("FulfilledToCountry"))
    return Address(
        name=text(order.get("FulfilledToName")),
        street=street,
        house_number=number,
        addition=join(*(line for line in lines if line != chosen)),
        postal_code=text(order.get("FulfilledToPostalCode")),
        city=text(order.get("FulfilledToCity")),
        country=country(NAMES.get(code.lower(), code)),
        state=text(order.get("FulfilledToState")),
        phone=text(order.get("FulfilledToPhone")),
    )
