import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fulfillment.core import events, outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import Facility, Listing, OutboxEntry, SafetyStock, StatusChange
from fulfillment.core.rows import FEW
from fulfillment.core.services import facilities
from fulfillment.core.services.stock import Count, count_many, lock_listings, receive
from orders import services as orders
from orders.models import Order
from routing import configurations, reroutes, runs
from routing import services as routing
from routing.decisions import differences, restore
from routing.events import PlanRouted, PlanSplit
from routing.models import (
    DecisionLog,
    Reservation,
    RoutingConfiguration,
    RoutingPlan,
    RoutingPlanLine,
    RoutingRevision,
)
from tests.factories.core import (
    ArticleFactory,
    ChannelFactory,
    FacilityFactory,
    StorageLocationFactory,
    put_stock,
    staff,
)
from tests.factories.orders import OrderFactory, wire_line

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
ROUTED, RETRYABLE = RoutingPlan.Status.ROUTED, RoutingPlan.Status.RETRYABLE


def route(order, now=NOON):
    return routing.route_order(order.pk, by=None, now=now)


def assert_counters_match_reservations():
    for listing in Listing.objects.all():
        assert listing.reserved == listing.reservations.all().units()


@pytest.fixture
def article():
    return ArticleFactory()


def test_whole_order_goes_to_the_facility_with_most_points(article):
    near, far = FacilityFactory(), FacilityFactory(latitude=51.44, longitude=5.47)
    for facility in (near, far):
        put_stock(facility, article, 5)
    order = OrderFactory((article, 3))

    (plan,) = route(order)

    assert (plan.status, plan.facility) == (ROUTED, near)
    assert Reservation.objects.get().quantity == 3
    assert Listing.objects.get(facility=near).reserved == 3
    decision = DecisionLog.objects.get()
    assert (decision.outcome, decision.revision_id) == ("ROUTED", 1)
    assert decision.data["parts"] == [{"facility": str(near.pk), "lines": [[str(article.pk), 3]]}]
    change = StatusChange.objects.get(entity="routing.routingplan")
    assert (change.entity_id, change.after, change.order_id) == (plan.pk, "ROUTED", order.pk)
    assert_counters_match_reservations()


def test_facility_abroad_or_without_the_service_is_left_out(article):
    for fields in ({"country": "BE"}, {"services": ["PICKUP"]}):
        put_stock(FacilityFactory(**fields), article, 5)
    order = OrderFactory((article, 1))

    (plan,) = route(order)

    assert (plan.status, plan.facility, plan.reason) == (RETRYABLE, None, "FENCED_OUT")
    fences = {exclusion.fence for exclusion in restore(DecisionLog.objects.get()).decision.exclusions}
    assert fences == {"COUNTRY", "SERVICE_TYPE"}


def test_suspended_facility_gets_no_new_order(article):
    facility = FacilityFactory(status=Facility.Status.SUSPENDED)
    put_stock(facility, article, 5)

    (plan,) = route(OrderFactory((article, 1)))

    assert (plan.status, plan.reason) == (RETRYABLE, "NO_FACILITY")


def test_order_is_split_into_one_part_per_facility():
    a, b = ArticleFactory(), ArticleFactory()
    first, second = FacilityFactory(), FacilityFactory()
    put_stock(first, a, 2)
    put_stock(second, b, 1)
    order = OrderFactory((a, 2), (b, 1))

    plans = route(order)

    assert {plan.facility: plan.lines.get().quantity for plan in plans} == {first: 2, second: 1}
    assert {plan.split_count for plan in plans} == {1}
    assert_counters_match_reservations()


