"""A promise, an order that is not real yet, is confirmed, extended or ends."""

import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused, WrongStatus
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_change, transit
from orders.events import PromiseConfirmed, PromiseExpired
from orders.models import PROMISE, Order

from .placing import refuse_number_in_use

EXTENSION = datetime.timedelta(hours=1)


class PromiseEnded(Refused):
    text = _("The promise of order %(order)s has ended.")


class BadPromiseEnd(Refused):
    status_code = 400
    text = _("validUntil: must be later than before, and 1 minute to 8 hours ahead.")


@transaction.atomic
def confirm_promise(order_id, *, number=None, by, now, version=None):
    """Make a promised order a real one. Refuses a promise that has ended, a number in use, and an old version.

    Args:
        number: the order number of the shop, which it may not have had when it asked for the promise.
    """
    order = _lock_promise(order_id, "confirm promise", now, version)
    if number is not None and number != order.tenant_order_id:
        refuse_number_in_use(order.channel, number)
        order.tenant_order_id = number
        order.save(update_fields=["tenant_order_id", "modified_at"])
    transit(order.confirm_promise, by=by, now=now)
    emit(PromiseConfirmed(order_id=order.pk), by=by, now=now)
    return order


@transaction.atomic
def extend_promise(order_id, *, until=None, by, now, version=None):
    """Let a promise end later, by an hour when nothing else is said. Refuses one that has ended, and an old version."""
    order = _lock_promise(order_id, "extend promise", now, version)
    if until is None:
        until = min(order.promised_until + EXTENSION, now + PROMISE[1])
    if until < order.promised_until or not PROMISE[0] <= until - now <= PROMISE[1]:
        raise BadPromiseEnd
    order.promised_until = until
    order.extra = {**order.extra, "promisesOptions": {"validUntil": until.isoformat()}}
    order.version += 1
    order.save(update_fields=["promised_until", "extra", "version", "modified_at"])
    log_change(order, "extend_promise", by=by, now=now)
    return order


def _lock_promise(order_id, action, now, version):
    order = Order.objects.lock(pk=order_id)
    check_version(order, version)
    if order.status != Order.Status.PROMISED:
        raise WrongStatus(thing=order, status=order.get_status_display(), action=action)
    if order.promised_until <= now:
        raise PromiseEnded(order=order)
    return order


def expire_promises(*, now):
    """End the promises that nobody confirmed in time, each in a transaction of its own; returns how many."""
    ended = Order.objects.filter(status=Order.Status.PROMISED, promised_until__lte=now)
    expired = 0
    for order_id in ended.order_by("promised_until").values_list("pk", flat=True):
        with transaction.atomic():
            order = Order.objects.lock(pk=order_id)
            if order.status == Order.Status.PROMISED and order.promised_until <= now:
                transit(order.expire, by=None, now=now, reason=str(_("The promise ended.")))
                emit(PromiseExpired(order_id=order.pk), by=None, now=now)
                expired += 1
    return expired
