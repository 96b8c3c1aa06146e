"""Parts that leave their facility: by hand, after a short pick, too late, offline, without stock."""

import datetime

import pytest
from django.urls import reverse

from fulfillment.core.events import FacilityChanged, StockDecreased, StockIncreased
from fulfillment.core.models import Facility, Listing, OutboxEntry, Stock
from fulfillment.core.services import facilities
from fulfillment.core.services import stock as stock_service
from orders import services as orders
from orders.models import Order, ShortRecord
from picking import restow
from picking import services as picking
from picking.models import Allocation, PickJob, RestowItem
from routing import configurations, reroutes
from routing import services as routing
from routing.events import PlanReopened
from routing.models import Reservation, RoutingPlan, StrategyNode
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock, staff
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
ROUTED, RETRYABLE, REROUTED = "ROUTED", "RETRYABLE", "REROUTED"


@pytest.fixture
def article():
    return ArticleFactory()


@pytest.fixture
def near(article):
    facility = FacilityFactory(name="Near")
    put_stock(facility, article, 5)
    return facility


@pytest.fixture
def far(article):
    facility = FacilityFactory(name="Far", latitude=51.44, longitude=5.47)
    put_stock(facility, article, 5)
    return facility


@pytest.fixture
def picker():
    return staff("supervisor")


def configure(**fields):
    draft = configurations.complete_draft()
    for name, value in fields.items():
        setattr(draft, name, value)
    draft.save()
    configurations.publish(by=None, now=NOON)


def routed(article, units=3, **fields):
    order = OrderFactory((article, units), **fields)
    (plan,) = routing.route_order(order.pk, by=None, now=NOON)
    assert plan.status == ROUTED
    return plan


def reopened(plan):
    """What the delivery does after the commit; returns the parts that have a facility."""
    reroutes.route_reopened(PlanReopened(order_id=plan.order_id))
    return list(RoutingPlan.objects.filter(order=plan.order_id, status=ROUTED).order_by("pk"))


def assert_counters_match_reservations():
    for listing in Listing.objects.all():
        assert listing.reserved == listing.reservations.all().units()


def test_part_is_moved_by_hand_and_does_not_come_back(article, near, far):
    plan = routed(article)
    assert plan.facility == near

    reroutes.reroute(plan.pk, words="The store floods.", by=None, now=NOON)
    (moved,) = reopened(plan)

    plan.refresh_from_db()
    assert (plan.status, plan.reroute_reason) == (REROUTED, "MANUAL_REROUTE")
    assert (moved.facility, moved.predecessor, moved.blacklist) == (far, plan, [str(near.pk)])
    assert [job.status for job in PickJob.objects.order_by("pk")] == ["REROUTED", "OPEN"]
    assert Reservation.objects.get().listing.facility == far
    assert_counters_match_reservations()


def test_delivered_twice_places_nothing_twice(article, near, far):
    plan = routed(article)
    reroutes.reroute(plan.pk, by=None, now=NOON)

    assert reopened(plan) == reopened(plan)


def test_part_that_picking_has_begun_with_stays(article, near, far, picker):
    plan = routed(article)
    picking.start(PickJob.objects.get().pk, by=picker, now=NOON)

    with pytest.raises(picking.PickingBegun):
        reroutes.reroute(plan.pk, by=None, now=NOON)

    plan.refresh_from_db()
    assert plan.status == ROUTED
    assert_counters_match_reservations()


def test_part_without_a_facility_cannot_be_moved(article):
    (plan,) = routing.route_order(OrderFactory((article, 1)).pk, by=None, now=NOON)

    with pytest.raises(reroutes.NotToBeMoved):
        reroutes.reroute(plan.pk, by=None, now=NOON)


def pick(plan, units, picker):
    job = PickJob.objects.get(plan=plan)
    picking.start(job.pk, by=picker, now=NOON)
    if units:
        count = picking.Count(job.lines.get().pk, picked=units)
        picking.book(job.pk, [count], by=picker, now=NOON)
    return picking.close(job.pk, by=picker, now=NOON, is_rest_missing=True)


@pytest.mark.parametrize("picked", [1, 0])
def test_missing_units_are_looked_for_elsewhere(article, near, far, picker, picked):
    configure(missing_units="SPLIT")
    plan = routed(article)

    pick(plan, picked, picker)
    parts = reopened(plan)

    assert [(part.facility.name, sum(line.quantity for line in part.lines.all())) for part in parts] == [
        ("Near", 3),
        ("Far", 3 - picked),
    ]
    assert not ShortRecord.objects.exists()
    assert_counters_match_reservations()


