"""The rules of routing, pure: the same facts, policy and seed always give the same decision."""

from routing.rules.custom import BadRule, OwnRule, read_condition, read_rule
from routing.rules.decision import (
    Decision,
    Exclusion,
    Loss,
    Part,
    Ranking,
    RunnerUp,
    Split,
    active_fences,
    active_ratings,
    decide,
    exclude,
    rank,
    split,
    split_by_steps,
    split_exactly,
    take,
)
from routing.rules.facts import Absolute, Batch, Candidate, CarrierLink, Demand, Line, Policy, Site
from routing.rules.fences import FENCES, Fence
from routing.rules.geo import distance_km
from routing.rules.ratings import MAX_WEIGHT, RATINGS, Rating
from routing.rules.registry import find
from routing.rules.scaling import Column, Gap
from routing.rules.strategy import MOST_LEVELS, SPLIT, Node, Settings, check_changes, choose, read_tree

__all__ = [
    "FENCES",
    "MAX_WEIGHT",
    "MOST_LEVELS",
    "RATINGS",
    "SPLIT",
    "Absolute",
    "BadRule",
    "Batch",
    "Candidate",
    "CarrierLink",
    "Column",
    "Decision",
    "Demand",
    "Exclusion",
    "Fence",
    "Gap",
    "Line",
    "Loss",
    "Node",
    "OwnRule",
    "Part",
    "Policy",
    "Ranking",
    "Rating",
    "RunnerUp",
    "Settings",
    "Site",
    "Split",
    "active_fences",
    "active_ratings",
    "check_changes",
    "choose",
    "decide",
    "distance_km",
    "exclude",
    "find",
    "rank",
    "read_condition",
    "read_rule",
    "read_tree",
    "split",
    "split_by_steps",
    "split_exactly",
    "take",
]
