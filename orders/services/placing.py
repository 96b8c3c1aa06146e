"""An order comes in: from a shop or the API, one or many, each once."""

import datetime
import uuid
from urllib.parse import unquote

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core import rows
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit, emit_all
from fulfillment.core.models import Article, Facility
from fulfillment.core.status import log_created, require_transaction
from orders.events import OrderPlaced
from orders.models import Order, OrderLine

# What tells whether an order is one that was sent before.
AS_SENT = ["consumer", "custom_attributes", "delivery_preferences", "extra", "order_date", "tags"]
LINE_FIELDS = ("position", "article_id", "sku", "title", "quantity", "scannable_codes", "wire")
# What an order keeps in columns of its own; everything else the shop sent is kept in ``extra``.
OWN_FIELDS = {
    "consumer",
    "customAttributes",
    "deliveryPreferences",
    "orderDate",
    "orderLineItems",
    "status",
    "tags",
    "tenantOrderId",
}


class NumberTaken(Refused):
    status_code = 400
    text = _("tenantOrderId: %(number)s is the number of order %(existing)s, which is still %(status)s.")


class UnknownFacility(Refused):
    status_code = 400
    text = _("%(path)s: there is no facility %(reference)s.")


class FacilityNotAllowed(Refused):
    status_code = 403
    text = _("%(path)s: this token may not use facility %(reference)s.")


class AddressMissing(Refused):
    status_code = 400
    text = _("consumer.addresses: an order that is shipped needs an address.")


def moment(value):
    """A datetime in UTC from RFC 3339 text; None passes, and a time without zone is read as UTC.

    Databases refuse offsets that RFC 3339 allows.
    """
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.upper())
    if value is None:
        return None
    return value.replace(tzinfo=datetime.UTC) if value.tzinfo is None else value.astimezone(datetime.UTC)


def _named_facilities(data):
    """``[(path, {"facilityRef" | "tenantFacilityId"})]`` of an order in wire form: where it is collected comes first."""
    preferences = data.get("deliveryPreferences") or {}
    named = [("deliveryPreferences.collect[0]", entry) for entry in preferences.get("collect") or []]
    chosen = (preferences.get("shipping") or {}).get("preselectedFacilities") or []
    return named + [
        (f"deliveryPreferences.shipping.preselectedFacilities[{index}]", entry)
        for index, entry in enumerate(chosen)
    ]


def _reference(data):
    """The property by which a facility is named, and its value."""
    field = "facilityRef" if data.get("facilityRef") else "tenantFacilityId"
    return field, data.get(field, "")


def _key(field, reference):
    """What a facility is kept by while an order is read: its id, or its number when it is named by that or by urn."""
    if field == "facilityRef" and reference.startswith(Facility.URN):
        return unquote(reference.removeprefix(Facility.URN))
    return reference.lower() if field == "facilityRef" else reference


def _load_facilities(named):
    """The facilities that are named, by each reference, with one query."""
    if not named:
        return {}
    ids, numbers = set(), set()
    for _path, data in named:
        field, reference = _reference(data)
        if field == "tenantFacilityId" or reference.startswith(Facility.URN):
            numbers.add(_key(field, reference))
            continue
        try:
            ids.add(uuid.UUID(reference))
        except ValueError:
            continue  # not found later, with its path
    rows = list(Facility.objects.filter(Q(pk__in=ids) | Q(tenant_facility_id__in=numbers)))
    return {str(row.pk): row for row in rows} | {row.tenant_facility_id: row for row in rows}


def _resolve_facilities(named, known, allowed):
    """The facilities that an order names, in that order. Refuses an unknown one, and one that is not allowed."""
    found = []
    for path, data in named:
        field, reference = _reference(data)
        facility = known.get(_key(field, reference))
        if facility is None:
            raise UnknownFacility(path=f"{path}.{field}", reference=reference)
        if allowed is not None and facility.pk not in allowed:
            raise FacilityNotAllowed(path=f"{path}.{field}", reference=reference)
        found.append(facility)
    return found


def refuse_number_in_use(channel, number):
    existing = Order.objects.live().filter(channel=channel, tenant_order_id=number).first()
    if existing is not None:
        raise NumberTaken(number=number, existing=existing.pk, status=existing.status)


@transaction.atomic(savepoint=False)
def place(data, *, channel, by, now, allowed_facilities=None, look_for_number=True):
    """Accept an order from a shop: order, lines, log and ``OrderPlaced`` in one transaction.

    A line whose SKU nobody knows is accepted without an article; the order then stays visibly unroutable.
    Refuses a number that a live order of the channel has, an unknown facility, and shipping without an address.
    The database refuses the number as well: when two callers place it at once, the second gets an
    ``IntegrityError`` and may call again.

    Args:
        data: the order in wire form (``OrderForCreation``), validated; times are RFC 3339 text or datetimes.
        channel: the sales channel it belongs to.
        by: the user or API token that acts.
        allowed_facilities: ids of the facilities the order may name, None for all.
        look_for_number: False spares a query and leaves a number in use to the database.
    """
    number = data.get("tenantOrderId") or None
    if number is not None and look_for_number:
        refuse_number_in_use(channel, number)

    order, chosen = _build(data, channel, _load_facilities(_named_facilities(data)), allowed_facilities, now)
    items = data["orderLineItems"]
    articles = find_articles(items)
    order.save(force_insert=True)
    lines = build_lines(order, items, articles)
    rows.insert(OrderLine, lines)
    order.placed_lines = lines  # spares the API's answer a query
    if chosen:
        order.preselected_facilities.set(chosen)
    log_created(order, by=by, now=now)
    emit(OrderPlaced(order_id=order.pk), by=by, now=now)
    return order


