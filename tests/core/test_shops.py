import datetime
import html
import json

import pytest
import redis
from django.contrib.messages import get_messages
from django.urls import reverse

from fulfillment.core import journal
from fulfillment.core.models import ApiRequest, ApiToken, Channel
from fulfillment.core.services import retention
from tests.apiclient import Api
from tests.factories.core import ArticleFactory, ChannelFactory, FacilityFactory, api_token, put_stock, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(staff("administrator"))
    return client


def connect(client, **data):
    form = {"channel": "Web shop", "name": "Production", "scopes": ["READ", "ORDERS"], **data}
    return client.post(reverse("core:shop-connect"), form)


def test_new_token_is_shown_once_with_a_call_that_works(admin):
    answer = connect(admin)

    token = ApiToken.objects.get()
    assert (token.channel.name, token.scopes) == ("Web shop", ["ORDERS", "READ"])
    first = admin.get(answer["Location"]).content.decode()
    secret = first.split('id="secret">')[1].split("<")[0]
    assert ApiToken.hash(secret) == token.digest
    assert f"Bearer {secret}" in first
    assert "http://testserver/api/orders" in first
    assert secret not in admin.get(answer["Location"]).content.decode()
    assert Api(admin, secret).get("/api/orders").status_code == 200


def test_known_channel_is_used_and_a_similar_key_is_not_taken_twice(admin):
    ChannelFactory(key="web-shop", name="Web-Shop!")
    known = ChannelFactory(key="till", name="Till")

    connect(admin, channel="till")
    connect(admin, channel="Web shop")

    assert {token.channel for token in ApiToken.objects.all()} == {
        known,
        Channel.objects.get(key="web-shop-1"),
    }


@pytest.mark.parametrize("missing", ["channel", "name", "scopes"])
def test_incomplete_form_says_what_is_missing(admin, missing):
    answer = connect(admin, **{missing: []})

    assert answer.status_code == 422
    assert "This field is required." in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_call_to_copy_orders_what_is_there_by_a_number_and_time_of_now(admin, client, time_machine):
    time_machine.move_to("2026-11-27T02:08:30Z", tick=False)
    secret, token = api_token("ORDERS"), ApiToken.objects.get()
    put_stock(FacilityFactory(), ArticleFactory(sku="MUG-1"), 3)

    page = admin.get(reverse("core:shop-detail", args=[token.pk])).content.decode()
    call = html.unescape(page.split('id="call"')[1].split("</pre>")[0])
    body = json.loads(call.split("-d '")[1].removesuffix("'"))
    answer = Api(client, secret).post("/api/orders", body)

    assert answer.status_code == 201
    assert (body["tenantOrderId"], body["orderDate"]) == ("TEST-1127-020830", "2026-11-27T02:08:30Z")
    assert body["orderLineItems"][0]["article"]["tenantArticleId"] == "MUG-1"


def test_last_requests_are_shown_with_their_error(admin, client):
    secret = api_token("READ")
    token = ApiToken.objects.get()
    api = Api(client, secret)
    api.get("/api/orders", {"size": 0})
    api.get("/api/orders")
    api.post("/api/orders", {"orderDate": "<b>"})

    page = admin.get(reverse("core:shop-detail", args=[token.pk])).content.decode()

    assert [(entry.method, entry.status) for entry in journal.last(token.pk)] == [
        ("POST", 403),
        ("GET", 200),
        ("GET", 400),
    ]
    assert "size: must be an integer from 1 to 100" in page
    assert "The token lacks the scope ORDERS." in page


def test_revoked_token_is_locked_out_at_once(admin, client):
    secret = api_token()
    token = ApiToken.objects.get()

    admin.post(reverse("core:shop-revoke", args=[token.pk]))

    assert Api(client, secret).get("/api/orders").status_code == 401
    assert "This token has ended." in admin.get(reverse("core:shop-detail", args=[token.pk])).content.decode()
    assert "Ended" in admin.get(reverse("core:shop-list")).content.decode()


def test_list_of_no_shops_leads_on(admin):
    page = admin.get(reverse("core:shop-list")).content.decode()

    assert "No shop is connected" in page
    assert reverse("core:shop-connect") in page


def test_requests_are_forgotten_after_a_week(client, settings):
    settings.CACHE_URL = ""
    secret = api_token()
    Api(client, secret).get("/api/orders")
    at = ApiRequest.objects.get().at

    retention.forget_old(now=at + datetime.timedelta(days=6))
    assert ApiRequest.objects.count() == 1
    retention.forget_old(now=at + datetime.timedelta(days=8))
    assert ApiRequest.objects.count() == 0


def test_request_that_cannot_be_noted_is_answered_all_the_same(client, monkeypatch):
    def fail(token_id, entry):
        raise redis.RedisError("down")

    monkeypatch.setattr(journal, "note", fail)

    assert Api(client).get("/api/orders").status_code == 200


def test_sandbox_token_sends_orders_but_touches_neither_stock_nor_work(admin):
    connect(admin, is_sandbox="on")

    token = ApiToken.objects.get()
    assert token.channel.is_sandbox
    assert token.hint.startswith("ful_test_")
    api = Api(admin, api_token(channel=token.channel))
    assert api.get("/api/orders").status_code == 200
    refused = [api.post("/api/stocks", {}), api.post("/api/packjobs", {}), api.put("/api/stocks", {})]
    assert [answer.status_code for answer in refused] == [403] * 3


@pytest.mark.parametrize(
    ("known", "data", "words"),
    [
        (False, {"is_sandbox": "on"}, "Either all tokens of Web shop are for trying, or none."),
        (True, {}, "Either all tokens of Web shop are for trying, or none."),
        (True, {"is_sandbox": "on", "scopes": ["READ", "STOCK"]}, "stock and work are real"),
    ],
)
def test_sandbox_and_real_orders_do_not_share_a_channel(admin, known, data, words):
    ChannelFactory(key="web-shop", name="Web shop", is_sandbox=known)

    answer = connect(admin, **data)

    said = [str(message) for message in get_messages(answer.wsgi_request)]
    assert words in answer.content.decode() + "".join(said)
    assert not ApiToken.objects.exists()
