"""Returns for tests, made by the services from goods that were handed over."""

from django.utils import timezone

from fulfillment.core.models import User
from shipping import returns, services
from shipping.models import HandoverJob, ReturnCondition, ReturnJob, Shipment
from tests.factories.shipping import collected, labelled, work


def sent(*picked, price="19.90", **options) -> ReturnJob:
    """The return job of an order that the carrier has; its units cost ``price``. Options as for ``parcel``."""
    parcel = labelled(*picked, **options)
    work()
    for job in HandoverJob.objects.filter(order=parcel.order):
        services.hand_over(job.pk, by=None, now=timezone.now())
    return _priced(ReturnJob.objects.get(order=parcel.order_id), price)


def taken(*picked, price="19.90", **options) -> ReturnJob:
    """The return job of an order that the customer collected."""
    job = collected(*picked, **options)
    services.hand_over(job.pk, by=None, now=timezone.now())
    return _priced(ReturnJob.objects.get(order=job.order_id), price)


def _priced(job, price):
    order = job.order
    order.extra = {**order.extra, "paymentInfo": {"currency": "EUR"}}
    order.save(update_fields=["extra"])
    for line in order.lines.all():
        line.wire = {**line.wire, "shopPrice": float(price)}
        line.save(update_fields=["wire"])
    return job


def slip_code(job):
    return Shipment.objects.filter(order=job.order_id).latest("pk").return_code


def condition(key="as-new"):
    return ReturnCondition.objects.get(key=key)


def opened(job, facility=None, by=None):
    """The return of a job, arrived at a facility; at the one that sent the goods by default."""
    return returns.open_at(facility or job.facility, job.pk, by=by, now=timezone.now())


def received(job, units=1, key="as-new", *, line=None, facility=None, by: User | None = None):
    """A return with units of a line, the first by default, in one condition."""
    item_return = opened(job, facility, by)
    line = line or job.lines.first()
    returns.receive(item_return.pk, line.pk, units, condition(key), by=by, now=timezone.now())
    item_return.refresh_from_db()
    return item_return


def finished(job, units=1, key="as-new", **options):
    item_return = received(job, units, key, **options)
    return returns.finish(item_return.pk, by=options.get("by"), now=timezone.now())
