"""The rows of all stages behind one order, made step by step without the services: for pages that only read them."""

import dataclasses
import datetime
import uuid

from orders.models import ShortRecord
from packing.models import Package, PackageItem, PackJob, PackLine
from picking.models import PickJob, PickLine
from routing.models import RoutingPlan, RoutingPlanLine
from shipping.models import (
    HandoverJob,
    ItemReturn,
    Parcel,
    ReturnCondition,
    ReturnedItem,
    ReturnJob,
    ReturnJobLine,
    Shipment,
)
from tests.factories.core import ArticleFactory, CarrierFactory, FacilityFactory, ListingFactory
from tests.factories.orders import OrderFactory

NOON = datetime.datetime(2026, 3, 2, 12, 0, tzinfo=datetime.UTC)


class Stages:
    """``Stages().plan().pick("CLOSED", picked=3).pack().ship()``: an order of three units of one article."""

    def __init__(self, **fields):
        self.facility = FacilityFactory()
        self.article = ArticleFactory()
        self.listing = ListingFactory(facility=self.facility, article=self.article)
        self.order = OrderFactory((self.article, 3), **fields)
        self.line = self.order.lines.get()

    def plan(self, status="ROUTED"):
        self.plan_ = RoutingPlan.objects.create(
            order=self.order,
            facility=self.facility if status == "ROUTED" else None,
            routed_at=NOON if status == "ROUTED" else None,
            status=status,
        )
        self.plan_line = RoutingPlanLine.objects.create(plan=self.plan_, order_line=self.line, quantity=3)
        return self

    def pick(self, status="OPEN", picked=0, short=0):
        self.job = PickJob.objects.create(
            facility=self.facility,
            order=self.order,
            plan=self.plan_,
            kind="SHIPPING",
            short_id="AV1",
            order_date=NOON,
            status=status,
            started_at=NOON,
            closed_at=NOON,
        )
        self.pick_line = PickLine.objects.create(
            job=self.job,
            plan_line=self.plan_line,
            order_line=self.line,
            article=self.article,
            listing=self.listing,
            title="Mug",
            quantity=3,
            picked=picked,
            short=short,
        )
        if short:
            ShortRecord.objects.create(
                line=self.line, facility=self.facility, quantity=short, reason="NOT_FOUND", recorded_at=NOON
            )
        return self

    def pack(self, status="CLOSED", units=3):
        self.pack_job = PackJob.objects.create(
            facility=self.facility,
            order=self.order,
            pick_job=self.job,
            kind="SHIPPING",
            short_id="AV1",
            status=status,
            started_at=NOON,
            closed_at=NOON,
        )
        self.pack_line = PackLine.objects.create(
            job=self.pack_job,
            pick_line=self.pick_line,
            order_line=self.line,
            article=self.article,
            title="Mug",
            quantity=units,
        )
        self.package = Package.objects.create(job=self.pack_job, number=1, code=uuid.uuid4().hex[:20])
        PackageItem.objects.create(package=self.package, line=self.pack_line, quantity=units)
        return self

    def ship(self, status="COMPLETED", parcel="DONE", handover="HANDED_OVER"):
        self.shipment = Shipment.objects.create(
            facility=self.facility,
            order=self.order,
            pick_job=self.job,
            short_id="AV1",
            recipient=dataclasses.asdict(self.order.shipping_address),
            status=status,
        )
        self.parcel = Parcel.objects.create(
            facility=self.facility,
            order=self.order,
            shipment=self.shipment,
            package=self.package,
            carrier=CarrierFactory(),
            code=self.package.code,
            weight_g=1,
            length_mm=1,
            width_mm=1,
            height_mm=1,
            tracking_number="1" if parcel == "DONE" else "",
            status=parcel,
        )
        if handover:
            self.handover = HandoverJob.objects.create(
                channel="DELIVERY",
                facility=self.facility,
                order=self.order,
                pick_job=self.job,
                parcel=self.parcel,
                short_id="AV1",
                recipient_name="Anna",
                handed_over_at=NOON if handover == "HANDED_OVER" else None,
                status=handover,
            )
        return self

    def give_back(self, status="IN_PROGRESS"):
        """Of three units that were delivered one is back."""
        self.return_job = ReturnJob.objects.create(
            order=self.order, facility=self.facility, short_id="AV1", status="IN_PROGRESS"
        )
        self.return_line = ReturnJobLine.objects.create(
            job=self.return_job,
            order_line=self.line,
            article=self.article,
            title="Mug",
            delivered=3,
            returned=1,
        )
        self.item_return = ItemReturn.objects.create(
            job=self.return_job,
            order=self.order,
            facility=self.facility,
            opened_at=NOON,
            finished_at=NOON if status == "FINISHED" else None,
            status=status,
        )
        self.returned_item = ReturnedItem.objects.create(
            item_return=self.item_return,
            line=self.return_line,
            received_at=NOON,
            condition=ReturnCondition.objects.get(key="as-new"),
            verdict="ACCEPTED",
            place="STOCK",
            refund_percent=100,
        )
        return self
