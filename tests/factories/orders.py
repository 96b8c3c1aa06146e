"""Orders for tests, placed through the same service as those of a shop."""

import itertools

from django.utils import timezone

from orders import services
from orders.models import Order
from tests.factories.core import ChannelFactory, FacilityFactory

_numbers = itertools.count(1)

ADDRESS = {
    "addressType": "POSTAL_ADDRESS",
    "firstName": "Anna",
    "lastName": "de Vries",
    "street": "Keizersgracht",
    "houseNumber": "100",
    "postalCode": "1015 CN",
    "city": "Amsterdam",
    "country": "NL",
    "coordinates": {"lat": 52.3752, "lon": 4.8840},
}


def wire_line(article=None, quantity=1, sku=None, **fields):
    """One line in wire form, for an article or just a SKU."""
    sku = sku or article.sku
    title = article.title if article else f"Article {sku}"
    return {"article": {"tenantArticleId": sku, "title": title}, "quantity": quantity, **fields}


def wire_order(*lines, address=None, **fields):
    """An order as a shop sends it. ``lines`` as of ``wire_line``, or (article or SKU, quantity) pairs."""
    items = [
        line
        if isinstance(line, dict)
        else wire_line(
            **({"sku": line[0]} if isinstance(line[0], str) else {"article": line[0]}), quantity=line[1]
        )
        for line in lines or [("SKU-UNKNOWN", 1)]
    ]
    return {
        "tenantOrderId": f"T-{next(_numbers):05}",
        "orderDate": "2026-03-02T09:00:00Z",
        "consumer": {"email": "anna@example.com", "addresses": [{**ADDRESS, **(address or {})}]},
        "orderLineItems": items,
        **fields,
    }


class OrderFactory:
    """``OrderFactory((article, 2), ("SKU-9", 1), country="DE")``; ``collect=facility`` for click and collect.

    Args:
        lines: (article or SKU, quantity) pairs or lines in wire form; one line of an unknown SKU when none is given.
        channel: sales channel, the web shop when not given.
        collect: the facility where the customer collects.
        preselected: facilities the shop chose.
        address: fields that replace those of the address.
        fields: more fields of the order in wire form.
    """

    def __new__(cls, *lines, channel=None, collect=None, preselected=(), address=None, **fields) -> Order:
        preferences = fields.pop("deliveryPreferences", {})
        if collect is not None:
            preferences["collect"] = [{"facilityRef": str(collect.pk), "paid": True}]
        if preselected:
            preferences["shipping"] = {
                "preselectedFacilities": [{"facilityRef": str(facility.pk)} for facility in preselected]
            }
        data = wire_order(*lines, address=address, **fields)
        if preferences:
            data["deliveryPreferences"] = preferences
        return services.place(data, channel=channel or ChannelFactory(), by=None, now=timezone.now())

    @classmethod
    def collect(cls, *lines, facility=None, **fields):
        """A click-and-collect order, paid, at a new facility when none is given."""
        return cls(*lines, collect=facility or FacilityFactory(), **fields)
