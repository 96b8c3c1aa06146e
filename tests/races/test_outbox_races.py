import dataclasses
import threading
import uuid

import pytest
from django.db import connection
from django.utils import timezone

from fulfillment.core import events, outbox
from fulfillment.core.models import OutboxEntry
from fulfillment.core.outbox import claim

pytestmark = pytest.mark.django_db(transaction=True)


@dataclasses.dataclass(frozen=True)
class Rang(events.Event):
    bell_id: uuid.UUID


def test_two_dispatchers_deliver_each_entry_once():
    now = timezone.now()
    for _number in range(10):
        OutboxEntry.objects.create(
            event="Rang", payload={"bell_id": str(uuid.uuid4())}, handler="x", lane="labels", due_at=now
        )
    delivered, barrier = [], threading.Barrier(2)

    def work():
        try:
            barrier.wait()
            outbox.dispatch(
                "labels", find=lambda key, name: events.Delivery(Rang, delivered.append, "labels")
            )
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _thread in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(delivered) == len(set(delivered)) == 10
    assert not OutboxEntry.objects.exclude(state="DONE").exists()


def test_claim_is_won_once():
    now = timezone.now()
    row = OutboxEntry.objects.create(event="Rang", payload={}, handler="x", lane="labels", due_at=now)

    assert [claim([row.pk], now), claim([row.pk], now)] == [[row], []]
