import datetime

import pytest
from django.utils import timezone

from fulfillment.core.models import ApiToken
from tests.factories.core import api_token

pytestmark = pytest.mark.django_db


def status_of(client, authorization):
    return client.get("/api/orders", headers={"Authorization": authorization}).status_code


def test_token_is_known_by_its_secret_only(client):
    secret = api_token()

    assert status_of(client, f"Bearer {secret}") == 200
    assert status_of(client, f"bearer {secret}") == 200
    assert status_of(client, f"Bearer {secret}x") == 401
    assert status_of(client, f"Bearer {ApiToken.objects.get().digest}") == 401
    assert status_of(client, "Bearer") == 401
    assert status_of(client, f"Basic {secret}") == 401


@pytest.mark.parametrize("field", ["revoked_at", "expires_at"])
def test_token_that_ended_is_refused(client, field):
    secret = api_token()
    ApiToken.objects.update(**{field: timezone.now() - datetime.timedelta(seconds=1)})

    response = client.get("/api/orders", headers={"Authorization": f"Bearer {secret}"})

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()[0]["summary"] == "AUTHENTICATION_FAILED"


def test_use_of_a_token_is_noted(client):
    status_of(client, f"Bearer {api_token()}")

    assert ApiToken.objects.get().last_used_at is not None


def test_errors_are_english_for_every_client(client):
    response = client.get("/api/orders", headers={"Accept-Language": "de"})

    assert response.json()[0]["description"] == "Authentication credentials were not provided."
