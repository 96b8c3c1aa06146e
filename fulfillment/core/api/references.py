"""How clients name a facility: by its id, by ``urn:fft:facility:tenantFacilityId:<number>``, or by the number alone."""

from urllib.parse import unquote

from django.db.models import Q
from django.http import Http404
from rest_framework.exceptions import ValidationError

from ..models import Facility, StorageLocation
from .paging import as_uuid

URN = Facility.URN


def facility_lookup(reference):
    """The ``filter`` arguments for a facility id or urn, None when it is neither."""
    if reference.startswith(URN):
        return {"tenant_facility_id": unquote(reference.removeprefix(URN))}
    found = as_uuid(reference)
    return {"pk": found} if found else None


def at_facilities(queryset, references, path="facility"):
    """The rows at the facilities that a query parameter names by id or urn; what is neither matches nothing."""
    wanted = Q(pk__in=[])
    for lookup in filter(None, map(facility_lookup, references)):
        wanted |= Q(**{f"{path}__{name}": value for name, value in lookup.items()})
    return queryset.filter(wanted)


def get_facility(view, reference):
    """The facility that a path names, if the caller may do this there.

    Raises:
        Http404: unknown, or of somebody else.
    """
    lookup = facility_lookup(reference)
    facility = view.at_my_facilities(Facility.objects.filter(**lookup), "pk").first() if lookup else None
    if facility is None:
        raise Http404
    return facility


def facility_in_body(view, body, path=""):
    """The facility that ``facilityRef`` or ``tenantFacilityId`` of a body name, if the caller may do this there.

    Raises:
        ValidationError: unknown, or of somebody else, with the path of the field.
    """
    field = "facilityRef" if body.get("facilityRef") else "tenantFacilityId"
    reference = body.get(field) or ""
    lookup = facility_lookup(reference) if field == "facilityRef" else {"tenant_facility_id": reference}
    facility = view.at_my_facilities(Facility.objects.filter(**lookup), "pk").first() if lookup else None
    if facility is None:
        raise ValidationError({f"{path}{field}": [f"There is no facility {reference!r} that you may use."]})
    return facility


def location_in_body(facility_id, reference, path="storageLocationRef"):
    """The storage location of a facility that a body names by its id.

    Raises:
        ValidationError: the facility has none with this id.
    """
    found = StorageLocation.objects.filter(facility=facility_id, pk=as_uuid(reference)).first()
    if found is None:
        raise ValidationError({path: ["is no storage location of this facility"]})
    return found
