"""Which jobs go into one run, so that its walk is short. Knows no database.

The most urgent job is in it. Then, again and again, the job is taken that leads to the fewest new places: a new zone
counts as five places, a new aisle as three; of equal ones the more urgent. It ends at the first limit. A job that is
too heavy or too large for what is left is passed over. When simply taking the most urgent jobs gives as many of them
on a walk that is not longer, those are taken.
"""

import dataclasses
import functools
from collections.abc import Hashable

from . import walk

ZONE_COST, AISLE_COST, PLACE_COST = 5, 3, 1


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one person takes along at once; None is no limit."""

    jobs: int
    totes: int | None = None
    weight_g: int | None = None
    volume_l: float | None = None


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A job that could go along. ``stops`` are its places, ``zones`` those of the places."""

    key: Hashable
    stops: frozenset[walk.Stop] = frozenset()
    zones: frozenset[Hashable] = frozenset()
    totes: int = 1
    weight_g: int = 0
    volume_l: float = 0.0

    @functools.cached_property
    def aisles(self):
        return {stop.aisle for stop in self.stops if stop.is_placed}


def build(candidates, limits, *, depth=None):
    """The candidates to take, in the order in which they were found.

    Args:
        candidates: the most urgent first.
    """
    urgent = _fill(candidates, limits)
    near = _near(candidates, limits)
    if len(urgent) >= len(near) and _way(urgent, depth) <= _way(near, depth):
        return urgent
    return near


def _near(candidates, limits):
    left, taken = list(candidates), []
    while fitting := [one for one in left if _fits([*taken, one], limits)]:
        # Of equal ones the first: the most urgent.
        best = min(fitting, key=functools.partial(_added, taken)) if taken else fitting[0]
        left.remove(best)
        taken.append(best)
    return taken


def _added(taken, one):
    """How much farther a job leads than those taken already."""
    zones, aisles, places = set(one.zones), one.aisles, set(one.stops)
    for other in taken:
        zones -= other.zones
        aisles -= other.aisles
        places -= other.stops
    return ZONE_COST * len(zones) + AISLE_COST * len(aisles) + PLACE_COST * len(places)


def _fill(candidates, limits):
    taken = []
    for one in candidates:
        if _fits([*taken, one], limits):
            taken.append(one)
    return taken


def _fits(jobs, limits):
    def within(total, most):
        return most is None or total <= most

    return (
        len(jobs) <= limits.jobs
        and within(sum(job.totes for job in jobs), limits.totes)
        # One job alone goes along however heavy or large it is: somebody has to fetch it.
        and (len(jobs) == 1 or within(sum(job.weight_g for job in jobs), limits.weight_g))
        and (len(jobs) == 1 or within(sum(job.volume_l for job in jobs), limits.volume_l))
    )


def _way(jobs, depth):
    """How far it is for these jobs, and how many places there are: what has no coordinates counts by the latter."""
    stops = {stop for job in jobs for stop in job.stops}
    zones = {zone for job in jobs for zone in job.zones}
    path = walk.plan(sorted(stops, key=lambda stop: stop.naive), depth=depth)
    return walk.length(path, depth=depth) + ZONE_COST * len(zones), len(stops)
