"""Right before a label is booked, the source of an order is asked once more whether it is still wanted."""

import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from fulfillment.core.outbox import RetryLater
from fulfillment.core.status import transit
from orders.sources import freshness

from . import services
from .models import Parcel

CHANGED = gettext_noop(
    "The shop or the customer wants something else since it was packed. See under Order sources what is to happen, then book again."
)
# A source that does not answer for so long holds up no label: what the last poll brought counts.
GO_ON_AFTER = datetime.timedelta(minutes=15)


def is_held_back(parcel_id):
    """Whether a parcel that waits for its label must not get one; a person is asked then."""
    parcel = Parcel.objects.filter(pk=parcel_id, status=Parcel.Status.OPEN).first()
    if parcel is None:
        return False
    now = timezone.now()
    try:
        is_wanted = freshness.is_wanted(parcel.order_id, now=now)
    except RetryLater:
        if now - parcel.modified_at < GO_ON_AFTER:
            raise
        return False
    return not is_wanted and _ask(parcel_id, now)


@transaction.atomic
def _ask(parcel_id, now):
    parcel = services.lock_parcel(parcel_id)
    if parcel.status == Parcel.Status.OPEN:
        problem = {"outcome": "CHANGED", "code": "", "message": CHANGED, "fields": []}
        transit(parcel.ask, problem, by=None, now=now)
    return True
