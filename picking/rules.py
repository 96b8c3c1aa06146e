"""How a facility picks: what a job says, else its facility, else everybody."""

import dataclasses

from django.db.models import F, Q

from fulfillment.core.models.facility import PickingMethod

from .batches import Limits
from .models import PickingRules

MOST_JOBS = 100  # of a run, whatever the rules say
USUAL_PATIENCE = 120  # minutes; longer than a break and a dead spot of the wifi
USUAL_JOBS = 8  # as many totes as a cart holds


@dataclasses.dataclass(frozen=True)
class Rules:
    """The rules of one facility, nothing left open."""

    methods: tuple[str, ...]
    limits: Limits
    may_take_over: bool
    release_after_minutes: int
    shows_people: bool

    def methods_of(self, job):
        """The methods in which a job may be picked, the preferred one first."""
        return tuple(job.picking_methods) or self.methods


def rules_of(facility):
    """The rules of a facility; what it does not say is as for all, and what nobody says is usual."""
    rows = PickingRules.objects.filter(Q(facility=facility) | Q(facility=None)).order_by(
        F("facility").asc(nulls_last=True)
    )
    said = list(rows)

    def first(name, usual=None):
        return next((value for row in said if (value := getattr(row, name)) not in (None, [])), usual)

    return Rules(
        methods=tuple(facility.picking_methods or first("methods", [PickingMethod.SINGLE_ORDER.value])),
        limits=Limits(
            jobs=first("most_jobs", USUAL_JOBS),
            totes=first("most_totes"),
            weight_g=first("most_weight_g"),
            volume_l=first("most_volume_l"),
        ),
        may_take_over=first("may_take_over", usual=True),
        release_after_minutes=first("release_after_minutes", usual=USUAL_PATIENCE),
        shows_people=first("shows_people", usual=False),
    )
