"""What the picker sees of units that were not found: moved, still looked for, or told to the shop."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import Stock
from fulfillment.core.services import stock
from picking import runs
from picking import services as picking
from picking.models import PickJob
from picking.whereabouts import fates, fates_of_run
from routing import configurations, reroutes
from routing.events import PlanReopened
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock, staff
from tests.factories.orders import OrderFactory
from tests.factories.picking import route
from tests.factories.runs import run_of

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture
def article():
    return ArticleFactory()


@pytest.fixture
def picker():
    return staff("supervisor")


@pytest.fixture
def network(article):
    """Units that are missing in Amsterdam are looked for elsewhere: Utrecht has five."""
    here = FacilityFactory(slug="here", name="Amsterdam")
    put_stock(here, article, 9)
    put_stock(FacilityFactory(name="Utrecht", latitude=52.09, longitude=5.12), article, 5)
    draft = configurations.complete_draft()
    draft.missing_units = "SPLIT"
    draft.save()
    configurations.publish(by=None, now=NOON)


def closed(article, *, ordered, picked, picker):
    job = route(OrderFactory((article, ordered)))
    picking.start(job.pk, by=picker, now=NOON)
    picking.book(job.pk, [picking.Count(job.lines.get().pk, picked=picked)], by=picker, now=NOON)
    return picking.close(job.pk, by=picker, now=NOON, is_rest_missing=True)


def texts(job):
    return [(fate.text, fate.is_open) for fate in fates(PickJob.objects.get(pk=job.pk))]


def test_complete_job_has_nothing_to_tell(article, network, picker):
    assert fates(closed(article, ordered=2, picked=2, picker=picker)) == []


def test_missing_units_are_looked_for_and_then_at_another_facility(article, network, picker):
    job = closed(article, ordered=3, picked=1, picker=picker)

    before = texts(job)
    reroutes.route_reopened(PlanReopened(order_id=job.order_id))

    assert before == [("2 units: another facility is still being looked for.", True)]
    assert texts(job) == [("2 units re-routed to Utrecht.", False)]


def test_units_that_nobody_has_are_still_looked_for(article, network, picker):
    for row in Stock.objects.filter(listing__facility__name="Utrecht"):
        stock.correct(row.pk, 0, reason="Flood", by=None, now=NOON)
    job = closed(article, ordered=3, picked=2, picker=picker)

    reroutes.route_reopened(PlanReopened(order_id=job.order_id))

    assert texts(job) == [("1 unit: another facility is still being looked for.", True)]


def test_units_that_nobody_looks_for_will_not_come(article, picker):
    put_stock(FacilityFactory(), article, 5)
    job = closed(article, ordered=3, picked=1, picker=picker)

    assert texts(job) == [("2 units will not come. The shop knows.", False)]


def test_run_tells_it_of_each_of_its_jobs_in_the_same_queries(article, network, picker):
    def close_run(jobs):
        run = run_of(*jobs, method="BATCH", by=picker)
        lines = list(run.lines.all())
        runs.book(run.pk, [picking.Count(line.pk, picked=1) for line in lines], by=picker, now=timezone.now())
        run = runs.close(run.pk, is_rest_missing=True, by=picker, now=timezone.now())
        for job in jobs:
            reroutes.route_reopened(PlanReopened(order_id=job.order_id))
        with CaptureQueriesContext(connection) as queries:
            found = fates_of_run(run)
        return [fate.text for fate in found], len(queries)

    [utrecht] = Stock.objects.filter(listing__facility__name="Utrecht")
    stock.correct(utrecht.pk, 0, reason="On its way", by=None, now=NOON)
    job, *jobs = [route(OrderFactory((article, ordered))) for ordered in (2, 2, 1, 2)]
    stock.correct(utrecht.pk, 5, reason="It came", by=None, now=NOON)
    [one], queries_of_one = close_run([job])
    found, queries_of_three = close_run(jobs)

    assert one == f"{job}: 1 unit re-routed to Utrecht."
    assert found == [f"{job}: 1 unit re-routed to Utrecht." for job in (jobs[0], jobs[2])]
    assert queries_of_three == queries_of_one


def test_page_asks_again_only_while_something_is_open(client, article, network, picker):
    job = closed(article, ordered=3, picked=1, picker=picker)
    client.force_login(picker)
    page = reverse("picking:job-detail", args=[job.facility.slug, job.pk]) + "?part=fate"

    before = client.get(page).content.decode()
    reroutes.route_reopened(PlanReopened(order_id=job.order_id))
    after = client.get(page).content.decode()

    assert "hx-get" in before
    assert "hx-get" not in after
    assert "re-routed to Utrecht" in after
