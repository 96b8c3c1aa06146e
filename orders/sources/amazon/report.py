"""Each parcel is confirmed with its number within the order; Amazon knows it by that number."""

from django.utils import timezone

from orders.sources import http
from orders.sources.kind import NotReportable
from orders.sources.models import Report
from orders.sources.reading import first, iso, items, text

from . import mapping

# As Amazon spells its carriers, by the letters and digits of their names.
CARRIERS = {
    "".join(filter(str.isalnum, name.lower())): name
    for name in (
        *(
            "DHL",
            "DHL eCommerce",
            "DHL Express",
            "DHL Freight",
            "Deutsche Post",
            "DPD",
            "GLS",
            "Hermes",
            "UPS",
            "FedEx",
        ),
        *(
            "USPS",
            "TNT",
            "PostNL",
            "bpost",
            "La Poste",
            "Colissimo",
            "Chronopost",
            "Royal Mail",
            "Evri",
            "SEUR",
            "BRT",
        ),
        *(
            "Correos",
            "Poste Italiane",
            "InPost",
            "Österreichische Post",
            "Swiss Post",
            "Poczta Polska",
            "PostNord",
        ),
    )
}
OTHER = "Other"


def find(client, job):
    """The reference of what an earlier attempt left there, None when it did not arrive."""
    order = http.known(client.order(job.order_id))
    if job.what == Report.What.CANCELLED:
        return "cancelled" if mapping.status_of(order) in mapping.CANCELLED else None
    if job.what != Report.What.SHIPPED:
        return None
    found = (_reference(package) for package in items(order.get("packages")) if _is_ours(package, job))
    return next(found, None)


def _reference(package):
    return first(package.get("packageReferenceId"), package.get("trackingNumber"))


def _is_ours(package, job):
    """By the tracking number; by our reference where there is none."""
    if job.parcel.tracking_number:
        return text(package.get("trackingNumber")) == job.parcel.tracking_number
    return text(package.get("packageReferenceId")) == str(job.number)


def send(client, job):
    if job.what == Report.What.SHORT or job.is_collected:
        raise NotReportable("NO_ROUTE")  # only whole orders can be cancelled, and only parcels confirmed
    try:
        return _cancel(client, job) if job.what == Report.What.CANCELLED else _ship(client, job)
    except http.Conflict:
        if remote_id := find(client, job):
            return remote_id
        raise


def change(client, job):
    """The package with the same reference is edited, so the same call twice does no harm."""
    return find(client, job) or _ship(client, job)


def _cancel(client, job):
    if not text(client.options["cancel_path"]):
        raise NotReportable("SWITCHED_OFF", is_fault=False)
    client.cancel(job.order_id)
    return "cancelled"


def _ship(client, job):
    parcel, facts = job.parcel, job.imported.facts
    marketplaces = client.options["marketplaces"] or []
    shipped_at = min(parcel.handed_over_at or parcel.recorded_at, timezone.now())
    package = {
        "packageReferenceId": str(job.number),
        **_carrier(client, job),
        "shippingMethod": facts.get("serviceLevel", ""),
        "trackingNumber": parcel.tracking_number,
        "shipDate": iso(shipped_at),
        "orderItems": [{"orderItemId": line.line_id, "quantity": line.quantity} for line in job.lines],
    }
    shipment = {
        "marketplaceId": first(facts.get("marketplaceId"), *marketplaces),
        "packageDetail": {name: value for name, value in package.items() if value},
    }
    client.confirm(job.order_id, shipment)
    return str(job.number)


def _carrier(client, job):
    """The code of the table or the one that has the name of ours; any other carrier is named in words."""
    code = (client.options["carriers"] or {}).get(job.carrier_key)
    for name in (job.carrier, job.carrier_key):
        code = code or CARRIERS.get("".join(filter(str.isalnum, name.lower())))
    if code and code.lower() != OTHER.lower():
        return {"carrierCode": code}
    return {"carrierCode": OTHER, "carrierName": job.carrier}
