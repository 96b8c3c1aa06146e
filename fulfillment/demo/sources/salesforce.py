"""Salesforce: a B2C Commerce site with its export queue, and an org with Order Management."""

import datetime
import json
import re
from urllib.parse import parse_qs, unquote

import httpx

from .base import FakeSource

SECRET = "secret-of-the-fake"  # noqa: S105 - of a site that is not there
ORDERS = "/checkout/orders/v1/organizations/f_ecom_fake_prd/orders"
NUMBERS = frozenset({"basePrice", "quantity", "Quantity", "UnitPrice"})


class Fake(FakeSource):
    """A B2C Commerce site. Its status events are known by their id: one that comes again changes nothing."""

    kind = "salesforce"
    has_webhooks = False
    has_ship_groups = True
    takes_events = True
    takes_more_numbers = False

    def __init__(self, **options):
        super().__init__(**options)
        self.exported: set[str] = set()
        self.events: dict[str, dict] = {}
        self.written: dict[str, dict] = {}  # attributes and states by the number of the order

    def settings(self):
        return {
            "base_url": self.base_url,
            "auth_url": f"{self.base_url}/token",
            "organization": "f_ecom_fake_prd",
            "tenant": "fake_prd",
            "site_id": "Fake",
            "tracking_page": "https://track.example/{number}",
        }

    def credentials(self):
        return {"client_id": "fake", "client_secret": SECRET}

    def order_id(self, number):
        return f"{number:08}"

    def change(self, order, **fields):
        """The shop's people set a changed order ready again."""
        self.exported.discard(order.id)
        return super().change(order, **fields)

    # Orders as the site sends them

    def payload(self, order):
        lines = [item for item in order.items if item.quantity > item.cancelled]
        is_shipped = bool(lines) and all(item.shipped >= item.quantity - item.cancelled for item in lines)
        addresses = order.addresses or [order.address]
        body = {
            "orderNo": order.id,
            "siteId": "Fake",
            "creationDate": _time(order.created_at),
            "lastModified": _time(order.updated_at),
            "currency": order.currency,
            "status": "cancelled" if order.is_cancelled else "new" if order.is_released else "created",
            "exportStatus": "exported" if order.id in self.exported else "ready",
            "confirmationStatus": "confirmed",
            "shippingStatus": "shipped" if is_shipped else "not_shipped",
            "customerInfo": {
                "customerName": "Anna Müller",
                **({"email": order.email} if order.email else {}),
            },
            "productItems": [
                _item(item, f"s{order.items.index(item) + 1}" if order.addresses else "s1") for item in lines
            ],
            "shipments": [
                {
                    "shipmentId": f"s{number}",
                    "shippingMethod": {"id": order.method},
                    **({"shippingAddress": _address(address)} if address else {}),
                }
                for number, address in enumerate(addresses, start=1)
            ],
        }
        return body | ({"c_note": order.note} if order.note else {}) | self.written.get(order.id, {})

    def page(self, *orders):
        return {"limit": self.page_size, "offset": 0, "data": [self.payload(order) for order in orders]}

    # The API

    def is_write(self, request):
        return request.method == "POST" and request.url.path.endswith("/oms-status-events")

    def is_short(self, request):
        return self.is_write(request) and b'"adjustment"' in request.content

    def missing(self, order):
        units: dict[str, int] = {}
        for event in self.events.values():
            for line in event["lineItems"] if event["type"] == "cancellation" else ():
                units[line["id"]] = units.get(line["id"], 0) - line["quantity"]
        return {item.id: units[item.id] for item in order.items if item.id in units}

    def refusal(self, words):
        return {"title": "Bad Request", "type": "https://api.commercecloud.salesforce.com/x", "detail": words}

    def answer(self, request):
        path = request.url.path
        if path == "/token":
            form = parse_qs(request.content.decode())
            scope = form.get("scope", [""])[0].split()
            expected = httpx.BasicAuth("fake", SECRET)._auth_header
            if request.headers.get("Authorization") != expected or len(scope) != 2:
                return httpx.Response(401, json={"error": "invalid_client"})
            return httpx.Response(200, json={"access_token": self.new_token(), "expires_in": 1799})
        if not self.token or request.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401, json=self.refusal("The token has expired."))
        if request.url.params.get("siteId") != "Fake" or "correlation-id" not in request.headers:
            return httpx.Response(400, json=self.refusal("siteId or correlation-id is missing."))
        if path == ORDERS:
            return self._query(request.url.params)
        found = re.fullmatch(rf"{ORDERS}/([^/]+)(?:/([a-z-]+))?", path)
        order = self.orders.get(unquote(found[1])) if found else None
        if order is None:
            return httpx.Response(404, json=self.refusal("There is no such order."))
        if request.method == "GET":
            return _answer(self.payload(order))
        body = json.loads(request.content)
        if found[2] == "oms-status-events":
            return self._event(order, body)
        if found[2] is None:
            self.written.setdefault(order.id, {}).update(body)
        elif found[2] == "export-status":
            self.exported.add(order.id)
        elif found[2] == "shipping-status":
            self.written.setdefault(order.id, {})["shippingStatus"] = body["status"]
        elif found[2] == "status":
            order.is_cancelled = body["status"] == "cancelled"
            order.updated_at = self.tick()
        return httpx.Response(204)

    def _query(self, params):
        rows = [(order, self.payload(order)) for order in self.orders.values()]
        for name in ("status", "exportStatus", "confirmationStatus"):
            if name in params:
                rows = [row for row in rows if row[1].get(name) == params[name]]
        if "lastModifiedDateFrom" in params:
            day = datetime.date.fromisoformat(params["lastModifiedDateFrom"])
            rows = [row for row in rows if row[0].updated_at.date() >= day]
        start, limit = int(params.get("offset", 0)), min(int(params["limit"]), 200, self.page_size)
        chosen = [payload for _order, payload in rows[start : start + limit]]
        return _answer({"limit": limit, "offset": start, "total": len(rows), "data": chosen})

    def _event(self, order, body):
        if not self.takes_events:
            return httpx.Response(404, json=self.refusal("There is no such resource."))
        event = body.get("fulfillmentEvent") or body["adjustment"]
        if event["id"] in self.events:
            return httpx.Response(202)
        lines = {item.id: item for item in order.items}
        if any(line["id"] not in lines for line in event["lineItems"]):
            return httpx.Response(400, json=self.refusal("There is no such line item."))
        units = {line["id"]: line["quantity"] for line in event["lineItems"]}
        if event["type"] == "shipped":
            if not event.get("trackingNumber") or not event.get("trackingUrl"):
                return httpx.Response(400, json=self.refusal("trackingNumber and trackingUrl are required."))
            order.shipments.append({"tracking": event["trackingNumber"], "lines": units, "body": event})
            for identifier, quantity in units.items():
                lines[identifier].shipped += quantity
        self.events[event["id"]] = event
        return httpx.Response(202)


