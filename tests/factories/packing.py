"""Pack jobs for tests, as a closed pick job leaves them."""

from django.db import transaction
from django.utils import timezone

from fulfillment.core.models import Listing
from orders.models import Order, OrderLine
from packing import services as packing
from packing.models import BoxType, PackJob
from picking.events import PickJobClosed
from picking.models import PickJob, PickLine
from routing.models import RoutingPlan, RoutingPlanLine
from tests.factories.core import ArticleFactory, ChannelFactory, FacilityFactory

WEIGHT_G = 300


def box(name, length_mm=400, width_mm=300, height_mm=200, **fields):
    """A kind of box that every facility has, or the one that is named."""
    fields = {"tare_g": 100, "most_g": 10_000, **fields}
    return BoxType.objects.create(
        name=name, length_mm=length_mm, width_mm=width_mm, height_mm=height_mm, **fields
    )


def closed_pick_job(*picked, facility=None, kind=Order.Kind.SHIPPING, articles=None, number="1001"):
    """A closed pick job with one line per number of picked units (0: reported short)."""
    facility = facility or FacilityFactory()
    now = timezone.now()
    articles = articles or [ArticleFactory(weight_g=WEIGHT_G) for _units in picked]
    order = Order.objects.create(
        channel=ChannelFactory(),
        tenant_order_id=number,
        order_date=now,
        kind=kind,
        recipient_name="Anna Smit",
        collect_facility=facility if kind == Order.Kind.COLLECT else None,
    )
    plan = RoutingPlan.objects.create(
        order=order, facility=facility, status=RoutingPlan.Status.ROUTED, routed_at=now
    )
    job = PickJob.objects.create(
        status=PickJob.Status.CLOSED,
        facility=facility,
        order=order,
        plan=plan,
        kind=kind,
        short_id="AS1",
        order_date=now,
        closed_at=now,
    )
    for position, (units, article) in enumerate(zip(picked, articles, strict=True), start=1):
        line = OrderLine.objects.create(
            order=order,
            position=position,
            article=article,
            sku=article.sku,
            title=article.title,
            quantity=max(units, 1),
        )
        listing, _created = Listing.objects.get_or_create(facility=facility, article=article)
        PickLine.objects.create(
            job=job,
            plan_line=RoutingPlanLine.objects.create(plan=plan, order_line=line, quantity=line.quantity),
            order_line=line,
            article=article,
            listing=listing,
            title=article.title,
            quantity=line.quantity,
            picked=units,
            short=line.quantity - units,
            status=PickLine.Status.CLOSED,
        )
    return job


def pack_job(*picked, **options):
    """An open pack job with one line per number of picked units; options as for ``closed_pick_job``."""
    pick_job = closed_pick_job(*(picked or (2, 1)), **options)
    with transaction.atomic():
        packing.on_pick_job_closed(PickJobClosed(pick_job.pk), by=None, now=timezone.now())
    return PackJob.objects.get(pick_job=pick_job)


def started_pack_job(packer, *picked, **options):
    """A pack job that ``packer`` has begun; it has one package."""
    return packing.start(pack_job(*picked, **options).pk, by=packer, now=timezone.now())


def packed_job(packer, *picked, **options):
    """A closed pack job: everything in one weighed package. Emits ``PackJobClosed``."""
    job = started_pack_job(packer, *picked, **options)
    package = packing.pack_all(job.pk, by=packer, now=timezone.now())
    packing.set_weight(job.pk, package.pk, 1200, by=packer, now=timezone.now())
    return packing.close(job.pk, by=packer, now=timezone.now())
