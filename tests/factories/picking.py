"""Pick jobs for tests, as routing an order leaves them."""

import itertools
import uuid

from django.utils import timezone

from picking import scans
from picking import services as picking
from picking.models import PickJob, PickLine
from routing import services as routing
from tests.factories.core import ArticleFactory, FacilityFactory, StorageLocationFactory, put_stock
from tests.factories.orders import OrderFactory

_numbers = itertools.count(1)


def ean():
    """A new EAN-13 with its check digit."""
    body = f"400638{next(_numbers):06}"
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return f"{body}{-total % 10}"


def pick_job(*quantities, facility=None, spare=0, **order) -> PickJob:
    """The open pick job of a routed order: one line per quantity, each at a place of its own, in this order.

    Args:
        quantities: ordered units per line, 2 and 1 when none is given.
        spare: units on each place beyond those ordered.
        order: more for ``OrderFactory``.
    """
    facility = facility or FacilityFactory()
    lines = []
    for quantity in quantities or (2, 1):
        article = ArticleFactory(code=ean())
        put_stock(facility, article, quantity + spare, location=StorageLocationFactory(facility=facility))
        lines.append((article, quantity))
    return route(OrderFactory(*lines, preselected=[facility], **order))


def route(order) -> PickJob:
    """Route an order that one facility can serve; returns the pick job of it."""
    routing.route_order(order.pk, by=None, now=timezone.now())
    return PickJob.objects.get(order=order)


def started_pick_job(picker, *quantities, **options) -> PickJob:
    """A pick job that ``picker`` has begun."""
    return picking.start(pick_job(*quantities, **options).pk, by=picker, now=timezone.now())


def code_of(line):
    return line.article.codes.get().code


def act(job, kind, *, by, action_id=None, **fields):
    """One action of the scan screen, done by the service; returns its ``Answer``."""
    action = scans.Action(id=action_id or uuid.uuid4(), kind=kind, job=job.pk, **fields)
    return scans.act(action, facility=job.facility, by=by, now=timezone.now())


def book(job, *picked, by, reason="NOT_FOUND"):
    """Book so many units per line, in the order of the walk; the rest of each line is reported missing."""
    for line, units in zip(PickLine.objects.filter(job=job), picked, strict=True):
        if units:
            assert act(job, "quantity", by=by, line=line.pk, quantity=units).status_code == scans.BOOKED
        if units < line.quantity:
            assert act(job, "short", by=by, line=line.pk, reason=reason).status_code == scans.BOOKED
