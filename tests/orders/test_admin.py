import pytest
from django.urls import reverse

from tests.factories.core import ArticleFactory
from tests.factories.orders import OrderFactory

pytestmark = pytest.mark.django_db


def test_orders_are_found_and_shown_but_not_changed(admin_client):
    article = ArticleFactory()
    order = OrderFactory((article, 2))
    OrderFactory(("SKU-OTHER", 1))

    found = admin_client.get(reverse("admin:orders_order_changelist"), {"q": article.sku})
    shown = admin_client.get(reverse("admin:orders_order_change", args=[order.pk]))
    changed = admin_client.post(reverse("admin:orders_order_change", args=[order.pk]), {"country": "DE"})

    assert found.context["cl"].result_count == 1
    assert shown.status_code == 200
    assert reverse("overview:order-detail", args=[order.pk]) in shown.content.decode()
    assert changed.status_code == 403
