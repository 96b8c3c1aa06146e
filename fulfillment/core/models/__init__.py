from .document import Document
from .facility import (
    Carrier,
    ClosingDay,
    Facility,
    FacilityCarrier,
    StorageLocation,
    Zone,
)
from .log import Heartbeat, IdempotencyKey, OutboxEntry, StatusChange
from .staff import ApiToken, Channel, Membership, Permission, Role, User
from .stock import Article, ArticleCode, Listing, SafetyStock, Stock, StockMovement

__all__ = [
    "ApiToken",
    "Article",
    "ArticleCode",
    "Carrier",
    "Channel",
    "ClosingDay",
    "Document",
    "Facility",
    "FacilityCarrier",
    "Heartbeat",
    "IdempotencyKey",
    "Listing",
    "Membership",
    "OutboxEntry",
    "Permission",
    "Role",
    "SafetyStock",
    "StatusChange",
    "Stock",
    "StockMovement",
    "StorageLocation",
    "User",
    "Zone",
]
