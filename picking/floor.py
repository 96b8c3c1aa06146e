"""Lines in the order of the walk: what ``walk`` plans, for the locations of a facility."""

import itertools
import re

from django.db.models import Max, Min

from fulfillment.core import rows
from fulfillment.core.models import StorageLocation

from . import walk
from .models import Allocation, PickLine

SIGNS = "-./ "  # between the parts of the name of a place
LONGEST_NAME = 6  # letters of an aisle on the map


def stop_at(location):
    """A storage location as a stop of the walk."""
    return walk.Stop(
        location.pk,
        location.running_sequence,
        location.aisle,
        location.bay,
        location.level,
        location.name,
    )


def depths(facility_ids):
    """Where the aisles of facilities end at the back: ``{facility id: bay}``, without those that have no aisles."""
    deepest = (
        StorageLocation.objects.filter(facility__in=facility_ids, bay__isnull=False)
        .order_by()
        .values_list("facility")
        .annotate(Max("bay"))
    )
    return {facility_id: bay + 1 for facility_id, bay in deepest}


def aisles(facility):
    """The aisles of a facility for its map: ``{aisle: (its last bay, its name)}``, empty when nobody said where its places are.

    The name is what the names of its places begin with: C-01 for C-01-1 to C-01-8, else the number.
    """
    found = (
        StorageLocation.objects.filter(facility=facility, bay__isnull=False)
        .order_by()
        .values_list("aisle")
        .annotate(Max("bay"), Min("name"), Max("name"))
    )
    return {aisle: (bay, _shared(least, most) or str(aisle)) for aisle, bay, least, most in found}


def _shared(one, other):
    """What two names of places begin with, up to a sign between; empty when that is nothing, or too long for a map."""
    pairs = zip(*(re.findall(rf"[^{SIGNS}]*[{SIGNS}]+", name) for name in (one, other)), strict=False)
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
    name = "".join(mine for mine, _its in same).rstrip(SIGNS)
    return name if len(name) <= LONGEST_NAME else ""


def path(places):
    """Storage locations of one facility in the order of the walk."""
    by_id = {place.pk: place for place in places}
    depth = depths({place.facility_id for place in places})
    planned = walk.plan([stop_at(place) for place in places], depth=next(iter(depth.values()), None))
    return [by_id[stop.key] for stop in planned]


def first_places(lines):
    """{line: location of its first open unit, or None}."""
    places = dict.fromkeys(lines)
    by_id = {line.pk: line for line in lines}
    gone = {line.pk: line.picked + line.short for line in lines}
    allocations = Allocation.objects.filter(line__in=by_id).select_related("stock__location")
    for allocation in allocations.order_by("stock__location__running_sequence", "pk"):
        pk, location = allocation.line_id, allocation.stock.location
        if allocation.quantity > gone[pk] and places[by_id[pk]] is None:
            places[by_id[pk]] = location
        gone[pk] = max(gone[pk] - allocation.quantity, 0)
    return places


def arrange(lines, place_of, *, start=walk.ENTRANCE, depth=None):
    """Set ``sequence`` of lines to their place in the walk; a line without a place comes last.

    Args:
        place_of: ``{line: location, or None}``, where the line is begun.
    Returns:
        The lines in this order; those of one place as they were.
    """
    places = {place.pk: place for line in lines if (place := place_of[line]) is not None}
    path = walk.plan([stop_at(place) for place in places.values()], start=start, depth=depth)
    rank = {stop.key: number for number, stop in enumerate(path, start=1)}
    for line in lines:
        place = place_of[line]
        line.sequence = len(path) + 1 if place is None else rank[place.pk]
    return sorted(lines, key=lambda line: line.sequence)


def save(lines, before):
    """Write the new places in the walk. ``before``: ``{primary key: sequence}``, as it is stored."""
    changed = {line.pk: line.sequence - before[line.pk] for line in lines if line.sequence != before[line.pk]}
    rows.add(PickLine, "sequence", changed)


def replan(lines, here):
    """Plan the rest of a walk anew from where the picker is; True when that changed its order.

    The caller holds the lock under which the lines change.

    Args:
        lines: all of the walk; those that are done keep their place.
        here: the storage location where the picker is; without coordinates the walk stays as it is.
    """
    rest = [line for line in lines if line.open_units]
    if here is None or here.aisle is None or len(rest) < 2:
        return False
    before = {line.pk: line.sequence for line in rest}
    planned = arrange(
        rest,
        first_places(rest),
        start=stop_at(here),
        depth=depths([here.facility_id]).get(here.facility_id),
    )
    if planned == sorted(rest, key=lambda line: before[line.pk]):
        for line in rest:
            line.sequence = before[line.pk]
        return False
    done = max((line.sequence for line in lines if not line.open_units), default=0)
    for line in rest:
        line.sequence += done
    save(rest, before)
    return True
