import datetime

import pytest
from django.utils import timezone

from orders.sources import retention
from orders.sources.models import Delivery
from tests.factories.sources import ConnectionFactory, parked

pytestmark = pytest.mark.django_db


def test_content_goes_after_the_days_of_the_connection_and_the_id_stays():
    now = timezone.now()
    short, long = ConnectionFactory(keep_raw_days=3), ConnectionFactory(keep_raw_days=30)
    old = now - datetime.timedelta(days=4)
    gone = parked(short, state=Delivery.State.DONE, received_at=old)
    waiting = parked(short, received_at=old, correction="{}")
    kept = parked(long, received_at=old)

    assert retention.forget_old(now=now) == 2
    assert retention.forget_old(now=now) == 0

    for delivery in (gone, waiting, kept):
        delivery.refresh_from_db()
    assert (bytes(gone.body), gone.key, gone.state) == (b"", "hook-0", "DONE")
    assert (bytes(waiting.body), waiting.correction, waiting.reason_code) == (b"", "", "RAW_FORGOTTEN")
    assert bytes(kept.body) != b""