class Management(FakeSource):
    """An org with Order Management: fulfillment orders and shipments."""

    kind = "salesforce"
    has_webhooks = False
    names_units = False

    def __init__(self, **options):
        super().__init__(**options)
        self.is_done: set[str] = set()

    def settings(self):
        return {"variant": "management", "base_url": self.base_url}

    def credentials(self):
        return {"client_id": "fake", "client_secret": SECRET}

    def order_id(self, number):
        return f"0a3{number:012}AAA"

    def payload(self, order):
        status = "Cancelled" if order.is_cancelled else "Allocated" if order.is_released else "Draft"
        address = order.address or {}
        left = [item for item in order.items if item.quantity > item.cancelled + item.shipped]
        if not left and any(item.shipped for item in order.items):
            status = "Fulfilled"
        name = f"{address.get('first_name', '')} {address.get('last_name', '')}".strip()
        return {
            "attributes": {"type": "FulfillmentOrder"},
            "Id": order.id,
            "FulfillmentOrderNumber": order.number,
            "Status": "Fulfilled" if order.id in self.is_done else status,
            "CreatedDate": _compact(order.created_at),
            "LastModifiedDate": _compact(order.updated_at),
            "DeliveryMethodId": order.method,
            "FulfilledToName": name or address.get("company"),
            "FulfilledToStreet": "\n".join(
                filter(
                    None,
                    [
                        address.get("addition"),
                        f"{address.get('street', '')} {address.get('house_number', '')}".strip(),
                    ],
                )
            ),
            "FulfilledToCity": address.get("city"),
            "FulfilledToPostalCode": address.get("postal_code"),
            "FulfilledToCountry": address.get("country"),
            "FulfilledToEmailAddress": order.email,
            "FulfilledToPhone": address.get("phone"),
            "FulfillmentOrderLineItems": {
                "records": [
                    *(
                        {
                            "Id": item.id,
                            "Quantity": item.quantity - item.cancelled,
                            "UnitPrice": item.price,
                            "Product2Id": f"01t{item.id}",
                            "Product2": {"StockKeepingUnit": item.sku, "Name": item.title},
                        }
                        for item in order.items
                    ),
                    {"Id": "fee", "Quantity": 1, "Product2Id": None, "Product2": None},
                ]
            },
        }

    def page(self, *orders):
        return {"done": True, "records": [self.payload(order) for order in orders]}

    def is_write(self, request):
        return request.method == "POST" and request.url.path.endswith("/sobjects/Shipment")

    def is_short(self, request):
        return request.url.path.endswith("/cancel-item")

    def missing(self, order):
        return {item.id: item.cancelled for item in order.items if item.cancelled}

    def refusal(self, words):
        return [{"errorCode": "INVALID", "message": words}]

    def answer(self, request):
        path = request.url.path
        if path == "/services/oauth2/token":
            form = parse_qs(request.content.decode())
            if form.get("client_secret") != [SECRET]:
                return httpx.Response(401, json={"error": "invalid_client"})
            return httpx.Response(200, json={"access_token": self.new_token()})
        if not self.token or request.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401, json=self.refusal("Session expired or invalid"))
        if "/query" in path:
            return self._query(path, request.url.params.get("q", ""))
        body = json.loads(request.content)
        if path.endswith("/sobjects/Shipment"):
            order = self.orders[body["FulfillmentOrderId"]]
            order.shipments.append({"tracking": body["TrackingNumber"], "lines": {}, "body": body})
            return httpx.Response(201, json={"id": f"0OB{len(order.shipments)}", "success": True})
        if found := re.search(r"fulfillment-orders/([^/]+)/actions/cancel-item$", path):
            lines = {item.id: item for item in self.orders[found[1]].items}
            for line in body["fulfillmentOrderLineItemsToCancel"]:
                lines[line["fulfillmentOrderLineItemId"]].cancelled += line["quantity"]
            return httpx.Response(200, json={"success": True})
        self.is_done.add(path.rpartition("/")[2])
        return httpx.Response(204)

    def _query(self, path, soql):
        if " FROM Shipment " in soql:
            order_id, tracking = re.findall(r"'([^']*)'", soql)
            found = [s for s in self.orders[order_id].shipments if s["tracking"] == tracking]
            return _answer({"done": True, "records": [{"Id": "0OB1"} for _shipment in found]})
        if " FROM FulfillmentOrderLineItem " in soql:
            (order_id,) = re.findall(r"'([^']*)'", soql)
            return _answer(self.payload(self.orders[order_id])["FulfillmentOrderLineItems"])
        start, since = 0, ""
        if more := re.search(r"/query/(\d+)-(.*)$", path):
            start, since = int(more[1]), unquote(more[2])
        elif found := re.search(r"LastModifiedDate >= (\S+)", soql):
            since = found[1]
        begin = datetime.datetime.fromisoformat(since) if since else None
        rows = sorted(self.orders.values(), key=lambda order: (order.updated_at, order.id))
        rows = [order for order in rows if begin is None or order.updated_at >= begin]
        end = start + self.page_size
        body = {
            "done": end >= len(rows),
            "records": [self.payload(order) for order in rows[start:end]],
        }
        if end < len(rows):
            body["nextRecordsUrl"] = f"/services/data/v62.0/query/{end}-{since}"
        return _answer(body)


def _answer(value):
    """JSON as the original has it: prices and quantities are numbers, without the zeros at their end."""
    return httpx.Response(200, json=_with_numbers(value))


def _with_numbers(value):
    if isinstance(value, list):
        return [_with_numbers(one) for one in value]
    if isinstance(value, dict):
        return {name: float(one) if name in NUMBERS else _with_numbers(one) for name, one in value.items()}
    return value


def _item(item, shipment):
    return {
        "itemId": item.id,
        "productId": item.sku,
        "productName": item.title,
        "quantity": item.quantity - item.cancelled,
        "basePrice": item.price,
        "shipmentId": shipment,
        **{f"c_{name}": value for name, value in item.attributes.items()},
    }


def _address(address):
    return {
        "firstName": address["first_name"],
        "lastName": address["last_name"],
        "companyName": address["company"],
        "address1": f"{address['street']} {address['house_number']}".strip(),
        "address2": address["addition"],
        "postalCode": address["postal_code"],
        "city": address["city"],
        "countryCode": address["country"],
        "phone": address["phone"],
    }


def _time(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _compact(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "+0000")
