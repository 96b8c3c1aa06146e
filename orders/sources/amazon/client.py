"""Calls to the Selling Partner API. There is no signing: a token of Login with Amazon is enough."""

from urllib.parse import quote

from django.utils.translation import gettext as _

from orders.sources import http
from orders.sources.reading import first, items, part, text

from .queue import Queue

DATA = "BUYER,RECIPIENT,PROCEEDS,FULFILLMENT,CANCELLATION,PACKAGES"
STATUSES = "UNSHIPPED,PARTIALLY_SHIPPED,CANCELLED"
PAGE = 100
# Name, calls per second, burst. The API answers 429 beyond them.
SEARCH = ("search", 1 / 180, 20)
READ = ("read", 0.5, 30)
CONFIRM = ("confirm", 2, 10)


class Client(http.Client):
    def url(self, path):
        return (
            self.address("base_url", f"https://sellingpartnerapi-{self.options['region']}.amazon.com") + path
        )

    def sign_in(self):
        found = self.request_token(
            text(self.options["auth_url"]),
            {
                "grant_type": "refresh_token",
                "refresh_token": self.credentials.get("refresh_token", ""),
                "client_id": self.credentials.get("client_id", ""),
                "client_secret": self.credentials.get("client_secret", ""),
            },
        )
        return {"access": found["access_token"], "seconds": found.get("expires_in")}

    def authorize(self, token):
        return {"x-amz-access-token": token}

    def call(self, method, url, **options):
        """A token that has ended is refused with 403 here: that is no lack of rights."""
        try:
            return super().call(method, url, **options)
        except http.SignInFailed as failure:
            if "expired" not in str(failure).lower():
                raise
        self.forget_token()
        return super().call(method, url, **options)

    def explain(self, answer):
        words = (
            ": ".join(dict.fromkeys(filter(None, (text(error.get("message")), text(error.get("details"))))))
            for error in http.errors_of(answer)
        )
        return http.joined(words, answer)

    def search(self, since, *, token="", size=PAGE):
        """A page of orders that we ship and that changed since then."""
        params = {
            "lastUpdatedAfter": since,
            "marketplaceIds": ",".join(self.options["marketplaces"] or []),
            "fulfilledBy": "MERCHANT",
            "fulfillmentStatuses": STATUSES,
            "includedData": DATA,
            "maxResultsPerPage": size,
            **({"paginationToken": token} if token else {}),
        }
        return self.get(self.url("/orders/2026-01-01/orders"), params=params, limit=SEARCH)

    def order(self, identifier):
        """One order, None when it is not there."""
        url = self.url(f"/orders/2026-01-01/orders/{quote(identifier, safe='')}")
        answer = self.find(url, params={"includedData": DATA}, limit=READ)
        return part(answer, "order") or answer

    def confirm(self, identifier, shipment):
        """Report a parcel. Another one with the same reference replaces the first."""
        url = self.url(f"/orders/v0/orders/{quote(identifier, safe='')}/shipmentConfirmation")
        self.post(url, json=shipment, limit=CONFIRM)

    def cancel(self, identifier):
        path = text(self.options["cancel_path"]).replace("{orderId}", quote(identifier, safe=""))
        self.call(
            "PUT",
            self.url(path),
            is_read=False,
            json={"cancelReasonCode": text(self.options["cancel_reason"])},
        )

    def check(self):
        if text(self.options["queue_url"]):
            with Queue(self.connection, self.options) as queue:
                queue.receive(most=1, hidden=0)
        since = "2026-01-01T00:00:00Z"
        orders = items(part(self.search(since, size=1), "orders"))
        open_orders = [o for o in orders if part(o, "fulfillment", "fulfillmentStatus") == "UNSHIPPED"]
        if any(
            not first(part(order, "recipient", "deliveryAddress", "addressLine1")) for order in open_orders
        ):
            return [_("Addresses are hidden: the app lacks the role Direct-to-Consumer Delivery.")]
        return []