def test_search_that_is_out_of_time_serves_the_order_and_says_that_nothing_is_proven(monkeypatch):
    monkeypatch.setattr(runs, "SEARCH_SECONDS", 0)
    articles = [ArticleFactory() for _ in range(2)]
    for number in range(4):
        put_stock(FacilityFactory(latitude=52.37 - number / 10), articles[number % 2], 1)
    order = OrderFactory(*((article, 1) for article in articles))

    plans = route(order)

    assert [plan.status for plan in plans] == [ROUTED, ROUTED]
    assert DecisionLog.objects.get().data["is_proven"] is False
    assert differences(DecisionLog.objects.get()) == []


def test_same_article_on_two_lines_is_reserved_once_and_written_per_line(article):
    facility = FacilityFactory()
    put_stock(facility, article, 5)

    (plan,) = route(OrderFactory((article, 2), (article, 3)))

    assert [line.quantity for line in plan.lines.all()] == [2, 3]
    assert Listing.objects.get().reserved == 5
    assert_counters_match_reservations()


def test_order_that_cannot_be_served_whole_waits_and_reserves_nothing(article):
    put_stock(FacilityFactory(), article, 2)

    (plan,) = route(OrderFactory((article, 3)))

    assert (plan.status, plan.reason) == (RETRYABLE, "NOT_ENOUGH_STOCK")
    assert not Reservation.objects.exists()


def test_partial_routing_serves_what_is_there_and_keeps_the_rest(article):
    put_stock(FacilityFactory(), article, 2)
    RoutingConfiguration.objects.update(partly_reservable="ROUTE")
    configurations.publish(by=None, now=NOON)

    plans = route(OrderFactory((article, 3)))

    assert [(plan.status, plan.lines.get().quantity) for plan in plans] == [(ROUTED, 2), (RETRYABLE, 1)]


def test_safety_stock_and_reserved_units_are_not_promised(article):
    facility = FacilityFactory()
    put_stock(facility, article, 5)
    SafetyStock.objects.create(article=article, facility=facility, value=3)
    route(OrderFactory((article, 1)))

    (plan,) = route(OrderFactory((article, 2)))

    assert plan.status == RETRYABLE


@pytest.mark.parametrize(("here", "units"), [(None, 2), (4, 1), (0, 5)])
def test_safety_stock_of_the_facility_beats_that_of_the_network(article, here, units):
    facility = FacilityFactory()
    put_stock(facility, article, 5)
    SafetyStock.objects.create(article=article, value=3)
    if here is not None:
        SafetyStock.objects.create(article=article, facility=facility, value=here)

    assert route(OrderFactory((article, units + 1)))[0].status == RETRYABLE
    assert route(OrderFactory((article, units)))[0].status == ROUTED


def test_listing_that_says_more_than_is_there_is_put_right_when_it_cannot_be_reserved(article):
    row = put_stock(FacilityFactory(), article, 1)
    Listing.objects.filter(pk=row.listing_id).update(plain_units=9)

    (plan,) = route(OrderFactory((article, 2)))

    assert (plan.status, plan.reason) == (RETRYABLE, "NOT_ENOUGH_STOCK")
    assert Listing.objects.get().plain_units == 1


def test_expired_stock_is_not_promised(article):
    put_stock(FacilityFactory(), article, 5, expires_on=NOON.date() - datetime.timedelta(days=1))

    (plan,) = route(OrderFactory((article, 1)))

    assert plan.reason == "NO_STOCK"


def test_stock_out_of_reach_or_damaged_or_not_offered_is_not_promised(article):
    shut, damaged = FacilityFactory(), FacilityFactory()
    put_stock(shut, article, 5, location=StorageLocationFactory(facility=shut, is_pickable=False))
    receive(damaged, article.sku, 5, is_defective=True, by=None, now=NOON)
    unlisted = put_stock(FacilityFactory(), article, 5)
    Listing.objects.filter(pk=unlisted.listing_id).update(status="INACTIVE")

    (plan,) = route(OrderFactory((article, 1)))

    assert plan.reason == "NO_STOCK"


