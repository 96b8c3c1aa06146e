"""The whole way of an order over HTTP, as shop and staff walk it: from POST /api/orders to the handover."""

import json
import uuid
from collections import Counter

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import Listing, OutboxEntry, Stock
from orders.models import Order
from picking.models import PickJob
from routing import configurations
from routing.models import RoutingConfiguration
from shipping.models import HandoverJob, Parcel
from tests.factories.core import (
    ArticleFactory,
    FacilityCarrierFactory,
    FacilityFactory,
    StorageLocationFactory,
    api_token,
    put_stock,
    staff,
)
from tests.factories.orders import wire_order

pytestmark = pytest.mark.django_db


def work_off(*lanes):
    """What the workers do; messages to customers follow as they come."""
    for lane in (*lanes, "reports"):
        outbox.dispatch(lane, find=delivery_for)
    assert not OutboxEntry.objects.exclude(state=OutboxEntry.State.DONE).exclude(lane="webhooks").exists()


def store(**fields):
    facility = FacilityFactory(**fields)
    FacilityCarrierFactory(facility=facility)
    return facility


def stocked(article, units, *facilities):
    for facility in facilities:
        put_stock(facility, article, units, location=StorageLocationFactory(facility=facility))
    return article


class Shop:
    """What a shop does with its token."""

    def __init__(self, client):
        self.client, self.headers = client, {"Authorization": f"Bearer {api_token()}"}

    def place(self, data):
        response = self.client.post(
            "/api/orders",
            json.dumps(data),
            content_type="application/json",
            headers={**self.headers, "Idempotency-Key": data["tenantOrderId"]},
        )
        assert response.status_code == 201, response.content
        return Order.objects.get(pk=response.json()["id"])

    def read(self, order):
        return self.client.get(f"/api/orders/{order.pk}", headers=self.headers).json()


class Store:
    """What the people of a facility do in their pages."""

    def __init__(self, client, facility):
        self.client, self.facility = client, facility

    def open(self, name, *ids):
        response = self.client.get(reverse(name, args=[self.facility.slug, *ids]))
        assert response.status_code == 200, (name, response.status_code)
        return response

    def press(self, name, *ids, **data):
        response = self.client.post(reverse(name, args=[self.facility.slug, *ids]), data)
        assert response.status_code in {200, 302}, (name, response.status_code, response.content[:500])
        return response

    def scan(self, job, kind, **fields):
        action = {"id": str(uuid.uuid4()), "job": str(job.pk), "kind": kind, **fields}
        response = self.client.post(
            reverse("picking:scan", args=[self.facility.slug]),
            json.dumps(action),
            content_type="application/json",
        )
        assert response.status_code == 200, response.content
        return response.json()

    def pick(self, job):
        """Scan every unit of a job in the order of the walk and close it."""
        self.client.force_login(staff("picker", self.facility))
        self.open("picking:job-list")
        self.press("picking:job-start", job.pk)
        self.open("picking:job-detail", job.pk)
        for line in job.lines.all():
            for _unit in range(line.quantity):
                self.scan(job, "scan", code=line.article.codes.first().code)
        assert self.scan(job, "close")["kind"] == "closed"

    def pack(self, job, packages=1):
        """Put everything into packages, all but one with a single unit, weigh them and close."""
        self.client.force_login(staff("packer", self.facility))
        self.open("packing:job-list")
        self.press("packing:job-start", job.pk)
        first, line = job.packages.get(), job.lines.first()
        for _package in range(packages - 1):
            self.press("packing:package-add", job.pk)
            put = {"id": uuid.uuid4(), "kind": "put", "line": line.pk, "quantity": 1}
            self.press("packing:job-act", job.pk, package=job.packages.last().pk, **put)
        self.press("packing:job-pack-all", job.pk, package=first.pk)
        for package in job.packages.all():
            if job.needs_weights:
                units = sum(item.quantity for item in package.items.all())
                self.press("packing:package-weight", job.pk, package.pk, grams=300 * units + 100)
        self.open("packing:job-detail", job.pk)
        self.press("packing:job-close", job.pk)
        job.refresh_from_db()
        assert job.status == "CLOSED"

    def hand_over(self, job):
        self.client.force_login(staff("packer", self.facility))
        self.open("shipping:handover-list")
        self.open("shipping:handover-detail", job.pk)
        self.press("shipping:handover-confirm", job.pk, **({} if job.is_paid else {"is_payment_taken": "on"}))
        job.refresh_from_db()
        assert job.status == HandoverJob.Status.HANDED_OVER


def detail(client, order):
    client.force_login(staff("administrator"))
    response = client.get(reverse("overview:order-detail", args=[order.pk]))
    assert response.status_code == 200
    return response


