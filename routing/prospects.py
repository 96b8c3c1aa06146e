"""What would have to change for a facility to get an order, in words."""

import dataclasses
import math

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from routing import rules
from routing.decisions import inputs_of, restore
from routing.explanations import (
    digits_of,
    fence_label,
    figure_of,
    number_of,
    points_of,
    rule_label,
    words_of,
)
from routing.models import RoutingPlan


@dataclasses.dataclass(frozen=True)
class Prospect:
    """What would have to change for one facility to get the order: how it stands, and ways that are each enough."""

    key: str
    name: str
    is_partly: bool  # a way gives it only a part
    is_settled: bool  # nothing is left to ask for: it has won, or meeting its fences is enough
    stands: list[str]
    ways: list[str]


def facilities_of(log):
    """``[(key, name)]`` of the facilities that a decision looked at and gave nothing, by name."""
    takers = {part["facility"] for part in log.data["parts"]}
    return sorted(
        ((one.key, one.site.name) for one in inputs_of(log).candidates if one.key not in takers),
        key=lambda pair: pair[1],
    )


def prospect(log, key, lines):
    """What would have had to be otherwise for a facility to get the order, None for one that was not looked at.

    Args:
        lines: of the order.
    """
    skus = {str(line.article_id): line.sku for line in lines}
    unknown = [line.sku for line in lines if line.article_id is None]
    made = restore(log)
    name = next((one.site.name for one in made.candidates if one.key == key), None)
    if name is None:
        return None
    if any(part["facility"] == key for part in log.data["parts"]):
        return Prospect(key, name, False, True, [gettext("%(name)s has got it.") % {"name": name}], [])
    if made.unknown_units and (made.waits_for_whole or not made.demand.lines):
        why = RoutingPlan.words_of(RoutingPlan.Reason.UNKNOWN_ARTICLE, unknown)
        return Prospect(key, name, False, False, [why], [])
    found = rules.outlook(
        made.demand, made.candidates, made.policy, made.seed, key, needs_whole=made.waits_for_whole
    )
    ways = list(_ways(found, skus))
    is_partly = any(takes < made.wanted for _way, takes in ways)
    return Prospect(
        key,
        name,
        is_partly,
        found.would_win,
        list(_stands(dataclasses.replace(found, wanted=made.wanted), name)),
        [_with_takes(way, takes, made.wanted) if is_partly else way for way, takes in ways],
    )


def _stands(found, name):
    for miss in found.fences:
        yield gettext("%(name)s misses the fence “%(fence)s”: wanted %(expected)s, has %(actual)s.") % {
            "name": name,
            "fence": fence_label(miss.fence),
            "expected": words_of(miss.expected),
            "actual": words_of(miss.actual) or "–",
        }
    if found.has < found.wanted:
        yield gettext("%(name)s has %(has)s of %(wanted)s units.") % {
            "name": name,
            "has": found.has,
            "wanted": found.wanted,
        }
    if found.behind:
        yield gettext("%(name)s is %(points)s points behind.") % {
            "name": name,
            "points": points_of(found.behind),
        }
    if found.is_drawn:
        yield gettext("%(name)s has as many points as the best; the draw decided.") % {"name": name}
    if found.fences and 0 < found.takes < found.wanted:
        yield gettext("If it passed, it would get a part of the order: %(units)s of %(count)s units.") % {
            "units": found.takes,
            "count": found.wanted,
        }
    elif found.fences and found.would_win:
        yield gettext("If it passed, it would get the order.")
    elif found.fences:
        yield gettext("Passing would not be enough.")


def _with_takes(way, takes, wanted):
    if takes == wanted:
        return gettext("%(way)s – it would then get the whole order") % {"way": way}
    return gettext("%(way)s – it would then get %(units)s of %(count)s units") % {
        "way": way,
        "units": takes,
        "count": wanted,
    }


def _ways(found, skus):
    """``(words, units that it would get)`` of every way."""
    for way in found.stock:
        units = ", ".join(f"{line.quantity} × {skus.get(line.article, line.article)}" for line in way.more)
        yield gettext("more in stock: %(units)s") % {"units": units}, way.takes
    for way in found.figures:
        text = (
            _("%(rating)s: at most %(needed)s instead of %(now)s")
            if way.is_most
            else _("%(rating)s: at least %(needed)s instead of %(now)s")
        )
        words = text % {
            "rating": rule_label(rules.RATINGS, way.rating),
            "needed": figure_of(way.rating, _rounded(way)),
            "now": figure_of(way.rating, way.now),
        }
        yield words, way.takes
    for way in found.weights:
        words = gettext("%(rating)s counts %(needed)s instead of %(now)s") % {
            "rating": rule_label(rules.RATINGS, way.rating),
            "needed": number_of(way.needed),
            "now": number_of(way.now),
        }
        yield words, way.takes


def _rounded(way):
    """A figure that can be said and is still enough: a whole one where the figure counts something."""
    scale = 1 if isinstance(way.now, int) else 10 ** digits_of(way.needed)
    return (math.floor if way.is_most else math.ceil)(way.needed * scale) / scale
