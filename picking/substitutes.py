"""What may be taken instead of an article that is not there: by priority, with where it lies and how much is free."""

import dataclasses
from collections import defaultdict

from fulfillment.core.models import Article, Listing, Substitute

from . import recordables
from .jobs import allocate, free_stock
from .models import Allocation, PickLine


@dataclasses.dataclass
class Choice:
    """One substitute as a facility has it now."""

    article: Article
    listing: Listing
    rows: list  # of stock, each with ``free``

    @property
    def title(self):
        return self.listing.title or self.article.local_title

    @property
    def free(self):
        return sum(max(row.free, 0) for row in self.rows)


def choices_for(lines, facility, today):
    """``{article id: [Choice]}`` for lines of a job, the best first; only what the facility offers and has.

    For lines without open units too: with undo they have some again.
    """
    wanted = {line.article_id for line in lines if not line.replaces_id}
    pairs = list(Substitute.objects.at(facility).filter(article__in=wanted)) if wanted else []
    if not pairs:
        return {}
    listings = {
        listing.article_id: listing
        for listing in Listing.objects.filter(
            facility=facility,
            article__in={pair.substitute_id for pair in pairs},
            status=Listing.Status.ACTIVE,
        )
        .select_related("article")
        .prefetch_related("article__codes")
    }
    stock = free_stock({listing.pk for listing in listings.values()}, today)
    found: dict = defaultdict(dict)
    for pair in pairs:
        listing = listings.get(pair.substitute_id)
        if listing is None:
            continue
        choice = Choice(listing.article, listing, stock.get(listing.pk, []))
        if choice.free:
            found[pair.article_id].setdefault(listing.article_id, choice)
    return {article_id: list(choices.values()) for article_id, choices in found.items()}


def move(line, choice, units, *, pk):
    """Let ``units`` of a line be picked as another article; returns the line of the substitute.

    The lines change under their job's lock. Nothing is reserved: the units leave the stock when the job is closed, as
    those do that a picker finds beyond what is booked.
    """
    line.quantity -= units
    line.count(line.picked, line.short, line.short_reason)
    line.save(update_fields=["quantity", "status"])
    other = PickLine.objects.filter(replaces=line, article=choice.article).first()
    if other is None:
        other = PickLine(
            pk=pk,
            job_id=line.job_id,
            plan_line_id=line.plan_line_id,
            order_line=line.order_line,
            replaces=line,
            article=choice.article,
            listing=choice.listing,
            title=choice.listing.title or choice.article.title,
            sequence=line.sequence,
            run_id=line.run_id,
            quantity=0,
            recordables=recordables.of_line(choice.listing.extra.get("recordableAttributes", [])),
        )
    other.quantity += units
    other.count(other.picked, other.short, other.short_reason)
    other.save()
    Allocation.objects.filter(line=other).delete()
    Allocation.objects.bulk_create(allocate([other], {choice.listing.pk: choice.rows}))
    return other


def move_back(other, units):
    """The units are wanted of their own article again. The line stays, as what happened on it names it."""
    line = other.replaces
    other.quantity -= units
    other.count(other.picked, other.short, other.short_reason)
    other.save(update_fields=["quantity", "status"])
    line.quantity += units
    line.count(line.picked, line.short, line.short_reason)
    line.save(update_fields=["quantity", "status"])
