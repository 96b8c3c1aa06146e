"""Calls to the partner API."""

from urllib.parse import parse_qs, quote, urlsplit

from orders.sources import http
from orders.sources.reading import first, iso, items, part, text

SCOPES = "orders shipments returns"
PAGE = 128


class Client(http.Client):
    limit = (20, 20)

    def url(self, path):
        return self.address("base_url") + path

    def sign_in(self):
        found = self.request_token(
            self.address("auth_url", self.url("/v1/token")),
            {
                "grant_type": "client_credentials",
                "client_id": self.credentials.get("client_id", ""),
                "client_secret": self.credentials.get("client_secret", ""),
                "scope": SCOPES,
            },
        )
        return {"access": found["access_token"], "seconds": found.get("expires_in")}

    def explain(self, answer):
        return http.joined(map(_words, http.errors_of(answer)), answer)

    def orders(self, status, since):
        """Pages of orders with at least one unit in this state that changed since then."""
        params = {"fulfillmentStatus": status, "mode": "AT_LEAST_ONE", "limit": PAGE}
        if since:
            params["fromDate"] = iso(since)
        while True:
            answer = self.get(self.url("/v4/orders"), params=params)
            yield items(part(answer, "resources"))
            cursor = _next(answer)
            if not cursor:
                return
            params = {"nextcursor": cursor, "limit": PAGE}

    def order(self, identifier):
        """One order, None when it is not there."""
        return self.find(self.url(f"/v4/orders/{quote(identifier, safe='')}"))

    def shipment(self, carrier, number):
        """The shipment with this tracking number, None when there is none."""
        return self.find(self.url(_of_tracking(carrier, number)))

    def ship(self, shipment):
        """Report a parcel; returns the id of its shipment."""
        return text(part(self.post(self.url("/v1/shipments"), json=shipment), "shipmentId"))

    def ship_together(self, shipments):
        """Report the parcels of units that ship in several ones; returns the id they have together."""
        answer = self.post(self.url("/v1/multiparcel-shipments"), json=shipments)
        return text(part(answer, "multiParcelShipmentId")) or "together"

    def add_units(self, carrier, number, units):
        """Add units to a shipment that is there."""
        self.post(self.url(f"{_of_tracking(carrier, number)}/positionitems"), json=units)

    def cancel(self, identifier, unit_ids=None):
        """Cancel some units, or all of them; either every one is cancelled or none."""
        path = f"/v4/orders/{quote(identifier, safe='')}"
        if unit_ids is not None:
            path += f"/positionItems/{','.join(quote(unit, safe='') for unit in unit_ids)}"
        self.post(self.url(f"{path}/cancellation"))

    def settle_return(self, name, units):
        """Take returned units back (``acceptance``), or refuse them (``rejection``)."""
        self.post(self.url(f"/v3/returns/{name}"), json={"positionItems": units})

    def check(self):
        self.get(self.url("/v4/orders"), params={"fulfillmentStatus": "PROCESSABLE", "limit": 1})
        return []


def _of_tracking(carrier, number):
    return f"/v1/shipments/carriers/{quote(carrier, safe='')}/trackingnumbers/{quote(number, safe='')}"


def _next(answer):
    """The cursor in the link to the next page; '' at the end."""
    link = next((entry for entry in items(part(answer, "links")) if entry.get("rel") == "next"), None)
    query = parse_qs(urlsplit(text(part(link, "href"))).query)
    return first(*query.get("nextcursor", ()))


def _words(error):
    """One error in the words of the source, with the field it is about."""
    words = ": ".join(dict.fromkeys(filter(None, map(text, (error.get("title"), error.get("detail"))))))
    field = first(error.get("jsonPath"))
    return f"{words} ({field})" if words and field else words or field
