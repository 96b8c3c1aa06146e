"""What the pages show of connections, deliveries and reports."""

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from .models import Connection, Delivery, ImportedOrder, Report


def connections():
    """All connections with how many deliveries and reports of each wait for a person."""
    return Connection.objects.select_related("channel").annotate(
        parked=_count(Delivery.objects.parked()), refused=_count(Report.objects.failed())
    )


def _count(rows):
    counted = (
        rows.filter(connection=OuterRef("pk")).order_by().values("connection").annotate(rows=Count("pk"))
    )
    return Coalesce(Subquery(counted.values("rows")), 0)


def parked(text=""):
    """Deliveries that wait for a person, newest first; ``text`` narrows by number and id."""
    rows = Delivery.objects.parked().for_list()
    if text := text.strip():
        rows = rows.filter(Q(number__icontains=text) | Q(external_id__icontains=text))
    return rows


def imported(delivery):
    """What became of earlier versions of the order in a delivery, one row per ship group."""
    if not delivery.external_id:
        return []
    same = ImportedOrder.objects.filter(
        connection=delivery.connection, external_id=delivery.external_id, order__isnull=False
    )
    return list(same.order_by("group"))


def refused():
    """Reports that a source refused, newest first."""
    return (
        Report.objects.failed()
        .select_related("connection", "imported__connection", "imported__order")
        .order_by("-pk")
    )


def link_of(order):
    """Where an order came from, with its reports; None for one that no connector brought."""
    return (
        ImportedOrder.objects.select_related("connection")
        .prefetch_related("reports__connection")
        .filter(order=order)
        .first()
    )
