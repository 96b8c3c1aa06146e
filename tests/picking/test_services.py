import datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.errors import WrongStatus
from fulfillment.core.models import Listing, StatusChange, Stock, StockMovement
from fulfillment.core.services import stock
from orders import services as orders
from orders.models import Order, ShortRecord
from picking import jobs
from picking import services as picking
from picking.models import Allocation, PickJob, PickLine, ShortIdCounter
from picking.services import AlreadyPicked, LinesPending, NotStarted, PickedBySomeoneElse
from routing import services as routing
from routing.events import PlanRouted
from routing.models import Reservation, RoutingPlan
from tests.factories.core import ArticleFactory, StorageLocationFactory, put_stock
from tests.factories.orders import OrderFactory
from tests.factories.picking import book, pick_job, route, started_pick_job

pytestmark = pytest.mark.django_db

NOON = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC)


def close(job, by):
    return picking.close(job.pk, by=by, now=NOON)


def log_of(job):
    changes = StatusChange.objects.filter(entity="picking.pickjob", entity_id=job.pk).order_by("pk")
    return [(change.before, change.after) for change in changes]


def at(facility, place):
    return StorageLocationFactory(facility=facility, name=place, running_sequence=int(place))


# A part was routed


def test_routed_part_becomes_an_open_job_in_walk_order(facility, announced):
    near, far = ArticleFactory(title="Near"), ArticleFactory(title="Far")
    put_stock(facility, far, 5, location=at(facility, "90"))
    put_stock(facility, near, 5, location=at(facility, "10"))

    job = route(OrderFactory((far, 2), (near, 1), preselected=[facility]))

    assert (job.status, job.facility, job.kind) == ("OPEN", facility, "SHIPPING")
    assert [(line.title, line.quantity, line.status) for line in job.lines.all()] == [
        ("Near", 1, "OPEN"),
        ("Far", 2, "OPEN"),
    ]
    assert log_of(job) == [("", "OPEN")]
    assert announced == [("PickJobCreated", job.pk)]


def test_lines_follow_aisles_and_bays_where_no_running_sequence_decides(facility):
    def article(title, aisle, bay, sequence=0):
        place = StorageLocationFactory(facility=facility, running_sequence=sequence, aisle=aisle, bay=bay)
        made = ArticleFactory(title=title)
        put_stock(facility, made, 1, location=place)
        return made, 1

    order = OrderFactory(
        article("last", 1, 1, sequence=7),
        article("third", 2, 9),
        article("first", 1, 3),
        article("second", 2, 2),
        preselected=[facility],
    )

    titles = [line.title for line in route(order).lines.all()]

    assert titles == ["first", "second", "third", "last"]


def test_short_id_is_initials_and_a_number_that_starts_again_after_99(facility):
    assert pick_job(1, facility=facility).short_id == "AV1"
    assert pick_job(1, facility=facility).short_id == "AV2"
    ShortIdCounter.objects.filter(initials="AV").update(number=99)

    # 1 and 2 still stand on open jobs.
    assert pick_job(1, facility=facility).short_id == "AV3"


def test_short_id_of_a_name_without_letters_is_an_x(facility):
    assert pick_job(1, facility=facility, address={"firstName": "7", "lastName": "11"}).short_id == "X1"


def test_line_is_taken_from_the_first_to_expire_then_along_the_walk(facility):
    article = ArticleFactory()
    today = timezone.now().date()
    far = put_stock(facility, article, 2, location=at(facility, "30"))
    near = put_stock(facility, article, 1, location=at(facility, "20"))
    expiring = put_stock(
        facility, article, 2, location=at(facility, "90"), expires_on=today + datetime.timedelta(days=30)
    )
    put_stock(
        facility, article, 9, location=at(facility, "10"), expires_on=today - datetime.timedelta(days=1)
    )

    route(OrderFactory((article, 4), preselected=[facility]))

    taken = {allocation.stock_id: allocation.quantity for allocation in Allocation.objects.all()}
    assert taken == {expiring.pk: 2, near.pk: 1, far.pk: 1}


