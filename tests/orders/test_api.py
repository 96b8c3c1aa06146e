import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fulfillment.core.models import IdempotencyKey, OutboxEntry
from orders.models import Order, OrderLine
from tests.factories.core import ArticleFactory, ChannelFactory, FacilityFactory, api_token
from tests.factories.orders import OrderFactory, wire_line, wire_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(client):
    """``api.post(path, data)`` and ``api.get(path)`` with a token of all scopes."""

    class Api:
        token = api_token()

        def headers(self, **headers):
            return {"Authorization": f"Bearer {self.token}", **headers}

        def post(self, path, data, **headers):
            body = data if isinstance(data, (bytes, str)) else json.dumps(data)
            return client.post(path, body, content_type="application/json", headers=self.headers(**headers))

        def get(self, path, query=None):
            return client.get(path, query, headers=self.headers())

    return Api()


def described(response):
    return [error["description"] for error in response.json()]


def test_post_creates_an_order(api):
    article = ArticleFactory()
    data = wire_order((article, 2), customAttributes={"commercetoolsId": "c-1"})

    response = api.post("/api/orders", data)

    assert response.status_code == 201
    order = Order.objects.get()
    assert response["Location"] == f"/api/orders/{order.pk}"
    answer = response.json()
    assert (answer["id"], answer["version"], answer["status"]) == (str(order.pk), 1, "OPEN")
    assert answer["processId"] == str(order.process_id)
    assert answer["orderDate"] == "2026-03-02T09:00:00Z"
    assert answer["workflowInformation"] == {"isAvailable": False}
    assert answer["orderLineItems"] == [{**data["orderLineItems"][0], "id": str(order.lines.get().pk)}]
    assert answer["customAttributes"] == {"commercetoolsId": "c-1"}
    assert api.get(response["Location"]).json() == answer


def test_post_accepts_what_shops_leave_empty(api):
    data = wire_order(
        tenantOrderId="", deliveryPreferences={"shipping": {"preselectedFacilities": []}}, tags=None
    )

    response = api.post("/api/orders", data)

    assert response.status_code == 201
    assert "tenantOrderId" not in response.json()


def test_post_takes_twelve_queries_at_most(api):
    articles = [ArticleFactory() for _number in range(3)]
    data = wire_order(*[(article, 1) for article in articles])
    api.get("/api/orders")  # notes the use of the token

    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = api.post("/api/orders", data, **{"Idempotency-Key": "k"})

    assert response.status_code == 201
    assert len(queries) <= 12, [query["sql"][:80] for query in queries]


def change(path, value):
    """An order with one value replaced; ``path`` as in errors."""
    data = wire_order(("SKU-1", 1))
    *inner, last = path.replace("[", ".").replace("]", "").split(".")
    target = data
    for name in inner:
        target = target[int(name)] if isinstance(target, list) else target.setdefault(name, {})
    target[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("colour", "red"),
        ("orderDate", "yesterday"),
        ("orderDate", "2026-02-30T10:00:00Z"),
        ("orderDate", "0001-01-01T00:00:00+23:59"),
        ("orderDate", 5),
        ("orderDate", ""),
        ("consumer", []),
        ("consumer.email", "nobody"),
        ("consumer.addresses[0].country", "XX"),
        ("consumer.addresses[0].country", "nl"),
        ("consumer.addresses[0].city", None),
        ("consumer.addresses[0].coordinates", {"lat": 91, "lon": 0}),
        ("orderLineItems", []),
        ("orderLineItems", {}),
        ("orderLineItems[0].quantity", 0),
        ("orderLineItems[0].quantity", 1.5),
        ("orderLineItems[0].quantity", "1"),
        ("orderLineItems[0].quantity", True),
        ("orderLineItems[0].quantity", 2**31),
        ("orderLineItems[0].article.title", ""),
        ("orderLineItems[0].article.tenantArticleId", "x" * 256),
        ("orderLineItems[0].price", 5),
        ("deliveryPreferences.shipping.serviceLevel", "TOMORROW"),
        ("deliveryPreferences.pickup", {}),
        ("status", "CANCELLED"),
        ("promisesOptions.validUntil", "soon"),
        ("tenantOrderId", 17),
        ("tenantOrderId", "a\0b"),
        ("tenantOrderId", "\ud800"),
    ],
)
def test_post_names_the_bad_field_and_writes_nothing(api, path, value):
    response = api.post("/api/orders", change(path, value))

    assert response.status_code == 400
    field = "deliveryPreferences.pickup" if path == "deliveryPreferences.pickup" else path
    assert any(text.startswith(field) for text in described(response)), described(response)
    assert response.json()[0]["summary"] == "VALIDATION_FAILED"
    assert not Order.objects.exists()
    assert not OrderLine.objects.exists()
    assert not OutboxEntry.objects.exists()


def test_post_refuses_more_than_500_lines(api):
    response = api.post("/api/orders", wire_order(*[("SKU-1", 1)] * 501))

    assert response.status_code == 400
    assert described(response) == ["orderLineItems: must not have more than 500 entries, it has 501"]


