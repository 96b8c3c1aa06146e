"""What a mapping makes of a payload: drafts, one per order and ship group. Everything here is pure.

``complete`` applies the rules that hold for every source; ``Draft.body`` is the body of our own order import.
"""

import dataclasses
import datetime
import enum
import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .addresses import Address, is_country
from .reading import iso, text
from .reasons import Reason, reason

# What an operator can repair by typing it in, or by a decision.
REPAIRABLE = {
    *("ADDRESS_MISSING", "ADDRESS_INCOMPLETE", "ADDRESS_HIDDEN", "COUNTRY_UNKNOWN", "SKU_MISSING"),
    *("QUANTITY_NOT_WHOLE", "CANCEL_ASKED", "SEVERAL_ADDRESSES"),
}
KEEP, DROP = "keep", "drop"  # what an operator decides of a line whose customer wants to cancel it


class Action(enum.StrEnum):
    IMPORT = "import"
    PARK = "park"
    IGNORE = "ignore"
    CANCEL = "cancel"
    UPDATE = "update"


@dataclasses.dataclass(frozen=True)
class Line:
    """A line that has to be picked. ``quantity`` is what is open, ``ordered`` what is wanted whether shipped or not."""

    line_id: str
    sku: str
    title: str
    quantity: int | None
    unit_price: Decimal | None = None
    ordered: int | None = None
    line_ids: tuple[str, ...] = ()  # where the source counts units one by one
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    facility: str = ""  # of the source, translated by the table of the connection
    is_doubtful: bool = False  # its customer asks to cancel it; somebody has to decide

    @property
    def wanted(self):
        return self.quantity if self.ordered is None else self.ordered


@dataclasses.dataclass(frozen=True)
class Draft:
    order_id: str
    number: str
    action: Action = Action.IMPORT
    reason: Reason | None = None
    created: datetime.datetime | None = None
    currency: str = ""
    email: str = ""
    address: Address | None = None
    lines: tuple[Line, ...] = ()  # after ``complete`` only those with something open
    ordered: Mapping[str, int] = dataclasses.field(default_factory=dict)  # of every line, see ``complete``
    delivery_method: str = ""
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    group: str = ""
    awaits_return_label: bool = False  # the source opened a return, and nothing says yet how it comes back
    is_reserved: bool = False  # held until the source releases it; never shipped before
    # How new it is: a number of the source, or the time of its last change.
    version: int | None = None
    updated_at: datetime.datetime | None = None
    deadline: datetime.datetime | None = None
    label_not_before: datetime.datetime | None = None  # a label made earlier would be worth nothing
    service: str = ""  # our own word for the delivery method, see ``complete``
    facilities: tuple[str, ...] = ()  # own numbers, see ``complete``
    # What reporting back needs beside the lines.
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    warnings: tuple[Reason, ...] = ()
    # Of an order parked because some lines name no ship group: these lines, and the groups there are.
    strays: tuple[Line, ...] = ()
    parts: tuple["Draft", ...] = ()
    origin: Any = dataclasses.field(default=None, compare=False)  # the delivery it came with

    def but(self, action, code="", /, **params):
        """The same with another outcome."""
        return dataclasses.replace(self, action=action, reason=reason(code, **params) if code else None)

    @property
    def key(self):
        return self.order_id, self.group

    def is_older_than(self, version, updated_at):
        """Whether what is stored is newer; equal is not older."""
        if self.version is not None and version is not None:
            return self.version < version
        return self.updated_at is not None and updated_at is not None and self.updated_at < updated_at

    @property
    def digest(self):
        """A short text that changes with the content that matters to us."""
        body = self.body()
        matters = [
            body["consumer"],
            body["customAttributes"],
            dict(self.ordered),
            {line.line_id: sorted(line.line_ids) for line in self.lines},
        ]
        if self.is_reserved:
            matters.append("reserved")
        if self.label_not_before:
            matters.append(iso(self.label_not_before))
        return hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()

    def body(self):
        """The order in the wire form of our own import, still to be validated."""
        address = self.address or Address()
        preferences = _preferences(self)
        number = self.number or self.order_id
        return _without_empty(
            {
                "tenantOrderId": f"{number}/{self.group}" if self.group else number,
                "orderDate": iso(self.created) if self.created else "",
                "consumer": {"email": self.email, "addresses": [_wire_address(address)]},
                "orderLineItems": [_wire_line(line, self.currency) for line in self.lines],
                "deliveryPreferences": preferences,
                "paymentInfo": {"currency": self.currency},
                "status": "LOCKED" if self.is_reserved else "",
            }
        ) | {
            "customAttributes": {
                **self.attributes,
                **({"parentNumber": number, "shipGroup": self.group} if self.group else {}),
            }
        }

    def preview(self):
        """The order for ``manage.py source_preview``."""
        address = self.address or Address()
        shown = {
            "action": str(self.action),
            "reason": self.reason.english if self.reason else _words(self.warnings),
            "order_id": self.order_id,
            "number": self.number,
            "created": iso(self.created) if self.created else None,
            "currency": self.currency,
            "email": self.email,
            "address": {
                "name": address.full_name,
                "company": address.company,
                "street": address.street,
                "house_number": address.house_number,
                "addition": address.addition,
                "postal_code": address.postal_code,
                "city": address.city,
                "country": address.country,
                "state": address.state,
                "phone": address.phone,
            },
            "lines": [_preview_line(line) for line in self.lines],
            "delivery_method": self.delivery_method,
            "attributes": dict(self.attributes),
        }
        return shown | ({"group": self.group} if self.group else {})


