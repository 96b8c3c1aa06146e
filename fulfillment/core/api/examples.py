"""Examples for the OpenAPI document, made from the parts that validate: none can say what the code would refuse."""

from . import schema
from .schema import Choice, Integer, List, Map, Number, Object, Text

ID = "01997e6a-5a3c-7c1d-9b5e-2f6d1c0a7b11"
MOMENT = "2026-03-02T09:30:00Z"
DEEPEST = 8
# By the name of the property; one that its part refuses is not taken.
VALUES = {
    "additionalAddressInfo": "2nd floor",
    "callbackUrl": "https://shop.example/hooks",
    "carrierKey": "DHL",
    "carrierTrackingNumber": "00340434161094042557",
    "category": "descriptive",
    "city": "Amsterdam",
    "companyName": "Example Stores B.V.",
    "consumerId": "C-4711",
    "country": "NL",
    "currency": "EUR",
    "customAttributes": {"commercetoolsId": "4f1c"},
    "description": "orderLineItems[0].quantity: must be at least 1",
    "email": "anna@shop.example",
    "event": "ORDER_CREATED",
    "firstName": "Anna",
    "houseNumber": "1",
    "id": ID,
    "key": "colour",
    "lastName": "de Vries",
    "lat": 52.3676,
    "lon": 4.9041,
    "name": "Example",
    "postalCode": "1012 LG",
    "quantity": 2,
    "result": "CREATED",
    "shortId": "AV12",
    "size": 20,
    "street": "Damrak",
    "summary": "VALIDATION_FAILED",
    "tenantArticleId": "SKU-1",
    "tenantFacilityId": "NL-1",
    "tenantOrderId": "W-1001",
    "title": "Mug",
    "total": 1,
    "trackingUrl": "https://carrier.example/track/00340434161094042557",
    "type": "FACILITY",
    "value": "blue",
    "version": 1,
}
PREFERRED = {"status": ("IN_PROGRESS", "OPEN", "ONLINE", "ACTIVE"), "locationType": ("STORE",)}
# Optional properties that an example shows; the others would make it long.
SHOWN_FIRST = {"customAttributes", "tenantFacilityId"}  # on the outside only
SHOWN = {
    *("address", "addresses", "callbackUrl", "consumer", "firstName"),
    *("houseNumber", "lastName", "listing", "locationType", "name", "orderRef", "pickJobRef", "results"),
    *("id", "orderLineItems", "packed", "picked", "quantity", "services", "size", "status", "stock"),
    *("tenantOrderId", "title", "total"),
}
SIMPLE = {
    schema.boolean: True,
    schema.moment: MOMENT,
    schema.email: VALUES["email"],
    schema.web_page: "https://carrier.example/track/1",
    schema.country: VALUES["country"],
    schema.free: {},
    schema.anything: "text",
}


def example(part, name="", depth=0):
    """A value that a part accepts."""
    for value in (*PREFERRED.get(name, ()), *([VALUES[name]] if name in VALUES else ())):
        if _accepts(part, value):
            return value
    if isinstance(part, Object):
        return _object(part, depth)
    if isinstance(part, Choice):
        return example_of_option(part, next(iter(part.options)), depth)
    if isinstance(part, List):
        return [example(part.item, name, depth + 1)]
    if isinstance(part, Map):
        return {"en_US": example(part.item, name, depth + 1)}
    if isinstance(part, Number):
        return _number(part)
    if isinstance(part, Text):
        return _text(part, name)
    return SIMPLE[part]


def example_of_option(choice, option, depth=0):
    """A value that a ``Choice`` accepts as this option."""
    return example(choice.options[option], "", depth) | {choice.key: option}


def _accepts(part, value):
    errors: list = []
    part(value, "", errors)
    return not errors


def _object(part, depth):
    shown = SHOWN | SHOWN_FIRST if depth == 0 else SHOWN if depth < DEEPEST else set()
    names = [name for name in part.parts if name in part.required or name in shown]
    if part.one_of and not set(part.one_of) & set(names):
        names.append(part.one_of[0])
    made = {name: example(part.parts[name], name, depth + 1) for name in names}
    if _accepts(part, made):
        return made
    # Its rule asks for more.
    return {name: example(inner, name, depth + 1) for name, inner in part.parts.items()}


def _number(part):
    wanted = 1 if isinstance(part, Integer) else 1.0
    return min(max(wanted, part.least or 0), wanted if part.most is None else part.most)


def _text(part, name):
    if part.choices:
        return sorted(part.choices)[0]
    return (
        ID[: part.longest] if name.endswith(("Ref", "Id", "Refs", "Ids")) else name[: part.longest] or "text"
    )
