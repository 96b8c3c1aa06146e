"""A commercetools project: versions and 409, pages by query, deliveries that nobody checks."""

import base64
import itertools
import json
import re
from decimal import Decimal

import httpx

from .base import FakeSource, to_json

SECRET = "push-secret-of-the-fake"  # noqa: S105 - of a project that is not there


class Fake(FakeSource):
    kind = "commercetools"
    takes_missing_units = False
    has_ship_groups = True

    def __init__(self, **options):
        super().__init__(**options)
        self.entries: dict[str, dict] = {}
        self.shipment_states: dict[str, str] = {}
        self._parts = itertools.count(1)

    def settings(self):
        return {"project": "fake", "base_url": self.base_url, "auth_url": self.base_url, "region": "fake"}

    def credentials(self):
        return {"client_id": "fake", "client_secret": "fake-secret", "push_secret": SECRET}

    @property
    def stock(self):
        """{SKU: units} as the project has them."""
        return {sku: entry["quantityOnStock"] for sku, entry in self.entries.items()}

    def order_id(self, number):
        return f"00000000-0000-4000-8000-{number:012}"

    # Orders as the project sends them

    def payload(self, order):
        items = [item for item in order.items if item.quantity > item.cancelled]
        digits = 0 if order.currency == "JPY" else 2
        body = {
            "type": "Order",
            "id": order.id,
            "version": order.version,
            "createdAt": _time(order.created_at),
            "lastModifiedAt": _time(order.updated_at),
            "customerEmail": order.email,
            "orderState": "Cancelled" if order.is_cancelled else "Confirmed" if order.is_released else "Open",
            "totalPrice": {"type": "centPrecision", "currencyCode": order.currency, "centAmount": 0},
            "lineItems": [self._line(item, order, digits) for item in items],
            "customLineItems": [{"id": "fee", "name": {"de": "Porto"}, "quantity": 1}],
            "custom": {"fields": {"note": order.note}} if order.note else None,
        }
        if order.number:
            body["orderNumber"] = order.number
        if order.addresses:
            self._spread(body, order, items)
        else:
            body["shippingMode"] = "Single"
            body["shippingAddress"] = _address(order.address)
            body["shippingInfo"] = self._shipping(order, order.shipments)
        shipped = sum(item.shipped for item in items)
        if order.id in self.shipment_states:
            body["shipmentState"] = self.shipment_states[order.id]
        elif shipped:
            body["shipmentState"] = (
                "Shipped" if shipped == sum(item.quantity - item.cancelled for item in items) else "Partial"
            )
        return body

    def _line(self, item, order, digits):
        return {
            "id": item.id,
            "name": {"de": item.title, "en": f"{item.title} (en)"},
            "variant": {"id": 1, **({"sku": item.sku} if item.sku else {})},
            "quantity": item.quantity - item.cancelled,
            "price": {
                "value": {
                    "type": "centPrecision",
                    "currencyCode": order.currency,
                    "centAmount": int(Decimal(item.price).scaleb(digits)),
                    "fractionDigits": digits,
                }
            },
            **({"custom": {"fields": item.attributes}} if item.attributes else {}),
        }

    def _shipping(self, order, shipments):
        # What was shipped before this shop kept shipments stands in a delivery without a parcel.
        known: dict[str, int] = {}
        for shipment in order.shipments:
            for line, units in shipment["lines"].items():
                known[line] = known.get(line, 0) + units
        early = [
            {"id": item.id, "quantity": item.shipped - known.get(item.id, 0)}
            for item in order.items
            if item.shipped > known.get(item.id, 0)
        ]
        deliveries = [{"id": "early", "key": "early", "items": early, "parcels": []}] if early else []
        return {
            "shippingMethodName": order.method,
            "shippingMethod": {
                "typeId": "shipping-method",
                "id": "m1",
                "obj": {"id": "m1", "key": order.method},
            },
            "deliveries": deliveries + [shipment["delivery"] for shipment in shipments],
        }

    def _spread(self, body, order, items):
        """Each line goes to an address of its own."""
        body["shippingMode"] = "Multiple"
        body["itemShippingAddresses"], body["shipping"] = [], []
        for number, (item, line, address) in enumerate(
            zip(items, body["lineItems"], order.addresses, strict=True), start=1
        ):
            key = f"address-{number}"
            body["itemShippingAddresses"].append({"key": key, **_address(address)})
            mine = [
                shipment for shipment in order.shipments if shipment["shippingKey"] == f"shipping-{number}"
            ]
            info = self._shipping(order, mine)
            info["deliveries"] = [shipment["delivery"] for shipment in mine]
            body["shipping"].append(
                {"shippingKey": f"shipping-{number}", "shippingInfo": info, "shippingAddress": {"key": key}}
            )
            target = {
                "addressKey": key,
                "quantity": item.quantity - item.cancelled,
                "shippingMethodKey": f"shipping-{number}",
            }
            line["shippingDetails"] = {"targets": [target], "valid": True}

    def page(self, *orders):
        return {
            "limit": self.page_size,
            "offset": 0,
            "count": len(orders),
            "results": [self.payload(order) for order in orders],
        }

    def message(self, order, topic="OrderCreated", /, **fields):
        return {
            "notificationType": "Message",
            "id": f"message-{next(self._deliveries)}",
            "version": 1,
            "sequenceNumber": order.version,
            "resource": {"typeId": "order", "id": order.id},
            "resourceVersion": order.version,
            "type": topic,
            **({"order": self.payload(order)} if topic == "OrderCreated" else {}),
            **fields,
        }

    def webhook(self, order, topic="OrderCreated", /, *, key=None, secret=SECRET, body=None, **fields):
        if body is None:
            message = self.message(order, topic, **({"id": key} if key else {}), **fields)
            data = base64.b64encode(to_json(message)).decode()
            push = {
                "message": {"data": data, "messageId": "1"},
                "subscription": "projects/fake/subscriptions/orders",
            }
            body = to_json(push)
        return {"X-Push-Secret": secret}, body

    def signal(self, order):
        return self.webhook(order, "OrderStateChanged", orderState="Confirmed")

    def forged_webhook(self, order):
        headers, body = self.webhook(order)
        return {**headers, "X-Push-Secret": "guessed"}, body

    def foreign_webhook(self, order):
        """Of another bridge: the secret is that of another project."""
        return self.webhook(order, secret="of-another-project")  # noqa: S106

    # The API

    def is_write(self, request):
        return request.method == "POST" and b"addDelivery" in request.content

    def refusal(self, words):
        return {
            "statusCode": 400,
            "message": words,
            "errors": [{"code": "InvalidOperation", "message": words}],
        }

    def answer(self, request):
        path = request.url.path
        if path == "/oauth/token":
            expected = base64.b64encode(b"fake:fake-secret").decode()
            if request.headers.get("Authorization") != f"Basic {expected}":
                return httpx.Response(
                    401, json={"error": "invalid_client", "error_description": "Wrong client."}
                )
            return httpx.Response(200, json={"access_token": self.new_token(), "expires_in": 172800})
        if not self.token or request.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401, json={"statusCode": 401, "message": "invalid_token"})
        if path == "/fake/inventory" or path.startswith("/fake/inventory/"):
            return self._inventory(request, path)
        if path == "/fake/orders":
            return httpx.Response(200, json=self._query(request.url.params))
        order = self.orders.get(path.rpartition("/")[2])
        if order is None:
            return httpx.Response(404, json=self.refusal("The resource was not found.") | {"statusCode": 404})
        if request.method == "GET":
            return httpx.Response(200, json=self.payload(order))
        return self._update(order, json.loads(request.content))

    def _query(self, params):
        where = params.get("where", "")
        rows = sorted(self.orders.values(), key=lambda order: (order.updated_at, order.id))
        if begin := re.match(r'lastModifiedAt >= "(.+?)"$', where):
            rows = [order for order in rows if _time(order.updated_at) >= begin[1]]
        elif after := re.match(
            r'lastModifiedAt > "(.+?)" or \(lastModifiedAt = ".+?" and id > "(.+?)"\)$', where
        ):
            rows = [order for order in rows if (_time(order.updated_at), order.id) > (after[1], after[2])]
        elif where:
            raise AssertionError(f"The platform would not read {where}.")
        limit = min(int(params["limit"]), self.page_size)
        found = rows[:limit]
        return {
            "limit": limit,
            "offset": 0,
            "count": len(found),
            "results": [self.payload(order) for order in found],
        }

    def _update(self, order, body):
        if body["version"] != order.version:
            return httpx.Response(
                409,
                json={
                    "statusCode": 409,
                    "message": "Version mismatch.",
                    "errors": [{"code": "ConcurrentModification", "message": "Version mismatch."}],
                },
            )
        items = {item.id: item for item in order.items}
        for action in body["actions"]:
            if action["action"] == "addDelivery":
                if order.addresses and not action.get("shippingKey"):
                    return httpx.Response(400, json=self.refusal("A shippingKey is required."))
                # As the original: quantities over all deliveries are not checked.
                lines = {entry["id"]: entry["quantity"] for entry in action["items"]}
                for line, units in lines.items():
                    items[line].shipped += units
                delivery = {"id": f"delivery-{next(self._parts)}", "key": action["deliveryKey"], **action}
                parcel = action["parcels"][0]["trackingData"] if action["parcels"] else {}
                order.shipments.append(
                    {
                        "tracking": parcel.get("trackingId", ""),
                        "lines": lines,
                        "delivery": delivery,
                        "shippingKey": action.get("shippingKey", ""),
                    }
                )
            elif action["action"] == "setParcelTrackingData":
                self._correct(order, action)
            elif action["action"] == "changeShipmentState":
                self.shipment_states[order.id] = action["shipmentState"]
            elif action["action"] == "changeOrderState":
                order.is_cancelled = order.is_cancelled or action["orderState"] == "Cancelled"
        self.change(order)
        return httpx.Response(200, json=self.payload(order))

    def numbers(self, order):
        parcels = [parcel for shipment in order.shipments for parcel in shipment["delivery"]["parcels"]]
        tracking = [parcel["trackingData"] for parcel in parcels]
        return [one["trackingId"] for one in tracking if not one["isReturn"]]

    def _correct(self, order, action):
        for shipment in order.shipments:
            for number, parcel in enumerate(shipment["delivery"]["parcels"]):
                if parcel["key"] == action["parcelKey"]:
                    parcel["trackingData"] = action["trackingData"]
                    if number == 0:
                        shipment["tracking"] = action["trackingData"]["trackingId"]

    def _inventory(self, request, path):
        if request.method == "GET":
            skus = re.findall(r'"([^"]+)"', request.url.params["where"].partition(" and ")[0])
            return httpx.Response(
                200, json={"results": [self.entries[sku] for sku in skus if sku in self.entries]}
            )
        body = json.loads(request.content)
        if path == "/fake/inventory":
            entry = {"id": f"entry-{body['sku']}", "version": 1, **body}
            self.entries[body["sku"]] = entry
            return httpx.Response(201, json=entry)
        entry = next(entry for entry in self.entries.values() if path.endswith(f"/{entry['id']}"))
        if body["version"] != entry["version"]:
            return httpx.Response(409, json=self.refusal("Version mismatch."))
        entry |= {"version": entry["version"] + 1, "quantityOnStock": body["actions"][0]["quantity"]}
        return httpx.Response(200, json=entry)


def _address(address):
    if address is None:
        return None
    return {
        "firstName": address["first_name"],
        "lastName": address["last_name"],
        "company": address["company"],
        "streetName": address["street"],
        "streetNumber": address["house_number"],
        "additionalStreetInfo": address["addition"],
        "postalCode": address["postal_code"],
        "city": address["city"],
        "country": address["country"],
        "phone": address["phone"],
    }


def _time(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
