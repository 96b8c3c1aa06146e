"""From raw figures to points."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum

from routing.rules.facts import Absolute

DIGITS = 9
"""Points are compared after rounding to this many digits, so that floating-point dust decides nothing."""


class Gap(StrEnum):
    """Why some figures of a rating were filled in."""

    NONE = ""
    ALL_UNKNOWN = "ALL_UNKNOWN"
    SOME_UNKNOWN = "SOME_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Column:
    """One rating over all candidates, in their order. ``raw`` keeps None where the figure is unknown."""

    key: str
    weight: float
    raw: tuple[float | None, ...]
    points: tuple[float, ...]
    gap: Gap


def column(
    key: str,
    weight: float,
    raw: Sequence[float | None],
    *,
    more_is_better: bool,
    absolute: Absolute | None = None,
    measured: Callable[[float], float] = float,
) -> Column:
    """Fill gaps, then scale: relative to the best and the worst candidate, or between fixed thresholds.

    Unknown for all (the address cannot be placed): everybody gets the full weight, so the rating decides
    nothing. Unknown for some: they get the mean of the others.
    """
    raw = tuple(raw)
    known = raw if None not in raw else [value for value in raw if value is not None]
    if not known:
        return Column(key, weight, raw, (float(weight),) * len(raw), Gap.ALL_UNKNOWN if raw else Gap.NONE)
    filled, gap = known, Gap.NONE
    if len(known) < len(raw):
        mean = min(max(fsum(known) / len(known), min(known)), max(known))
        filled, gap = [mean if value is None else value for value in raw], Gap.SOME_UNKNOWN
    if absolute is None:
        points = _relative(filled, weight, more_is_better)
    else:
        points = _absolute([measured(value) for value in filled], weight, absolute)
    return Column(key, weight, raw, points, gap)


def _relative(values, weight, more_is_better):
    """Min-max over the candidates; all equal means the full weight for all.

    The share is taken first: it never exceeds 1, so points never exceed the weight.
    """
    low, high = min(values), max(values)
    span = high - low
    if span == 0:
        return (float(weight),) * len(values)
    if more_is_better:
        return tuple([weight * ((value - low) / span) for value in values])
    return tuple([weight * ((high - value) / span) for value in values])


def _absolute(values, weight, scale):
    """The weight less the penalty of the distance from the best end, never below 0 and never above the weight."""
    span = scale.worst - scale.best
    return tuple([weight * (1 - min(max((value - scale.best) / span, 0.0), 1.0)) for value in values])
