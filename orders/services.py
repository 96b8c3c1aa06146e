"""The steps of an order: it is placed, unlocked or cancelled, and hears what the stages did for it."""

import datetime
import uuid
from urllib.parse import unquote

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core import rows
from fulfillment.core.errors import Refused, VersionConflict, WrongStatus
from fulfillment.core.events import emit, emit_all
from fulfillment.core.models import Article, Facility
from fulfillment.core.status import check_version, log_change, log_created, require_transaction, transit
from orders.events import (
    OrderCancelled,
    OrderModified,
    OrderPlaced,
    OrderUnlocked,
    ParcelDelivered,
    ParcelHandedOver,
    ParcelHandoverTakenBack,
    ParcelRecorded,
    ParcelWithdrawn,
    PromiseConfirmed,
    PromiseExpired,
    ReturnRecorded,
    ShortRecorded,
)
from orders.models import PROMISE, Address, Order, OrderLine, ParcelRecord, ReturnRecord, ShortRecord

MOST_LINES = 500
EXTENSION = datetime.timedelta(hours=1)
# The columns that a shop can change later.
MODIFIABLE = [
    "consumer",
    "custom_attributes",
    "delivery_preferences",
    "extra",
    "recipient_name",
    "country",
    "latitude",
    "longitude",
    "target_time",
    "label_not_before",
]
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


class OrderEnded(Refused):
    text = _("Order %(order)s is %(status)s and can no longer be changed.")


class UnknownLine(Refused):
    status_code = 400
    text = _("orderLineItems[%(index)s].id: order %(order)s has no line %(line)s.")


class OtherArticle(Refused):
    status_code = 400
    text = _("orderLineItems[%(index)s].article: a line keeps its article. Add a line for another one.")


class LineNotRemovable(Refused):
    """A line stands in plans and their history, so it cannot go."""

    code = "NOT_SUPPORTED_YET"
    text = _(
        "orderLineItems[%(index)s].quantity: a line cannot be removed. Cancel the order and place it anew."
    )


class TooManyLines(Refused):
    status_code = 400
    text = _("orderLineItems: an order has at most %(most)s lines.")


class PromiseEnded(Refused):
    text = _("The promise of order %(order)s has ended.")


class BadPromiseEnd(Refused):
    status_code = 400
    text = _("validUntil: must be later than before, and 1 minute to 8 hours ahead.")


class ForceCancelOff(Refused):
    text = _("FORCE_CANCEL is switched off in this installation.")


class ForceCancelTooFar(Refused):
    code = "NOT_SUPPORTED_YET"
    text = _("Order %(order)s cannot be cancelled by force: %(why)s")


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
    articles = _find_articles(items)
    order.save(force_insert=True)
    lines = _build_lines(order, items, articles)
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
    return order, _build_lines(order, items, _find_articles(items)), chosen


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
    articles = _find_articles([item for data in bodies for item in data["orderLineItems"]])
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
    _read_address(order)
    return order, facilities


def _find_articles(items):
    """``{SKU: article id}`` of lines in wire form, as far as they are known."""
    skus = {item["article"]["tenantArticleId"] for item in items}
    return dict(Article.objects.filter(sku__in=skus).values_list("sku", "pk")) if skus else {}


def _build_lines(order, items, articles, start=1):
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


def _read_address(order):
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


@transaction.atomic
def unlock(order_id, *, target_time=None, by, now, version=None):
    """Let operations begin on a held order. Refuses any status but LOCKED, and an old version."""
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    if target_time is not None:
        _set_target_time(order, target_time)
        order.save(update_fields=["target_time", "delivery_preferences", "modified_at"])
    transit(order.unlock, by=by, now=now)
    emit(OrderUnlocked(order_id=order.pk), by=by, now=now)
    return order


def _set_target_time(order, moment):
    order.target_time = moment
    order.delivery_preferences = {**order.delivery_preferences, "targetTime": moment.isoformat()}


def _set_label_time(order, text):
    """From when on labels are made, as the shop says it: an order that is sent again is compared word by word."""
    if moment(text) == order.label_not_before:
        return
    order.label_not_before = moment(text)
    shipping = {**(order.delivery_preferences.get("shipping") or {}), "labelNotBefore": text}
    if text is None:
        del shipping["labelNotBefore"]
    order.delivery_preferences = {**order.delivery_preferences, "shipping": shipping}
    if not shipping:
        del order.delivery_preferences["shipping"]


@transaction.atomic
def confirm_promise(order_id, *, number=None, by, now, version=None):
    """Make a promised order a real one. Refuses a promise that has ended, a number in use, and an old version.

    Args:
        number: the order number of the shop, which it may not have had when it asked for the promise.
    """
    order = _lock_promise(order_id, "confirm promise", now, version)
    if number is not None and number != order.tenant_order_id:
        refuse_number_in_use(order.channel, number)
        order.tenant_order_id = number
        order.save(update_fields=["tenant_order_id", "modified_at"])
    transit(order.confirm_promise, by=by, now=now)
    emit(PromiseConfirmed(order_id=order.pk), by=by, now=now)
    return order