def test_missing_units_are_told_to_the_shop_when_nobody_looks_for_them(article, near, far, picker):
    plan = routed(article)

    pick(plan, 1, picker)

    assert reopened(plan) == [plan]
    assert ShortRecord.objects.get().quantity == 2


def test_units_of_an_aborted_job_are_looked_for_elsewhere(article, near, far, picker):
    configure(missing_units="SPLIT")
    plan = routed(article)
    picking.abort(PickJob.objects.get().pk, by=picker, now=NOON)

    _old, new = reopened(plan)

    assert (new.facility, new.blacklist) == (far, [str(near.pk)])
    assert not ShortRecord.objects.exists()


def test_short_pick_is_not_taken_back_once_its_units_are_looked_for(article, near, far, picker):
    configure(missing_units="SPLIT")
    plan = routed(article)
    job = pick(plan, 1, picker)
    reopened(plan)

    with pytest.raises(routing.LookedForElsewhere):
        picking.restart(job.pk, by=picker, now=NOON)


def test_work_leaves_a_facility_that_goes_offline(article, near, far):
    plan = routed(article)

    facilities.set_status(near.pk, Facility.Status.OFFLINE, by=None, now=NOON)
    reroutes.reroute_from_offline(FacilityChanged(facility_id=near.pk))
    reroutes.reroute_from_offline(FacilityChanged(facility_id=near.pk))
    (moved,) = reopened(plan)

    assert moved.facility == far
    assert RoutingPlan.objects.count() == 2


@pytest.mark.parametrize(("status", "is_on"), [("SUSPENDED", True), ("OFFLINE", False)])
def test_work_stays_at_a_suspended_facility_and_where_that_is_switched_off(article, near, far, status, is_on):
    configure(reroute_offline=is_on)
    plan = routed(article)

    facilities.set_status(near.pk, status, by=None, now=NOON)
    reroutes.reroute_from_offline(FacilityChanged(facility_id=near.pk))

    plan.refresh_from_db()
    assert plan.status == ROUTED


@pytest.mark.parametrize(
    ("minutes", "due", "moved"),
    [(60, 5, 1), (None, 5, 0), (180, 5, 0), (60, 90, 0)],
    ids=["late", "switched off", "not yet", "not due soon"],
)
def test_work_that_nobody_begins_moves_in_time(article, near, far, minutes, due, moved):
    configure(reroute_after_minutes=minutes)
    plan = routed(article)
    Order.objects.update(target_time=NOON + datetime.timedelta(hours=due))

    assert reroutes.reroute_late(now=NOON + datetime.timedelta(hours=2)) == moved

    assert len([part for part in reopened(plan) if part.facility == far]) == moved


def test_count_below_what_is_reserved_moves_the_newest_parts(article, near, far):
    configurations.complete_draft().ratings.filter(key="GEODISTANCE").update(weight=9)
    configurations.publish(by=None, now=NOON)
    old, new = routed(article, 3), routed(article, 2)
    assert (old.facility, new.facility) == (near, near)
    row = Stock.objects.get(listing__facility=near)

    stock_service.correct(row.pk, 3, reason="Count", by=None, now=NOON)
    assert OutboxEntry.objects.filter(event="StockDecreased", handler__endswith="reroute_uncovered").exists()
    reroutes.reroute_uncovered(StockDecreased(facility_id=near.pk))
    reopened(new)

    old.refresh_from_db()
    assert old.status == ROUTED
    assert [part.facility for part in RoutingPlan.objects.filter(order=new.order, status=ROUTED)] == [far]
    assert Listing.objects.get(facility=near).reserved == 3
    assert_counters_match_reservations()


def test_person_assigns_a_facility_past_the_fences(article):
    abroad = FacilityFactory(country="BE")
    put_stock(abroad, article, 5)
    order = OrderFactory((article, 3))
    routing.route_order(order.pk, by=None, now=NOON)

    (plan,) = routing.assign(order.pk, abroad.pk, by=None, now=NOON)

    assert (plan.status, plan.facility) == (ROUTED, abroad)
    assert PickJob.objects.get().facility == abroad
    assert_counters_match_reservations()


