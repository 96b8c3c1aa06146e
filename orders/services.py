"""The steps of an order: it is placed, unlocked or cancelled, and hears what the stages did for it."""

import datetime
import uuid

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import Article, Facility
from fulfillment.core.status import check_version, log_created, require_transaction, transit
from orders.events import OrderCancelled, OrderPlaced, OrderUnlocked
from orders.models import Order, OrderLine, ParcelRecord, ShortRecord

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
    """A datetime from RFC 3339 text; datetimes and None pass, and a time without zone is read as UTC."""
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.upper())
    if value is not None and value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return value


def _find_facilities(named, allowed):
    """The facilities of ``[(path, {"facilityRef" | "tenantFacilityId"})]``, in that order, with one query."""
    if not named:
        return []
    ids, numbers = set(), set()
    for _path, data in named:
        if data.get("facilityRef"):
            try:
                ids.add(uuid.UUID(data["facilityRef"]))
            except ValueError:
                continue  # not found below, with its path
        else:
            numbers.add(data.get("tenantFacilityId"))
    rows = list(Facility.objects.filter(Q(pk__in=ids) | Q(tenant_facility_id__in=numbers)))
    by_reference = {str(row.pk): row for row in rows} | {row.tenant_facility_id: row for row in rows}
    found = []
    for path, data in named:
        field = "facilityRef" if data.get("facilityRef") else "tenantFacilityId"
        reference = data.get(field, "")
        facility = by_reference.get(reference.lower() if field == "facilityRef" else reference)
        if facility is None:
            raise UnknownFacility(path=f"{path}.{field}", reference=reference)
        if allowed is not None and facility.pk not in allowed:
            raise FacilityNotAllowed(path=f"{path}.{field}", reference=reference)
        found.append(facility)
    return found


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
        existing = Order.objects.live().filter(channel=channel, tenant_order_id=number).first()
        if existing is not None:
            raise NumberTaken(number=number, existing=existing.pk, status=existing.status)

    preferences = data.get("deliveryPreferences") or {}
    collect = (preferences.get("collect") or [None])[0]
    shipping = preferences.get("shipping") or {}
    named = [("deliveryPreferences.collect[0]", collect)] if collect else []
    named += [
        (f"deliveryPreferences.shipping.preselectedFacilities[{index}]", entry)
        for index, entry in enumerate(shipping.get("preselectedFacilities") or [])
    ]
    facilities = _find_facilities(named, allowed_facilities)
    collect_facility = facilities.pop(0) if collect else None

    order = Order(
        status=data.get("status") or Order.Status.OPEN,
        channel=channel,
        tenant_order_id=number,
        order_date=moment(data["orderDate"]),
        kind=Order.Kind.COLLECT if collect else Order.Kind.SHIPPING,
        service_level=shipping.get("serviceLevel") or Order.ServiceLevel.DELIVERY,
        target_time=moment(preferences.get("targetTime") or (collect or {}).get("provisioningTime")),
        promised_until=moment((data.get("promisesOptions") or {}).get("validUntil")),
        collect_facility=collect_facility,
        is_paid=bool(collect.get("paid", False)) if collect else True,
        consumer=data["consumer"],
        delivery_preferences=preferences,
        custom_attributes=data.get("customAttributes") or {},
        tags=data.get("tags") or [],
        extra={name: value for name, value in data.items() if name not in OWN_FIELDS},
        created_at=now,
    )
    address = order.shipping_address
    if address is None and not collect:
        raise AddressMissing
    if address is not None:
        order.recipient_name = address.name[:200]
        order.country = address.country
        order.latitude, order.longitude = _coordinates(data["consumer"], address)
    order.recipient_name = order.recipient_name or order.email[:200]

    items = data["orderLineItems"]
    skus = {item["article"]["tenantArticleId"] for item in items}
    articles = dict(Article.objects.filter(sku__in=skus).values_list("sku", "pk"))
    order.save(force_insert=True)
    lines = OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            position=position,
            article_id=articles.get(item["article"]["tenantArticleId"]),
            sku=item["article"]["tenantArticleId"],
            title=item["article"]["title"],
            quantity=item["quantity"],
            scannable_codes=item.get("scannableCodes") or [],
            wire=item,
        )
        for position, item in enumerate(items, start=1)
    )
    order.placed_lines = lines  # spares the API's answer a query
    if facilities:
        order.preselected_facilities.set(facilities)
    log_created(order, by=by, now=now)
    emit(OrderPlaced(order_id=order.pk), by=by, now=now)
    return order


def _coordinates(consumer, address):
    """Latitude and longitude the shop gave for the address the parcel goes to, or (None, None)."""
    for data in consumer.get("addresses", []):
        point = data.get("coordinates")
        if point and address == type(address).from_wire(data):
            return point["lat"], point["lon"]
    return None, None


@transaction.atomic
def unlock(order_id, *, by, now, version=None):
    """Let operations begin on a held order. Refuses any status but LOCKED, and an old version."""
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    transit(order.unlock, by=by, now=now)
    emit(OrderUnlocked(order_id=order.pk), by=by, now=now)
    return order


@transaction.atomic
def cancel(order_id, *, by, now, reason="", version=None):
    """Cancel an order and everything that hangs on it; a cancelled order stays as it is.

    Refuses an old version, and whatever a later stage refuses because it is too far.
    """
    order = Order.objects.lock(pk=order_id)
    if order.status == Order.Status.CANCELLED:
        return order
    check_version(order, version)
    transit(order.cancel, now, by=by, now=now, reason=reason)
    emit(OrderCancelled(order_id=order.pk), by=by, now=now)
    return order


def record_parcel(
    parcel_id,
    *,
    order_id,
    facility_id,
    carrier_key,
    tracking_number,
    tracking_url,
    return_tracking_number,
    items,
    now,
):
    """Note a parcel for the shop; a second call with the same parcel corrects the first.

    Args:
        items: ``[{"line": order line id, "quantity": units}]``.
    """
    require_transaction()
    facts = {
        "order_id": order_id,
        "facility_id": facility_id,
        "carrier_key": carrier_key,
        "tracking_number": tracking_number or "",
        "tracking_url": tracking_url or "",
        "return_tracking_number": return_tracking_number or "",
        "items": items,
    }
    record, _created = ParcelRecord.objects.update_or_create(
        parcel_id=parcel_id, defaults=facts, create_defaults=facts | {"recorded_at": now}
    )
    return record


def record_handed_over(parcel_id, *, now):
    """Note that a parcel left the house; the first time counts. Parcels without a record are left out."""
    require_transaction()
    ParcelRecord.objects.filter(parcel_id=parcel_id, handed_over_at=None).update(handed_over_at=now)


def record_handover_reverted(parcel_id):
    """Take back ``record_handed_over``."""
    require_transaction()
    ParcelRecord.objects.filter(parcel_id=parcel_id).update(handed_over_at=None)


def record_short(order_line_id, facility_id, quantity, reason, *, now):
    """Note units of an order line that will not come, with the reason for the shop."""
    require_transaction()
    return ShortRecord.objects.create(
        line_id=order_line_id, facility_id=facility_id, quantity=quantity, reason=reason, recorded_at=now
    )


def withdraw_short(order_line_id, facility_id, reason):
    """Take back ``record_short``: the units may come after all."""
    require_transaction()
    ShortRecord.objects.filter(line_id=order_line_id, facility_id=facility_id, reason=reason).delete()
