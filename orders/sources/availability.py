"""Stock figures for sources that take them: what is available for picking, per SKU over the whole network.

Debounced by a pace per connection: whatever happened meanwhile, only figures that differ from the last ones sent go out.
"""

import datetime

from django.db.models import Q, Sum
from django.utils import timezone

from fulfillment.core import rows
from fulfillment.core.models import Facility, Listing

from . import http
from .kind import Figure
from .models import Connection, SentStock
from .registry import KINDS, open_client

LEASE = datetime.timedelta(minutes=10)
MOST = 2000  # figures of one turn; the rest follows at once


def due(now):
    """Connections that want figures and whose pace allows it."""
    able = [kind.key for kind in KINDS.values() if kind.has_availability]
    wanted = Connection.objects.active().filter(kind__in=able, settings__availability_minutes__gt=0)
    return list(
        wanted.filter(Q(availability_due_at=None) | Q(availability_due_at__lte=now)).values_list(
            "pk", flat=True
        )
    )


def push(connection_id, *, now):
    """Send the figures that changed; returns how many the source took. One worker at a time per connection."""
    is_due = Q(availability_due_at=None) | Q(availability_due_at__lte=now)
    mine = Connection.objects.active().filter(pk=connection_id)
    if not mine.filter(is_due).update(availability_due_at=now + LEASE):
        return 0
    connection = mine.get()
    pause, taken = datetime.timedelta(minutes=connection.settings["availability_minutes"]), 0
    try:
        figures = changed(connection, now=now)
        if figures[MOST:]:
            pause = datetime.timedelta(0)
        if figures:
            taken = _send(connection, figures[:MOST])
    except http.SourceError as failure:
        if isinstance(failure, http.Throttled):
            pause = datetime.timedelta(seconds=failure.seconds)
        mine.note_error(failure, now=timezone.now())
    finally:
        mine.update(availability_due_at=timezone.now() + pause)
    return taken


def changed(connection, *, now):
    """Figures that differ from what the source was told; SKUs it was told of and that are gone are 0."""
    today = now.date()
    listings = Listing.objects.filter(
        facility__status=Facility.Status.ONLINE, status=Listing.Status.ACTIVE
    ).with_available(today)
    units = dict(
        listings.order_by()
        .values("article__sku")
        .annotate(units=Sum("available"))
        .values_list("article__sku", "units")
    )
    sent = {one.sku: one for one in SentStock.objects.filter(connection=connection)}
    figures = [
        Figure(
            sku,
            units.get(sku, 0),
            sent[sku].units if sku in sent else None,
            sent[sku].notes if sku in sent else {},
        )
        for sku in sorted(units.keys() | sent.keys())
    ]
    return [figure for figure in figures if figure.units != figure.before]


def _send(connection, figures):
    by_sku = {figure.sku: figure for figure in figures}
    taken: list[tuple[Figure, dict]] = []
    with open_client(connection) as client:
        try:
            for sku, notes in client.push_availability(figures):
                taken.append((by_sku[sku], notes))
        finally:
            # What was taken before a failure need not be sent again.
            _remember(connection, taken)
    return len(taken)


def _remember(connection, taken):
    old = [figure for figure, _notes in taken if figure.before is not None]
    SentStock.objects.filter(connection=connection, sku__in=[figure.sku for figure in old]).delete()
    rows.insert_missing(
        SentStock,
        ("connection_id", "sku", "units", "notes"),
        [(connection.pk, figure.sku, figure.units, notes) for figure, notes in taken],
    )
