"""The packages of a pack job: opened, put into boxes, given codes, removed."""

import re

from django.db import transaction
from django.db.models import Max

from fulfillment.core.codes import new_code

from .. import queries
from ..models import BoxType, Package
from .locks import lock_for_packing, lock_kept, lock_to_announce, raise_version, touch
from .refusals import (
    CodeNotUsable,
    PackageCodeTaken,
    PackageGone,
    PackageNotEmpty,
    TooManyPackages,
    UnknownBox,
)

PACKAGE_CODE_PREFIX = "P"
LONGEST_CODE = 30
PACKAGE_CODE = re.compile(rf"[0-9A-Za-z][0-9A-Za-z._-]{{0,{LONGEST_CODE - 1}}}")
MOST_PACKAGES = 99


def new_package(job, box=None):
    number = (job.packages.aggregate(last=Max("number"))["last"] or 0) + 1
    if number > MOST_PACKAGES:
        raise TooManyPackages(most=MOST_PACKAGES)
    package = Package(job=job, number=number, code=new_code(PACKAGE_CODE_PREFIX))
    package.take_box(box)
    package.save(force_insert=True)
    return package


def open_packages(job):
    """The first packages: as proposed for the articles, else one, in the only box there is or in none."""
    boxes = list(BoxType.objects.usable_at(job.facility_id))
    proposal = queries.proposal(job, boxes)
    if proposal is not None and not proposal.left and len(proposal.filled) <= MOST_PACKAGES:
        by_key = {box.pk: box for box in boxes}
        for filled in proposal.filled:
            new_package(job, by_key[filled.box.key])
    else:
        new_package(job, boxes[0] if len(boxes) == 1 else None)


@transaction.atomic
def add_package(job_id, *, box_id=None, by, now):
    """Open one more package for a running job, in the named box or the only one there is; returns it."""
    job = lock_for_packing(job_id, by)
    if box_id is not None:
        return new_package(job, _box(job, box_id))
    boxes = BoxType.objects.usable_at(job.facility_id)[:2]
    return new_package(job, boxes[0] if len(boxes) == 1 else None)


def _box(job, box_id):
    box = BoxType.objects.usable_at(job.facility_id).filter(pk=box_id).first()
    if box is None:
        raise UnknownBox
    return box


@transaction.atomic
def choose_box(job_id, package_id, box_id, *, by, now):
    """Say which box a package is; None for one that is not in the list. Refuses a box that is not used here."""
    job = lock_for_packing(job_id, by)
    package = package_of(job, package_id)
    package.take_box(None if box_id is None else _box(job, box_id))
    package.weight_g = None  # it was weighed in another one
    package.save(update_fields=["box_type", "length_mm", "width_mm", "height_mm", "weight_g"])
    raise_version(job)
    return package


@transaction.atomic
def remove_package(job_id, package_id, *, by, now):
    """Remove an empty package; refuses one with units in it."""
    job = lock_for_packing(job_id, by)
    package = package_of(job, package_id)
    if package.items.exists() or package.parts.exists():
        raise PackageNotEmpty(number=package.number)
    package.delete()


def package_of(job, package_id):
    """A package of the job, which a colleague may have removed meanwhile."""
    package = job.packages.filter(pk=package_id).select_related("box_type").first()
    if package is None:
        raise PackageGone
    return package


@transaction.atomic
def set_code(job_id, package_id, code, *, by, now, version=None):
    """Give a package the code that stands on it already. Refuses one that no label bears, or that another package has."""
    job = lock_to_announce(job_id, by, version)
    package = package_of(job, package_id)
    if not PACKAGE_CODE.fullmatch(code):
        raise CodeNotUsable(most=LONGEST_CODE)
    if Package.objects.filter(code=code).exclude(pk=package.pk).exists():
        raise PackageCodeTaken(code=code)
    package.code = code
    package.save(update_fields=["code"])
    return touch(job, "set code", by=by, now=now)


@transaction.atomic
def put_at(job_id, package_id, location, *, by, now, version=None):
    """Note at which storage location a package stands, also when it is packed.

    Refuses a job that was given up or that another packer has in hand, and an old version.
    """
    job = lock_kept(job_id, by, version)
    package = package_of(job, package_id)
    package.location = location
    package.save(update_fields=["location"])
    return touch(job, "put package", by=by, now=now)
