"""Deliveries name customers: their content is kept for a time only, their ids for good."""

import datetime

from django.db.models import Q

from .models import Connection, Delivery
from .reasons import reason


def forget_old(*, now):
    """Delete the content of deliveries that were kept long enough; returns how many.

    The rows stay: their ids tell a repeat, however late. Parked ones lose their content too, and say so.
    """
    count = 0
    for connection in Connection.objects.all():
        oldest = now - datetime.timedelta(days=connection.keep_raw_days)
        old = Delivery.objects.filter(
            ~Q(body=b"") | ~Q(correction="") | ~Q(corrections={}),
            connection=connection,
            received_at__lt=oldest,
        )
        gone = reason("RAW_FORGOTTEN")
        old.parked().update(state=Delivery.State.IGNORED, reason_code=gone.code, reason_params={})
        count += old.update(body=b"", correction="", corrections={})
    return count
