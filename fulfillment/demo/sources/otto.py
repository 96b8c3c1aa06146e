"""OTTO Market: every unit has an id and a state, tracking numbers and units are used once, no webhooks."""

import datetime
import json
import re
from urllib.parse import parse_qs, unquote

import httpx

from orders.sources.addresses import alpha_3

from .base import FakeSource

SECRET = "secret-of-the-fake"  # noqa: S105 - of a seller that is not there


class Fake(FakeSource):
    kind = "otto"
    has_webhooks = False
    takes_collected = False

    def __init__(self, **options):
        super().__init__(**options)
        self.states: dict[str, str] = {}  # of units that were sent or cancelled one by one
        self.shipments: dict[tuple[str, str], dict] = {}
        self.returns: list[tuple[str, str, str, str]] = []  # (call, unit, condition, reason)

    def settings(self):
        conditions = {"as-new": "A", "opened": "B", "worn": "C", "damaged": "D"}
        return {
            "base_url": self.base_url,
            "default_carrier": "DHL",
            "return_conditions": conditions,
        }

    def credentials(self):
        return {"client_id": "fake", "client_secret": SECRET}

    def order_id(self, number):
        return f"sales-{number}"

    # Orders as the marketplace sends them

    def payload(self, order):
        units = [unit for item in order.items for unit in self._units(order, item)]
        body = {
            "salesOrderId": order.id,
            "orderDate": _time(order.created_at),
            "lastModifiedDate": _time(order.updated_at),
            "positionItems": units,
            "orderLifecycleInformation": {"lifecycleChangeDate": _time(order.updated_at)},
            "initialDeliveryFees": [
                {"name": order.method, "deliveryFeeAmount": {"amount": "5.95", "currency": order.currency}}
            ],
            "payment": {"paymentMethod": "INVOICE"},
            "links": [{"rel": "self", "href": f"{self.base_url}/v4/orders/{order.id}"}],
        }
        if order.number:
            body["orderNumber"] = order.number
        if order.address and order.is_released:
            body["deliveryAddress"] = _address(order.address, order.email)
        return body

    def _units(self, order, item):
        ids = _unit_ids(item)
        known = [self.states.get(unit, "") for unit in ids]
        free = [unit for unit, state in zip(ids, known, strict=True) if not state]
        # What the shop's people did before it was told to this fake one by one.
        cancelled = item.cancelled - sum(state.startswith("CANCELLED") for state in known)
        sent = item.shipped - known.count("SENT") - known.count("RETURNED")
        by_shop = dict.fromkeys(
            free[len(free) - cancelled :] if cancelled > 0 else [], "CANCELLED_BY_MARKETPLACE"
        )
        by_shop |= dict.fromkeys(free[:sent] if sent > 0 else [], "SENT")
        otherwise = "PROCESSABLE" if order.is_released else "ANNOUNCED"
        if order.is_cancelled:
            otherwise = "CANCELLED_BY_MARKETPLACE"
        return [
            _unit(order, item, unit, self.states.get(unit) or by_shop.get(unit) or otherwise) for unit in ids
        ]

    def page(self, *orders):
        return {"resources": [self.payload(order) for order in orders], "links": []}

    # The API

    def is_write(self, request):
        return request.method == "POST" and request.url.path in {
            "/v1/shipments",
            "/v1/multiparcel-shipments",
        }

    def is_short(self, request):
        return request.method == "POST" and request.url.path.endswith("/cancellation")

    def missing(self, order):
        return {
            item.id: units
            for item in order.items
            if (units := sum(self.states.get(unit) == "CANCELLED_BY_PARTNER" for unit in _unit_ids(item)))
        }

    def refusal(self, words):
        error = {"title": "Bad request", "detail": words, "jsonPath": "$.positionItems[0]"}
        return {"errors": [error]}

    def answer(self, request):
        path = request.url.path
        if path == "/v1/token":
            form = parse_qs(request.content.decode())
            if form.get("client_id") != ["fake"] or form.get("client_secret") != [SECRET]:
                return httpx.Response(401, json={"error": "invalid_client"})
            return httpx.Response(200, json={"access_token": self.new_token(), "expires_in": 1800})
        if not self.token or request.headers.get("Authorization") != f"Bearer {self.token}":
            return httpx.Response(401, json=self.refusal("The token has expired."))
        if path == "/v4/orders":
            return self._query(request.url.params)
        if path == "/v1/shipments":
            return self._ship(json.loads(request.content))
        if path == "/v1/multiparcel-shipments":
            return self._ship_together(json.loads(request.content))
        if path in {"/v3/returns/acceptance", "/v3/returns/rejection"}:
            return self._settle_return(path.rpartition("/")[2], json.loads(request.content)["positionItems"])
        if tracking := re.fullmatch(
            r"/v1/shipments/carriers/(.+?)/trackingnumbers/(.+?)(/positionitems)?", path
        ):
            return self._of_tracking(request, unquote(tracking[1]), unquote(tracking[2]), tracking[3])
        return self._of_order(request, path)

    def _query(self, params):
        if "nextcursor" in params:
            if set(params) != {"nextcursor", "limit"}:
                return httpx.Response(400, json=self.refusal("Only nextcursor and limit go together."))
            status, since, start = json.loads(params["nextcursor"])
        else:
            status, since, start = params["fulfillmentStatus"], params.get("fromDate", ""), 0
        limit = min(int(params["limit"]), 256, self.page_size)
        begin = datetime.datetime.fromisoformat(since) if since else None
        rows = [
            order
            for order in sorted(self.orders.values(), key=lambda order: order.id)
            if (begin is None or order.updated_at >= begin) and self._has(order, status)
        ]
        body = self.page(*rows[start : start + limit])
        if start + limit < len(rows):
            query = httpx.QueryParams(
                {"nextcursor": json.dumps([status, since, start + limit]), "limit": limit}
            )
            body["links"].append({"rel": "next", "href": f"/v4/orders?{query}"})
        return httpx.Response(200, json=body)

    def _has(self, order, status):
        return any(unit["fulfillmentStatus"] == status for unit in self.payload(order)["positionItems"])

    def _of_order(self, request, path):
        found = re.fullmatch(r"/v4/orders/([^/]+)(?:/positionItems/([^/]+))?(/cancellation)?", path)
        order = self.orders.get(unquote(found[1])) if found else None
        if order is None:
            return httpx.Response(404, json=self.refusal("There is no such order."))
        if request.method == "GET":
            return httpx.Response(200, json=self.payload(order))
        states = self._states(order)
        wanted = unquote(found[2]).split(",") if found[2] else list(states)
        if any(states.get(unit) not in {"PROCESSABLE", "CANCELLED_BY_PARTNER"} for unit in wanted):
            return httpx.Response(409, json=self.refusal("A position item cannot be cancelled any more."))
        for unit in wanted:
            if states[unit] == "PROCESSABLE":
                self._item(order, unit).cancelled += 1
                self.states[unit] = "CANCELLED_BY_PARTNER"
        self.change(order)
        return httpx.Response(200)

    def _states(self, order):
        units = self.payload(order)["positionItems"]
        return {unit["positionItemId"]: unit["fulfillmentStatus"] for unit in units}

    def _item(self, order, unit):
        return next(item for item in order.items if item.id == unit.rpartition("-")[0])

    def _ship(self, body):
        if refusal := self._check(body):
            return refusal
        key = _key(body)
        shipment = {"shipmentId": f"shipment-{len(self.shipments) + 1}", "trackingKey": body["trackingKey"]}
        if refusal := self._send(shipment, body["positionItems"], body):
            return refusal
        self.shipments[key] = shipment
        return httpx.Response(201, json={"shipmentId": shipment["shipmentId"]})

    def _ship_together(self, bodies):
        """Parcels that share units: the array itself is the body."""
        if refusal := next(filter(None, map(self._check, bodies)), None):
            return refusal
        units = [unit for body in bodies for unit in body["positionItems"]]
        ids = [unit["positionItemId"] for unit in units]
        if len(bodies) < 2 or len(set(map(_key, bodies))) < len(bodies) or len(set(ids)) == len(ids):
            return httpx.Response(400, json=self.refusal("No position item is in several shipments."))
        name = f"multi-{len(self.shipments) + 1}"
        first = {"shipmentId": f"{name}-1", "trackingKey": bodies[0]["trackingKey"]}
        once = list({unit["positionItemId"]: unit for unit in units}.values())
        if refusal := self._send(first, once, bodies[0]):
            return refusal
        order = self.orders[units[0]["salesOrderId"]]
        for number, body in enumerate(bodies, start=1):
            shipment = {**first, "shipmentId": f"{name}-{number}", "positionItems": body["positionItems"]}
            self.shipments[_key(body)] = shipment | {"trackingKey": body["trackingKey"]}
            if number > 1:
                order.shipments.append({"id": f"{name}-{number}", "tracking": _key(body)[1], "lines": {}})
        return httpx.Response(201, json={"multiParcelShipmentId": name})

    def _check(self, body):
        is_parcel = _key(body)[0] not in {"DHL_FREIGHT", "OTHER_FORWARDER"}
        if is_parcel and not all(unit.get("returnTrackingKey") for unit in body["positionItems"]):
            return httpx.Response(400, json=self.refusal("The return tracking key is missing."))
        if len(body["shipFromAddress"]["countryCode"]) != 3:
            return httpx.Response(400, json=self.refusal("The country code is not alpha-3."))
        if _key(body) in self.shipments:
            return httpx.Response(409, json=self.refusal("The tracking number is used already."))
        return None

    def _send(self, shipment, units, body=None):
        """Mark units as sent with a shipment; all of them or none."""
        for unit in units:
            order = self.orders.get(unit["salesOrderId"])
            if order is None or self._states(order).get(unit["positionItemId"]) != "PROCESSABLE":
                return httpx.Response(409, json=self.refusal("A position item is not PROCESSABLE."))
        for unit in units:
            order, identifier = self.orders[unit["salesOrderId"]], unit["positionItemId"]
            item = self._item(order, identifier)
            self.states[identifier] = "SENT"
            item.shipped += 1
            mine = next((one for one in order.shipments if one["id"] == shipment["shipmentId"]), None)
            if mine is None:
                tracking = shipment["trackingKey"].get("trackingNumber", "")
                mine = {"id": shipment["shipmentId"], "tracking": tracking, "lines": {}, "body": body}
                order.shipments.append(mine)
            mine["lines"][item.id] = mine["lines"].get(item.id, 0) + 1
        shipment.setdefault("positionItems", []).extend(units)
        for identifier in {unit["salesOrderId"] for unit in units}:
            self.change(self.orders[identifier])
        return None

    def _settle_return(self, name, units):
        for unit in units:
            order = self.orders.get(unit["salesOrderId"])
            if order is None or self._states(order).get(unit["positionItemId"]) != "SENT":
                return httpx.Response(409, json=self.refusal("A position item is not SENT."))
        for unit in units:
            self.returns.append((name, unit["positionItemId"], unit["condition"], unit.get("reason", "")))
            if name == "acceptance":
                self.states[unit["positionItemId"]] = "RETURNED"
        return httpx.Response(204)

    def _of_tracking(self, request, carrier, number, adds_units):
        shipment = self.shipments.get((carrier, number))
        if shipment is None:
            return httpx.Response(404, json=self.refusal("There is no such shipment."))
        if adds_units:
            return self._send(shipment, json.loads(request.content)) or httpx.Response(204)
        return httpx.Response(200, json=shipment)