def test_fixed_facility_that_takes_no_orders_is_named_as_the_reason(article):
    chosen = FacilityFactory(status=Facility.Status.OFFLINE)
    put_stock(chosen, article, 5)

    (plan,) = route(OrderFactory((article, 1), preselected=[chosen]))

    assert (plan.status, plan.reason) == (RETRYABLE, "FACILITY_CLOSED")


def test_order_with_the_most_lines_is_routed():
    facility = FacilityFactory()
    articles = [ArticleFactory() for _ in range(500)]
    count_many([Count(facility.pk, article.pk, 2) for article in articles], by=None, now=NOON)

    (plan,) = route(OrderFactory(*((article, 2) for article in articles)))

    assert plan.status == ROUTED
    assert Reservation.objects.count() == 500
    assert_counters_match_reservations()


def test_unknown_sku_leaves_the_order_visibly_unroutable_until_the_article_exists():
    facility = FacilityFactory()
    order = OrderFactory(("SKU-NEW", 1))

    (plan,) = route(order)

    assert (plan.status, plan.reason) == (RETRYABLE, "UNKNOWN_ARTICLE")
    put_stock(facility, ArticleFactory(sku="SKU-NEW"), 1)
    (plan,) = routing.retry(order.pk, by=None, now=NOON)
    assert (plan.status, plan.facility) == (ROUTED, facility)


def test_collected_order_goes_to_its_facility_past_fences_and_ratings(article):
    better, chosen = FacilityFactory(), FacilityFactory(country="BE", services=["SHIP_FROM_STORE"])
    for facility in (better, chosen):
        put_stock(facility, article, 5)

    (plan,) = route(OrderFactory((article, 1), collect=chosen))

    assert (plan.status, plan.facility) == (ROUTED, chosen)
    assert Listing.objects.get(facility=chosen).reserved == 1


def test_single_preselected_facility_is_fixed_and_without_stock_unroutable(article):
    put_stock(FacilityFactory(), article, 5)
    chosen = FacilityFactory()

    (plan,) = route(OrderFactory((article, 1), preselected=[chosen]))

    assert (plan.status, plan.reason) == (RETRYABLE, "NO_STOCK")


def test_order_whose_preselected_facility_was_deleted_goes_nowhere_else(article):
    put_stock(FacilityFactory(), article, 5)
    chosen = FacilityFactory()
    order = OrderFactory((article, 1), preselected=[chosen])
    (plan,) = route(order)
    facilities.delete(chosen.pk, by=None, now=NOON)

    routing.retry(order.pk, by=None, now=NOON)

    plan.refresh_from_db()
    assert (plan.status, plan.reason) == (RETRYABLE, "FACILITY_CLOSED")


def test_only_preselected_facilities_are_considered(article):
    sites = [FacilityFactory() for _ in range(3)]
    for facility in sites:
        put_stock(facility, article, 5)

    (plan,) = route(OrderFactory((article, 1), preselected=sites[1:]))

    assert plan.facility in sites[1:]


def test_second_delivery_routes_nothing_twice(article):
    put_stock(FacilityFactory(), article, 5)
    order = OrderFactory((article, 1))
    route(order)

    again = route(order)

    assert len(again) == 1
    assert Listing.objects.get().reserved == 1


def test_cancelled_order_is_not_routed(article):
    put_stock(FacilityFactory(), article, 5)
    order = OrderFactory((article, 1))
    orders.cancel(order.pk, by=None, now=NOON)

    assert route(order) == []


def test_cancelled_order_gives_its_units_back(article):
    put_stock(FacilityFactory(), article, 5)
    order = OrderFactory((article, 1))
    (plan,) = route(order)

    orders.cancel(order.pk, by=None, now=NOON)

    plan.refresh_from_db()
    assert plan.status == RoutingPlan.Status.CANCELED
    assert Listing.objects.get().reserved == 0
    assert not Reservation.objects.exists()