def test_second_job_is_sent_to_stock_that_no_open_job_takes(facility):
    article = ArticleFactory()
    first = put_stock(facility, article, 2, location=at(facility, "10"))
    second = put_stock(facility, article, 2, location=at(facility, "20"))

    for expected in (first, second):
        job = route(OrderFactory((article, 2), preselected=[facility]))
        assert [allocation.stock for allocation in job.lines.get().allocations.all()] == [expected]


def test_job_of_three_lines_needs_the_queries_of_one(facility):
    plans = [pick_job(*quantities, facility=facility).plan for quantities in [(1,), (1, 2, 3)]]
    PickJob.objects.all().delete()
    counts = []
    for plan in plans:
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            jobs.on_plans_routed([PlanRouted(plan_id=plan.pk)], by=None, now=NOON)
        counts.append(len([query for query in queries if "SAVEPOINT" not in query["sql"]]))

    # The first one makes the counter of the initials.
    assert counts[1] <= counts[0] <= 20


# The work on a job


def test_start_makes_the_user_the_picker(facility, picker):
    job = picking.start(pick_job(facility=facility).pk, by=picker, now=NOON)

    assert (job.status, job.editor, job.started_at) == ("IN_PROGRESS", picker, NOON)
    assert log_of(job) == [("", "OPEN"), ("OPEN", "IN_PROGRESS")]


def test_start_of_the_own_job_changes_nothing(facility, picker):
    job = started_pick_job(picker, facility=facility)

    assert picking.start(job.pk, by=picker, now=NOON).version == job.version
    assert len(log_of(job)) == 2


def test_start_refuses_a_job_that_somebody_else_picks(facility, picker, colleague):
    job = started_pick_job(picker, facility=facility)

    with pytest.raises(PickedBySomeoneElse):
        picking.start(job.pk, by=colleague, now=NOON)

    assert PickJob.objects.get().editor == picker


def test_start_refuses_a_closed_job(facility, picker):
    job = started_pick_job(picker, facility=facility)
    book(job, 2, 1, by=picker)
    close(job, picker)

    with pytest.raises(WrongStatus):
        picking.start(job.pk, by=picker, now=NOON)


def test_take_over_keeps_what_is_picked(facility, picker, colleague):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 2, by=picker)

    job = picking.take_over(job.pk, by=colleague, now=NOON)

    assert (job.status, job.editor) == ("IN_PROGRESS", colleague)
    assert job.lines.get().picked == 2
    assert log_of(job)[2:] == [("IN_PROGRESS", "PAUSED"), ("PAUSED", "IN_PROGRESS")]


def test_paused_job_goes_on_with_a_colleague(facility, picker, colleague):
    job = started_pick_job(picker, facility=facility)

    assert picking.pause(job.pk, by=picker, now=NOON).status == "PAUSED"
    assert picking.start(job.pk, by=colleague, now=NOON).editor == colleague


def test_pause_refuses_a_job_that_is_not_in_progress(facility, picker):
    job = pick_job(facility=facility)

    with pytest.raises(WrongStatus):
        picking.pause(job.pk, by=picker, now=NOON)

    assert log_of(job) == [("", "OPEN")]


# Closing


def test_close_takes_the_units_out_of_stock_and_announces_it(facility, picker, announced):
    job = started_pick_job(picker, 2, 1, facility=facility, spare=3)
    book(job, 2, 1, by=picker)
    announced.clear()

    job = close(job, picker)

    assert (job.status, job.sub_status, job.closed_at) == ("CLOSED", "", NOON)
    assert sorted(Stock.objects.values_list("value", flat=True)) == [3, 3]
    assert not Reservation.objects.exists()
    assert list(Listing.objects.values_list("reserved", flat=True)) == [0, 0]
    picks = StockMovement.objects.filter(kind="PICK", order_id=job.order_id)
    assert sorted(picks.values_list("delta", flat=True)) == [-2, -1]
    assert log_of(job)[2:] == [("IN_PROGRESS", "PICKED"), ("PICKED", "CLOSED")]
    assert announced == [("PickJobClosed", job.pk)]


