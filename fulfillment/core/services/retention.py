"""What is kept for a time only."""

import datetime

from .. import journal
from ..models import ApiRequest, Counter, IdempotencyKey, OutboxEntry, RefreshToken

KEEP_ANSWERS = datetime.timedelta(days=7)
KEEP_DONE_WORK = datetime.timedelta(days=30)


def forget_old(*, now):
    """Delete stored answers after a week, finished outbox work after a month, and what ended; returns how many rows.

    Failed work is never deleted: a person has to look at it.
    """
    answers, _kinds = IdempotencyKey.objects.filter(created_at__lt=now - KEEP_ANSWERS).delete()
    work, _kinds = OutboxEntry.objects.filter(
        state=OutboxEntry.State.DONE, done_at__lt=now - KEEP_DONE_WORK
    ).delete()
    counters, _kinds = Counter.objects.filter(ends_at__lt=now.timestamp()).delete()
    sign_ins, _kinds = RefreshToken.objects.filter(expires_at__lt=now).delete()
    requests, _kinds = ApiRequest.objects.filter(at__lt=now - journal.KEPT_FOR).delete()
    return answers + work + counters + sign_ins + requests
