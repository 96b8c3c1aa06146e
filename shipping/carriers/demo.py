"""A carrier that books nothing and prints a real label: to learn the system and to test it.

The recipient's house number REJECT, RETRY or TIMEOUT brings about that outcome.
"""

import datetime
import hashlib
import hmac
import json

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from ..labels import DoesNotFit, render_label, render_zpl
from .base import Adapter, Booking, CarrierError, Doc, NotSigned, Outcome, Track
from .calls import check_in_time

SIGNATURE = "x-hmac-signature"


class Demo(Adapter):
    key = "demo"
    label = "Demo"
    capabilities = frozenset({"book", "find", "cancel", "return_label", "track", "webhook"})

    def check_config(self):
        if settings.DEMO_CARRIER_ALLOWED:
            return []
        return [
            gettext("The demo carrier books nothing. Set DEMO_CARRIER_ALLOWED=true to use it all the same.")
        ]

    def book(self, parcel):
        problems = self.check_config()
        if problems:
            raise CarrierError(Outcome.REJECTED, problems[0], code="not_allowed")
        match parcel.recipient.house_number:
            case "REJECT":
                raise CarrierError(
                    Outcome.REJECTED,
                    gettext_noop("The address does not exist."),
                    code="address",
                    fields=[("house_number", gettext_noop("There is no such house."))],
                )
            case "RETRY":
                raise CarrierError(
                    Outcome.RETRY, gettext_noop("The carrier cannot be reached."), code="unreachable"
                )
            case "TIMEOUT":
                # Stands for a carrier that nobody can ask afterwards.
                raise CarrierError(
                    Outcome.UNKNOWN,
                    gettext_noop("The carrier did not answer in time."),
                    code="timeout",
                    can_find=False,
                )
        check_in_time(parcel.send_until)
        number = f"DEMO{_digits(parcel.reference)}"
        return_number = f"DEMR{_digits(parcel.reference)}"
        is_zpl = self.account.label_format == "ZPL"
        render = render_zpl if is_zpl else render_label
        form = "ZPL" if is_zpl else "PDF"
        try:
            docs = (
                Doc("label", form, render(parcel, number)),
                Doc("return_label", form, render(parcel, return_number, is_return=True)),
            )
        except DoesNotFit as error:
            raise CarrierError(
                Outcome.REJECTED,
                gettext_noop("The address does not fit on the label."),
                code="too_long",
                fields=[("street", gettext_noop("Shorten the address."))],
            ) from error
        return Booking(
            number=number,
            docs=docs,
            return_number=return_number,
            scan_codes=(parcel.code, number),
        )

    def find(self, reference):
        # It keeps no books: whatever lost its answer was not booked.
        return None

    def cancel(self, number):
        return True

    def track(self, numbers):
        return [Track(number, "registered", _midnight(), carrier_status="demo") for number in numbers]

    def read_webhook(self, body, headers):
        """``{"events": [{"number", "status", "at", "description"?, "location"?}]}``, signed with HMAC-SHA256."""
        signature = hmac.new(self.account.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        given = headers.get(SIGNATURE, "").removeprefix("hmac-sha256-hex=")
        if not self.account.webhook_secret or not hmac.compare_digest(signature.encode(), given.encode()):
            raise NotSigned
        return [
            Track(
                number=str(event["number"]),
                status=str(event["status"]),
                at=datetime.datetime.fromisoformat(event["at"]).astimezone(datetime.UTC),
                description=str(event.get("description", "")),
                location=str(event.get("location", "")),
            )
            for event in json.loads(body)["events"]
        ]


def _midnight():
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)


def _digits(reference):
    return str(int(hashlib.sha256(reference.encode()).hexdigest(), 16))[:12]


ADAPTER = Demo
