"""What a scan screen sends: each action happens once, see ``fulfillment.core.exactly_once``."""

import dataclasses
import datetime
import hashlib
import json
import uuid

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from fulfillment.core import codes
from fulfillment.core.errors import Refused
from fulfillment.core.exactly_once import BOOKED, REFUSED, STALE, Answer, act_once, stale
from fulfillment.core.models.facility import ScanRule
from fulfillment.core.queries import find_article, find_article_id, find_location

from . import floor, load_units, queries, recordables, scan_checks, services, substitutes, tails
from .models import LoadUnit, PickJob, PickLine, ScanEvent, ShortReason
from .refusals import (
    MayReplace,
    NoSubstitute,
    NotALine,
    NothingToUndo,
    QuantityMissing,
    ReasonMissing,
    TooFewFree,
    ToteOfOthers,
    UnknownCode,
    WrongArticle,
    WrongLocation,
)
from .screen import line_state


@dataclasses.dataclass(frozen=True)
class Action:
    """One action of a screen, as the client sent it. Lot, expiry and serial number may be typed with a quantity."""

    id: uuid.UUID
    kind: str
    job: uuid.UUID
    line: uuid.UUID | None = None
    code: str = ""
    quantity: int = 0
    reason: str = ""
    lot: str = ""
    serial: str = ""
    expires_on: datetime.date | None = None
    weight: int = 0  # grams of all units together
    left: int | None = None  # with a short pick: units that are still at the place, when somebody counted
    at: datetime.datetime | None = None
    attribute: uuid.UUID | None = None  # whose value ``code`` is
    is_typed: bool = False  # the code was typed by a person: its end is enough

    @property
    def digest(self):
        """SHA-256 of what the action does, whenever it was done."""
        body = [str(self.job), self.kind, str(self.line or ""), self.code, self.quantity, self.reason]
        if self.lot or self.serial or self.expires_on:
            body += [self.lot, self.serial, str(self.expires_on or "")]
        if self.weight or self.left is not None:
            body += [self.weight, self.left]
        if self.attribute:
            body.append(str(self.attribute))
        return hashlib.sha256(json.dumps(body).encode()).hexdigest()


def act(action, *, facility, by, now, work=None):
    """Do one action of a screen, or repeat the answer it got before.

    Args:
        work: the ``Work`` that does it, for a screen that shows something else than a job.
    Returns:
        An ``Answer``: 200 booked, 422 refused, 409 when the job is gone or the id was used for something else. Its data
        have ``scan`` (the id), ``kind`` (for picture and sound), ``text``, and the state of ``job`` and ``line``.
    """
    return act_once(
        ScanEvent,
        action,
        facility=facility,
        by=by,
        now=now,
        work=lambda event: (work or Work)(action, event, facility, by, now).do(),
    )


