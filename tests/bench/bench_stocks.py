"""``PUT /api/stocks``: counted values, 500 rows per request."""

from fulfillment.core.models import ApiToken, Article, Channel, Facility
from tests.bench.server import post_all, running

ARTICLES, ROUNDS = 500, 20


def measure():
    """Rows per second over HTTP with two workers, when the stock is new and when it is counted again."""
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
    headers = {"Authorization": authorization}
    with running() as port:
        _seconds(port, headers, sites[:4], [])  # loads what the first requests load
        return [
            {
                "name": f"stocks: {what}",
                "value": round(ARTICLES * ROUNDS / _seconds(port, headers, sites, [value] * ARTICLES)),
                "unit": "rows/s",
                "note": "500 rows per request, every row answered; target 10,000",
            }
            for what, value in (("new", 5), ("counted again", 7), ("unchanged", 7))
        ]


def _seconds(port, headers, sites, values):
    bodies = [
        {
            "stocks": [
                {"facilityRef": str(site.pk), "tenantArticleId": f"STOCK-{number}", "value": value}
                for number, value in enumerate(values)
            ]
        }
        for site in sites
    ]
    return post_all(port, "/api/stocks", bodies, headers=headers, method="PUT", expected=200)