def test_assigned_facility_takes_what_it_has_only_when_that_is_wanted(article):
    abroad = FacilityFactory(country="BE")
    put_stock(abroad, article, 2)
    order = OrderFactory((article, 3))
    routing.route_order(order.pk, by=None, now=NOON)

    with pytest.raises(routing.CannotTake):
        routing.assign(order.pk, abroad.pk, by=None, now=NOON)
    taken, rest = routing.assign(order.pk, abroad.pk, is_partly=True, by=None, now=NOON)

    assert (taken.facility, taken.lines.get().quantity) == (abroad, 2)
    assert (rest.status, rest.lines.get().quantity) == (RETRYABLE, 1)


@pytest.mark.parametrize("status", ["OFFLINE", "SUSPENDED"])
def test_closed_facility_is_not_assigned(article, status):
    abroad = FacilityFactory(country="BE")
    put_stock(abroad, article, 5)
    facilities.set_status(abroad.pk, status, by=None, now=NOON)
    order = OrderFactory((article, 3))
    routing.route_order(order.pk, by=None, now=NOON)

    with pytest.raises(routing.CannotTake, match="takes no new orders"):
        routing.assign(order.pk, abroad.pk, by=None, now=NOON)

    assert not Reservation.objects.exists()


def test_article_that_is_sold_ahead_waits_and_is_never_given_up(article, near):
    Listing.objects.update(out_of_stock="BACKORDER")
    order = OrderFactory((article, 9))
    (plan,) = routing.route_order(order.pk, by=None, now=NOON)
    assert plan.status == "WAITING"

    routing.give_up_old(now=NOON + datetime.timedelta(days=9))
    put_stock(near, article, 9)
    routing.retry_waiting(StockIncreased(facility_id=near.pk))

    plan.refresh_from_db()
    assert (plan.status, plan.facility) == (ROUTED, near)


def test_given_up_parts_are_all_tried_again(article, near):
    order = OrderFactory((article, 9))
    (plan,) = routing.route_order(order.pk, by=None, now=NOON)
    routing.give_up_old(now=NOON + datetime.timedelta(hours=9))
    plan.refresh_from_db()
    assert plan.status == "NOT_ROUTABLE"

    routing.retry_all(by=None, now=NOON)

    plan.refresh_from_db()
    assert plan.status == RETRYABLE
    assert OutboxEntry.objects.filter(event="RetryAsked").exists()


def test_pages_move_assign_and_try_again(client, article, near, far):
    client.force_login(staff("supervisor"))
    plan = routed(article)
    page = client.get(reverse("routing:decision", args=[plan.order_id])).content.decode()
    assert "Look for another facility" in page

    client.post(reverse("routing:plan-reroute", args=[plan.pk]), {"reason": "Flood"})
    page = client.get(reverse("routing:decision", args=[plan.order_id])).content.decode()
    assert "Choose the facility by hand" in page
    client.post(reverse("routing:order-assign", args=[plan.order_id]), {"facility": near.pk})

    assert RoutingPlan.objects.get(status=ROUTED).facility == near
    assert client.post(reverse("routing:retry-all")).status_code == 302
    assert (
        client.post(reverse("routing:order-assign", args=[plan.order_id]), {"facility": "x"}).status_code
        == 302
    )


# What is picked goes back


def units_at(facility):
    return sum(Stock.objects.filter(listing__facility=facility).values_list("value", flat=True))


def test_whole_part_is_placed_anew_and_what_was_picked_goes_back(article, near, far, picker):
    configure(missing_units="REROUTE")
    plan = routed(article)

    job = pick(plan, 1, picker)
    (moved,) = reopened(plan)

    assert (job.status, job.sub_status) == ("REROUTED", "SHORT_PICK_REROUTE")
    assert (moved.facility, sum(line.quantity for line in moved.lines.all())) == (far, 3)
    item = RestowItem.objects.get()
    assert (item.quantity, item.reason, item.facility) == (1, "REROUTED", near)
    assert units_at(near) == 0  # the shelf is empty, one unit is in the basket
    restow.put_back(item.pk, by=picker, now=NOON)
    assert units_at(near) == 1
    assert not ShortRecord.objects.exists()
    assert_counters_match_reservations()


def test_facility_may_win_again_with_what_it_has_elsewhere(article, near, far, picker):
    configure(missing_units="REROUTE", reroute_blacklist=False)
    configurations.complete_draft().ratings.filter(key="GEODISTANCE").update(weight=10)
    configurations.publish(by=None, now=NOON)
    put_stock(near, article, 5, location=StorageLocationFactory(facility=near))
    plan = routed(article)

    pick(plan, 0, picker)
    (again,) = reopened(plan)

    assert again.facility == near
    assert units_at(near) == 5
    assert Allocation.objects.get(line__job__plan=again).stock.value == 5


