"""Orders come by a poll over their change time; there are no webhooks."""

import datetime

from orders.sources.kind import Page
from orders.sources.reading import time

from . import mapping

# An order with units in several states comes more than once; the second time nothing is new.
STATES = ("PROCESSABLE", "CANCELLED_BY_MARKETPLACE")
# Orders show up 45 minutes after the customer bought.
OVERLAP = datetime.timedelta(hours=1)


def pages(client, connection):
    """What can be shipped, then what was cancelled. The watermark moves when all are here: pages have no order."""
    newest = connection.watermark
    since = newest - OVERLAP if newest else None
    states = (mapping.ANNOUNCED, *STATES) if client.options["announced"] == "reserve" else STATES
    for state in states:
        for orders in client.orders(state, since):
            times = (time(order.get("lastModifiedDate")) or time(order.get("orderDate")) for order in orders)
            newest = max(filter(None, (newest, *times)), default=None)
            yield Page(orders)
    if newest != connection.watermark:
        yield Page([], watermark=newest)
