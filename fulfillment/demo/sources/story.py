"""A shop with the demo's orders, connected for real: what comes in, and what the shop hears in the end."""

import time

import httpx
from django.utils import timezone

from fulfillment.core.models import Channel
from fulfillment.demo import loader
from orders.models import Order, ParcelRecord
from orders.sources.models import Connection, Delivery, ImportedOrder, Report
from orders.sources.registry import KINDS

from . import fake_of
from .base import Item

ORDERS = 12
WITHIN = 120  # seconds
BY_WEBHOOK = 2  # every so many-th order is announced, the others are found by the poll


class StoryError(Exception):
    """The orders did not come, or the shop did not hear of them."""


class Story:
    """Use it as a context: the shop is open until it ends."""

    def __init__(self, kind, url, tell):
        self.shop, self.url, self.tell = fake_of(kind, page_size=5), url, tell

    def __enter__(self):
        self._serving = self.shop.serving()
        self._serving.__enter__()
        return self

    def __exit__(self, *failure):
        self._serving.__exit__(*failure)

    def connect(self):
        """A connection as the administration makes it."""
        kind = KINDS[self.shop.kind]
        channel, _is_new = Channel.objects.get_or_create(key=kind.key, defaults={"name": kind.label})
        self.connection = Connection(
            kind=kind.key,
            name=f"{kind.label} demo",
            channel=channel,
            settings={**self.shop.settings(), "reports_cancellations": True},
            watermark=None,
        )
        self.connection.credentials = self.shop.credentials()
        self.connection.save()

    def arrive(self):
        """The customers buy; the orders come by webhook where there are some, and by the poll of the beat."""
        for wire in self._wire_orders():
            address = wire["consumer"]["addresses"][0]
            items = [
                Item(line["article"]["tenantArticleId"], line["quantity"], line["article"]["title"], "12.50")
                for line in wire["orderLineItems"]
            ]
            self.shop.new_order(*items, email=wire["consumer"]["email"], address=_neutral(address))
        self.tell(f"{KINDS[self.shop.kind].label} has {len(self.shop.orders)} new orders.")
        begin = time.perf_counter()
        self.connect()
        announced = self._announce() if self.shop.has_webhooks else 0
        self._wait(lambda: ImportedOrder.objects.count() >= len(self.shop.orders), "Not every order came.")
        Connection.objects.filter(pk=self.connection.pk).update(poll_due_at=None)
        self.tell(
            f"All are here after {time.perf_counter() - begin:.1f} s: {announced} were announced, the poll found the others."
        )

    def _wire_orders(self):
        found = [
            wire
            for wire in loader.orders(timezone.now())
            if not wire.get("deliveryPreferences") and wire["consumer"].get("addresses")
        ]
        return found[:ORDERS]

    def _announce(self):
        announced = list(self.shop.orders.values())[::BY_WEBHOOK]
        for order in announced:
            headers, body = self.shop.webhook(order)
            answer = httpx.post(
                f"{self.url}/sources/{self.connection.pk}/",
                content=body,
                headers={**headers, "Content-Type": "application/json"},
                timeout=30,
            )
            if answer.status_code != httpx.codes.OK:
                raise StoryError(f"A webhook was answered {answer.status_code}.")
        return len(announced)

    def _wait(self, is_done, words):
        end = time.monotonic() + WITHIN
        while not is_done():
            if time.monotonic() > end:
                self.connection.refresh_from_db()
                parked = [str(delivery.reason) for delivery in Delivery.objects.parked()[:3]]
                raise StoryError(f"{words} {self.connection.last_error} {' '.join(parked)}".strip())
            time.sleep(0.2)

    def end(self):
        """Wait until everything is reported; returns rows of what the shop knows, or fails with what it does not know."""
        open_states = [Report.State.DUE, Report.State.UNKNOWN]
        self._wait(lambda: not Report.objects.filter(state__in=open_states).exists(), "Reports are left.")
        for report in Report.objects.failed():
            # What a source has no way for is a person's task, and no fault.
            if report.reason_code != "NO_ROUTE":
                raise StoryError(f"{report}: {report.reason}")
            self.tell(f"{report}: {report.reason}")
        known = {shipment["tracking"] for order in self.shop.orders.values() for shipment in order.shipments}
        parcels = ParcelRecord.objects.exclude(handed_over_at=None)
        if missing := set(parcels.values_list("tracking_number", flat=True)) - known:
            raise StoryError(f"The shop does not know of {', '.join(sorted(missing))}.")
        return [self._row(link) for link in ImportedOrder.objects.select_related("order").order_by("number")]

    def _row(self, link):
        order = self.shop.orders[link.external_id]
        wanted = sum(item.quantity - item.cancelled for item in order.items)
        sent = sum(units for shipment in order.shipments for units in shipment["lines"].values())
        numbers = ", ".join(shipment["tracking"] for shipment in order.shipments)
        return [
            link.number,
            Order.objects.get(pk=link.order_id).country,
            f"{sent} of {wanted}" if self.shop.names_units else "-",
            numbers or "-",
        ]


def _neutral(address):
    names = {
        "first_name": "firstName",
        "last_name": "lastName",
        "company": "companyName",
        "street": "street",
        "house_number": "houseNumber",
        "addition": "additionalAddressInfo",
        "postal_code": "postalCode",
        "city": "city",
        "country": "country",
    }
    return {own: address.get(name, "") for own, name in names.items()} | {"phone": ""}
