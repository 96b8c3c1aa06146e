"""What was handed over comes back."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation

from fulfillment.core.errors import VersionConflict, WrongStatus
from fulfillment.core.models import StatusChange, Stock
from orders.models import ReturnRecord
from picking import restow
from picking.models import RestowItem
from shipping import pickup, returns, services
from shipping.models import (
    HandoverJob,
    ItemReturn,
    ReturnedItem,
    ReturnJob,
    ReturnJobLine,
    ReturnReason,
    Shipment,
)
from shipping.services import ReasonMissing
from tests.factories.core import FacilityFactory
from tests.factories.returns import condition, finished, opened, received, sent, slip_code, taken
from tests.factories.shipping import collected, labelled, shipment, work

pytestmark = pytest.mark.django_db


def act(step, *arguments, **options):
    return step(*arguments, **options, by=None, now=timezone.now())


def units(job):
    """[(delivered, returned)] of the lines."""
    return list(job.lines.values_list("delivered", "returned"))


def wanted(job, *units, reason=None):
    return [
        returns.Wanted(line.pk, count, reason) for line, count in zip(job.lines.all(), units, strict=True)
    ]


def announce(job, *units, **options):
    return act(returns.announce, job.pk, wanted(job, *units), facility=job.facility, **options)


@pytest.fixture
def job(facility):
    """Two and one units were collected: nothing was drawn for them, so that this is fast."""
    return taken(2, 1, facility=facility)


@pytest.fixture
def parcel_job(facility):
    """Two and one units were sent, with a return slip."""
    return sent(2, 1, facility=facility)


@pytest.fixture
def events(monkeypatch):
    """Names of the events of returns, in their order."""
    names = []
    for module in (returns.announcing, returns.ending, returns.jobs, returns.locks):
        emit = module.emit
        monkeypatch.setattr(
            module,
            "emit",
            lambda event, emit=emit, **who: (names.append(type(event).__name__), emit(event, **who)),
        )
    return names


# What may come back


def test_order_gets_one_return_job_with_what_was_handed_over(facility):
    shipment(3, 1, facility=facility, packages=2)
    work()
    first, second = HandoverJob.objects.order_by("pk")
    assert not ReturnJob.objects.exists()

    act(services.hand_over, first.pk)
    before = sum(delivered for delivered, _returned in units(ReturnJob.objects.get()))
    act(services.hand_over, second.pk)

    job = ReturnJob.objects.get()
    assert 0 < before < 4
    assert units(job) == [(3, 0), (1, 0)]
    assert (job.status, job.facility, job.short_id) == ("OPEN", facility, first.short_id)


def test_goods_refused_at_the_counter_never_left(facility):
    handover = collected(2, facility=facility)
    line = handover.lines.get()

    act(services.hand_over, handover.pk, refused={line.pk: (1, "Does not please")})

    assert units(ReturnJob.objects.get()) == [(1, 0)]
    assert RestowItem.objects.get().reason == "REFUSED"


def test_handover_taken_back_leaves_nothing_to_return(facility):
    handover = collected(2, facility=facility)
    act(services.hand_over, handover.pk)
    job = ReturnJob.objects.get()
    announced = announce(job, 1)

    act(services.revert, handover.pk, reason="Wrong customer")
    job.refresh_from_db()
    announced.refresh_from_db()
    assert (job.status, announced.status, units(job)) == ("CANCELED", "OBSOLETE", [(0, 0)])
    with pytest.raises(returns.ReturnsClosed):
        opened(job)
    act(services.hand_over, handover.pk)

    job.refresh_from_db()
    assert (job.status, units(job)) == ("OPEN", [(2, 0)])


def test_handover_is_not_taken_back_when_goods_came_back(facility):
    handover = collected(2, facility=facility)
    act(services.hand_over, handover.pk)
    received(ReturnJob.objects.get())

    with pytest.raises(returns.ReturnedAlready):
        act(services.revert, handover.pk, reason="Wrong customer")

    handover.refresh_from_db()
    assert handover.status == "HANDED_OVER"


def test_goods_nobody_came_for_are_no_return(facility):
    handover = collected(2, facility=facility)

    act(services.cancel_handover, handover.pk, "CONSUMER_NO_SHOW")

    assert not ReturnJob.objects.exists()
    assert RestowItem.objects.get().reason == "NOT_COLLECTED"


# Announcing


def test_customer_announces_with_the_code_of_the_slip_and_changes_it(parcel_job, events):
    shipment, found = returns.of_slip(f" {slip_code(parcel_job).lower()} ")
    reason = ReturnReason.objects.get(key="damaged")
    assert found == parcel_job

    for count in (2, 1):
        returns.announce_by_customer(
            shipment.pk, wanted(parcel_job, count, 0, reason=reason), now=timezone.now()
        )

    item_return = ItemReturn.objects.get()
    assert (item_return.status, item_return.facility, item_return.is_by_customer) == (
        "ANNOUNCED",
        parcel_job.facility,
        True,
    )
    assert [item.reason for item in item_return.items.all()] == [reason]
    assert units(parcel_job)[0] == (2, 0)
    assert events.count("ReturnAnnounced") == 2
    assert StatusChange.objects.filter(entity="shipping.itemreturn").latest("pk").actor == "Customer"


def test_customer_is_named_in_the_language_of_the_reader(parcel_job):
    shipment, _job = returns.of_slip(slip_code(parcel_job))

    with translation.override("de"):
        returns.announce_by_customer(shipment.pk, wanted(parcel_job, 1, 0), now=timezone.now())

    change = StatusChange.objects.filter(entity="shipping.itemreturn").get()
    assert change.actor == "Customer"
    for language, name in (("de", "Kunde"), ("en", "Customer")):
        with translation.override(language):
            assert name in render_to_string("partials/timeline.html", {"changes": [change]})


def test_unknown_code_is_of_no_slip(parcel_job):
    assert returns.of_slip("R00000000000") == (None, None)
    assert returns.of_slip("") == (None, None)


def test_nothing_can_be_announced_before_the_handover(facility):
    parcel = labelled(2, facility=facility)

    with pytest.raises(returns.ReturnNeedsHandover):
        returns.announce_by_customer(parcel.shipment_id, [], now=timezone.now())


def test_no_more_is_announced_than_is_out_and_not_announced_yet(job):
    announce(job, 1, 0)

    with pytest.raises(returns.TooManyReturned, match="Only 1 of"):
        announce(job, 2, 0)
    with pytest.raises(returns.NothingWanted):
        announce(job, 0, 0)
    other = taken(2, number="1002")
    with pytest.raises(returns.NotInThisReturn):
        act(returns.announce, job.pk, wanted(other, 1), facility=job.facility)

    assert ReturnedItem.objects.count() == 1


def test_line_that_may_not_be_returned_is_neither_announced_nor_received(job):
    line = job.lines.first()
    act(returns.allow, job.pk, [line.pk], False)

    with pytest.raises(returns.NotReturnable):
        announce(job, 1, 0)
    item_return = opened(job)
    with pytest.raises(returns.NotReturnable):
        act(returns.receive, item_return.pk, line.pk, 1, condition())
    act(returns.allow, job.pk, [line.pk], True)
    act(returns.receive, item_return.pk, line.pk, 1, condition())

    assert units(job)[0] == (2, 1)


# Finding and opening


def test_goods_are_found_by_slip_label_number_and_customer(parcel_job, facility):
    parcel = Shipment.objects.get().parcels.get()
    parcel.return_tracking_number = "RT-1"
    parcel.save(update_fields=["return_tracking_number"])
    elsewhere = FacilityFactory()

    exact = [
        slip_code(parcel_job),
        "RT-1",
        parcel.code,
        parcel.tracking_number,
        "1001",
        str(parcel_job.order_id),
    ]
    for text in exact:
        assert returns.find(elsewhere, text) == ([parcel_job], True), text
    for text in (parcel_job.order.recipient_name.lower()[:5], parcel_job.short_id.lower()):
        assert returns.find(facility, text) == ([parcel_job], False), text
        assert returns.find(elsewhere, text) == ([], False), text
    assert returns.find(facility, "xx") == ([], False)
    assert returns.find(facility, "") == ([], False)


def test_announced_return_arrives_at_another_facility(job):
    announced = announce(job, 1, 0, codes=["BOX-7"])
    other = announce(job, 1, 0, codes=["BOX-8"])
    store = FacilityFactory()
    assert returns.find(store, "BOX-8") == ([job], True)

    here = act(returns.open_at, store, job.pk, code="BOX-8")
    again = act(returns.open_at, store, job.pk, code="BOX-8")

    announced.refresh_from_db()
    assert (here, again) == (other, other)
    assert (here.status, here.facility, announced.status) == ("OPEN", store, "ANNOUNCED")


def test_second_announced_parcel_arrives_while_the_first_one_is_here(job):
    announce(job, 1, 0, codes=["BOX-7"])
    second = announce(job, 0, 1, codes=["BOX-8"])
    first = act(returns.open_at, job.facility, job.pk, code="BOX-7")

    arrived = act(returns.open_at, job.facility, job.pk, code="box-8")

    assert (arrived, arrived.status) == (second, "OPEN")
    for code, expected in (("BOX-7", first), ("BOX-8", second), ("1001", first)):
        assert act(returns.open_at, job.facility, job.pk, code=code) == expected
    assert job.item_returns.count() == 2


def test_return_without_announcement_is_opened_at_the_counter(job, packer):
    item_return = opened(job, by=packer)

    job.refresh_from_db()
    assert (item_return.status, job.status) == ("OPEN", "IN_PROGRESS")
    assert StatusChange.objects.get(entity_id=item_return.pk).by == packer


# Receiving and judging


def test_announced_units_are_received_first_and_keep_their_reason(job):
    reason = ReturnReason.objects.get(key="damaged")
    announced = act(returns.announce, job.pk, wanted(job, 1, 0, reason=reason), facility=job.facility)
    item_return = opened(job)

    act(returns.receive, item_return.pk, job.lines.first().pk, 2, condition("damaged"), comment="Cracked")

    first, second = item_return.items.all()
    assert announced == item_return
    assert ((first.is_announced, first.reason), (second.is_announced, second.reason)) == (
        (True, reason),
        (False, None),
    )
    assert (first.verdict, first.place, first.condition_comment) == ("ACCEPTED", "DEFECTIVE", "Cracked")
    assert units(job)[0] == (2, 2)


@pytest.mark.parametrize("count", [0, 3])
def test_no_more_is_received_than_was_handed_over(job, count):
    item_return = opened(job)

    with pytest.raises(returns.TooManyReturned, match="Only 2 of"):
        act(returns.receive, item_return.pk, job.lines.first().pk, count, condition())

    assert units(job)[0] == (2, 0)


def test_database_refuses_more_than_was_handed_over(job):
    with pytest.raises(IntegrityError, match="return_line_units"), transaction.atomic():
        ReturnJobLine.objects.filter(pk=job.lines.first().pk).update(returned=3)


def test_units_of_another_order_are_not_received(job):
    item_return, other = opened(job), taken(2, number="1002")

    with pytest.raises(returns.NotInThisReturn):
        act(returns.receive, item_return.pk, other.lines.get().pk, 1, condition())
    foreign = received(other).items.get()
    with pytest.raises(returns.NotInThisReturn):
        act(returns.reject, item_return.pk, [foreign.pk], reason="Not ours")


def test_decision_is_changed_until_the_return_is_finished(job):
    item_return = received(job, 2, "worn")
    first, second = item_return.items.all()
    assert (first.verdict, first.decision_reason) == ("REJECTED", "Worn or incomplete")

    act(returns.accept, item_return.pk, [first.pk], "DEFECTIVE", reason="Goodwill")
    with pytest.raises(ReasonMissing):
        act(returns.reject, item_return.pk, [second.pk], reason=" ")

    first.refresh_from_db()
    assert (first.verdict, first.place, first.refund_percent) == ("ACCEPTED", "DEFECTIVE", 100)
    act(returns.finish, item_return.pk)
    with pytest.raises(returns.ReturnEnded):
        act(returns.reject, item_return.pk, [first.pk], reason="Too late")
    with pytest.raises(returns.ReturnEnded):
        act(returns.receive, item_return.pk, first.line_id, 1, condition())


def test_received_by_mistake_is_taken_out_again(job):
    announce(job, 1, 0)
    item_return = received(job, 2)

    act(returns.take_out, item_return.pk, [item.pk for item in item_return.items.all()])

    awaited = item_return.items.get()
    assert (awaited.is_announced, awaited.received_at, awaited.verdict) == (True, None, "")
    assert units(job)[0] == (2, 0)


def test_what_was_not_received_is_not_judged(job):
    announce(job, 2, 0)
    item_return = opened(job)

    with pytest.raises(returns.NothingReceived):
        act(returns.accept, item_return.pk, [item_return.items.first().pk], "STOCK")


def test_one_return_has_at_most_a_hundred_units(facility):
    job = taken(101, facility=facility)

    with pytest.raises(returns.TooManyItems):
        announce(job, 101)
    with pytest.raises(returns.TooManyItems):
        received(job, 101)


# Finishing


def test_finished_return_goes_to_shelves_and_asks_for_the_refund_once(job, events):
    item_return = received(job, 1, "as-new")
    act(returns.receive, item_return.pk, job.lines.first().pk, 1, condition("damaged"))

    act(returns.finish, item_return.pk)
    with pytest.raises(WrongStatus):
        act(returns.finish, item_return.pk)

    item_return.refresh_from_db()
    job.refresh_from_db()
    assert (item_return.status, job.status) == ("FINISHED", "IN_PROGRESS")
    assert events.count("RefundTriggered") == events.count("ReturnFinished") == 1
    assert sum(item.refund_amount for item in item_return.items.all()) == Decimal("39.80")
    assert set(item_return.items.values_list("refund_currency", flat=True)) == {"EUR"}
    sound, defective = RestowItem.objects.order_by("is_defective")
    assert (sound.quantity, sound.reason, defective.quantity) == (1, "RETURNED", 1)
    act(restow.put_back, defective.pk)
    act(restow.put_back, sound.pk)
    assert Stock.objects.get(is_defective=True).value == 1


def test_finished_return_is_recorded_for_the_shop(job):
    item_return = received(job, 1, "as-new")
    line = job.lines.first()
    act(returns.receive, item_return.pk, line.pk, 1, condition("worn"))

    act(returns.finish, item_return.pk)

    record = ReturnRecord.objects.get(return_id=item_return.pk)
    facts = {"line": str(line.order_line_id), "quantity": 1}
    assert record.order_id == job.order_id
    assert record.items == [
        facts | {"is_accepted": True, "condition": "as-new", "reason": ""},
        facts | {"is_accepted": False, "condition": "worn", "reason": ""},
    ]


def test_part_of_the_price_is_refunded_to_the_cent(facility):
    job = taken(1, facility=facility, price="9.99")
    item_return = received(job)

    act(returns.accept, item_return.pk, [item_return.items.get().pk], "STOCK", percent=50)
    act(returns.finish, item_return.pk)

    assert item_return.items.get().refund_amount == Decimal("5.00")


def test_price_that_is_not_known_is_left_open(facility):
    job = taken(1, facility=facility)
    job.order.lines.update(wire={})

    assert finished(job).items.get().refund_amount is None


def test_rejected_units_may_come_back_another_time(job, events):
    item_return = finished(job, 2, "worn")

    assert units(job)[0] == (2, 0)
    assert "RefundTriggered" not in events
    assert not RestowItem.objects.exists()
    assert StatusChange.objects.filter(entity_id=item_return.pk).latest("pk").reason == "Rejected: 2"
    assert finished(job, 2).status == "FINISHED"


def test_job_is_finished_when_everything_is_back(facility):
    job = taken(1, facility=facility)

    finished(job)

    job.refresh_from_db()
    assert job.status == "FINISHED"
    with pytest.raises(returns.ReturnsClosed):
        opened(job)


def test_return_of_nothing_is_not_finished_but_cancelled(job, events):
    item_return = opened(job)
    with pytest.raises(WrongStatus):
        act(returns.finish, item_return.pk)
    act(returns.start, item_return.pk)
    with pytest.raises(returns.NothingReceived):
        act(returns.finish, item_return.pk)

    act(returns.cancel, item_return.pk, reason="Wrong box")

    item_return.refresh_from_db()
    assert item_return.status == "CANCELED"
    assert events.count("ReturnCancelled") == 1


def test_return_with_goods_is_not_cancelled(job):
    item_return = received(job)

    with pytest.raises(returns.SomethingReceived):
        act(returns.cancel, item_return.pk)


def test_undecided_unit_keeps_the_return_open(job):
    item_return = received(job)
    ReturnedItem.objects.update(verdict="", place="", refund_percent=None)

    with pytest.raises(returns.Undecided):
        act(returns.finish, item_return.pk)


def test_return_waits_and_goes_on(job):
    item_return = received(job)

    for step in (returns.pause, returns.start, returns.wait_for_input, returns.start):
        act(step, item_return.pk)

    item_return.refresh_from_db()
    assert item_return.status == "IN_PROGRESS"


def test_step_on_an_old_version_is_refused(job):
    item_return = opened(job)
    job.refresh_from_db()
    known = job.version
    act(returns.receive, item_return.pk, job.lines.first().pk, 1, condition(), version=known)

    for step in (returns.finish, returns.pause, returns.cancel):
        with pytest.raises(VersionConflict):
            act(step, item_return.pk, version=known)
    with pytest.raises(VersionConflict):
        act(returns.receive, item_return.pk, job.lines.first().pk, 1, condition(), version=known)


# The job


def test_no_more_returns_are_taken_and_then_again(job):
    announced = announce(job, 1, 0)

    act(returns.finish_job, job.pk)
    announced.refresh_from_db()
    assert announced.status == "OBSOLETE"
    with pytest.raises(returns.ReturnsClosed):
        announce(job, 1, 0)
    act(returns.restart_job, job.pk)

    assert opened(job).status == "OPEN"
    with pytest.raises(returns.ReturnsUnderWay):
        act(returns.finish_job, job.pk)


def test_collected_order_with_proof_comes_back_too(facility):
    handover = collected(1, facility=facility)
    act(pickup.hand_over, handover.pk)

    item_return = finished(ReturnJob.objects.get())

    assert item_return.items.get().status == "ACCEPTED"
