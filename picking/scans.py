"""What a scan screen sends, exactly once: every action carries an id of the client, and its answer is stored.

The answer of an action is the same however often it is sent. A refused action changes nothing but is stored too,
so that a device that lost the answer hears it again.
"""

import dataclasses
import datetime
import hashlib
import json
import uuid

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import normalise, spellings
from fulfillment.core.errors import Refused
from fulfillment.core.queries import find_article, find_location

from . import services
from .models import PickJob, PickLine, ScanEvent, ShortReason

BOOKED, REFUSED, STALE = 200, 422, 409


@dataclasses.dataclass(frozen=True)
class Action:
    """One action of a screen, as the client sent it."""

    id: uuid.UUID
    kind: str
    job: uuid.UUID
    line: uuid.UUID | None = None
    code: str = ""
    quantity: int = 0
    reason: str = ""
    at: datetime.datetime | None = None

    @property
    def digest(self):
        """SHA-256 of what the action does, whenever it was done."""
        body = [str(self.job), self.kind, str(self.line or ""), self.code, self.quantity, self.reason]
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Answer:
    status_code: int
    data: dict
    is_replay: bool = False


class ScanRefused(Refused):
    """A refusal whose ``kind`` chooses picture, sound and vibration on the device."""

    kind = "unknown"


class UnknownCode(ScanRefused):
    text = _("Nothing here has the code %(code)s. Nothing is booked.")


class WrongArticle(ScanRefused):
    kind = "wrong_article"
    text = _("This is %(scanned)s. Pick %(expected)s. Nothing is booked.")


class WrongLocation(ScanRefused):
    kind = "wrong_location"
    text = _("This is %(scanned)s. Go to %(expected)s. Nothing is booked.")


class TooMany(ScanRefused):
    kind = "too_many"
    text = _("Only %(open)s more of %(title)s. Put the rest back.")


class NotALine(ScanRefused):
    kind = "stale"
    text = _("This line is not part of the job any more. Load the page again.")


class NothingToUndo(ScanRefused):
    text = _("There is nothing to undo.")


class ReasonMissing(ScanRefused):
    text = _("Choose why units are missing.")


class QuantityMissing(ScanRefused):
    text = _("Enter how many units, at least 1.")


def act(action, *, facility, by, now):
    """Do one action of a screen, or repeat the answer it got before.

    Returns:
        An ``Answer``: 200 booked, 422 refused, 409 when the job is gone or the id was used for something else. Its data
        have ``scan`` (the id), ``kind`` (for picture and sound), ``text``, and the state of ``job`` and ``line``.
    """
    with transaction.atomic():
        event, is_new = ScanEvent.objects.get_or_create(
            id=action.id,
            defaults={
                "facility": facility,
                "user": by,
                "kind": action.kind,
                "digest": action.digest,
                "code": action.code[:200],
                "scanned_at": action.at,
                "received_at": now,
            },
        )
        if not is_new:
            if (event.user_id, event.digest) != (by.pk, action.digest):
                return _stale(action, _("This action was sent before with another content."))
            return Answer(event.status_code, event.answer, is_replay=True)
        job = PickJob.objects.at(facility).filter(pk=action.job).first()
        if job is None:
            answer = _stale(action, _("This job is not here any more."))
        else:
            answer = _apply(event, action, job, by, now)
        event.status_code, event.answer = answer.status_code, answer.data
        event.save()
        return answer


def _stale(action, text):
    return Answer(STALE, {"scan": str(action.id), "kind": "stale", "text": str(text)})


def _apply(event, action, job, by, now):
    event.job = job
    try:
        # The savepoint: a refusal takes back what was begun, but not the stored answer.
        with transaction.atomic():
            kind, text, line = ACTIONS[action.kind](event, action, job.pk, by, now)
    except Refused as refusal:
        event.line, event.picked_delta, event.short_delta, event.undoes = None, 0, 0, None
        kind = getattr(refusal, "kind", "stale")
        return Answer(
            STALE if kind == "stale" else REFUSED,
            {"scan": str(action.id), "kind": kind, "text": str(refusal.message), **_state(job.pk, None)},
        )
    event.line = line
    return Answer(BOOKED, {"scan": str(action.id), "kind": kind, "text": str(text), **_state(job.pk, line)})


def _state(job_id, line):
    lines = list(PickLine.objects.filter(job_id=job_id).values_list("quantity", "picked", "short"))
    job = {
        "id": str(job_id),
        "lines": len(lines),
        "lines_done": sum(quantity == picked + short for quantity, picked, short in lines),
        "units": sum(quantity for quantity, _picked, _short in lines),
        "units_done": sum(picked + short for _quantity, picked, short in lines),
    }
    if line is None:
        return {"job": job, "line": None}
    return {
        "job": job,
        "line": {
            "id": str(line.pk),
            "quantity": line.quantity,
            "picked": line.picked,
            "short": line.short,
            "status": line.status,
        },
    }


def _lock(job_id, by):
    job = PickJob.objects.lock(pk=job_id)
    services.check_picker(job, by)
    return job


