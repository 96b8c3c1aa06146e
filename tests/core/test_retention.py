import datetime

import pytest

from fulfillment.core.models import IdempotencyKey, OutboxEntry
from fulfillment.core.services import retention

pytestmark = pytest.mark.django_db
NOW = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


def days_ago(days):
    return NOW - datetime.timedelta(days=days)


def test_answers_are_forgotten_after_a_week():
    for key, days in (("old", 8), ("new", 6)):
        IdempotencyKey.objects.create(caller="apitoken:1", key=key, digest="", created_at=days_ago(days))

    retention.forget_old(now=NOW)

    assert [row.key for row in IdempotencyKey.objects.all()] == ["new"]


def test_finished_work_is_forgotten_after_a_month_and_failed_work_never():
    for state, days in (("DONE", 31), ("DONE", 29), ("FAILED", 400)):
        OutboxEntry.objects.create(
            event="OrderPlaced",
            payload={},
            handler="x",
            lane="routing",
            state=state,
            done_at=days_ago(days) if state == "DONE" else None,
            created_at=days_ago(days),
        )

    retention.forget_old(now=NOW)

    assert sorted(OutboxEntry.objects.values_list("state", flat=True)) == ["DONE", "FAILED"]
