import datetime

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.core.errors import WrongStatus
from fulfillment.core.models import Carrier, OutboxEntry, StatusChange
from orders.events import OrderCancelled
from orders.models import Order, ParcelRecord, ShortRecord
from shipping import booking, services
from shipping.events import ParcelRequested
from shipping.models import HandoverJob, Parcel, Shipment
from tests.factories.core import CarrierFactory, FacilityCarrierFactory, FacilityFactory
from tests.factories.shipping import collected, labelled, packed, parcel, shipment, work

pytestmark = pytest.mark.django_db


def handover_of(labelled_parcel):
    return HandoverJob.objects.get(parcel=labelled_parcel)


def cancel(order_id):
    with transaction.atomic():
        services.on_order_cancelled(OrderCancelled(order_id), by=None, now=timezone.now())


# From the stages before


def test_packed_job_asks_for_a_label_per_package(facility):
    asked = shipment(3, facility=facility, packages=3)

    assert (asked.status, asked.carrier.key) == ("REQUEST", "demo")
    assert asked.recipient["last_name"] == "de Vries"
    assert {waiting.status for waiting in asked.parcels.all()} == {"OPEN"}
    assert len({waiting.code for waiting in asked.parcels.all()}) == 3
    assert OutboxEntry.objects.filter(event="ParcelRequested").count() == 3
    assert StatusChange.objects.filter(entity="shipping.parcel", after="OPEN").count() == 3


def test_collected_order_has_no_shipment_but_waits_for_the_customer(facility):
    job = collected(2, 1, facility=facility)

    assert not Shipment.objects.exists()
    assert (job.status, job.channel, job.facility) == ("OPEN", "COLLECT", facility)
    assert [line.quantity for line in job.lines.all()] == [2, 1]


def test_first_active_carrier_that_delivers_to_the_country_is_chosen(facility):
    def connect(key, priority, **fields):
        return FacilityCarrierFactory(
            facility=facility, carrier=CarrierFactory(key=key), priority=priority, **fields
        )

    connect("belgian", 1, delivery_countries=["BE"])
    connect("off", 2, status=Carrier.Status.INACTIVE)
    connect("everywhere", 4)
    connect("dutch", 3, delivery_countries=["NL", "BE"])

    assert shipment(facility=facility).carrier.key == "dutch"


def test_shipment_without_a_carrier_waits_and_is_asked_for_later(facility, packer):
    waiting = shipment(facility=facility, carrier="")
    assert (waiting.status, waiting.parcels.count()) == ("INITIAL", 0)

    with pytest.raises(services.NoCarrier):
        services.request_labels(waiting.pk, by=packer, now=timezone.now())
    FacilityCarrierFactory(facility=facility)
    services.request_labels(waiting.pk, by=packer, now=timezone.now())

    waiting.refresh_from_db()
    assert (waiting.status, waiting.parcels.count()) == ("REQUEST", 1)


def test_labels_are_asked_for_once(facility, packer):
    asked = shipment(facility=facility)

    with pytest.raises(WrongStatus):
        services.request_labels(asked.pk, by=packer, now=timezone.now())

    assert asked.parcels.count() == 1


def test_request_again_refuses_a_parcel_that_waits_for_nobody(facility, packer):
    done = labelled(facility=facility)

    with pytest.raises(WrongStatus):
        services.request_again(done.pk, recipient={"street": "Elsewhere"}, by=packer, now=timezone.now())

    done.shipment.refresh_from_db()
    assert done.shipment.recipient["street"] == "Keizersgracht"


# Cancellation


def test_cancelled_order_ends_its_parcels_shipment_and_handover(facility):
    done = labelled(facility=facility)

    cancel(done.order_id)

    assert Parcel.objects.get().status == "CANCELED"
    assert Shipment.objects.get().status == "CANCELED"
    job = HandoverJob.objects.get()
    assert (job.status, job.cancel_reason) == ("CANCELED", "ORDER_CANCELED")


def test_cancellation_is_refused_once_something_is_handed_over(facility, packer):
    done = labelled(facility=facility)
    services.hand_over(handover_of(done).pk, by=packer, now=timezone.now())

    with pytest.raises(services.AlreadyHandedOver):
        cancel(done.order_id)

    assert Parcel.objects.get().status == "DONE"


def test_cancellation_of_the_order_is_refused_once_the_day_is_closed_at_the_carrier(facility):
    done = labelled(facility=facility)
    Parcel.objects.update(manifested_at=timezone.now())

    with pytest.raises(services.ParcelClosed):
        cancel(done.order_id)

    assert Parcel.objects.get().status == "DONE"


def test_cancelled_label_makes_room_for_another_one(facility, packer):
    done = labelled(facility=facility)

    services.cancel_parcel(done.pk, by=packer, now=timezone.now())

    done.refresh_from_db()
    assert (done.status, Shipment.objects.get().status) == ("CANCELED", "RETRYABLE")
    assert HandoverJob.objects.get().status == "OBSOLETE"
    assert not ParcelRecord.objects.exists()
    services.request_labels(done.shipment_id, by=packer, now=timezone.now())
    work()
    second = Parcel.objects.exclude(pk=done.pk).get()
    assert (second.status, second.package, Shipment.objects.get().status) == (
        "DONE",
        done.package,
        "CONFIRMED",
    )
    assert second.code != done.code
    assert services.find_parcel(facility, second.code).parcel == second
    with pytest.raises(services.UnknownParcel):
        services.find_parcel(facility, done.tracking_number)


