"""The steps of a shipment: its address, its carrier, and a parcel of each package."""

import collections
import dataclasses

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.barcodes import new_sscc
from fulfillment.core.codes import new_code
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.status import check_version, log_change, log_created, transit
from orders.models import Address, Order
from packing.models import PackJob

from ..choosing import choose_carrier
from ..events import (
    ParcelCreated,
    ParcelRequested,
    ShipmentUpdated,
)
from ..models import Parcel, Shipment


class ShipmentNeedsPickJob(Refused):
    text = _("A shipment is opened when its pick job is closed. Name such a job in pickJobRef.")


class NotPackedYet(Refused):
    text = _("%(shipment)s is not packed yet. Its labels can be asked for when the packing is finished.")


class LabelsRequested(Refused):
    text = _("The labels of %(shipment)s were asked for already. Correct its parcels instead.")


class ShipmentEnded(Refused):
    text = _("%(shipment)s is %(status)s and can no longer be changed.")


class NoSuchPackage(Refused):
    text = _("No package of %(shipment)s that has no label yet holds this.")


class ParcelNeedsShipment(Refused):
    text = _("A parcel is made of what is packed for a shipment. Name that in shipmentRef or tenantOrderId.")


class NoCarrier(Refused):
    text = _("No active carrier of this facility delivers to %(country)s. Add one in the administration.")


def _lock_shipment(shipment_id):
    order_id = Shipment.objects.values_list("order_id", flat=True).get(pk=shipment_id)
    Order.objects.lock(pk=order_id)
    return Shipment.objects.lock(pk=shipment_id)


@transaction.atomic
def request_labels(shipment_id, *, carrier=None, product="", by, now, version=None):
    """Ask for the labels of a packed shipment that waited for a carrier, or of which a label was cancelled.

    Refuses when there is still none, when the goods are not packed yet, and an old version.

    Args:
        carrier: the one to take, None for the facility's best that delivers there.
        product: what to take of it, where it has that.
    """
    shipment = _lock_shipment(shipment_id)
    check_version(shipment, version)
    job, choice = _packed(shipment), _choose(shipment, carrier, product)
    make_parcels(shipment, job, choice, by=by, now=now)
    return shipment


def _packed(shipment):
    job = PackJob.objects.filter(pick_job_id=shipment.pick_job_id, status=PackJob.Status.CLOSED).first()
    if job is None:
        raise NotPackedYet(shipment=shipment)
    return job


def _choose(shipment, carrier, product):
    chosen = choose_carrier(shipment, carrier, product)
    if chosen is None:
        raise NoCarrier(country=shipment.recipient["country"])
    return chosen


@transaction.atomic
def request_parcel(
    shipment_id, *, units=None, codes=(), carrier=None, product="", details=None, by, now, version=None
):
    """Ask for the label of one package of a packed shipment; the others are asked for on their own.

    Refuses what ``request_labels`` refuses, and when no package that has no label yet is meant.

    Args:
        units: ``{sku: units}`` that are in the package, None for any.
        codes: ids or codes of which the package has one, none for any.
        details: other fields of the parcel than those of its package.
    """
    shipment = _lock_shipment(shipment_id)
    check_version(shipment, version)
    job, choice = _packed(shipment), _choose(shipment, carrier, product)
    begun = shipment.parcels.live().values("package")
    for package in job.packages.exclude(pk__in=begun).order_by("number").prefetch_related("items__line"):
        if codes and not {package.code, str(package.pk)} & set(codes):
            continue
        if units is None or units == _units_in(package):
            [parcel] = make_parcels(
                shipment, job, choice, packages=[package], details=details, by=by, now=now
            )
            return parcel
    raise NoSuchPackage(shipment=shipment)


def _units_in(package):
    units = collections.Counter()
    for item in package.items.all():
        units[item.line.sku] += item.quantity
    return units


@transaction.atomic
def correct_recipient(shipment_id, changes, *, by, now, version=None):
    """Correct the address of a shipment before its labels are made; the order keeps what the shop sent.

    Refuses an old version, and a shipment whose labels were asked for: its parcels are corrected one by one.

    Args:
        changes: fields of ``orders.models.Address``.
    """
    shipment = _lock_shipment(shipment_id)
    check_version(shipment, version)
    if shipment.status not in {Shipment.Status.INITIAL, Shipment.Status.RETRYABLE}:
        raise LabelsRequested(shipment=shipment)
    if change_recipient(shipment, changes):
        emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    return shipment


def make_parcels(shipment, job, choice, *, packages=None, details=None, by, now):
    """Make a parcel of each package that has none, or whose label was cancelled; or only of these packages."""
    carrier, product = choice
    if packages is None or shipment.status != Shipment.Status.REQUEST:
        transit(shipment.request, carrier, by=by, now=now)
    begun = set(shipment.parcels.live().values_list("package_id", flat=True))
    used = set(shipment.parcels.values_list("package_id", flat=True))
    parcels = [
        Parcel(
            facility_id=shipment.facility_id,
            order_id=shipment.order_id,
            shipment=shipment,
            package=package,
            carrier=carrier,
            product=product,
            code=_new_code(package, is_used=package.pk in used),
            created_at=now,
            **{
                "weight_g": package.weight_g,
                "length_mm": package.length_mm or carrier.parcel_length_mm,
                "width_mm": package.width_mm or carrier.parcel_width_mm,
                "height_mm": package.height_mm or carrier.parcel_height_mm,
                **(details or {}),
            },
        )
        for package in packages or job.packages.order_by("number")
        if package.pk not in begun
    ]
    Parcel.objects.bulk_create(parcels)
    log_created(*parcels, by=by, now=now)
    emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    for parcel in parcels:
        emit(ParcelCreated(parcel_id=parcel.pk), by=by, now=now)
        emit(ParcelRequested(parcel_id=parcel.pk), by=by, now=now)
    return parcels


def _new_code(package, *, is_used):
    """An SSCC when the retailer has a GS1 company prefix, else the package's own code the first time."""
    if not settings.GS1_COMPANY_PREFIX:
        return new_code("P") if is_used else package.code
    while Parcel.objects.filter(code=(code := new_sscc(settings.GS1_COMPANY_PREFIX))).exists():
        continue
    return code


@transaction.atomic
def set_target_time(shipment_id, target_time, *, by, now, version=None):
    """Say when a shipment has to leave. Refuses an old version, and one that is ended."""
    shipment = _lock_shipment(shipment_id)
    check_version(shipment, version)
    if shipment.status not in Shipment.UNFINISHED:
        raise ShipmentEnded(shipment=shipment, status=shipment.get_status_display())
    if shipment.target_time != target_time:
        shipment.target_time = target_time
        shipment.version += 1
        shipment.save(update_fields=["target_time", "version", "modified_at"])
        log_change(shipment, "set_target_time", by=by, now=now)
        emit(ShipmentUpdated(shipment_id=shipment.pk), by=by, now=now)
    return shipment


def change_recipient(shipment, changes):
    known = {field.name for field in dataclasses.fields(Address)}
    corrected = {**shipment.recipient, **{name: changes[name] for name in known & changes.keys()}}
    if corrected == shipment.recipient:
        return False
    shipment.recipient = corrected
    shipment.version += 1
    shipment.save(update_fields=["recipient", "version", "modified_at"])
    return True
