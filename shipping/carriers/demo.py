"""A carrier that books nothing and prints a real label: to learn the system and to test it.

The recipient's house number REJECT, RETRY or TIMEOUT brings about that outcome.
"""

import hashlib

from django.conf import settings

from ..labels import DoesNotFit, render_label
from .base import Booking, CarrierError, Doc, Outcome


class Demo:
    key = "demo"
    label = "Demo"
    capabilities = frozenset({"book", "cancel", "return_label"})

    def check_config(self):
        if settings.DEMO_CARRIER_ALLOWED:
            return []
        return ["The demo carrier books nothing. Set DEMO_CARRIER_ALLOWED=true to use it all the same."]

    def book(self, parcel):
        problems = self.check_config()
        if problems:
            raise CarrierError(Outcome.REJECTED, problems[0], code="not_allowed")
        match parcel.recipient.house_number:
            case "REJECT":
                raise CarrierError(
                    Outcome.REJECTED,
                    "The address does not exist.",
                    code="address",
                    fields=[("house_number", "There is no such house.")],
                )
            case "RETRY":
                raise CarrierError(Outcome.RETRY, "The carrier cannot be reached.", code="unreachable")
            case "TIMEOUT":
                raise CarrierError(Outcome.UNKNOWN, "The carrier did not answer in time.", code="timeout")
        number = f"DEMO{_digits(parcel.reference)}"
        return_number = f"DEMR{_digits(parcel.reference)}"
        try:
            docs = (
                Doc("label", "PDF", render_label(parcel, number)),
                Doc("return_label", "PDF", render_label(parcel, return_number, is_return=True)),
            )
        except DoesNotFit as error:
            raise CarrierError(
                Outcome.REJECTED,
                "The address does not fit on the label.",
                code="too_long",
                fields=[("street", "Shorten the address.")],
            ) from error
        return Booking(
            number=number,
            docs=docs,
            return_number=return_number,
            scan_codes=(parcel.code, number),
        )

    def find(self, reference):
        return None

    def cancel(self, number):
        return True

    def manifest(self, numbers, day):
        return None


def _digits(reference):
    return str(int(hashlib.sha256(reference.encode()).hexdigest(), 16))[:12]


ADAPTER = Demo()
