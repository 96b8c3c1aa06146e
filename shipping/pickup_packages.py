"""The packages of an order that a customer collects: where each stands, and that each was fetched before it is given."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import parcel_codes
from fulfillment.core.errors import Refused
from fulfillment.core.models import User
from fulfillment.core.status import log_change
from packing.models import Package

from .models import HandoverJob, PickupPackage
from .pickup import lock_pickup


class UnknownPackage(Refused):
    text = _("No package here has the code %(code)s.")


class PackageOfSomeoneElse(Refused):
    text = _("Package %(number)s of %(other)s is not for %(job)s. Put it back.")


class AlreadyFetched(Refused):
    text = _("Package %(number)s was scanned already.")


class PickupEnded(Refused):
    text = _("%(job)s is %(status)s. Nothing is fetched for it any more.")


def find(facility, code):
    """The open handover to the customer whose package carries this code, None when there is none."""
    return (
        HandoverJob.objects.at(facility)
        .open()
        .filter(
            channel=HandoverJob.Channel.COLLECT,
            pick_job__pack_job__packages__code__in=parcel_codes(code),
        )
        .first()
    )


@transaction.atomic
def fetch(job_id, code, *, by, now):
    """Note that a package was fetched. Refuses one of another customer, one twice, and a handover that is ended."""
    pickup = lock_pickup(job_id)
    job = pickup.job
    if job.status not in HandoverJob.UNFINISHED:
        raise PickupEnded(job=job, status=job.get_status_display())
    found = (
        Package.objects.filter(job__facility=job.facility_id, code__in=parcel_codes(code))
        .select_related("job")
        .first()
    )
    if found is None:
        raise UnknownPackage(code=code)
    one = pickup.packages.filter(package=found).first()
    if one is None:
        raise PackageOfSomeoneElse(number=found.number, other=found.job, job=job)
    if one.fetched_at is not None:
        raise AlreadyFetched(number=found.number)
    one.package = found
    one.fetched_at, one.fetched_by = now, by if isinstance(by, User) else None
    one.save(update_fields=["fetched_at", "fetched_by"])
    log_change(job, "fetch", by=by, now=now, reason=found.code)
    return one


@transaction.atomic
def put(job_id, place, package_id=None, *, by, now):
    """Note where the goods stand, or one package of them. Refuses a package that is not among them."""
    pickup = lock_pickup(job_id)
    place = place.strip()
    if package_id is None:
        pickup.place = place
        pickup.save(update_fields=["place"])
        pickup.packages.update(place=place)
    elif not pickup.packages.filter(package=package_id).update(place=place):
        raise UnknownPackage(code=package_id)
    log_change(pickup.job, "put", by=by, now=now, reason=place)


def packages_at_the_counter(pickup):
    """The packages of a pick-up in their order."""
    return PickupPackage.objects.filter(pickup=pickup).select_related(
        "package__box_type", "package__location"
    )
