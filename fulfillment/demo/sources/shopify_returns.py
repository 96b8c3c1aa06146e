"""Returns of a Shopify shop: what comes back, and with which labels."""


class Returns:
    CALLS = ("Returns", "Back", "Attach", "Renumber")

    def __init__(self, shop):
        self.shop = shop
        self.found: list[dict] = []

    def answer(self, name, variables):
        return getattr(self, f"_{name.lower()}")(variables)

    def open(self, order, shipment, units=None):
        """The merchant opens a return of {line id: units} of a shipment; without them of all."""
        number = len(self.found) + 1
        lines = units or shipment["lines"]
        self.found.append(
            {
                "order": order.id,
                "id": f"gid://shopify/ReverseFulfillmentOrder/{number}",
                "status": "OPEN",
                "lines": [
                    {
                        "id": f"gid://shopify/ReverseFulfillmentOrderLineItem/{number}{line}",
                        "totalQuantity": count,
                        "fulfillmentLineItem": {"id": _fulfilled(shipment, line)},
                    }
                    for line, count in lines.items()
                ],
                "deliveries": [],
            }
        )
        self.shop.change(order)
        return self.found[-1]

    def labels(self):
        """[(number of the return label, {reverse line: units})] that are attached to returns."""
        return [
            (delivery["number"], delivery["lines"])
            for found in self.found
            for delivery in found["deliveries"]
        ]

    def of(self, order):
        return {
            "nodes": [
                {
                    "status": found["status"],
                    "reverseFulfillmentOrders": {
                        "nodes": [
                            {
                                "id": found["id"],
                                "status": found["status"],
                                "reverseDeliveries": {
                                    "nodes": [{"id": one["id"]} for one in found["deliveries"]]
                                },
                            }
                        ]
                    },
                }
                for found in self.found
                if found["order"] == order.id
            ]
        }

    def _returns(self, variables):
        order = self.shop.find(variables["id"])
        return {"data": {"order": {"fulfillments": fulfillments(order), "returns": self.of(order)}}}

    def _way(self, identifier):
        return next(found for found in self.found if found["id"] == identifier)

    def _back(self, variables):
        found = self._way(variables["id"])
        deliveries = [
            {
                "id": one["id"],
                "deliverable": {"tracking": {"number": one["number"]}},
                "reverseDeliveryLineItems": {
                    "nodes": [
                        {"quantity": units, "reverseFulfillmentOrderLineItem": {"id": line}}
                        for line, units in one["lines"].items()
                    ]
                },
            }
            for one in found["deliveries"]
        ]
        back = {"lineItems": {"nodes": found["lines"]}, "reverseDeliveries": {"nodes": deliveries}}
        return {"data": {"reverseFulfillmentOrder": back}}

    def _attach(self, variables):
        name, found = "reverseDeliveryCreateWithShipping", self._way(variables["id"])
        wanted = {line["reverseFulfillmentOrderLineItemId"]: line["quantity"] for line in variables["lines"]}
        totals = {line["id"]: line["totalQuantity"] for line in found["lines"]}
        if found["status"] != "OPEN" or any(units > totals.get(line, 0) for line, units in wanted.items()):
            error = {"field": ["reverseDeliveryLineItems"], "message": "Quantity is not available."}
            return {"data": {name: {"reverseDelivery": None, "userErrors": [error]}}}
        identifier = f"{found['id'].replace('FulfillmentOrder', 'Delivery')}{len(found['deliveries']) + 1}"
        # Without lines the original takes all of them.
        found["deliveries"].append(
            {"id": identifier, "number": variables["tracking"]["number"], "lines": wanted or totals}
        )
        self.shop.change(self.shop.orders[found["order"]])
        return {"data": {name: {"reverseDelivery": {"id": identifier}, "userErrors": []}}}

    def _renumber(self, variables):
        for found in self.found:
            for one in found["deliveries"]:
                if one["id"] == variables["id"]:
                    one["number"] = variables["tracking"]["number"]
        made = {"reverseDelivery": {"id": variables["id"]}, "userErrors": []}
        return {"data": {"reverseDeliveryShippingUpdate": made}}


def _fulfilled(shipment, line):
    """The id of a line of a fulfilment."""
    return f"gid://shopify/FulfillmentLineItem/{shipment['id']}{line}"


def fulfillments(order):
    return [
        {
            "id": f"gid://shopify/Fulfillment/{shipment['id']}",
            "status": "SUCCESS",
            "trackingInfo": [
                {"number": number} for number in shipment.get("numbers", [shipment["tracking"]])
            ],
            "fulfillmentLineItems": {
                "nodes": [
                    {
                        "id": _fulfilled(shipment, line),
                        "quantity": units,
                        "lineItem": {"id": f"gid://shopify/LineItem/{line}"},
                    }
                    for line, units in shipment["lines"].items()
                ]
            },
        }
        for shipment in order.shipments
    ]
