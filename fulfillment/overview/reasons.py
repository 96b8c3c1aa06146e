"""Reasons of the history in the words of who reads: codes, and sentences kept in the language of whoever acted."""

import functools
import re

from django.conf import settings
from django.utils.translation import gettext, ngettext, override
from django.utils.translation import gettext_lazy as _

from orders.sources.reasons import TEXTS
from picking.models import RestowItem, ShortReason
from routing.models import RoutingPlan
from shipping.models import HandoverJob, Pickup, ReturnCondition, ReturnedItem, TrackingStatus

# Whole reasons that steps write in words.
SENTENCES = [
    _("Held"),
    _("Picking was taken back"),
    _("Refund of an amount that is not known here."),
    _("Taken over"),
    _("The address was corrected."),
    _("The booking broke off."),
    _("The label was cancelled."),
    _("The order was cancelled."),
    _("The promise ended."),
    _("The shop took lines out of the order."),
    TEXTS["CANCELLED"],
    *HandoverJob.CancelReason.labels,
    *Pickup.Shown.labels,
    *RestowItem.Reason.labels,
    *ReturnedItem.Verdict.labels,
    *ShortReason.labels,
    *TrackingStatus.labels,
]
# Those with one value in them; with a number in them, for one and for several.
TEMPLATES = [
    ("%(packer)s may not pack here any more",),
    ("%(picker)s may not pick here any more",),
    ("Refund: %(amounts)s.",),
    ("Nobody worked on it for %(minutes)s minute", "Nobody worked on it for %(minutes)s minutes"),
    ("%(units)s unit", "%(units)s units"),
]
CODES = [RoutingPlan.Reason, ShortReason]
RETURN = "shipping.itemreturn"


@functools.cache
def _known():
    """``{sentence as it may be kept: sentence to translate}`` in every language of the screens."""
    found = {}
    for language, _name in reversed(settings.LANGUAGES):
        with override(language):
            found |= {str(sentence): sentence for sentence in SENTENCES}
    return found


@functools.cache
def _patterns():
    """``[(a template as it may be kept, the template)]``; a comment may follow one with a number."""
    found = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            for template in TEMPLATES:
                numbers = (1, 2) if len(template) == 2 else (None,)
                found |= {_pattern(_filled(template, number), number): template for number in numbers}
    return [(re.compile(pattern, re.DOTALL), template) for pattern, template in found.items()]


def _pattern(text, number):
    before, name, after = re.split(r"%\((\w+)\)s", text)
    value, comment = (".+", "") if number is None else (r"\d+", r"(?P<comment>\. .+)?")
    return f"{re.escape(before)}(?P<{name}>{value}){re.escape(after)}{comment}"


def _filled(template, number):
    return gettext(*template) if number is None else ngettext(*template, number)


def in_words(changes, unknown_skus):
    """Give log rows their ``reason`` in the language of who reads; what is not known stays as it was written.

    Args:
        unknown_skus: of the lines of the order that have no article.
    """
    codes = {code: label for choices in CODES for code, label in choices.choices}
    conditions = _conditions() if any(map(_is_receipt, changes)) else {}
    for change in changes:
        reason = change.reason
        if reason == RoutingPlan.Reason.UNKNOWN_ARTICLE:
            change.reason = RoutingPlan.words_of(reason, unknown_skus)
        elif reason in codes:
            change.reason = str(codes[reason])
        elif _is_receipt(change):
            change.reason = _with_condition(reason, conditions)
        elif change.action == "report_missing":
            change.reason = _of_missing(reason)
        elif change.entity == RETURN and change.action == "finish":
            change.reason = ", ".join(map(_count, reason.split(", ")))
        else:
            change.reason = _sentence(reason)


def _sentence(reason):
    if reason in _known():
        return str(_known()[reason])
    for pattern, template in _patterns():
        if found := pattern.fullmatch(reason):
            values = found.groupdict()
            comment = values.pop("comment", "") or ""
            number = int(*values.values()) if len(template) == 2 else None
            return _filled(template, number) % values + comment
    return reason


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
    if not names:
        return reason
    return re.sub(rf": ({names})(?=\. |$)", lambda found: f": {conditions[found[1]]}", reason, count=1)


def _of_missing(reason):
    """``2 × Mug: Not found``."""
    goods, colon, why = reason.rpartition(": ")
    return f"{goods}{colon}{_sentence(why)}"


def _count(part):
    """``Accepted: 2``."""
    label, colon, units = part.rpartition(": ")
    return f"{_sentence(label)}{colon}{units}"
