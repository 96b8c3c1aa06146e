"""Shipments, parcels and handovers for tests, made by the services from a pick job that is closed."""

from django.db import transaction
from django.utils import timezone

from fulfillment.core import outbox
from fulfillment.core.events import delivery_for
from fulfillment.core.models import FacilityCarrier, OutboxEntry
from orders.models import Order
from packing import services as packing
from packing.models import PackJob
from picking.events import PickJobClosed
from shipping import services as shipping
from shipping.models import CarrierConnection, HandoverJob, Parcel, Shipment
from tests.factories.core import CarrierFactory, FacilityCarrierFactory, FacilityFactory
from tests.factories.orders import ADDRESS
from tests.factories.packing import closed_pick_job


def packed(
    *picked,
    facility=None,
    packages=1,
    goes_on=0,
    address=None,
    kind=Order.Kind.SHIPPING,
    number="1001",
    grams=1200,
    **options,
):
    """The closed pack job of an order with one line per number of picked units.

    Args:
        packages: over how many packages the units of the first line are spread.
        goes_on: in how many more packages the first unit goes on.
        address: fields that replace those of the recipient's address.
        grams: what each package weighs.
    """
    now = timezone.now()
    job = closed_pick_job(*(picked or (2, 1)), facility=facility, kind=kind, number=number, **options)
    job.order.consumer = {"addresses": [{**ADDRESS, **(address or {})}]}
    job.order.save(update_fields=["consumer"])
    with transaction.atomic():
        packing.on_pick_job_closed(PickJobClosed(job.pk), by=None, now=now)
        shipping.on_pick_job_closed(PickJobClosed(job.pk), by=None, now=now)
    pack_job = packing.start(PackJob.objects.get(pick_job=job).pk, by=None, now=now)
    first = pack_job.packages.get()
    for _package in range(packages - 1):
        package = packing.add_package(pack_job.pk, by=None, now=now)
        packing.put(pack_job.pk, pack_job.lines.first().pk, package.pk, 1, by=None, now=now)
    packing.pack_all(pack_job.pk, first.pk, by=None, now=now)
    for _package in range(goes_on):
        packing.go_on(pack_job.pk, pack_job.lines.first().pk, first.pk, None, 1, by=None, now=now)
    for package in pack_job.packages.all():
        packing.set_weight(pack_job.pk, package.pk, grams, confirmed=True, by=None, now=now)
    return packing.close(pack_job.pk, by=None, now=now)


def shipment(*picked, facility=None, carrier="demo", **options):
    """A shipment whose labels are requested from a carrier of that name; of none when it is empty."""
    facility = facility or FacilityFactory()
    if carrier and not FacilityCarrier.objects.filter(facility=facility).exists():
        FacilityCarrierFactory(
            facility=facility, carrier=CarrierFactory(key=carrier, name=carrier.title(), adapter=carrier)
        )
    return Shipment.objects.get(pick_job=packed(*picked, facility=facility, **options).pick_job_id)


def parcel(*picked, **options):
    """A parcel that waits for its label; options as for ``shipment``."""
    return Parcel.objects.get(shipment=shipment(*picked, **options))


def labelled(*picked, **options):
    """A parcel with its label, ready for the carrier; options as for ``shipment``."""
    waiting = parcel(*picked, **options)
    work()
    return Parcel.objects.get(pk=waiting.pk)


def connected(facility, adapter, url="", *, key="", credentials=None, **fields):
    """A connection of the facility to a carrier that is booked by this adapter."""
    carrier = CarrierFactory(key=key or adapter.replace("_", "-"), name=adapter.title(), adapter=adapter)
    connection = CarrierConnection(
        link=FacilityCarrierFactory(facility=facility, carrier=carrier),
        adapter=adapter,
        base_url=url,
        **fields,
    )
    connection.credentials = credentials or {}
    connection.save()
    return connection


def collected(*picked, **options):
    """The handover of an order that the customer collects."""
    job = packed(*picked, kind=Order.Kind.COLLECT, **options)
    return HandoverJob.objects.get(pick_job=job.pick_job_id)


def work():
    """Let the worker of the labels do what is due, be it later."""
    OutboxEntry.objects.filter(state=OutboxEntry.State.DUE).update(due_at=timezone.now())
    return outbox.dispatch("labels", find=delivery_for)
