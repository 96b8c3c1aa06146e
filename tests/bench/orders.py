"""Orders as a shop sends them: three lines each."""


def order_bodies(prefix, count):
    """``count`` bodies of ``POST /api/orders`` whose numbers begin with ``prefix``."""
    return [
        {
            "orderDate": "2026-03-02T09:30:00Z",
            "tenantOrderId": f"{prefix}-{number}",
            "consumer": {
                "email": "anna@example.com",
                "addresses": [
                    {
                        "firstName": "Anna",
                        "lastName": "de Vries",
                        "street": "Keizersgracht",
                        "houseNumber": str(number),
                        "postalCode": "1015 CC",
                        "city": "Amsterdam",
                        "country": "NL",
                    }
                ],
            },
            "orderLineItems": [
                {
                    "article": {"tenantArticleId": f"SKU-{(number + line) % 100:04}", "title": "Mug"},
                    "quantity": line + 1,
                }
                for line in range(3)
            ],
        }
        for number in range(count)
    ]