def _key(body):
    return body["trackingKey"]["carrier"], body["trackingKey"].get("trackingNumber", "")


def _unit_ids(item):
    return [f"{item.id}-{number}" for number in range(1, item.quantity + 1)]


def _unit(order, item, identifier, state):
    return {
        "positionItemId": identifier,
        "fulfillmentStatus": state,
        "itemValueGrossPrice": {"amount": item.price, "currency": order.currency},
        "product": {
            "sku": item.sku,
            "productTitle": item.title,
            "ean": "4006381333931",
            "articleNumber": "A-1",
            "vatRate": "19",
            "dimensions": [
                {"type": name, "displayName": name, "value": value} for name, value in item.attributes.items()
            ],
        },
        "weeePickup": False,
    }


def _address(address, email):
    is_company = address["company"] and not address["last_name"]
    return {
        "salutation": "COMPANY" if is_company else "MS",
        "firstName": address["first_name"],
        "lastName": address["company"] if is_company else address["last_name"],
        "street": address["street"],
        "houseNumber": address["house_number"],
        "addition": address["addition"],
        "zipCode": address["postal_code"],
        "city": address["city"],
        "countryCode": alpha_3(address["country"]),
        "phoneNumber": address["phone"],
        **({"email": email} if email else {}),
    }


def _time(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "+0000")