def test_order_of_a_sandbox_goes_to_no_facility(article):
    put_stock(FacilityFactory(), article, 5)
    order = OrderFactory((article, 1), channel=ChannelFactory(key="try", is_sandbox=True))

    assert route(order) == []

    assert not RoutingPlan.objects.exists()
    assert not Listing.objects.filter(reserved__gt=0).exists()


def test_locked_order_is_reserved_but_goes_on_only_when_unlocked(article):
    put_stock(FacilityFactory(), article, 5)
    order = OrderFactory((article, 1), status="LOCKED")

    (plan,) = route(order)

    assert plan.status == RoutingPlan.Status.LOCKED
    assert Listing.objects.get().reserved == 1
    orders.unlock(order.pk, by=None, now=NOON)
    plan.refresh_from_db()
    assert plan.status == ROUTED
    assert order.pick_jobs.count() == 1


def test_stock_that_arrives_serves_the_order_that_waits(article, django_capture_on_commit_callbacks):
    order = OrderFactory((article, 1))
    route(order)
    OutboxEntry.objects.all().delete()

    put_stock(FacilityFactory(), article, 1)
    outbox.dispatch("routing", find=delivery_for)

    plan = RoutingPlan.objects.get()
    assert (plan.status, plan.order_id) == (ROUTED, order.pk)
    assert [decision.run for decision in DecisionLog.objects.all()] == [1, 2]
    assert_counters_match_reservations()


def test_units_of_a_cancelled_order_serve_the_one_that_waits(article):
    put_stock(FacilityFactory(), article, 1)
    holder, waiting = OrderFactory((article, 1)), OrderFactory((article, 1))
    route(holder)
    route(waiting)
    OutboxEntry.objects.all().delete()

    orders.cancel(holder.pk, by=None, now=NOON)
    outbox.dispatch("routing", find=delivery_for)

    assert waiting.routing_plans.get().status == ROUTED
    assert_counters_match_reservations()


def test_order_that_waits_longest_gets_the_unit(article):
    first, second = OrderFactory((article, 1)), OrderFactory((article, 1))
    route(second, now=NOON)
    route(first, now=NOON - datetime.timedelta(minutes=1))
    put_stock(FacilityFactory(), article, 1)

    outbox.dispatch("routing", find=delivery_for)

    assert first.routing_plans.get().status == ROUTED
    assert second.routing_plans.get().status == RETRYABLE


def test_rules_that_are_loosened_serve_the_order_that_waits(article):
    put_stock(FacilityFactory(country="BE"), article, 1)
    order = OrderFactory((article, 1))
    route(order)
    OutboxEntry.objects.all().delete()
    RoutingConfiguration.objects.get().fences.filter(key="COUNTRY").update(is_active=False)

    configurations.publish(by=None, now=NOON)
    outbox.dispatch("routing", find=delivery_for)

    assert order.routing_plans.get().status == ROUTED


def test_stock_that_nobody_waits_for_tries_nothing(article):
    order = OrderFactory((article, 1))
    route(order)
    OutboxEntry.objects.all().delete()

    put_stock(FacilityFactory(), ArticleFactory(), 5)
    outbox.dispatch("routing", find=delivery_for)

    assert order.routing_plans.get().retried_at == NOON
    assert DecisionLog.objects.get().at == NOON


def test_try_that_ends_like_the_one_before_replaces_its_decision(article):
    facility = FacilityFactory()
    put_stock(facility, article, 1)
    order = OrderFactory((article, 3))
    route(order)
    later = NOON + datetime.timedelta(hours=1)

    put_stock(facility, article, 1)
    (plan,) = routing.retry(order.pk, by=None, now=later)

    assert (plan.status, plan.retried_at) == (RETRYABLE, later)
    decision = DecisionLog.objects.get()
    assert (decision.run, decision.at) == (1, later)
    assert decision.data["remainder"] == [[str(article.pk), 1]]


