import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from fulfillment.core.models import OutboxEntry, Role
from orders.models import Order
from picking import runs
from tests.factories.core import FacilityFactory, staff
from tests.factories.orders import OrderFactory
from tests.factories.picking import pick_job
from tests.factories.returns import finished, taken
from tests.factories.runs import run_of
from tests.factories.stages import Stages

pytestmark = pytest.mark.django_db


@pytest.fixture
def hq(client):
    """A client signed in as administrator of the network."""
    client.force_login(staff("administrator"))
    return client


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


class TestHome:
    def test_administrator_goes_to_the_orders(self, hq):
        assert hq.get("/").url == reverse("overview:order-list")

    def test_one_facility_is_opened(self, client):
        facility = FacilityFactory()
        client.force_login(staff("picker", facility))

        assert client.get("/").url == reverse("overview:facility-home", args=[facility.slug])

    def test_several_facilities_are_offered(self, client):
        first, second, other = FacilityFactory(), FacilityFactory(), FacilityFactory()
        client.force_login(staff("picker", first, second))

        text = text_of(client.get("/"))

        assert first.name in text
        assert second.name in text
        assert f"/f/{other.slug}/" not in text

    def test_nobody_is_told_whom_to_ask(self, client):
        user = staff("picker", FacilityFactory())
        user.memberships.all().delete()
        client.force_login(user)

        assert "No facility yet" in text_of(client.get("/"))


class TestFacilityHome:
    def test_picker_sees_the_next_job_and_not_the_stock(self, client):
        stages = Stages().plan().pick()
        client.force_login(staff("picker", stages.facility))

        text = text_of(client.get(reverse("overview:facility-home", args=[stages.facility.slug])))

        assert reverse("picking:next-job", args=[stages.facility.slug]) in text
        assert stages.job.short_id in text
        assert reverse("core:stock-list", args=[stages.facility.slug]) not in text

    @pytest.mark.parametrize(("began", "words"), [(False, "Start the run"), (True, "Continue picking")])
    def test_run_that_nobody_picks_is_offered_as_one(self, client, began, words):
        facility = FacilityFactory()
        run = run_of(pick_job(1, facility=facility), by=staff("picker", facility) if began else None)
        if began:
            runs.pause(run.pk, by=None, now=timezone.now())
        client.force_login(staff("picker", facility))

        text = text_of(client.get(reverse("overview:facility-home", args=[facility.slug])))

        assert words in text
        assert "Next job" not in text

    def test_packer_is_sent_to_packing(self, client):
        stages = Stages().plan().pick("CLOSED", 3).pack("OPEN")
        user = staff("packer", stages.facility)
        Role.objects.filter(key="packer").update(permissions=["PACK"])
        client.force_login(user)

        text = text_of(client.get(reverse("overview:facility-home", args=[stages.facility.slug])))

        assert reverse("packing:next-job", args=[stages.facility.slug]) in text
        assert reverse("picking:next-job", args=[stages.facility.slug]) not in text

    def test_shorts_of_today_are_shown(self, client):
        stages = Stages().plan().pick("CLOSED", 2, 1)
        stages.line.short_records.update(recorded_at=timezone.now())
        client.force_login(staff("supervisor", stages.facility))

        text = text_of(client.get(reverse("overview:facility-home", args=[stages.facility.slug])))

        assert "Not found" in text

    def test_label_problems_are_counted(self, client):
        stages = Stages().plan().pick("CLOSED", 3).pack().ship("REQUEST", "FAILED", None)
        client.force_login(staff("supervisor", stages.facility))

        text = text_of(client.get(reverse("overview:facility-home", args=[stages.facility.slug])))

        assert "1 label with a problem" in text


class TestOrderList:
    url = "/hq/orders/"

    def found(self, hq, **query):
        response = hq.get(self.url, query)
        assert response.status_code == 200
        return {order.pk for order in response.context["page"]}

    def test_filters_by_text_status_and_progress(self, hq):
        done = Stages().plan().pick("CLOSED", 3).pack().ship().order
        new = OrderFactory(tenantOrderId="WEB-77")
        held = OrderFactory(status="LOCKED")

        assert self.found(hq) == {done.pk, new.pk, held.pk}
        assert self.found(hq, q="WEB-77") == {new.pk}
        assert self.found(hq, status="LOCKED") == {held.pk}
        assert self.found(hq, progress="FINISHED") == {done.pk}
        assert self.found(hq, progress="CREATED") == {new.pk, held.pk}
        assert self.found(hq, q="nothing like it") == set()

    def test_takes_the_same_queries_for_more_rows(self, hq):
        counts = []
        for number in (1, 3):
            for _order in range(number):
                Stages().plan().pick("CLOSED", 3).pack().ship()
            with CaptureQueriesContext(connection) as captured:
                hq.get(self.url)
            counts.append(len(captured))

        assert counts[0] == counts[1]

    def test_pages(self, hq):
        for _number in range(26):
            OrderFactory()

        assert len(self.found(hq)) == 25
        assert len(self.found(hq, page="2")) == 1


