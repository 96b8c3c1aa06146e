"""Facilities: created and changed here, so that routing hears of what matters to it."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..events import FacilityChanged, emit
from ..models import Facility
from ..status import check_version, log_created, transit

# What decides which orders a facility gets: a change makes routing look at waiting orders again.
ROUTED_BY = {"services", "location_type", "country", "latitude", "longitude", "postal_code", "city"}
FIXED = {"id", "slug", "status", "version", "created_at", "modified_at"}


class SlugIsFixed(Refused):
    text = _("The short name %(slug)s stands in addresses and on printed codes; it is never changed.")


class UnknownStatus(Refused):
    text = _("%(status)s is not a status of a facility.")


@transaction.atomic
def create(facility, *, by, now):
    """Store a new, validated facility (unsaved instance) and announce it. Returns it."""
    facility.save(force_insert=True)
    log_created(facility, by=by, now=now)
    emit(FacilityChanged(facility_id=facility.pk), by=by, now=now)
    return facility


@transaction.atomic
def change(facility_id, values, *, by, now, version=None):
    """Change master data of a facility; ``values`` are validated values by field name. Returns the facility.

    Refuses another short name and a version other than the stored one. Status: see ``set_status``.
    Announces the change when it can move orders: services, type or place.
    """
    facility = Facility.objects.lock(pk=facility_id)
    check_version(facility, version)
    if values.get("slug", facility.slug) != facility.slug:
        raise SlugIsFixed(slug=facility.slug)
    changed = {
        name for name, value in values.items() if name not in FIXED and getattr(facility, name) != value
    }
    if not changed:
        return facility
    for name in changed:
        setattr(facility, name, values[name])
    facility.version += 1
    facility.save(update_fields=[*sorted(changed), "version", "modified_at"])
    if changed & ROUTED_BY:
        emit(FacilityChanged(facility_id=facility.pk), by=by, now=now)
    return facility


@transaction.atomic
def set_status(facility_id, status, *, by, now, reason=""):
    """Take a facility online, suspend it or take it offline. Does nothing when it has that status already."""
    facility = Facility.objects.lock(pk=facility_id)
    steps = {
        Facility.Status.ONLINE: facility.go_online,
        Facility.Status.SUSPENDED: facility.suspend,
        Facility.Status.OFFLINE: facility.go_offline,
    }
    if status not in steps:
        raise UnknownStatus(status=status)
    if facility.status != status:
        transit(steps[status], by=by, now=now, reason=reason)
        emit(FacilityChanged(facility_id=facility.pk), by=by, now=now)
    return facility