def test_run_that_lost_too_often_locks_before_it_looks(article, monkeypatch):
    put_stock(FacilityFactory(), article, 5)
    load, locks, calls = runs.load_situation, [], []

    def read_before_another(*args, **kwargs):
        situation = load(*args, **kwargs)
        calls.append(len(locks))
        if len(calls) <= runs.OPTIMISTIC_RUNS:
            Listing.objects.update(reserved=5)
        return situation

    def lock(listing_ids):
        locks.append(list(listing_ids))
        return lock_listings(listing_ids)

    monkeypatch.setattr(runs, "load_situation", read_before_another)
    monkeypatch.setattr(runs, "lock_listings", lock)

    (plan,) = route(OrderFactory((article, 1)))

    assert plan.status == ROUTED
    assert calls == [0] * runs.OPTIMISTIC_RUNS + [1]
    assert Listing.objects.get().reserved == 1


def test_tie_is_drawn_by_the_logged_seed(article):
    sites = [FacilityFactory(), FacilityFactory()]
    for facility in sites:
        put_stock(facility, article, 5)

    plans = [route(OrderFactory((article, 1)))[0] for _order in range(3)]

    for plan in plans:
        made = restore(plan.order.decisions.select_related("revision", "snapshot").get())
        assert made.decision.split.parts[0].facility == str(plan.facility_id)
    first = restore(plans[0].order.decisions.get()).decision.split.rankings[0]
    assert first.tied == tuple(sorted(str(facility.pk) for facility in sites))


def test_facility_is_seen_as_it_is_even_when_an_older_change_is_committed_later(article):
    facility, other = FacilityFactory(), FacilityFactory(latitude=51.44, longitude=5.47)
    for site in (facility, other):
        put_stock(site, article, 5)
    route(OrderFactory((article, 1)))
    facilities.set_status(facility.pk, Facility.Status.OFFLINE, by=None, now=NOON)
    Facility.objects.filter(pk=facility.pk).update(modified_at=NOON)  # long before the other one

    (plan,) = route(OrderFactory((article, 1)))

    assert plan.facility == other


def test_waiting_order_may_be_split_at_a_later_try():
    a, b = ArticleFactory(), ArticleFactory()
    order = OrderFactory((a, 1), (b, 1))
    (waiting,) = route(order)
    first, second = FacilityFactory(), FacilityFactory()
    put_stock(first, a, 1)
    put_stock(second, b, 1)

    plans = routing.retry(order.pk, by=None, now=NOON)

    assert {plan.facility for plan in plans} == {first, second}
    assert waiting in plans
    assert {plan.parent for plan in plans if plan != waiting} == {waiting}
    assert RoutingPlanLine.objects.count() == 2


def test_part_that_waited_too_long_is_left_to_a_person(article):
    order = OrderFactory((article, 1))
    (plan,) = route(order)

    assert routing.give_up_old(now=NOON + datetime.timedelta(hours=7)) == 0
    assert routing.give_up_old(now=NOON + datetime.timedelta(hours=9)) == 1

    plan.refresh_from_db()
    assert plan.status == RoutingPlan.Status.NOT_ROUTABLE
    put_stock(FacilityFactory(), article, 1)
    (plan,) = routing.route_again(order.pk, by=None, now=NOON)
    assert plan.status == ROUTED


def use(**changes):
    """Publish a draft with some settings changed, and fences by their keys."""
    draft = configurations.complete_draft()
    for name, value in changes.items():
        if name.isupper():
            draft.fences.filter(key=name).update(is_active=value)
        else:
            setattr(draft, name, value)
    draft.save()
    configurations.publish(by=None, now=NOON)