def test_post_accepts_500_lines(api):
    response = api.post("/api/orders", wire_order(*[(f"SKU-{n}", 1) for n in range(500)]))

    assert response.status_code == 201
    assert OrderLine.objects.count() == 500


def test_post_asks_for_all_that_is_missing(api):
    response = api.post("/api/orders", {})

    assert response.status_code == 400
    assert described(response) == [
        "consumer: is required",
        "orderDate: is required",
        "orderLineItems: is required",
    ]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "orderLineItems: is required"),
        (b"{", "not JSON"),
        (b"[]", "body"),
        (b'"text"', "body"),
        (b"\xff", "UTF-8"),
        (b'{"tenantOrderId": "1", "tenantOrderId": "2"}', "tenantOrderId: is given twice"),
        (b'{"consumer": {"email": "a@b", "email": "a@b"}}', "consumer.email: is given twice"),
        (b'{"customAttributes": {"n": NaN}}', "customAttributes.n: must be a finite number"),
        (b'{"customAttributes": {"n": 1e999}}', "customAttributes.n: must be a finite number"),
        (b'{"customAttributes": ' + b'{"a":' * 40 + b"1" + b"}" * 41, "customAttributes.a.a"),
        (b'{"customAttributes": ' + b"[" * 100_000, "nested"),
    ],
)
def test_post_refuses_a_bad_body(api, body, named):
    response = api.post("/api/orders", body)

    assert response.status_code == 400
    assert any(named in text for text in described(response)), described(response)
    assert not Order.objects.exists()


def test_post_refuses_a_body_of_5_megabytes(api):
    data = wire_order(customAttributes={"filling": "x" * 5 * 1024 * 1024})

    response = api.post("/api/orders", data)

    assert response.status_code == 413
    assert response.json()[0]["summary"] == "BODY_TOO_LARGE"


@pytest.mark.parametrize("content_type", ["application/json, application/json", "text/plain", "nonsense"])
def test_post_reads_json_whatever_the_content_type_says(client, content_type):
    """There are clients that send two of them."""
    headers = {"Authorization": f"Bearer {api_token()}"}

    created = client.post("/api/orders", json.dumps(wire_order()), content_type=content_type, headers=headers)
    refused = client.post("/api/orders", "a=1", content_type=content_type, headers=headers)

    assert (created.status_code, refused.status_code) == (201, 400)


def test_post_refuses_a_number_in_use(api):
    first = api.post("/api/orders", wire_order(tenantOrderId="A-1")).json()

    response = api.post("/api/orders", wire_order(tenantOrderId="A-1"))

    assert response.status_code == 400
    (text,) = described(response)
    assert text.startswith("tenantOrderId: ")
    assert first["id"] in text
    assert Order.objects.count() == 1


def test_post_refuses_an_unknown_facility(api):
    data = wire_order(deliveryPreferences={"collect": [{"tenantFacilityId": "nowhere"}]})

    response = api.post("/api/orders", data)

    assert response.status_code == 400
    assert described(response)[0].startswith("deliveryPreferences.collect[0].tenantFacilityId: ")


def test_facility_may_be_named_by_its_urn(api):
    facility = FacilityFactory(tenant_facility_id="NL 1")
    preferences = {"collect": [{"facilityRef": "urn:fft:facility:tenantFacilityId:NL%201"}]}

    assert api.post("/api/orders", wire_order(deliveryPreferences=preferences)).status_code == 201
    assert Order.objects.get().collect_facility == facility
    preferences = {"collect": [{"facilityRef": "urn:fft:facility:tenantFacilityId:NL2"}]}
    answer = api.post("/api/orders", wire_order(deliveryPreferences=preferences))
    assert (answer.status_code, answer.json()[0]["summary"]) == (400, "UNKNOWN_FACILITY")
    assert described(answer)[0].startswith("deliveryPreferences.collect[0].facilityRef: ")


def test_post_refuses_a_facility_the_token_is_not_for(api):
    own, other = FacilityFactory(), FacilityFactory()
    api.token = api_token(facilities=[own])
    preferences = {"collect": [{"facilityRef": str(other.pk)}]}

    response = api.post("/api/orders", wire_order(deliveryPreferences=preferences))

    assert response.status_code == 403
    assert not Order.objects.exists()


def test_key_replays_the_first_answer(api):
    data = wire_order()
    first = api.post("/api/orders", data, **{"Idempotency-Key": "k-1"})

    second = api.post("/api/orders", data, **{"Idempotency-Key": "k-1"})

    assert (second.status_code, second["Location"]) == (201, first["Location"])
    assert second.json() == first.json()
    assert Order.objects.count() == 1


def test_key_refuses_another_body(api):
    api.post("/api/orders", wire_order(), **{"Idempotency-Key": "k-1"})

    response = api.post("/api/orders", wire_order(), **{"Idempotency-Key": "k-1"})

    assert response.status_code == 409
    assert Order.objects.count() == 1


