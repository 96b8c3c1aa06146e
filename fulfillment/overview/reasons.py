"""Reasons of the history in the words of who reads: codes, and sentences kept in the language of whoever acted."""

import functools
import re

from django.conf import settings
from django.utils.translation import gettext, ngettext, override
from django.utils.translation import gettext_lazy as _

from picking.models import RestowItem, ShortReason
from routing.models import RoutingPlan
from shipping.models import HandoverJob, Pickup, ReturnCondition, ReturnedItem, TrackingStatus

# Whole reasons that steps write in words.
SENTENCES = [
    _("Held"),
    _("Picking was taken back"),
    _("Refund of an amount that is not known here."),
    _("Taken over"),
    _("The order was cancelled."),
    _("The promise ended."),
    *HandoverJob.CancelReason.labels,
    *Pickup.Shown.labels,
    *RestowItem.Reason.labels,
    *ReturnedItem.Verdict.labels,
    *ShortReason.labels,
    *TrackingStatus.labels,
]
CODES = [RoutingPlan.Reason, ShortReason]
RETURN = "shipping.itemreturn"
UNITS = re.compile(r"(\d+) (?:units?|Stück)(?=\. |$)")


@functools.cache
def _known():
    """``{sentence as it may be kept: sentence to translate}`` in every language of the screens."""
    found = {}
    for language, _name in reversed(settings.LANGUAGES):
        with override(language):
            found |= {str(sentence): sentence for sentence in SENTENCES}
    return found


@functools.cache
def _refund():
    """What tells the amounts of a refund from the words around them, in every language."""
    patterns = []
    for language, _name in settings.LANGUAGES:
        with override(language):
            before, after = gettext("Refund: %(amounts)s.").split("%(amounts)s")
            patterns.append(f"{re.escape(before)}(.+){re.escape(after)}")
    return [re.compile(pattern) for pattern in patterns]


def in_words(changes, unknown_skus):
    """Give log rows their ``reason`` in the language of who reads; what is not known stays as it was written.

    Args:
        unknown_skus: of the lines of the order that have no article.
    """
    codes = {code: label for choices in CODES for code, label in choices.choices}
    conditions = _conditions() if any(_is_receipt(change) for change in changes) else {}
    for change in changes:
        reason = change.reason
        if reason == RoutingPlan.Reason.UNKNOWN_ARTICLE:
            change.reason = RoutingPlan.words_of(reason, unknown_skus)
        elif reason in codes:
            change.reason = str(codes[reason])
        elif _is_receipt(change):
            change.reason = _with_condition(reason, conditions)
        elif change.entity == RETURN:
            change.reason = _of_return(reason)
        elif change.action == "report_missing":
            change.reason = _of_missing(reason)
        else:
            change.reason = _sentence(reason)


def _sentence(reason):
    return str(_known().get(reason, reason))


def _is_receipt(change):
    return change.entity == RETURN and change.action == "receive"


def _conditions():
    """``{name in any language: condition}``, the longest name first."""
    rows = list(ReturnCondition.objects.all())
    names = {name: row for row in rows for name in (row.name_de, row.name) if name}
    return dict(sorted(names.items(), key=lambda pair: -len(pair[0])))


def _with_condition(reason, conditions):
    """``2 × Mug: Damaged. Comment`` with its condition."""
    names = "|".join(map(re.escape, conditions))
    return re.sub(rf": ({names})(?=\. |$)", lambda found: f": {conditions[found[1]]}", reason, count=1)


def _of_missing(reason):
    """``2 × Mug: Not found``."""
    goods, colon, why = reason.rpartition(": ")
    return f"{goods}{colon}{_sentence(why)}"


def _of_return(reason):
    if reason in _known():
        return _sentence(reason)
    for pattern in _refund():
        if found := pattern.fullmatch(reason):
            return gettext("Refund: %(amounts)s.") % {"amounts": found[1]}
    if found := UNITS.match(reason):
        units = int(found[1])
        return ngettext("%(units)s unit", "%(units)s units", units) % {"units": units} + reason[found.end() :]
    return ", ".join(_count(part) for part in reason.split(", "))


def _count(part):
    """``Accepted: 2``, or a whole sentence."""
    label, colon, units = part.rpartition(": ")
    return f"{_sentence(label)}: {units}" if colon and units.isdigit() else _sentence(part)