def test_close_refuses_pending_lines(facility, picker, announced):
    job = started_pick_job(picker, 2, facility=facility)
    announced.clear()

    with pytest.raises(LinesPending):
        close(job, picker)

    assert PickJob.objects.get().status == "IN_PROGRESS"
    assert Stock.objects.get().value == 2
    assert announced == []


def test_close_refuses_a_job_that_is_not_started(facility, picker):
    with pytest.raises(NotStarted):
        close(pick_job(facility=facility), picker)


def test_close_refuses_another_picker(facility, picker, colleague):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 2, by=picker)

    with pytest.raises(PickedBySomeoneElse):
        close(job, colleague)

    assert Stock.objects.get().value == 2


def test_close_tells_the_shop_what_is_missing(facility, picker, announced):
    job = started_pick_job(picker, 3, 1, facility=facility)
    book(job, 1, 1, by=picker, reason="DAMAGED")

    job = close(job, picker)

    assert (job.status, job.sub_status) == ("CLOSED", "SHORT_PICKED")
    record = ShortRecord.objects.get()
    assert (record.quantity, record.reason, record.facility) == (2, "DAMAGED", facility)
    assert sorted(Stock.objects.values_list("value", flat=True)) == [0, 2]
    assert sorted(Listing.objects.values_list("reserved", flat=True)) == [0, 0]


def test_close_with_nothing_picked_aborts_the_job(facility, picker, announced):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 0, by=picker)
    announced.clear()

    job = close(job, picker)

    assert (job.status, job.sub_status) == ("ABORTED", "ZERO_PICKED")
    assert announced == [("PickJobAborted", job.pk)]
    assert Stock.objects.get().value == 2
    assert Listing.objects.get().reserved == 0
    assert ShortRecord.objects.get().quantity == 2


def test_missing_units_stand_in_the_history_with_who_and_why(facility, picker, announced):
    job = started_pick_job(picker, 2, 1, facility=facility)
    book(job, 1, 1, by=picker)

    close(job, picker)

    [told] = StatusChange.objects.filter(order_id=job.order_id, action="report_missing")
    assert told.reason == f"1 × {job.lines.first().title}: Not found"
    assert (told.entity, told.by) == ("picking.pickjob", picker)


@pytest.mark.parametrize(("empties", "left"), [(False, 4), (True, 0)])
def test_missing_units_empty_the_place_where_the_facility_says_so(facility, picker, announced, empties, left):
    facility.zero_stock_on_short_pick = empties
    facility.save(update_fields=["zero_stock_on_short_pick"])
    job = started_pick_job(picker, 2, facility=facility, spare=3)
    book(job, 1, by=picker)

    close(job, picker)

    assert Stock.objects.get().value == left


def test_close_takes_from_other_places_when_the_planned_one_holds_less(facility, picker, announced):
    job = started_pick_job(picker, 3, facility=facility)
    [planned] = Stock.objects.all()
    other = put_stock(
        facility, job.lines.get().article, 5, location=StorageLocationFactory(facility=facility)
    )
    stock.correct(planned.pk, 1, reason="Counted", by=None, now=NOON)
    book(job, 3, by=picker)

    close(job, picker)

    values = dict(Stock.objects.values_list("pk", "value"))
    assert values == {planned.pk: 0, other.pk: 3}