def test_facility_without_a_free_slot_gets_the_order_on_the_next_day(article):
    use(CAPACITY=True)
    times = {"MONDAY": [], "TUESDAY": [{"start": "09:00", "end": "17:00", "capacity": 5}]}
    site = FacilityFactory(capacity_enabled=True, capacity_planning_days=1, picking_times=times)
    put_stock(site, article, 5)
    (plan,) = route(OrderFactory((article, 1)))  # on a Monday
    assert (plan.status, plan.reason) == (RETRYABLE, "FENCED_OUT")
    assert routing.retry_by_clock(now=NOON + datetime.timedelta(minutes=5)) == 0

    assert routing.retry_by_clock(now=NOON + datetime.timedelta(hours=14)) == 1

    plan.refresh_from_db()
    assert (plan.status, plan.facility) == (ROUTED, site)


def test_rule_that_asks_for_the_hour_is_asked_again_later(article):
    put_stock(FacilityFactory(country="BE"), article, 5)
    draft = configurations.complete_draft()
    draft.nodes.create(
        name="evening",
        condition={
            "predicates": [
                {"entity": "ORDER", "path": "time", "operator": "GREATER_EQUALS", "value": "18:00"}
            ]
        },
        changes={"fences": {"COUNTRY": False}},
    )
    configurations.publish(by=None, now=NOON)
    (plan,) = route(OrderFactory((article, 1)))

    routing.retry_by_clock(now=NOON.replace(hour=19))

    plan.refresh_from_db()
    assert plan.status == ROUTED


def test_time_alone_tries_nothing_where_no_rule_asks_for_it(article):
    FacilityFactory()
    route(OrderFactory((article, 1)))

    assert routing.retry_by_clock(now=NOON + datetime.timedelta(days=1)) == 0


@pytest.mark.parametrize(("behaviour", "status"), [("BACKORDER", "WAITING"), ("NONE", "RETRYABLE")])
def test_order_behind_the_complete_stock_fence_waits_for_what_is_sold_ahead(article, behaviour, status):
    use(COMPLETE_STOCK=True, is_split_active=False)
    other, site = ArticleFactory(), FacilityFactory()
    put_stock(site, article, 5)
    put_stock(site, other, 1)
    Listing.objects.filter(article=other).update(out_of_stock=behaviour)

    (plan,) = route(OrderFactory((article, 1), (other, 2)))

    assert (plan.status, plan.reason) == (status, "FENCED_OUT")


def test_order_that_a_fence_beside_stock_keeps_out_does_not_wait_for_stock(article):
    use(COMPLETE_STOCK=True, is_split_active=False)
    put_stock(FacilityFactory(country="BE"), article, 1)
    Listing.objects.update(out_of_stock="BACKORDER")

    (plan,) = route(OrderFactory((article, 2)))

    assert plan.status == RETRYABLE


def test_order_without_a_waiting_part_is_not_routed_again(article):
    put_stock(FacilityFactory(), article, 1)
    order = OrderFactory((article, 1))
    route(order)

    with pytest.raises(routing.NothingToRoute):
        routing.route_again(order.pk, by=None, now=NOON)


def test_consume_gives_reservations_back_and_ends_the_workload(article):
    put_stock(FacilityFactory(), article, 5)
    (plan,) = route(OrderFactory((article, 3)))

    reroutes.consume(plan.pk, {}, by=None, now=NOON)

    assert Listing.objects.get().reserved == 0
    assert plan.lines.get().done == 3


def test_release_cancels_the_part(article):
    put_stock(FacilityFactory(), article, 5)
    (plan,) = route(OrderFactory((article, 3)))

    routing.release(plan.pk, by=None, now=NOON, reason="Wrong")

    plan.refresh_from_db()
    assert plan.status == RoutingPlan.Status.CANCELED
    assert Listing.objects.get().reserved == 0


def test_work_that_waits_lowers_the_points(article):
    busy, idle = FacilityFactory(), FacilityFactory()
    put_stock(busy, article, 9)
    route(OrderFactory((article, 4)))
    put_stock(idle, article, 9)

    (plan,) = route(OrderFactory((article, 1)))

    assert plan.facility == idle


