"""Which carrier takes a shipment, with which product, and through which connection it is booked."""

from typing import NamedTuple

from fulfillment.core.models import Carrier, FacilityCarrier
from orders.models import Order

from .models import CarrierConnection


class Choice(NamedTuple):
    carrier: Carrier
    product: str


def connection_of(facility_id, carrier):
    """The connection of a facility to a carrier; without one an unsaved one that names the carrier's adapter only."""
    found = (
        CarrierConnection.objects.for_booking()
        .filter(link__facility=facility_id, link__carrier=carrier)
        .first()
    )
    return found or _bare(FacilityCarrier(facility_id=facility_id, carrier=carrier))


def _bare(link):
    return CarrierConnection(link=link, adapter=link.carrier.adapter)


def products_at(facility_id):
    """{carrier: [names of its products]} of a facility, for those that have some to choose from."""
    rows = CarrierConnection.objects.filter(link__facility=facility_id).exclude(products=[])
    return {
        carrier_id: [entry["product"] for entry in products if entry["product"] != "RETURN"]
        for carrier_id, products in rows.values_list("link__carrier", "products")
    }


def choose_carrier(shipment, wanted=None, product=""):
    """The carrier and product for a shipment, None when nobody delivers there.

    Only active ones that deliver to the address. Those that the order prefers go first, in its order, then those of
    its service level, then by the facility's priority.

    Args:
        wanted: the only carrier to look at, None for the facility's best.
        product: the product to take where the carrier has it.
    """
    links = FacilityCarrier.objects.filter(
        facility_id=shipment.facility_id, status=Carrier.Status.ACTIVE, carrier__status=Carrier.Status.ACTIVE
    ).select_related("carrier", "connection", "facility")
    if wanted is not None:
        links = links.filter(carrier=wanted)
    products = _preferred(shipment.order)
    keys = list(products)
    level = shipment.order.service_level == Order.ServiceLevel.SAMEDAY

    def rank(link):
        key = link.carrier.key
        is_sameday = link.carrier.delivery_type == Carrier.DeliveryType.SAMEDAY
        return (
            keys.index(key) if key in products else len(keys),
            is_sameday != level,
            link.priority,
            link.pk,
        )

    country, postal_code = shipment.recipient["country"], shipment.recipient.get("postal_code", "")
    for link in sorted(links, key=rank):
        if link.delivery_countries and country not in link.delivery_countries:
            continue
        connection = getattr(link, "connection", None) or _bare(link)
        if connection.delivers_to(country, postal_code):
            asked = product or products.get(link.carrier.key, "")
            return Choice(link.carrier, connection.product_for(country, asked) or "")
    return None


def _preferred(order):
    """{key of a carrier: product} in the order in which the shop prefers them."""
    shipping = order.delivery_preferences.get("shipping") or {}
    found = {
        entry["carrierKey"]: entry.get("carrierProduct") or ""
        for entry in shipping.get("preferredCarriersWithProduct") or []
    }
    for key in shipping.get("preferredCarriers") or []:
        found.setdefault(key, "")
    return found
