"""Shipments, their parcels and way, how they are booked at carriers, and how they are handed over."""

from .connections import CarrierConnection
from .handovers import HandoverJob, HandoverLine
from .loads import Load, LoadedParcel, LoadScan
from .messages import MessageText, SentMessage
from .papers import Paper, PaperRule, PaperSettings, PaperText
from .parcels import BookingAttempt, Parcel, ParcelCode, TrackingStatus
from .pickups import Pickup, PickupPackage, PickupSettings
from .returns import (
    ItemReturn,
    ReturnCondition,
    ReturnedItem,
    ReturnJob,
    ReturnJobLine,
    ReturnReason,
)
from .shipments import Shipment
from .tracking import TrackEvent

__all__ = [
    "BookingAttempt",
    "CarrierConnection",
    "HandoverJob",
    "HandoverLine",
    "ItemReturn",
    "Load",
    "LoadScan",
    "LoadedParcel",
    "MessageText",
    "Paper",
    "PaperRule",
    "PaperSettings",
    "PaperText",
    "Parcel",
    "ParcelCode",
    "Pickup",
    "PickupPackage",
    "PickupSettings",
    "ReturnCondition",
    "ReturnJob",
    "ReturnJobLine",
    "ReturnReason",
    "ReturnedItem",
    "SentMessage",
    "Shipment",
    "TrackEvent",
    "TrackingStatus",
]
