"""What the picker sees of units that were not found: moved, still looked for, or told to the shop."""

import datetime

import pytest
from django.urls import reverse

from fulfillment.core.models import Stock
from fulfillment.core.services import stock
from picking import services as picking
from picking.models import PickJob
from picking.whereabouts import fates
from routing import configurations, reroutes
from routing.events import PlanReopened
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock, staff
from tests.factories.orders import OrderFactory
from tests.factories.picking import route

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
    put_stock(here, article, 5)
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