@transaction.atomic
def extend_promise(order_id, *, until=None, by, now, version=None):
    """Let a promise end later, by an hour when nothing else is said. Refuses one that has ended, and an old version."""
    order = _lock_promise(order_id, "extend promise", now, version)
    if until is None:
        until = min(order.promised_until + EXTENSION, now + PROMISE[1])
    if until < order.promised_until or not PROMISE[0] <= until - now <= PROMISE[1]:
        raise BadPromiseEnd
    order.promised_until = until
    order.extra = {**order.extra, "promisesOptions": {"validUntil": until.isoformat()}}
    order.version += 1
    order.save(update_fields=["promised_until", "extra", "version", "modified_at"])
    log_change(order, "extend_promise", by=by, now=now)
    return order


def _lock_promise(order_id, action, now, version):
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    if order.status != Order.Status.PROMISED:
        raise WrongStatus(thing=order, status=order.get_status_display(), action=action)
    if order.promised_until <= now:
        raise PromiseEnded(order=order)
    return order


def expire_promises(*, now):
    """End the promises that nobody confirmed in time, each in a transaction of its own; returns how many."""
    ended = Order.objects.filter(status=Order.Status.PROMISED, promised_until__lte=now)
    expired = 0
    for order_id in ended.order_by("promised_until").values_list("pk", flat=True):
        with transaction.atomic():
            order = Order.objects.lock(pk=order_id)
            if order.status == Order.Status.PROMISED and order.promised_until <= now:
                transit(order.expire, by=None, now=now, reason=str(_("The promise ended.")))
                emit(PromiseExpired(order_id=order.pk), by=None, now=now)
                expired += 1
    return expired


@transaction.atomic
def modify(order_id, changes, *, by, now, version=None):
    """Change an order before it is picked; what changes nothing leaves it as it is.

    Other lines, units or another address let routing place the order anew. Refuses an order that has ended, an
    old version, and whatever a later stage refuses because it has begun.

    Args:
        changes: ``OrderForUpdate`` in wire form, validated. The consumer and the attributes are replaced as a
            whole, lines are changed one by one.
    """
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    return _modify(order, changes, by=by, now=now)


@transaction.atomic
def replace_addresses(order_id, addresses, *, only=None, by, now, version=None):
    """Replace the addresses of the consumer; with ``only`` those of one type. Refuses what ``modify`` refuses."""
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    kept = [
        address
        for address in order.consumer.get("addresses", [])
        if only is not None and address.get("addressType", "POSTAL_ADDRESS") != only
    ]
    consumer = {**order.consumer, "addresses": [*addresses, *kept]}
    return _modify(order, {"consumer": consumer}, by=by, now=now)


@transaction.atomic
def correct_address(order_id, fields, *, by, now, version=None):
    """Change parts of the address that the parcel goes to; what is left out stays. Refuses what ``modify`` refuses.

    The coordinates of the old address are forgotten: the new one is looked up.

    Args:
        fields: of the address in wire form, for example ``{"postalCode": "1012 LG"}``.
    """
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    address = order.shipping_address
    addresses = [
        {name: value for name, value in {**data, **fields}.items() if name != "coordinates"}
        if address is not None and Address.from_wire(data) == address
        else data
        for data in order.consumer.get("addresses", [])
    ]
    return _modify(order, {"consumer": {**order.consumer, "addresses": addresses}}, by=by, now=now)


def _modify(order, changes, *, by, now):
    if order.status not in Order.LIVE:
        raise OrderEnded(order=order, status=order.get_status_display())
    before = {name: getattr(order, name) for name in MODIFIABLE}
    address = order.shipping_address
    if "consumer" in changes:
        order.consumer = changes["consumer"]
        _read_address(order)
    if "customAttributes" in changes:
        order.custom_attributes = changes["customAttributes"]
    if "pricing" in changes:
        order.extra = {**order.extra, "pricing": changes["pricing"]}
    if "preferredHandlingTime" in changes:
        _set_target_time(order, moment(changes["preferredHandlingTime"]))
    if "labelNotBefore" in changes:
        _set_label_time(order, changes["labelNotBefore"])
    has_other_lines = _change_lines(order, changes.get("orderLineItems") or [])
    changed = [name for name, value in before.items() if getattr(order, name) != value]
    if not changed and not has_other_lines:
        return order
    order.version += 1
    order.save(update_fields=[*changed, "version", "modified_at"])
    log_change(order, "modify", by=by, now=now, reason=changes.get("comment", ""))
    is_shipped_elsewhere = order.kind == Order.Kind.SHIPPING and order.shipping_address != address
    emit(
        OrderModified(
            order_id=order.pk,
            is_demand_changed=has_other_lines or is_shipped_elsewhere,
            is_time_changed="target_time" in changed,
        ),
        by=by,
        now=now,
    )
    return order


