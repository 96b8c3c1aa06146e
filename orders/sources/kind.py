"""What a connector is made of. docs/connectors.md says what each part must do."""

import copy
import dataclasses
import datetime
import hashlib
import hmac
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.models import Order, ParcelRecord

from .fields import ListField, TableField
from .models import ImportedOrder, Report
from .reading import first
from .reasons import reason

SERVICES = ("standard", "express", "sameday", "carrier ", "collect ")

# Settings that every kind has.
COMMON: dict[str, forms.Field] = {
    "delivery_methods": TableField(
        label=_("Delivery methods"),
        required=False,
        prefixes=SERVICES,
        help_text=_(
            "One per line: code of the shop = standard, express, sameday, carrier KEY, or collect NUMBER (of the facility)."
        ),
    ),
    "default_method": forms.CharField(
        label=_("Other delivery methods are"), initial="standard", help_text=_("One of the words above.")
    ),
    "facilities": TableField(
        label=_("Preferred facilities"),
        required=False,
        help_text=_("One per line: code of the shop = own number of the facility."),
    ),
    "carriers": TableField(
        label=_("Carriers"),
        required=False,
        help_text=_(
            "One per line: key of our carrier = its name or code in the shop. Others are sent by their own name."
        ),
    ),
    "fallback_sku": forms.CharField(
        label=_("SKU of lines without one"), required=False, help_text=_("Empty: such orders are parked.")
    ),
    "locales": ListField(
        label=_("Languages of titles"),
        required=False,
        help_text=_("The first that is there counts, e.g. de-DE, en."),
    ),
    "report_at": forms.ChoiceField(
        label=_("Report a parcel"),
        choices=[("handover", _("when it is handed over")), ("label", _("when it has its label"))],
        initial="handover",
    ),
    "reports_shipments": forms.BooleanField(label=_("Report shipments"), required=False, initial=True),
    "reports_cancellations": forms.BooleanField(
        label=_("Report cancellations and missing units"), required=False, initial=False
    ),
    "availability_minutes": forms.IntegerField(
        label=_("Send stock figures at most every … minutes"),
        required=False,
        min_value=0,
        initial=0,
        help_text=_("0: never."),
    ),
}


@dataclasses.dataclass(frozen=True)
class Kind:
    """A connector: four modules that are alike in every folder, and the fields of its connections."""

    key: str
    label: str
    client: ModuleType  # Client
    mapping: ModuleType  # unwrap, drafts
    inbound: ModuleType  # pages, read; verify where it sends webhooks; is_queued, drain where it has a queue
    report: ModuleType  # find, send
    credentials: Mapping[str, forms.Field]
    settings: Mapping[str, forms.Field]
    poll_seconds: int = 300
    hears_of_deliveries: bool = False
    hears_of_returns: bool = False
    hears_of_return_labels: bool = False  # once the source has a return, see ``Draft.awaits_return_label``
    is_asked_before_label: bool = False  # with ``Client.order``, whether units were cancelled meanwhile

    @property
    def has_webhooks(self):
        return hasattr(self.inbound, "verify")

    @property
    def has_queue(self):
        return hasattr(self.inbound, "drain")

    @property
    def has_availability(self):
        return hasattr(self.client.Client, "push_availability")

    @property
    def fields(self):
        """All settings of a connection by name."""
        return {**self.settings, **COMMON}

    def settings_of_form(self):
        """Fresh form fields of the settings: a form changes its fields."""
        return {name: copy.deepcopy(field) for name, field in self.fields.items()}

    def credentials_of_form(self):
        return {name: copy.deepcopy(field) for name, field in self.credentials.items()}

    def options(self, stored=None):
        """The settings of a connection, completed by defaults; what mapping gets."""
        stored = stored or {}
        return {name: stored.get(name, field.initial) for name, field in self.fields.items()}


@dataclasses.dataclass(frozen=True)
class Received:
    """What the signature and the headers of a webhook say."""

    key: str  # of the delivery: a repeat has the same
    topic: str


@dataclasses.dataclass(frozen=True)
class Page:
    """Orders of a poll. ``watermark`` and ``cursor`` are stored with them, where this page ends what they say."""

    orders: list[dict[str, Any]]
    watermark: datetime.datetime | None = None
    cursor: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Figure:
    """Units of an article that are available for picking; what ``Client.push_availability`` gets a list of."""

    sku: str
    units: int
    before: int | None  # what was sent last
    notes: dict  # what the connector knows of the article there


def shows_push_secret(connection, headers):
    """Whether a message comes from a bridge that knows the secret of the connection, compared in constant time."""
    secret, given = connection.credentials.get("push_secret", ""), headers.get("X-Push-Secret", "")
    return bool(secret and given and hmac.compare_digest(secret.encode(), given.encode()))


def key_of(body, *ids):
    """The id of a delivery: the first there is, else one that only the same body has."""
    return first(*ids) or hashlib.sha256(body).hexdigest()


class BadSignature(Exception):
    """The webhook is not from this source; nothing of it is stored."""


class Gone(Exception):
    """A message names an order that the source does not have any more."""


def found_or_gone(order):
    """The order that was read. Raises ``Gone`` without one."""
    if not order:
        raise Gone
    return order


class NotReportable(Exception):
    """A connector says that this report has no way into its source; carries the reason."""

    def __init__(self, code, /, *, is_fault=True, **params):
        super().__init__(code)
        self.reason = reason(code, **params)
        self.is_fault = is_fault  # whether a person has to look


@dataclasses.dataclass(frozen=True)
class ReportLine:
    line_id: str  # of the source
    ids: tuple[str, ...]  # of its single units, where the source counts them
    quantity: int
    # Of a return.
    is_accepted: bool = True
    condition: str = ""
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Box:
    """One of the parcels in which the same units ship."""

    parcel: ParcelRecord
    lines: list[ReportLine]  # of the units that are counted in it
    parts: list[tuple[str, ReportLine]]  # of those that go on in it, with the box that they are counted in
    carrier_key: str
    carrier: str

    @property
    def id(self):
        return str(self.parcel.package_id)


@dataclasses.dataclass(frozen=True)
class Job:
    """What a connector gets to report."""

    report: Report
    imported: ImportedOrder
    order: Order
    lines: list[ReportLine]
    parcel: ParcelRecord | None
    number: int  # of the parcel within the order, from 1
    is_last: bool  # whether nothing more of the whole order will be shipped, or with DELIVERED delivered
    is_delivered: bool = False  # with SHIPPED: whether with these goods everything is with the customer
    carrier_key: str = ""
    carrier: str = ""  # as the connection's table calls it, else its name
    boxes: tuple[Box, ...] = ()  # of SHIPPED: its parcel and those that share units with it

    @property
    def is_collected(self):
        """Whether the customer took the goods along: nothing of a parcel can be told then."""
        return self.parcel is not None and self.parcel.is_collected

    @property
    def goes_on(self):
        """The boxes in which units of the parcel go on."""
        own = str(self.parcel.package_id)
        return [box for box in self.boxes if any(begins == own for begins, _line in box.parts)]

    @property
    def numbers(self):
        """Tracking numbers of its units: that of the parcel, then those of boxes in which they go on."""
        found = [self.parcel.tracking_number, *(box.parcel.tracking_number for box in self.goes_on)]
        return list(filter(None, found))

    @property
    def what(self):
        return self.report.what

    @property
    def key(self):
        """Our own id of this report, the same at every attempt."""
        return str(self.report.subject_id)

    @property
    def order_id(self):
        """Of the source."""
        return self.imported.external_id