def test_key_belongs_to_the_token(api):
    data = wire_order()
    api.post("/api/orders", data, **{"Idempotency-Key": "k-1"})
    api.token = api_token(channel=ChannelFactory(key="market"))

    response = api.post("/api/orders", data, **{"Idempotency-Key": "k-1"})

    assert response.status_code == 201
    assert Order.objects.count() == 2


def test_key_of_a_refused_order_is_free_again(api):
    api.post("/api/orders", wire_order(tenantOrderId="A-1"))
    api.post("/api/orders", wire_order(tenantOrderId="A-1"), **{"Idempotency-Key": "k-1"})

    response = api.post("/api/orders", wire_order(tenantOrderId="A-2"), **{"Idempotency-Key": "k-1"})

    assert response.status_code == 201
    assert IdempotencyKey.objects.count() == 1


def test_list_pages_newest_first(api):
    orders = [OrderFactory() for _number in range(5)]
    newest_first = sorted((str(order.pk) for order in orders), reverse=True)

    first = api.get("/api/orders", {"size": 2}).json()
    second = api.get("/api/orders", {"size": 2, "startAfterId": first["orders"][-1]["id"]}).json()
    third = api.get("/api/orders", {"size": 2, "startAfterId": second["orders"][-1]["id"]}).json()

    assert [order["id"] for page in (first, second, third) for order in page["orders"]] == newest_first
    assert first["total"] == 5
    assert first["orders"][0]["orderLineItems"] == [{"title": "Article SKU-UNKNOWN", "quantity": 1}]


def test_list_finds_by_number_and_consumer(api):
    OrderFactory()
    order = OrderFactory(consumer={"consumerId": "c-7", "addresses": wire_order()["consumer"]["addresses"]})

    for query in ({"tenantOrderId": order.tenant_order_id}, {"consumerId": "c-7"}):
        assert [row["id"] for row in api.get("/api/orders", query).json()["orders"]] == [str(order.pk)]
    assert api.get("/api/orders", {"tenantOrderId": "none"}).json() == {"orders": [], "total": 0}


@pytest.mark.parametrize("query", [{"size": "0"}, {"size": "101"}, {"size": "x"}, {"startAfterId": "x"}])
def test_list_names_a_bad_parameter(api, query):
    response = api.get("/api/orders", query)

    assert response.status_code == 400
    assert described(response)[0].startswith(f"{next(iter(query))}: ")


def test_list_takes_the_same_queries_for_more_rows(api, django_assert_num_queries):
    OrderFactory(("SKU-1", 1))
    api.get("/api/orders")
    with CaptureQueriesContext(connection) as one:
        api.get("/api/orders")
    OrderFactory(("SKU-1", 1), ("SKU-2", 1))
    OrderFactory(("SKU-1", 1))

    with django_assert_num_queries(len(one)):
        api.get("/api/orders")


def test_orders_of_another_channel_are_unknown(api):
    order = OrderFactory(channel=ChannelFactory(key="market"))

    assert api.get("/api/orders").json()["total"] == 0
    assert api.get(f"/api/orders/{order.pk}").status_code == 404


def test_orders_fixed_to_other_facilities_are_unknown_to_a_limited_token(api):
    own, other = FacilityFactory(), FacilityFactory()
    free, here = OrderFactory(), OrderFactory.collect(facility=own)
    preselected = OrderFactory(preselected=[own, other])
    OrderFactory.collect(facility=other)
    OrderFactory(preselected=[other])
    api.token = api_token(facilities=[own])

    found = {row["id"] for row in api.get("/api/orders").json()["orders"]}

    assert found == {str(order.pk) for order in (free, here, preselected)}


def test_list_refuses_without_token(client):
    response = client.get("/api/orders")

    assert response.status_code == 401
    assert response.json()[0]["summary"] == "NOT_AUTHENTICATED"


@pytest.mark.parametrize(("method", "scope"), [("get", "ORDERS"), ("post", "READ")])
def test_list_refuses_another_scope(client, method, scope):
    headers = {"Authorization": f"Bearer {api_token(scope)}"}

    assert getattr(client, method)("/api/orders", headers=headers).status_code == 403


def test_lines_keep_what_the_shop_sent(api):
    line = wire_line(sku="SKU-1", quantity=3, shopPrice=12.5, customAttributes={"gift": True})

    response = api.post("/api/orders", wire_order(line))

    (answer,) = response.json()["orderLineItems"]
    assert {name: value for name, value in answer.items() if name != "id"} == line


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-02T09:00:00-23:09", "2026-03-03T08:09:00Z"),
        ("2026-03-02T09:00:00+01:00", "2026-03-02T08:00:00Z"),
    ],
)
def test_time_of_any_offset_is_kept_in_utc(api, text, utc):
    response = api.post("/api/orders", wire_order(orderDate=text))

    assert (response.status_code, response.json()["orderDate"]) == (201, utc)
