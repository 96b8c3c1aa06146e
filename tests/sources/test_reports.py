"""What every connector reports back, against a shop that behaves like the original."""

import datetime
import uuid

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.core.models import OutboxEntry
from fulfillment.demo.sources import NAMES, fake_of
from orders import services
from orders.models import Order, ShortRecord
from orders.sources import polling, reports
from orders.sources.models import Report
from orders.sources.registry import KINDS
from tests.factories.core import CarrierFactory, FacilityFactory, staff
from tests.factories.orders import OrderFactory
from tests.sources.conftest import join, kinds, work_off

pytestmark = pytest.mark.django_db


@pytest.fixture
def arrive(shop, connection):
    """Let an order of these (SKU, units) come in; returns it as the shop and as we have it."""

    def make(*items):
        order = shop.new_order(*items)
        polling.run(connection.pk, now=timezone.now())
        return order, Order.objects.get()

    return make


@transaction.atomic
def hand_over(order, *items, **options):
    """A parcel as of ``label``, handed over."""
    parcel_id = label(order, *items, **options)
    services.record_handed_over(parcel_id, now=timezone.now())
    return parcel_id


@transaction.atomic
def label(order, *items, tracking="TRACK-1", parcel_id=None):
    """A parcel of (position of the line, units) with its label."""
    lines = list(order.lines.all())
    parcel_id = parcel_id or uuid.uuid4()
    services.record_parcel(
        parcel_id,
        order_id=order.pk,
        facility_id=FacilityFactory().pk,
        carrier_key=CarrierFactory().key,
        tracking_number=tracking,
        tracking_url=f"https://track.example/{tracking}",
        return_tracking_number=f"RETURN-{tracking}",
        items=[{"line": str(lines[position].pk), "quantity": units} for position, units in items],
        now=timezone.now(),
    )
    return parcel_id


@transaction.atomic
def miss(order, units):
    services.record_short(
        order.lines.first().pk,
        facility_id=FacilityFactory().pk,
        quantity=units,
        reason="NOT_FOUND",
        now=timezone.now(),
    )


def send_again():
    OutboxEntry.objects.filter(state="DUE").update(due_at=timezone.now())
    work_off()


def shipped(order):
    """{tracking number: {line id: units}} as the shop has it."""
    return {shipment["tracking"]: dict(shipment["lines"]) for shipment in order.shipments}


def known(shop, parcels):
    """The same of what was sent, as far as the shop is told of it."""
    return parcels if shop.names_units else {tracking: {} for tracking in parcels}


def test_parcel_is_reported_with_its_tracking(shop, arrive):
    order, ours = arrive(("SKU-1", 2))

    hand_over(ours, (0, 2))
    work_off()

    report = Report.objects.get()
    assert (report.state, report.attempts) == ("SENT", 1)
    assert report.remote_id
    assert shipped(order) == known(shop, {"TRACK-1": {order.items[0].id: 2}})


def test_two_parcels_are_two_shipments(shop, arrive):
    order, ours = arrive(("SKU-1", 2), ("SKU-2", 1))

    hand_over(ours, (0, 1), tracking="TRACK-1")
    work_off()
    hand_over(ours, (0, 1), (1, 1), tracking="TRACK-2")
    work_off()

    first, second = (item.id for item in order.items)
    assert shipped(order) == known(shop, {"TRACK-1": {first: 1}, "TRACK-2": {first: 1, second: 1}})


def test_part_of_an_order_is_reported_as_a_part(shop, arrive):
    order, ours = arrive(("SKU-1", 3))

    hand_over(ours, (0, 1))
    work_off()

    assert shipped(order) == known(shop, {"TRACK-1": {order.items[0].id: 1}})


def test_answer_that_is_lost_ships_once(shop, arrive):
    order, ours = arrive(("SKU-1", 2))
    shop.lose_answer()

    hand_over(ours, (0, 1))
    work_off()
    assert Report.objects.get().state == "UNKNOWN"
    send_again()

    report = Report.objects.get()
    assert (report.state, report.attempts) == ("SENT", 2)
    assert shipped(order) == known(shop, {"TRACK-1": {order.items[0].id: 1}})


