"""What the screens of returns show."""

import dataclasses
from collections import Counter

from django.db.models import Q

from fulfillment.core.codes import normalise, spellings
from fulfillment.core.queries import find_article

from .models import ItemReturn, ReturnedItem


def returns_at(facility, *, status="", text=""):
    """Returns of a facility: those that have not ended unless a status is asked for, what is here first.

    ``text`` finds short id, order number and recipient.
    """
    rows = ItemReturn.objects.at(facility)
    rows = rows.filter(status=status) if status else rows.unfinished()
    text = text.strip()
    if text:
        rows = rows.filter(
            Q(job__short_id__iexact=text)
            | Q(order__tenant_order_id__icontains=text)
            | Q(order__recipient_name__icontains=text)
        )
    return rows.for_list()


@dataclasses.dataclass
class Group:
    """Received units that are alike: of one line, in one condition, with one decision."""

    first: ReturnedItem
    ids: list

    @property
    def units(self):
        return len(self.ids)


@dataclasses.dataclass
class Awaited:
    """Announced units of a line that are not here yet."""

    line: object
    units: int
    reasons: str


@dataclasses.dataclass
class Contents:
    groups: list
    awaited: list
    lines: list  # of the job, of which more may come back
    accepted: int = 0
    rejected: int = 0
    undecided: int = 0
    refunds: str = ""

    @property
    def received(self):
        return self.accepted + self.rejected + self.undecided


def contents_of(item_return):
    """What is in a return and what may still come, for its page."""
    items = list(item_return.items.select_related("line", "reason", "condition"))
    groups: dict = {}
    awaited: dict = {}
    for item in items:
        if item.received_at is None:
            awaited.setdefault(item.line, []).append(str(item.reason or item.reason_comment))
            continue
        key = (item.line_id, item.condition_id, item.condition_comment, item.verdict, item.place)
        groups.setdefault((*key, item.decision_reason, item.reason_id), Group(item, [])).ids.append(item.pk)
    count = Counter(item.verdict for item in items if item.received_at is not None)
    refunds: Counter = Counter()
    for item in items:
        if item.refund_amount is not None:
            refunds[item.refund_currency] += item.refund_amount
    return Contents(
        groups=list(groups.values()),
        awaited=[
            Awaited(line, len(words), ", ".join(sorted(filter(None, set(words)))))
            for line, words in awaited.items()
        ],
        lines=[line for line in item_return.job.lines.select_related("article") if line.left],
        accepted=count[ReturnedItem.Verdict.ACCEPTED],
        rejected=count[ReturnedItem.Verdict.REJECTED],
        undecided=count[""],
        refunds=", ".join(f"{amount} {currency}" for currency, amount in sorted(refunds.items())),
    )


def scanned_line(item_return, code):
    """The line of the order that a scanned or typed article belongs to, or None; one of which more may come first."""
    article, _units = find_article(code)
    lines = item_return.job.lines.select_related("order_line")
    if article is not None:
        found = [line for line in lines if line.article_id == article.pk]
    else:
        known = set(spellings(normalise(code)))
        found = [line for line in lines if known & set(line.order_line.scannable_codes)]
    return max(found, key=lambda line: line.left, default=None)
