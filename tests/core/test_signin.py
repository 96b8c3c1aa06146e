import datetime

import jwt
import pytest
from django.test import override_settings

from fulfillment.core.models import Counter, RefreshToken, User
from fulfillment.core.services import signin
from tests.factories.core import ChannelFactory, FacilityFactory, staff

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse"
SIGN_IN = "/v1/accounts:signInWithPassword?key=any"
REFRESH = "/v1/token?key=any"


@pytest.fixture
def user(time_machine):
    time_machine.move_to(datetime.datetime(2026, 3, 2, 12, 1, tzinfo=datetime.UTC), tick=False)
    user = staff("supervisor")
    user.set_password(PASSWORD)
    user.channel = ChannelFactory()
    user.save()
    return user


def sign_in(client, user, password=PASSWORD, path=SIGN_IN, **headers):
    body = {"email": user.email.upper(), "password": password, "returnSecureToken": True}
    return client.post(path, body, content_type="application/json", headers=headers)


def read_orders(client, token):
    return client.get("/api/orders", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("path", [SIGN_IN, f"/identitytoolkit.googleapis.com{SIGN_IN}"])
def test_password_gives_a_token_that_opens_the_api(client, user, path):
    answer = sign_in(client, user, path=path)

    assert answer.status_code == 200
    assert answer.json()["expiresIn"] == "3600"
    assert read_orders(client, answer.json()["idToken"]).status_code == 200


def test_wrong_password_and_unknown_account_get_the_same_answer(client, user):
    for who in (user, User(email="nobody@demo.example")):
        answer = sign_in(client, who, "wrong")

        assert answer.status_code == 400
        assert answer.json() == {"error": {"code": 400, "message": "INVALID_LOGIN_CREDENTIALS"}}
    assert not RefreshToken.objects.exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "MISSING_EMAIL"),
        ({"email": "a@b.c"}, "MISSING_PASSWORD"),
        ({"email": ["a"], "password": {}}, "MISSING_EMAIL"),
        ([], "MISSING_EMAIL"),
    ],
    ids=str,
)
def test_incomplete_sign_in_says_what_is_missing(client, db, body, message):
    answer = client.post(SIGN_IN, body, content_type="application/json")

    assert (answer.status_code, answer.json()["error"]["message"]) == (400, message)


@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json, application/json", "text/plain"]
)
def test_refresh_token_is_reusable_in_every_form_that_clients_send(client, user, kind, content_type):
    secret = sign_in(client, user).json()["refreshToken"]
    body = {
        "json": f'{{"grant_type": "refresh_token", "refresh_token": "{secret}"}}',
        "form": f"grant_type=refresh_token&refresh_token={secret}",
    }[kind]

    for _time in range(2):
        answer = client.post(REFRESH, body, content_type=content_type)

        assert answer.status_code == 200
        assert (answer.json()["refresh_token"], answer.json()["expires_in"]) == (secret, "3600")
        assert read_orders(client, answer.json()["id_token"]).status_code == 200


def test_refresh_token_is_stored_as_a_hash_only(client, user):
    secret = sign_in(client, user).json()["refreshToken"]

    row = RefreshToken.objects.get()
    assert secret not in str(vars(row))


@pytest.mark.parametrize("end", ["expired", "revoked", "password", "inactive"])
def test_refresh_token_ends(client, user, time_machine, end):
    tokens = sign_in(client, user).json()
    if end == "expired":
        time_machine.shift(datetime.timedelta(days=30, seconds=1))
    elif end == "revoked":
        RefreshToken.objects.update(revoked_at=datetime.datetime.now(datetime.UTC))
    elif end == "password":
        user.set_password("another one!")
        user.save()
    else:
        User.objects.filter(pk=user.pk).update(is_active=False)

    body = {"grant_type": "refresh_token", "refresh_token": tokens["refreshToken"]}
    answer = client.post(REFRESH, body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "INVALID_REFRESH_TOKEN"
    if end in {"password", "inactive"}:
        assert read_orders(client, tokens["idToken"]).status_code == 401


def test_access_token_expires_after_an_hour(client, user, time_machine):
    token = sign_in(client, user).json()["idToken"]

    time_machine.shift(datetime.timedelta(minutes=59))
    assert read_orders(client, token).status_code == 200
    time_machine.shift(datetime.timedelta(minutes=2))
    assert read_orders(client, token).status_code == 401


def test_token_of_the_key_before_holds_until_that_key_is_taken_out(client, user, settings):
    token = sign_in(client, user).json()["idToken"]
    old = settings.SECRET_KEY

    with override_settings(SECRET_KEY="n" * 60, SECRET_KEY_FALLBACKS=[old]):
        assert read_orders(client, token).status_code == 200
    with override_settings(SECRET_KEY="n" * 60, SECRET_KEY_FALLBACKS=[]):
        assert read_orders(client, token).status_code == 401


def test_forged_tokens_are_refused(client, user):
    good = sign_in(client, user).json()["idToken"]
    claims = jwt.decode(good, options={"verify_signature": False})
    kid = jwt.get_unverified_header(good)["kid"]

    for forged in (
        jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(claims, "x" * 32, algorithm="HS256"),
        jwt.encode(claims, None, algorithm="none", headers={"kid": kid}),
        good[:-2],
        "a.b.c",
    ):
        assert read_orders(client, forged).status_code == 401


def test_failures_of_an_account_are_limited_and_success_is_not_counted(client, user):
    for _time in range(20):
        assert sign_in(client, user).status_code == 200
    for _time in range(signin.MOST_FAILURES["account"]):
        assert sign_in(client, user, "wrong").status_code == 400

    answer = sign_in(client, user)

    assert answer.status_code == 429
    assert answer.json()["error"]["message"] == "TOO_MANY_ATTEMPTS_TRY_LATER"
    assert answer["Retry-After"] == "840"  # windows begin at full quarters of an hour


def test_failures_from_an_address_are_limited(client, user, settings):
    settings.CACHE_URL = ""
    for number in range(signin.MOST_FAILURES["address"]):
        sign_in(client, User(email=f"{number}@demo.example"), "wrong")

    assert sign_in(client, user).status_code == 429
    assert Counter.objects.count() == signin.MOST_FAILURES["address"] + 1


def test_person_sees_the_orders_of_the_own_facilities_only(client, user):
    person = staff("picker", FacilityFactory())
    token = signin.access_token(person, now=datetime.datetime.now(datetime.UTC))

    assert read_orders(client, token).json() == {"orders": [], "total": 0}


def test_person_without_a_sales_channel_is_told_so(client, user):
    User.objects.filter(pk=user.pk).update(channel=None)
    token = signin.access_token(user, now=datetime.datetime.now(datetime.UTC))
    body = {
        "orderDate": "2026-03-02T09:00:00Z",
        "consumer": {},
        "orderLineItems": [{"article": {"tenantArticleId": "A", "title": "A"}, "quantity": 1}],
    }

    answer = client.post(
        "/api/orders", body, content_type="application/json", headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 403
    assert "sales channel" in answer.json()[0]["description"]