@pytest.mark.parametrize(("picked", "status"), [(0, "REROUTED"), (1, "CLOSED")])
def test_part_is_placed_anew_only_when_nothing_is_picked(article, near, far, picker, picked, status):
    configure(missing_units="REROUTE_UNTOUCHED")
    plan = routed(article)

    job = pick(plan, picked, picker)
    parts = {part.facility: part for part in reopened(plan)}

    assert job.status == status
    assert sum(line.quantity for line in parts[far].lines.all()) == 3 - picked
    assert not RestowItem.objects.exists()
    assert_counters_match_reservations()


def begun(plan, picker, units=1):
    job = PickJob.objects.get(plan=plan)
    picking.start(job.pk, by=picker, now=NOON)
    if units:
        picking.book(job.pk, [picking.Count(job.lines.get().pk, picked=units)], by=picker, now=NOON)
    return job


def test_basket_of_an_aborted_job_is_work_for_somebody(article, near, picker):
    job = begun(routed(article), picker, 2)

    picking.abort(job.pk, by=picker, now=NOON)

    item = RestowItem.objects.get()
    assert (item.quantity, item.reason, units_at(near)) == (2, "ABORTED", 3)
    assert Listing.objects.get(facility=near).reserved == 0


def test_person_may_move_a_part_that_somebody_has_begun_with(article, near, far, picker):
    plan = routed(article)
    job = begun(plan, picker, 2)

    reroutes.reroute(plan.pk, may_be_begun=True, by=picker, now=NOON)
    (moved,) = reopened(plan)

    job.refresh_from_db()
    assert (job.status, job.sub_status, moved.facility) == ("REROUTED", "MANUAL_REROUTE", far)
    assert (RestowItem.objects.get().quantity, units_at(near)) == (2, 3)
    assert_counters_match_reservations()


def test_part_whose_picking_has_ended_cannot_be_moved(article, near, far, picker):
    plan = routed(article)
    pick(plan, 3, picker)

    with pytest.raises(reroutes.NotToBeMoved):
        reroutes.reroute(plan.pk, may_be_begun=True, by=picker, now=NOON)


@pytest.mark.parametrize(
    ("idle", "units", "moved"),
    [(60, 0, 1), (None, 0, 0), (180, 0, 0), (60, 1, 0)],
    ids=["idle", "switched off", "not yet", "something is picked"],
)
def test_work_that_somebody_began_and_left_moves(article, near, far, picker, idle, units, moved):
    configure(reroute_after_minutes=60, reroute_idle_minutes=idle)
    plan = routed(article)
    Order.objects.update(target_time=NOON + datetime.timedelta(hours=5))
    begun(plan, picker, units)
    PickJob.objects.update(modified_at=NOON)

    assert picking.reroute_idle(now=NOON + datetime.timedelta(hours=2)) == moved

    assert len([part for part in reopened(plan) if part.facility == far]) == moved
    assert_counters_match_reservations()


def test_sameday_orders_have_their_own_patience(article, near, far):
    draft = configurations.complete_draft()
    StrategyNode.objects.create(
        configuration=draft,
        name="Same day",
        condition={
            "predicates": [
                {"entity": "ORDER", "path": "serviceLevel", "operator": "EQUALS", "value": "SAMEDAY"}
            ]
        },
        changes={"reroute": {"after_minutes": 30}},
    )
    configure(reroute_after_minutes=None)
    urgent = routed(article, 2)
    Order.objects.update(service_level="SAMEDAY")
    patient = routed(article, 2)
    Order.objects.update(target_time=NOON + datetime.timedelta(hours=5))

    assert reroutes.late_plans(now=NOON + datetime.timedelta(hours=1)) == [urgent.pk]
    assert patient.pk != urgent.pk


def test_order_cancelled_by_force_sends_its_goods_back(article, near, picker, settings):
    settings.FORCE_CANCEL_ALLOWED = True
    plan = routed(article)
    pick(plan, 3, picker)
    assert units_at(near) == 2

    orders.force_cancel(plan.order_id, by=picker, now=NOON)

    item = RestowItem.objects.get()
    assert (item.quantity, item.reason, units_at(near)) == (3, "CANCELLED", 2)
    restow.put_back(item.pk, by=picker, now=NOON)
    assert units_at(near) == 5
    assert_counters_match_reservations()