def _book(event, job, line, *, picked=0, short=0):
    """Change a line's figures under its job's lock, and note what undo has to take back.

    Programs that decided on the older figures hear of it by the version.
    """
    line.count(line.picked + picked, line.short + short, line.short_reason)
    line.save(update_fields=["picked", "short", "status", "short_reason"])
    services.raise_version(job)
    event.line, event.picked_delta, event.short_delta = line, picked, short


def _outcome(job, line):
    if line.open_units:
        return "ok", _("%(picked)s of %(quantity)s") % {"picked": line.picked, "quantity": line.quantity}
    if job.lines.pending().exists():
        return "line_done", _("%(title)s is done.") % {"title": line.title}
    return "job_done", _("Everything is picked. Close the job.")


def _line(job, line_id):
    line = job.lines.filter(pk=line_id).first() if line_id else None
    if line is None:
        raise NotALine
    return line


def _scan(event, action, job_id, by, now):
    job = _lock(job_id, by)
    lines = list(job.lines.select_related("article", "order_line", "listing"))
    article_id, units = _article_of(action.code, lines)
    wanted = next((line for line in lines if line.open_units), None)
    if article_id is None:
        return _location(action.code, job, wanted)
    matching = [line for line in lines if line.article_id == article_id]
    if not matching:
        scanned = find_article(action.code)[0]
        raise WrongArticle(scanned=scanned.title, expected=wanted.title if wanted else "–")
    line = next((line for line in matching if line.open_units), matching[-1])
    if units > line.open_units:
        raise TooMany(open=line.open_units, title=line.title)
    _book(event, job, line, picked=units)
    return (*_outcome(job, line), line)


def _article_of(code, lines):
    """(article id, units) of a code: of the network's codes, the listing's or the shop's; (None, 0) when unknown."""
    article, units = find_article(code)
    if article is not None:
        return article.pk, units
    known = set(spellings(normalise(code)))
    for line in lines:
        if known & {*line.order_line.scannable_codes, *line.listing.scannable_codes}:
            return line.article_id, 1
    return None, 0


def _location(code, job, line):
    location = find_location(job.facility, normalise(code))
    if location is None:
        raise UnknownCode(code=code)
    expected = (
        [allocation.stock.location for allocation in line.allocations.select_related("stock__location")]
        if line
        else []
    )
    if location not in expected:
        names = ", ".join(str(place) for place in expected if place) or "–"
        raise WrongLocation(scanned=location, expected=names)
    return "ok", _("Location %(location)s is right. Now scan the article.") % {"location": location}, None


def _quantity(event, action, job_id, by, now):
    job = _lock(job_id, by)
    line = _line(job, action.line)
    if action.quantity < 1:
        raise QuantityMissing
    if action.quantity > line.open_units:
        raise TooMany(open=line.open_units, title=line.title)
    _book(event, job, line, picked=action.quantity)
    return (*_outcome(job, line), line)


def _short(event, action, job_id, by, now):
    job = _lock(job_id, by)
    line = _line(job, action.line)
    if action.reason not in ShortReason.values:
        raise ReasonMissing
    if not line.open_units:
        raise TooMany(open=0, title=line.title)
    line.short_reason = action.reason
    _book(event, job, line, short=line.open_units)
    kind, _text = _outcome(job, line)
    return (
        kind,
        _("%(short)s of %(title)s reported missing.") % {"short": line.short, "title": line.title},
        line,
    )


def _undo(event, action, job_id, by, now):
    job = _lock(job_id, by)
    last = (
        # What was booked before a reset, or is not there any more because another client counted, stays.
        ScanEvent.objects.filter(
            job=job,
            undone_by=None,
            undoes=None,
            received_at__gte=job.started_at,
            line__picked__gte=F("picked_delta"),
            line__short__gte=F("short_delta"),
        )
        .exclude(picked_delta=0, short_delta=0)
        .select_related("line")
        .order_by(F("received_at").desc(), F("pk").desc())
        .first()
    )
    if last is None:
        raise NothingToUndo
    line = last.line
    _book(event, job, line, picked=-last.picked_delta, short=-last.short_delta)
    event.undoes = last
    return (
        "ok",
        _("Taken back: %(title)s, %(picked)s of %(quantity)s.")
        % {
            "title": line.title,
            "picked": line.picked,
            "quantity": line.quantity,
        },
        line,
    )


def _pause(event, action, job_id, by, now):
    job = services.pause(job_id, by=by, now=now)
    return "paused", _("%(job)s is put aside.") % {"job": job}, None


def _close(event, action, job_id, by, now):
    job = services.close(job_id, by=by, now=now)
    if job.status == PickJob.Status.ABORTED:
        return "closed", _("%(job)s is closed: nothing was picked.") % {"job": job}, None
    return "closed", _("%(job)s is closed and goes to packing.") % {"job": job}, None


ACTIONS = {
    ScanEvent.Kind.SCAN: _scan,
    ScanEvent.Kind.QUANTITY: _quantity,
    ScanEvent.Kind.SHORT: _short,
    ScanEvent.Kind.UNDO: _undo,
    ScanEvent.Kind.PAUSE: _pause,
    ScanEvent.Kind.CLOSE: _close,
}