class Work:
    """One action at its job. Loads what it needs under the job's lock, changes it, and says how it is then."""

    job: PickJob
    lines: list[PickLine]

    def __init__(self, action, event, facility, by, now):
        self.action, self.event, self.facility, self.by, self.now = action, event, facility, by, now

    def do(self):
        action = self.action
        try:
            self.find(is_for_status=action.kind in CHANGES_STATUS)
        except ObjectDoesNotExist:
            return stale(action.id, _("This job is not here any more."))
        if self.job.facility_id != self.facility.pk:
            return stale(action.id, _("This job is not here any more."))
        self.job.facility = self.facility
        self.lines = self.load_lines()
        if action.is_typed and tails.TAIL.fullmatch(action.code):
            self.action = dataclasses.replace(action, code=self.full_code())
        try:
            # The savepoint: a refusal takes back what was begun, but not the stored answer.
            with transaction.atomic():
                self.check()
                unit = self.scanned_unit()
                kind, text, line = self.tote(unit) if unit else getattr(self, action.kind)()
                is_replanned = action.kind == ScanEvent.Kind.SHORT and self.replan(line)
        except Refused as refusal:
            return self.refuse(refusal)
        self.note(line)
        answer = {"scan": str(action.id), "kind": kind, "text": str(text), **self.state(line)}
        return Answer(BOOKED, answer | ({"is_replanned": True} if is_replanned else {}))

    def find(self, *, is_for_status):
        """Lock the job of the action."""
        lock = services.lock_for_status if is_for_status else _lock
        self.job = self.event.job = lock(self.action.job)

    def check(self):
        """Refuse what is to be done elsewhere: the lines of a run are picked in it."""
        for line in self.lines:
            if line.run is not None and line.run.is_active:
                raise services.InARun(job=self.job, run=line.run)

    def note(self, line):
        """Keep with the event what it was about."""
        self.event.line = line

    def replan(self, line):
        """Plan the rest of the walk anew, because units that were thought to be here are not."""
        allocation = line.allocations.select_related("stock__location").first()
        return floor.replan(self.lines, allocation.stock.location if allocation else None)

    def refuse(self, refusal):
        event = self.event
        event.line, event.picked_delta, event.short_delta, event.undoes = None, 0, 0, None
        event.moved = 0
        event.lot, event.serial, event.expires_on, event.weight_g = "", "", None, None
        self.lines = self.load_lines()
        kind = getattr(refusal, "kind", "stale")
        return Answer(
            STALE if kind == "stale" else REFUSED,
            {
                "scan": str(self.action.id),
                "kind": kind,
                "text": str(refusal.message),
                **self.state(None),
            },
        )

    def load_lines(self):
        return list(self.job.lines.for_scans())

    def state(self, line):
        """How the job and the line are now, for the screen."""
        lines = self.lines
        job = {
            "id": str(self.job.pk),
            "version": self.job.version,
            "lines": len(lines),
            "lines_done": sum(not one.open_units for one in lines),
            "units": sum(one.quantity for one in lines),
            "units_done": sum(one.picked + one.short for one in lines),
        }
        return {"job": job, "line": None if line is None else line_state(line)}

    def full_code(self):
        """What the end of a code stands for that was typed; as it was typed when it is a code itself."""
        typed, line = self.action.code, self.wanted()
        if (
            line is None
            or self.article_of(typed, codes.read(typed))[0]
            or find_location(self.facility, typed)
        ):
            return typed
        return tails.full_code(typed, line, self.totes())

    def wanted(self):
        """The line before the picker's eyes, who may have left others for later."""
        rest = [line for line in self.lines if line.open_units]
        return next((line for line in rest if line.pk == self.action.line), rest[0] if rest else None)

    def totes(self):
        return LoadUnit.objects.of_job(self.job.pk).in_use()

    # The actions

    def scanned_unit(self):
        """The load unit whose code was scanned, or None."""
        code = self.action.code
        if self.action.kind != ScanEvent.Kind.SCAN or not load_units.is_tote_code(code):
            return None
        return load_units.find(self.facility, code)

    def tote(self, unit):
        """A free load unit holds the goods of the job from now on; one that does already is right."""
        services.check_picker(self.job, self.by)
        if unit.job_id == self.job.pk:
            return "place", _("Right: tote …%(tail)s.") % {"tail": unit.tail}, None
        if unit.status == LoadUnit.Status.IN_USE:
            raise ToteOfOthers(holder=unit.job or unit.run)
        unit = LoadUnit.objects.lock(pk=unit.pk)
        load_units.take_along(unit, job=self.job, run=None, by=self.by, now=self.now)
        return "tote", _("Tote …%(tail)s is for %(job)s now.") % {"tail": unit.tail, "job": self.job}, None

    def scan(self):
        services.check_picker(self.job, self.by)
        action = self.action
        scan = codes.read(action.code)
        rest, wanted = [line for line in self.lines if line.open_units], self.wanted()
        article_id, units = self.article_of(action.code, scan)
        if article_id is None:
            location = find_location(self.facility, scan.code)
            if location is not None:
                return self.open_place(location, wanted)
            if wanted is None or not self.facility.counts_unknown_codes:
                raise UnknownCode(code=action.code)
            article_id, units = wanted.article_id, 1
        matching = [line for line in self.lines if line.article_id == article_id]
        if not matching:
            scanned = find_article(action.code)[0]
            if wanted and article_id in self.substitutes_of(wanted):
                raise MayReplace(scanned=scanned.local_title, expected=wanted.shown_title)
            raise WrongArticle(scanned=scanned.local_title, expected=wanted.shown_title if wanted else "–")
        line = next((line for line in [wanted, *rest] if line in matching), matching[-1])
        scan_checks.check_units(line, units)
        scan_checks.check_place(line, self.facility)
        of_a_scale = codes.of_a_scale(scan.code)
        weight = scan.weight_g or (of_a_scale[1] if of_a_scale else 0)
        scan_checks.record(
            self.event,
            line,
            units,
            lot=scan.lot,
            serial=scan.serial,
            expires_on=scan.expires_on,
            weight=weight,
        )
        line.is_scanned = True
        self.book(line, picked=units)
        return (*self.outcome(line), line)

    def substitutes_of(self, line):
        """The ids of articles that may be taken instead of that of a line."""
        offered = substitutes.choices_for([line], self.facility, timezone.localdate(self.now))
        return {choice.article.pk for choice in offered.get(line.article_id, [])}

    def article_of(self, text, scan):
        """(article id, units) of a code: of the network's codes, the listing's or the shop's; (None, 0) when unknown."""
        article_id, units = find_article_id(text)
        if article_id is not None:
            return article_id, units
        known = set(codes.spellings(scan.code))
        for line in self.lines:
            of_order = [] if line.replaces_id else line.order_line.scannable_codes
            if known & {*of_order, *line.listing.scannable_codes}:
                return line.article_id, 1
        return None, 0

    def open_place(self, location, line):
        expected = queries.places_of(line) if line else []
        if location.pk not in [place.pk for place in expected]:
            raise WrongLocation(
                scanned=location, expected=", ".join(place.name for place in expected if place.name) or "–"
            )
        line.place = location
        line.save(update_fields=["place"])
        text = _("Location %(location)s is right. Now scan the article.") % {"location": location}
        return "place", text, line

    def quantity(self):
        services.check_picker(self.job, self.by)
        line, action = self.line(), self.action
        if action.quantity < 1:
            raise QuantityMissing
        scan_checks.check_units(line, action.quantity)
        if not scan_checks.may_override(self.by, self.facility):
            scan_checks.check_entering(line, self.facility)
        scan_checks.record(
            self.event,
            line,
            action.quantity,
            lot=action.lot,
            serial=action.serial,
            expires_on=action.expires_on,
            weight=action.weight,
        )
        self.book(line, picked=action.quantity)
        return (*self.outcome(line), line)

    def short(self):
        services.check_picker(self.job, self.by)
        line, action = self.line(), self.action
        reason = action.reason
        if not self.facility.short_reasons:
            reason = reason or ShortReason.OTHER
        elif reason not in self.facility.short_reasons:
            raise ReasonMissing
        scan_checks.check_units(line, 1)
        line.short_reason = reason
        self.count_left(line)
        self.book(line, short=line.open_units)
        text = _("%(short)s of %(title)s reported missing.") % {
            "short": line.short,
            "title": line.shown_title,
        }
        return self.outcome(line)[0], text, line

    def count_left(self, line):
        """Keep what the picker counted at the place, for its stock when the job is closed."""
        if self.action.left is not None and scan_checks.may_count(self.by, self.facility):
            line.left = self.action.left
            line.left_at = next(iter(queries.open_stocks(line)), None)

    def attribute(self):
        """Keep a value of the line's units."""
        services.check_picker(self.job, self.by)
        line, value = self.line(), self.action.code.strip()
        self.keep_value(line, value)
        return "ok", _("%(title)s: %(value)s") % {"title": line.shown_title, "value": value or "–"}, line

    def keep_value(self, line, value):
        if not recordables.keep([line], self.action.attribute, value):
            raise NotALine
        services.raise_version(self.job)

    def substitute(self):
        """Take another article for what is open of a line: it becomes a line of its own, with its own place."""
        services.check_picker(self.job, self.by)
        line = self.line()
        choice, units = self.choice_for(line)
        other = substitutes.move(line, choice, units, pk=self.action.id)
        if other.pk not in {one.pk for one in self.lines}:
            self.lines.append(other)
        services.raise_version(self.job)
        self.event.moved = units
        return self.substituted(other, units)

    def choice_for(self, line):
        """What is taken instead of a line, and how many units of it. Refuses what is not offered or not there."""
        action = self.action
        scan_checks.check_units(line, action.quantity or 1)
        today = timezone.localdate(self.now)
        offered = substitutes.choices_for([line], self.facility, today).get(line.article_id, [])
        choice = next((one for one in offered if one.article.sku == action.code), None)
        if choice is None or line.replaces_id:
            raise NoSubstitute(sku=action.code, title=line.shown_title)
        units = action.quantity or min(line.open_units, choice.free)
        if choice.free < units:
            raise TooFewFree(free=choice.free, title=choice.title)
        return choice, units

    @staticmethod
    def substituted(other, units):
        text = _("Take %(units)s × %(title)s instead.") % {"units": units, "title": other.shown_title}
        return "substituted", text, other

    @staticmethod
    def wanted_again(line):
        return "substituted", _("Taken back: pick %(title)s after all.") % {"title": line.shown_title}, line

    def undo(self):
        services.check_picker(self.job, self.by)
        last = queries.undoable(self.job).first()
        if last is None:
            raise NothingToUndo
        line = next(line for line in self.lines if line.pk == last.line_id)
        if last.moved:
            return self.undo_substitute(last, line)
        self.book(line, picked=-last.picked_delta, short=-last.short_delta)
        self.event.undoes = last
        text = _("Taken back: %(title)s, %(picked)s of %(quantity)s.") % {
            "title": line.shown_title,
            "picked": line.picked,
            "quantity": line.quantity,
        }
        return "ok", text, line

    def undo_substitute(self, last, line):
        original = next(one for one in self.lines if one.pk == line.replaces_id)
        line.replaces = original
        substitutes.move_back(line, last.moved)
        services.raise_version(self.job)
        self.event.undoes = last
        return self.wanted_again(original)

    def pause(self):
        self.job = services.pause(self.job.pk, by=self.by, now=self.now)
        return "paused", _("%(job)s is put aside.") % {"job": self.job}, None

    def close(self):
        self.job = services.close(self.job.pk, by=self.by, now=self.now)
        if self.job.status == PickJob.Status.ABORTED:
            return self.ended(_("%(job)s is closed: nothing was picked."))
        if self.job.status == PickJob.Status.REROUTED:
            return self.ended(_("%(job)s is placed anew: another facility looks for it."))
        return self.ended(_("%(job)s is closed and goes to packing."))

    def ended(self, text):
        """``short`` tells the screen to show what becomes of the units that were not found."""
        kind = "closed_short" if any(line.short for line in self.lines) else "closed"
        return kind, text % {"job": self.job}, None

    # What they have in common

    def line(self):
        line = next((line for line in self.lines if line.pk == self.action.line), None)
        if line is None:
            raise NotALine
        return line

    def book(self, line, *, picked=0, short=0):
        """Change a line's figures under its job's lock, and note what undo has to take back.

        Programs that decided on the older figures hear of it by the version.
        """
        with services.telling_of_line(line, by=self.by, now=self.now):
            line.count(line.picked + picked, line.short + short, line.short_reason)
            if picked and self.facility.location_scan == ScanRule.EACH:
                line.place = None
            line.save(update_fields=services.COUNTED)
        services.raise_version(self.job)
        self.event.line, self.event.picked_delta, self.event.short_delta = line, picked, short

    def outcome(self, line):
        if line.open_units:
            return "ok", _("%(picked)s of %(quantity)s") % {"picked": line.picked, "quantity": line.quantity}
        if any(one.open_units for one in self.lines):
            return "line_done", _("%(title)s is done.") % {"title": line.shown_title}
        return "job_done", _("Everything is picked. Close the job.")


CHANGES_STATUS = {ScanEvent.Kind.PAUSE, ScanEvent.Kind.CLOSE}


def _lock(job_id):
    return PickJob.objects.lock(pk=job_id)
