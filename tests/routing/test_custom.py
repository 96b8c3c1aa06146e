"""Own rules and the strategy tree: what is judged, and what is refused when it is saved."""

import pytest
from django.core.exceptions import ValidationError

from routing.models import FenceSetting, RoutingConfiguration, StrategyNode
from routing.rules import (
    BadRule,
    Candidate,
    CarrierLink,
    Demand,
    Line,
    Site,
    check_changes,
    choose,
    read_condition,
    read_rule,
    read_tree,
)

SITE = {
    "city": "Utrecht",
    "services": ["PICKUP"],
    "tags": {"class": ["B", "C"]},
    "customAttributes": {"cooling": True, "floor": {"area": 120}},
}
ORDER = {"channel": "web", "value": 80.5, "tags": {"gift": ["yes"]}, "weekday": "MONDAY", "time": "09:30"}


def holds(then, when=None, listings=None):
    rule = read_rule({"then": {"predicates": then}} | ({"when": {"predicates": when}} if when else {}))
    site = Site("1", "F", "NL", frozenset(), None, carriers=(CarrierLink("dhl", cost=4.5),), attributes=SITE)
    demand = Demand("S", "NL", None, (Line("A", 1), Line("B", 1)), attributes=ORDER)
    return rule.holds(demand, Candidate(site, {}, listings=listings or {}))


def predicate(entity, path, operator, value, **more):
    return {"entity": entity, "path": path, "operator": operator, "value": value, **more}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (predicate("FACILITY", "city", "EQUALS", "Utrecht"), True),
        (predicate("FACILITY", "city", "NOT_EQUALS", "Utrecht"), False),
        (predicate("FACILITY", "city", "IN", ["Gent", "Utrecht"]), True),
        (predicate("FACILITY", "city", "NOT_IN", ["Gent"]), True),
        (predicate("FACILITY", "city", "CONTAINS", "tre"), True),
        (predicate("FACILITY", "services", "CONTAINS", "PICKUP"), True),
        (predicate("FACILITY", "tags.class", "EQUALS", "B"), True),
        (predicate("FACILITY", "tags.class", "EQUALS", "A"), False),
        (predicate("FACILITY", "tags.class", "NOT_EQUALS", "A"), True),
        (predicate("FACILITY", "customAttributes.cooling", "EQUALS", True), True),
        (predicate("FACILITY", "customAttributes.cooling", "EQUALS", 1), False),
        (predicate("FACILITY", "customAttributes.floor.area", "GREATER_THAN", 100), True),
        (predicate("FACILITY", "customAttributes.floor.area", "LESS_EQUALS", 119), False),
        (predicate("FACILITY", "customAttributes.missing", "GREATER_THAN", 1), False),
        (predicate("FACILITY", "customAttributes.missing", "EQUALS", "x"), False),
        (predicate("FACILITY", "customAttributes.missing", "NOT_EQUALS", "x"), True),
        (predicate("ORDER", "value", "GREATER_EQUALS", 80.5), True),
        (predicate("ORDER", "time", "LESS_THAN", "12:00"), True),
        (predicate("CARRIER", "cost", "LESS_THAN", 5), True),
    ],
)
def test_predicate_holds(one, expected):
    assert holds([one]) is expected


def test_rule_asks_only_where_its_condition_holds():
    bad = predicate("FACILITY", "city", "EQUALS", "Gent")

    assert not holds([bad], [predicate("ORDER", "channel", "EQUALS", "web")])
    assert holds([bad], [predicate("ORDER", "channel", "EQUALS", "till")])


def test_one_article_is_enough_unless_every_one_is_asked():
    listings = {"A": {"attributes": {"hazard": "yes"}}, "B": {"attributes": {}}}
    one = predicate("LISTING", "attributes.hazard", "EQUALS", "yes")

    assert holds([one], listings=listings)
    assert not holds([one | {"every": True}], listings=listings)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (predicate("FACILITY", "population", "EQUALS", "x"), "“population” is not known of FACILITY"),
        (predicate("PLANET", "name", "EQUALS", "x"), "entity: must be one of ORDER"),
        (predicate("ORDER", "value", "EQUALS", "80"), "must be a number"),
        (predicate("ORDER", "value", "GREATER_THAN", True), "have no order"),
        (predicate("ORDER", "value", "CONTAINS", 8), "a number contains nothing"),
        (predicate("ORDER", "channel", "EQUALS", 5), "must be a text"),
        (predicate("ORDER", "channel", "IN", "web"), "give a list"),
        (predicate("ORDER", "channel", "MATCHES", "web"), "operator: must be one of"),
        (predicate("ORDER", "tags.", "EQUALS", "web"), "“tags.” is not known"),
        (predicate("ORDER", "customAttributes.x", "EQUALS", {"a": 1}), "must be a text, a number"),
        (predicate("ORDER", "channel", "EQUALS", "x", eval="1"), "“eval” is not known"),
        (predicate("ORDER", None, "EQUALS", "x"), "is not known of ORDER"),
    ],
)
def test_predicate_that_cannot_be_judged_is_refused_with_the_reason(one, words):
    with pytest.raises(BadRule) as caught:
        read_rule({"then": {"predicates": [one]}})

    assert words in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"then": {}}, {"then": {"predicates": []}}, {"then": 5}, {"if": {}, "then": {}}],
)
def test_rule_without_a_part_is_refused(data):
    with pytest.raises(BadRule):
        read_rule(data)


