"""Calls to the Admin API. GraphQL answers 200 also when it refuses, so every answer is looked into."""

import uuid

from django.utils.translation import gettext as _

from orders.sources import http
from orders.sources.reading import items, money, part, text

ORDER = """
fragment Address on MailingAddress {
  firstName lastName name company address1 address2 zip city provinceCode countryCodeV2 phone
}
fragment Line on LineItem {
  id sku title quantity currentQuantity unfulfilledQuantity requiresShipping isGiftCard
  originalUnitPriceSet { shopMoney { amount currencyCode } } customAttributes { key value }
}
fragment Whole on Order {
  id legacyResourceId name createdAt updatedAt cancelledAt test currencyCode email phone note tags
  displayFinancialStatus displayFulfillmentStatus customAttributes { key value }
  shippingAddress { ...Address } shippingLine { code title }
  fulfillmentOrders(first: 5) { nodes { id status fulfillmentHolds { reasonNotes } } }
  returns(first: 5) @include(if: $returns) {
    nodes {
      status
      reverseFulfillmentOrders(first: 2) { nodes { status reverseDeliveries(first: 1) { nodes { id } } } }
    }
  }
  lineItems(first: $lines) { nodes { ...Line } pageInfo { hasNextPage endCursor } }
}
"""
PAGE = (
    ORDER
    + """
query Orders($first: Int!, $after: String, $query: String, $lines: Int!, $returns: Boolean!) {
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $query) {
    nodes { ...Whole } pageInfo { hasNextPage endCursor }
  }
}
"""
)
ONE = ORDER + "query Order($id: ID!, $lines: Int!, $returns: Boolean!) { order(id: $id) { ...Whole } }"
MORE_LINES = """
fragment Line on LineItem {
  id sku title quantity currentQuantity unfulfilledQuantity requiresShipping isGiftCard
  originalUnitPriceSet { shopMoney { amount currencyCode } } customAttributes { key value }
}
query MoreLines($id: ID!, $after: String) {
  order(id: $id) {
    lineItems(first: 100, after: $after) { nodes { ...Line } pageInfo { hasNextPage endCursor } }
  }
}
"""
ITEMS_OF_SKUS = """
query Items($query: String!, $after: String) {
  inventoryItems(first: 100, after: $after, query: $query) {
    nodes { id sku } pageInfo { hasNextPage endCursor }
  }
}
"""
SET_STOCK = """
mutation Stock($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id } userErrors { field message }
  }
}
"""
OF_FULFILLMENT_ORDER = "query Owner($id: ID!) { fulfillmentOrder(id: $id) { order { id } } }"
FIGURES, SEARCHED = 100, 25  # SKUs of one write, and of one search
LINES = 20  # of each order in a page; the rest is asked for


class TooCostly(http.Rejected):
    """A single query asks for more than the shop's plan allows."""


def gid(kind, identifier):
    """The global id of a number; one that is global already stays."""
    identifier = text(identifier)
    return identifier if identifier.startswith("gid://") else f"gid://shopify/{kind}/{identifier}"


def number_of(identifier):
    """The number in a global id."""
    return text(identifier).rpartition("/")[2].partition("?")[0]