def complete(draft, options):
    """Apply the rules that hold for every source: SKUs, quantities, the address and the tables of the connection.

    Lines with nothing open are taken out, but what was ordered of them stays known. A draft that is not to be
    imported keeps its outcome.
    """
    fallback = text(options.get("fallback_sku"))
    given = [line for line in draft.lines if line.wanted is None or line.wanted > 0]
    lines = tuple(dataclasses.replace(line, sku=line.sku or fallback) for line in given if line.quantity != 0)
    is_taken_back = bool(draft.lines) and not given
    service, facilities, warnings = _translate(draft, options)
    draft = dataclasses.replace(
        draft,
        lines=lines,
        strays=tuple(dataclasses.replace(line, sku=line.sku or fallback) for line in draft.strays),
        ordered={line.line_id: line.wanted for line in given if line.wanted is not None},
        service=service,
        facilities=facilities,
        warnings=(*draft.warnings, *warnings),
    )
    if draft.action != Action.IMPORT:
        return draft
    if not lines:
        if is_taken_back:
            return draft.but(Action.CANCEL, "CANCELLED")
        return draft.but(Action.IGNORE, "SHIPPED" if given else "NO_STOCK_LINES")
    return _check(draft)


def _check(draft):
    """Park what cannot be sent as it is."""
    lines = draft.lines
    if doubtful := [line.line_id for line in lines if line.is_doubtful]:
        return draft.but(Action.PARK, "CANCEL_ASKED", lines=", ".join(doubtful))
    without_number = [line.line_id for line in lines if line.quantity is None]
    if without_number:
        return draft.but(Action.PARK, "QUANTITY_NOT_WHOLE", line=", ".join(without_number))
    without_sku = [line.line_id for line in lines if not line.sku]
    if without_sku:
        return draft.but(Action.PARK, "SKU_MISSING", line=", ".join(without_sku))
    if draft.address is None:
        return draft if draft.service.startswith("collect ") else draft.but(Action.PARK, "ADDRESS_MISSING")
    if missing := draft.address.missing:
        return draft.but(Action.PARK, "ADDRESS_INCOMPLETE", fields=", ".join(missing))
    if not is_country(draft.address.country):
        return draft.but(Action.PARK, "COUNTRY_UNKNOWN", code=draft.address.country[:20])
    return draft


def repaired(draft, corrections):
    """The draft with what an operator typed or decided; its ship groups, once every stray line has one."""
    return [repair(one, corrections) for one in _spread(draft, corrections)]


def _spread(draft, corrections):
    places = (corrections.get(draft.group) or {}).get("places") or {}
    groups = {part.group for part in draft.parts}
    if draft.action != Action.PARK or not draft.strays:
        return [draft]  # also one that was cancelled or shipped since
    if any(places.get(line.line_id) not in groups for line in draft.strays):
        return [draft]
    found = []
    for part in draft.parts:
        lines = {line.line_id: line for line in part.lines}
        for line in draft.strays:
            if places[line.line_id] == part.group:
                lines[line.line_id] = _added(lines.get(line.line_id), line)
        known = {**part.ordered, **{key: line.wanted for key, line in lines.items()}}
        whole = dataclasses.replace(
            part,
            lines=tuple(lines.values()),
            ordered=known,
            origin=draft.origin,
            facts={**part.facts, "corrections": corrections},
        )
        is_for_other_reason = part.action == Action.PARK and part.reason.code not in REPAIRABLE
        if lines:
            found.append(whole if is_for_other_reason else _check(whole.but(Action.IMPORT)))
    return found


def _added(line, stray):
    """A line with the units of a stray one of the same id."""
    if line is None or line.quantity is None or stray.quantity is None:
        return stray
    return dataclasses.replace(
        line, quantity=line.quantity + stray.quantity, ordered=line.wanted + stray.wanted
    )