def test_condition_looks_at_the_order_only():
    with pytest.raises(BadRule, match="order only"):
        read_condition({"predicates": [predicate("FACILITY", "city", "EQUALS", "Gent")]})


def node(name, condition, changes, *nodes):
    return {
        "name": name,
        "condition": {"predicates": [predicate("ORDER", *condition)]},
        "changes": changes,
        "nodes": nodes,
    }


TREE = {
    "fences": ["COUNTRY"],
    "ratings": [{"key": "GEODISTANCE", "weight": "2.00", "scale": [0, 500]}],
    "split": {"is_active": True, "max_count": 2},
    "partly_reservable": "WAIT",
    "stop_after_hours": 8,
    "nodes": [
        node(
            "dear",
            ("value", "GREATER_THAN", 500),
            {"fences": {"COUNTRY": False}},
            node("dear web", ("channel", "EQUALS", "web"), {"weights": {"GEODISTANCE": 7}}),
        ),
        node("web", ("channel", "EQUALS", "web"), {"split": {"max_count": 0}, "partly_reservable": "ROUTE"}),
        node("also web", ("channel", "EQUALS", "web"), {"weights": {"GEODISTANCE": 9}}),
    ],
}


@pytest.mark.parametrize(
    ("order", "path", "fences", "weight", "splits", "partly"),
    [
        ({"channel": "till", "value": 5}, (), {"COUNTRY"}, 2, 2, "WAIT"),
        ({"channel": "web", "value": 5}, ("web",), {"COUNTRY"}, 2, 0, "ROUTE"),
        ({"channel": "till", "value": 900}, ("dear",), set(), 2, 2, "WAIT"),
        ({"channel": "web", "value": 900}, ("dear", "dear web"), set(), 7, 2, "WAIT"),
    ],
)
def test_first_condition_that_holds_leads_down_and_the_rest_is_inherited(
    order, path, fences, weight, splits, partly
):
    settings, found = choose(read_tree(TREE), order)

    policy = settings.policy
    assert found == path
    assert policy.fences == fences
    assert (policy.weights["GEODISTANCE"], policy.max_split_count) == (weight, splits)
    assert policy.scales["GEODISTANCE"].worst == 500
    assert settings.plain["partly_reservable"] == partly


def test_same_day_orders_are_split_only_when_that_is_switched_on():
    settings, _path = choose(read_tree(TREE), {})
    on, _path = choose(read_tree(TREE | {"split": TREE["split"] | {"for_sameday": True}}), {})

    assert [settings.policy_for(is_sameday).may_split for is_sameday in (False, True)] == [True, False]
    assert on.policy_for(True).may_split


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": 1}, "“colour” cannot be changed"),
        ({"fences": {"MOON": True}}, "fences.MOON: there is no such fence"),
        ({"fences": {"COUNTRY": 1}}, "must be true or false"),
        ({"weights": {"GEODISTANCE": 11}}, "from 0 to 10"),
        ({"weights": {"GEODISTANCE": -1}}, "from 0 to 10"),
        ({"weights": {"GEODISTANCE": float("nan")}}, "from 0 to 10"),
        ({"scales": {"GEODISTANCE": [5, 5]}}, "two different numbers"),
        ({"split": {"max_count": 21}}, "from 0 to 20"),
        ({"split": {"mode": "BEST"}}, "EXACT, GREEDY"),
        ({"stop_after_hours": 0}, "from 1"),
        ([], "object"),
    ],
)
def test_changes_that_mean_nothing_are_refused_with_the_reason(changes, words):
    with pytest.raises(BadRule) as caught:
        check_changes(changes)

    assert words in str(caught.value)


@pytest.mark.django_db
def test_cycle_in_the_tree_is_refused():
    draft = RoutingConfiguration.objects.get()
    condition = {"predicates": [predicate("ORDER", "channel", "EQUALS", "web")]}
    top = StrategyNode.objects.create(configuration=draft, name="top", condition=condition)
    below = StrategyNode.objects.create(configuration=draft, name="below", condition=condition, parent=top)

    top.parent = below

    with pytest.raises(ValidationError, match="below itself"):
        top.clean()


@pytest.mark.django_db
def test_own_fence_is_judged_when_it_is_saved():
    draft = RoutingConfiguration.objects.get()
    fence = FenceSetting(configuration=draft, key="CUSTOM", name="cool", rule={"then": {"predicates": [{}]}})

    with pytest.raises(ValidationError, match="entity"):
        fence.full_clean()
