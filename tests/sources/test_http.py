"""The rules that hold for every call to a source."""

import datetime
import email.utils

import httpx
import pytest
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from orders.sources import http
from orders.sources.registry import KINDS
from tests.sources.conftest import join

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("commercetools"), monkeypatch)


@pytest.fixture
def client(shop, connect):
    connection = connect(shop)
    with KINDS[shop.kind].client.Client(connection, KINDS[shop.kind].options(connection.settings)) as client:
        client.token()
        yield client


def is_orders(request):
    return request.url.path.endswith("/orders")


def read(client):
    return client.get(client.url("/orders"), params={"limit": 1})


def write(client):
    return client.post(client.url("/orders"), json={})


def test_call_waits_10_seconds_for_the_connection_and_30_for_the_answer(shop, client):
    read(client)

    (call,) = filter(is_orders, shop.requests)
    timeout = call.extensions["timeout"]
    assert (timeout["connect"], timeout["read"]) == (10, 30)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("call", [read, write], ids=["read", "write"])
def test_busy_source_is_waited_for_as_it_says_also_with_a_write(shop, client, status, call):
    shop.fail(status, headers={"Retry-After": "3"}, match=is_orders)
    shop.fail(400, match=is_orders)  # and then refuses

    with pytest.raises(http.Rejected):
        call(client)

    assert shop.sleeps == [3.0]


def test_busy_source_that_names_no_time_is_waited_for_longer_each_time(shop, client):
    for _attempt in range(3):
        shop.fail(429, match=is_orders)

    read(client)

    first, second, third = shop.sleeps
    assert 0.25 <= first <= 0.75
    assert 0.5 <= second <= 1.5
    assert 1 <= third <= 3


def test_pauses_have_jitter():
    assert len({http.backoff(1) for _attempt in range(20)}) > 1


def test_time_to_come_again_may_be_a_date():
    moment = timezone.now() + datetime.timedelta(seconds=90)
    answer = httpx.Response(429, headers={"Retry-After": email.utils.format_datetime(moment, usegmt=True)})

    assert 80 < http.retry_after(answer) <= 90
    assert http.retry_after(httpx.Response(429, headers={"Retry-After": "soon"})) is None


def test_read_is_repeated_after_a_fault_and_a_write_is_not(shop, client):
    shop.fail(502, match=is_orders)
    read(client)
    assert len(list(filter(is_orders, shop.requests))) == 2

    shop.fail(502, match=is_orders)
    with pytest.raises(http.Unknown):
        write(client)
    assert len(list(filter(is_orders, shop.requests))) == 3


def test_token_that_is_refused_twice_is_a_refused_sign_in(shop, client):
    shop.fail(401, match=is_orders)
    shop.fail(401, match=is_orders)

    with pytest.raises(http.SignInFailed):
        read(client)

    assert shop.token_number == 2