def test_label_of_one_of_two_parcels_is_cancelled_alone(facility, packer):
    asked = shipment(2, facility=facility, packages=2)
    first, second = asked.parcels.order_by("package__number")
    booking.book_parcel(ParcelRequested(first.pk))

    services.cancel_parcel(first.pk, by=packer, now=timezone.now())
    booking.book_parcel(ParcelRequested(second.pk))
    asked.refresh_from_db()
    assert asked.status == "RETRYABLE"
    services.request_labels(asked.pk, by=packer, now=timezone.now())
    work()

    asked.refresh_from_db()
    assert asked.status == "CONFIRMED"
    assert sorted(asked.parcels.values_list("status", flat=True)) == ["CANCELED", "DONE", "DONE"]


@pytest.mark.parametrize(
    ("refusal", "prepare"),
    [
        (services.ParcelClosed, lambda done, by: Parcel.objects.update(manifested_at=timezone.now())),
        (
            services.ParcelHandedOver,
            lambda done, by: services.hand_over(handover_of(done).pk, by=by, now=timezone.now()),
        ),
        (WrongStatus, lambda done, by: services.cancel_parcel(done.pk, by=by, now=timezone.now())),
    ],
)
def test_label_is_not_cancelled_after_the_closing_the_handover_or_twice(facility, packer, refusal, prepare):
    done = labelled(facility=facility)
    prepare(done, packer)

    with pytest.raises(refusal):
        services.cancel_parcel(done.pk, by=packer, now=timezone.now())


def test_label_is_not_cancelled_while_the_carrier_is_asked(facility, packer):
    waiting = parcel(facility=facility)
    booking._begin(waiting.pk, timezone.now())

    with pytest.raises(services.ParcelBeingBooked):
        services.cancel_parcel(waiting.pk, by=packer, now=timezone.now())


# To the carrier


def test_handed_over_parcel_completes_its_shipment_and_is_told_upstream(facility, packer):
    done, now = labelled(facility=facility), timezone.now()

    services.hand_over(handover_of(done).pk, by=packer, now=now)

    job = handover_of(done)
    assert (job.status, job.handed_over_at) == ("HANDED_OVER", now)
    assert [line.handed_over for line in job.lines.all()] == [2, 1]
    assert Shipment.objects.get().status == "COMPLETED"
    assert ParcelRecord.objects.get().handed_over_at == now


def test_shipment_is_complete_with_its_last_parcel(facility, packer):
    asked = shipment(2, facility=facility, packages=2)
    work()
    first, second = HandoverJob.objects.all()

    services.hand_over(first.pk, by=packer, now=timezone.now())
    asked.refresh_from_db()
    assert asked.status == "CONFIRMED"
    services.hand_over(second.pk, by=packer, now=timezone.now())

    asked.refresh_from_db()
    assert asked.status == "COMPLETED"


def test_parcel_is_handed_over_once(facility, packer):
    job = handover_of(labelled(facility=facility))
    services.hand_over(job.pk, by=packer, now=timezone.now())

    with pytest.raises(WrongStatus):
        services.hand_over(job.pk, by=packer, now=timezone.now())

    assert StatusChange.objects.filter(entity="shipping.handoverjob", after="HANDED_OVER").count() == 1


def test_carrier_refuses_no_single_units(facility, packer):
    job = handover_of(labelled(facility=facility))

    with pytest.raises(services.OnlyCustomersRefuse):
        services.hand_over(job.pk, refused={job.lines.first().pk: (1, "x")}, by=packer, now=timezone.now())


def test_parcel_is_found_by_what_stands_on_its_label(facility, settings):
    settings.GS1_COMPANY_PREFIX = "0614141"
    done = labelled(facility=facility)
    job = handover_of(done)

    for scanned in (
        done.code,
        f"]C100{done.code}",
        f"(00){done.code}",
        f" {done.tracking_number.lower()} ",
        done.package.code,
        done.package.code.lower(),
    ):
        assert services.find_parcel(facility, scanned) == job


def test_unknown_foreign_or_unfinished_parcel_is_refused(facility):
    done, waiting = labelled(facility=facility), parcel(facility=facility, number="1002")

    with pytest.raises(services.UnknownParcel):
        services.find_parcel(facility, "P999")
    with pytest.raises(services.UnknownParcel):
        services.find_parcel(FacilityFactory(), done.code)
    with pytest.raises(services.ParcelNotReady):
        services.find_parcel(facility, waiting.code)


# To the customer


