"""Calls to the HTTP API of a project."""

from orders.sources import http
from orders.sources.reading import first, items, part, read_json, text, whole

EXPAND = ["shippingInfo.shippingMethod", "shipping[*].shippingInfo.shippingMethod"]
READS = 100  # SKUs that one read of the stock names


class Client(http.Client):
    def url(self, path):
        base = self.address("base_url", f"https://api.{self.options['region']}.commercetools.com")
        return f"{base}/{text(self.options['project'])}{path}"

    def sign_in(self):
        base = self.address("auth_url", f"https://auth.{self.options['region']}.commercetools.com")
        project = text(self.options["project"])
        scopes = " ".join(f"{scope}:{project}" for scope in self.options["scopes"])
        found = self.request_token(
            f"{base}/oauth/token",
            {"grant_type": "client_credentials", "scope": scopes},
            auth=(self.credentials.get("client_id", ""), self.credentials.get("client_secret", "")),
        )
        return {"access": found["access_token"], "seconds": found.get("expires_in")}

    def explain(self, answer):
        try:
            found = read_json(answer.content)
        except ValueError:
            return text(answer.text)[:500]
        words = [text(error.get("message")) for error in items(part(found, "errors"))]
        return (
            "; ".join(dict.fromkeys(filter(None, words))) or first(part(found, "message"), answer.text)[:500]
        )

    def orders(self, where, limit):
        params = [("where", where)] if where else []
        params += [
            ("sort", "lastModifiedAt asc"),
            ("sort", "id asc"),
            ("limit", limit),
            ("withTotal", "false"),
        ]
        return self.get(self.url("/orders"), params=[*params, *(("expand", path) for path in EXPAND)])

    def order(self, identifier):
        """One order, None when it is not there."""
        return self.find(self.url(f"/orders/{identifier}"), params=[("expand", path) for path in EXPAND])

    def update(self, order, actions):
        """Change an order at the version that was read. Raises ``http.Conflict`` when it has another meanwhile."""
        body = {"version": order["version"], "actions": actions}
        return self.post(self.url(f"/orders/{order['id']}"), json=body)

    def check(self):
        self.get(self.url("/orders"), params={"limit": 1, "withTotal": "false"})
        return []

    def push_availability(self, figures):
        """Set the stock of SKUs; yields (SKU, notes) of those that were taken."""
        channel = text(self.options["stock_channel"])
        for start in range(0, len(figures), READS):
            batch = figures[start : start + READS]
            entries = self._entries([figure.sku for figure in batch], channel)
            for figure in batch:
                self._set(figure, entries.get(figure.sku), channel)
                yield figure.sku, {}

    def _entries(self, skus, channel):
        names = ", ".join(f'"{_escape(sku)}"' for sku in skus)
        place = f'supplyChannel(id="{_escape(channel)}")' if channel else "supplyChannel is not defined"
        found = self.get(
            self.url("/inventory"), params={"where": f"sku in ({names}) and {place}", "limit": 500}
        )
        return {text(entry.get("sku")): entry for entry in items(part(found, "results"))}

    def _set(self, figure, entry, channel):
        for _attempt in range(3):
            if entry is not None and whole(entry.get("quantityOnStock")) == figure.units:
                return
            try:
                if entry is None:
                    place = {"supplyChannel": {"typeId": "channel", "id": channel}} if channel else {}
                    body = {"sku": figure.sku, "quantityOnStock": figure.units, **place}
                    self.post(self.url("/inventory"), json=body)
                else:
                    action = {"action": "changeQuantity", "quantity": figure.units}
                    body = {"version": entry["version"], "actions": [action]}
                    # A figure is set, not added: sending it twice does no harm.
                    self.post(self.url(f"/inventory/{entry['id']}"), json=body)
                return
            except http.Conflict:
                entry = self._entries([figure.sku], channel).get(figure.sku)
        raise http.Conflict(f"The stock of {figure.sku} changes all the time.")


def _escape(value):
    return value.replace("\\", "\\\\").replace('"', '\\"')
