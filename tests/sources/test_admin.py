"""The administration of connections."""

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.demo.sources import fake_of
from orders.sources.models import Connection, Delivery
from tests.factories.core import ChannelFactory, staff
from tests.factories.sources import parked, refused_report
from tests.sources.conftest import join

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(monkeypatch):
    return join(fake_of("shopify"), monkeypatch)


@pytest.fixture
def admin(client):
    person = staff("administrator")
    person.is_staff = person.is_superuser = True
    person.save()
    client.force_login(person)
    return client


def form_of(shop, **fields):
    return {
        "name": "New shop",
        "channel": ChannelFactory().pk,
        "keep_raw_days": 30,
        "watermark_0": "2026-11-01",
        "watermark_1": "00:00:00",
        "default_method": "standard",
        "report_at": "handover",
        "availability_minutes": 0,
        "api_version": "2026-07",
        "financial_statuses": "paid",
        **shop.settings(),
        **shop.credentials(),
        **fields,
    }


def test_connection_is_made_and_its_secret_never_shown(admin, shop, settings):
    shop.base_url = "https://fake.myshopify.com"
    first = admin.get(reverse("admin:sources_connection_add"))
    assert b"Shopify" in first.content

    answer = admin.post(reverse("admin:sources_connection_add") + "?kind=shopify", form_of(shop))

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    connection = Connection.objects.get()
    assert connection.credentials == shop.credentials()
    assert shop.credentials()["client_secret"] not in connection.secrets
    page = admin.get(reverse("admin:sources_connection_change", args=[connection.pk])).content.decode()
    assert shop.credentials()["client_secret"] not in page
    assert f"<code>http://testserver/sources/{connection.pk}/</code>" in page


def test_empty_secret_keeps_the_stored_one(admin, shop, connect):
    connection = connect(shop)
    shop.base_url = "https://fake.myshopify.com"

    answer = admin.post(
        reverse("admin:sources_connection_change", args=[connection.pk]),
        form_of(shop, client_secret="", name="Renamed"),
    )

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    connection.refresh_from_db()
    assert (connection.name, connection.credentials) == ("Renamed", shop.credentials())


def test_plain_http_is_refused(admin, shop):
    shop.base_url = "http://fake.example"

    answer = admin.post(reverse("admin:sources_connection_add") + "?kind=shopify", form_of(shop))

    assert "must begin with https" in answer.content.decode()
    assert not Connection.objects.exists()


def test_button_tests_the_connection(admin, shop, connect):
    connection = connect(shop)

    good = admin.post(reverse("admin:sources_connection_test", args=[connection.pk]), follow=True)
    connection.credentials = {"client_id": "fake", "client_secret": "wrong"}
    connection.token_store = {}
    connection.save()
    bad = admin.post(reverse("admin:sources_connection_test", args=[connection.pk]), follow=True)

    assert "nothing is missing" in good.content.decode()
    assert "credentials are refused" in bad.content.decode()


def test_button_pauses_and_goes_on(admin, connect, shop):
    connection = connect(shop)
    url = reverse("admin:sources_connection_pause", args=[connection.pk])

    admin.post(url)
    connection.refresh_from_db()
    assert connection.is_paused
    admin.post(url)

    connection.refresh_from_db()
    assert not connection.is_paused
    assert connection.poll_due_at <= timezone.now()


def test_lists_of_deliveries_and_reports_open(admin):
    parked()
    refused_report()

    for name in ("connection", "delivery", "report"):
        assert admin.get(reverse(f"admin:sources_{name}_changelist")).status_code == 200
    assert (
        admin.get(reverse("admin:sources_delivery_change", args=[Delivery.objects.get().pk])).status_code
        == 200
    )
