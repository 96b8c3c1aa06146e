"""A carrier without a program: staff book at its counter or site and type the number in."""

from .base import CarrierError, Outcome


class Manual:
    key = "manual"
    label = "Manual"
    capabilities = frozenset()

    def check_config(self):
        return []

    def book(self, parcel):
        raise CarrierError(Outcome.REJECTED, "This carrier is booked by hand.", code="manual")

    def find(self, reference):
        return None

    def cancel(self, number):
        return False

    def manifest(self, numbers, day):
        return None


ADAPTER = Manual()