class Client(http.Client):
    def url(self, path):
        return f"{self.address('base_url', 'https://' + text(self.options['shop']))}/admin/{path}"

    def sign_in(self):
        known = self.credentials
        refresh = self.connection.token_store.get("refresh") or known.get("refresh_token")
        if known.get("access_token") and not refresh:
            return {"access": known["access_token"]}
        if not known.get("client_id"):
            raise http.SignInFailed("The connection has neither a client id nor an access token.")
        form = {"client_id": known["client_id"], "client_secret": known.get("client_secret", "")}
        if refresh:
            form |= {"grant_type": "refresh_token", "refresh_token": refresh}
        else:
            form |= {"grant_type": "client_credentials"}
        found = self.request_token(self.url("oauth/access_token"), form)
        # The refresh token changes at each use.
        more = {"refresh": found["refresh_token"]} if found.get("refresh_token") else {}
        return {"access": found["access_token"], "seconds": found.get("expires_in"), **more}

    def authorize(self, token):
        return {"X-Shopify-Access-Token": token}

    def explain(self, answer):
        return text(answer.text)[:500]

    def query(self, query, /, **variables):
        return self._graphql(query, variables, is_read=True)

    def mutate(self, name, mutation, /, **variables):
        """Run a mutation; what it answers under its name. User errors are a refusal, although the status is 200."""
        found = part(self._graphql(mutation, variables, is_read=False), name) or {}
        errors = [
            text(error.get("message"))
            for field in ("userErrors", "orderCancelUserErrors")
            for error in items(found.get(field))
        ]
        if errors:
            raise http.Rejected("; ".join(errors)[:900])
        return found

    def _graphql(self, query, variables, *, is_read):
        url = self.url(f"api/{text(self.options['api_version'])}/graphql.json")
        for attempt in range(1, http.ATTEMPTS + 1):
            answer = self.post(url, is_read=is_read, json={"query": query, "variables": variables})
            errors = items(part(answer, "errors"))
            codes = {text(part(error, "extensions", "code")) for error in errors}
            if "THROTTLED" in codes:
                self.pause(_pause(part(answer, "extensions", "cost")), attempt)
                continue
            words = "; ".join(text(error.get("message")) for error in errors)[:900]
            if "MAX_COST_EXCEEDED" in codes:
                raise TooCostly(words)
            if "ACCESS_DENIED" in codes and not part(answer, "data"):
                raise http.SignInFailed(words)
            if isinstance(part(answer, "errors"), str):
                raise http.Rejected(text(part(answer, "errors"))[:900])
            if errors and not part(answer, "data"):
                raise http.Rejected(words)
            return part(answer, "data") or {}
        raise http.Throttled(http.backoff(http.ATTEMPTS))

    def order(self, identifier):
        """One order with all its lines, None when there is none."""
        order = part(
            self.query(ONE, id=gid("Order", identifier), lines=LINES, returns=self.reads_returns), "order"
        )
        return self.with_all_lines(order) if order else None

    @property
    def reads_returns(self):
        """Whether returns are looked at; an app without the right for them may not ask."""
        return bool(self.options["reports_return_labels"])

    def with_all_lines(self, order):
        """Orders can have more lines than a page of orders brings."""
        lines = items(order.get("lineItems"))
        info = part(order, "lineItems", "pageInfo") or {}
        while info.get("hasNextPage"):
            found = self.query(MORE_LINES, id=order["id"], after=info.get("endCursor"))
            more = part(found, "order", "lineItems") or {}
            lines += items(more)
            info = more.get("pageInfo") or {}
        return {**order, "lineItems": {"nodes": lines}}

    def push_availability(self, figures):
        """Set what is available of SKUs at the location of the connection; yields (SKU, notes) of those that were taken.

        An SKU that the shop does not know counts as taken: it is asked for again when its figure changes.
        """
        location = text(self.options["stock_location"])
        if not location:
            raise http.Rejected("The connection names no location for stock figures.")
        for start in range(0, len(figures), FIGURES):
            batch = figures[start : start + FIGURES]
            known = {figure.sku: figure.notes["item"] for figure in batch if figure.notes.get("item")}
            known |= self._inventory_items([figure.sku for figure in batch if figure.sku not in known])
            quantities = [
                {
                    "inventoryItemId": known[figure.sku],
                    "locationId": gid("Location", location),
                    "quantity": figure.units,
                    "changeFromQuantity": None,  # we are the source of the figure
                }
                for figure in batch
                if figure.sku in known
            ]
            if quantities:
                wanted = {"name": "available", "reason": "correction", "quantities": quantities}
                self.mutate("inventorySetQuantities", SET_STOCK, input=wanted, key=str(uuid.uuid4()))
            for figure in batch:
                yield figure.sku, {"item": known[figure.sku]} if figure.sku in known else {}

    def _inventory_items(self, skus):
        """{SKU: id of its inventory item}. The search of the shop knows no exact match, so the answer is compared."""
        wanted, found = set(skus), {}
        for start in range(0, len(skus), SEARCHED):
            words = " OR ".join(f'sku:"{_escape(sku)}"' for sku in skus[start : start + SEARCHED])
            after = None
            while True:
                answer = part(self.query(ITEMS_OF_SKUS, query=words, after=after), "inventoryItems") or {}
                found |= {text(item.get("sku")): item["id"] for item in items(answer)}
                info = answer.get("pageInfo") or {}
                if not info.get("hasNextPage"):
                    break
                after = info.get("endCursor")
        return {sku: identifier for sku, identifier in found.items() if sku in wanted}

    def check(self):
        found = self.query(
            "{ shop { name myshopifyDomain } currentAppInstallation { accessScopes { handle } } }"
        )
        problems, domain = [], text(part(found, "shop", "myshopifyDomain"))
        if domain and domain.lower() != text(self.options["shop"]).lower():
            problems.append(_("The token belongs to the shop %(domain)s.") % {"domain": domain})
        scopes = {
            text(scope.get("handle"))
            for scope in items(part(found, "currentAppInstallation", "accessScopes"))
        }
        if scopes and "read_orders" not in scopes and "write_orders" not in scopes:
            problems.append(_("The app lacks the scope %(scope)s.") % {"scope": "read_orders"})
        if scopes and not any(scope.endswith("_fulfillment_orders") for scope in scopes):
            problems.append(_("The app lacks a scope to read and write fulfillment orders."))
        if self.reads_returns and scopes and not scopes & {"write_returns", "write_marketplace_returns"}:
            problems.append(_("The app lacks the scope %(scope)s.") % {"scope": "write_returns"})
        return problems


def _escape(value):
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _pause(cost):
    """Seconds until the shop's bucket holds what the query costs."""
    needed = money(part(cost, "requestedQueryCost")) or 0
    there = money(part(cost, "throttleStatus", "currentlyAvailable")) or 0
    rate = money(part(cost, "throttleStatus", "restoreRate")) or 50
    return max(float((needed - there) / rate), 0.5)