def _change_lines(order, items):
    """Other quantities for lines that are named by id, and new lines; returns whether anything differs."""
    if not items:
        return False
    lines = {str(line.pk): line for line in order.lines.all()}
    differs, new = False, []
    for index, item in enumerate(items):
        if "id" not in item:
            new.append(item)
            continue
        line = lines.get(item["id"].lower())
        if line is None:
            raise UnknownLine(index=index, order=order, line=item["id"])
        if item.get("article", {}).get("tenantArticleId", line.sku) != line.sku:
            raise OtherArticle(index=index)
        quantity = item.get("quantity", line.quantity)
        if quantity == 0:
            raise LineNotRemovable(index=index)
        if quantity != line.quantity:
            line.quantity, line.wire = quantity, {**line.wire, "quantity": quantity}
            line.save(update_fields=["quantity", "wire"])
            differs = True
    if len(lines) + len(new) > MOST_LINES:
        raise TooManyLines(most=MOST_LINES)
    last = max(line.position for line in lines.values())
    OrderLine.objects.bulk_create(_build_lines(order, new, _find_articles(new), start=last + 1))
    return differs or bool(new)


@transaction.atomic
def cancel(order_id, *, by, now, reason="", version=None, is_forced=False):
    """Cancel an order and everything that hangs on it; a cancelled order stays as it is.

    Refuses an old version, and whatever a later stage refuses because it is too far.
    """
    order = Order.objects.lock(pk=order_id)
    if order.status == Order.Status.CANCELLED:
        return order
    check_version(order, version)
    transit(order.cancel, now, by=by, now=now, reason=reason)
    emit(OrderCancelled(order_id=order.pk, is_forced=is_forced), by=by, now=now)
    return order


@transaction.atomic
def force_cancel(order_id, *, by, now, reason="", version=None):
    """Cancel an order that ``cancel`` would refuse, when the installation allows it.

    What is picked becomes work: somebody puts it back on its shelf. Refuses when goods have left the building.
    """
    if not settings.FORCE_CANCEL_ALLOWED:
        raise ForceCancelOff
    try:
        return cancel(order_id, by=by, now=now, reason=reason, version=version, is_forced=True)
    except VersionConflict:
        raise
    except Refused as refusal:
        raise ForceCancelTooFar(order=Order.objects.get(pk=order_id), why=refusal.message) from refusal


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
    emit(ParcelRecorded(order_id=order_id, parcel_id=parcel_id), by=None, now=now)
    return record


def record_tracking(parcel_id, status, *, at, now):
    """Note for the shop where a parcel is on its way. Parcels without a record are left out."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=parcel_id):
        record.tracking_status, record.tracked_at = status, at
        record.save(update_fields=["tracking_status", "tracked_at"])
        if status == ParcelRecord.DELIVERED:
            emit(ParcelDelivered(order_id=record.order_id, parcel_id=parcel_id), by=None, now=now)


def withdraw_parcel(parcel_id, *, now):
    """Take back ``record_parcel``: its label was cancelled before it left the house."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=parcel_id, handed_over_at=None):
        record.delete()
        emit(ParcelWithdrawn(order_id=record.order_id, parcel_id=parcel_id), by=None, now=now)


def record_handed_over(parcel_id, *, now):
    """Note that a parcel left the house; the first time counts. Parcels without a record are left out."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=parcel_id, handed_over_at=None):
        record.handed_over_at = now
        record.save(update_fields=["handed_over_at"])
        emit(ParcelHandedOver(order_id=record.order_id, parcel_id=parcel_id), by=None, now=now)


def record_handover_reverted(parcel_id, *, now):
    """Take back ``record_handed_over``."""
    require_transaction()
    for record in ParcelRecord.objects.filter(parcel_id=parcel_id).exclude(handed_over_at=None):
        record.handed_over_at = None
        record.save(update_fields=["handed_over_at"])
        emit(ParcelHandoverTakenBack(order_id=record.order_id, parcel_id=parcel_id), by=None, now=now)


def record_short(order_line_id, facility_id, quantity, reason, *, now):
    """Note units of an order line that will not come, with the reason for the shop."""
    require_transaction()
    record = ShortRecord.objects.create(
        line_id=order_line_id, facility_id=facility_id, quantity=quantity, reason=reason, recorded_at=now
    )
    emit(ShortRecorded(order_id=record.line.order_id, order_line_id=order_line_id), by=None, now=now)
    return record


def record_return(return_id, *, order_id, items, now):
    """Note for the shop what became of the units in a return; the first time counts.

    Args:
        items: ``[{"line": order line id, "quantity": units, "is_accepted": bool, "condition": key, "reason": key}]``.
    """
    require_transaction()
    record, is_new = ReturnRecord.objects.get_or_create(
        return_id=return_id, defaults={"order_id": order_id, "items": items, "recorded_at": now}
    )
    if is_new:
        emit(ReturnRecorded(order_id=order_id, return_id=return_id), by=None, now=now)
    return record


def withdraw_short(order_line_id, facility_id, reason):
    """Take back ``record_short``: the units may come after all."""
    require_transaction()
    ShortRecord.objects.filter(line_id=order_line_id, facility_id=facility_id, reason=reason).delete()
