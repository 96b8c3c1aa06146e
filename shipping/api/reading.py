"""What the requests for shipments, parcels and handover jobs have in common."""

from django.db.models import Q
from django_countries import countries
from rest_framework.exceptions import ValidationError

import packing.services as packing
from fulfillment.core.api import paging
from fulfillment.core.api.document import PAGE
from fulfillment.core.api.references import at_facilities
from fulfillment.core.api.schema import Text, moment
from fulfillment.core.errors import NotOffered
from fulfillment.core.models import Carrier
from orders.models import Address

LIST = {
    **PAGE,
    **dict.fromkeys(("facilityRef", "pickJobRef", "tenantOrderId", "status", "searchTerm"), Text(500)),
    "startTargetTime": moment,
    "endTargetTime": moment,
}
CHANGED = (404, 409, 422)
ADDRESS = {
    "companyName": "name",
    "street": "street",
    "houseNumber": "house_number",
    "additionalAddressInfo": "addition",
    "postalCode": "postal_code",
    "city": "city",
    "province": "province",
    "country": "country",
}
ADDRESS_NEEDS = ("companyName", "street", "postalCode", "city", "country")


def filtered(request, rows, paths):
    """Filter by the query parameters that shipments and handover jobs share.

    Args:
        paths: ``{name of an id parameter: ORM path}``.
    """
    if references := paging.values(request, "facilityRef"):
        rows = at_facilities(rows, references)
    for name, path in paths.items():
        found = paging.ids(request, name)
        if found is not None:
            rows = rows.filter(**{f"{path}__in": found})
    if statuses := paging.values(request, "status"):
        rows = rows.filter(status__in=statuses)
    if number := request.query_params.get("tenantOrderId"):
        rows = rows.filter(order__tenant_order_id=number)
    if begin := paging.moment(request, "startTargetTime"):
        rows = rows.filter(target_time__gte=begin)
    if end := paging.moment(request, "endTargetTime"):
        rows = rows.filter(target_time__lte=end)
    return searched(request, rows)


def searched(request, rows):
    """Those with the ``searchTerm`` as their short id, or in the number or recipient of their order."""
    term = request.query_params.get("searchTerm", "")[:200]
    if not term:
        return rows
    return rows.filter(
        Q(short_id__iexact=term)
        | Q(order__tenant_order_id__icontains=term)
        | Q(order__recipient_name__icontains=term)
    )


def carrier_of(reference, path):
    """The carrier that a body names by its id or key, None when it names none."""
    if not reference:
        return None
    lookup = Q(key=reference)
    if found := paging.as_uuid(reference):
        lookup |= Q(pk=found)
    carrier = Carrier.objects.filter(lookup).first()
    if carrier is None:
        raise ValidationError({path: [f"There is no carrier {reference!r}."]})
    return carrier


def recipient_of(data):
    """An address in wire form as fields of ``orders.models.Address``; only what is given."""
    given = vars(Address.from_wire(data))
    return {name: value for name, value in given.items() if value}


def contact_of(data, path):
    """A ``FacilityAddress`` as fields of a ``Contact``; empty when nothing is given."""
    given = {name: value for name, value in data.items() if value}
    if not given:
        return {}
    missing = [name for name in ADDRESS_NEEDS if not given.get(name)]
    if missing:
        raise ValidationError({f"{path}.{name}": ["is required"] for name in missing})
    contact = {field: given.get(name, "") for name, field in ADDRESS.items()}
    if not all(isinstance(value, str) and len(value) <= 200 for value in contact.values()):
        raise ValidationError({path: ["must hold texts of up to 200 characters"]})
    if contact["country"] not in countries:
        raise ValidationError({f"{path}.country": ["must be an ISO 3166-1 alpha-2 code"]})
    return contact


def millimetres(data):
    """``ParcelDimensions`` (centimetres and grams) as fields of a parcel."""
    names = {"length": "length_mm", "width": "width_mm", "height": "height_mm"}
    found = {names[name]: round(value * 10) for name, value in data.items() if name in names}
    return found | ({"weight_g": round(data["weight"])} if "weight" in data else {})


def refuse_not_offered(data, parts):
    """Refuse parts that ask for something. Empty objects and false do not: there are clients that always send them.

    Args:
        parts: ``{name: what to use instead}``.
    """
    for name, instead in parts.items():
        value = data.get(name)
        if any(value.values()) if isinstance(value, dict) else value:
            raise NotOffered(feature=name, instead=instead)


def read_splits(entries):
    """Parts of lines of a body as ``packing.services.Split``."""
    return [
        packing.Split(paging.as_uuid(entry.get("lineItemId") or entry["itemId"]), entry["quantity"])
        for entry in entries
    ]
