"""The rules of routing, pure: the same facts, policy and seed always give the same decision."""

from routing.rules.decision import (
    Decision,
    Exclusion,
    Part,
    Ranking,
    Split,
    active_fences,
    decide,
    exclude,
    rank,
    split,
    take,
)
from routing.rules.facts import Candidate, Demand, Line, Policy, Site
from routing.rules.fences import FENCES, Fence
from routing.rules.geo import distance_km
from routing.rules.ratings import MAX_WEIGHT, RATINGS, Rating
from routing.rules.scaling import Column, Gap

__all__ = [
    "FENCES",
    "MAX_WEIGHT",
    "RATINGS",
    "Candidate",
    "Column",
    "Decision",
    "Demand",
    "Exclusion",
    "Fence",
    "Gap",
    "Line",
    "Part",
    "Policy",
    "Ranking",
    "Rating",
    "Site",
    "Split",
    "active_fences",
    "decide",
    "distance_km",
    "exclude",
    "rank",
    "split",
    "take",
]
