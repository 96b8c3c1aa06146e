"""What a pack station sends: each action happens once, see ``fulfillment.core.exactly_once``."""

import dataclasses
import datetime
import hashlib
import json
import uuid

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import parcel_codes
from fulfillment.core.errors import Refused
from fulfillment.core.exactly_once import BOOKED, REFUSED, STALE, Answer, act_once, stale
from picking.models import PickRun

from . import services
from .models import PackJob, PackScan

# What a refusal looks and sounds like; the others are "unknown".
KINDS = {
    services.NotOnThisJob: "wrong_article",
    services.TooManyUnits: "too_many",
    services.NotInPackage: "too_many",
    services.NotInProgress: "stale",
    services.PackedBySomeoneElse: "stale",
    services.PackageGone: "stale",
}

# The step that takes another back.
BACK = {PackScan.Kind.GO_ON: "stay", PackScan.Kind.STAY: "go_on"}


@dataclasses.dataclass(frozen=True)
class Action:
    """One action of a station, as it was sent. ``package`` is what it goes into or comes out of."""

    id: uuid.UUID
    kind: str
    job: uuid.UUID | None = None
    run: uuid.UUID | None = None
    package: uuid.UUID | None = None
    to_package: uuid.UUID | None = None
    line: uuid.UUID | None = None
    code: str = ""
    quantity: int = 0
    at: datetime.datetime | None = None

    @property
    def digest(self):
        """SHA-256 of what the action does, whenever it was done."""
        parts = (
            self.job or self.run,
            self.kind,
            self.package,
            self.to_package,
            self.line,
            self.code,
            self.quantity,
        )
        return hashlib.sha256(json.dumps([str(part or "") for part in parts]).encode()).hexdigest()


class NothingToUndo(Refused):
    text = _("There is nothing to undo.")


class NotALine(Refused):
    text = _("This line is not part of the job any more. Load the page again.")


def act(action, *, facility, by, now):
    """Do one action of a station, or repeat the answer it got before.

    Returns:
        An ``Answer``: 200 booked, 422 refused, 409 when the job or package is gone or in other hands, or the id was used
        for something else. Its data have ``scan`` (the id), ``kind`` (for picture and sound), ``text``, ``package`` (the
        number of the one that is worked on), and what is packed of the ``job``.
    """
    return act_once(
        PackScan,
        action,
        facility=facility,
        by=by,
        now=now,
        work=lambda event: _Work(action, event, facility, by, now).do(),
    )


