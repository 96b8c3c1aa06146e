import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.api.schema import validate
from orders import services, wire
from tests.apiclient import Api, described
from tests.factories.core import ChannelFactory, FacilityFactory, api_token
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    return Api(client)


def search(api, query, **body):
    response = api.post("/api/orders/search", {"query": query, **body})
    assert response.status_code == 200, response.content
    return validate(wire.order_page, response.json())


def ids(answer):
    return [entry["id"] for entry in answer["orders"]]


@pytest.mark.parametrize(
    "query",
    [
        {"tenantOrderId": {"eq": "N-1"}},
        {"tenantOrderId": {"in": ["N-1", "N-9"]}},
        {"tenantOrderId": {"like": "n-1"}},
        {"status": {"eq": "LOCKED"}},
        {"status": {"notIn": ["OPEN"]}},
        {"orderDate": {"gte": "2026-03-03T00:00:00Z"}},
        {"consumer": {"consumerId": {"eq": "c-7"}}},
        {"consumer": {"addresses": {"contains": {"city": {"eq": "Breda"}}}}},
        {"orderLineItems": {"contains": {"article": {"tenantArticleId": {"eq": "SKU-7"}}}}},
        {"deliveryPreferences": {"shipping": {"serviceLevel": {"eq": "SAMEDAY"}}}},
        {"paymentInfo": {"currency": {"eq": "EUR"}}},
        {"or": [{"tenantOrderId": {"eq": "N-1"}}, {"tenantOrderId": {"eq": "nobody"}}]},
    ],
)
def test_search_finds_by(api, query):
    OrderFactory(("SKU-8", 1), tenantOrderId="N-2")
    order = OrderFactory(
        ("SKU-7", 1),
        tenantOrderId="N-1",
        status="LOCKED",
        orderDate="2026-03-04T09:00:00Z",
        consumer={
            "consumerId": "c-7",
            "addresses": [{"street": "Markt", "postalCode": "4811", "city": "Breda", "country": "NL"}],
        },
        deliveryPreferences={"shipping": {"serviceLevel": "SAMEDAY"}},
        paymentInfo={"currency": "EUR"},
    )

    answer = search(api, query, options={"withTotal": True})

    assert (ids(answer), answer["total"]) == ([str(order.pk)], 1)
    assert answer["orders"][0]["orderLineItems"][0]["article"]["tenantArticleId"] == "SKU-7"


def test_pages_forth_and_back(api):
    orders = [str(OrderFactory(orderDate=f"2026-03-0{day}T09:00:00Z").pk) for day in (1, 2, 3)]
    sort = [{"orderDate": "ASC"}]

    first = search(api, {}, sort=sort, size=2)
    second = search(api, {}, sort=sort, size=2, after=first["pageInfo"]["endCursor"])
    back = search(api, {}, sort=sort, last=2, before=second["pageInfo"]["startCursor"])

    assert ids(first) + ids(second) == orders
    assert ids(back) == ids(first)


def test_a_cancelled_order_is_found_as_such(api):
    order = OrderFactory()
    services.cancel(order.pk, by=None, now=timezone.now())

    assert ids(search(api, {"status": {"eq": "CANCELLED"}})) == [str(order.pk)]


def test_the_same_queries_for_any_number(api):
    OrderFactory()
    search(api, {})
    with CaptureQueriesContext(connection) as one:
        search(api, {})
    OrderFactory()
    OrderFactory()
    with CaptureQueriesContext(connection) as three:
        search(api, {})

    assert len(three) == len(one)


def test_others_see_nothing(client, api):
    OrderFactory(channel=ChannelFactory(key="other", name="Other"))
    elsewhere = OrderFactory.collect()

    assert ids(search(api, {})) == [str(elsewhere.pk)]
    assert ids(search(Api(client, api_token(facilities=[FacilityFactory()])), {})) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"query": {"colour": {"eq": 1}}}, "query.colour: cannot be searched"),
        ({"query": {"status": {"near": "OPEN"}}}, "query.status.near: is no operator"),
        ({"query": {"orderDate": {"gt": "soon"}}}, "query.orderDate.gt: must be a time"),
        ({"query": {}, "size": 251}, "size: must be at most 250"),
        ({"query": {}, "after": "x"}, "after: must be a cursor"),
        (
            {"query": {}, "sort": [{"tenantOrderId": "ASC"}]},
            "sort[0].tenantOrderId: sort by status, orderDate",
        ),
    ],
)
def test_search_refuses(api, body, message):
    response = api.post("/api/orders/search", body)

    assert response.status_code == 400
    assert described(response)[0].startswith(message)


