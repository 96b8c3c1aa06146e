import datetime
import uuid

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.core.errors import VersionConflict, WrongStatus
from fulfillment.core.models import OutboxEntry, StatusChange
from orders import services
from orders.models import Order, ParcelRecord, ShortRecord
from orders.services import AddressMissing, FacilityNotAllowed, NumberTaken, UnknownFacility
from tests.factories.core import ArticleFactory, ChannelFactory, FacilityFactory
from tests.factories.orders import OrderFactory, wire_order

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC)


def test_place_writes_order_lines_log_and_event():
    article = ArticleFactory()

    order = services.place(
        wire_order((article, 2), ("SKU-NOBODY", 1)), channel=ChannelFactory(), by=None, now=NOON
    )

    order = Order.objects.get(pk=order.pk)
    assert order.status == Order.Status.OPEN
    assert order.kind == Order.Kind.SHIPPING
    assert (order.recipient_name, order.country) == ("Anna de Vries", "NL")
    assert (order.latitude, order.longitude) == (52.3752, 4.8840)
    assert [(line.position, line.sku, line.article, line.quantity) for line in order.lines.all()] == [
        (1, article.sku, article, 2),
        (2, "SKU-NOBODY", None, 1),
    ]
    assert [change.after for change in StatusChange.objects.filter(order_id=order.pk)] == ["OPEN"]
    entry = OutboxEntry.objects.get()
    assert (entry.event, entry.payload) == ("OrderPlaced", {"order_id": str(order.pk)})


def test_place_reads_click_and_collect():
    facility = FacilityFactory()

    order = OrderFactory.collect(facility=facility)

    assert order.kind == Order.Kind.COLLECT
    assert order.collect_facility == facility
    assert order.is_paid


def test_place_takes_preselected_facilities_by_both_references():
    first, second = FacilityFactory(), FacilityFactory()
    chosen = [{"facilityRef": str(first.pk)}, {"tenantFacilityId": second.tenant_facility_id}]

    order = OrderFactory(deliveryPreferences={"shipping": {"preselectedFacilities": chosen}})

    assert set(order.preselected_facilities.all()) == {first, second}


def test_place_refuses_a_number_in_use():
    first = OrderFactory(tenantOrderId="A-1")

    with pytest.raises(NumberTaken) as refusal, transaction.atomic():
        OrderFactory(tenantOrderId="A-1")

    assert str(first.pk) in refusal.value.english
    assert Order.objects.count() == 1


def test_place_accepts_the_number_of_another_channel():
    OrderFactory(tenantOrderId="A-1")

    OrderFactory(tenantOrderId="A-1", channel=ChannelFactory(key="market"))

    assert Order.objects.count() == 2


@pytest.mark.parametrize("reference", ["01890000-0000-7000-8000-000000000000", "not-an-id"])
def test_place_refuses_an_unknown_facility(reference):
    with pytest.raises(UnknownFacility) as refusal:
        OrderFactory(deliveryPreferences={"collect": [{"facilityRef": reference}]})

    assert refusal.value.english.startswith("deliveryPreferences.collect[0].facilityRef: ")


def test_place_refuses_a_facility_outside_the_limits():
    facility = FacilityFactory()
    data = wire_order(deliveryPreferences={"collect": [{"facilityRef": str(facility.pk)}]})

    with pytest.raises(FacilityNotAllowed):
        services.place(data, channel=ChannelFactory(), by=None, now=NOON, allowed_facilities={uuid.uuid4()})


def test_place_refuses_shipping_without_an_address():
    with pytest.raises(AddressMissing):
        OrderFactory(consumer={"email": "anna@example.com"})


def test_cancel_cancels_and_logs():
    order = OrderFactory()

    services.cancel(order.pk, by=None, now=NOON, reason="changed my mind")

    order.refresh_from_db()
    assert (order.status, order.cancelled_at, order.version) == ("CANCELLED", NOON, 2)
    assert StatusChange.objects.get(order_id=order.pk, action="cancel").reason == "changed my mind"


