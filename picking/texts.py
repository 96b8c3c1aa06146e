"""What the pick screen itself says, with or without a connection."""

from django.utils.translation import gettext_lazy as _

from . import commands
from .models import ScanEvent, ShortReason
from .refusals import (
    AttributeMissing,
    LocationFirst,
    MayReplace,
    MustScan,
    MustScanEach,
    NothingToUndo,
    RecordMissing,
    SerialOneByOne,
    TooMany,
    UnknownCode,
    WeightOff,
)
from .services import LinesPending


def screen_texts():
    """What the screen itself says, by the kinds of ``static/js/pickjob.js``, in the language of the person."""
    said = {
        "ok": _("%(picked)s of %(quantity)s"),
        "line_done": _("%(title)s is done."),
        "job_done": _("Everything is picked. Close the job."),
        "place": _("Location %(location)s is right. Now scan the article."),
        "undone": _("Taken back: %(title)s, %(picked)s of %(quantity)s."),
        "short": _("%(short)s of %(title)s reported missing."),
        "not_here": _("%(scanned)s is not of this job. Pick %(expected)s. Nothing is booked."),
        "closing": _("Picked to the end. The server hears of it as soon as there is a connection."),
        "asked": _("%(code)s is noted. The server says what it is."),
        "unknown": UnknownCode.text,
        "too_many": TooMany.text,
        "location_first": LocationFirst.text,
        "must_scan": MustScan.text,
        "must_scan_each": MustScanEach.text,
        "record_missing": RecordMissing.text,
        "attribute_missing": AttributeMissing.text,
        "attribute": _("%(title)s: %(value)s"),
        "serial_one_by_one": SerialOneByOne.text,
        "substituted": _("Take %(units)s × %(title)s instead."),
        "after_all": _("Taken back: pick %(title)s after all."),
        "may_replace": MayReplace.text,
        "instead": _("instead of %(instead)s"),
        "choice": _("%(title)s · %(place)s · %(free)s free"),
        "weight_off": WeightOff.text,
        "weigh": _("One weighs %(least)s to %(most)s g."),
        "no_line": _("Nothing is open. Close the job."),
        "skipped": _("%(title)s comes later. Next: %(next)s."),
        "ask_reason": _(
            "%(open)s × %(title)s missing? Scan the reason, or “Missing” again. “Cancel” leaves it."
        ),
        "ask_missing": _("%(open)s × %(title)s missing? Scan “Missing” again. “Cancel” leaves it."),
        "ask_units": _("%(title)s: %(open)s to pick"),
        "ask_short": _("%(title)s: %(open)s missing?"),
        "left_alone": _("Nothing is changed."),
        "still_open": LinesPending.text,
        "nothing_to_undo": NothingToUndo.text,
        "any_tote": _("In practice every tote is right."),
        "pausing": _("Put aside. The server hears of it as soon as there is a connection."),
        "picked": _("%(picked)s of %(quantity)s picked"),
        "progress": _("%(done)s of %(total)s"),
        "missing": _("%(short)s missing: %(reason)s"),
        "then": _("%(here)s here, then %(then)s"),
        "noPlace": _("No place"),
        "waiting": _("No connection. {n} waiting, nothing is lost."),
        "offline": _("No connection. Go on picking: everything is kept and sent later."),
        "rejected": _("The server did not take {what}. It is kept below as a task."),
        "signIn": _("Sign in"),
    }
    return {name: str(text) for name, text in said.items()} | {
        "commands": commands.NAMES,
        "kinds": {kind: str(label) for kind, label in [*ScanEvent.Kind.choices, ("photo", _("Photo"))]},
        "reasons": {reason: str(label) for reason, label in ShortReason.choices},
    }


def reasons_at(facility):
    """The reasons for missing units that a facility offers: [(code, label)]."""
    return [(reason, label) for reason, label in ShortReason.choices if reason in facility.short_reasons]