def test_customer_refuses_some_units(facility, packer):
    job = collected(2, 1, facility=facility)
    first, second = job.lines.all()

    services.hand_over(job.pk, refused={first.pk: (1, "scratched")}, by=packer, now=timezone.now())

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.handed_over, second.handed_over) == (1, 1)
    assert first.refused == [{"quantity": 1, "reason": "scratched", "comment": ""}]
    record = ShortRecord.objects.get()
    assert (record.line_id, record.quantity, record.reason) == (first.order_line_id, 1, "REFUSED")


@pytest.mark.parametrize(
    ("units", "reason", "refusal"),
    [
        (3, "too big", services.TooManyRefused),
        (-1, "odd", services.TooManyRefused),
        (1, " ", services.ReasonMissing),
        (2, "all", services.EverythingRefused),
    ],
)
def test_refusal_that_cannot_be_is_refused(facility, packer, units, reason, refusal):
    job = collected(2, facility=facility)

    with pytest.raises(refusal):
        services.hand_over(
            job.pk, refused={job.lines.get().pk: (units, reason)}, by=packer, now=timezone.now()
        )

    job.refresh_from_db()
    assert job.status == "OPEN"
    assert not ShortRecord.objects.exists()


@pytest.mark.parametrize("reason", ["CONSUMER_NO_SHOW", "CONSUMER_REJECTS"])
def test_goods_nobody_takes_are_cancelled_with_the_reason(facility, packer, reason):
    job = collected(2, facility=facility)

    services.cancel_handover(job.pk, reason, by=packer, now=timezone.now())

    job.refresh_from_db()
    assert (job.status, job.cancel_reason) == ("CANCELED", reason)
    assert ShortRecord.objects.get().quantity == 2


def test_handover_is_not_cancelled_without_a_reason_of_the_customer(facility, packer):
    job = collected(2, facility=facility)

    for reason in ("", "ORDER_CANCELED"):
        with pytest.raises(services.ReasonMissing):
            services.cancel_handover(job.pk, reason, by=packer, now=timezone.now())


def test_parcel_for_the_carrier_is_not_cancelled_at_the_door(facility, packer):
    job = handover_of(labelled(facility=facility))

    with pytest.raises(services.NotForTheCustomer):
        services.cancel_handover(job.pk, "CONSUMER_NO_SHOW", by=packer, now=timezone.now())


# Back


def test_handover_to_the_carrier_is_taken_back(facility, packer):
    done = labelled(facility=facility)
    job = handover_of(done)
    services.hand_over(job.pk, by=packer, now=timezone.now())

    services.revert(job.pk, reason="wrong lorry", by=packer, now=timezone.now())

    job.refresh_from_db()
    assert (job.status, job.handed_over_at) == ("OPEN", None)
    assert Shipment.objects.get().status == "CONFIRMED"
    assert ParcelRecord.objects.get().handed_over_at is None
    assert {line.handed_over for line in job.lines.all()} == {0}


def test_handover_to_a_customer_is_taken_back_with_what_was_refused(facility, packer):
    job = collected(2, facility=facility)
    services.hand_over(job.pk, refused={job.lines.get().pk: (1, "scratched")}, by=packer, now=timezone.now())

    services.revert(job.pk, reason="wrong customer", by=packer, now=timezone.now())

    assert not ShortRecord.objects.exists()
    assert job.lines.get().refused == []


def test_handover_is_taken_back_in_time_and_with_a_reason_only(facility, packer):
    job, now = handover_of(labelled(facility=facility)), timezone.now()
    services.hand_over(job.pk, by=packer, now=now)

    with pytest.raises(services.ReasonMissing):
        services.revert(job.pk, reason=" ", by=packer, now=now)
    with pytest.raises(services.RevertTooLate):
        services.revert(job.pk, reason="late", by=packer, now=now + datetime.timedelta(minutes=16))

    job.refresh_from_db()
    assert job.status == "HANDED_OVER"


def test_open_handover_cannot_be_taken_back(facility, packer):
    job = handover_of(labelled(facility=facility))

    with pytest.raises(WrongStatus):
        services.revert(job.pk, reason="x", by=packer, now=timezone.now())


def test_kind_of_the_order_decides_the_way_out(facility):
    packed(1, facility=facility, kind=Order.Kind.COLLECT, number="1")
    labelled(1, facility=facility, number="2")

    assert sorted(HandoverJob.objects.values_list("channel", flat=True)) == ["COLLECT", "DELIVERY"]


def test_shop_is_told_what_a_customer_took_along_and_that_it_was_taken_back(facility):
    job = collected(2, 1, facility=facility)
    first, second = job.lines.order_by("order_line__position")
    services.hand_over(job.pk, refused={first.pk: (1, "Too small")}, by=None, now=timezone.now())

    record = ParcelRecord.objects.get()
    assert (record.parcel_id, record.is_collected) == (job.pk, True)
    assert record.handed_over_at is not None
    assert sorted((item["line"], item["quantity"]) for item in record.items) == sorted(
        [(str(first.order_line_id), 1), (str(second.order_line_id), 1)]
    )

    services.revert(job.pk, reason="The wrong customer", by=None, now=timezone.now())

    assert not ParcelRecord.objects.exists()
