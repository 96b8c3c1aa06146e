"""What is picked, by whom and into what."""

from fulfillment.core.models.facility import ShortReason

from .jobs import Allocation, PickJob, PickLine, ShortIdCounter
from .load_units import LoadUnit
from .photos import LinePhoto
from .restow import RestowItem
from .runs import PickingRules, PickRun, PickRunJob
from .scans import ScanEvent

__all__ = [
    "Allocation",
    "LinePhoto",
    "LoadUnit",
    "PickJob",
    "PickLine",
    "PickRun",
    "PickRunJob",
    "PickingRules",
    "RestowItem",
    "ScanEvent",
    "ShortIdCounter",
    "ShortReason",
]