def test_address_that_cannot_be_placed_is_flagged_and_routed(article):
    put_stock(FacilityFactory(), article, 5)
    order = OrderFactory((article, 1), address={"coordinates": None, "city": "Nowhere", "postalCode": "0"})
    Order.objects.filter(pk=order.pk).update(latitude=None, longitude=None)

    (plan,) = route(order)

    assert plan.status == ROUTED
    assert DecisionLog.objects.get().data["place_source"] == "UNKNOWN"


def test_publication_gives_a_new_number_that_decisions_name(article):
    put_stock(FacilityFactory(), article, 5)
    user = staff("administrator")

    revision = configurations.publish(comment="Less distance", by=user, now=NOON)
    route(OrderFactory((article, 1)))

    assert (revision.number, revision.published_by) == (2, user)
    assert DecisionLog.objects.get().revision == revision


def test_nothing_is_routed_before_a_configuration_is_published(article):
    order = OrderFactory((article, 1))
    RoutingRevision.objects.all().delete()

    with pytest.raises(runs.NoConfiguration):
        route(order)


@pytest.mark.parametrize(
    ("sites", "lines", "each", "parts"), [(3, 1, 9, 1), (3, 20, 9, 1), (30, 20, 9, 1), (3, 20, 1, 2)]
)
def test_number_of_queries_is_constant(
    sites, lines, each, parts, monkeypatch, django_capture_on_commit_callbacks
):
    articles = [ArticleFactory() for _ in range(lines)]
    for _ in range(sites):
        site = FacilityFactory()
        for article in articles:
            put_stock(site, article, each)
    order = OrderFactory(*((article, 2) for article in articles), address={"coordinates": None})
    with django_capture_on_commit_callbacks(execute=True):
        route(OrderFactory(("SKU-NEW", 1)))  # this process knows the facilities from then on

    monkeypatch.setitem(events._reactions, PlanRouted, [])  # what picking does is picking's
    for event in (PlanRouted, PlanSplit):
        monkeypatch.setitem(events._observers, event, [])  # and who listens is asked once per kind of event

    with CaptureQueriesContext(connection) as queries:
        plans = route(order)

    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert [plan.status for plan in plans] == [ROUTED] * parts
    assert len(statements) == 12, "\n".join(statements)  # one of them looks the city up


def test_parcel_of_too_little_value_is_not_made():
    dear, cheap = ArticleFactory(), ArticleFactory()
    put_stock(FacilityFactory(), dear, 5)
    put_stock(FacilityFactory(), cheap, 5)
    draft = configurations.complete_draft()
    draft.least_value, draft.partly_reservable = 20, "ROUTE"
    draft.save()
    configurations.publish(by=None, now=NOON)
    items = [wire_line(dear, 1, shopPrice=50), wire_line(cheap, 2, shopPrice=7.5)]

    plans = routing.route_order(OrderFactory(*items).pk, by=None, now=NOON)

    assert [plan.status for plan in plans] == ["ROUTED", "RETRYABLE"]
    log = DecisionLog.objects.get()
    assert set(log.data["demand"]["prices"].values()) == {50.0, 7.5}
    assert differences(log) == []


def test_many_orders_look_their_references_up_before_others_wait_for_the_listings(article):
    put_stock(FacilityFactory(), article, 50)
    orders_of_run = [OrderFactory((article, 1)).pk for _number in range(FEW)]

    with CaptureQueriesContext(connection) as queries:
        runs.run(orders_of_run, again=False, by=None, now=NOON)

    # SQLite has no locks of rows.
    steps = [
        step
        for query in queries
        for step in ("SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED", "FOR UPDATE OF row")
        if step in query["sql"]
    ]
    assert steps == (
        ["SET CONSTRAINTS ALL IMMEDIATE", "SET CONSTRAINTS ALL DEFERRED", "FOR UPDATE OF row"]
        if connection.vendor == "postgresql"
        else []
    )
    assert Reservation.objects.units() == FEW
