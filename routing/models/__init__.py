from .configuration import (
    FallbackFacility,
    FenceSetting,
    RatingSetting,
    RerouteDescription,
    RoutingConfiguration,
    RoutingRevision,
    StrategyNode,
)
from .decision import DecisionLog, NetworkSnapshot, RoutingTrial, TrialChange
from .place import Place
from .plan import Reservation, RoutingPlan, RoutingPlanLine

__all__ = [
    "DecisionLog",
    "FallbackFacility",
    "FenceSetting",
    "NetworkSnapshot",
    "Place",
    "RatingSetting",
    "RerouteDescription",
    "Reservation",
    "RoutingConfiguration",
    "RoutingPlan",
    "RoutingPlanLine",
    "RoutingRevision",
    "RoutingTrial",
    "StrategyNode",
    "TrialChange",
]
