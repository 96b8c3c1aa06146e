"""A seller account at Amazon: pages by token, a narrow rate, ended tokens that are answered 403, parcels by reference."""

import json
import re
from urllib.parse import parse_qs

import httpx

from .base import FakeSource, to_json

SECRET = "secret-of-the-fake"  # noqa: S105 - of a seller that is not there
PUSH_SECRET = "push-secret-of-the-fake"  # noqa: S105
MARKETPLACE = "A1PA6795UKMFR9"


class Fake(FakeSource):
    kind = "amazon"
    takes_missing_units = False
    takes_collected = False
    takes_more_numbers = False
    sends_signals = True

    def __init__(self, **options):
        super().__init__(**options)
        self.messages: dict[str, dict[str, str]] = {}  # in the queue, by their handle

    def settings(self):
        return {
            "base_url": self.base_url,
            "auth_url": f"{self.base_url}/auth/o2/token",
            "marketplaces": [MARKETPLACE],
        }

    def credentials(self):
        return {
            "client_id": "fake",
            "client_secret": SECRET,
            "refresh_token": "refresh",
            "push_secret": PUSH_SECRET,
        }

    def queue(self, *bodies):
        """Let Amazon write messages to the queue."""
        for body in bodies:
            number = next(self._deliveries)
            text = body if isinstance(body, str) else body.decode()
            self.messages[f"handle-{number}"] = {"MessageId": f"m-{number}", "Body": text}

    def order_id(self, number):
        return f"028-{number:07}-{number:07}"

    # Orders as Amazon sends them

    def payload(self, order):
        return {
            "orderId": order.id,
            **({"orderAliases": _aliases(order.number)} if order.number else {}),
            "createdTime": _time(order.created_at),
            "lastUpdatedTime": _time(order.updated_at),
            "programs": [],
            "salesChannel": {"channelName": "AMAZON", "marketplaceId": MARKETPLACE},
            "buyer": {"buyerEmail": order.email} if order.email else {},
            "recipient": {"deliveryAddress": _address(order.address)} if order.address else {},
            "proceeds": {"grandTotal": {"amount": "0.00", "currencyCode": order.currency}},
            "fulfillment": {
                "fulfillmentStatus": _status(order),
                "fulfilledBy": "MERCHANT",
                "fulfillmentServiceLevel": order.method,
                "shipByWindow": {"latestDateTime": "2026-11-06T22:59:59Z"},
            },
            "orderItems": [_line(order, item) for item in order.items],
            "packages": [
                {"packageReferenceId": shipment["id"], "trackingNumber": shipment["tracking"]}
                for shipment in order.shipments
            ],
        }

    def page(self, *orders):
        return {
            "orders": [self.payload(order) for order in orders],
            "lastUpdatedBefore": _time(self.clock),
            "pagination": {},
        }

    def webhook(self, order, topic="ORDER_CHANGE", *, key=None, secret=PUSH_SECRET, body=None):
        """A message of the queue, as a bridge hands it on."""
        message = {
            "NotificationVersion": "1.0",
            "NotificationType": topic,
            "Payload": {
                "OrderChangeNotification": {
                    "SellerId": "A1",
                    "AmazonOrderId": order.id,
                    "Summary": {"OrderStatus": _status(order), "Note": order.note},
                }
            },
            "NotificationMetadata": {"NotificationId": key or f"notification-{next(self._deliveries)}"},
        }
        return {"X-Push-Secret": secret}, to_json(message) if body is None else body

    def forged_webhook(self, order):
        return self.webhook(order, secret="guessed")  # noqa: S106

    def foreign_webhook(self, order):
        """Of the bridge of another account."""
        return self.webhook(order, secret="of-another-account")  # noqa: S106

    # The API

    def is_write(self, request):
        return request.url.path.endswith("/shipmentConfirmation")

    def refusal(self, words):
        return {"errors": [{"code": "InvalidInput", "message": words, "details": ""}]}

    def answer(self, request):
        path = request.url.path
        if "X-Amz-Target" in request.headers:
            return self._queue_call(request)
        if path == "/auth/o2/token":
            form = parse_qs(request.content.decode())
            wanted = {"grant_type": ["refresh_token"], "client_id": ["fake"], "client_secret": [SECRET]}
            if form != {**wanted, "refresh_token": ["refresh"]}:
                return httpx.Response(400, json={"error": "invalid_grant", "error_description": "Wrong."})
            answer = {"access_token": self.new_token(), "refresh_token": "refresh", "expires_in": 3600}
            return httpx.Response(200, json=answer)
        if not self.token or request.headers.get("x-amz-access-token") != self.token:
            error = {"code": "Unauthorized", "message": "Access to requested resource is denied."}
            error["details"] = "The access token you provided has expired."
            return httpx.Response(403, json={"errors": [error]})
        if path == "/orders/2026-01-01/orders":
            return self._search(request.url.params)
        found = re.fullmatch(r"/orders/(?:2026-01-01|v0)/orders/([^/]+)(/\w+)?", path)
        order = self.orders.get(found[1]) if found else None
        if order is None:
            return httpx.Response(404, json=self.refusal("There is no such order."))
        if found[2] == "/cancellation" and request.method == "PUT":
            return self._cancel(order, json.loads(request.content))
        if found[2] == "/shipmentConfirmation":
            return self._confirm(order, json.loads(request.content))
        return httpx.Response(200, json={"order": self.payload(order)})

    def _queue_call(self, request):
        proof = request.headers.get("Authorization", "")
        if not proof.startswith("AWS4-HMAC-SHA256 Credential=AKIDFAKE/"):
            error = {"__type": "InvalidClientTokenId", "message": "The security token is invalid."}
            return httpx.Response(403, json=error)
        body = json.loads(request.content)
        if request.headers["X-Amz-Target"] == "AmazonSQS.DeleteMessageBatch":
            for entry in body["Entries"]:
                self.messages.pop(entry["ReceiptHandle"], None)
            return httpx.Response(200, json={"Successful": [], "Failed": []})
        found = list(self.messages.items())[: body["MaxNumberOfMessages"]]
        messages = [{**message, "ReceiptHandle": handle} for handle, message in found]
        return httpx.Response(200, json={"Messages": messages} if messages else {})

    def _search(self, params):
        if ("lastUpdatedAfter" in params) == ("createdAfter" in params) or not params.get("marketplaceIds"):
            return httpx.Response(400, json=self.refusal("Exactly one begin, and marketplaces, are needed."))
        statuses = params["fulfillmentStatuses"].split(",")
        rows = [
            order
            for order in sorted(self.orders.values(), key=lambda order: order.id)
            if _time(order.updated_at) >= params["lastUpdatedAfter"] and _status(order) in statuses
        ]
        start = int(params.get("paginationToken", "page-0").removeprefix("page-"))
        end = start + min(int(params["maxResultsPerPage"]), self.page_size)
        body = self.page(*rows[start:end])
        if end < len(rows):
            body["pagination"] = {"nextToken": f"page-{end}"}
        return httpx.Response(200, json=body)

    def _confirm(self, order, body):
        detail = body["packageDetail"]
        if body["marketplaceId"] != MARKETPLACE or not detail.get("carrierCode"):
            return httpx.Response(400, json=self.refusal("The marketplace or the carrier is missing."))
        items = {item.id: item for item in order.items}
        lines = {line["orderItemId"]: line["quantity"] for line in detail["orderItems"]}
        earlier = next((one for one in order.shipments if one["id"] == detail["packageReferenceId"]), None)
        before = earlier["lines"] if earlier else {}
        for line, units in lines.items():
            left = items[line].quantity - items[line].cancelled - items[line].shipped + before.get(line, 0)
            if units > left:
                return httpx.Response(400, json=self.refusal("The quantity is more than what is left."))
        if earlier:
            order.shipments.remove(earlier)
        for line in {*lines, *before}:
            items[line].shipped += lines.get(line, 0) - before.get(line, 0)
        order.shipments.append(
            {
                "id": detail["packageReferenceId"],
                "tracking": detail.get("trackingNumber", ""),
                "lines": lines,
                "body": body,
            }
        )
        self.change(order)
        return httpx.Response(204)

    def _cancel(self, order, body):
        if _status(order) != "UNSHIPPED" or not body.get("cancelReasonCode"):
            return httpx.Response(400, json=self.refusal("The order cannot be cancelled."))
        self.change(order, is_cancelled=True)
        return httpx.Response(204)