class TestOrderDetail:
    def test_shows_every_stage(self, hq):
        stages = Stages().plan().pick("CLOSED", 2, 1).pack(units=2).ship("CONFIRMED", "DONE", "OPEN")

        text = text_of(hq.get(reverse("overview:order-detail", args=[stages.order.pk])))

        assert stages.facility.name in text
        assert stages.job.short_id in text
        assert "1 missing: Not found" in text
        assert "Less than ordered" in text
        assert reverse("shipping:parcel-detail", args=[stages.facility.slug, stages.parcel.pk]) in text

    def test_shows_what_came_back_and_the_history_of_it(self, hq):
        job = taken(2)
        address = reverse("overview:order-detail", args=[job.order_id])
        assert "came back" not in text_of(hq.get(address))
        row = finished(job)

        text = " ".join(text_of(hq.get(address)).split())

        assert f"1 of 2 × {job.lines.get().title} came back" in text
        assert reverse("shipping:return-detail", args=[job.facility.slug, row.pk]) in text
        assert "Refund: 19.90 EUR." in text
        assert "Accepted: 1" in text

    def test_shows_an_order_nobody_can_place(self, hq):
        stages = Stages().plan("RETRYABLE")
        stages.order.lines.update(article=None)

        text = text_of(hq.get(reverse("overview:order-detail", args=[stages.order.pk])))

        assert "Unknown SKU" in text
        assert "Not placed yet" in text

    def test_takes_the_same_queries_for_more_lines(self, hq):
        counts = []
        for lines in ([("SKU-1", 1)], [("SKU-1", 1), ("SKU-2", 1), ("SKU-3", 1)]):
            order = OrderFactory(*lines)
            with CaptureQueriesContext(connection) as captured:
                hq.get(reverse("overview:order-detail", args=[order.pk]))
            counts.append(len(captured))

        assert counts[0] == counts[1]


class TestOrderCancel:
    def test_asks_and_then_cancels(self, hq):
        order = OrderFactory()
        url = reverse("overview:order-cancel", args=[order.pk])

        page = hq.get(url)
        response = hq.post(url, {"version": 1, "reason": "Customer called"})

        assert "Keep order" in text_of(page)
        assert response.url == reverse("overview:order-detail", args=[order.pk])
        order.refresh_from_db()
        assert order.status == Order.Status.CANCELLED
        assert "Customer called" in text_of(hq.get(response.url))

    def test_refuses_what_changed_meanwhile(self, hq):
        order = OrderFactory()

        response = hq.post(reverse("overview:order-cancel", args=[order.pk]), {"version": 9})

        assert response.status_code == 302
        order.refresh_from_db()
        assert order.status == Order.Status.OPEN


def test_unlock_releases_a_held_order(hq):
    order = OrderFactory(status="LOCKED")

    hq.post(reverse("overview:order-unlock", args=[order.pk]))

    order.refresh_from_db()
    assert order.status == Order.Status.OPEN


class TestWorkList:
    def park(self, **fields):
        return OutboxEntry.objects.create(
            event="OrderPlaced",
            payload={"order_id": str(OrderFactory().pk)},
            handler="routing.services.route_placed_orders",
            lane="routing",
            state="FAILED",
            last_error="ValueError: broken",
            **fields,
        )

    def test_shows_what_failed_and_retries_it(self, hq):
        first, second = self.park(), self.park()

        text = text_of(hq.get("/hq/work/"))
        hq.post(reverse("overview:work-retry", args=[first.pk]))

        assert "ValueError: broken" in text
        first.refresh_from_db()
        second.refresh_from_db()
        assert (first.state, second.state) == ("DUE", "FAILED")

    def test_retries_all(self, hq):
        self.park()
        self.park()

        hq.post(reverse("overview:work-retry-all"))

        assert not OutboxEntry.objects.filter(state="FAILED").exists()

    def test_says_when_the_worker_is_late(self, hq):
        OutboxEntry.objects.create(
            event="OrderPlaced",
            payload={},
            handler="x",
            lane="labels",
            due_at=timezone.now() - datetime.timedelta(minutes=10),
        )

        assert "Is the worker running?" in text_of(hq.get("/hq/work/"))