def test_shipped_order_in_two_parts_reaches_the_carrier(client):
    amsterdam, utrecht = store(name="Amsterdam"), store(name="Utrecht", latitude=52.0907, longitude=5.1214)
    mug = stocked(ArticleFactory(code="4006381333931"), 2, amsterdam)
    lamp = stocked(ArticleFactory(code="4006381333948"), 5, utrecht)
    shop = Shop(client)

    order = shop.place(wire_order((mug, 2), (lamp, 1)))
    work_off("routing")

    jobs = {job.facility: job for job in PickJob.objects.filter(order=order)}
    assert set(jobs) == {amsterdam, utrecht}
    for facility, job in jobs.items():
        people = Store(client, facility)
        people.pick(job)
        people.pack(job.pack_job)
    work_off("labels")

    parcels = list(Parcel.objects.filter(order=order))
    assert {parcel.status for parcel in parcels} == {Parcel.Status.DONE}
    assert all(parcel.tracking_number for parcel in parcels)
    for parcel in parcels:
        people = Store(client, parcel.facility)
        client.force_login(staff("packer", parcel.facility))
        assert b"%PDF" in b"".join(people.open("shipping:document", parcel.label_id))
        people.hand_over(parcel.handover_job)

    assert [stock.value for stock in Stock.objects.order_by("pk")] == [0, 4]
    page = detail(client, order)
    process = page.context["process"]
    assert process.status == "FINISHED"
    assert (process.ordered, process.picked, process.packed, process.handed_over) == (3, 3, 3, 3)
    assert process.flags == []
    steps = [
        (change.entity, change.after) for change in page.context["changes"] for _time in range(change.times)
    ]
    assert steps[0] == ("orders.order", "OPEN")
    for entity, status in [
        ("routing.routingplan", "ROUTED"),
        ("picking.pickjob", "CLOSED"),
        ("packing.packjob", "CLOSED"),
        ("shipping.parcel", "DONE"),
        ("shipping.handoverjob", "HANDED_OVER"),
        ("shipping.shipment", "COMPLETED"),
    ]:
        assert steps.count((entity, status)) == 2, (entity, status)
    assert all(record.handed_over_at for record in order.parcel_records.all())
    assert shop.read(order)["version"] == 1


def test_order_in_several_shipments_is_reported_parcel_by_parcel(client):
    """Two shipments of one facility, one of them in two parcels, and one of another facility."""
    RoutingConfiguration.objects.update(partly_reservable="ROUTE")
    configurations.publish(by=None, now=timezone.now())
    amsterdam, utrecht = store(name="Amsterdam"), store(name="Utrecht", latitude=52.0907, longitude=5.1214)
    mug = stocked(ArticleFactory(code="4006381333931"), 2, amsterdam)
    lamp = stocked(ArticleFactory(code="4006381333948"), 5, utrecht)
    shop = Shop(client)
    order = shop.place(wire_order((mug, 3), (lamp, 1)))
    work_off("routing")
    stocked(mug, 1, amsterdam)  # the third one comes later, to the same facility
    work_off("routing")

    jobs = list(PickJob.objects.filter(order=order).order_by("-lines__quantity", "pk"))
    assert [(job.facility, job.lines.get().quantity) for job in jobs] == [
        (amsterdam, 2),
        (utrecht, 1),
        (amsterdam, 1),
    ]
    for job, packages in zip(jobs, [2, 1, 1], strict=True):
        people = Store(client, job.facility)
        people.pick(job)
        people.pack(job.pack_job, packages)
    work_off("labels")
    shipments = [job.shipment for job in jobs]
    for shipment in shipments:
        process = detail(client, order).context["process"]
        assert process.status != "FINISHED"
        for parcel in shipment.parcels.all():
            Store(client, parcel.facility).hand_over(parcel.handover_job)

    for shipment, parcels in zip(shipments, [2, 1, 1], strict=True):
        shipment.refresh_from_db()
        assert (shipment.status, shipment.parcels.count()) == ("COMPLETED", parcels)
        kinds = Counter(paper.kind for paper in shipment.papers.current())
        assert (kinds["DELIVERY_NOTE"], kinds["RETURN_SLIP"], kinds["PACKING_SLIP"]) == (1, 1, parcels)
    told = list(order.parcel_records.all())
    numbers = set(Parcel.objects.filter(order=order).values_list("tracking_number", flat=True))
    assert len(told) == len(numbers) == 4
    assert {record.tracking_number for record in told} == numbers
    assert all(record.handed_over_at for record in told)
    units = Counter()
    for record in told:
        units.update({item["line"]: item["quantity"] for item in record.items})
    assert units == {str(line.pk): line.quantity for line in order.lines.all()}
    process = detail(client, order).context["process"]
    assert (process.status, process.flags, process.handed_over) == ("FINISHED", [], 4)


def test_collected_order_reaches_the_customer(client):
    facility = store()
    mug = stocked(ArticleFactory(code="4006381333931"), 3, facility)
    preferences = {"collect": [{"facilityRef": str(facility.pk), "paid": True}]}

    order = Shop(client).place(wire_order((mug, 2), deliveryPreferences=preferences))
    work_off("routing")
    job = PickJob.objects.get(order=order)
    people = Store(client, facility)
    people.pick(job)
    people.pack(job.pack_job)
    work_off("labels")
    people.hand_over(HandoverJob.objects.get(order=order))

    assert not Parcel.objects.exists()
    assert Stock.objects.get().value == 1
    page = detail(client, order)
    process = page.context["process"]
    assert (process.status, process.handed_over) == ("FINISHED", 2)
    assert page.context["changes"][-1].after == "HANDED_OVER"


def test_order_nobody_can_place_stays_visible(client):
    store()

    order = Shop(client).place(wire_order(("SKU-NOBODY", 1)))
    work_off("routing")

    page = detail(client, order)
    assert page.context["process"].status == "CREATED"
    assert "Not placed yet" in page.content.decode()


def cancel(client, order):
    client.force_login(staff("administrator"))
    client.post(reverse("overview:order-cancel", args=[order.pk]), {"version": order.version})
    order.refresh_from_db()
    return order.status


def test_order_is_cancelled_until_something_is_picked(client):
    facility = store()
    mug = stocked(ArticleFactory(code="4006381333931"), 3, facility)
    shop = Shop(client)
    early, late = shop.place(wire_order((mug, 1))), shop.place(wire_order((mug, 1)))
    work_off("routing")
    Store(client, facility).pick(PickJob.objects.get(order=late))

    assert cancel(client, early) == Order.Status.CANCELLED
    assert cancel(client, late) == Order.Status.OPEN

    assert PickJob.objects.get(order=early).status == PickJob.Status.CANCELED
    assert Listing.objects.get().reserved == 0
    assert detail(client, early).context["process"].status == "CANCELED"
