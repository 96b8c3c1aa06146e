"""Facilities that take what no other may or can serve."""

import datetime

import pytest

from fulfillment.core.models import Facility
from routing import configurations, trials
from routing import services as routing
from routing.decisions import differences, load_log
from routing.explanations import explain
from routing.models import DecisionLog, FallbackFacility
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture
def article():
    return ArticleFactory()


def abroad(article, units, **fields):
    """A facility that the fence COUNTRY keeps out."""
    facility = FacilityFactory(country="BE", **fields)
    put_stock(facility, article, units)
    return facility


def fall_back_to(*facilities, minutes=0):
    draft = configurations.complete_draft()
    for position, facility in enumerate(facilities, start=1):
        FallbackFacility.objects.create(configuration=draft, facility=facility, position=position)
    draft.fallback_after_minutes = minutes
    draft.save()
    return configurations.publish(by=None, now=NOON)


def route(article, units=3, at=NOON):
    order = OrderFactory((article, units))
    return routing.route_order(order.pk, by=None, now=at)


def test_first_that_has_everything_takes_what_no_other_may(article):
    few, first, _second = abroad(article, 1), abroad(article, 5), abroad(article, 5)
    fall_back_to(few, first, _second)

    (plan,) = route(article)

    assert (plan.status, plan.facility) == ("ROUTED", first)
    log = DecisionLog.objects.get()
    assert (log.outcome, log.data["fallback"]) == ("ROUTED", [str(first.pk)])
    assert explain(plan.order)[0].fallback == [first.name]
    assert differences(load_log(log.pk)) == []


def test_several_share_it_when_none_has_everything(article):
    one, other = abroad(article, 1), abroad(article, 2)
    fall_back_to(one, other)

    plans = route(article)

    assert {plan.facility for plan in plans} == {one, other}
    assert {plan.status for plan in plans} == {"ROUTED"}


def test_they_take_nothing_when_units_would_still_be_left(article):
    fall_back_to(abroad(article, 2))

    (plan,) = route(article)

    assert (plan.status, plan.reason) == ("RETRYABLE", "FENCED_OUT")


def test_a_facility_that_may_and_can_comes_first(article):
    own = FacilityFactory()
    put_stock(own, article, 5)
    fall_back_to(abroad(article, 5))

    (plan,) = route(article)

    assert plan.facility == own
    assert "fallback" not in DecisionLog.objects.get().data


@pytest.mark.parametrize("status", ["SUSPENDED", "OFFLINE"])
def test_one_that_is_not_online_is_passed_over(article, status):
    closed, opened = abroad(article, 5), abroad(article, 5)
    Facility.objects.filter(pk=closed.pk).update(status=status)
    fall_back_to(closed, opened)

    (plan,) = route(article)

    assert plan.facility == opened


def test_one_that_gave_the_order_up_is_passed_over(article):
    gave_up, other = abroad(article, 5), abroad(article, 5)
    (plan,) = route(article, 3)
    plan.blacklist = [str(gave_up.pk)]
    plan.save(update_fields=["blacklist"])
    fall_back_to(gave_up, other)

    (again,) = routing.retry(plan.order_id, by=None, now=NOON)

    assert again.facility == other


def test_delay_is_waited_for_and_then_kept_without_a_person(article):
    place = abroad(article, 5)
    fall_back_to(place, minutes=30)
    (plan,) = route(article)
    assert plan.status == "RETRYABLE"

    early = routing.fall_back_late(now=NOON + datetime.timedelta(minutes=29))
    late = routing.fall_back_late(now=NOON + datetime.timedelta(minutes=31))
    again = routing.fall_back_late(now=NOON + datetime.timedelta(minutes=32))

    plan.refresh_from_db()
    assert (early, late, again) == (0, 1, 0)
    assert (plan.status, plan.facility) == ("ROUTED", place)
    log = DecisionLog.objects.latest("run")
    assert log.data["waited"] == 31
    assert differences(load_log(log.pk)) == []


def test_delay_is_not_tried_again_and_again_where_it_does_not_help(article):
    fall_back_to(abroad(article, 1), minutes=30)
    route(article)

    tried = [
        routing.fall_back_late(now=NOON + datetime.timedelta(minutes=minutes)) for minutes in (31, 32, 60)
    ]

    assert tried == [1, 0, 0]


def test_trial_counts_what_a_fallback_of_the_draft_would_take(article):
    place = abroad(article, 5)
    route(article)
    FallbackFacility.objects.create(configuration=configurations.complete_draft(), facility=place)

    trial = trials.ask(10, by=None, now=NOON)
    trials.work_off(trials.TrialAsked(trial_id=trial.pk))

    trial.refresh_from_db()
    assert [side["orders"] for side in trial.result["sides"]] == [0, 1]
