"""What programs say about target containers, as the steps of packing."""

from django.db import transaction

from fulfillment.core.api import paging
from fulfillment.core.api.recording import read_updates
from fulfillment.core.api.references import location_in_body
from fulfillment.core.status import compare_version

from . import services, wire
from .models import PackageItem


def line_of(job, item, package_id=None):
    """The pack line that an item means: by its id, that of its pick or order line, or its article.

    Of several, as parts of a line are, the one that lies in the package if one is named, else one with units to pack.
    """
    lines = list(job.lines.with_packed().select_related("order_line"))
    for name in ("id", "originId", "globalLineItemId"):
        wanted = paging.as_uuid(item.get(name))
        if wanted is not None:
            found = [line for line in lines if wanted in (line.pk, line.pick_line_id, line.order_line_id)]
            if not found:
                raise services.NotALine(line=item[name], job=job)
            return _likely(found, package_id)
    sku = (item.get("article") or {}).get("tenantArticleId", "")
    found = [line for line in lines if line.order_line.sku == sku]
    if not found:
        raise services.NotALine(line=sku or item.get("id", ""), job=job)
    return _likely(found, package_id)


def _likely(lines, package_id):
    if len(lines) > 1 and package_id is not None:
        items = PackageItem.objects.filter(package=package_id, line__in=lines)
        here = dict(items.values_list("line", "quantity"))
        if here:
            return max(lines, key=lambda line: here.get(line.pk, 0))
    return next((line for line in lines if line.packed < line.quantity), lines[0])


@transaction.atomic
def create(job, data, *, by, now):
    """A package with its code, box and first units; returns it."""
    services.lock_for_status(job.pk)
    box_id = None
    if box := data.get("packingContainerTypeRef") or data.get("operativeContainerTypeRef"):
        box_id = paging.as_uuid(box)
        if box_id is None:
            raise services.UnknownBox
    package = services.add_package(job.pk, box_id=box_id, by=by, now=now)
    for code in data.get("codes") or []:
        services.set_code(job.pk, package.pk, code, by=by, now=now)
    if reference := data.get("storageLocationRef"):
        location = location_in_body(job.facility_id, reference)
        services.put_at(job.pk, package.pk, location, by=by, now=now)
    for item in data.get("lineItems") or []:
        add(job, package, item, by=by, now=now)
    return package


def add(job, package, item, *, by, now, version=None):
    changes = [(line_of(job, item).pk, item.get("quantity", 1), False)]
    services.change_contents(job.pk, package.pk, changes, by=by, now=now, version=version)


@transaction.atomic
def patch(job, package, data, *, by, now):
    """Apply the actions of a PATCH together, or none of them."""
    who = {"by": by, "now": now}
    services.lock_for_status(job.pk, data["version"])
    for action in data["actions"]:
        match action["action"]:
            case "ReplaceCodesInPackingTargetContainer":
                services.set_code(job.pk, package.pk, action["codes"][0], **who)
            case "AddLineItemToPackingTargetContainer":
                add(job, package, action["lineItem"], **who)
            case "UpdateLineItemOnPackingTargetContainer":
                item = action["lineItem"]
                changes = [(line_of(job, item, package.pk).pk, item.get("quantity", 1), True)]
                services.change_contents(job.pk, package.pk, changes, **who)
            case "RemoveLineItemFromPackingTargetContainer":
                line = line_of(job, {"id": action["lineItemRef"]}, package.pk)
                changes = [(line.pk, 0, True)]
                services.change_contents(job.pk, package.pk, changes, **who)
            case wire.CONTAINER_RECORD:
                services.record(job.pk, read_updates(action), **who)
            case wire.PUT_AT:
                # The version of a container is that of its job, which the actions before may have raised.
                compare_version(data["version"], action["version"])
                location = location_in_body(job.facility_id, action["storageLocationRef"])
                services.put_at(job.pk, package.pk, location, **who)


@transaction.atomic
def move(job, data, *, by, now):
    """Move units between packages, into a new one, or back to where they came from. The whole move or nothing."""
    who = {"by": by, "now": now}
    version = services.lock_for_status(job.pk).version
    ends = [*data["move"]["from"], data["move"]["to"]]
    for end in ends:  # the version of a container is that of its job
        compare_version(version, end.get("containerVersion"))
    target = None
    if data["name"] == "MOVE_EACHES_TO_PACKING_TARGET_CONTAINER":
        to = data["move"]["to"]
        if to.get("containerId"):
            target = _package_id(to["containerId"])
        else:
            ref = to.get("operativeContainerTypeRef")
            package = create(job, {"codes": to.get("codes"), "operativeContainerTypeRef": ref}, **who)
            target = package.pk
    moves = []
    for end in data["move"]["from"]:
        source = _package_id(end["containerId"])
        line = line_of(job, {"globalLineItemId": end["globalLineItemId"]}, source)
        moves.append((source, line.pk, end["quantity"], target))
    services.move_many(job.pk, moves, **who)


def _package_id(text):
    found = paging.as_uuid(text)
    if found is None:
        raise services.PackageGone
    return found