def draft(data, *, channel, now, allowed_facilities=None):
    """The order that ``place`` would make, its lines and the facilities that the shop chose; nothing is written.

    Refuses what ``place`` refuses, but for the number.
    """
    known = _load_facilities(_named_facilities(data))
    order, chosen = _build(data, channel, known, allowed_facilities, now)
    items = data["orderLineItems"]
    return order, build_lines(order, items, find_articles(items)), chosen


def place_many(bodies, *, channel, by, now, allowed_facilities=None, is_dry_run=False):
    """Accept several orders with the same few queries for any number of them; a bad one does not keep the others out.

    An order whose number is that of a live order with the same content is taken for that order, sent again.

    Args:
        bodies: orders as of ``place``; the other arguments as well.
        is_dry_run: judge only, write nothing.
    Returns:
        For each body (order, whether it is new) or the ``Refused``.
    """
    require_transaction()
    numbers = {data["tenantOrderId"] for data in bodies if data.get("tenantOrderId")}
    live = Order.objects.live().filter(channel=channel, tenant_order_id__in=numbers)
    taken = {
        order.tenant_order_id: (order, [line.wire for line in order.lines.all()])
        for order in (live.prefetch_related("lines") if numbers else ())
    }
    known = _load_facilities([named for data in bodies for named in _named_facilities(data)])
    articles = find_articles([item for data in bodies for item in data["orderLineItems"]])
    results: list[tuple[Order, bool] | Refused] = []
    new, lines, chosen = [], [], []
    for data in bodies:
        number = data.get("tenantOrderId") or None
        try:
            order, facilities = _build(data, channel, known, allowed_facilities, now)
            if number in taken:
                existing, existing_items = taken[number]
                if existing_items != data["orderLineItems"] or any(
                    getattr(existing, name) != getattr(order, name) for name in AS_SENT
                ):
                    raise NumberTaken(number=number, existing=existing.pk, status=existing.status)
                results.append((existing, False))
                continue
        except Refused as refusal:
            results.append(refusal)
            continue
        if number is not None:
            taken[number] = (order, data["orderLineItems"])
        results.append((order, True))
        new.append(order)
        lines += [(order.pk, *values) for values in _line_values(data["orderLineItems"], articles)]
        chosen += [
            Order.preselected_facilities.through(order=order, facility=facility)
            for facility in dict.fromkeys(facilities)
        ]
    if new and not is_dry_run:
        rows.insert(Order, new)
        rows.insert_values(OrderLine, ("order_id", *LINE_FIELDS), lines)
        rows.insert(Order.preselected_facilities.through, chosen)
        log_created(*new, by=by, now=now)
        emit_all([OrderPlaced(order_id=order.pk) for order in new], by=by, now=now)
    return results


def _build(data, channel, known_facilities, allowed, now):
    """The order of a body in wire form, not saved, and the facilities the shop chose. Refuses as ``place`` says."""
    facilities = _resolve_facilities(_named_facilities(data), known_facilities, allowed)
    preferences = data.get("deliveryPreferences") or {}
    collect = (preferences.get("collect") or [None])[0]
    shipping = preferences.get("shipping") or {}
    order = Order(
        status=data.get("status") or Order.Status.OPEN,
        channel=channel,
        tenant_order_id=data.get("tenantOrderId") or None,
        order_date=moment(data["orderDate"]),
        kind=Order.Kind.COLLECT if collect else Order.Kind.SHIPPING,
        service_level=shipping.get("serviceLevel") or Order.ServiceLevel.DELIVERY,
        target_time=moment(preferences.get("targetTime") or (collect or {}).get("provisioningTime")),
        label_not_before=moment(shipping.get("labelNotBefore")),
        promised_until=moment((data.get("promisesOptions") or {}).get("validUntil")),
        collect_facility=facilities.pop(0) if collect else None,
        is_paid=bool(collect.get("paid", False)) if collect else True,
        consumer=data["consumer"],
        delivery_preferences=preferences,
        custom_attributes=data.get("customAttributes") or {},
        tags=data.get("tags") or [],
        extra={name: value for name, value in data.items() if name not in OWN_FIELDS},
        created_at=now,
    )
    read_address(order)
    return order, facilities


def find_articles(items):
    """``{SKU: article id}`` of lines in wire form, as far as they are known."""
    skus = {item["article"]["tenantArticleId"] for item in items}
    return dict(Article.objects.filter(sku__in=skus).values_list("sku", "pk")) if skus else {}


def build_lines(order, items, articles, start=1):
    return [
        OrderLine(order=order, **dict(zip(LINE_FIELDS, values, strict=True)))
        for values in _line_values(items, articles, start)
    ]


def _line_values(items, articles, start=1):
    """``LINE_FIELDS`` of lines in wire form."""
    return [
        (
            position,
            articles.get(item["article"]["tenantArticleId"]),
            item["article"]["tenantArticleId"],
            item["article"]["title"],
            item["quantity"],
            item.get("scannableCodes") or [],
            item,
        )
        for position, item in enumerate(items, start=start)
    ]


def read_address(order):
    """Fill the columns that are read from the consumer. Refuses shipping without an address."""
    address = order.shipping_address
    if address is None and order.kind == Order.Kind.SHIPPING:
        raise AddressMissing
    order.recipient_name, order.country, order.latitude, order.longitude = "", "", None, None
    if address is not None:
        order.recipient_name = address.name[:200]
        order.country = address.country
        order.latitude, order.longitude = _coordinates(order.consumer, address)
    order.recipient_name = order.recipient_name or order.email[:200]


def _coordinates(consumer, address):
    """Latitude and longitude the shop gave for the address the parcel goes to, or (None, None)."""
    for data in consumer.get("addresses", []):
        point = data.get("coordinates")
        if point and address == type(address).from_wire(data):
            return point["lat"], point["lon"]
    return None, None
