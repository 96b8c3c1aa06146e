"""What a device sends, exactly once: every action carries an id of the client, and its answer is stored under it.

The answer of an action is the same however often it is sent. A refused action changes nothing but is stored too,
so that a device that lost the answer hears it again.
"""

import dataclasses

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

BOOKED, REFUSED, STALE = 200, 422, 409


@dataclasses.dataclass(frozen=True)
class Answer:
    """``data`` have ``scan`` (the id), ``kind`` (for picture and sound) and ``text``."""

    status_code: int
    data: dict
    is_replay: bool = False


def act_once(event_class, action, *, facility, by, now, work):
    """Let ``work`` do an action of a screen, or repeat the answer that it got before.

    Args:
        event_class: the model of the rows that keep actions with their answers.
        action: has ``id``, ``kind``, ``code``, ``at`` and the ``digest`` of what it does.
        work: called with the row of the action, not saved yet, see ``once``.
    """
    event = event_class(
        id=action.id,
        facility=facility,
        user=by,
        kind=action.kind,
        digest=action.digest,
        code=action.code[:200],
        scanned_at=action.at,
        received_at=now,
    )
    return once(
        event,
        is_same=lambda stored: (stored.user_id, stored.digest) == (by.pk, action.digest),
        work=lambda: work(event),
    )


def once(event, *, is_same, work):
    """Let ``work`` do what a row stands for, or repeat the answer that it got before.

    Args:
        event: the row of the action, not saved yet; its key is the id of the client. Gets ``status_code`` and ``answer``.
        is_same: called with the stored row, whether it is about the same action of the same user.
        work: gives the ``Answer``. A refusal is caught in it, behind a savepoint: what was begun is taken back, the
            stored answer stays.
    """
    try:
        with transaction.atomic():
            answer = work()
            event.status_code, event.answer = answer.status_code, answer.data
            # The id makes it happen once: a second time all of it is taken back here.
            event.save(force_insert=True)
            return answer
    except IntegrityError:
        stored = type(event).objects.filter(pk=event.pk).first()
        if stored is None:
            raise
    if not is_same(stored):
        return stale(event.pk, _("This action was sent before with another content."))
    return Answer(stored.status_code, stored.answer, is_replay=True)


def stale(scan_id, text):
    """What it was about is gone, or it is about something else by now."""
    return Answer(STALE, {"scan": str(scan_id), "kind": "stale", "text": str(text)})
