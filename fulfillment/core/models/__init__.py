from .document import Document
from .facility import (
    Carrier,
    ClosingDay,
    Facility,
    FacilityCarrier,
    StorageLocation,
    Zone,
)
from .log import ApiRequest, Counter, Heartbeat, IdempotencyKey, OutboxEntry, StatusChange
from .staff import ApiToken, Channel, Membership, Permission, RefreshToken, Role, User
from .stock import Article, ArticleCode, Listing, SafetyStock, Stock, StockMovement

__all__ = [
    "ApiRequest",
    "ApiToken",
    "Article",
    "ArticleCode",
    "Carrier",
    "Channel",
    "ClosingDay",
    "Counter",
    "Document",
    "Facility",
    "FacilityCarrier",
    "Heartbeat",
    "IdempotencyKey",
    "Listing",
    "Membership",
    "OutboxEntry",
    "Permission",
    "RefreshToken",
    "Role",
    "SafetyStock",
    "StatusChange",
    "Stock",
    "StockMovement",
    "StorageLocation",
    "User",
    "Zone",
]