@pytest.mark.parametrize(
    "query",
    [
        {"customAttributes": {"commercetoolsId": {"eq": "c-1"}}},
        {"customAttributes": {"a b__c": {"eq": True}}},
        {"customAttributes": {"weight": {"gt": 2.5, "lte": 3}}},
        {"customAttributes": {"commercetoolsId": {"notEq": "c-2"}, "weight": {"gte": 3}}},
        {"tags": {"contains": {"value": {"eq": "gold"}}}},
        {"tags": {"contains": {"id": {"eq": "class"}, "value": {"like": "GOL"}}}},
        {"tags": {"contains": {"value": {"in": ["gold", "silver"]}}}},
        {"tags": {"exists": True}},
        {
            "consumer": {
                "addresses": {"contains": {"addressType": {"eq": "INVOICE_ADDRESS"}, "city": {"eq": "Ghent"}}}
            }
        },
        {
            "and": [
                {"orderLineItems": {"contains": {"article": {"tenantArticleId": {"eq": sku}}}}}
                for sku in ("A", "B")
            ]
        },
        {"orderDate": {"after": "2026-03-03T00:00:00Z", "before": "2026-03-05T00:00:00Z"}},
        {
            "deliveryPreferences": {"collect": {"contains": {"paid": {"eq": True}}}},
            "status": {"eq": "LOCKED"},
        },
    ],
)
def test_search_looks_into_lists_and_attributes_of_the_client(api, query):
    OrderFactory(("A", 1))
    OrderFactory(("A", 1), customAttributes={"weight": 2, "a b__c": False})
    order = OrderFactory(
        ("A", 1),
        ("B", 1),
        status="LOCKED",
        orderDate="2026-03-04T09:00:00Z",
        customAttributes={"commercetoolsId": "c-1", "weight": 3, "a b__c": True},
        tags=[{"id": "size", "value": "XL"}, {"id": "class", "value": "gold"}],
        consumer={
            "addresses": [
                {"street": "Markt", "postalCode": "4811", "city": "Breda", "country": "NL"},
                {
                    "street": "Korenmarkt",
                    "postalCode": "9000",
                    "city": "Ghent",
                    "country": "BE",
                    "addressType": "INVOICE_ADDRESS",
                },
            ]
        },
    )

    assert ids(search(api, query)) == [str(order.pk)]


def test_both_conditions_of_an_element_hold_for_the_same_one(api):
    OrderFactory(tags=[{"id": "size", "value": "XL"}, {"id": "class", "value": "gold"}])

    assert ids(search(api, {"tags": {"contains": {"id": {"eq": "size"}, "value": {"eq": "gold"}}}})) == []


def test_both_conditions_of_a_line_hold_for_the_same_one(api):
    order = OrderFactory(("A", 1), ("B", 1))
    titles = {line.sku: line.title for line in order.lines.all()}

    def found(sku, title):
        article = {"tenantArticleId": {"eq": sku}, "title": {"eq": titles[title]}}
        return ids(search(api, {"orderLineItems": {"contains": {"article": article}}}))

    assert (found("A", "A"), found("A", "B")) == ([str(order.pk)], [])


def test_what_the_client_names_is_never_part_of_the_statement(api):
    OrderFactory(customAttributes={"x": 1})
    name = "x') = '1' OR 1=1 --"

    assert ids(search(api, {"customAttributes": {name: {"eq": "1"}}})) == []
    assert ids(search(api, {"tags": {"contains": {"id": {"eq": "' OR 1=1 --"}}}})) == []


def test_the_next_page_may_be_asked_for_by_the_last_id(api):
    orders = [str(OrderFactory(orderDate=f"2026-03-0{day}T09:00:00Z").pk) for day in (1, 2, 3)]
    sort = [{"orderDate": "ASC"}]

    answer = search(api, {}, sort=sort, startAfterId=orders[0], size=1)

    assert ids(answer) == orders[1:2]
    assert answer["pageInfo"]["hasPreviousPage"]
    assert api.post("/api/orders/search", {"startAfterId": "x"}).status_code == 400