def test_write_that_never_arrived_is_sent_again(shop, arrive):
    order, ours = arrive(("SKU-1", 2))
    shop.fail(502, match=shop.is_write)

    hand_over(ours, (0, 1))
    work_off()
    send_again()

    assert Report.objects.get().state == "SENT"
    assert shipped(order) == known(shop, {"TRACK-1": {order.items[0].id: 1}})


def test_refusal_is_shown_in_the_words_of_the_source(shop, arrive):
    _order, ours = arrive(("SKU-1", 1))
    shop.fail(422, body=shop.refusal("Tracking number is not valid"), match=shop.is_write)

    hand_over(ours, (0, 1))
    work_off()

    report = Report.objects.get()
    assert report.state == "PARKED"
    assert "Tracking number is not valid" in str(report.reason)


def test_refused_report_is_sent_again_by_hand(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    shop.fail(422, body=shop.refusal("No"), match=shop.is_write)
    hand_over(ours, (0, 1))
    work_off()

    reports.retry(Report.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert Report.objects.get().state == "SENT"
    assert len(order.shipments) == 1


def test_conflict_is_read_again(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    shop.conflict()

    hand_over(ours, (0, 1))
    work_off()
    send_again()

    assert Report.objects.get().state == "SENT"
    assert len(order.shipments) == 1


def test_handover_taken_back_in_time_is_not_reported(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    parcel_id = hand_over(ours, (0, 1))

    with transaction.atomic():
        services.record_handover_reverted(parcel_id, now=timezone.now())
    work_off()

    assert order.shipments == []
    assert not Report.objects.exists()


@kinds(lambda shop: not hasattr(KINDS[shop.kind].report, "undo"))
def test_handover_taken_back_too_late_is_for_a_person(shop, arrive):
    _order, ours = arrive(("SKU-1", 1))
    parcel_id = hand_over(ours, (0, 1))
    work_off()

    with transaction.atomic():
        services.record_handover_reverted(parcel_id, now=timezone.now())
    assert Report.objects.get().reason_code == "TAKEN_BACK_LATE"
    # The shop knows it still, whoever asks to report it again.
    reports.retry(Report.objects.get().pk, by=None, now=timezone.now())
    work_off()

    assert Report.objects.get().reason_code == "TAKEN_BACK_LATE"


@transaction.atomic
def take_back(parcel_id):
    services.record_handover_reverted(parcel_id, now=timezone.now())


def test_parcel_handed_over_again_is_known_once(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    parcel_id = hand_over(ours, (0, 1))
    work_off()
    take_back(parcel_id)
    with transaction.atomic():
        services.record_handed_over(parcel_id, now=timezone.now())
    work_off()

    assert Report.objects.get().state == "SENT"
    assert shipped(order) == known(shop, {"TRACK-1": {order.items[0].id: 1}})


def test_label_cancelled_after_the_shop_was_told_is_noticed(shop, connection, arrive):
    connection.settings = {**connection.settings, "report_at": "label"}
    connection.save()
    order, ours = arrive(("SKU-1", 1))
    parcel_id = label(ours, (0, 1))
    work_off()
    assert len(order.shipments) == 1

    with transaction.atomic():
        services.withdraw_parcel(parcel_id, now=timezone.now())
    work_off()

    assert Report.objects.get().reason_code == (
        "TAKEN_BACK_THERE" if hasattr(KINDS[shop.kind].report, "undo") else "TAKEN_BACK_LATE"
    )


def test_echo_of_our_own_shipment_changes_nothing(shop, connection, arrive):
    _order, ours = arrive(("SKU-1", 2))
    hand_over(ours, (0, 1))
    work_off()
    connection.refresh_from_db()

    type(connection).objects.update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())

    assert Order.objects.get().lines.get().quantity == 2


def test_order_of_nobody_is_not_reported():
    order = OrderFactory(("SKU-1", 1))
    hand_over(order, (0, 1))

    assert not Report.objects.exists()


def test_cancellation_of_the_shop_is_not_reported_back(shop, connection, arrive):
    connection.settings = {**connection.settings, "reports_cancellations": True}
    connection.save()
    order, _ours = arrive(("SKU-1", 1))
    shop.change(order, is_cancelled=True)

    type(connection).objects.update(poll_due_at=None)
    polling.run(connection.pk, now=timezone.now())

    assert Order.objects.get().status == "CANCELLED"
    assert not Report.objects.exists()


# A number that is corrected


def can_change(shop):
    return hasattr(KINDS[shop.kind].report, "change")


def is_change(request):
    return b"TRACK-2" in request.content


def correct(ours, parcel_id, *items, tracking="TRACK-2"):
    label(ours, *items, tracking=tracking, parcel_id=parcel_id)
    work_off()


@kinds(can_change)
def test_corrected_number_is_changed_in_the_shop(shop, arrive):
    order, ours = arrive(("SKU-1", 2))
    parcel_id = hand_over(ours, (0, 1))
    hand_over(ours, (0, 1), tracking="TRACK-OTHER")
    work_off()

    correct(ours, parcel_id, (0, 1))

    line = order.items[0].id
    assert shipped(order) == {"TRACK-2": {line: 1}, "TRACK-OTHER": {line: 1}}
    assert set(Report.objects.values_list("state", flat=True)) == {"SENT"}


@kinds(can_change)
@pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "never arrived"])
def test_corrected_number_without_an_answer_is_changed_once(shop, arrive, is_lost):
    order, ours = arrive(("SKU-1", 2))
    parcel_id = hand_over(ours, (0, 1))
    work_off()
    shop.lose_answer(is_change) if is_lost else shop.fail(502, match=is_change)

    correct(ours, parcel_id, (0, 1))
    assert Report.objects.get().state == "UNKNOWN"
    before = len(shop.requests)
    send_again()

    assert Report.objects.get().state == "SENT"
    assert shipped(order) == {"TRACK-2": {order.items[0].id: 1}}
    assert len(list(filter(is_change, shop.requests[before:]))) == (0 if is_lost else 1)


@kinds(can_change)
def test_number_corrected_while_its_shipment_is_unanswered_ships_once(shop, arrive):
    order, ours = arrive(("SKU-1", 2))
    shop.lose_answer()
    parcel_id = hand_over(ours, (0, 1))
    work_off()

    correct(ours, parcel_id, (0, 1))
    send_again()

    assert Report.objects.get().state == "SENT"
    assert shipped(order) == {"TRACK-2": {order.items[0].id: 1}}


def test_number_corrected_after_the_shop_refused_it_goes_out(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    shop.fail(422, body=shop.refusal("Tracking number is not valid"), match=shop.is_write)
    parcel_id = hand_over(ours, (0, 1))
    work_off()
    assert Report.objects.get().state == "PARKED"

    correct(ours, parcel_id, (0, 1))

    assert Report.objects.get().state == "SENT"
    assert shipped(order) == known(shop, {"TRACK-2": {order.items[0].id: 1}})


@kinds(lambda shop: not can_change(shop))
def test_corrected_number_that_a_source_does_not_take_is_for_a_person(shop, arrive):
    _order, ours = arrive(("SKU-1", 1))
    parcel_id = hand_over(ours, (0, 1))
    work_off()

    correct(ours, parcel_id, (0, 1))

    report = Report.objects.get()
    assert (report.state, report.reason_code) == ("PARKED", "NUMBER_CHANGED")
    reports.close(report.pk, by=staff("administrator"))
    correct(ours, parcel_id, (0, 1))  # the same again
    assert Report.objects.get().state == "SKIPPED"


def test_parcel_recorded_again_unchanged_is_not_told_again(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    parcel_id = hand_over(ours, (0, 1))
    work_off()
    attempts = Report.objects.get().attempts

    correct(ours, parcel_id, (0, 1), tracking="TRACK-1")

    assert (Report.objects.get().state, Report.objects.get().attempts) == ("SENT", attempts)
    assert len(order.shipments) == 1


# Missing units


@pytest.fixture(params=[name for name in NAMES if fake_of(name).takes_missing_units])
def teller(request, monkeypatch):
    """A shop of each kind that can be told of missing units."""
    return join(fake_of(request.param), monkeypatch)


@pytest.fixture
def lack(teller, connect):
    """Let an order of four units come in; returns it as the shop and as we have it."""
    order = teller.new_order(("SKU-1", 4))
    polling.run(connect(teller, reports_cancellations=True).pk, now=timezone.now())
    return order, Order.objects.get()


def test_missing_units_are_told_as_they_go_missing(teller, lack):
    order, ours = lack

    miss(ours, 1)
    work_off()
    miss(ours, 2)
    work_off()

    assert teller.missing(order) == {order.items[0].id: 3}
    assert Report.objects.get().state == "SENT"


def test_more_missing_units_while_a_report_is_unanswered_are_all_told_once(teller, lack):
    order, ours = lack
    teller.lose_answer(teller.is_short)

    miss(ours, 1)
    work_off()
    assert Report.objects.get().state == "UNKNOWN"
    miss(ours, 2)
    send_again()

    assert teller.missing(order) == {order.items[0].id: 3}
    assert Report.objects.get().state == "SENT"


def test_more_missing_units_after_a_report_that_never_arrived_are_all_told(teller, lack):
    order, ours = lack
    teller.fail(502, match=teller.is_short)

    miss(ours, 1)
    work_off()
    miss(ours, 2)
    send_again()

    assert teller.missing(order) == {order.items[0].id: 3}
    assert Report.objects.get().state == "SENT"


def test_units_that_go_missing_while_others_are_told_are_told_too(teller, lack):
    order, ours = lack
    real, seen = teller.answer, []

    def answer(request):
        if teller.is_short(request) and not seen:
            seen.append(request)
            miss(ours, 2)
        return real(request)

    teller.answer = answer
    miss(ours, 1)
    work_off()

    assert teller.missing(order) == {order.items[0].id: 3}
    assert Report.objects.get().state == "SENT"


def test_units_found_after_they_were_told_missing_leave_the_report(teller, lack):
    order, ours = lack
    miss(ours, 1)
    work_off()
    ShortRecord.objects.all().delete()

    miss(ours, 1)
    work_off()

    assert teller.missing(order) == {order.items[0].id: 1}
    assert Report.objects.get().state == "SENT"


@pytest.mark.parametrize("kind", [name for name in NAMES if not fake_of(name).takes_missing_units])
def test_source_that_takes_no_missing_units_is_told_by_a_person(kind, monkeypatch, connect):
    shop = join(fake_of(kind), monkeypatch)
    shop.new_order(("SKU-1", 4))
    polling.run(connect(shop, reports_cancellations=True).pk, now=timezone.now())
    person = staff("administrator")

    miss(Order.objects.get(), 1)
    work_off()
    report = Report.objects.get()
    assert (report.state, report.reason_code) == ("PARKED", "NO_ROUTE")
    reports.close(report.pk, by=person)
    work_off()

    report.refresh_from_db()
    assert (report.state, report.reason_code) == ("SKIPPED", "CLOSED")
    miss(Order.objects.get(), 1)
    work_off()
    report.refresh_from_db()
    assert (report.state, report.reason_code) == ("PARKED", "NO_ROUTE")


# What lasts


def test_handover_taken_back_while_it_is_reported_is_for_a_person(shop, arrive):
    order, ours = arrive(("SKU-1", 1))
    parcel_id = hand_over(ours, (0, 1))
    real = shop.answer

    def answer(request):
        if shop.is_write(request):
            with transaction.atomic():
                services.record_handover_reverted(parcel_id, now=timezone.now())
        return real(request)

    shop.answer = answer
    work_off()

    assert len(order.shipments) == 1
    assert Report.objects.get().reason_code == "TAKEN_BACK_LATE"
    # And out again: the shop knows it already.
    shop.answer = real
    with transaction.atomic():
        services.record_handed_over(parcel_id, now=timezone.now())
    work_off()
    assert len(order.shipments) == 1
    assert Report.objects.get().state == "SENT"


def test_report_that_fails_for_days_is_for_a_person(shop, arrive):
    _order, ours = arrive(("SKU-1", 1))
    hand_over(ours, (0, 1))
    Report.objects.update(due_since=timezone.now() - datetime.timedelta(days=8))
    for _attempt in range(4):
        shop.fail(502)

    work_off()

    report = Report.objects.get()
    assert (report.state, report.reason_code) == ("PARKED", "SOURCE_REFUSED")
    # Asked for again, it has its days again.
    Report.objects.update(created_at=timezone.now() - datetime.timedelta(days=8))
    for _attempt in range(4):
        shop.fail(502)
    reports.retry(report.pk, by=None, now=timezone.now())
    work_off()
    assert Report.objects.get().state != "PARKED"
    send_again()
    assert Report.objects.get().state == "SENT"
