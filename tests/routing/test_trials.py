import datetime

import pytest
from django.urls import reverse
from django.utils import translation

from fulfillment.core.templatetags.ui import signed
from orders.models import OrderLine
from routing import configurations, trials
from routing import services as routing
from routing.events import TrialAsked
from routing.models import DecisionLog, Reservation, RoutingConfiguration, RoutingPlan
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock, staff
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture
def supervisor(client):
    client.force_login(staff("supervisor"))
    return client


def route(*orders):
    for order in orders:
        routing.route_order(order.pk, by=None, now=NOON)


def weigh(**weights):
    draft = configurations.complete_draft()
    for key, weight in weights.items():
        draft.ratings.filter(key=key).update(weight=weight, is_active=True)


@pytest.fixture
def sites():
    """One near with much work, one far without, both with stock."""
    article = ArticleFactory()
    near = FacilityFactory(name="Near")
    far = FacilityFactory(name="Far", latitude=51.44, longitude=5.47, location_type="WAREHOUSE")
    for facility in (near, far):
        put_stock(facility, article, 50)
    return article, near, far


def test_draft_is_tried_on_the_last_decisions_and_nothing_is_written(sites):
    article, near, far = sites
    orders = [OrderFactory((article, 1)) for n in range(6)]
    route(*orders)
    weigh(GEODISTANCE=0, PREFER_WAREHOUSE=10)
    before = (RoutingPlan.objects.count(), Reservation.objects.count(), DecisionLog.objects.count())

    trial = trials.ask(4, by=None, now=NOON)
    trials.work_off(TrialAsked(trial_id=trial.pk))
    trials.work_off(TrialAsked(trial_id=trial.pk))

    trial.refresh_from_db()
    live, draft = trial.result["sides"]
    assert (trial.done, trial.total, trial.changed_count) == (4, 4, trial.changes.count())
    assert trial.finished_at is not None
    assert live["orders"] == draft["orders"] == 4
    assert sum(live["load"].values()) == sum(draft["load"].values()) == 4
    assert draft["km"] > live["km"]
    change = trial.changes.first()
    assert (change.before, change.after) == ([str(near.pk)], [str(far.pk)])
    assert (RoutingPlan.objects.count(), Reservation.objects.count(), DecisionLog.objects.count()) == before


def test_trial_counts_every_unit_that_has_no_facility(sites):
    article, _near, _far = sites
    route(
        OrderFactory((article, 1)),
        OrderFactory((article, 60)),
        OrderFactory(("UNKNOWN", 1)),
        OrderFactory(("UNKNOWN", 2), (article, 1)),
        OrderFactory((ArticleFactory(), 1)),
        OrderFactory((article, 1), address={"country": "FR"}),
    )

    trial = trials.ask(100, by=None, now=NOON)
    trials.work_off(TrialAsked(trial_id=trial.pk))

    trial.refresh_from_db()
    live = trial.result["sides"][0]
    wanted = sum(OrderLine.objects.values_list("quantity", flat=True))
    assert wanted == 67
    assert live["left"] == wanted - live["units"]
    assert live["orders"] == 2


def test_trial_with_the_same_settings_changes_nothing(sites):
    article, _near, _far = sites
    route(*(OrderFactory((article, 1)) for n in range(3)))

    trial = trials.ask(100, by=None, now=NOON)
    trials.work_off(TrialAsked(trial_id=trial.pk))

    trial.refresh_from_db()
    assert (trial.done, trial.changed_count) == (3, 0)
    assert trial.result["sides"][0] == trial.result["sides"][1]


def test_trial_goes_on_where_a_worker_left_it(sites, monkeypatch):
    article, _near, _far = sites
    route(*(OrderFactory((article, 1)) for n in range(5)))
    trial = trials.ask(5, by=None, now=NOON)
    monkeypatch.setattr(trials, "BATCH", 2)
    monkeypatch.setattr(trials, "LONGEST_TURN", -1)

    for _turn in range(2):
        with pytest.raises(trials.RetryLater):
            trials.work_off(TrialAsked(trial_id=trial.pk))
    trials.work_off(TrialAsked(trial_id=trial.pk))

    trial.refresh_from_db()
    assert (trial.done, trial.finished_at is None) == (5, False)
    assert sum(trial.result["sides"][0]["load"].values()) == 5


def test_draft_that_cannot_be_used_is_not_tried(sites):
    RoutingConfiguration.objects.get().fences.update(is_active=True)
    configurations.complete_draft().fences.filter(key="COMPLETE_STOCK").update(is_active=True)

    with pytest.raises(configurations.UnfitConfiguration):
        trials.ask(10, by=None, now=NOON)


def test_pages_ask_show_progress_and_name_what_goes_elsewhere(supervisor, sites):
    article, _near, _far = sites
    order = OrderFactory((article, 1))
    route(order)
    weigh(GEODISTANCE=0, PREFER_WAREHOUSE=10)

    page = supervisor.get(reverse("routing:trial-list")).content.decode()
    assert "Weight of Distance: 2 → 0" in page
    answer = supervisor.post(reverse("routing:trial-list"), {"count": "100"})
    running = supervisor.get(answer["Location"]).content.decode()
    assert 'hx-trigger="every 1s"' in running
    trials.work_off(TrialAsked(trial_id=int(answer["Location"].split("/")[-2])))
    done = supervisor.get(answer["Location"], headers={"HX-Request": "true"}).content.decode()

    assert "hx-trigger" not in done
    missing = [words for words in ("Units per facility", "Near", "Far", str(order)) if words not in done]
    assert missing == []
    assert supervisor.get(answer["Location"] + "?page=9").status_code == 200


def test_difference_has_a_real_minus_sign():
    with translation.override("de"):
        assert [signed(value) for value in (-7.2, 0, 0.0, 3.0)] == ["−7,2", "0", "0", "+3"]


def test_draft_of_one_order_says_when_it_is_the_revision_in_use(supervisor, sites):
    article, _near, _far = sites
    order = OrderFactory((article, 1))
    route(order)

    page = supervisor.get(reverse("routing:decision-draft", args=[order.pk])).content.decode()

    assert "The draft is the same as revision 1, which is in use." in " ".join(page.split())


def test_draft_of_one_order_stands_beside_its_decision(supervisor, sites):
    article, _near, _far = sites
    order = OrderFactory((article, 1))
    route(order)
    weigh(GEODISTANCE=0, PREFER_STORE=10)

    page = supervisor.get(reverse("routing:decision-draft", args=[order.pk])).content.decode()

    assert all(words in page for words in ("As it was decided", "With the draft", "Stores first"))
    was, _heading, would_be = page.partition("With the draft")
    assert ("Revision 1 ·" in " ".join(was.split()), "Revision" in would_be) == (True, False)
    assert "Draft · seed" in " ".join(would_be.split())
    assert "The draft is the same as" not in page
    assert (
        "This order was not routed yet."
        in supervisor.get(
            reverse("routing:decision-draft", args=[OrderFactory(("X", 1)).pk])
        ).content.decode()
    )