def test_cancel_of_a_cancelled_order_changes_nothing():
    order = OrderFactory()
    services.cancel(order.pk, by=None, now=NOON)

    services.cancel(order.pk, by=None, now=timezone.now(), version=1)

    order.refresh_from_db()
    assert (order.cancelled_at, order.version) == (NOON, 2)


def test_cancel_refuses_an_old_version():
    order = OrderFactory()

    with pytest.raises(VersionConflict):
        services.cancel(order.pk, by=None, now=NOON, version=7)

    order.refresh_from_db()
    assert order.status == Order.Status.OPEN


def test_cancelled_number_may_be_used_again():
    order = OrderFactory(tenantOrderId="A-1")
    services.cancel(order.pk, by=None, now=NOON)

    again = OrderFactory(tenantOrderId="A-1")

    assert again.pk != order.pk


def test_unlock_opens_a_held_order():
    order = OrderFactory(status="LOCKED")

    services.unlock(order.pk, by=None, now=NOON)

    order.refresh_from_db()
    assert order.status == Order.Status.OPEN


def test_unlock_refuses_an_open_order():
    order = OrderFactory()

    with pytest.raises(WrongStatus):
        services.unlock(order.pk, by=None, now=NOON)


def test_records_keep_what_the_shop_must_hear():
    order, facility, parcel_id = OrderFactory(), FacilityFactory(), uuid.uuid4()
    line = order.lines.get()
    parcel = {
        "order_id": order.pk,
        "facility_id": facility.pk,
        "carrier_key": "demo",
        "tracking_url": "",
        "return_tracking_number": "",
        "items": [{"line": str(line.pk), "quantity": 1}],
    }

    services.record_parcel(parcel_id, tracking_number="1", now=NOON, **parcel)
    services.record_parcel(parcel_id, tracking_number="2", now=timezone.now(), **parcel)
    services.record_handed_over(parcel_id, now=NOON)
    services.record_short(line.pk, facility.pk, 1, "NOT_FOUND", now=NOON)

    record = ParcelRecord.objects.get()
    assert (record.tracking_number, record.recorded_at, record.handed_over_at) == ("2", NOON, NOON)
    assert ShortRecord.objects.get().quantity == 1

    services.record_handover_reverted(parcel_id, now=NOON)

    record.refresh_from_db()
    assert record.handed_over_at is None


def test_target_time_in_other_words_changes_nothing():
    order = OrderFactory(deliveryPreferences={"targetTime": "2026-03-04T08:00:00Z"})
    version = order.version

    services.modify(order.pk, {"preferredHandlingTime": "2026-03-04T09:00:00+01:00"}, by=None, now=NOON)

    order.refresh_from_db()
    assert (order.version, order.delivery_preferences["targetTime"]) == (version, "2026-03-04T08:00:00Z")


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        ({}, None, {}),
        ({}, "2026-03-04T08:00:00Z", {"shipping": {"labelNotBefore": "2026-03-04T08:00:00Z"}}),
        ({"labelNotBefore": "2026-03-04T08:00:00Z"}, "2026-03-04T08:00:00+00:00", None),
        ({"labelNotBefore": "2026-03-04T08:00:00Z"}, None, {}),
        (
            {"labelNotBefore": "2026-03-04T08:00:00Z", "serviceLevel": "SAMEDAY"},
            None,
            {"shipping": {"serviceLevel": "SAMEDAY"}},
        ),
    ],
)
def test_time_of_the_label_changes_no_other_preference(before, text, after):
    order = OrderFactory(deliveryPreferences={"shipping": before} if before else {})
    before = order.delivery_preferences

    services.modify(order.pk, {"labelNotBefore": text}, by=None, now=NOON)

    changed = Order.objects.get()
    assert changed.delivery_preferences == (before if after is None else after)
    assert changed.label_not_before == services.moment(
        changed.delivery_preferences.get("shipping", {}).get("labelNotBefore")
    )
    assert changed.version == 1 + (changed.delivery_preferences != before)
