from .carrier import Carrier, FacilityCarrier
from .document import Document
from .facility import ClosingDay, Facility, StorageLocation, Zone
from .log import ApiRequest, Counter, Heartbeat, IdempotencyKey, OutboxEntry, StatusChange
from .printing import PrintJob, Station
from .staff import ApiToken, Channel, Membership, PairedDevice, Permission, RefreshToken, Role, User
from .stock import Article, ArticleCode, Listing, SafetyStock, Stock, StockMovement, Substitute

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
    "PairedDevice",
    "Permission",
    "PrintJob",
    "RefreshToken",
    "Role",
    "SafetyStock",
    "Station",
    "StatusChange",
    "Stock",
    "StockMovement",
    "StorageLocation",
    "Substitute",
    "User",
    "Zone",
]
