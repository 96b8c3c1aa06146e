"""Calls to the Orders API of B2C Commerce, and to the REST API of an org with Order Management."""

import uuid
from urllib.parse import quote

from orders.sources import http
from orders.sources.reading import first, items, part, read_json, text

AUTH_URL = "https://account.demandware.com/dwsso/oauth2/access_token"


class Client(http.Client):
    @property
    def is_management(self):
        return self.options["variant"] == "management"

    def sign_in(self):
        key, secret = self.credentials.get("client_id", ""), self.credentials.get("client_secret", "")
        form, url = {"grant_type": "client_credentials"}, text(self.options["auth_url"])
        if self.is_management:
            form |= {"client_id": key, "client_secret": secret}
            found = self.request_token(url or f"{self._base}/services/oauth2/token", form)
        else:
            tenant = text(self.options["tenant"])
            form["scope"] = f"SALESFORCE_COMMERCE_API:{tenant} sfcc.orders.rw"
            found = self.request_token(url or AUTH_URL, form, auth=(key, secret))
        return {"access": found["access_token"], "seconds": found.get("expires_in") or 1800}

    def authorize(self, token):
        return {**super().authorize(token), "correlation-id": str(uuid.uuid4())}

    def explain(self, answer):
        try:
            found = read_json(answer.content)
        except ValueError:
            return text(answer.text)[:500]
        if isinstance(found, list):
            return "; ".join(filter(None, (text(error.get("message")) for error in items(found))))[:500]
        words = [part(found, name) for name in ("title", "detail", "message", "error_description")]
        return ": ".join(dict.fromkeys(filter(None, map(text, words))))[:500] or text(answer.text)[:500]

    def check(self):
        if self.is_management:
            self.query("SELECT Id FROM FulfillmentOrder LIMIT 1")
        else:
            self.orders(status="new", limit=1)
        return []

    @property
    def _base(self):
        return self.address("base_url")

    # B2C Commerce

    def _orders_url(self, path=""):
        organization = quote(text(self.options["organization"]), safe="")
        return f"{self._base}/checkout/orders/v1/organizations/{organization}/orders{path}"

    @property
    def _site(self):
        return {"siteId": text(self.options["site_id"])}

    def orders(self, **params):
        return self.get(self._orders_url(), params={**self._site, **params})

    def order(self, number):
        """One order, None when it is not there."""
        return self.find(self._orders_url(f"/{quote(number, safe='')}"), params=self._site)

    def set_status(self, number, name, value):
        """Set the ``status``, ``export-status`` or ``shipping-status``; setting it twice does no harm."""
        url = self._orders_url(f"/{quote(number, safe='')}/{name}")
        self.put(url, params=self._site, json={"status": value})

    def tell(self, number, event):
        url = self._orders_url(f"/{quote(number, safe='')}/oms-status-events")
        self.post(url, params=self._site, json={"omsOrderId": number, **event})

    def change(self, number, attributes):
        self.patch(self._orders_url(f"/{quote(number, safe='')}"), params=self._site, json=attributes)

    # Order Management

    def _data_url(self, path):
        return f"{self._base}/services/data/v{first(self.options['api_version'], '62.0')}{path}"

    def query(self, soql):
        return self.get(self._data_url("/query"), params={"q": soql})

    def select(self, columns, table, condition="", *, order="", **equal):
        """A query for rows with a condition in SOQL, or with these values in their fields."""
        terms = [condition, *(f"{name} = '{_escape(value)}'" for name, value in equal.items())]
        where = " AND ".join(filter(None, terms))
        words = ["SELECT", columns, "FROM", table]
        words += ["WHERE", where] if where else []
        words += ["ORDER BY", order] if order else []
        return self.query(" ".join(words))

    def more(self, path):
        """The next page of a query, at the path that the page before named."""
        return self.get(f"{self._base}{path}")

    def create(self, kind, values):
        return text(part(self.post(self._data_url(f"/sobjects/{kind}"), json=values), "id"))

    def update(self, kind, identifier, values):
        self.patch(self._data_url(f"/sobjects/{kind}/{quote(identifier, safe='')}"), json=values)

    def cancel_items(self, identifier, lines):
        path = f"/commerce/fulfillment/fulfillment-orders/{quote(identifier, safe='')}/actions/cancel-item"
        body = {"fulfillmentOrderLineItemsToCancel": lines}
        self.post(self._data_url(path), json=body)


def _escape(value):
    return text(value).replace("\\", "\\\\").replace("'", "\\'")