def _status(order):
    left = sum(item.quantity - item.cancelled - item.shipped for item in order.items)
    shipped = sum(item.shipped for item in order.items)
    if order.is_cancelled or not (left or shipped):
        return "CANCELLED"
    if not order.is_released:
        return "PENDING"
    if not left:
        return "SHIPPED"
    return "PARTIALLY_SHIPPED" if shipped else "UNSHIPPED"


def _aliases(number):
    return [{"aliasType": "SELLER_ORDER_ID", "aliasId": number}]


def _line(order, item):
    price = {"amount": item.price, "currencyCode": order.currency}
    return {
        "orderItemId": item.id,
        "quantityOrdered": item.quantity,
        **({"cancellation": {"cancellationRequest": {"requester": "BUYER"}}} if item.is_unwanted else {}),
        "product": {
            "asin": "B000000001",
            "title": item.title,
            **({"sellerSku": item.sku} if item.sku else {}),
            "price": {"unitPrice": price},
            **({"customization": item.attributes} if item.attributes else {}),
        },
        "fulfillment": {
            "quantityFulfilled": item.shipped,
            "quantityUnfulfilled": item.quantity - item.cancelled - item.shipped,
        },
    }


def _address(address):
    return {
        "name": f"{address['first_name']} {address['last_name']}".strip(),
        "companyName": address["company"],
        "addressLine1": f"{address['street']} {address['house_number']}".strip(),
        "addressLine2": address["addition"],
        "postalCode": address["postal_code"],
        "city": address["city"],
        "countryCode": address["country"],
        "phone": address["phone"],
    }


def _time(moment):
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
