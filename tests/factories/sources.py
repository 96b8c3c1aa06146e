"""Connections, deliveries and reports for tests, without a shop behind them."""

import factory
from django.utils import timezone

from orders.sources.models import Connection, Delivery, ImportedOrder, Report
from tests.factories.core import ChannelFactory
from tests.factories.orders import OrderFactory


class ConnectionFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Connection

    kind = "shopify"
    name = factory.Sequence(lambda n: f"Shop {n}")
    channel = factory.SubFactory(ChannelFactory)
    settings = {"shop": "fake.myshopify.com"}


def parked(connection=None, body=b'{"id": 7, "name": "#1007", "line_items": []}', **fields):
    """A delivery that waits for a person."""
    return Delivery.objects.create(
        connection=connection or ConnectionFactory(),
        **{
            "key": f"hook-{Delivery.objects.count()}",
            "topic": "orders/create",
            "body": body,
            "state": Delivery.State.PARKED,
            "reason_code": "ADDRESS_MISSING",
            "external_id": "7",
            "number": "#1007",
            **fields,
        },
    )


def refused_report(order=None, connection=None, **fields):
    """A report that the source refused."""
    connection = connection or ConnectionFactory()
    order = order or OrderFactory()
    imported = ImportedOrder.objects.create(
        connection=connection, external_id=str(order.pk), number="#1007", order=order
    )
    return Report.objects.create(
        connection=connection,
        imported=imported,
        **{
            "what": Report.What.SHIPPED,
            "subject_id": order.pk,
            "state": Report.State.PARKED,
            "attempts": 2,
            "reason_code": "SOURCE_REFUSED",
            "reason_params": {"message": "422: Tracking number is not valid"},
            "created_at": timezone.now(),
            **fields,
        },
    )
