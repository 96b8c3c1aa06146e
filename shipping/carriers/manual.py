"""A carrier without a program: staff book at its counter or site, type the number in and may upload its label."""

from .base import Adapter, CarrierError, Outcome


class Manual(Adapter):
    key = "manual"
    label = "Manual"

    def book(self, parcel):
        raise CarrierError(Outcome.REJECTED, "This carrier is booked by hand.", code="manual")


ADAPTER = Manual