def repair(draft, corrections):
    """Put in what an operator typed or decided where the source lacks it, and check again; others stay as they are.

    Args:
        corrections: ``{ship group: {"address": {...}, "skus": {line id: SKU}, "quantities": {line id: units},
            "decisions": {line id: KEEP or DROP}, "places": {line id: ship group}}}``.
    """
    typed = corrections.get(draft.group)
    if not typed or draft.strays or draft.action != Action.PARK or draft.reason.code not in REPAIRABLE:
        return draft
    address, decisions = draft.address, typed.get("decisions") or {}
    if typed.get("address"):
        address = dataclasses.replace(address or Address(), **typed["address"])
    dropped = {
        line.line_id for line in draft.lines if line.is_doubtful and decisions.get(line.line_id) == DROP
    }
    lines = tuple(_repaired(line, typed) for line in draft.lines if line.line_id not in dropped)
    known = {key: units for key, units in draft.ordered.items() if key not in dropped}
    repaired = dataclasses.replace(
        draft.but(Action.IMPORT),
        address=address,
        lines=lines,
        ordered={**known, **{line.line_id: line.wanted for line in lines if line.wanted is not None}},
        # For later versions of the order.
        facts={**draft.facts, "corrections": {**draft.facts.get("corrections", {}), draft.group: typed}},
    )
    return _check(repaired) if lines or not dropped else repaired.but(Action.CANCEL, "CANCELLED")


def _repaired(line, typed):
    units = (typed.get("quantities") or {}).get(line.line_id)
    is_decided = line.line_id in (typed.get("decisions") or {})
    return dataclasses.replace(
        line,
        sku=line.sku or (typed.get("skus") or {}).get(line.line_id, ""),
        quantity=units if line.quantity is None else line.quantity,
        ordered=units if line.ordered is None and line.quantity is None else line.ordered,
        is_doubtful=line.is_doubtful and not is_decided,
    )


def _translate(draft, options):
    """(our own delivery method, own numbers of facilities, warnings) by the tables of the connection."""
    methods, default = options.get("delivery_methods") or {}, options.get("default_method") or "standard"
    service, warnings = default, []
    if draft.delivery_method in methods:
        service = methods[draft.delivery_method]
    elif methods and draft.delivery_method:
        warnings.append(reason("METHOD_UNKNOWN", code=draft.delivery_method[:100]))
    table, facilities = options.get("facilities") or {}, []
    for code in dict.fromkeys(line.facility for line in draft.lines if line.facility):
        if code in table:
            facilities.append(table[code])
        elif table:
            warnings.append(reason("FACILITY_UNKNOWN", code=code[:100]))
    return service, tuple(facilities), tuple(warnings)


def _preferences(draft):
    """Delivery preferences from our own word for the method: standard, express, sameday, carrier KEY, collect NUMBER."""
    word, _space, argument = draft.service.partition(" ")
    preferences: dict[str, Any] = {"targetTime": iso(draft.deadline)} if draft.deadline else {}
    if word == "collect":
        return preferences | {"collect": [{"tenantFacilityId": argument.strip(), "paid": True}]}
    shipping: dict[str, Any] = (
        {"labelNotBefore": iso(draft.label_not_before)} if draft.label_not_before else {}
    )
    if word == "sameday":
        shipping["serviceLevel"] = "SAMEDAY"
    elif word == "express":
        shipping["carrierProductCategory"] = "EXPRESS"
    elif word == "carrier":
        shipping["preferredCarriers"] = [argument.strip()]
    if draft.facilities:
        shipping["preselectedFacilities"] = [{"tenantFacilityId": number} for number in draft.facilities]
    return preferences | ({"shipping": shipping} if shipping else {})


def _wire_address(address):
    # Without parted names the whole name, so that nothing is lost on the label.
    is_parted = address.first_name or address.last_name
    phones = [{"type": "PHONE", "value": address.phone}] if address.phone else []
    return {
        "addressType": "POSTAL_ADDRESS",
        "salutation": address.salutation,
        "firstName": address.first_name,
        "lastName": address.last_name if is_parted else address.name,
        "companyName": address.company,
        "street": address.street,
        "houseNumber": address.house_number,
        "additionalAddressInfo": address.addition,
        "postalCode": address.postal_code,
        "city": address.city,
        "province": address.state,
        "country": address.country,
        "phoneNumbers": phones,
        "email": address.email,
    }


def _wire_line(line, currency):
    price = (
        {"unitPrice": format(line.unit_price, "f"), "currency": currency}
        if line.unit_price is not None
        else {}
    )
    return {
        "article": {"tenantArticleId": line.sku, "title": line.title[:500] or line.sku},
        "quantity": line.quantity,
        "customAttributes": {**line.attributes, **price, "externalLineId": line.line_id},
    }


def _without_empty(value):
    """Leave out what is empty: our own check takes it for absent, and so does what is stored."""
    if isinstance(value, dict):
        cleaned = {name: _without_empty(inner) for name, inner in value.items()}
        return {name: inner for name, inner in cleaned.items() if inner not in ("", None, {}, [])}
    if isinstance(value, list):
        return [inner for inner in map(_without_empty, value) if inner not in ("", None, {}, [])]
    return value


def _preview_line(line):
    ids = {"line_ids": list(line.line_ids)} if line.line_ids else {"line_id": line.line_id}
    price = format(line.unit_price, "f") if line.unit_price is not None else None
    return ids | {"sku": line.sku, "title": line.title, "quantity": line.quantity, "unit_price": price}


def _words(warnings):
    return " ".join(warning.english for warning in warnings) or None
