import pytest

from orders.models import Order
from tests.apiclient import Api, described


@pytest.mark.parametrize("path", ["/api/nothing", "/api/orders/no-id", "/api/orders/"])
def test_unknown_address_of_the_api_answers_with_the_error_list(client, db, path):
    answer = client.get(path)

    assert answer.status_code == 404
    assert answer.json()[0]["summary"] == "NOT_FOUND"


def test_fault_under_the_api_answers_with_the_error_list(client, db, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("secret detail")

    client.raise_request_exception = False
    monkeypatch.setattr(Order.objects, "of_channel", fail)

    answer = Api(client).get("/api/orders")

    assert (answer.status_code, answer.json()[0]["summary"]) == (500, "SERVER_ERROR")
    assert "secret" not in described(answer)[0]


def test_other_addresses_answer_with_a_page(client, db):
    assert client.get("/nothing").headers["Content-Type"].startswith("text/html")
    assert client.get("/api/docs").headers["Content-Type"].startswith("text/html")


def test_answer_has_the_id_of_the_request_or_one_of_its_own(client, db):
    own = client.get("/api/status")["X-Request-Id"]

    assert len(own) == 36
    assert client.get("/api/status")["X-Request-Id"] != own
    assert client.get("/api/status", headers={"X-Request-Id": "shop-7"})["X-Request-Id"] == "shop-7"
    assert client.get("/api/nothing", headers={"X-Request-Id": "a b"})["X-Request-Id"] != "a b"
    assert "X-Request-Id" not in client.get("/nothing")


def test_log_names_the_request_that_broke(client, db, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise RuntimeError

    client.raise_request_exception = False
    monkeypatch.setattr(Order.objects, "of_channel", fail)

    Api(client).get("/api/orders", **{"X-Request-Id": "shop-8"})

    assert "GET /api/orders answered 500 to shop-8" in caplog.messages
