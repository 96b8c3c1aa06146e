import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from fulfillment.overview import delivering
from fulfillment.overview.models import Subscription, WebhookDelivery
from tests.factories.core import FacilityFactory
from tests.factories.overview import happened, subscribe
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db

LIST = "admin:overview_subscription_changelist"


def add(client, **fields):
    data = {"name": "Shop", "event": "ORDER_CREATED", "callback_url": "http://127.0.0.1:9/", **fields}
    return client.post(reverse("admin:overview_subscription_add"), data, follow=True)


def act(client, action, *rows, page=LIST):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(page), data, follow=True).content.decode()


def test_a_subscription_is_made_and_its_secret_shown_once(admin_client):
    facility = FacilityFactory()

    page = add(admin_client, headers="Authorization: Bearer a:b\n\nX-Shop: 1", facilities=[facility.pk])

    subscription = Subscription.objects.get()
    assert subscription.headers == [("Authorization", "Bearer a:b"), ("X-Shop", "1")]
    assert list(subscription.facilities.all()) == [facility]
    secret = subscription.secrets_at(timezone.now())[0]
    assert secret in page.content.decode().replace("&#x3D;", "=")
    shown = admin_client.get(reverse("admin:overview_subscription_change", args=[subscription.pk]))
    assert "Authorization, X-Shop" in shown.content.decode()
    assert "Bearer" not in shown.content.decode()
    assert "whsec_" not in shown.content.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"callback_url": "https://10.0.0.1/"},
        {"callback_url": "http://shop.example/"},
        {"headers": "no colon"},
        {"headers": "Host: x"},
        {"event": "NOTHING"},
    ],
)
def test_what_cannot_be_subscribed_is_said_in_the_form(admin_client, fields):
    page = add(admin_client, **fields)

    assert page.context["errors"]
    assert not Subscription.objects.exists()


def test_subscriptions_are_paused_resumed_renewed_and_ended(admin_client):
    subscription = subscribe()

    act(admin_client, "pause", subscription)
    subscription.refresh_from_db()
    assert subscription.paused_at
    act(admin_client, "resume", subscription)
    subscription.refresh_from_db()
    assert subscription.paused_at is None
    assert "whsec_" in act(admin_client, "renew_secret", subscription)
    assert len(Subscription.objects.get().secrets_at(timezone.now())) == 2
    act(admin_client, "end", subscription)
    assert not Subscription.objects.live().exists()


def test_events_are_told_again_since_a_time(admin_client):
    with Receiver().listening() as receiver:
        subscription = subscribe(receiver.url)
        happened(subscription)
        delivering.run()
        since = timezone.now() - datetime.timedelta(hours=1)
        address = reverse("admin:overview_subscription_change", args=[subscription.pk])

        page = admin_client.post(
            address,
            {"replay_from_0": since.date().isoformat(), "replay_from_1": f"{since:%H:%M:%S}"},
            follow=True,
        )

        assert "1 events are told again." in page.content.decode()
        assert delivering.run() == 1


def test_the_log_shows_answers_and_tries_failed_ones_again(admin_client):
    with Receiver(status=500).listening() as receiver:
        happened(subscribe(receiver.url))
        delivering.run()
    WebhookDelivery.objects.update(state="FAILED")
    delivery = WebhookDelivery.objects.get()
    page = "admin:overview_webhookdelivery_changelist"

    assert "The answer is 500." in admin_client.get(reverse(page)).content.decode()
    shown = admin_client.get(reverse("admin:overview_webhookdelivery_change", args=[delivery.pk]))
    assert "The answer is 500." in shown.content.decode()
    act(admin_client, "retry", delivery, page=page)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("DUE", 0)
