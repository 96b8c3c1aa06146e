"""The administration of master data. Statuses and stock are shown and changed through their services only."""

from . import facilities, log, staff, stock
from .base import ReadOnly

__all__ = ["ReadOnly", "facilities", "log", "staff", "stock"]
