"""``PUT /api/stocks``: counted values, 500 rows per request."""

import json
import time

from django.test import Client

from fulfillment.core.models import ApiToken, Article, Channel, Facility

ARTICLES, ROUNDS = 500, 10


def measure():
    """Rows per second, when the stock is new and when it is counted again."""
    channel = Channel.objects.create(key="bench-stocks", name="Stocks")
    token = ApiToken(name="Stocks", channel=channel, scopes=["STOCK"])
    authorization = f"Bearer {token.issue()}"
    token.save()
    Article.objects.bulk_create(Article(sku=f"STOCK-{number}", title="Mug") for number in range(ARTICLES))
    sites = [
        Facility.objects.create(
            name=f"Stocks {number}",
            tenant_facility_id=f"ST-{number}",
            slug=f"stocks-{number}",
            company_name="Bench",
            street="Damrak",
            postal_code="1012 LG",
            city="Amsterdam",
            country="NL",
        )
        for number in range(ROUNDS)
    ]
    client = Client(SERVER_NAME="127.0.0.1", headers={"authorization": authorization})
    return [
        {
            "name": f"stocks: {what}",
            "value": round(ARTICLES * ROUNDS / _seconds(client, sites, value)),
            "unit": "rows/s",
            "note": "500 rows per request, answer with every row; target 10,000",
        }
        for what, value in (("new", 5), ("counted again", 7), ("unchanged", 7))
    ]


def _seconds(client, sites, value):
    bodies = [
        json.dumps(
            {
                "stocks": [
                    {"facilityRef": str(site.pk), "tenantArticleId": f"STOCK-{number}", "value": value}
                    for number in range(ARTICLES)
                ]
            }
        )
        for site in sites
    ]
    begin = time.perf_counter()
    for body in bodies:
        answer = client.put("/api/stocks", body, content_type="application/json")
        if answer.status_code != 200:
            raise RuntimeError(answer.content[:300])
    return time.perf_counter() - begin
