"""Facilities: created and changed here, so that routing hears of what matters to it."""

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..events import FacilityChanged, emit
from ..models import ClosingDay, Facility
from ..status import check_version, log_created, transit

# What decides which orders a facility gets: a change makes routing look at waiting orders again.
ROUTED_BY = {"services", "location_type", "country", "latitude", "longitude", "postal_code", "city"}
FIXED = {"id", "slug", "status", "version", "created_at", "modified_at"}


class SlugIsFixed(Refused):
    text = _("The short name %(slug)s stands in addresses and on printed codes; it is never changed.")


class NumberInUse(Refused):
    status_code = 400
    text = _("tenantFacilityId: %(number)s is the number of another facility.")


class FacilityInUse(Refused):
    text = _("%(facility)s has stock or work. Take it offline instead of deleting it.")


class UnknownStatus(Refused):
    text = _("%(status)s is not a status of a facility.")


def free_slug(name):
    """A short name for addresses that no facility has yet."""
    wanted = slugify(name)[:40] or "facility"
    taken = set(Facility.objects.filter(slug__startswith=wanted).values_list("slug", flat=True))
    names = (f"{wanted}-{number}" if number else wanted for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)


@transaction.atomic
def create(facility, *, closing_days=(), by, now):
    """Store a new, validated facility (unsaved instance) and announce it. Returns it.

    Refuses a number that another facility has.

    Args:
        closing_days: ``[{"closed_on", "reason", "recurrence"}]``.
    """
    _check_number(facility.tenant_facility_id, facility)
    facility.save(force_insert=True)
    ClosingDay.objects.bulk_create(ClosingDay(facility=facility, **day) for day in closing_days)
    log_created(facility, by=by, now=now)
    emit(FacilityChanged(facility_id=facility.pk), by=by, now=now)
    return facility


def _check_number(number, facility):
    if Facility.objects.filter(tenant_facility_id=number).exclude(pk=facility.pk).exists():
        raise NumberInUse(number=number)


@transaction.atomic
def delete(facility_id, *, by, now):
    """Delete a facility that nothing was ever done at. Refuses one with listings in stock, orders or jobs."""
    facility = Facility.objects.lock(pk=facility_id)
    try:
        with transaction.atomic():
            facility.delete()
    except ProtectedError as error:
        raise FacilityInUse(facility=facility) from error


@transaction.atomic
def change(facility_id, values, *, closing_days=None, by, now, version=None):
    """Change master data of a facility; ``values`` are validated values by field name. Returns the facility.

    Refuses another short name, a number in use, and a version other than the stored one. Status: see ``set_status``.
    Announces the change when it can move orders: services, type or place.

    Args:
        closing_days: all of them, as in ``create``; None leaves them as they are.
    """
    facility = Facility.objects.lock(pk=facility_id)
    check_version(facility, version)
    _check_number(values.get("tenant_facility_id", facility.tenant_facility_id), facility)
    if closing_days is not None:
        facility.closing_days.all().delete()
        ClosingDay.objects.bulk_create(ClosingDay(facility=facility, **day) for day in closing_days)
    if values.get("slug", facility.slug) != facility.slug:
        raise SlugIsFixed(slug=facility.slug)
    changed = {
        name for name, value in values.items() if name not in FIXED and getattr(facility, name) != value
    }
    if not changed and closing_days is None:
        return facility
    for name in changed:
        setattr(facility, name, values[name])
    facility.version += 1
    facility.save(update_fields=[*sorted(changed), "version", "modified_at"])
    if changed & ROUTED_BY:
        emit(FacilityChanged(facility_id=facility.pk), by=by, now=now)
    return facility


@transaction.atomic
def set_status(facility_id, status, *, by, now, reason="", version=None):
    """Take a facility online, suspend it or take it offline. Does nothing when it has that status already.

    Refuses an unknown status, and an old version.
    """
    facility = Facility.objects.lock(pk=facility_id)
    check_version(facility, version)
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
