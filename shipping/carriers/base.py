"""What a carrier adapter is: the protocol that ``shipping.booking`` books parcels through.

A new carrier is one module beside this one with a class that has these members, named there as ``ADAPTER``. It is
made anew for each use, with the ``Account`` of the connection it works for.
A booking has four outcomes: a ``Booking`` is returned, or a ``CarrierError`` says REJECTED (a person corrects
something), RETRY (nothing was booked, try later) or UNKNOWN (it may have been booked: the carrier is asked where it
can tell, else only a person may book again).
"""

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Protocol

from django.utils.translation import gettext


class Outcome(enum.Enum):
    REJECTED = "REJECTED"
    RETRY = "RETRY"
    UNKNOWN = "UNKNOWN"


class CarrierError(Exception):
    """A call that did not give what was asked for.

    Args:
        fields: (name of the field of the recipient or parcel, what is wrong with it).
        seconds: when to try again, where the carrier said so.
        can_find: whether asking by ``find`` may settle an UNKNOWN.
    """

    def __init__(self, outcome, message, *, code="", fields=(), seconds=None, can_find=True):
        super().__init__(message)
        self.outcome, self.message, self.code = outcome, message, code
        self.fields, self.seconds, self.can_find = list(fields), seconds, can_find


class NotSigned(Exception):
    """What claims to come from the carrier does not carry the signature of the connection's secret."""


@dataclasses.dataclass(frozen=True)
class Product:
    """What the carrier sells, with the account that pays for it and where it goes (nowhere named: everywhere)."""

    key: str
    billing_number: str = ""
    countries: tuple[str, ...] = ()

    def goes_to(self, country):
        return not self.countries or country in self.countries


@dataclasses.dataclass(frozen=True)
class Account:
    """What an adapter knows of the connection it works for."""

    base_url: str = ""
    credentials: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    label_format: str = "PDF"
    products: tuple[Product, ...] = ()
    webhook_secret: str = dataclasses.field(default="", repr=False)

    def product(self, key):
        """The product of this name, None when the connection has none."""
        return next((product for product in self.products if product.key == key), None)

    def missing(self, credentials):
        """Sentences about credentials that are needed and not there."""
        return [
            gettext("Enter the %(credential)s.") % {"credential": one.label}
            for one in credentials
            if not self.credentials.get(one.name)
        ]


@dataclasses.dataclass(frozen=True)
class Credential:
    """One secret that a connection needs, under the name the carrier gives it."""

    name: str
    label: object  # a text that is translated when it is shown


@dataclasses.dataclass(frozen=True)
class Contact:
    """A sender or recipient as it stands on the label. Phone and e-mail only with the customer's consent."""

    name: str
    street: str
    house_number: str
    postal_code: str
    city: str
    country: str
    company: str = ""
    addition: str = ""
    province: str = ""
    phone: str = ""
    email: str = ""

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
class CustomsLine:
    """Goods as the customs of the destination want them; the value is that of one unit."""

    description: str
    quantity: int
    weight_g: int
    value: str
    currency: str
    hs_code: str
    origin: str


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
    product: str = ""
    ship_date: datetime.date | None = None
    # Where a return goes, when not to the sender.
    return_to: Contact | None = None
    # Only for destinations outside of the customs area of the sender.
    customs: tuple[CustomsLine, ...] = ()
    # After that no booking is sent any more: who stood still so long may have been given up, see ``calls.check_in_time``.
    send_until: datetime.datetime | None = None

    @property
    def returns_to(self):
        return self.return_to or self.sender


@dataclasses.dataclass(frozen=True)
class Doc:
    kind: str  # label, return_label, customs or cod
    format: str  # PDF or ZPL
    data: bytes


@dataclasses.dataclass(frozen=True)
class Booking:
    """What the carrier booked. ``scan_codes`` stays empty when the label has to be read for them."""

    number: str
    docs: tuple[Doc, ...]
    warnings: tuple[str, ...] = ()
    return_number: str = ""
    tracking_url: str = ""
    scan_codes: tuple[str, ...] = ()
    # What the carrier calls the booking, where that is not the tracking number: cancellation and manifest name it.
    carrier_reference: str = ""


@dataclasses.dataclass(frozen=True)
class Track:
    """Something that happened to a parcel on its way. ``status`` is one of ``TrackEvent.Status``."""

    number: str
    status: str
    at: datetime.datetime
    carrier_status: str = ""
    description: str = ""
    location: str = ""


@dataclasses.dataclass(frozen=True)
class Listed:
    """A booking on the carrier's list of a day; without a reference where the list names none."""

    number: str
    reference: str = ""


class CarrierAdapter(Protocol):
    key: str
    label: str
    capabilities: frozenset[str]  # of book, find, list, cancel, return_label, manifest, track, webhook
    credentials: tuple[Credential, ...]  # what the connection must bring
    default_url: str  # what the base URL usually is

    def __init__(self, account: Account): ...

    def check_config(self) -> list[str]:
        """What is wrong with the configuration, in sentences; empty when it may be used. Logs in, books nothing."""

    def book(self, parcel: ParcelData) -> Booking:
        """Book exactly this parcel, once. Raises CarrierError."""

    def find(self, reference: str) -> Booking | None:
        """The booking made under this reference, where the carrier can tell. Raises CarrierError."""

    def listed(self, day: datetime.date) -> list[Listed]:
        """Everything that was booked at the account on a day, once that day is closed. Raises CarrierError."""

    def cancel(self, number: str) -> bool:
        """Take a booking back, by what the carrier calls it; False when it is too late. Raises CarrierError."""

    def manifest(self, numbers: list[str], day: datetime.date) -> bytes | None:
        """Close the day for these parcels; the carrier's own list as PDF, where it has one. Raises CarrierError."""

    def track(self, numbers: list[str]) -> list[Track]:
        """What happened to these parcels so far. Raises CarrierError."""

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> list[Track]:
        """What the carrier tells unasked. Raises NotSigned, and ValueError when it cannot be read."""


class Adapter:
    """What adapters have in common; one overrides what its carrier can do."""

    capabilities: frozenset[str] = frozenset()
    credentials: tuple[Credential, ...] = ()
    default_url = ""

    def __init__(self, account):
        self.account = account

    def check_config(self):
        return []

    def find(self, reference):
        return None

    def listed(self, day):
        return []

    def cancel(self, number):
        return False

    def manifest(self, numbers, day):
        return None

    def track(self, numbers):
        return []

    def read_webhook(self, body, headers):
        raise NotSigned
