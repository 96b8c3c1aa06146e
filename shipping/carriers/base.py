"""What a carrier adapter is: the protocol that ``shipping.services`` books parcels through.

A new carrier is one module beside this one with a class that has these members, instantiated as ``ADAPTER``.
A booking has four outcomes: a ``Booking`` is returned, or a ``CarrierError`` says REJECTED (a person corrects
something), RETRY (nothing was booked, try later) or UNKNOWN (it may have been booked: only a person may book again).
"""

import dataclasses
import datetime
import enum
from typing import Protocol


class Outcome(enum.Enum):
    REJECTED = "REJECTED"
    RETRY = "RETRY"
    UNKNOWN = "UNKNOWN"


class CarrierError(Exception):
    """A booking that did not give a label.

    Args:
        fields: (name of the field of the recipient or parcel, what is wrong with it).
        seconds: when to try again, where the carrier said so.
    """

    def __init__(self, outcome, message, *, code="", fields=(), seconds=None):
        super().__init__(message)
        self.outcome, self.message, self.code = outcome, message, code
        self.fields, self.seconds = list(fields), seconds


@dataclasses.dataclass(frozen=True)
class Contact:
    """A sender or recipient as it stands on the label."""

    name: str
    street: str
    house_number: str
    postal_code: str
    city: str
    country: str
    company: str = ""
    addition: str = ""
    province: str = ""

    @property
    def lines(self):
        """The lines of the address, without the country."""
        return [
            line
            for line in (
                self.name or self.company,
                self.company if self.name else "",
                self.addition,
                f"{self.street} {self.house_number}".strip(),
                f"{self.postal_code} {self.city}".strip(),
            )
            if line
        ]


@dataclasses.dataclass(frozen=True)
class ParcelData:
    """One parcel to book. Grams and millimetres; ``reference`` is unique per attempt, ``code`` per parcel."""

    reference: str
    code: str
    is_sscc: bool
    carrier_name: str
    sender: Contact
    recipient: Contact
    weight_g: int
    length_mm: int
    width_mm: int
    height_mm: int
    order_number: str
    number: int
    count: int
    language: str


@dataclasses.dataclass(frozen=True)
class Doc:
    kind: str  # label, return_label, customs or cod
    format: str  # PDF or ZPL
    data: bytes


@dataclasses.dataclass(frozen=True)
class Booking:
    number: str
    docs: tuple[Doc, ...]
    warnings: tuple[str, ...] = ()
    return_number: str = ""
    tracking_url: str = ""
    scan_codes: tuple[str, ...] = ()


class CarrierAdapter(Protocol):
    key: str
    label: str
    capabilities: frozenset[str]  # of book, find, cancel, return_label, manifest, track

    def check_config(self) -> list[str]:
        """What is wrong with the configuration, in sentences; empty when it may be used."""

    def book(self, parcel: ParcelData) -> Booking:
        """Book exactly this parcel, once. Raises CarrierError."""

    def find(self, reference: str) -> Booking | None:
        """The booking made under this reference, where the carrier can tell."""

    def cancel(self, number: str) -> bool:
        """Take a booking back; False when it is too late."""

    def manifest(self, numbers: list[str], day: datetime.date) -> bytes | None:
        """The list of parcels for the driver as PDF, where the carrier asks for its own."""
