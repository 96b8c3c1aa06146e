"""A Shopify shop: GraphQL with cursors and costs, fulfilment orders, signed webhooks."""

import base64
import hashlib
import hmac
import json
import re

import httpx

from .base import FakeSource, to_json
from .shopify_returns import Returns, fulfillments

SECRET = "shpss_of_the_fake"  # noqa: S105 - of a shop that is not there


class Fake(FakeSource):
    kind = "shopify"

    def __init__(self, **options):
        super().__init__(**options)
        self.articles = {"SKU-1", "SKU-2"}
        self.stock: dict[str, int] = {}
        self.held: dict[str, dict[str, int]] = {}  # units by order and line
        self.holds: list[dict] = []
        self.returns = Returns(self)

    def settings(self):
        return {"shop": "fake.myshopify.com", "base_url": self.base_url, "stock_location": "1"}

    def credentials(self):
        return {"client_id": "fake", "client_secret": SECRET}

    # Orders as the shop sends them

    def payload(self, order):
        """The body of orders/create, orders/updated and so on."""
        address = order.address
        return {
            "id": int(order.id),
            "admin_graphql_api_id": f"gid://shopify/Order/{order.id}",
            "name": f"#{order.number}" if order.number else None,
            "created_at": _shop_time(order.created_at),
            "updated_at": _shop_time(order.updated_at),
            "cancelled_at": _shop_time(order.updated_at) if order.is_cancelled else None,
            "currency": order.currency,
            "email": order.email,
            "financial_status": "paid" if order.is_released else "pending",
            "test": False,
            "note": order.note or None,
            "note_attributes": [],
            "tags": "",
            "shipping_lines": [{"code": order.method, "title": order.method.title()}],
            "shipping_address": None if address is None else _address(address),
            "line_items": [
                {
                    "id": int(item.id),
                    "sku": item.sku or None,
                    "title": item.title,
                    "price": item.price,
                    "quantity": item.quantity,
                    "current_quantity": item.quantity - item.cancelled,
                    "fulfillable_quantity": item.quantity - item.cancelled - item.shipped,
                    "requires_shipping": True,
                    "gift_card": False,
                    "properties": [{"name": name, "value": value} for name, value in item.attributes.items()],
                }
                for item in order.items
            ],
        }

    def page(self, *orders):
        nodes = [self._node(order, 100) for order in orders]
        return {"data": {"orders": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}}}

    def _node(self, order, most_lines, start=0, *, has_returns=False):
        body = self.payload(order)
        address = body["shipping_address"]
        lines = [
            {
                "id": f"gid://shopify/LineItem/{line['id']}",
                "sku": line["sku"],
                "title": line["title"],
                "quantity": line["quantity"],
                "currentQuantity": line["current_quantity"],
                "unfulfilledQuantity": line["fulfillable_quantity"],
                "requiresShipping": True,
                "isGiftCard": False,
                "originalUnitPriceSet": {
                    "shopMoney": {"amount": line["price"], "currencyCode": order.currency}
                },
                "customAttributes": [
                    {"key": entry["name"], "value": entry["value"]} for entry in line["properties"]
                ],
            }
            for line in body["line_items"]
        ]
        end = start + most_lines
        return {
            "id": f"gid://shopify/Order/{order.id}",
            "legacyResourceId": order.id,
            "name": body["name"],
            "createdAt": body["created_at"],
            "updatedAt": body["updated_at"],
            "cancelledAt": body["cancelled_at"],
            "test": False,
            "currencyCode": order.currency,
            "email": order.email,
            "note": body["note"],
            "tags": [],
            "displayFinancialStatus": body["financial_status"].upper(),
            "customAttributes": [],
            "shippingAddress": None
            if address is None
            else {
                "firstName": address["first_name"],
                "lastName": address["last_name"],
                "company": address["company"],
                "address1": address["address1"],
                "address2": address["address2"],
                "zip": address["zip"],
                "city": address["city"],
                "provinceCode": address["province_code"],
                "countryCodeV2": address["country_code"],
                "phone": address["phone"],
            },
            "shippingLine": {"code": order.method, "title": order.method.title()},
            "fulfillmentOrders": {"nodes": self._fulfillment_orders(order)},
            **({"returns": self.returns.of(order)} if has_returns else {}),
            "lineItems": {
                "nodes": lines[start:end],
                "pageInfo": {"hasNextPage": end < len(lines), "endCursor": str(end)},
            },
        }

    def webhook(self, order, topic="orders/create", *, key=None, secret=SECRET, shop=None, body=None):
        body = to_json(self.payload(order)) if body is None else body
        signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        headers = {
            "X-Shopify-Hmac-Sha256": signature,
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": shop or "fake.myshopify.com",
            "X-Shopify-Webhook-Id": key or f"hook-{next(self._deliveries)}",
        }
        return headers, body

    def signal(self, order):
        body = to_json({"order_edit": {"id": 1, "order_id": int(order.id)}})
        return self.webhook(order, "orders/edited", body=body)

    def forged_webhook(self, order):
        """One byte more than was signed."""
        headers, body = self.webhook(order)
        return headers, body + b" "

    def foreign_webhook(self, order):
        """Signed well, but of another shop."""
        return self.webhook(order, shop="other.myshopify.com")

    # The API

    def is_write(self, request):
        return b"fulfillmentCreate" in request.content

    def answer(self, request):
        if request.url.path == "/admin/oauth/access_token":
            form = dict(pair.split("=") for pair in request.content.decode().split("&"))
            if form.get("client_id") != "fake" or form.get("client_secret") != SECRET:
                return httpx.Response(400, json={"error": "invalid_client"})
            return httpx.Response(200, json={"access_token": self.new_token(), "expires_in": 86399})
        if not self.token or request.headers.get("X-Shopify-Access-Token") != self.token:
            return httpx.Response(401, json={"errors": "[API] Invalid API key or access token"})
        call = json.loads(request.content)
        name = re.search(r"(?:query|mutation)\s+(\w+)", call["query"])
        if name and name[1] in Returns.CALLS:
            return httpx.Response(200, json=self.returns.answer(name[1], call["variables"]))
        method = getattr(self, f"_{name[1].lower()}" if name else "_shop")
        return httpx.Response(200, json=method(call["variables"]))

    def is_short(self, request):
        return b"fulfillmentOrderHold" in request.content

    def missing(self, order):
        return self.held.get(order.id, {})

    def refusal(self, words):
        return {"errors": words}

    def throttle(self, *, seconds=0.1):
        """The next call is refused with a status of 200, as GraphQL does."""
        cost = {
            "requestedQueryCost": 100,
            "throttleStatus": {"currentlyAvailable": 100 - 100 * seconds, "restoreRate": 100},
        }
        body = {
            "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
            "extensions": {"cost": cost},
        }
        self.fail(200, body=body)

    def _shop(self, variables):
        scopes = [
            {"handle": name}
            for name in ("read_orders", "write_merchant_managed_fulfillment_orders", "write_returns")
        ]
        return {
            "data": {
                "shop": {"name": "Fake", "myshopifyDomain": "fake.myshopify.com"},
                "currentAppInstallation": {"accessScopes": scopes},
            }
        }

    def _orders(self, variables):
        since = re.search(r"updated_at:>='(.+)'", variables["query"] or "")
        rows = sorted(self.orders.values(), key=lambda order: (order.updated_at, order.id))
        if since:
            rows = [order for order in rows if _utc(order.updated_at) >= since[1]]
        start = int(variables["after"] or 0)
        end = start + min(variables["first"], self.page_size)
        has_returns = variables["returns"]
        nodes = [self._node(order, variables["lines"], has_returns=has_returns) for order in rows[start:end]]
        info = {"hasNextPage": end < len(rows), "endCursor": str(end)}
        return {"data": {"orders": {"nodes": nodes, "pageInfo": info}}}

    def _items(self, variables):
        skus = re.findall(r'sku:"([^"]+)"', variables["query"])
        nodes = [
            {"id": f"gid://shopify/InventoryItem/{sku}", "sku": sku} for sku in skus if sku in self.articles
        ]
        return {"data": {"inventoryItems": {"nodes": nodes, "pageInfo": {"hasNextPage": False}}}}

    def _stock(self, variables):
        for entry in variables["input"]["quantities"]:
            self.stock[entry["inventoryItemId"].rpartition("/")[2]] = entry["quantity"]
        group = {"id": "gid://shopify/InventoryAdjustmentGroup/1"}
        return {"data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": group, "userErrors": []}}}

    def find(self, identifier):
        return self.orders.get(identifier.rpartition("/")[2].partition("?")[0])

    def _order(self, variables):
        order = self.find(variables["id"])
        return {
            "data": {
                "order": order and self._node(order, variables["lines"], has_returns=variables["returns"])
            }
        }

    def _morelines(self, variables):
        order = self.find(variables["id"])
        return {
            "data": {"order": {"lineItems": self._node(order, 100, int(variables["after"]))["lineItems"]}}
        }

    def _owner(self, variables):
        return {
            "data": {
                "fulfillmentOrder": {"order": {"id": variables["id"].replace("FulfillmentOrder", "Order")}}
            }
        }

    def _state(self, variables):
        order = self.find(variables["id"])
        if order is None:
            return {"data": {"order": None}}
        state = {
            "cancelledAt": _shop_time(order.updated_at) if order.is_cancelled else None,
            "fulfillments": fulfillments(order),
            "fulfillmentOrders": {
                "nodes": self._fulfillment_orders(order),
                "pageInfo": {"hasNextPage": False},
            },
        }
        return {"data": {"order": state}}

    def _fulfillment_orders(self, order):
        """What is held is split off into a fulfilment order of its own."""
        held = self.held.get(order.id, {})
        left = {
            item.id: item.quantity - item.cancelled - item.shipped - held.get(item.id, 0)
            for item in order.items
        }
        is_open = any(left.values()) and not order.is_cancelled
        own = {
            "id": f"gid://shopify/FulfillmentOrder/{order.id}",
            "status": "IN_PROGRESS" if is_open else "CLOSED",
            "fulfillmentHolds": [],
            "supportedActions": [{"action": "CREATE_FULFILLMENT"}] if is_open else [],
            "assignedLocation": {"location": {"id": "gid://shopify/Location/1"}},
            "lineItems": {"nodes": _work_lines(left)},
        }
        if not held:
            return [own]
        on_hold = {
            "id": f"gid://shopify/FulfillmentOrder/{order.id}-held",
            "status": "ON_HOLD",
            "fulfillmentHolds": [{"reasonNotes": hold["reasonNotes"]} for hold in self.holds[-1:]],
            "supportedActions": [],
            "lineItems": {"nodes": _work_lines(held)},
        }
        return [own, on_hold]

    def numbers(self, order):
        return [number for shipment in order.shipments for number in _numbers(shipment)]

    def _ship(self, variables):
        wanted, name = variables["fulfillment"], "fulfillmentCreate"
        order = self.find(wanted["lineItemsByFulfillmentOrder"][0]["fulfillmentOrderId"])
        items = {item.id: item for item in order.items}
        lines = {
            line["id"].rpartition("/")[2]: line["quantity"]
            for part in wanted["lineItemsByFulfillmentOrder"]
            for line in part.get("fulfillmentOrderLineItems") or []
        }
        if not lines:  # the original ships everything then
            lines = {item.id: item.quantity - item.cancelled - item.shipped for item in order.items}
        for line, units in lines.items():
            item = items[line]
            if units > item.quantity - item.cancelled - item.shipped:
                error = {
                    "field": ["fulfillment"],
                    "message": "Quantity is more than what is left to fulfill.",
                }
                return {"data": {name: {"fulfillment": None, "userErrors": [error]}}}
        for line, units in lines.items():
            items[line].shipped += units
        number = f"{order.id}{len(order.shipments) + 1}"
        order.shipments.append(
            {
                "id": number,
                "tracking": _numbers(wanted.get("trackingInfo", {}))[0],
                "lines": lines,
                **wanted.get("trackingInfo", {}),
            }
        )
        self.change(order)
        made = {"id": f"gid://shopify/Fulfillment/{number}", "status": "SUCCESS"}
        return {"data": {name: {"fulfillment": made, "userErrors": []}}}

    def _hold(self, variables):
        order = self.find(variables["id"])
        self.holds.append(variables["hold"])
        held = self.held.setdefault(order.id, {})
        for line in variables["hold"]["fulfillmentOrderLineItems"]:
            key = line["id"].rpartition("/")[2]
            held[key] = held.get(key, 0) + line["quantity"]
        self.change(order)
        held = {"id": f"{variables['id']}-held", "status": "ON_HOLD"}
        return {"data": {"fulfillmentOrderHold": {"fulfillmentOrder": held, "userErrors": []}}}

    def _track(self, variables):
        number, name = variables["id"].rpartition("/")[2], "fulfillmentTrackingInfoUpdate"
        for order in self.orders.values():
            for shipment in order.shipments:
                if shipment["id"] == number:
                    tracking = variables["tracking"]
                    shipment |= {"tracking": _numbers(tracking)[0], **tracking}
                    self.change(order)
                    made = {"id": variables["id"], "status": "SUCCESS"}
                    return {"data": {name: {"fulfillment": made, "userErrors": []}}}
        error = {"field": ["fulfillmentId"], "message": "Fulfillment does not exist."}
        return {"data": {name: {"fulfillment": None, "userErrors": [error]}}}

    def _undo(self, variables):
        number, name = variables["id"].rpartition("/")[2], "fulfillmentCancel"
        found = [
            (order, one) for order in self.orders.values() for one in order.shipments if one["id"] == number
        ]
        if not found:
            error = {"field": ["id"], "message": "The fulfillment cannot be cancelled."}
            return {"data": {name: {"fulfillment": None, "userErrors": [error]}}}
        ((order, shipment),) = found
        order.shipments.remove(shipment)
        for item in order.items:
            item.shipped -= shipment["lines"].get(item.id, 0)
        self.change(order)
        made = {"id": variables["id"], "status": "CANCELLED"}
        return {"data": {name: {"fulfillment": made, "userErrors": []}}}

    def _cancel(self, variables):
        self.change(self.find(variables["id"]), is_cancelled=True)
        return {"data": {"orderCancel": {"job": {"id": "gid://shopify/Job/1"}, "orderCancelUserErrors": []}}}


def _work_lines(units):
    """Lines of a fulfilment order from {line id: what is left}."""
    return [
        {
            "id": f"gid://shopify/FulfillmentOrderLineItem/{line}",
            "remainingQuantity": left,
            "lineItem": {"id": f"gid://shopify/LineItem/{line}"},
        }
        for line, left in units.items()
    ]


def _address(address):
    """Shopify has one line for street and number."""
    return {
        "first_name": address["first_name"],
        "last_name": address["last_name"],
        "company": address["company"] or None,
        "address1": f"{address['street']} {address['house_number']}".strip(),
        "address2": address["addition"] or None,
        "zip": address["postal_code"],
        "city": address["city"],
        "province_code": None,
        "country_code": address["country"],
        "phone": address["phone"] or None,
    }


def _shop_time(moment):
    """In the zone of the shop."""
    return moment.isoformat().replace("+00:00", "Z")


def _utc(moment):
    return moment.isoformat().replace("+00:00", "Z")


def _numbers(tracking):
    return tracking.get("numbers") or [tracking.get("number", "")]
