"""An order is cancelled, and by force when the installation allows it."""

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused, VersionConflict
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, transit
from orders.events import OrderCancelled
from orders.models import Order


class ForceCancelOff(Refused):
    text = _("FORCE_CANCEL is switched off in this installation.")


class ForceCancelTooFar(Refused):
    text = _("Order %(order)s cannot be cancelled by force: %(why)s")


@transaction.atomic
def cancel(order_id, *, by, now, reason="", version=None, is_forced=False):
    """Cancel an order and everything that hangs on it; a cancelled order stays as it is.

    Refuses an old version, and whatever a later stage refuses because it is too far.
    """
    order = Order.objects.lock(pk=order_id)
    if order.status == Order.Status.CANCELLED:
        return order
    check_version(order, version)
    transit(order.cancel, now, by=by, now=now, reason=reason)
    emit(OrderCancelled(order_id=order.pk, is_forced=is_forced), by=by, now=now)
    return order


@transaction.atomic
def force_cancel(order_id, *, by, now, reason="", version=None):
    """Cancel an order that ``cancel`` would refuse, when the installation allows it.

    What is picked becomes work: somebody puts it back on its shelf. Refuses when goods have left the building.
    """
    if not settings.FORCE_CANCEL_ALLOWED:
        raise ForceCancelOff
    try:
        return cancel(order_id, by=by, now=now, reason=reason, version=version, is_forced=True)
    except VersionConflict:
        raise
    except Refused as refusal:
        raise ForceCancelTooFar(order=Order.objects.get(pk=order_id), why=refusal.message) from refusal
