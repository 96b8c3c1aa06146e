"""Which order goods belong to that somebody sends back."""

import re
import uuid

from django.db.models import Q

from fulfillment.core.codes import is_own_code, parcel_codes
from orders.models import Order
from shipping.models import ItemReturn, Parcel, ReturnJob, Shipment
from shipping.papers import RETURN_CODE_PREFIX

MOST_FOUND = 25
SHORTEST_NAME = 3
# What a scanner reads of a slip with a link; its signs come as other ones when the keyboard has another layout.
LINK = re.compile(r"\w+\W.*\W([0-9A-Z]{12})\W*", re.IGNORECASE)
PARCEL_CODES = ("return_tracking_number", "tracking_number", "code", "codes__code")


def find(facility, text):
    """(return jobs, whether the text names them exactly) of what a person scanned or typed at a facility.

    Codes of slips and labels and numbers of orders are known everywhere: goods may come back to any facility. Short ids
    and names of customers are looked for among what this facility sent, or got back.
    """
    text = text.strip()
    link = LINK.fullmatch(text)
    if link and is_own_code(link[1].upper(), RETURN_CODE_PREFIX):
        text = link[1].upper()
    codes = parcel_codes(text)
    jobs = ReturnJob.objects.exclude(status=ReturnJob.Status.CANCELED).select_related("order").order_by("-pk")
    # One look-up after the other: each has its index, and no database uses them all for one condition.
    orders = {
        *Shipment.objects.filter(return_code__in=codes).values_list("order", flat=True),
        *Order.objects.filter(tenant_order_id__in=codes).values_list("pk", flat=True)[:MOST_FOUND],
        *(found for path in PARCEL_CODES for found in _orders_of_parcels(path, codes)),
        *(found.order_id for found in announced_with(codes)),
        *filter(None, [_as_id(text)]),
    }
    exact = list(jobs.filter(order__in=orders)[:MOST_FOUND])
    if exact:
        return exact, True
    named = Q(short_id__iexact=text)
    if len(text) >= SHORTEST_NAME:
        named |= Q(order__recipient_name__icontains=text)
    return list(jobs.at_any([facility.pk]).filter(named)[:MOST_FOUND]), False


def _orders_of_parcels(path, codes):
    return Parcel.objects.filter(**{f"{path}__in": codes}).values_list("order", flat=True)[:MOST_FOUND]


def announced_with(codes):
    """Returns that were announced with one of the codes, and have not ended."""
    # The text of the list narrows it down on every database; the exact code decides.
    narrowed = Q(pk__in=[])
    for code in filter(None, codes):
        narrowed |= Q(scannable_codes__icontains=code)
    found = ItemReturn.objects.unfinished().filter(narrowed)
    return [one for one in found if set(codes) & set(one.scannable_codes)]


def _as_id(text):
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def of_slip(code):
    """(shipment, return job or None) of the code on a return slip; (None, None) when it is no such code."""
    shipment = Shipment.objects.filter(return_code=code.strip().upper()).first()
    if shipment is None:
        return None, None
    return shipment, ReturnJob.objects.filter(order=shipment.order_id).first()
