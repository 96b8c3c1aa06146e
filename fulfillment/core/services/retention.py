"""What is kept for a time only."""

import datetime

from ..models import IdempotencyKey, OutboxEntry

KEEP_ANSWERS = datetime.timedelta(days=7)
KEEP_DONE_WORK = datetime.timedelta(days=30)


def forget_old(*, now):
    """Delete stored answers after a week and finished outbox work after a month; returns how many rows.

    Failed work is never deleted: a person has to look at it.
    """
    answers, _kinds = IdempotencyKey.objects.filter(created_at__lt=now - KEEP_ANSWERS).delete()
    work, _kinds = OutboxEntry.objects.filter(
        state=OutboxEntry.State.DONE, done_at__lt=now - KEEP_DONE_WORK
    ).delete()
    return answers + work