class _Work:
    """One action at its job, under the job's lock."""

    def __init__(self, action, event, facility, by, now):
        self.action, self.event = action, event
        self.facility, self.who = facility, {"by": by, "now": now}
        self.booked = ""  # what was done, where the text says more

    def do(self):
        action = self.action
        if action.kind == PackScan.Kind.SORT:
            return self.sort()
        try:
            self.job = PackJob.objects.lock(pk=action.job)
        except PackJob.DoesNotExist:
            return stale(action.id, _("This job is not here any more."))
        if self.job.facility_id != self.facility.pk:
            return stale(action.id, _("This job is not here any more."))
        self.event.job = self.job
        try:
            # The savepoint: a refusal takes back what was begun, but not the stored answer.
            with transaction.atomic():
                kind, text, package = getattr(self, action.kind)()
        except Refused as refusal:
            return self.refused(refusal)
        return Answer(BOOKED, self.data(kind, text, package))

    def refused(self, refusal):
        self.event.moved, self.event.undoes = [], None
        kind = next((kind for cause, kind in KINDS.items() if isinstance(refusal, cause)), "unknown")
        return Answer(STALE if kind == "stale" else REFUSED, self.data(kind, refusal.message, None))

    def sort(self):
        """A unit of a batch finds its order; the answer says the number of its box."""
        self.job = None
        run = PickRun.objects.filter(pk=self.action.run, facility=self.facility).first()
        if run is None:
            return stale(self.action.id, _("This run is not here any more."))
        self.event.run = run
        try:
            with transaction.atomic():
                self.job, number, package, booked = services.sort(run.pk, self.action.code, **self.who)
        except Refused as refusal:
            return self.refused(refusal)
        self.event.job = self.job
        self.note(package, booked)
        is_done = not any(line.quantity - line.packed for line in self.job.lines.with_packed())
        words = {"number": number, "title": booked[0][0].title, "job": self.job}
        text = (
            _("Box %(number)s: %(title)s. %(job)s is complete.")
            if is_done
            else _("Box %(number)s: %(title)s.")
        )
        data = self.data("line_done" if is_done else "ok", text % words, None)
        return Answer(BOOKED, {**data, "number": number})

    def data(self, kind, text, package):
        if self.job is None:
            return {"scan": str(self.action.id), "kind": kind, "text": str(text), "package": None}
        lines = self.job.lines.with_packed()
        return {
            "scan": str(self.action.id),
            "kind": kind,
            "text": str(text),
            "package": package and package.number,
            **({"booked": str(self.booked)} if self.booked else {}),
            "job": {
                "id": str(self.job.pk),
                "units": sum(line.quantity for line in lines),
                "packed": sum(line.packed for line in lines),
            },
        }

    # The actions; each returns (kind, text, package)

    def scan(self):
        action = self.action
        code = action.code.strip()
        own = self.job.packages.filter(code__in=parcel_codes(code)).first()
        if own is not None:
            services.check_packer(self.job, self.who["by"])
            return "place", _("Package %(number)s.") % {"number": own.number}, own
        chosen = self.package(action.package) if action.package else None
        package, booked = services.scan(self.job.pk, code, chosen and chosen.pk, **self.who)
        self.note(package, booked)
        kind, text, _package = self.told(booked[0][0], sum(units for _line, units in booked), package)
        return kind, text, chosen

    def put(self):
        action, package = self.action, self.package(self.action.package)
        line = services.put(self.job.pk, self.line().pk, package.pk, action.quantity, **self.who)
        self.note(package, [(line, action.quantity)])
        return self.told(line, action.quantity, package)

    def take_out(self):
        action, package = self.action, self.package(self.action.package)
        line = services.take_out(self.job.pk, self.line().pk, package.pk, action.quantity, **self.who)
        self.note(package, [(line, -action.quantity)])
        text = _("%(units)s × %(title)s taken out of package %(number)s.")
        return "ok", text % {"units": action.quantity, "title": line.title, "number": package.number}, package

    def move(self):
        action = self.action
        package, target = self.package(action.package), self.package(action.to_package)
        line = services.move(self.job.pk, self.line().pk, package.pk, target.pk, action.quantity, **self.who)
        self.note(package, [(line, -action.quantity)])
        self.note(target, [(line, action.quantity)])
        return "ok", self.words(line, action.quantity, target), target

    def go_on(self):
        """Units go on in another package: those that are named, else one of what was packed last."""
        action = self.action
        if action.line:
            line, package, units = self.line().pk, self.package(action.package).pk, action.quantity
        else:
            line, package = packed_last(undoable(self.job).first())
            units = 1
        target = self.package(action.to_package).pk if action.to_package else None
        line, target = services.go_on(self.job.pk, line, package, target, units, **self.who)
        self.event.moved = [[str(line.pk), str(package), units, str(target.pk)]]
        text = _("%(units)s × %(title)s goes on in package %(number)s.")
        return "place", text % {"units": units, "title": line.title, "number": target.number}, target

    def stay(self):
        action = self.action
        package, other = self.package(action.package), self.package(action.to_package)
        line = services.stay(self.job.pk, self.line().pk, package.pk, other.pk, action.quantity, **self.who)
        self.event.moved = [[str(line.pk), str(package.pk), action.quantity, str(other.pk)]]
        text = _("%(title)s does not go on in package %(number)s any more.")
        return "ok", text % {"title": line.title, "number": other.number}, package

    def undo(self):
        last = undoable(self.job).first()
        if last is None:
            raise NothingToUndo
        if last.kind in BACK:
            return self.undo_part(last)
        moved = [(uuid.UUID(line), uuid.UUID(package), units) for line, package, units in last.moved]
        line = services.undo(self.job.pk, moved, **self.who)
        self.event.undoes = last
        package = self.job.packages.filter(pk=moved[0][1]).first()
        return "ok", _("Taken back: %(title)s.") % {"title": line.title}, package

    def undo_part(self, last):
        ((line, package, units, other),) = last.moved
        step = getattr(services, BACK[last.kind])
        step(self.job.pk, line, uuid.UUID(package), uuid.UUID(other), units, **self.who)
        self.event.undoes = last
        text = _("Taken back: %(title)s.") % {"title": self.job.lines.get(pk=line).title}
        return "ok", text, self.job.packages.filter(pk=package).first()

    # What they have in common

    def package(self, pk):
        package = self.job.packages.filter(pk=pk).first() if pk else None
        if package is None:
            raise services.PackageGone
        return package

    def line(self):
        line = self.job.lines.filter(pk=self.action.line).first()
        if line is None:
            raise NotALine
        return line

    def note(self, package, booked):
        self.event.moved += [[str(line.pk), str(package.pk), units] for line, units in booked]

    @staticmethod
    def words(line, units, package):
        text = _("%(units)s × %(title)s in package %(number)s.")
        return text % {"units": units, "title": line.title, "number": package.number}

    def told(self, line, units, package):
        words = self.words(line, units, package)
        left = {one.pk: one.quantity - one.packed for one in self.job.lines.with_packed()}
        if not any(left.values()):
            self.booked = words
            return "job_done", _("%(booked)s Everything is packed.") % {"booked": words}, package
        return "ok" if left[line.pk] else "line_done", words, package


def packed_last(last):
    """(line id, package id) of what the last action put into a package. Raises ``NothingToGoOn`` when it did not."""
    if not puts_in(last):
        raise services.NothingToGoOn
    line, package = last.moved[-1][:2]
    return uuid.UUID(line), uuid.UUID(package)


def puts_in(action):
    """Whether an action, or none, put something into a package, be it a part."""
    return action is not None and action.kind in {
        PackScan.Kind.SCAN,
        PackScan.Kind.PUT,
        PackScan.Kind.SORT,
        PackScan.Kind.GO_ON,
    }


def undoable(job):
    """Actions that moved something and were not taken back, the last one first."""
    return job.scans.exclude(moved=[]).filter(undone_by=None, undoes=None).order_by("-received_at", "-pk")


def screen_texts():
    """What the screen itself says, see ``static/js/pack.js``."""
    said = {
        "waiting": _("No connection. {n} waiting, nothing is lost."),
        "rejected": _("The server did not take {what}. Scan it again."),
        "signIn": _("Sign in"),
    }
    return {name: str(text) for name, text in said.items()}
