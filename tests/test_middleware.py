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