def test_close_leaves_expired_units_alone(facility, picker, announced):
    job = started_pick_job(picker, 2, facility=facility)
    [planned] = Stock.objects.all()
    expired = put_stock(
        facility,
        job.lines.get().article,
        5,
        location=StorageLocationFactory(facility=facility),
        expires_on=NOON.date() - datetime.timedelta(days=1),
    )
    stock.correct(planned.pk, 1, reason="Counted", by=None, now=NOON)
    book(job, 2, by=picker)

    close(job, picker)

    assert dict(Stock.objects.values_list("pk", "value")) == {planned.pk: 0, expired.pk: 5}


def test_close_books_in_what_was_found_beyond_the_books(facility, picker, announced):
    job = started_pick_job(picker, 3, facility=facility)
    [planned] = Stock.objects.all()
    stock.correct(planned.pk, 1, reason="Counted", by=None, now=NOON)
    book(job, 3, by=picker)

    close(job, picker)

    assert Stock.objects.get().value == 0
    movements = StockMovement.objects.order_by("pk").values_list("kind", "delta")
    assert list(movements) == [("RECEIPT", 3), ("CORRECTION", -2), ("CORRECTION", 2), ("PICK", -3)]


def test_close_books_in_what_was_found_where_no_stock_is_left_in_the_books(facility, picker, announced):
    job = started_pick_job(picker, 3, facility=facility)
    book(job, 2, by=picker)
    Allocation.objects.all().delete()
    StockMovement.objects.all().delete()
    Stock.objects.all().delete()

    picking.close(job.pk, by=picker, now=NOON, is_rest_missing=True)

    assert Stock.objects.get().value == 0
    movements = StockMovement.objects.order_by("pk").values_list("kind", "delta")
    assert list(movements) == [("CORRECTION", 2), ("PICK", -2)]


# The order or the part is no longer wanted


def cancel(job):
    return orders.cancel(job.order_id, by=None, now=NOON)


def test_cancelled_order_cancels_its_job(facility):
    job = pick_job(facility=facility)

    cancel(job)

    assert PickJob.objects.get().status == "CANCELED"
    assert log_of(job) == [("", "OPEN"), ("OPEN", "CANCELED")]


def test_order_with_picked_units_is_not_cancelled(facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 2, by=picker)

    with pytest.raises(AlreadyPicked):
        cancel(job)

    assert PickJob.objects.get().status == "IN_PROGRESS"
    assert Order.objects.get().status == Order.Status.OPEN
    assert Listing.objects.get().reserved == 2


def test_order_whose_stock_is_consumed_is_not_cancelled(facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 2, by=picker)
    close(job, picker)

    with pytest.raises(AlreadyPicked):
        cancel(job)

    assert Order.objects.get().status == Order.Status.OPEN


def test_order_is_cancelled_although_everything_was_missing(facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 0, by=picker)
    close(job, picker)

    cancel(job)

    assert PickJob.objects.get().status == "ABORTED"
    assert Order.objects.get().status == Order.Status.CANCELLED


def test_released_part_cancels_its_job(facility):
    job = pick_job(2, facility=facility)

    routing.release(job.plan_id, by=None, now=NOON, reason="Not here")

    assert PickJob.objects.get().status == "CANCELED"
    assert Listing.objects.get().reserved == 0


def test_part_with_picked_units_is_not_released(facility, picker):
    job = started_pick_job(picker, 2, facility=facility)
    book(job, 2, by=picker)

    with pytest.raises(AlreadyPicked):
        routing.release(job.plan_id, by=None, now=NOON)

    assert RoutingPlan.objects.get().status == "ROUTED"
    assert PickLine.objects.get().picked == 2


def test_abort_refuses_a_closed_job_before_it_takes_anything(facility, picker):
    job = started_pick_job(picker, 1, facility=facility)
    book(job, 1, by=picker)
    close(job, picker)
    Allocation.objects.all().delete()
    StockMovement.objects.all().delete()
    Stock.objects.all().delete()  # nothing lies there any more that units could be taken from

    with pytest.raises(WrongStatus):
        picking.abort(job.pk, by=None, now=NOON)
